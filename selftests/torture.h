/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes that do all that can be done to one object, at random, and compare
 * each byte that they read with a copy which is kept beside it.
 *
 * What a process does follows from the seed and its number; what happens at the
 * same time does not.
 *
 * Parts of the device may fail at times. That shows in one way only: a page is
 * an error to whoever reads it, because the place where it is has refused to be
 * read since the page was last accessed. It is overwritten then, in the object
 * and in the copy; or it is left alone, to be an error once more, or what it
 * was. That the device refuses to be written is no excuse for anything.
 */
#ifndef TORTURE_H
#define TORTURE_H

#include <linux/falloc.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "store_utils.h"

#define OBJECT_SIZE MIB(48)
#define RANGE_MAX KIB(256)	/* of one operation */
#define BLOCK KIB(32)		/* what has a lock of its own */
#define NR_BLOCKS (OBJECT_SIZE / BLOCK)
#define DISK_SIZE MIB(512)

/* No page is smaller. */
#define PAGE_MIN KIB(4)

/* Shared by all processes. */
struct torture {
	pthread_rwlock_t size_lock;	/* the size, and whoever depends on it */
	pthread_mutex_t block_lock[NR_BLOCKS];
	uint64_t size;			/* of the object, now */
	volatile bool stop;
	uint64_t done[32];		/* operations, by kind */

	bool faulty;			/* parts of the disk fail at times, */
	volatile bool mended;		/* but not any more */
	/*
	 * How often parts of it began to refuse to be read, or ceased to: odd
	 * while they do so.
	 */
	uint32_t refusals;
	/* By page of the disk: what that was when it last refused to be read. */
	uint32_t refused[DISK_SIZE / PAGE_MIN];
	/* By page of the object, with its lock: when it was last accessed. */
	uint32_t accessed[OBJECT_SIZE / PAGE_MIN];
	uint64_t errors;		/* that were met, and excused */
	uint64_t overwritten;		/* pages, because of that */
};

static struct torture *torture;
static char *shadow;
static char *map;
static int object;
static uint64_t seed;

/* Of this process. */
static uint64_t random_state;
static unsigned int worker;
static uint64_t nr_operations;

static inline uint64_t below(uint64_t limit)
{
	return limit ? next_random(&random_state) % limit : 0;
}

static inline bool one_in(unsigned int n)
{
	return below(n) == 0;
}

/* Of the object, in bytes. */
struct range {
	uint64_t start;
	uint64_t length;
};

/* --- Locks --------------------------------------------------------------- */

static inline void lock_range(struct range range)
{
	for (uint64_t i = range.start / BLOCK;
	     i * BLOCK < range.start + range.length; i++)
		must(pthread_mutex_lock(&torture->block_lock[i]) == 0);
}

static inline void unlock_range(struct range range)
{
	for (uint64_t i = range.start / BLOCK;
	     i * BLOCK < range.start + range.length; i++)
		must(pthread_mutex_unlock(&torture->block_lock[i]) == 0);
}

/* Somewhere within the size; often at the borders of pages, often small. */
static inline struct range random_range(void)
{
	uint64_t longest = one_in(4) ? RANGE_MAX : 3 * page_size();
	struct range range;

	range.start = below(torture->size);
	range.length = 1 + below(longest);
	if (one_in(2)) {
		range.start -= range.start % page_size();
		range.length += page_size() - 1;
		range.length -= range.length % page_size();
	}
	if (range.length > torture->size - range.start)
		range.length = torture->size - range.start;
	return range;
}

/* Whole pages within a range. */
static inline struct range pages_of(struct range range)
{
	uint64_t end = range.start + range.length;

	range.start += page_size() - 1;
	range.start -= range.start % page_size();
	end -= end % page_size();
	range.length = end > range.start ? end - range.start : 0;
	return range;
}

/* --- Comparing ----------------------------------------------------------- */

static inline void failed(const char *what, uint64_t at)
{
	fprintf(stderr, "# seed %ju process %u operation %ju: %s at %ju (%s)\n",
		seed, worker, nr_operations, what, at, strerror(errno));
	_exit(1);
}

static inline void compare(const char *what, const char *found,
			   struct range range)
{
	const char *expected = shadow + range.start;

	if (!memcmp(found, expected, range.length))
		return;
	for (uint64_t i = 0; i < range.length; i++) {
		if (found[i] == expected[i])
			continue;
		fprintf(stderr, "# expected %#hhx, found %#hhx\n", expected[i],
			found[i]);
		failed(what, range.start + i);
	}
	failed("for a moment it was not there", range.start);
}

/* --- Pages that cannot be read ------------------------------------------- */

/* What an operation returns: the page that was in its way. */
#define NO_PAGE UINT64_MAX

/* A private mapping of part of the object, if there is one. */
static char *volatile copy;
static struct range copied;

static volatile uint64_t faulted;	/* page */

static inline void on_fault(int signal, siginfo_t *info, void *context)
{
	char *address = info->si_addr;

	(void)signal;
	(void)context;
	if (address >= map && address < map + OBJECT_SIZE)
		faulted = (address - map) / page_size();
	else if (copy && address >= copy && address < copy + copied.length)
		faulted = (copied.start + (address - copy)) / page_size();
	else
		failed("SIGBUS elsewhere", 0);
	siglongjmp(on_bus_error, 1);
}

/* Without blocking it: nothing has to be undone by who jumps. */
static inline void catch_faults(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	must(sigaction(SIGBUS, &action, NULL) == 0);
}

static inline uint32_t refusals(void)
{
	return __atomic_load_n(&torture->refusals, __ATOMIC_SEQ_CST);
}

/* By whoever makes pages of the disk refuse to be read, before and after. */
static inline void refusals_change(void)
{
	__atomic_add_fetch(&torture->refusals, 1, __ATOMIC_SEQ_CST);
}

/*
 * Is there a reason for a page to be an error, after it was there when there
 * had been so many refusals? A drain may be moving it at this moment, so where
 * it was is known only if it is listed as one that cannot be read.
 */
static inline bool excused(uint64_t page)
{
	const struct memory memory = { .fd = object };
	uint32_t since = torture->accessed[page];
	struct defpager_page_range row;

	if (!torture->faulty || (since % 2 == 0 && refusals() == since))
		return false;
	row = page_place(&memory, page);
	return !(row.flags & DEFPAGER_PAGE_UNREADABLE) ||
	       torture->refused[row.device_offset / page_size()] >= since;
}

/*
 * An operation has come as far as this, and errno says why no further: EFAULT
 * if the page was to be the source.
 */
static inline uint64_t stopped(const char *what, uint64_t at)
{
	if (!torture->faulty || (errno != EIO && errno != EFAULT))
		failed(what, at);
	return at / page_size();
}

/* --- What is done -------------------------------------------------------- */

static char buffer[RANGE_MAX + 4096];

/* Zeros now and then, for whole pages, since they are a case of their own. */
static inline void new_content(struct range range)
{
	uint64_t word = one_in(6) ? 0 : next_random(&random_state);

	for (uint64_t i = 0; i < range.length; i++)
		buffer[i] = word ? (char)(word >> i % 57) : 0;
	memcpy(shadow + range.start, buffer, range.length);
}

static inline uint64_t store_in_map(struct range range)
{
	new_content(range);
	memcpy(map + range.start, buffer, range.length);
	return NO_PAGE;
}

/* Only an error stops it, and is told as soon as nothing is in front of it. */
static inline uint64_t write_from(const char *what, const char *from,
				  struct range range)
{
	ssize_t done = pwrite(object, from, range.length, range.start);

	if (done == (ssize_t)range.length)
		return NO_PAGE;
	if (done < 0)
		return stopped(what, range.start);
	if (!torture->faulty || !done)
		failed(what, range.start + done);
	range.start += done;
	range.length -= done;
	return write_from(what, from + done, range);
}

static inline uint64_t write_file(struct range range)
{
	new_content(range);
	return write_from("pwrite", buffer, range);
}

/* The source of the write is what it writes to. */
static inline uint64_t write_from_itself(struct range range)
{
	return write_from("pwrite from itself", map + range.start, range);
}

static inline uint64_t load_from_map(struct range range)
{
	compare("memory", map + range.start, range);
	return NO_PAGE;
}

static inline uint64_t read_file(struct range range)
{
	ssize_t done = pread(object, buffer, range.length, range.start);
	struct range rest = range;

	if (done < 0)
		return stopped("pread", range.start);
	rest.start += done;
	rest.length -= done;
	range.length = done;
	compare("pread()", buffer, range);
	if (!rest.length)
		return NO_PAGE;
	if (!torture->faulty || !done)
		failed("pread", rest.start);
	return read_file(rest);
}

static inline uint64_t punch(struct range range)
{
	int mode = one_in(2) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	uint64_t first = range.start / page_size();
	uint64_t last = (range.start + range.length - 1) / page_size();

	if (!fallocate(object, mode | FALLOC_FL_KEEP_SIZE, range.start,
		       range.length)) {
		memset(shadow + range.start, 0, range.length);
		return NO_PAGE;
	}
	if (errno == EOPNOTSUPP)
		return NO_PAGE;
	stopped("fallocate", range.start);
	if (!excused(first) && !excused(last))
		failed("fallocate without a reason", range.start);
	/* One of the pages at its ends, unless it is there by now. */
	(void)*(volatile char *)(map + range.start);
	(void)*(volatile char *)(map + range.start + range.length - 1);
	return punch(range);
}

static inline uint64_t preallocate(struct range range)
{
	if (fallocate(object, FALLOC_FL_KEEP_SIZE, range.start, range.length) &&
	    errno != EOPNOTSUPP && errno != ENOSPC)
		failed("fallocate", range.start);
	return NO_PAGE;
}

static inline uint64_t advise(struct range range)
{
	static const int advice[] = {
		MADV_PAGEOUT, MADV_PAGEOUT, MADV_COLD, MADV_WILLNEED,
		MADV_DONTNEED, MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL,
	};

	range = pages_of(range);
	if (range.length &&
	    madvise(map + range.start, range.length,
		    advice[below(sizeof(advice) / sizeof(advice[0]))]))
		failed("madvise", range.start);
	return NO_PAGE;
}

static inline uint64_t map_anew(struct range range)
{
	range = pages_of(range);
	if (range.length &&
	    mmap(map + range.start, range.length, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, object, range.start) == MAP_FAILED)
		failed("mmap", range.start);
	return NO_PAGE;
}

static inline void forget_copy(void)
{
	if (copy)
		munmap(copy, copied.length);
	copy = NULL;
}

/* A private copy of pages does not follow what happens to them. */
static inline uint64_t copy_privately(struct range range)
{
	char *address;

	copied = pages_of(range);
	if (!copied.length)
		return NO_PAGE;
	address = mmap(NULL, copied.length, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		       object, copied.start);
	if (address == MAP_FAILED)
		failed("mmap", copied.start);
	copy = address;
	compare("private mapping", copy, copied);
	memset(copy, 0x55, copied.length);
	compare("behind the private mapping", map + copied.start, copied);
	return NO_PAGE;
}

static inline uint64_t drop_clean_pages(struct range range)
{
	if (posix_fadvise(object, range.start, range.length,
			  POSIX_FADV_DONTNEED))
		failed("posix_fadvise", range.start);
	return NO_PAGE;
}

/* Needs the object for itself. The range begins at the new size. */
static inline uint64_t resize(struct range range)
{
	uint64_t old = torture->size, size = range.start;

	/* The page where one of them ends has to be cut, if it is a whole one. */
	if (ftruncate(object, size))
		return stopped("ftruncate", size < old ? size : old);
	if (size < old)
		memset(shadow + size, 0, old - size);
	torture->size = size;
	/* What is between the end and the end of its page is zero. */
	for (uint64_t i = size; i % page_size(); i++)
		if (map[i])
			failed("behind the end", i);
	return NO_PAGE;
}

/* --- Until it is done ---------------------------------------------------- */

enum {
	ACCESSES = 1,		/* all pages of the range were there */
	CHANGES_NOTHING = 2,	/* so it may be left undone */
};

struct operation {
	const char *name;
	uint64_t (*run)(struct range range);
	unsigned int weight;
	unsigned int flags;
};

static const struct operation operations[] = {
	{ "store", store_in_map, 20, ACCESSES },
	{ "write", write_file, 20, ACCESSES },
	{ "load", load_from_map, 30, ACCESSES | CHANGES_NOTHING },
	{ "read", read_file, 20, ACCESSES | CHANGES_NOTHING },
	{ "write-itself", write_from_itself, 2, ACCESSES | CHANGES_NOTHING },
	{ "punch", punch, 3, ACCESSES },
	{ "preallocate", preallocate, 2, 0 },
	{ "advise", advise, 6, 0 },
	{ "map", map_anew, 2, 0 },
	{ "private", copy_privately, 2, CHANGES_NOTHING },
	{ "drop", drop_clean_pages, 1, 0 },
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static const struct operation resizing = { .name = "resize", .run = resize };

static inline const struct operation *random_operation(void)
{
	unsigned int i, sum = 0, chosen;

	for (i = 0; i < NR_OPERATIONS; i++)
		sum += operations[i].weight;
	chosen = below(sum);
	for (i = 0; chosen >= operations[i].weight; i++)
		chosen -= operations[i].weight;
	return &operations[i];
}

/*
 * Overwrite a page as a whole, or take it away: it is there then, whatever the
 * device does. Nobody else accesses it meanwhile.
 */
static inline void make_good(uint64_t page)
{
	struct range range = { PAGES(page), page_size() };
	uint32_t since = refusals();
	unsigned int tries = 100;

	if (one_in(3) || range.start + range.length > torture->size) {
		if (fallocate(object,
			      FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      range.start, range.length))
			failed("punch what cannot be read", range.start);
		memset(shadow + range.start, 0, range.length);
	} else {
		new_content(range);
		/* While the source is being migrated, the page is read. */
		while (pwrite(object, buffer, range.length, range.start) !=
		       (ssize_t)range.length)
			if (errno != EIO || !--tries)
				failed("overwrite what cannot be read",
				       range.start);
	}
	torture->accessed[page] = since;
	__atomic_add_fetch(&torture->overwritten, 1, __ATOMIC_RELAXED);
}

/* Returns the page that was in its way. */
static inline uint64_t try_operation(const struct operation *operation,
				     struct range range)
{
	uint64_t page;

	if (sigsetjmp(on_bus_error, 0))
		page = faulted;
	else
		page = operation->run(range);
	forget_copy();
	return page;
}

/* Again and again, if pages cannot be read. All changes are made each time. */
static inline void run_operation(const struct operation *operation,
				 struct range range)
{
	uint64_t page, end = range.start + range.length;
	uint32_t since;

	while (true) {
		since = refusals();
		page = try_operation(operation, range);
		if (page == NO_PAGE)
			break;
		if (!excused(page))
			failed("an error without a reason", PAGES(page));
		__atomic_add_fetch(&torture->errors, 1, __ATOMIC_RELAXED);
		if (operation->flags & CHANGES_NOTHING && one_in(2))
			return;
		make_good(page);
	}
	if (!(operation->flags & ACCESSES))
		return;
	for (page = range.start / page_size(); PAGES(page) < end; page++)
		torture->accessed[page] = since;
}

static inline void operate(void)
{
	const struct operation *operation = random_operation();
	struct range range = { .length = 1 };

	nr_operations++;
	if (one_in(400)) {
		range.start = OBJECT_SIZE / 4 + below(OBJECT_SIZE * 3 / 4) + 1;
		if (one_in(2))
			range.start -= range.start % page_size();
		must(pthread_rwlock_wrlock(&torture->size_lock) == 0);
		run_operation(&resizing, range);
		must(pthread_rwlock_unlock(&torture->size_lock) == 0);
		return;
	}
	must(pthread_rwlock_rdlock(&torture->size_lock) == 0);
	range = random_range();
	lock_range(range);
	run_operation(operation, range);
	unlock_range(range);
	must(pthread_rwlock_unlock(&torture->size_lock) == 0);
	__atomic_add_fetch(&torture->done[operation - operations], 1,
			   __ATOMIC_RELAXED);
}

static inline int work(void)
{
	while (!torture->stop)
		operate();
	return 0;
}

/* --- Processes ----------------------------------------------------------- */

static inline void *shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED);
	/* Memory belongs to whoever touches it first, and that is not them. */
	memset(memory, 0, size);
	return memory;
}

static inline void set_up_locks(void)
{
	pthread_rwlockattr_t rwlock;
	pthread_mutexattr_t mutex;

	must(pthread_rwlockattr_init(&rwlock) == 0);
	must(pthread_rwlockattr_setpshared(&rwlock,
					   PTHREAD_PROCESS_SHARED) == 0);
	/* Or the one that wants it for itself waits for ever. */
	must(pthread_rwlockattr_setkind_np(&rwlock,
		PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0);
	must(pthread_rwlock_init(&torture->size_lock, &rwlock) == 0);
	must(pthread_mutexattr_init(&mutex) == 0);
	must(pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0);
	for (size_t i = 0; i < NR_BLOCKS; i++)
		must(pthread_mutex_init(&torture->block_lock[i], &mutex) == 0);
}

static inline uint64_t choose_seed(void)
{
	const char *given = getenv("DEFPAGER_TEST_SEED");

	return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

/* Before there is an object, or anybody who works on it. */
static inline void torture_begin(bool faulty)
{
	seed = choose_seed();
	printf("# DEFPAGER_TEST_SEED=%ju\n", (uintmax_t)seed);
	random_state = seed + 1;
	torture = shared(sizeof(*torture));
	shadow = shared(OBJECT_SIZE);
	set_up_locks();
	torture->size = OBJECT_SIZE;
	torture->faulty = faulty;
	catch_faults();
}

static inline pid_t start(unsigned int number, int (*run)(void))
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker = number;
	random_state = seed * 1000003 + number + 1;
	for (int i = 0; i < 8; i++)
		next_random(&random_state);
	_exit(run());
}

/*
 * Until time is up, and they have come across what they are there for; or one of
 * them has ended. Whether all are content.
 */
static inline bool wait_for_all(const pid_t *pids, int nr, double seconds,
				bool (*enough)(void))
{
	double end = now() + seconds;
	bool content = true;
	int status, left = nr;
	pid_t pid;

	while (left) {
		pid = waitpid(-1, &status, torture->stop ? 0 : WNOHANG);
		must(pid >= 0);
		if (pid) {
			content = content && WIFEXITED(status) &&
				  !WEXITSTATUS(status);
			left--;
		} else {
			sleep_ms(50);
		}
		if (!content && !torture->stop) {
			/* Others may wait for what it has locked. */
			for (int i = 0; i < nr; i++)
				kill(pids[i], SIGKILL);
			return false;
		}
		torture->stop = torture->stop || (now() > end && enough());
	}
	return content;
}

static inline void report(void)
{
	printf("# done:");
	for (size_t i = 0; i < NR_OPERATIONS; i++)
		printf(" %s %ju", operations[i].name,
		       (uintmax_t)torture->done[i]);
	printf("\n");
}

#endif /* TORTURE_H */
