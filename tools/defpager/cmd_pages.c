// SPDX-License-Identifier: GPL-2.0-only
/* defpager pages */
#include <unistd.h>

#include "table.h"

/* In the order of the values below.  An offset that is cut off is of no use. */
static const struct column columns[] = {
	{ "offset", COLUMN_NUMBER, "OFFSET" },
	{ "length", COLUMN_BYTES, "LENGTH" },
	{ "resident", COLUMN_FLAG, "RESIDENT" },
	{ "dirty", COLUMN_FLAG, "DIRTY" },
	{ "stored", COLUMN_FLAG, "STORED" },
	{ "lost", COLUMN_FLAG, "LOST" },
	{ "unreadable", COLUMN_FLAG, "UNREADABLE" },
	{ "segment", COLUMN_NUMBER, "SEGMENT" },
	{ "device_offset", COLUMN_NUMBER, "DEVICE-OFFSET" },
	{ }
};

/* The kernel ends ranges where it likes: each is held back for what follows. */
struct listing {
	struct table *table;
	struct defpager_page_range range;	/* of no length: there is none */
};

static bool continues(const struct defpager_page_range *range,
		      const struct defpager_page_range *next)
{
	return next->flags == range->flags &&
	       next->segment == range->segment &&
	       next->offset == range->offset + range->length &&
	       (!(range->flags & DEFPAGER_PAGE_STORED) ||
		next->device_offset == range->device_offset + range->length);
}

static void add_range(struct table *table,
		      const struct defpager_page_range *range)
{
	const union value values[] = {
		{ .number = range->offset },
		{ .number = range->length },
		{ .number = range->flags & DEFPAGER_PAGE_RESIDENT },
		{ .number = range->flags & DEFPAGER_PAGE_DIRTY },
		{ .number = range->flags & DEFPAGER_PAGE_STORED },
		{ .number = range->flags & DEFPAGER_PAGE_LOST },
		{ .number = range->flags & DEFPAGER_PAGE_UNREADABLE },
		{ .number = range->segment },
		{ .number = range->device_offset },
	};

	_Static_assert(sizeof(values) / sizeof(values[0]) + 1 ==
		       sizeof(columns) / sizeof(columns[0]),
		       "a value for each column");
	table_add(table, values);
}

static int join_range(const struct defpager_page_range *next, void *context)
{
	struct listing *listing = context;
	struct defpager_page_range *range = &listing->range;

	if (range->length && continues(range, next)) {
		range->length += next->length;
		return 0;
	}
	if (range->length)
		add_range(listing->table, range);
	*range = *next;
	return 0;
}

static int list(int object, struct table *table)
{
	struct listing listing = { .table = table };
	int ret = libdefpager_object_pages(object, join_range, &listing);

	if (listing.range.length)
		add_range(table, &listing.range);
	return ret;
}

static int run_pages(int argc, char **argv)
{
	struct table_options options = { };
	int object, ret, status;
	struct table *table;
	const char *text;

	if (!table_parse(&cmd_pages, argc, argv, &options, &status))
		return status;
	text = one_operand(&cmd_pages, argc, argv, "object", &status);
	if (!text)
		return status;
	object = object_open(text);
	if (object < 0)
		return STATUS_FAILED;
	table = table_create("pages", columns, &options);
	ret = list(object, table);
	close(object);
	if (ret < 0)
		explain(OP_OBJECT_PAGES, text, ret);
	else
		table_print(table);
	table_destroy(table);
	return ret < 0 ? STATUS_FAILED : STATUS_OK;
}

const struct command cmd_pages = {
	.name = "pages",
	.summary = "list where the pages of an object are",
	.usage = "pages [--json] [--bytes] [--noheadings] OBJECT",
	.help =
	"Lists the ranges of an object which are at the same place: in memory,\n"
	"changed since they were written, on storage and where. Pages that were\n"
	"never touched are left out. OBJECT is an id, as defpager objects lists it,\n"
	"or a path, such as $DEFPAGER_PATH in defpager run.\n"
	"\n"
	TABLE_HELP,
	.run = run_pages,
};
