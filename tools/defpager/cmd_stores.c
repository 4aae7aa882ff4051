// SPDX-License-Identifier: GPL-2.0-only
/* defpager stores */
#include "rows.h"

/* In the order of the values below. */
const struct column store_columns[] = {
	{ "id", COLUMN_NUMBER, "ID" },
	{ "name", COLUMN_TEXT, "NAME" },
	{ "priority", COLUMN_SIGNED, "PRIORITY" },
	{ "cluster_bytes", COLUMN_BYTES, "CLUSTER" },
	{ "options", COLUMN_TEXT, "OPTIONS" },
	{ "exclusive", COLUMN_FLAG, NULL },
	{ "discard", COLUMN_FLAG, NULL },
	{ "checksum", COLUMN_FLAG, NULL },
	{ "encrypt", COLUMN_FLAG, NULL },
	{ "nr_segments", COLUMN_NUMBER, "SEGMENTS" },
	{ "nr_objects", COLUMN_NUMBER, "OBJECTS" },
	{ "total_bytes", COLUMN_BYTES, "SPACE" },
	{ "free_bytes", COLUMN_BYTES, "FREE" },
	{ "reserved_bytes", COLUMN_BYTES, "RESERVED" },
	{ "confined_bytes", COLUMN_BYTES, NULL },
	{ "used_bytes", COLUMN_BYTES, "USED" },
	{ "bad_bytes", COLUMN_BYTES, "BAD" },
	{ "failing_bytes", COLUMN_BYTES, NULL },
	{ "object_limit_bytes", COLUMN_BYTES, NULL },
	{ "user_limit_bytes", COLUMN_BYTES, NULL },
	{ "pages_out", COLUMN_NUMBER, NULL },
	{ "pages_in", COLUMN_NUMBER, NULL },
	{ "write_errors", COLUMN_NUMBER, NULL },
	{ "read_errors", COLUMN_NUMBER, NULL },
	{ }
};

/* As the options of store-create, until the next call; NULL for none. */
static const char *options_text(unsigned int flags)
{
	static const char *const names[] = {
		"exclusive", "discard", "checksum", "encrypt",
	};
	static char text[64];
	char *to = text;

	_Static_assert(DEFPAGER_STORE_EXCLUSIVE == 1 << 0 &&
		       DEFPAGER_STORE_DISCARD == 1 << 1 &&
		       DEFPAGER_STORE_CHECKSUM == 1 << 2 &&
		       DEFPAGER_STORE_ENCRYPT == 1 << 3, "names by their bits");
	*to = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & 1U << i)
			to += sprintf(to, "%s%s", to == text ? "" : ",",
				      names[i]);
	return *text ? text : NULL;
}

int add_store_row(const struct defpager_backing_store_info *store, void *table)
{
	const union value values[] = {
		{ .number = store->id },
		{ .text = store->name },
		{ .number = (int64_t)store->priority },
		{ .number = store->cluster_bytes },
		{ .text = options_text(store->flags) },
		{ .number = store->flags & DEFPAGER_STORE_EXCLUSIVE },
		{ .number = store->flags & DEFPAGER_STORE_DISCARD },
		{ .number = store->flags & DEFPAGER_STORE_CHECKSUM },
		{ .number = store->flags & DEFPAGER_STORE_ENCRYPT },
		{ .number = store->nr_segments },
		{ .number = store->nr_objects },
		{ .number = store->total_bytes },
		{ .number = store->free_bytes },
		{ .number = store->reserved_bytes },
		{ .number = store->confined_bytes },
		{ .number = store->used_bytes },
		{ .number = store->bad_bytes },
		{ .number = store->failing_bytes },
		{ .number = store->object_limit_bytes },
		{ .number = store->user_limit_bytes },
		{ .number = store->pages_out },
		{ .number = store->pages_in },
		{ .number = store->write_errors },
		{ .number = store->read_errors },
	};

	_Static_assert(sizeof(values) / sizeof(values[0]) + 1 ==
		       sizeof(store_columns) / sizeof(store_columns[0]),
		       "a value for each column");
	table_add(table, values);
	return 0;
}

static int list(int pager, struct table *table)
{
	return libdefpager_backing_stores(pager, add_store_row, table);
}

static int run_stores(int argc, char **argv)
{
	return list_pager(&cmd_stores, argc, argv, OP_BACKING_STORES,
			  store_columns, list);
}

const struct command cmd_stores = {
	.name = "stores",
	.summary = "list backing stores and their space",
	.usage = "stores [--json] [--bytes] [--noheadings]",
	.help =
	"Lists the backing stores: in which order they are used, how many segments\n"
	"they have, how many objects are confined to each, and their space.\n"
	"\n"
	TABLE_HELP,
	.run = run_stores,
};
