/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the defpager tool share. */
#ifndef DEFPAGER_TOOL_H
#define DEFPAGER_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libdefpager.h>

/* The exit status, besides that of the command which "run" runs. */
enum {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
};

struct command {
	const char *name;
	const char *summary;	/* one line for the list of commands */
	const char *usage;	/* what follows "Usage: defpager " */
	const char *help;	/* what the options mean */
	bool runs_another;	/* which has options of its own */
	/* Returns the exit status. argv[0] is "defpager NAME", for getopt. */
	int (*run)(int argc, char **argv);
};

/* In cmd_<name>.c, listed in main.c. */
extern const struct command cmd_apply;
extern const struct command cmd_info;
extern const struct command cmd_objects;
extern const struct command cmd_pages;
extern const struct command cmd_run;
extern const struct command cmd_segment_add;
extern const struct command cmd_segment_remove;
extern const struct command cmd_segments;
extern const struct command cmd_store_create;
extern const struct command cmd_store_delete;
extern const struct command cmd_store_limit;
extern const struct command cmd_stores;
extern const struct command cmd_watch;

/* In main.c: how a command answers --help and a wrong command line. */
int command_help(const struct command *command);
int command_misused(const struct command *command);

/* In message.c: "defpager: ..." and a newline on stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void __attribute__((noreturn)) die_no_memory(void);

/* In explain.c */

enum operation {
	OP_PAGER_OPEN,
	OP_INFO,
	OP_OBJECT_CREATE,
	OP_OBJECT_PAGES,
	OP_OBJECTS,
	OP_BACKING_STORE_CREATE,
	OP_BACKING_STORE_DELETE,
	OP_BACKING_STORE_LIMIT,
	OP_BACKING_STORE_OPEN,
	OP_BACKING_STORES,
	OP_DEVICE_OPEN,
	OP_SEGMENT_ADD,
	OP_SEGMENT_REMOVE,
	OP_SEGMENTS,
};

/*
 * Say what is wrong with the subject (a device, a store, ...) and what to do,
 * given the operation and the negative errno value it returned.
 */
void explain(enum operation operation, const char *subject, int error);

/* In ports.c: these explain what fails and return a negative value. */
int pager_open(void);
int backing_store_open(const char *name);

/* In object_open.c: by its id or a path; this, too, explains. */
int object_open(const char *text);

/* In parse.c: false if the text is not such a number, with no message. */
bool parse_number(const char *text, uint64_t *number);
bool parse_size(const char *text, uint64_t *bytes);

#endif /* DEFPAGER_TOOL_H */
