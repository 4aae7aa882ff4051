// SPDX-License-Identifier: GPL-2.0-only
/* defpager segments */
#include <blkid.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "segments.h"
#include "table.h"

/* In the order of the values below. */
static const struct column columns[] = {
	{ "id", COLUMN_NUMBER, "ID" },
	{ "device", COLUMN_TEXT, "DEVICE" },
	{ "major", COLUMN_NUMBER, NULL },
	{ "minor", COLUMN_NUMBER, NULL },
	{ "backing_store", COLUMN_TEXT, "STORE" },
	{ "state", COLUMN_TEXT, "STATE" },
	{ "offset_bytes", COLUMN_BYTES, "OFFSET" },
	{ "length_bytes", COLUMN_BYTES, "LENGTH" },
	{ "record_size", COLUMN_BYTES, "RECORD" },
	{ "total_bytes", COLUMN_BYTES, "SPACE" },
	{ "used_bytes", COLUMN_BYTES, "USED" },
	{ "bad_bytes", COLUMN_BYTES, "BAD" },
	{ "pages_out", COLUMN_NUMBER, "PAGES-OUT" },
	{ "pages_in", COLUMN_NUMBER, "PAGES-IN" },
	{ "free_bytes", COLUMN_BYTES, NULL },
	{ "in_flight_bytes", COLUMN_BYTES, NULL },
	{ "write_errors", COLUMN_NUMBER, NULL },
	{ "read_errors", COLUMN_NUMBER, NULL },
	{ "discarded_bytes", COLUMN_BYTES, NULL },
	{ "checksum_errors", COLUMN_NUMBER, NULL },
	{ }
};

static const struct option options[] = {
	TABLE_OPTIONS,
	{ "store", required_argument, NULL, OPT_STORE },
	{ }
};

struct request {
	struct table_options table;
	const char *store;	/* NULL for all */
};

static bool take(int option, void *context)
{
	struct request *request = context;

	if (option != OPT_STORE)
		return table_take(option, &request->table);
	request->store = optarg;
	return true;
}

static const char *state_name(unsigned int state)
{
	switch (state) {
	case DEFPAGER_SEGMENT_ACTIVE:
		return "active";
	case DEFPAGER_SEGMENT_DRAINING:
		return "draining";
	case DEFPAGER_SEGMENT_FAILING:
		return "failing";
	default:
		return "unknown";
	}
}

static int add_segment(const struct defpager_segment_info *segment,
		       const char *store, void *table)
{
	/* NULL if the device is gone. */
	char *device = blkid_devno_to_devname(makedev(segment->major,
						      segment->minor));
	const union value values[] = {
		{ .number = segment->id },
		{ .text = device },
		{ .number = segment->major },
		{ .number = segment->minor },
		{ .text = store },
		{ .text = state_name(segment->state) },
		{ .number = segment->offset_bytes },
		{ .number = segment->length_bytes },
		{ .number = segment->record_size },
		{ .number = segment->total_bytes },
		{ .number = segment->used_bytes },
		{ .number = segment->bad_bytes },
		{ .number = segment->pages_out },
		{ .number = segment->pages_in },
		{ .number = segment->free_bytes },
		{ .number = segment->in_flight_bytes },
		{ .number = segment->write_errors },
		{ .number = segment->read_errors },
		{ .number = segment->discarded_bytes },
		{ .number = segment->checksum_errors },
	};

	_Static_assert(sizeof(values) / sizeof(values[0]) + 1 ==
		       sizeof(columns) / sizeof(columns[0]),
		       "a value for each column");
	table_add(table, values);
	free(device);
	return 0;
}

static int run_segments(int argc, char **argv)
{
	struct request request = { };
	struct table *table;
	int status, ret;

	if (!parse_options(&cmd_segments, argc, argv, options, take, &request,
			   &status) ||
	    !no_operand(&cmd_segments, argc, argv, &status))
		return status;
	table = table_create("segments", columns, &request.table);
	ret = each_segment(request.store, add_segment, table);
	if (ret >= 0)
		table_print(table);
	table_destroy(table);
	return ret < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_segments = {
	.name = "segments",
	.summary = "list segments, the disk space of the pager",
	.usage = "segments [--store STORE] [--json] [--bytes] [--noheadings]",
	.help =
	"Lists the segments of all backing stores, or one: which part of which\n"
	"device, and how much of it holds pages. Needs to be run as root.\n"
	"\n"
	"  --store STORE only those of this backing store\n"
	TABLE_HELP,
	.run = run_segments,
};
