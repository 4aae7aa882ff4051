// SPDX-License-Identifier: GPL-2.0-only
/* The options which all listings share. */
#include "table.h"

bool table_take(int option, struct table_options *options)
{
	switch (option) {
	case OPT_BYTES:
		options->bytes = true;
		return true;
	case OPT_JSON:
		options->json = true;
		return true;
	case OPT_NOHEADINGS:
		options->noheadings = true;
		return true;
	default:
		return false;
	}
}

static bool take(int option, void *options)
{
	return table_take(option, options);
}

bool table_parse(const struct command *command, int argc, char **argv,
		 struct table_options *options, int *status)
{
	static const struct option known[] = { TABLE_OPTIONS, { } };

	return parse_options(command, argc, argv, known, take, options,
			     status);
}
