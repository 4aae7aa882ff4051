// SPDX-License-Identifier: GPL-2.0-only
/* defpager objects */
#include <pwd.h>

#include "rows.h"

/* In the order of the values below. */
const struct column object_columns[] = {
	{ "id", COLUMN_NUMBER, "ID" },
	{ "name", COLUMN_TEXT, "NAME" },
	{ "owner", COLUMN_NUMBER, NULL },
	{ "owner_name", COLUMN_TEXT, "OWNER" },
	{ "object_size", COLUMN_BYTES, "MAXIMUM" },
	{ "current_size", COLUMN_BYTES, "SIZE" },
	{ "resident_bytes", COLUMN_BYTES, "RESIDENT" },
	{ "stored_bytes", COLUMN_BYTES, "STORED" },
	{ "reserved_bytes", COLUMN_BYTES, "RESERVED" },
	{ "backing_store", COLUMN_TEXT, "STORE" },
	{ "confined", COLUMN_FLAG, "CONFINED" },
	{ }
};

/* The number stands in for users who have no name here. */
static const char *owner_name(uid_t owner)
{
	static char number[16];
	const struct passwd *user = getpwuid(owner);

	if (user)
		return user->pw_name;
	snprintf(number, sizeof(number), "%u", owner);
	return number;
}

int add_object_row(const struct defpager_object_info *object, void *table)
{
	const union value values[] = {
		{ .number = object->id },
		{ .text = object->name },
		{ .number = object->owner },
		{ .text = owner_name(object->owner) },
		{ .number = object->object_size },
		{ .number = object->current_size },
		{ .number = object->resident_bytes },
		{ .number = object->stored_bytes },
		{ .number = object->reserved_bytes },
		{ .text = object->backing_store },
		{ .number = object->confined },
	};

	_Static_assert(sizeof(values) / sizeof(values[0]) + 1 ==
		       sizeof(object_columns) / sizeof(object_columns[0]),
		       "a value for each column");
	table_add(table, values);
	return 0;
}

static int list(int pager, struct table *table)
{
	return libdefpager_objects(pager, add_object_row, table);
}

static int run_objects(int argc, char **argv)
{
	return list_pager(&cmd_objects, argc, argv, OP_OBJECTS,
			  object_columns, list);
}

const struct command cmd_objects = {
	.name = "objects",
	.summary = "list memory objects",
	.usage = "objects [--json] [--bytes] [--noheadings]",
	.help =
	"Lists the memory objects that exist, with what each has in memory, on\n"
	"storage (a page may be in both), and promised on storage.\n"
	"\n"
	TABLE_HELP,
	.run = run_objects,
};
