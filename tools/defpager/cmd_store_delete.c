// SPDX-License-Identifier: GPL-2.0-only
/* defpager store-delete */
#include "drain.h"

static int request_delete(struct drain *drain, int store, int target)
{
	struct defpager_backing_store_delete request = {
		.size = sizeof(request),
		.target = target,
	};
	int ret = libdefpager_backing_store_delete(store, &request);

	drain->error_object = request.error_object;
	drain->error_offset = request.error_offset;
	return ret;
}

static int run_store_delete(int argc, char **argv)
{
	struct drain drain = {
		.operation = OP_BACKING_STORE_DELETE,
		.request = request_delete,
	};
	int status;

	drain.store = drain_parse(&cmd_store_delete, argc, argv,
				  "backing store", &drain, &status);
	if (!drain.store)
		return status;
	drain.subject = drain.store;
	if (!drain_run(&drain))
		return STATUS_FAILED;
	printf("backing store %s deleted\n", drain.store);
	return STATUS_OK;
}

const struct command cmd_store_delete = {
	.name = "store-delete",
	.summary = "delete a backing store, after its pages have moved",
	.usage = "store-delete [--target STORE] NAME",
	.help =
	"Moves all pages on the segments of a backing store to those of others,\n"
	"which takes its time, gives the devices back, and deletes the store.\n"
	"Meanwhile objects can be used. An interruption (^C) leaves the store in\n"
	"use, with fewer pages and perhaps fewer segments. Needs to be run as root.\n"
	"\n"
	DRAIN_HELP,
	.run = run_store_delete,
};
