/* SPDX-License-Identifier: GPL-2.0-only */
/* Becoming another user, for good. */
#ifndef DEFPAGER_USER_H
#define DEFPAGER_USER_H

#include <stdbool.h>
#include <sys/types.h>

struct user {
	const char *name;	/* NULL if the number has none */
	uid_t uid;
	gid_t gid;
};

/*
 * USER or USER:GROUP, each a name or a number.  Without a group it is the one that
 * the user has; a number that is nobody's needs one.  False, after a message, if
 * there is no such user or group.
 */
bool user_parse(const char *text, struct user *user);

/*
 * With all groups that the user is in.  Others of that user's processes may look at
 * this one as at any of theirs.  False after a message; the process should end then.
 */
bool user_become(const struct user *user);

#endif /* DEFPAGER_USER_H */
