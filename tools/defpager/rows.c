// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "rows.h"

int list_pager(const struct command *command, int argc, char **argv,
	       enum operation operation, const struct column *columns,
	       int (*list)(int pager, struct table *table))
{
	struct table_options options = { };
	struct table *table;
	int pager, ret, status;

	if (!table_parse(command, argc, argv, &options, &status) ||
	    !no_operand(command, argc, argv, &status))
		return status;
	pager = pager_open();
	if (pager < 0)
		return STATUS_FAILED;
	table = table_create(command->name, columns, &options);
	ret = list(pager, table);
	close(pager);
	if (ret < 0)
		explain(operation, LIBDEFPAGER_DEVICE, ret);
	else
		table_print(table);
	table_destroy(table);
	return ret < 0 ? STATUS_FAILED : STATUS_OK;
}
