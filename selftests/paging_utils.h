/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of paging and of concurrency share: an object and its
 * mapping, page contents that tell whose they are, control groups, and the
 * ways to make the kernel reclaim.
 *
 * These helpers run in threads and child processes too, where the harness'
 * assertions do not work. What cannot fail unless the machine is not as the
 * test needs it ends the process with a message (see must()); what a test is
 * about is returned for it to judge.
 */
#ifndef PAGING_UTILS_H
#define PAGING_UTILS_H

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "defpager_utils.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/*
 * Folios that reclaim cannot see although they are not in use: some 31 wait on
 * each CPU for being put on the LRU.
 */
#define UNSEEN_PAGES 128

#define must(condition) \
	must_be(condition, #condition, __FILE__, __LINE__)

static inline void must_be(bool holds, const char *what, const char *file,
			   int line)
{
	if (holds)
		return;
	fprintf(stderr, "# %s:%d: not so: %s (errno: %s)\n", file, line, what,
		strerror(errno));
	abort();
}

/* --- Time ------------------------------------------------------------- */

static inline double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* How long the tests that go on for a while do so, in seconds. */
static inline double test_seconds(double standard)
{
	const char *seconds = getenv("DEFPAGER_TEST_SECONDS");

	return seconds && atof(seconds) > 0 ? atof(seconds) : standard;
}

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Keeps the calling thread where it is. */
static inline void pin_to_processor(int nr)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(nr, &set);
	must(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* --- Files of the kernel ---------------------------------------------- */

static inline int write_text(const char *path, const char *format, ...)
{
	char text[128];
	va_list args;
	int fd, len;
	ssize_t ret;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, len) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* The number behind @key in a file of such lines, or -1. */
static inline long long read_number(const char *path, const char *key)
{
	long long number = -1;
	size_t len = strlen(key);
	char line[256];
	FILE *file;

	file = fopen(path, "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, len))
			continue;
		number = strtoll(line + len, NULL, 10);
		break;
	}
	fclose(file);
	return number;
}

static inline size_t memory_size(void)
{
	return KIB(read_number("/proc/meminfo", "MemTotal:"));
}

enum lru {
	LRU_AS_IS,
	LRU_CLASSIC,
	LRU_MULTI_GEN,
};

/* False if this kernel has no choice. */
static inline bool select_lru(enum lru lru)
{
	static const char path[] = "/sys/kernel/mm/lru_gen/enabled";

	switch (lru) {
	case LRU_CLASSIC:
		return !write_text(path, "n") || access(path, F_OK);
	case LRU_MULTI_GEN:
		return !write_text(path, "y");
	default:
		return true;
	}
}

/* --- Control groups --------------------------------------------------- */

struct cgroup {
	char path[64];
};

static inline int cgroup_set(const struct cgroup *cgroup, const char *name,
			     uint64_t value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup->path, name);
	return write_text(path, "%llu", (unsigned long long)value);
}

static inline long long cgroup_number(const struct cgroup *cgroup,
				      const char *name, const char *key)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroup->path, name);
	return read_number(path, key);
}

/* A group of the caller's own, which it is moved to; @max 0 is no limit. */
static inline void cgroup_enter(struct cgroup *cgroup, size_t max)
{
	snprintf(cgroup->path, sizeof(cgroup->path),
		 "/sys/fs/cgroup/defpager-test.%d", getpid());
	must(mkdir(cgroup->path, 0755) == 0);
	if (max)
		must(cgroup_set(cgroup, "memory.max", max) == 0);
	must(cgroup_set(cgroup, "cgroup.procs", 0) == 0);
}

/* False if the kernel had to kill somebody for memory. */
static inline bool cgroup_leave(struct cgroup *cgroup)
{
	long long kills = cgroup_number(cgroup, "memory.events", "oom_kill ");

	must(write_text("/sys/fs/cgroup/cgroup.procs", "0") == 0);
	/* Children that were killed take a moment to go. */
	must(wait_until(rmdir(cgroup->path) == 0));
	return kills == 0;
}

/* --- The pager and its space ------------------------------------------ */

static inline struct defpager_info totals(int pager)
{
	struct defpager_info info;

	must(pager_info(pager, &info) == 0);
	return info;
}

static inline size_t disk_size(const char *path)
{
	int disk = open(path, O_RDONLY | O_CLOEXEC);
	off_t size;

	must(disk >= 0);
	size = lseek(disk, 0, SEEK_END);
	must(size > 0);
	close(disk);
	return size;
}

/* Adds part of a disk to the default store, in records of 512 bytes. */
static inline struct defpager_segment_add
add_space(int pager, const char *path, uint64_t offset, uint64_t count)
{
	int store = store_open(pager, DEFPAGER_DEFAULT_STORE);
	int disk = open(path, O_RDWR | O_CLOEXEC);
	struct defpager_segment_add add;

	must(store >= 0 && disk >= 0);
	add = segment_range(disk, offset, count, 512);
	must(defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add) == 0);
	close(disk);
	close(store);
	return add;
}

/* The pager, with all of the first disk to page to. */
static inline int pager_open_with_space(void)
{
	int pager = pager_open();

	must(pager >= 0);
	/* A segment stays, so it may be there since an earlier test. */
	if (!totals(pager).nr_segments)
		add_space(pager, "/dev/vda", 0, disk_size("/dev/vda") / 512);
	return pager;
}

struct disk_writes {
	unsigned long long requests;
	unsigned long long sectors;
};

static inline struct disk_writes disk_writes(const char *name)
{
	struct disk_writes writes;
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", name);
	file = fopen(path, "re");
	must(file);
	must(fscanf(file, "%*u %*u %*u %*u %llu %*u %llu", &writes.requests,
		    &writes.sectors) == 2);
	fclose(file);
	return writes;
}

/* --- Objects ---------------------------------------------------------- */

/* An object, and a shared mapping of all of it. */
struct memory {
	int fd;
	uint64_t size;
	char *map;
};

static inline struct memory memory_create(int pager, uint64_t size)
{
	struct memory memory = { .size = size };

	memory.fd = object_create(pager, size);
	must(memory.fd >= 0);
	memory.map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  memory.fd, 0);
	must(memory.map != MAP_FAILED);
	return memory;
}

static inline void memory_destroy(struct memory *memory)
{
	must(munmap(memory->map, memory->size) == 0);
	must(close(memory->fd) == 0);
}

static inline uint64_t memory_pages(const struct memory *memory)
{
	return memory->size / page_size();
}

static inline char *memory_page(const struct memory *memory, uint64_t page)
{
	return memory->map + page * page_size();
}

static inline struct defpager_object_info
memory_info(const struct memory *memory)
{
	struct defpager_object_info info;

	must(object_info(memory->fd, &info) == 0);
	return info;
}

static inline uint64_t resident_pages(const struct memory *memory)
{
	return memory_info(memory).resident_bytes / page_size();
}

static inline uint64_t stored_pages(const struct memory *memory)
{
	return memory_info(memory).stored_bytes / page_size();
}

/* --- What is in a page ------------------------------------------------ */

/*
 * Every word of a page tells which page, which generation of it and which word
 * it is, so that whatever is mixed up shows. Generation 0 is an untouched
 * page: zeros.
 */
static inline uint64_t page_word(uint64_t page, uint32_t generation,
				 uint64_t word)
{
	if (!generation)
		return 0;
	return (page << 32 | generation) ^ word * 0x9e3779b97f4a7c15;
}

static inline void fill_page(void *address, uint64_t page, uint32_t generation)
{
	uint64_t i, count = page_size() / sizeof(uint64_t);
	volatile uint64_t *words = address;

	for (i = 0; i < count; i++)
		words[i] = page_word(page, generation, i);
}

static inline bool verify_page(const void *address, uint64_t page,
			       uint32_t generation)
{
	uint64_t i, count = page_size() / sizeof(uint64_t);
	const volatile uint64_t *words = address;
	uint64_t expected, found;

	for (i = 0; i < count; i++) {
		expected = page_word(page, generation, i);
		found = words[i];
		if (found == expected)
			continue;
		fprintf(stderr,
			"# page %ju word %ju: expected %016jx (generation %u), found %016jx\n",
			page, i, expected, generation, found);
		return false;
	}
	return true;
}

static inline void fill(const struct memory *memory, uint64_t first,
			uint64_t count, uint32_t generation)
{
	uint64_t page;

	for (page = first; page < first + count; page++)
		fill_page(memory_page(memory, page), page, generation);
}

static inline bool verify(const struct memory *memory, uint64_t first,
			  uint64_t count, uint32_t generation)
{
	uint64_t page;
	int bad = 0;

	/* A few are enough to see the pattern of what was lost. */
	for (page = first; page < first + count && bad < 10; page++)
		bad += !verify_page(memory_page(memory, page), page,
				    generation);
	return !bad;
}

static inline void fill_all(const struct memory *memory, uint32_t generation)
{
	fill(memory, 0, memory_pages(memory), generation);
}

static inline bool verify_all(const struct memory *memory, uint32_t generation)
{
	return verify(memory, 0, memory_pages(memory), generation);
}

/* --- Making the kernel reclaim ---------------------------------------- */

/* Whatever happens to be evicted, much of it is: how much is no matter. */
static inline void cgroup_reclaim(const struct cgroup *cgroup, uint64_t bytes)
{
	int ret = cgroup_set(cgroup, "memory.reclaim", bytes);

	/* EAGAIN: less than that was freed, as page-out takes its time. */
	must(!ret || ret == -EAGAIN || ret == -EINTR);
}

/*
 * MADV_PAGEOUT goes by what is mapped, and unmaps what it asks for: pages that
 * could not go at once are asked for again only if they are mapped again.
 */
static inline void madvise_pageout(const struct memory *memory)
{
	uint64_t page, count = memory_pages(memory);
	unsigned char *resident = malloc(count);

	must(resident && mincore(memory->map, memory->size, resident) == 0);
	for (page = 0; page < count; page++) {
		if (resident[page] & 1)
			*(volatile char *)memory_page(memory, page);
	}
	free(resident);
	must(madvise(memory->map, memory->size, MADV_PAGEOUT) == 0);
}

/*
 * Touches so many bytes of holes, each page of which takes memory. The classic LRU
 * keeps pages that were used twice from those used once: what is to be displaced
 * could stay on the active list for ever, which is not looked at while it is the
 * shorter one. So each page is used twice more, by read(), which takes any number
 * of times in a row for one.
 */
static inline void displace(int pager, uint64_t bytes)
{
	struct memory ballast = memory_create(pager, bytes);
	uint64_t page, count = memory_pages(&ballast);
	char byte;

	for (page = 0; page < count; page++) {
		*(volatile char *)memory_page(&ballast, page);
		must(pread(ballast.fd, &byte, 1, page * page_size()) == 1);
		if (page)
			must(pread(ballast.fd, &byte, 1,
				   (page - 1) * page_size()) == 1);
	}
	memory_destroy(&ballast);
}

enum reclaim_way {
	RECLAIM_MEMORY_MAX,
	RECLAIM_ON_REQUEST,
	RECLAIM_MADVISE,
	RECLAIM_GLOBAL,
};

struct reclaimer {
	enum reclaim_way way;
	int pager;
	struct cgroup cgroup;
	size_t limit;		/* of the group, or of the machine */
};

static inline void reclaim(const struct reclaimer *reclaimer,
			   const struct memory *memory)
{
	switch (reclaimer->way) {
	case RECLAIM_MEMORY_MAX:
	case RECLAIM_GLOBAL:
		displace(reclaimer->pager, reclaimer->limit);
		break;
	case RECLAIM_ON_REQUEST:
		cgroup_reclaim(&reclaimer->cgroup, memory->size);
		break;
	case RECLAIM_MADVISE:
		madvise_pageout(memory);
		break;
	}
}

/*
 * An emulated machine on a busy host is slow, and with a kernel that checks
 * itself so slow that a round may take longer than all of them elsewhere: both
 * have to be over.
 */
#define FORCE_OUT_SECONDS 240
#define FORCE_OUT_ROUNDS 10

/*
 * Page-out is asynchronous, in that reclaim asks for a page, a worker writes
 * it, and reclaim frees it when it comes by again. So it takes several rounds.
 */
static inline bool force_out(const struct reclaimer *reclaimer,
			     const struct memory *memory)
{
	double begin = now();
	uint64_t left;
	int round;

	for (round = 0; (left = resident_pages(memory)) > UNSEEN_PAGES;
	     round++) {
		if (round && round % FORCE_OUT_ROUNDS == 0)
			fprintf(stderr, "# %ju pages stay after %d rounds, %.0f s\n",
				(uintmax_t)left, round, now() - begin);
		if (round >= FORCE_OUT_ROUNDS &&
		    now() >= begin + FORCE_OUT_SECONDS)
			return false;
		reclaim(reclaimer, memory);
	}
	return true;
}

/*
 * Asks once for all pages to be written and dropped. MADV_PAGEOUT asks for what
 * is mapped, and unmaps it. The advice that they are not needed makes other
 * processors show the pages which they have not yet put where reclaim looks.
 */
static inline void ask_to_evict(const struct memory *memory)
{
	madvise_pageout(memory);
	posix_fadvise(memory->fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* Until none is in memory: those whose write had to come first go later. */
static inline bool evict(const struct memory *memory)
{
	double deadline = now() + FORCE_OUT_SECONDS;

	while (resident_pages(memory) && now() < deadline)
		ask_to_evict(memory);
	return !resident_pages(memory);
}

/* --- Faults that are expected ----------------------------------------- */

static sigjmp_buf on_bus_error;

static inline void bus_error(int signal)
{
	siglongjmp(on_bus_error, signal);
}

/* Stores a byte; false if that ended in SIGBUS. Not for several threads. */
static inline bool store_byte(char *address, char value)
{
	struct sigaction action = { .sa_handler = bus_error };
	struct sigaction saved;
	volatile bool stored = false;

	must(sigaction(SIGBUS, &action, &saved) == 0);
	if (!sigsetjmp(on_bus_error, 1)) {
		*(volatile char *)address = value;
		stored = true;
	}
	must(sigaction(SIGBUS, &saved, NULL) == 0);
	return stored;
}

#endif /* PAGING_UTILS_H */
