// SPDX-License-Identifier: GPL-2.0-only
/* The command line which all listings share. */
#include <getopt.h>

#include "table.h"

enum {
	OPT_BYTES = 256,
	OPT_HELP,
	OPT_JSON,
	OPT_NOHEADINGS,
	OPT_STORE,
};

bool table_parse(const struct command *command, int argc, char **argv,
		 struct table_options *options, int *status)
{
	const struct option known[] = {
		{ "bytes", no_argument, NULL, OPT_BYTES },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "noheadings", no_argument, NULL, OPT_NOHEADINGS },
		/* The end of the list for those that have no store. */
		{ options->store ? "store" : NULL,
		  options->store ? required_argument : 0, NULL,
		  options->store ? OPT_STORE : 0 },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case OPT_BYTES:
			options->bytes = true;
			break;
		case OPT_JSON:
			options->json = true;
			break;
		case OPT_NOHEADINGS:
			options->noheadings = true;
			break;
		case OPT_STORE:
			options->store = optarg;
			break;
		case OPT_HELP:
			*status = command_help(command);
			return false;
		default:
			*status = command_misused(command);
			return false;
		}
	}
	if (optind < argc) {
		complain("%s: takes no argument", argv[optind]);
		*status = command_misused(command);
		return false;
	}
	return true;
}
