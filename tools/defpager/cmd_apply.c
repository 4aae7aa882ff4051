// SPDX-License-Identifier: GPL-2.0-only
/* defpager apply */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "config.h"
#include "options.h"
#include "segments.h"
#include "store_request.h"
#include "table.h"

#define DEFAULT_FILE "/etc/defpager.conf"

static const struct option options[] = {
	OPTION_HELP,
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ }
};

static bool take(int option, void *dry_run)
{
	*(bool *)dry_run = true;
	return option == OPT_DRY_RUN;
}

/* --- stores --- */

struct store_search {
	const char *name;
	struct defpager_backing_store_info *info;
};

static int compare_name(const struct defpager_backing_store_info *store,
			void *context)
{
	const struct store_search *search = context;

	if (strcmp(store->name, search->name))
		return 0;
	*search->info = *store;
	return 1;
}

/* 1 if there is such a store, 0 if not, negative after a message. */
static int find_store(const char *name,
		      struct defpager_backing_store_info *info)
{
	struct store_search search = { .name = name, .info = info };
	int pager = pager_open();
	int ret;

	if (pager < 0)
		return pager;
	ret = libdefpager_backing_stores(pager, compare_name, &search);
	close(pager);
	if (ret < 0)
		explain(OP_BACKING_STORES, LIBDEFPAGER_DEVICE, ret);
	return ret;
}

/* What a store was created with stays. */
static bool store_is_as_wanted(const struct config_store *store,
			       const struct defpager_backing_store_info *info)
{
	const struct defpager_backing_store_create *create = &store->create;
	uint32_t cluster = create->cluster_bytes
				? : DEFPAGER_DEFAULT_CLUSTER_SIZE;

	if (create->priority == info->priority &&
	    cluster == info->cluster_bytes && create->flags == info->flags)
		return true;
	complain("%s: the store exists with other settings (defpager stores), "
		 "which cannot be changed; delete it, or change the file",
		 store->location);
	return false;
}

/* Other than the rest, they can be changed. */
static bool limits_are_as_wanted(const struct config_store *store,
				 const struct defpager_backing_store_info *info)
{
	const struct defpager_backing_store_limit *limit = &store->limit;
	uint64_t page_mask = -(uint64_t)sysconf(_SC_PAGESIZE);

	return (!(limit->flags & DEFPAGER_LIMIT_OBJECT) ||
		(limit->object_bytes & page_mask) ==
			info->object_limit_bytes) &&
	       (!(limit->flags & DEFPAGER_LIMIT_USER) ||
		(limit->user_bytes & page_mask) == info->user_limit_bytes);
}

static bool apply_limits(struct config_store *store, bool dry_run,
			 const struct defpager_backing_store_info *info)
{
	if (limits_are_as_wanted(store, info))
		return true;
	if (!dry_run)
		return store_limit(store->location, store->name,
				   &store->limit);
	printf("would limit what backing store %s gives to one object or user\n",
	       store->name);
	return true;
}

static bool apply_store(struct config_store *store, bool dry_run)
{
	struct defpager_backing_store_info info = { };
	int found = find_store(store->name, &info);

	if (found < 0 || (found && !store_is_as_wanted(store, &info)))
		return false;
	if (!found && dry_run)
		printf("would create backing store %s\n", store->name);
	else if (!found && !store_create(store->location, store->name,
					 &store->create))
		return false;
	return apply_limits(store, dry_run, &info);
}

/* --- segments --- */

/* What there is in the range that is wanted. */
struct overlap {
	const struct segment_request *request;
	struct defpager_segment_info segment;
	char store[DEFPAGER_NAME_SIZE];
};

static int compare_range(const struct defpager_segment_info *segment,
			 const char *store, void *context)
{
	struct overlap *overlap = context;
	const struct segment_request *request = overlap->request;

	/* Not by names: many lead to one device. */
	if (request->device_number != makedev(segment->major, segment->minor) ||
	    request->start + request->length <= segment->offset_bytes ||
	    request->start >= segment->offset_bytes + segment->length_bytes)
		return 0;
	overlap->segment = *segment;
	strcpy(overlap->store, store);
	return 1;
}

static bool segment_is_as_wanted(const struct overlap *overlap)
{
	const struct defpager_segment_info *segment = &overlap->segment;
	const struct segment_request *request = overlap->request;
	const char *text;

	if (segment->offset_bytes != request->start ||
	    segment->length_bytes != request->length)
		text = "has another range of it";
	else if (strcmp(overlap->store, request->store))
		text = "is it, in another store";
	else if (segment->state == DEFPAGER_SEGMENT_DRAINING)
		text = "is it, and being removed";
	else
		return true;
	complain("%s: segment %" PRIu64 " of backing store %s %s; remove it "
		 "first, or change the file", request->name,
		 (uint64_t)segment->id, overlap->store, text);
	return false;
}

static bool add_segment(int device, const struct segment_request *request,
			bool dry_run)
{
	if (!segment_request_is_free(device, request))
		return false;
	if (!dry_run)
		return segment_request_add(device, request);
	printf("would add %s of %s to backing store %s\n",
	       human_size(request->length), request->path, request->store);
	return true;
}

static bool apply_segment(struct segment_request *request, bool dry_run)
{
	struct overlap overlap = { .request = request };
	int device = segment_request_open(request);
	bool done = false;
	int found;

	if (device < 0)
		return false;
	found = each_segment(NULL, compare_range, &overlap);
	if (found > 0)
		done = segment_is_as_wanted(&overlap);
	else if (!found)
		done = add_segment(device, request, dry_run);
	close(device);
	return done;
}

/* A store of that name may encrypt nothing, though the file has it do so. */
static bool store_has_failed(const struct config *config,
			     const struct segment_request *request)
{
	for (size_t i = 0; i < config->nr_stores; i++) {
		const struct config_store *store = &config->stores[i];

		if (!store->failed || strcmp(store->name, request->store))
			continue;
		complain("%s: not added, because backing store %s is not as "
			 "the file wants it", request->name, store->name);
		return true;
	}
	return false;
}

/* What fails does not keep the rest from being done, except for its own segments. */
static bool apply(struct config *config, bool dry_run)
{
	bool done = true;

	for (size_t i = 0; i < config->nr_stores; i++) {
		struct config_store *store = &config->stores[i];

		store->failed = !apply_store(store, dry_run);
		done &= !store->failed;
	}
	for (size_t i = 0; i < config->nr_segments; i++) {
		struct segment_request *request = &config->segments[i].request;

		done &= !store_has_failed(config, request) &&
			apply_segment(request, dry_run);
	}
	return done;
}

static int run_apply(int argc, char **argv)
{
	const char *path = DEFAULT_FILE;
	struct config config = { };
	bool dry_run = false;
	int status;

	if (!parse_options(&cmd_apply, argc, argv, options, take, &dry_run,
			   &status))
		return status;
	if (optind < argc)
		path = one_operand(&cmd_apply, argc, argv, "file", &status);
	if (!path)
		return status;
	return config_read(path, &config) && apply(&config, dry_run)
		? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_apply = {
	.name = "apply",
	.summary = "create stores and add segments as a file says",
	.usage = "apply [--dry-run] [FILE]",
	.help =
	"Creates the backing stores and adds the segments of a file, see\n"
	"defpager.conf(5), which are not there yet, sets the limits of stores, and\n"
	"says so. What is there is left alone, also if the file does not have it.\n"
	"Needs to be run as root.\n"
	"\n"
	"  --dry-run  only say what would be done\n"
	"  --help     this text\n"
	"\n"
	"Without FILE it is " DEFAULT_FILE ".\n",
	.run = run_apply,
};
