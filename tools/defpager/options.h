/* SPDX-License-Identifier: GPL-2.0-only */
/* Command lines: options are long ones, taken by the command one by one. */
#ifndef DEFPAGER_OPTIONS_H
#define DEFPAGER_OPTIONS_H

#include <getopt.h>

#include "defpager.h"

/* Those of all commands, for the last member of struct option. */
enum {
	OPT_HELP = 256,
	OPT_BYTES,
	OPT_CHECKSUM,
	OPT_CLUSTER_SIZE,
	OPT_COUNT,
	OPT_DISCARD,
	OPT_DRY_RUN,
	OPT_ENCRYPT,
	OPT_EXCLUSIVE,
	OPT_FORCE,
	OPT_INTERVAL,
	OPT_JSON,
	OPT_NAME,
	OPT_NOHEADINGS,
	OPT_OBJECT,
	OPT_OFFSET,
	OPT_PRIORITY,
	OPT_RECORD_SIZE,
	OPT_SIZE,
	OPT_STORE,
	OPT_TARGET,
	OPT_TOP,
	OPT_USER,
};

/* Every command has it, and parse_options() answers it. */
#define OPTION_HELP { "help", no_argument, NULL, OPT_HELP }

/*
 * Pass each option to "take", which is false, after a message, if it is wrong.
 * Operands are left for the functions below, or from optind on.
 *
 * These are false, or NULL, if there is nothing to do, with the exit status in
 * *status.
 */
bool parse_options(const struct command *command, int argc, char **argv,
		   const struct option *options,
		   bool (*take)(int option, void *request), void *request,
		   int *status);
const char *one_operand(const struct command *command, int argc, char **argv,
			const char *what, int *status);
bool no_operand(const struct command *command, int argc, char **argv,
		int *status);

#endif /* DEFPAGER_OPTIONS_H */
