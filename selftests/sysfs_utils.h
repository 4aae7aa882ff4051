/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading what the pager shows in sysfs. */
#ifndef SYSFS_UTILS_H
#define SYSFS_UTILS_H

#include <stddef.h>

#include "defpager_utils.h"

#define TREE "/sys/class/misc/defpager"
#define DEFAULT_DIR TREE "/stores/" DEFPAGER_DEFAULT_STORE

/* A file, and where a request has the same number. */
struct file {
	const char *name;
	size_t offset;
	size_t size;
};

#define SAME(_struct, _name)						\
	{ #_name, offsetof(struct _struct, _name),			\
	  sizeof(((struct _struct *)0)->_name) }

static const struct file pager_files[] = {
	SAME(defpager_info, nr_stores),
	SAME(defpager_info, nr_segments),
	SAME(defpager_info, nr_objects),
	SAME(defpager_info, total_bytes),
	SAME(defpager_info, free_bytes),
	SAME(defpager_info, reserved_bytes),
	SAME(defpager_info, used_bytes),
	SAME(defpager_info, bad_bytes),
	SAME(defpager_info, failing_bytes),
	SAME(defpager_info, pages_out),
	SAME(defpager_info, pages_in),
	SAME(defpager_info, writes),
	SAME(defpager_info, reads),
	SAME(defpager_info, zero_pages),
	SAME(defpager_info, clean_drops),
	SAME(defpager_info, write_errors),
	SAME(defpager_info, read_errors),
	{ .name = NULL },
};

/* Requests tell these with each store, but they concern the pager. */
static const struct file mach_files[] = {
	SAME(defpager_backing_store_info, pageout_calls),
	SAME(defpager_backing_store_info, pagein_calls),
	SAME(defpager_backing_store_info, pages_unavail),
	SAME(defpager_backing_store_info, pages_init),
	SAME(defpager_backing_store_info, pages_init_writes),
	{ .name = NULL },
};

static const struct file store_files[] = {
	SAME(defpager_backing_store_info, id),
	SAME(defpager_backing_store_info, cluster_bytes),
	SAME(defpager_backing_store_info, nr_segments),
	SAME(defpager_backing_store_info, nr_objects),
	SAME(defpager_backing_store_info, total_bytes),
	SAME(defpager_backing_store_info, free_bytes),
	SAME(defpager_backing_store_info, reserved_bytes),
	SAME(defpager_backing_store_info, confined_bytes),
	SAME(defpager_backing_store_info, used_bytes),
	SAME(defpager_backing_store_info, bad_bytes),
	SAME(defpager_backing_store_info, failing_bytes),
	SAME(defpager_backing_store_info, object_limit_bytes),
	SAME(defpager_backing_store_info, user_limit_bytes),
	SAME(defpager_backing_store_info, pages_out),
	SAME(defpager_backing_store_info, pages_in),
	SAME(defpager_backing_store_info, write_errors),
	SAME(defpager_backing_store_info, read_errors),
	{ .name = NULL },
};

static const struct file segment_files[] = {
	SAME(defpager_segment_info, offset_bytes),
	SAME(defpager_segment_info, length_bytes),
	SAME(defpager_segment_info, record_size),
	SAME(defpager_segment_info, total_bytes),
	SAME(defpager_segment_info, free_bytes),
	SAME(defpager_segment_info, used_bytes),
	SAME(defpager_segment_info, bad_bytes),
	SAME(defpager_segment_info, in_flight_bytes),
	SAME(defpager_segment_info, discarded_bytes),
	SAME(defpager_segment_info, pages_out),
	SAME(defpager_segment_info, pages_in),
	SAME(defpager_segment_info, write_errors),
	SAME(defpager_segment_info, read_errors),
	{ .name = NULL },
};

static inline const char *store_dir(char path[PATH_MAX], const char *name)
{
	snprintf(path, PATH_MAX, "%s/stores/%s", TREE, name);
	return path;
}

static inline const char *segment_dir(char path[PATH_MAX], const char *store,
			       uint64_t id)
{
	snprintf(path, PATH_MAX, "%s/stores/%s/segments/%ju", TREE, store,
		 (uintmax_t)id);
	return path;
}

static inline bool is_there(const char *path)
{
	return !access(path, F_OK);
}

/* Returns the length of what the file says, or a negative errno. */
static inline int read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = read(fd, text, size - 1);
	if (ret < 0)
		ret = -errno;
	close(fd);
	text[ret < 0 ? 0 : ret] = '\0';
	return ret;
}

/* Whether a file of a directory is exactly this line. */
static inline bool file_says(const char *dir, const char *name,
			     const char *expected)
{
	char path[2 * PATH_MAX], text[4096];
	int ret;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ret = read_text(path, text, sizeof(text));
	if (ret > 0 && text[ret - 1] == '\n') {
		text[ret - 1] = '\0';
		if (!strcmp(text, expected))
			return true;
	}
	fprintf(stderr, "# %s: \"%s\" (%d), expected \"%s\"\n", path, text, ret,
		expected);
	return false;
}

static inline bool files_agree(const char *dir, const struct file *files,
			       const void *row)
{
	bool agree = true;
	uint64_t number;
	char expected[32];

	for (; files->name; files++) {
		number = 0;
		memcpy(&number, (const char *)row + files->offset, files->size);
		snprintf(expected, sizeof(expected), "%ju", (uintmax_t)number);
		agree &= file_says(dir, files->name, expected);
	}
	return agree;
}

static inline long long read_value(const char *dir, const char *name)
{
	char path[2 * PATH_MAX], text[32];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return read_text(path, text, sizeof(text)) > 0 ? atoll(text) : -1;
}

/* Of the device, and no matter of the pager. */
static inline bool is_of_the_device(const char *name)
{
	return !strcmp(name, "dev") || !strcmp(name, "uevent") ||
	       !strcmp(name, "power") || !strcmp(name, "subsystem");
}

/*
 * Calls visit() with each file of the pager's below a directory; what goes
 * meanwhile may or may not be visited.
 */
static inline void walk(const char *path, void (*visit)(const char *path,
							void *arg), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char *below;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") ||
		    is_of_the_device(entry->d_name))
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			abort();
		if (entry->d_type == DT_DIR)
			walk(below, visit, arg);
		else
			visit(below, arg);
		free(below);
	}
	closedir(dir);
}

static inline void count_file(const char *path, void *arg)
{
	(void)path;
	++*(int *)arg;
}

static inline int count_files(const char *dir)
{
	int count = 0;

	walk(dir, count_file, &count);
	return count;
}

#endif /* SYSFS_UTILS_H */
