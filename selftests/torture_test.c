// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that do all that can be done to one object, at random, and compare
 * each byte that they read with a copy which is kept beside it; while another
 * process adds and drains segments and moves the object from store to store.
 *
 * What a process does follows from the seed, which is printed, and its number;
 * what happens at the same time does not. DEFPAGER_TEST_SEED repeats a seed,
 * DEFPAGER_TEST_SECONDS says for how long. Needs a disk of 512 MiB.
 */
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/time.h>

#include "paging_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 50

#define WORKERS 4
#define LIMIT MIB(24)		/* of memory, for all that they do */
#define OBJECT_SIZE MIB(48)
#define RANGE_MAX KIB(256)	/* of one operation */
#define BLOCK KIB(32)		/* what has a lock of its own */
#define NR_BLOCKS (OBJECT_SIZE / BLOCK)

/* The disk, in parts that are segments at times. */
#define PART_SIZE MIB(64)
#define NR_PARTS 8

/* Shared by all processes. */
struct torture {
	pthread_rwlock_t size_lock;	/* the size, and whoever depends on it */
	pthread_mutex_t block_lock[NR_BLOCKS];
	uint64_t size;			/* of the object, now */
	volatile bool stop;
	uint64_t done[32];		/* operations, by kind */
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

static uint64_t below(uint64_t limit)
{
	return limit ? next_random(&random_state) % limit : 0;
}

static bool one_in(unsigned int n)
{
	return below(n) == 0;
}

struct range {
	uint64_t start;
	uint64_t length;
};

/* --- Locks --------------------------------------------------------------- */

static void lock_range(struct range range)
{
	for (uint64_t i = range.start / BLOCK;
	     i * BLOCK < range.start + range.length; i++)
		must(pthread_mutex_lock(&torture->block_lock[i]) == 0);
}

static void unlock_range(struct range range)
{
	for (uint64_t i = range.start / BLOCK;
	     i * BLOCK < range.start + range.length; i++)
		must(pthread_mutex_unlock(&torture->block_lock[i]) == 0);
}

/* Somewhere within the size; often at the borders of pages, often small. */
static struct range random_range(void)
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
static struct range pages_of(struct range range)
{
	uint64_t end = range.start + range.length;

	range.start += page_size() - 1;
	range.start -= range.start % page_size();
	end -= end % page_size();
	range.length = end > range.start ? end - range.start : 0;
	return range;
}

/* --- Comparing ----------------------------------------------------------- */

static void failed(const char *what, uint64_t at)
{
	fprintf(stderr, "# seed %ju process %u operation %ju: %s at %ju (%s)\n",
		seed, worker, nr_operations, what, at, strerror(errno));
	_exit(1);
}

static void compare(const char *what, const char *found, struct range range)
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
}

/* --- What is done -------------------------------------------------------- */

static char buffer[RANGE_MAX + 4096];

/* Zeros now and then, for whole pages, since they are a case of their own. */
static void new_content(struct range range)
{
	uint64_t word = one_in(6) ? 0 : next_random(&random_state);

	for (uint64_t i = 0; i < range.length; i++)
		buffer[i] = word ? (char)(word >> i % 57) : 0;
	memcpy(shadow + range.start, buffer, range.length);
}

static void store_in_map(struct range range)
{
	new_content(range);
	memcpy(map + range.start, buffer, range.length);
}

static void write_file(struct range range)
{
	new_content(range);
	if (pwrite(object, buffer, range.length, range.start) !=
	    (ssize_t)range.length)
		failed("pwrite", range.start);
}

static void load_from_map(struct range range)
{
	compare("memory", map + range.start, range);
}

static void read_file(struct range range)
{
	if (pread(object, buffer, range.length, range.start) !=
	    (ssize_t)range.length)
		failed("pread", range.start);
	compare("pread()", buffer, range);
}

/* The source of the write is what it writes to. */
static void write_from_itself(struct range range)
{
	if (pwrite(object, map + range.start, range.length, range.start) !=
	    (ssize_t)range.length)
		failed("pwrite from itself", range.start);
}

static void punch(struct range range)
{
	int mode = one_in(2) ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	if (fallocate(object, mode | FALLOC_FL_KEEP_SIZE, range.start,
		      range.length)) {
		if (errno != EOPNOTSUPP)
			failed("fallocate", range.start);
		return;
	}
	memset(shadow + range.start, 0, range.length);
}

static void preallocate(struct range range)
{
	if (fallocate(object, FALLOC_FL_KEEP_SIZE, range.start, range.length) &&
	    errno != EOPNOTSUPP && errno != ENOSPC)
		failed("fallocate", range.start);
}

static void advise(struct range range)
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
}

static void map_anew(struct range range)
{
	range = pages_of(range);
	if (range.length &&
	    mmap(map + range.start, range.length, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, object, range.start) == MAP_FAILED)
		failed("mmap", range.start);
}

/* A private copy of pages does not follow what happens to them. */
static void copy_privately(struct range range)
{
	char *copy;

	range = pages_of(range);
	if (!range.length)
		return;
	copy = mmap(NULL, range.length, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		    object, range.start);
	if (copy == MAP_FAILED)
		failed("mmap", range.start);
	compare("private mapping", copy, range);
	memset(copy, 0x55, range.length);
	compare("behind the private mapping", map + range.start, range);
	munmap(copy, range.length);
}

static void drop_clean_pages(struct range range)
{
	if (posix_fadvise(object, range.start, range.length,
			  POSIX_FADV_DONTNEED))
		failed("posix_fadvise", range.start);
}

static const struct {
	const char *name;
	void (*run)(struct range range);
	unsigned int weight;
} operations[] = {
	{ "store", store_in_map, 20 },
	{ "write", write_file, 20 },
	{ "load", load_from_map, 30 },
	{ "read", read_file, 20 },
	{ "write-itself", write_from_itself, 2 },
	{ "punch", punch, 3 },
	{ "preallocate", preallocate, 2 },
	{ "advise", advise, 6 },
	{ "map", map_anew, 2 },
	{ "private", copy_privately, 2 },
	{ "drop", drop_clean_pages, 1 },
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static unsigned int random_operation(void)
{
	unsigned int i, sum = 0, chosen;

	for (i = 0; i < NR_OPERATIONS; i++)
		sum += operations[i].weight;
	chosen = below(sum);
	for (i = 0; chosen >= operations[i].weight; i++)
		chosen -= operations[i].weight;
	return i;
}

/* Needs the object for itself. */
static void resize(void)
{
	uint64_t old = torture->size;
	uint64_t size = OBJECT_SIZE / 4 + below(OBJECT_SIZE * 3 / 4) + 1;

	if (one_in(2))
		size -= size % page_size();
	if (ftruncate(object, size))
		failed("ftruncate", size);
	if (size < old)
		memset(shadow + size, 0, old - size);
	torture->size = size;
	/* What is between the end and the end of its page is zero. */
	for (uint64_t i = size; i % page_size(); i++)
		if (map[i])
			failed("behind the end", i);
}

static void operate(void)
{
	unsigned int kind = random_operation();
	struct range range;

	nr_operations++;
	if (one_in(400)) {
		must(pthread_rwlock_wrlock(&torture->size_lock) == 0);
		resize();
		must(pthread_rwlock_unlock(&torture->size_lock) == 0);
		return;
	}
	must(pthread_rwlock_rdlock(&torture->size_lock) == 0);
	range = random_range();
	lock_range(range);
	operations[kind].run(range);
	unlock_range(range);
	must(pthread_rwlock_unlock(&torture->size_lock) == 0);
	__atomic_add_fetch(&torture->done[kind], 1, __ATOMIC_RELAXED);
}

static int work(void)
{
	while (!torture->stop)
		operate();
	return 0;
}

/* --- Whoever disturbs them ----------------------------------------------- */

static int pager, disk;
static int home = -1;			/* the store that the object is in */
static bool used[NR_PARTS];
static uint64_t part_id[NR_PARTS];
static unsigned int nr_stores;

static int new_store(void)
{
	static const uint32_t flags[] = {
		0, DEFPAGER_STORE_EXCLUSIVE, DEFPAGER_STORE_CHECKSUM,
		DEFPAGER_STORE_ENCRYPT | DEFPAGER_STORE_CHECKSUM,
		DEFPAGER_STORE_DISCARD,
	};
	struct defpager_backing_store_create create = {
		.size = sizeof(create),
		.flags = flags[below(sizeof(flags) / sizeof(flags[0]))],
		.priority = (int)below(3) - 1,
		.cluster_bytes = page_size() << below(8),
	};

	snprintf(create.name, sizeof(create.name), "torture-%u", nr_stores++);
	must(defpager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_CREATE,
			    &create) == 0);
	return create.fd;
}

static bool add_part(int store)
{
	struct defpager_segment_add add;

	for (int i = 0; i < NR_PARTS; i++) {
		if (used[i])
			continue;
		add = segment_range(disk, i * PART_SIZE / 4096,
				    PART_SIZE / 4096, 4096);
		must(defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add) == 0);
		used[i] = true;
		part_id[i] = add.id;
		return true;
	}
	return false;
}

static void interrupted(int signal)
{
	(void)signal;
}

/* A drain that is ended by a signal, at times. */
static void maybe_interrupt(bool begin)
{
	struct itimerval timer = { };

	if (begin && one_in(3))
		timer.it_value.tv_usec = 1000 + below(300000);
	must(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void remove_part(int store)
{
	struct defpager_segment_remove remove = {
		.size = sizeof(remove),
		.target = -1,
	};
	int ret, i = below(NR_PARTS);

	if (!used[i])
		return;
	remove.id = part_id[i];
	maybe_interrupt(true);
	ret = defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_REMOVE, &remove);
	maybe_interrupt(false);
	if (ret == 0)
		used[i] = false;
	else if (ret != -ENOSPC && ret != -EBUSY && ret != -EINTR &&
		 ret != -ENOMEM)
		failed("segment remove", -ret);
}

static int delete_store(int store, int target)
{
	struct defpager_backing_store_delete delete = {
		.size = sizeof(delete),
		.target = target,
	};

	return defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_DELETE,
			      &delete);
}

/* Delete the home of the object, which gets another one. */
static void move_house(void)
{
	struct defpager_backing_store_info info;
	int ret, parts = 0, store = new_store();

	while (parts < 2 && add_part(store))
		parts++;
	maybe_interrupt(true);
	ret = delete_store(home, store);
	maybe_interrupt(false);
	if (ret && ret != -EINTR && ret != -ENOSPC && ret != -ENOMEM)
		failed("store delete", -ret);
	if (ret) {
		/* By halves: one of the two has the object now. */
		must(store_info(home, &info) == 0);
		if (info.nr_objects) {
			must(delete_store(store, -1) == 0);
			close(store);
			return;
		}
		must(delete_store(home, -1) == 0);
	}
	close(home);
	home = store;
}

/* What was removed with a store is free again. */
static void count_parts(void)
{
	struct defpager_segment_info row;

	for (int i = 0; i < NR_PARTS; i++)
		used[i] = used[i] && list_find(home, DEFPAGER_IOC_SEGMENTS,
					       part_id[i], &row,
					       sizeof(row)) == 0;
}

static int disturb(void)
{
	struct sigaction action = { .sa_handler = interrupted };

	must(sigaction(SIGALRM, &action, NULL) == 0);
	while (!torture->stop) {
		if (one_in(8))
			move_house();
		else if (one_in(2))
			add_part(home);
		else
			remove_part(home);
		count_parts();
		sleep_ms(below(200));
	}
	return 0;
}

/* --- The test ------------------------------------------------------------ */

static void *shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED);
	/* Memory belongs to whoever touches it first, and that is not them. */
	memset(memory, 0, size);
	return memory;
}

static void set_up_locks(void)
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

static pid_t start(unsigned int number, int (*run)(void))
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

static uint64_t choose_seed(void)
{
	const char *given = getenv("DEFPAGER_TEST_SEED");

	return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
}

/* Until time is up or one of them has ended; whether all are content. */
static bool wait_for_all(const pid_t *pids, int nr, double seconds)
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
		torture->stop = torture->stop || now() > end;
	}
	return content;
}

static void report(void)
{
	printf("# done:");
	for (size_t i = 0; i < NR_OPERATIONS; i++)
		printf(" %s %ju", operations[i].name,
		       (uintmax_t)torture->done[i]);
	printf("\n");
}

FIXTURE(torture) { };
FIXTURE_SETUP(torture) { }
FIXTURE_TEARDOWN(torture) { }

TEST_F_TIMEOUT(torture, every_byte_is_as_it_was_written, TIMEOUT)
{
	struct range all = { };
	pid_t pids[WORKERS + 1];
	struct cgroup cgroup;

	seed = choose_seed();
	printf("# DEFPAGER_TEST_SEED=%ju\n", (uintmax_t)seed);
	random_state = seed + 1;
	torture = shared(sizeof(*torture));
	shadow = shared(OBJECT_SIZE);
	set_up_locks();
	torture->size = OBJECT_SIZE;
	pager = pager_open();
	disk = open("/dev/vda", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, pager);
	ASSERT_LE(0, disk);
	home = new_store();
	ASSERT_TRUE(add_part(home));
	ASSERT_TRUE(add_part(home));

	struct defpager_object_create create = object_request(OBJECT_SIZE);

	create.backing_store = home;
	ASSERT_EQ(0, defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE,
				    &create));
	object = create.fd;
	map = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		   object, 0);
	ASSERT_NE(MAP_FAILED, map);

	cgroup_enter(&cgroup, LIMIT);
	for (int i = 0; i < WORKERS; i++)
		pids[i] = start(i, work);
	pids[WORKERS] = start(WORKERS, disturb);
	EXPECT_TRUE(wait_for_all(pids, WORKERS + 1, test_seconds(SECONDS)));
	report();
	all.length = torture->size;
	worker = WORKERS + 1;
	compare("the end", map, all);

	munmap(map, OBJECT_SIZE);
	close(object);
	EXPECT_TRUE(cgroup_leave(&cgroup));
	EXPECT_TRUE(wait_until(!totals(pager).reserved_bytes));
	EXPECT_EQ(totals(pager).total_bytes, totals(pager).free_bytes);
}

TEST_HARNESS_MAIN
