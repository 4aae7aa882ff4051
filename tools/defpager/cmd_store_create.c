// SPDX-License-Identifier: GPL-2.0-only
/* defpager store-create */
#include <unistd.h>

#include "options.h"
#include "store_request.h"

static const struct option options[] = {
	OPTION_HELP,
	{ "checksum", no_argument, NULL, OPT_CHECKSUM },
	{ "cluster-size", required_argument, NULL, OPT_CLUSTER_SIZE },
	{ "discard", no_argument, NULL, OPT_DISCARD },
	{ "encrypt", no_argument, NULL, OPT_ENCRYPT },
	{ "exclusive", no_argument, NULL, OPT_EXCLUSIVE },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ }
};

static bool take(int option, void *context)
{
	struct defpager_backing_store_create *create = context;

	switch (option) {
	case OPT_CHECKSUM:
		create->flags |= DEFPAGER_STORE_CHECKSUM;
		return true;
	case OPT_CLUSTER_SIZE:
		return parse_cluster_size("--cluster-size", optarg,
					  &create->cluster_bytes);
	case OPT_DISCARD:
		create->flags |= DEFPAGER_STORE_DISCARD;
		return true;
	case OPT_ENCRYPT:
		create->flags |= DEFPAGER_STORE_ENCRYPT;
		return true;
	case OPT_EXCLUSIVE:
		create->flags |= DEFPAGER_STORE_EXCLUSIVE;
		return true;
	case OPT_PRIORITY:
		return parse_priority("--priority", optarg, &create->priority);
	default:
		return false;
	}
}

static int run_store_create(int argc, char **argv)
{
	struct defpager_backing_store_create create = {
		.size = sizeof(create),
	};
	const char *name;
	int status;

	if (!parse_options(&cmd_store_create, argc, argv, options, take,
			   &create, &status))
		return status;
	name = one_operand(&cmd_store_create, argc, argv, "name", &status);
	if (!name)
		return status;
	return store_create(name, name, &create) ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_store_create = {
	.name = "store-create",
	.summary = "create a backing store, a set of segments",
	.usage = "store-create [--priority N] [--cluster-size SIZE] [--exclusive]\n"
		 "                [--checksum] [--encrypt] [--discard] NAME",
	.help =
	"Creates a backing store, to which segments can be added and objects can be\n"
	"confined. It stays until it is deleted or the module is unloaded. Needs to\n"
	"be run as root.\n"
	"\n"
	"  --priority N         stores with higher numbers are used first by objects\n"
	"                       that are not confined (default: 0, as \"default\" has)\n"
	"  --cluster-size SIZE  bytes on a segment that are handed out together: a\n"
	"                       power of two from a page to 2M (default: 128K)\n"
	"  --exclusive          only for objects which are confined to it\n"
	"  --checksum           find out if a page comes back changed\n"
	"  --encrypt            encrypt what is written, with a random key\n"
	"  --discard            tell devices what holds nothing any more (TRIM)\n"
	"  --help               this text\n",
	.run = run_store_create,
};
