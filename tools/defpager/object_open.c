// SPDX-License-Identifier: GPL-2.0-only
/* Objects have no names to open them by: whoever has one can be asked for it. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "defpager.h"

/* What a link in /proc to any object begins with. */
static const char link_prefix[] = "/defpager:";

/* A descriptor, if the link leads to the object of this id. */
static int open_link(const char *path, uint64_t id)
{
	struct defpager_object_info info = { .size = sizeof(info) };
	char link[sizeof(link_prefix)];
	ssize_t length = readlink(path, link, sizeof(link));
	int object;

	/* Not even opened if it is something else: that could have effects. */
	if (length < (ssize_t)strlen(link_prefix) ||
	    memcmp(link, link_prefix, strlen(link_prefix)))
		return -1;
	object = open(path, O_RDONLY | O_CLOEXEC);
	if (object < 0)
		return -1;
	if (!libdefpager_object_info(object, &info) && info.id == id)
		return object;
	close(object);
	return -1;
}

static int search_links(const char *pid, const char *kind, uint64_t id)
{
	char path[NAME_MAX * 2 + 32];
	struct dirent *entry;
	int object = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, kind);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (object < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/%s/%s", pid, kind,
			 entry->d_name);
		object = open_link(path, id);
	}
	closedir(dir);
	return object;
}

/* A process may have it mapped only, the descriptor being closed. */
static int search_processes(uint64_t id)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int object = -1;

	if (!proc)
		return -1;
	while (object < 0 && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		object = search_links(entry->d_name, "fd", id);
		if (object < 0)
			object = search_links(entry->d_name, "map_files", id);
	}
	closedir(proc);
	return object;
}

int object_open(const char *text)
{
	uint64_t id;
	int object;

	if (!parse_number(text, &id)) {
		/* Of anything but an object there is nothing to wait for. */
		object = open(text, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (object < 0)
			complain("%s: %s", text, strerror(errno));
		return object;
	}
	object = search_processes(id);
	if (object < 0)
		complain("%s: no process that you may look into has an object "
			 "of this id (defpager objects); be root, or the one "
			 "who runs it", text);
	return object;
}
