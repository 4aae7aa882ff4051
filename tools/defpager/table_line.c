// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "table.h"

/* Enough for what most values are; a larger one moves the rest of its line. */
#define MIN_WIDTH 7

static void print_cell(const struct column *column, const char *text)
{
	int width = strlen(column->heading);

	printf("%*s ", width > MIN_WIDTH ? width : MIN_WIDTH, text);
}

void table_print_headings(const struct column *columns)
{
	for (; columns->key; columns++)
		if (columns->heading)
			print_cell(columns, columns->heading);
	putchar('\n');
}

void table_print_line(const struct column *columns, const union value *values,
		      const struct table_options *options)
{
	for (; columns->key; columns++, values++) {
		char *text;

		if (!columns->heading)
			continue;
		text = format_value(columns->type, values, options);
		print_cell(columns, text ? text : "-");
		free(text);
	}
	putchar('\n');
}
