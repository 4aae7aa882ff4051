/* SPDX-License-Identifier: GPL-2.0-only */
/* Listings: columns for people, JSON for programs. */
#ifndef DEFPAGER_TABLE_H
#define DEFPAGER_TABLE_H

#include "options.h"

/* How a value is shown to people. JSON has numbers as they are. */
enum column_type {
	COLUMN_TEXT,
	COLUMN_NUMBER,
	COLUMN_SIGNED,
	COLUMN_BYTES,	/* 1.5G, or 1610612736 with --bytes */
	COLUMN_FLAG,	/* yes or no, in JSON true or false */
};

struct column {
	const char *key;	/* in JSON; NULL ends an array of columns */
	enum column_type type;
	const char *heading;	/* NULL: only in JSON */
};

/* As the type of the column says. */
union value {
	const char *text;	/* NULL if there is none */
	uint64_t number;
};

/* The options that all listings have. */
struct table_options {
	bool json;
	bool bytes;
	bool noheadings;
};

/* For a command's array of options, and for what it takes. */
#define TABLE_OPTIONS \
	OPTION_HELP, \
	{ "bytes", no_argument, NULL, OPT_BYTES }, \
	{ "json", no_argument, NULL, OPT_JSON }, \
	{ "noheadings", no_argument, NULL, OPT_NOHEADINGS }

bool table_take(int option, struct table_options *options);

/* parse_options() for a listing which has no other options. */
bool table_parse(const struct command *command, int argc, char **argv,
		 struct table_options *options, int *status);

#define TABLE_HELP \
	"  --json        for programs: numbers as they are, all fields\n" \
	"  --bytes       sizes in bytes instead of K, M, G, T\n" \
	"  --noheadings  without the line of headings\n" \
	"  --help        this text\n"

/*
 * A table that fails has run out of memory, which ends the program.  Values
 * are copied.  In JSON the array of rows is a member called as the table.
 */
struct table *table_create(const char *name, const struct column *columns,
			   const struct table_options *options);
void table_add(struct table *table, const union value *values);
void table_print(struct table *table);
void table_destroy(struct table *table);

/*
 * In table_line.c, for what goes on line by line: headings, and rows below them
 * in columns of a fixed width.
 */
void table_print_headings(const struct column *columns);
void table_print_line(const struct column *columns, const union value *values,
		      const struct table_options *options);

/* In JSON and without a line feed: "NAME":[...], to be a member of an object. */
void table_print_member(struct table *table);

/* A single row, to people as one line for each column. */
void table_print_record(const char *name, const struct column *columns,
			const union value *values,
			const struct table_options *options);

/* As it is shown, allocated; NULL if there is none. */
char *format_value(enum column_type type, const union value *value,
		   const struct table_options *options);

/* 1.5G; the result lives until the next call. */
const char *human_size(uint64_t bytes);

#endif /* DEFPAGER_TABLE_H */
