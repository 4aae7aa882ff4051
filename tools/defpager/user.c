// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "defpager.h"
#include "user.h"

/* -1 means "none" to the system calls. */
static bool parse_id(const char *text, unsigned int *id)
{
	uint64_t number;

	if (!parse_number(text, &number) || number >= UINT_MAX)
		return false;
	*id = number;
	return true;
}

static bool find_user(const char *text, struct user *user)
{
	const struct passwd *entry = getpwnam(text);

	if (!entry && parse_id(text, &user->uid)) {
		entry = getpwuid(user->uid);
		user->gid = -1;
	} else if (!entry) {
		complain("--user %s: there is no such user", text);
		return false;
	}
	if (!entry)
		return true;
	user->name = strdup(entry->pw_name);
	if (!user->name)
		die_no_memory();
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	return true;
}

static bool find_group(const char *text, struct user *user)
{
	const struct group *entry = getgrnam(text);

	if (entry)
		user->gid = entry->gr_gid;
	else if (!parse_id(text, &user->gid)) {
		complain("--user: there is no group %s", text);
		return false;
	}
	return true;
}

bool user_parse(const char *text, struct user *user)
{
	char *name = strdup(text);
	char *group;
	bool found;

	if (!name)
		die_no_memory();
	group = strchr(name, ':');
	if (group)
		*group++ = '\0';
	found = find_user(name, user) && (!group || find_group(group, user));
	if (found && user->gid == (gid_t)-1) {
		complain("--user %s: the number is no user's, so a group has "
			 "to be named (%s:GROUP)", text, text);
		found = false;
	}
	free(name);
	return found;
}

bool user_become(const struct user *user)
{
	int ret = user->name ? initgroups(user->name, user->gid)
			     : setgroups(1, &user->gid);

	if (!ret && !setresgid(user->gid, user->gid, user->gid) &&
	    !setresuid(user->uid, user->uid, user->uid) &&
	    !prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		return true;
	complain("cannot become the user of --user: %s%s", strerror(errno),
		 errno == EPERM ? "; run this as root" : "");
	return false;
}
