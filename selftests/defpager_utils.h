/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests share: the pager, its stores and objects, and block devices
 * to give to it.
 *
 * What can fail returns a negative errno, so that a test can ask for the one
 * error that it expects.
 */
#ifndef DEFPAGER_UTILS_H
#define DEFPAGER_UTILS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/defpager.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define TIB(n) ((uint64_t)(n) << 40)

/*
 * What the harness takes for a skip. After SKIP() in a fixture's set-up, the
 * harness of 6.1 would run the test all the same: there, exit with this.
 */
#define KSFT_SKIPPED 255

/* What a struct is long that ends with this field. */
#define END_OF(type, field)						\
	(offsetof(struct type, field) + sizeof(((struct type *)0)->field))

/* What output buffers hold before a call. */
#define POISON 0xcc

static inline uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static inline int defpager_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static inline int pager_open(void)
{
	int fd = open("/dev/defpager", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int pager_info(int pager, struct defpager_info *info)
{
	memset(info, POISON, sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	return defpager_ioctl(pager, DEFPAGER_IOC_INFO, info);
}

static inline int store_open(int pager, const char *name)
{
	struct defpager_backing_store_open open = { .size = sizeof(open) };
	int ret;

	snprintf(open.name, sizeof(open.name), "%s", name);
	ret = defpager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_OPEN, &open);
	return ret ? ret : open.fd;
}

static inline int store_info(int store, struct defpager_backing_store_info *info)
{
	memset(info, POISON, sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	return defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_INFO, info);
}

static inline struct defpager_backing_store_create
store_request(const char *name, int priority, uint32_t cluster_bytes,
	      uint32_t flags)
{
	struct defpager_backing_store_create create = {
		.size = sizeof(create),
		.flags = flags,
		.priority = priority,
		.cluster_bytes = cluster_bytes,
		.fd = -1,
	};

	snprintf(create.name, sizeof(create.name), "%s", name);
	return create;
}

static inline int store_create(int pager, const char *name, int priority,
			       uint32_t cluster_bytes, uint32_t flags)
{
	struct defpager_backing_store_create create;
	int ret;

	create = store_request(name, priority, cluster_bytes, flags);
	ret = defpager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_CREATE, &create);
	return ret ? ret : create.fd;
}

/* @target is another store for what is confined to this one, or -1. */
static inline int store_delete(int store, int target)
{
	struct defpager_backing_store_delete delete = {
		.size = sizeof(delete),
		.target = target,
	};

	return defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_DELETE,
			      &delete);
}

/* @old: where to put the answer, or NULL */
static inline int store_limit(int store, uint32_t flags, uint64_t object_bytes,
			      uint64_t user_bytes,
			      struct defpager_backing_store_limit *old)
{
	struct defpager_backing_store_limit limit;
	int ret;

	memset(&limit, POISON, sizeof(limit));
	limit.size = sizeof(limit);
	limit.flags = flags;
	limit.object_bytes = object_bytes;
	limit.user_bytes = user_bytes;
	ret = defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_LIMIT, &limit);
	if (old)
		*old = limit;
	return ret;
}

static inline struct defpager_segment_add
segment_range(int device, uint64_t offset, uint64_t count, uint32_t record_size)
{
	struct defpager_segment_add add;

	memset(&add, POISON, sizeof(add));
	add.size = sizeof(add);
	add.flags = 0;
	add.device = device;
	add.record_size = record_size;
	add.offset = offset;
	add.count = count;
	return add;
}

static inline int segment_add(int store, int device, uint64_t offset,
			      uint64_t count, uint32_t record_size)
{
	struct defpager_segment_add add;

	add = segment_range(device, offset, count, record_size);
	return defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add);
}

static inline struct defpager_segment_remove segment_removal(uint64_t id,
							      int target)
{
	struct defpager_segment_remove removal = {
		.size = sizeof(removal),
		.id = id,
		.target = target,
	};

	return removal;
}

static inline int segment_remove(int store, uint64_t id, int target)
{
	struct defpager_segment_remove removal = segment_removal(id, target);

	return defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_REMOVE, &removal);
}

static inline struct defpager_object_create object_request(uint64_t object_size)
{
	struct defpager_object_create create = {
		.size = sizeof(create),
		.object_size = object_size,
		.backing_store = -1,
		.fd = -1,
	};

	return create;
}

static inline int object_create_named(int pager, uint64_t object_size,
				      const char *name)
{
	struct defpager_object_create create = object_request(object_size);
	int ret;

	snprintf(create.name, sizeof(create.name), "%s", name);
	ret = defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &create);
	return ret ? ret : create.fd;
}

static inline int object_create(int pager, uint64_t object_size)
{
	return object_create_named(pager, object_size, "");
}

static inline int object_info(int object, struct defpager_object_info *info)
{
	memset(info, POISON, sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	return defpager_ioctl(object, DEFPAGER_IOC_OBJECT_INFO, info);
}

/* Of the rows that a listing has now; 0 if the request is no listing. */
static inline uint32_t known_row_size(unsigned long cmd)
{
	switch (cmd) {
	case DEFPAGER_IOC_OBJECTS:
		return sizeof(struct defpager_object_info);
	case DEFPAGER_IOC_SEGMENTS:
		return sizeof(struct defpager_segment_info);
	case DEFPAGER_IOC_BACKING_STORES:
		return sizeof(struct defpager_backing_store_info);
	case DEFPAGER_IOC_OBJECT_PAGES:
		return sizeof(struct defpager_page_range);
	default:
		return 0;
	}
}

/*
 * One call of a listing: up to @count rows from id *@start on. Returns how many
 * rows came.
 */
static inline int list_rows(int fd, unsigned long cmd, uint64_t *start,
			    void *rows, size_t row_size, uint32_t count)
{
	struct defpager_list list = {
		.size = sizeof(list),
		.start = *start,
		.rows = (uintptr_t)rows,
		.row_size = row_size,
		.count = count,
	};
	int ret;

	ret = defpager_ioctl(fd, cmd, &list);
	if (ret)
		return ret;
	*start = list.start;
	return list.count;
}

/* The row of the object, segment or store of this id, or -ENOENT. */
static inline int list_find(int fd, unsigned long cmd, uint64_t id, void *row,
			    size_t row_size)
{
	int ret = list_rows(fd, cmd, &(uint64_t){ id }, row, row_size, 1);
	uint64_t found;

	if (ret <= 0)
		return ret ? ret : -ENOENT;
	/* All these rows have the id here. */
	memcpy(&found, (char *)row + 8, sizeof(found));
	return found == id ? 0 : -ENOENT;
}

/* Deletes all stores but the default one; nothing may be confined to them. */
static inline int stores_delete_all(int pager)
{
	struct defpager_backing_store_info row;
	uint64_t start = 0;
	int store, ret;

	while ((ret = list_rows(pager, DEFPAGER_IOC_BACKING_STORES, &start,
				&row, sizeof(row), 1)) == 1) {
		if (!strcmp(row.name, DEFPAGER_DEFAULT_STORE))
			continue;
		store = store_open(pager, row.name);
		if (store < 0)
			return store;
		ret = store_delete(store, -1);
		close(store);
		if (ret)
			return ret;
	}
	return ret;
}

/* Where loop is a module, and none was asked for, there is no such device. */
static inline int loop_control(void)
{
	static const char path[] = "/dev/loop-control";
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && !system("modprobe -q loop"))
		fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * A loop device over a file. It lives as long as it is open or has a segment, and
 * the module keeps the segment's device open.
 */
static inline int loop_over(int file, uint32_t block_size, uint32_t lo_flags)
{
	struct loop_config config = {
		.fd = file,
		.block_size = block_size,
		.info.lo_flags = lo_flags | LO_FLAGS_AUTOCLEAR,
	};
	char path[32];
	int control, number, fd;

	control = loop_control();
	if (control < 0)
		return control;
	do {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return -errno;
		snprintf(path, sizeof(path), "/dev/loop%d", number);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (!ioctl(fd, LOOP_CONFIGURE, &config))
			break;
		/* Somebody else took it: look for the next one. */
		if (errno != EBUSY)
			return -errno;
		close(fd);
	} while (1);
	close(control);
	return fd;
}

/* The same over a sparse file in memory, which goes with it. */
static inline int loop_create(uint64_t bytes, uint32_t block_size,
			      uint32_t lo_flags)
{
	int file = memfd_create("loop", MFD_CLOEXEC), fd;

	if (file < 0 || ftruncate(file, bytes))
		return -errno;
	fd = loop_over(file, block_size, lo_flags);
	close(file);
	return fd;
}

/* The path of an open descriptor, such as /dev/loop3. */
static inline const char *fd_path(int fd, char path[PATH_MAX])
{
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	path[length < 0 ? 0 : length] = '\0';
	return path;
}

/* Adds a segment of so many bytes, on a device of its own, to the store. */
static inline int store_grow(int store, uint64_t bytes)
{
	int device = loop_create(bytes, 4096, 0);
	int ret;

	if (device < 0)
		return device;
	ret = segment_add(store, device, 0, bytes / 4096, 4096);
	close(device);
	return ret;
}

/* Sees to it that so many bytes are free in the default store. */
static inline int pager_need_space(int pager, uint64_t bytes)
{
	struct defpager_info info;
	int store, ret;

	ret = pager_info(pager, &info);
	if (ret || info.free_bytes >= bytes)
		return ret;
	store = store_open(pager, DEFPAGER_DEFAULT_STORE);
	if (store < 0)
		return store;
	ret = store_grow(store, bytes);
	close(store);
	return ret;
}

/*
 * Forks a child which runs fn(arg) and exits with what it returns. Returns its
 * exit status, or minus the number of the signal that ended it.
 */
static inline int in_child(int (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid == 0)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Open descriptors of this process. */
static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int entries = 0;

	if (!dir)
		return -errno;
	while (readdir(dir))
		entries++;
	closedir(dir);
	/* Without ".", ".." and the descriptor of the directory. */
	return entries - 3;
}

/* What a request that fails has to leave as it is. */
struct pager_state {
	struct defpager_info info;
	int nr_fds;
};

static inline int pager_state(int pager, struct pager_state *state)
{
	int ret;

	memset(state, 0, sizeof(*state));
	ret = pager_info(pager, &state->info);
	/* The counters of I/O are nobody's fault. */
	state->info.pages_out = 0;
	state->info.pages_in = 0;
	state->info.writes = 0;
	state->info.reads = 0;
	state->info.zero_pages = 0;
	state->info.clean_drops = 0;
	state->nr_fds = count_fds();
	return ret;
}

static inline void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
}

/* Polls for a condition which comes true by itself; false after a minute. */
#define wait_until(condition) ({					\
	int __tries = 12000;						\
									\
	while (!(condition) && --__tries)				\
		sleep_ms(5);						\
	__tries > 0;							\
})

/* Whether the thread sleeps inside of a system call; -1 is for a page fault. */
static inline bool sleeps_in(pid_t tid, int call)
{
	char path[64], line[128] = "";
	FILE *file;
	bool sleeps;

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	/* "running", or the number of the system call it sleeps in. */
	sleeps = fgets(line, sizeof(line), file) && line[0] != 'r' &&
		 atoi(line) == call;
	fclose(file);
	return sleeps;
}

static inline bool sleeps_in_ioctl(pid_t tid)
{
	return sleeps_in(tid, SYS_ioctl);
}

#endif /* DEFPAGER_UTILS_H */
