/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows which more than one command shows. */
#ifndef DEFPAGER_ROWS_H
#define DEFPAGER_ROWS_H

#include "table.h"

/* In cmd_stores.c; the context is a table with these columns. */
extern const struct column store_columns[];
int add_store_row(const struct defpager_backing_store_info *store,
		  void *table);

/* In cmd_objects.c */
extern const struct column object_columns[];
int add_object_row(const struct defpager_object_info *object, void *table);

/*
 * In rows.c: a command that lists something of the pager, by a function which
 * adds the rows to a table and returns what the library does.
 */
int list_pager(const struct command *command, int argc, char **argv,
	       enum operation operation, const struct column *columns,
	       int (*list)(int pager, struct table *table));

#endif /* DEFPAGER_ROWS_H */
