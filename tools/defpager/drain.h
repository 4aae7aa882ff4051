/* SPDX-License-Identifier: GPL-2.0-only */
/* What commands share that move pages elsewhere, shown, and ended by ^C. */
#ifndef DEFPAGER_DRAIN_H
#define DEFPAGER_DRAIN_H

#include "options.h"

struct drain {
	enum operation operation;
	const char *subject;	/* of messages */
	const char *store;
	uint64_t segment;	/* 0: all of the store */
	const char *target;	/* another store, or NULL */
	/* Does it; the result is that of the library. */
	int (*request)(struct drain *drain, int store, int target);
	/* For the request to set. */
	uint64_t moved_bytes;
	uint64_t error_object;
	uint64_t error_offset;
};

/*
 * Parse the command line: --target STORE, and one operand, of which "what" is
 * the kind.  Returns it, or NULL with the exit status in *status.
 */
const char *drain_parse(const struct command *command, int argc, char **argv,
			const char *what, struct drain *drain, int *status);

/*
 * Open the stores and do the request, which a signal can end.  Meanwhile a
 * terminal shows how much is left to move.  False, after a message, if it fails.
 */
bool drain_run(struct drain *drain);

#define DRAIN_HELP \
	"  --target STORE  backing store that takes over the objects which are\n" \
	"                  confined to the present one; if it does not encrypt,\n" \
	"                  their pages are written in plain from then on\n" \
	"  --help          this text\n"

#endif /* DEFPAGER_DRAIN_H */
