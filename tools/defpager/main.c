// SPDX-License-Identifier: GPL-2.0-only
/* The defpager tool: finds the command and gives help. */
#include <locale.h>
#include <string.h>

#include "defpager.h"

static const struct command *const commands[] = {
	&cmd_segment_add,
	&cmd_segment_remove,
	&cmd_store_create,
	&cmd_store_delete,
	&cmd_store_limit,
	&cmd_apply,
	&cmd_run,
	&cmd_info,
	&cmd_stores,
	&cmd_segments,
	&cmd_objects,
	&cmd_pages,
	&cmd_watch,
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static void print_usage(FILE *file)
{
	fputs("Usage: defpager COMMAND [ARGUMENT...]\n"
	      "\n"
	      "Memory objects that are paged to block devices of their own.\n"
	      "\n"
	      "Commands:\n", file);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(file, "  %-14s %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("\n"
	      "  help COMMAND   what a command does and its options;\n"
	      "                 the same as defpager COMMAND --help\n"
	      "  --help         this text\n"
	      "  --version      the version of the tool\n"
	      "\n"
	      "The manual is defpager(8).\n", file);
}

int command_help(const struct command *command)
{
	printf("Usage: defpager %s\n\n%s", command->usage, command->help);
	return STATUS_OK;
}

int command_misused(const struct command *command)
{
	fprintf(stderr, "Usage: defpager %s\n"
			"Try \"defpager help %s\" for more.\n",
		command->usage, command->name);
	return STATUS_USAGE;
}

static int no_such_command(const char *name)
{
	complain("there is no command \"%s\"; \"defpager --help\" lists them",
		 name);
	return STATUS_USAGE;
}

static int help(const char *name)
{
	const struct command *command;

	if (!name) {
		print_usage(stdout);
		return STATUS_OK;
	}
	command = find_command(name);
	return command ? command_help(command) : no_such_command(name);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char name[64];

	snprintf(name, sizeof(name), "defpager %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

static int dispatch(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_usage(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--version")) {
		puts("defpager " VERSION);
		return STATUS_OK;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(NULL);
	if (!strcmp(argv[1], "help"))
		return help(argv[2]);
	command = find_command(argv[1]);
	if (!command)
		return no_such_command(argv[1]);
	return run_command(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int status;

	/* For the width and validity of characters in names. */
	setlocale(LC_CTYPE, "");
	status = dispatch(argc, argv);
	/* A listing which did not reach its file must not look complete. */
	if (fflush(stdout) || ferror(stdout)) {
		complain("cannot write the output: %m");
		if (status == STATUS_OK)
			status = STATUS_FAILED;
	}
	return status;
}
