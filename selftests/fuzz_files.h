/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plain system calls on the descriptors of a fuzzed sequence, objects mostly,
 * so that requests find them in all states. Which errors are possible is taken
 * from the calls' manual pages, and from <linux/defpager.h> for objects.
 *
 * Each returns what the call did, or a negative errno.
 */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include <grp.h>
#include <linux/falloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "fuzz_run.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static inline long or_errno(long ret)
{
	return ret < 0 ? -errno : ret;
}

#define CHOOSE(array, byte)	((array)[(byte) % (sizeof(array) / sizeof((array)[0]))])

/* --- Requests that are none ------------------------------------------------ */

static inline long call_unknown(const struct call *call)
{
	unsigned long cmd = _IOC(call->a[0] % 4, DEFPAGER_IOC_TYPE, call->a[1],
				 call->a[2]);
	int fd = pick_fd(call->a[3] % 3, call->fd);
	enum kind kind = kind_of(fd);

	for (size_t i = 0; i < NR_REQUESTS; i++)
		if (requests[i].cmd == cmd && requests[i].on == kind)
			return 0;
	/* What the kernel or others make of it is not ours. */
	if (kind != NODE && kind != STORE && kind != OBJECT)
		return 0;
	return or_errno(ioctl(fd, cmd, arena + 1024));
}

/* --- Reading and writing ---------------------------------------------------- */

/* Where bytes come from or go to; not all of it need be accessible. */
static inline void *pick_buffer(uint8_t place, uint8_t value)
{
	switch (place % 8) {
	case 1:
		return map_slot(value) + value * 16;
	case 2:
		return arena + HOLE * 4096 - value;
	case 3:
		return arg_nowhere(value);
	case 4:
		return data + 1 + value % 7;
	default:
		return data;
	}
}

static inline size_t pick_length(uint8_t byte)
{
	size_t length = range_value(byte, byte % 5, 4096);

	return length > DATA_BYTES - 8 ? DATA_BYTES - 8 : length;
}

static inline long call_pwrite(const struct call *call)
{
	return or_errno(pwrite(pick_file(call->fd),
			       pick_buffer(call->place, call->value),
			       pick_length(call->a[0]),
			       range_value(call->a[1], call->a[2], 0)));
}

static inline long call_pread(const struct call *call)
{
	char *buffer = pick_buffer(call->place, call->value);
	size_t length = pick_length(call->a[0]);
	long ret;

	/* Not over what requests compare, and not over what is written. */
	if (call->place % 8 == 2)
		buffer = map_slot(call->value);
	ret = or_errno(pread(pick_file(call->fd), buffer, length,
			     range_value(call->a[1], call->a[2], 0)));
	memset(data, 0xe5, DATA_BYTES);
	return ret;
}

static inline long call_write(const struct call *call)
{
	return or_errno(write(pick_file(call->fd),
			      pick_buffer(call->place, call->value),
			      pick_length(call->a[0])));
}

static inline long call_read(const struct call *call)
{
	long ret = or_errno(read(pick_file(call->fd), data,
				 pick_length(call->a[0])));

	memset(data, 0xe5, DATA_BYTES);
	return ret;
}

static inline long call_lseek(const struct call *call)
{
	return or_errno(lseek(pick_file(call->fd),
			      range_value(call->a[1], call->a[2], 0),
			      call->a[0] % 8) < 0 ? -1 : 0);
}

/* Pages of an object to a pipe, and away; or from there to an object. */
static inline long call_splice(const struct call *call)
{
	int object = pick_file(call->fd), from = fds[OTHER][1];
	loff_t offset = range_value(call->a[1], call->a[2], 0);
	int pipe = fds[OTHER][2];
	long ret;

	if (pipe < 0 || from < 0)
		return 0;
	if (call->a[3] & 1) {
		/* What is already there is as good as any. */
		ret = or_errno(write(pipe, data, 4096));
		if (ret < 0)
			return ret;
		return or_errno(splice(from, NULL, object, &offset,
				       pick_length(call->a[0]),
				       SPLICE_F_NONBLOCK));
	}
	ret = or_errno(splice(object, &offset, pipe, NULL,
			      pick_length(call->a[0]), SPLICE_F_NONBLOCK));
	while (read(from, data, DATA_BYTES) > 0)
		;
	memset(data, 0xe5, DATA_BYTES);
	return ret;
}

/* --- Size and space --------------------------------------------------------- */

static inline long call_ftruncate(const struct call *call)
{
	return or_errno(ftruncate(pick_file(call->fd),
				  range_value(call->a[0], call->a[1], 0)));
}

static inline long call_fallocate(const struct call *call)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE, -1,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE,
	};

	return or_errno(fallocate(pick_file(call->fd), CHOOSE(modes, call->a[0]),
				  range_value(call->a[1], call->a[3], 0),
				  range_value(call->a[2], call->a[4], 8192)));
}

static inline long call_fadvise(const struct call *call)
{
	return -posix_fadvise(pick_file(call->fd),
			      range_value(call->a[1], call->a[3], 0),
			      range_value(call->a[2], call->a[3], 0),
			      call->a[0] % 8);
}

static inline long call_fsync(const struct call *call)
{
	int fd = pick_file(call->fd);

	return or_errno(call->a[0] & 1 ? fdatasync(fd) : fsync(fd));
}

static inline long call_fchown(const struct call *call)
{
	static const uid_t ids[] = { 0, 1000, 65534, -1 };
	int fd = pick_fd(OBJECT, call->fd);

	/* Others outlive us. */
	if (kind_of(fd) != OBJECT)
		return 0;
	return or_errno(fchown(fd, CHOOSE(ids, call->a[0]),
			       CHOOSE(ids, call->a[1])));
}

/* --- Mappings ---------------------------------------------------------------- */

static const int protections[] = {
	PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_WRITE,
	PROT_READ | PROT_EXEC,
};

static inline long call_mmap(const struct call *call)
{
	static const int flags[] = {
		MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE,
		MAP_SHARED | MAP_POPULATE, MAP_PRIVATE | MAP_POPULATE,
		MAP_SHARED | MAP_LOCKED, MAP_SHARED | MAP_NORESERVE,
		MAP_SHARED_VALIDATE | 0x80000, 0, MAP_PRIVATE | MAP_LOCKED,
	};
	char *slot = map_slot(call->a[0]);
	off_t offset = range_value(call->a[3], 0, 0) & -4096;

	if (mmap(slot, MAP_BYTES, CHOOSE(protections, call->a[1]),
		 CHOOSE(flags, call->a[2]) | MAP_FIXED, pick_file(call->fd),
		 offset) == slot)
		return 0;
	/* What was mapped there before may be gone. */
	offset = -errno;
	unmap(slot, MAP_BYTES);
	return offset;
}

/* Wherever, of whatever length; and away again. */
static inline long call_mmap_odd(const struct call *call)
{
	size_t length = odd_value(call->a[0], 4096);
	void *map;

	map = mmap(NULL, length, CHOOSE(protections, call->a[1]),
		   call->a[2] & 1 ? MAP_SHARED : MAP_PRIVATE,
		   pick_file(call->fd), odd_value(call->a[3], 0));
	if (map == MAP_FAILED)
		return -errno;
	munmap(map, length);
	return 0;
}

/* Whole pages in what is mapped, or not, for objects. */
static inline char *map_range(const struct call *call, size_t *length)
{
	size_t first = call->a[1] % (MAP_BYTES / 4096);

	*length = MAP_BYTES - first * 4096;
	if (call->a[2])
		*length = (call->a[2] - 1) % (*length / 4096) * 4096 + 4096;
	return map_slot(call->a[0]) + first * 4096;
}

static inline long call_munmap(const struct call *call)
{
	size_t length;
	char *address = map_range(call, &length);

	unmap(address, length);
	return 0;
}

/* Stores to some pages, or loads from them. A bus error is fine. */
static inline long call_touch(const struct call *call)
{
	size_t length;
	char *address = map_range(call, &length);
	int signal = 0;

	for (size_t at = call->value; at < length && !signal; at += 4096)
		signal = call->a[3] & 1 ?
			 copy_carefully(data, address + at, 1) :
			 copy_carefully(address + at, "\xe9", 1);
	return signal == SIGBUS ? -EFAULT : 0;
}

static inline long call_madvise(const struct call *call)
{
	/* None that takes memory from the machine. */
	static const int advice[] = {
		MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED, MADV_DONTNEED,
		MADV_REMOVE, MADV_FREE, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE, MADV_DONTFORK,
		MADV_DOFORK, MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL,
		MADV_MERGEABLE, 9999,
	};
	size_t length;
	char *address = map_range(call, &length);

	return or_errno(madvise(address, length, CHOOSE(advice, call->a[3])));
}

static inline long call_mprotect(const struct call *call)
{
	size_t length;
	char *address = map_range(call, &length);

	return or_errno(mprotect(address, length,
				 CHOOSE(protections, call->a[3])));
}

static inline long call_mlock(const struct call *call)
{
	size_t length;
	char *address = map_range(call, &length);

	return or_errno(call->a[3] & 1 ? munlock(address, length) :
					 mlock(address, length));
}

static inline long call_msync(const struct call *call)
{
	static const int flags[] = { MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE,
				     0, -1 };
	size_t length;
	char *address = map_range(call, &length);

	return or_errno(msync(address, length, CHOOSE(flags, call->a[3])));
}

static inline long call_mincore(const struct call *call)
{
	unsigned char resident[MAP_BYTES / 4096];
	size_t length;
	char *address = map_range(call, &length);

	return or_errno(mincore(address, length, resident));
}

/* --- Descriptors --------------------------------------------------------------- */

static inline long call_close(const struct call *call)
{
	int fd = pick_fd(call->a[0] % 3, call->fd);
	enum kind kind = kind_of(fd);

	if (kind == NODE || kind == STORE || kind == OBJECT)
		forget_fd(fd);
	return 0;
}

static inline long call_dup(const struct call *call)
{
	int fd = pick_fd(call->a[0] % 3, call->fd), new;

	if (kind_of(fd) == NO_KIND)
		return 0;
	new = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	must(new >= 0);
	keep_fd(kind_of(fd), new);
	return 0;
}

static inline long call_open_node(const struct call *call)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY };
	int fd = open("/dev/defpager", CHOOSE(flags, call->a[0]) | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!privileged)
		failed("the device node is open to all");
	keep_fd(NODE, fd);
	return 0;
}

/* An object anew: to read only, to append, to cut off all of it ... */
static inline long call_reopen(const struct call *call)
{
	static const int flags[] = {
		O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_TRUNC,
		O_WRONLY | O_APPEND, O_RDWR | O_DIRECT, O_PATH,
	};
	int fd = pick_fd(OBJECT, call->fd), new;
	char path[64];

	if (kind_of(fd) != OBJECT)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	new = open(path, CHOOSE(flags, call->a[0]) | O_CLOEXEC);
	if (new < 0)
		return -errno;
	if (CHOOSE(flags, call->a[0]) == O_PATH)
		close(new);
	else
		keep_fd(OBJECT, new);
	return 0;
}

static inline long call_fstat(const struct call *call)
{
	struct stat st;
	int fd = pick_fd(call->a[0] % 3, call->fd);

	return or_errno(fstat(fd, &st));
}

static inline long call_fdinfo(const struct call *call)
{
	int fd = pick_fd(call->a[0] % 3, call->fd), file;
	char path[64], text[2048];
	ssize_t length;

	if (kind_of(fd) == NO_KIND)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	length = read(file, text, sizeof(text) - 1);
	close(file);
	promise(length > 0);
	text[length] = '\0';
	promise(!!strstr(text, "defpager-id:") == (kind_of(fd) == OBJECT));
	return 0;
}

static inline long call_poll(const struct call *call)
{
	struct pollfd poll_fd = {
		.fd = pick_fd(STORE, call->fd),
		.events = POLLIN | POLLOUT | POLLPRI,
	};
	long ret = or_errno(poll(&poll_fd, 1, call->a[0] % 4));

	if (kind_of(poll_fd.fd) == STORE)
		promise(!(poll_fd.revents & ~(POLLPRI | POLLHUP)));
	return ret;
}

#endif /* FUZZ_FILES_H */
