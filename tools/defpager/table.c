// SPDX-License-Identifier: GPL-2.0-only
/* Listings by libsmartcols, as those of swapon(8) and lsblk(8). */
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "utf8.h"

struct table {
	struct libscols_table *scols;
	const struct column *columns;
	const struct table_options *options;
};

/* All that can fail in libsmartcols, used as it is here, is an allocation. */
static void check(int ret)
{
	if (ret)
		die_no_memory();
}

const char *human_size(uint64_t bytes)
{
	static const char suffixes[] = "BKMGTPE";
	static char text[32];
	unsigned int unit = 0;

	while (unit < 6 && bytes >> (10 * unit) >= 1024)
		unit++;

	uint64_t whole = bytes >> (10 * unit);
	uint64_t rest = bytes - (whole << (10 * unit));
	/* Cut off, not rounded: what is called free must be there. */
	unsigned int tenth = unit ? (rest >> (10 * (unit - 1))) * 10 / 1024 : 0;

	if (tenth)
		snprintf(text, sizeof(text), "%" PRIu64 ".%u%c", whole, tenth,
			 suffixes[unit]);
	else
		snprintf(text, sizeof(text), "%" PRIu64 "%c", whole,
			 suffixes[unit]);
	return text;
}

char *format_value(enum column_type type, const union value *value,
		   const struct table_options *options)
{
	const char *fixed = NULL;
	char *text = NULL;

	if (type == COLUMN_TEXT) {
		if (!value->text)
			return NULL;
		fixed = value->text;
		if (options->json)
			text = utf8_make_valid(value->text);
	} else if (type == COLUMN_FLAG && options->json) {
		fixed = value->number ? "1" : "0";
	} else if (type == COLUMN_FLAG) {
		fixed = value->number ? "yes" : "no";
	} else if (type == COLUMN_BYTES && !options->json && !options->bytes) {
		fixed = human_size(value->number);
	} else if (asprintf(&text, type == COLUMN_SIGNED ? "%" PRId64
							 : "%" PRIu64,
			    value->number) < 0) {
		die_no_memory();
	}
	if (!text)
		text = strdup(fixed);
	if (!text)
		die_no_memory();
	return text;
}

static struct libscols_table *scols_create(const char *name,
					   const struct table_options *options)
{
	struct libscols_table *scols = scols_new_table();

	if (!scols)
		die_no_memory();
	check(scols_table_set_name(scols, name));
	check(scols_table_enable_json(scols, options->json));
	check(scols_table_enable_noheadings(scols, options->noheadings));
	return scols;
}

static int json_type(enum column_type type)
{
	switch (type) {
	case COLUMN_TEXT:
		return SCOLS_JSON_STRING;
	case COLUMN_FLAG:
		return SCOLS_JSON_BOOLEAN;
	default:
		return SCOLS_JSON_NUMBER;
	}
}

static bool column_shown(const struct column *column,
			 const struct table_options *options)
{
	return options->json || column->heading;
}

static const char *json_literal(enum column_type type, const char *text)
{
	return type == COLUMN_FLAG ? (*text == '1' ? "true" : "false") : text;
}

static void add_column(struct table *table, const struct column *column)
{
	bool json = table->options->json;
	int flags = column->type == COLUMN_TEXT ? 0 : SCOLS_FL_RIGHT;
	struct libscols_column *scols;

	scols = scols_table_new_column(table->scols,
				       json ? column->key : column->heading, 0,
				       flags);
	if (!scols)
		die_no_memory();
	check(scols_column_set_json_type(scols, json_type(column->type)));
}

struct table *table_create(const char *name, const struct column *columns,
			   const struct table_options *options)
{
	struct table *table = malloc(sizeof(*table));

	if (!table)
		die_no_memory();
	table->scols = scols_create(name, options);
	table->columns = columns;
	table->options = options;
	for (; columns->key; columns++)
		if (column_shown(columns, options))
			add_column(table, columns);
	return table;
}

static struct libscols_line *new_line(struct libscols_table *scols)
{
	struct libscols_line *line = scols_table_new_line(scols, NULL);

	if (!line)
		die_no_memory();
	return line;
}

void table_add(struct table *table, const union value *values)
{
	struct libscols_line *line = new_line(table->scols);
	const struct column *column = table->columns;
	size_t cell = 0;

	for (; column->key; column++, values++) {
		char *text;

		if (!column_shown(column, table->options))
			continue;
		text = format_value(column->type, values, table->options);
		check(scols_line_refer_data(line, cell++, text));
	}
}

void table_print(struct table *table)
{
	check(scols_print_table(table->scols));
}

static void print_json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_json_row(const struct table *table,
			   struct libscols_line *line)
{
	const struct column *column = table->columns;

	for (size_t i = 0; column[i].key; i++) {
		struct libscols_cell *cell = scols_line_get_cell(line, i);
		const char *text = scols_cell_get_data(cell);

		printf("%s\"%s\":", i ? "," : "", column[i].key);
		if (!text)
			fputs("null", stdout);
		else if (column[i].type == COLUMN_TEXT)
			print_json_string(text);
		else
			fputs(json_literal(column[i].type, text), stdout);
	}
}

void table_print_member(struct table *table)
{
	size_t rows = scols_table_get_nlines(table->scols);

	printf("\"%s\":[", scols_table_get_name(table->scols));
	for (size_t i = 0; i < rows; i++) {
		fputs(i ? ",{" : "{", stdout);
		print_json_row(table, scols_table_get_line(table->scols, i));
		putchar('}');
	}
	putchar(']');
}

void table_destroy(struct table *table)
{
	scols_unref_table(table->scols);
	free(table);
}

/* Names to the left, values to the right of a table without headings. */
static void print_upright(const struct column *column,
			  const union value *value,
			  const struct table_options *options)
{
	struct table_options upright = *options;
	struct libscols_table *scols;

	upright.noheadings = true;
	scols = scols_create(NULL, &upright);
	if (!scols_table_new_column(scols, "", 0, 0) ||
	    !scols_table_new_column(scols, "", 0, SCOLS_FL_RIGHT))
		die_no_memory();

	for (; column->key; column++, value++) {
		struct libscols_line *line;

		if (!column->heading)
			continue;
		line = new_line(scols);
		check(scols_line_set_data(line, 0, column->heading));
		check(scols_line_refer_data(line, 1,
					    format_value(column->type, value,
							 options)));
	}
	check(scols_print_table(scols));
	scols_unref_table(scols);
}

void table_print_record(const char *name, const struct column *columns,
			const union value *values,
			const struct table_options *options)
{
	struct table *table;

	if (!options->json) {
		print_upright(columns, values, options);
		return;
	}
	table = table_create(name, columns, options);
	table_add(table, values);
	table_print(table);
	table_destroy(table);
}
