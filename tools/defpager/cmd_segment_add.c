// SPDX-License-Identifier: GPL-2.0-only
/* defpager segment-add */
#include <unistd.h>

#include "options.h"
#include "segment_request.h"

static const struct option options[] = {
	OPTION_HELP,
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "discard", no_argument, NULL, OPT_DISCARD },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "offset", required_argument, NULL, OPT_OFFSET },
	{ "record-size", required_argument, NULL, OPT_RECORD_SIZE },
	{ "store", required_argument, NULL, OPT_STORE },
	{ }
};

static bool take(int option, void *context)
{
	struct segment_request *request = context;

	switch (option) {
	case OPT_COUNT:
		request->have_count = true;
		return parse_records("--count", optarg, &request->count);
	case OPT_DISCARD:
		request->discard = true;
		return true;
	case OPT_FORCE:
		request->force = true;
		return true;
	case OPT_OFFSET:
		request->have_offset = true;
		return parse_records("--offset", optarg, &request->offset);
	case OPT_RECORD_SIZE:
		return parse_record_size("--record-size", optarg,
					 &request->record_size);
	case OPT_STORE:
		request->store = optarg;
		return true;
	default:
		return false;
	}
}

static int run_segment_add(int argc, char **argv)
{
	struct segment_request request = {
		.store = DEFPAGER_DEFAULT_STORE,
		.how_to_force = "--force",
	};
	int status, device;
	bool added;

	if (!parse_options(&cmd_segment_add, argc, argv, options, take,
			   &request, &status))
		return status;
	request.path = one_operand(&cmd_segment_add, argc, argv, "device",
				   &status);
	if (!request.path)
		return status;
	request.name = request.path;
	device = segment_request_open(&request);
	if (device < 0)
		return STATUS_FAILED;
	added = segment_request_is_free(device, &request) &&
		segment_request_add(device, &request);
	close(device);
	return added ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_segment_add = {
	.name = "segment-add",
	.summary = "give a block device, or part of it, to the pager",
	.usage = "segment-add [--store STORE] [--offset N] [--count N]\n"
		 "                [--record-size SIZE] [--discard] [--force] DEVICE",
	.help =
	"Adds a block device to the space that objects are paged to. What it\n"
	"holds will be overwritten. It belongs to the pager until the segment is\n"
	"removed or the module unloaded. Needs to be run as root.\n"
	"\n"
	"  --store STORE       backing store to add to (default: \"default\")\n"
	"  --offset N          first record to take (default: 0)\n"
	"  --count N           records to take (default: all from --offset on)\n"
	"  --record-size SIZE  bytes in a record, a multiple of the device's\n"
	"                      logical block size (default: that size)\n"
	"  --discard           tell the device first that it holds nothing (TRIM)\n"
	"  --force             even if the device carries a file system, RAID,\n"
	"                      swap or partition table signature\n"
	"  --help              this text\n",
	.run = run_segment_add,
};
