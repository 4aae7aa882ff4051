// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* Enough for what most values are; a larger one moves the rest of its line. */
#define MIN_WIDTH 7

/* Each but the first begins with a blank. */
static const char *print_cell(const struct column *column, const char *before,
			      const char *text)
{
	int width = strlen(column->heading);

	printf("%s%*s", before, width > MIN_WIDTH ? width : MIN_WIDTH, text);
	return " ";
}

void table_print_headings(const struct column *columns)
{
	const char *before = "";

	for (; columns->key; columns++)
		if (columns->heading)
			before = print_cell(columns, before, columns->heading);
	putchar('\n');
}

void table_print_line(const struct column *columns, const union value *values,
		      const struct table_options *options)
{
	const char *before = "";

	for (; columns->key; columns++, values++) {
		char *text;

		if (!columns->heading)
			continue;
		text = format_value(columns->type, values, options);
		before = print_cell(columns, before, text ? text : "-");
		free(text);
	}
	putchar('\n');
}
