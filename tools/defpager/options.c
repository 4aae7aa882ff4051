// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

bool parse_options(const struct command *command, int argc, char **argv,
		   const struct option *options,
		   bool (*take)(int option, void *request), void *request,
		   int *status)
{
	/* "+": the options of a command to run are not ours. */
	const char *order = command->runs_another ? "+" : "";
	int option;

	while ((option = getopt_long(argc, argv, order, options, NULL)) != -1) {
		if (option == OPT_HELP) {
			*status = command_help(command);
			return false;
		}
		if (option == '?' || !take(option, request)) {
			*status = command_misused(command);
			return false;
		}
	}
	return true;
}

const char *one_operand(const struct command *command, int argc, char **argv,
			const char *what, int *status)
{
	if (optind == argc - 1)
		return argv[optind];
	complain("%s wants one %s", command->name, what);
	*status = command_misused(command);
	return NULL;
}

bool no_operand(const struct command *command, int argc, char **argv,
		int *status)
{
	if (optind == argc)
		return true;
	complain("%s: takes no argument", argv[optind]);
	*status = command_misused(command);
	return false;
}
