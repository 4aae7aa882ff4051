// SPDX-License-Identifier: GPL-2.0-only
/* defpager store-limit */
#include "options.h"
#include "store_request.h"

static const struct option options[] = {
	OPTION_HELP,
	{ "object", required_argument, NULL, OPT_OBJECT },
	{ "user", required_argument, NULL, OPT_USER },
	{ }
};

static bool take(int option, void *context)
{
	struct defpager_backing_store_limit *limit = context;

	switch (option) {
	case OPT_OBJECT:
		limit->flags |= DEFPAGER_LIMIT_OBJECT;
		return parse_limit("--object", optarg, &limit->object_bytes);
	case OPT_USER:
		limit->flags |= DEFPAGER_LIMIT_USER;
		return parse_limit("--user", optarg, &limit->user_bytes);
	default:
		return false;
	}
}

static int run_store_limit(int argc, char **argv)
{
	struct defpager_backing_store_limit limit = { .size = sizeof(limit) };
	const char *name;
	int status;

	if (!parse_options(&cmd_store_limit, argc, argv, options, take, &limit,
			   &status))
		return status;
	name = one_operand(&cmd_store_limit, argc, argv, "name", &status);
	if (!name)
		return status;
	return store_limit(name, name, &limit) ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_store_limit = {
	.name = "store-limit",
	.summary = "limit what objects and users may take of a store",
	.usage = "store-limit [--object SIZE|none] [--user SIZE|none] NAME",
	.help =
	"Sets limits of a backing store, and prints what they are, and were. Without\n"
	"options it only prints them. Needs to be run as root.\n"
	"\n"
	"  --object SIZE  what one object may be promised, or \"none\"\n"
	"  --user SIZE    what all objects of one user may be promised, or \"none\"\n"
	"  --help         this text\n"
	"\n"
	"They concern objects which are confined to the store; those of \"default\"\n"
	"also objects which are confined to none. What has been promised stays so.\n",
	.run = run_store_limit,
};
