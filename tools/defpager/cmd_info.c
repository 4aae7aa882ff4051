// SPDX-License-Identifier: GPL-2.0-only
/* defpager info */
#include <unistd.h>

#include "table.h"

/* In the order of the values below. */
static const struct column columns[] = {
	{ "features", COLUMN_NUMBER, NULL },
	{ "page_size", COLUMN_BYTES, "Page size" },
	{ "max_object_size", COLUMN_BYTES, "Largest object" },
	{ "nr_stores", COLUMN_NUMBER, "Backing stores" },
	{ "nr_segments", COLUMN_NUMBER, "Segments" },
	{ "nr_objects", COLUMN_NUMBER, "Objects" },
	{ "total_bytes", COLUMN_BYTES, "Space" },
	{ "free_bytes", COLUMN_BYTES, "  free" },
	{ "reserved_bytes", COLUMN_BYTES, "  promised to pages" },
	{ "used_bytes", COLUMN_BYTES, "    of which paged out" },
	{ "bad_bytes", COLUMN_BYTES, "  bad" },
	{ "failing_bytes", COLUMN_BYTES, "  of segments that fail" },
	{ "pages_out", COLUMN_NUMBER, "Pages written" },
	{ "writes", COLUMN_NUMBER, "  write requests" },
	{ "write_errors", COLUMN_NUMBER, "  pages that failed" },
	{ "pages_in", COLUMN_NUMBER, "Pages read" },
	{ "reads", COLUMN_NUMBER, "  read requests" },
	{ "read_errors", COLUMN_NUMBER, "  pages that failed" },
	{ "checksum_errors", COLUMN_NUMBER, "    by their checksum" },
	{ "zero_pages", COLUMN_NUMBER, "Zero pages not written" },
	{ "clean_drops", COLUMN_NUMBER, "Clean pages not rewritten" },
	{ "pageout_calls", COLUMN_NUMBER, "Asked to page out" },
	{ "pagein_calls", COLUMN_NUMBER, "Asked to bring in" },
	{ "pages_unavail", COLUMN_NUMBER, "  pages filled with zeros" },
	{ "pages_init", COLUMN_NUMBER, NULL },
	{ "pages_init_writes", COLUMN_NUMBER, NULL },
	{ }
};

/* Of the totals, some come with each store. */
static void print_info(const struct defpager_info *info,
		       const struct defpager_backing_store_info *store,
		       const struct table_options *options)
{
	const union value values[] = {
		{ .number = info->features },
		{ .number = info->page_size },
		{ .number = info->max_object_size },
		{ .number = info->nr_stores },
		{ .number = info->nr_segments },
		{ .number = info->nr_objects },
		{ .number = info->total_bytes },
		{ .number = info->free_bytes },
		{ .number = info->reserved_bytes },
		{ .number = info->used_bytes },
		{ .number = info->bad_bytes },
		{ .number = info->failing_bytes },
		{ .number = info->pages_out },
		{ .number = info->writes },
		{ .number = info->write_errors },
		{ .number = info->pages_in },
		{ .number = info->reads },
		{ .number = info->read_errors },
		{ .number = info->checksum_errors },
		{ .number = info->zero_pages },
		{ .number = info->clean_drops },
		{ .number = store->pageout_calls },
		{ .number = store->pagein_calls },
		{ .number = store->pages_unavail },
		{ .number = store->pages_init },
		{ .number = store->pages_init_writes },
	};

	_Static_assert(sizeof(values) / sizeof(values[0]) + 1 ==
		       sizeof(columns) / sizeof(columns[0]),
		       "a value for each column");
	table_print_record("info", columns, values, options);
}

static int keep_first(const struct defpager_backing_store_info *store,
		      void *first)
{
	*(struct defpager_backing_store_info *)first = *store;
	return 1;
}

static int run_info(int argc, char **argv)
{
	struct defpager_info info = { .size = sizeof(info) };
	struct defpager_backing_store_info store;
	struct table_options options = { };
	int pager, ret, status;

	if (!table_parse(&cmd_info, argc, argv, &options, &status) ||
	    !no_operand(&cmd_info, argc, argv, &status))
		return status;
	pager = pager_open();
	if (pager < 0)
		return STATUS_FAILED;
	ret = libdefpager_info(pager, &info);
	if (!ret)
		ret = libdefpager_backing_stores(pager, keep_first, &store);
	close(pager);
	if (ret < 0) {
		explain(OP_INFO, LIBDEFPAGER_DEVICE, ret);
		return STATUS_FAILED;
	}
	print_info(&info, &store, &options);
	return STATUS_OK;
}

const struct command cmd_info = {
	.name = "info",
	.summary = "show limits, space and counters of the pager",
	.usage = "info [--json] [--bytes]",
	.help =
	"Shows what the pager can do, how its space is used, and what it has\n"
	"paged since the module was loaded.\n"
	"\n"
	"  --json        for programs: numbers as they are, all fields\n"
	"  --bytes       sizes in bytes instead of K, M, G, T\n"
	"  --help        this text\n",
	.run = run_info,
};
