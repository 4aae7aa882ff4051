// SPDX-License-Identifier: GPL-2.0-only
/* defpager segments */
#include <blkid.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
	{ }
};

struct listing {
	struct table *table;
	const char *store;
};

static const char *state_name(unsigned int state)
{
	switch (state) {
	case DEFPAGER_SEGMENT_ACTIVE:
		return "active";
	default:
		return "unknown";
	}
}

static int add_segment(const struct defpager_segment_info *segment,
		       void *context)
{
	const struct listing *listing = context;
	/* NULL if the device is gone. */
	char *device = blkid_devno_to_devname(makedev(segment->major,
						      segment->minor));
	const union value values[] = {
		{ .number = segment->id },
		{ .text = device },
		{ .number = segment->major },
		{ .number = segment->minor },
		{ .text = listing->store },
		{ .text = state_name(segment->state) },
		{ .number = segment->offset_bytes },
		{ .number = segment->length_bytes },
		{ .number = segment->record_size },
		{ .number = segment->total_bytes },
		{ .number = segment->used_bytes },
		{ .number = segment->bad_bytes },
		{ .number = segment->pages_out },
		{ .number = segment->pages_in },
	};

	_Static_assert(sizeof(values) / sizeof(values[0]) + 1 ==
		       sizeof(columns) / sizeof(columns[0]),
		       "a value for each column");
	table_add(listing->table, values);
	free(device);
	return 0;
}

static int run_segments(int argc, char **argv)
{
	struct table_options options = { .store = DEFPAGER_DEFAULT_STORE };
	struct listing listing;
	int store, ret, status;

	if (!table_parse(&cmd_segments, argc, argv, &options, &status))
		return status;
	store = backing_store_open(options.store);
	if (store < 0)
		return STATUS_FAILED;
	listing.store = options.store;
	listing.table = table_create("segments", columns, &options);
	ret = libdefpager_segments(store, add_segment, &listing);
	close(store);
	if (ret < 0)
		explain(OP_SEGMENTS, options.store, ret);
	else
		table_print(listing.table);
	table_destroy(listing.table);
	return ret < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_segments = {
	.name = "segments",
	.summary = "list segments, the disk space of the pager",
	.usage = "segments [--store STORE] [--json] [--bytes] [--noheadings]",
	.help =
	"Lists the segments of a backing store: which part of which device, and\n"
	"how much of it holds pages. Needs to be run as root.\n"
	"\n"
	"  --store STORE backing store to list (default: \"default\")\n"
	TABLE_HELP,
	.run = run_segments,
};
