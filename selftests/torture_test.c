// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that do all that can be done to one object, at random, and compare
 * each byte that they read with a copy; while another process adds and drains
 * segments and moves the object from store to store, and yet another one makes
 * parts of the disk fail.
 *
 * DEFPAGER_TEST_SEED repeats a seed, which is printed; DEFPAGER_TEST_SECONDS
 * says for how long each test goes on. Needs two disks of 512 MiB.
 */
#include <sys/time.h>

#include "faulty_utils.h"
#include "torture.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 25

#define WORKERS 4
#define LIMIT MIB(24)		/* of memory, for all that they do */

/* The disk, in parts that are segments at times. */
#define PART_SIZE MIB(64)
#define NR_PARTS (DISK_SIZE / PART_SIZE)
/* Of those, for the next home: bad places are forgotten with a segment. */
#define SPARE_PARTS 2

static int pager, disk;
static struct faulty faulty;		/* the disk, if it is one that fails */

/* --- Whoever moves it ---------------------------------------------------- */

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

static unsigned int unused_parts(void)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < NR_PARTS; i++)
		nr += !used[i];
	return nr;
}

static bool add_part(int store)
{
	struct defpager_segment_add add;

	for (size_t i = 0; i < NR_PARTS; i++) {
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

/* What may end a drain. */
static void check_drain(const char *what, int ret)
{
	if (ret && ret != -ENOSPC && ret != -EINTR && ret != -ENOMEM &&
	    !(ret == -EIO && torture->faulty))
		failed(what, -ret);
}

static void remove_part(int store)
{
	int ret, i = below(NR_PARTS);

	if (!used[i])
		return;
	maybe_interrupt(true);
	ret = segment_remove(store, part_id[i], -1);
	maybe_interrupt(false);
	if (ret == 0)
		used[i] = false;
	else if (ret != -EBUSY)
		check_drain("segment remove", ret);
}

/*
 * Delete a store that nobody is in, but for pages which have not followed their
 * object. What cannot be read now can be later, and is tried anew each time. Once
 * the disk is mended, it is only a matter of what was under way.
 */
static void insist_on_leaving(int store, int target)
{
	unsigned int tries = 1000;
	int ret;

	while ((ret = store_delete(store, target))) {
		check_drain("store delete", ret);
		if (!torture->faulty || (torture->mended && !--tries))
			failed("store delete", -ret);
		sleep_ms(50);
	}
	close(store);
}

/* Delete the home of the object, which gets another one. */
static void move_house(void)
{
	struct defpager_backing_store_info info;
	int ret, parts = 0, store = new_store();

	while (parts < 2 && add_part(store))
		parts++;
	maybe_interrupt(true);
	ret = store_delete(home, store);
	maybe_interrupt(false);
	check_drain("store delete", ret);
	if (ret) {
		/* By halves: one of the two has the object now. */
		must(store_info(home, &info) == 0);
		if (info.nr_objects) {
			insist_on_leaving(store, -1);
			return;
		}
		insist_on_leaving(home, -1);
	} else {
		close(home);
	}
	home = store;
}

/*
 * The disk is well again. Whoever drains reads once more what could not be read,
 * and what is changed goes to where nothing has ever failed: so all is there.
 */
static void move_for_good(void)
{
	int store = new_store();

	while (!torture->mended)
		sleep_ms(5);
	must(add_part(store) && add_part(store));
	insist_on_leaving(home, store);
}

/* What was removed with a store is free again. */
static void count_parts(void)
{
	struct defpager_segment_info row;

	for (size_t i = 0; i < NR_PARTS; i++)
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
			remove_part(home);
		else if (!torture->faulty || unused_parts() > SPARE_PARTS)
			add_part(home);
		count_parts();
		sleep_ms(below(200));
	}
	if (torture->faulty)
		move_for_good();
	return 0;
}

/* --- Whoever breaks the disk --------------------------------------------- */

static bool chosen[DISK_SIZE / PAGE_MIN];

/* Every so many pages of a range of the disk. */
static void choose(uint64_t start, uint64_t length, uint64_t step)
{
	uint64_t page, end = (start + length) / page_size();

	for (page = start / page_size(); page < end; page += step)
		chosen[page] = true;
}

/* Where a page of the object is, most likely. */
static uint64_t some_place(void)
{
	const struct memory memory = { .fd = object };
	struct defpager_page_range row;

	row = page_place(&memory, below(OBJECT_SIZE / page_size()));
	if (row.flags & DEFPAGER_PAGE_STORED)
		return row.device_offset;
	return below(DISK_SIZE);
}

static void choose_some(void)
{
	uint64_t start = some_place();
	uint64_t part = start - start % PART_SIZE;

	switch (below(6)) {
	case 0:
		choose(0, DISK_SIZE, 1);
		break;
	case 1 ... 2:
		choose(part, PART_SIZE, 1);
		break;
	case 3:
		choose(part, PART_SIZE, 64 + below(256));
		break;
	default:
		choose(start, below(DISK_SIZE - start), 1);
		break;
	}
}

/* What is in memory is no test of the disk. */
static void send_out(uint32_t flags)
{
	struct defpager_object_pageout move = {
		.size = sizeof(move),
		.flags = DEFPAGER_PAGEOUT_OUT | flags,
	};

	must(defpager_ioctl(object, DEFPAGER_IOC_OBJECT_PAGEOUT, &move) == 0);
}

static void refuse_writes(void)
{
	faulty_set_pages(&faulty, chosen, FAULTY_REFUSES_WRITES);
	send_out(0);
	sleep_ms(below(500));
	faulty_heal(&faulty);
}

/*
 * And writes, since there is no device that would refuse only these. It is over
 * soon, and sooner if it was met often: what is overwritten is in memory.
 */
static void refuse_reads(void)
{
	uint64_t errors = torture->errors + 1 + below(64);

	send_out(DEFPAGER_PAGEOUT_WAIT);
	refusals_change();
	for (uint64_t page = 0; page < DISK_SIZE / page_size(); page++)
		if (chosen[page])
			torture->refused[page] = refusals();
	faulty_set_pages(&faulty, chosen, FAULTY_FAILS);
	for (int i = below(200); i && torture->errors < errors; i--)
		sleep_ms(10);
	faulty_heal(&faulty);
	refusals_change();
}

static int inject(void)
{
	/* What it needs memory for is not to wait for the disk. */
	must(write_text("/sys/fs/cgroup/cgroup.procs", "0") == 0);
	while (!torture->stop) {
		memset(chosen, 0, sizeof(chosen));
		for (int i = below(3); i >= 0; i--)
			choose_some();
		if (one_in(2))
			refuse_writes();
		else
			refuse_reads();
		/* A segment that has failed takes seconds to come back. */
		sleep_ms(one_in(4) ? below(3000) : below(500));
	}
	torture->mended = true;
	return 0;
}

/* --- The test ------------------------------------------------------------ */

FIXTURE(torture)
{
	struct defpager_info before;
};

FIXTURE_VARIANT(torture)
{
	bool errors;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(torture, sound_disk) { .errors = false };
FIXTURE_VARIANT_ADD(torture, errors) { .errors = true };
/* clang-format on */

FIXTURE_SETUP(torture)
{
	struct defpager_object_create create = object_request(OBJECT_SIZE);
	const char *missing = variant->errors ? faulty_missing() : NULL;

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	torture_begin(variant->errors);
	pager = pager_open();
	ASSERT_LE(0, pager);
	self->before = totals(pager);
	if (variant->errors) {
		faulty = faulty_new("torture", 0, DISK_SIZE);
		disk = faulty.fd;
	} else {
		disk = open("/dev/vda", O_RDWR | O_CLOEXEC);
	}
	ASSERT_LE(0, disk);
	home = new_store();
	ASSERT_TRUE(add_part(home));
	ASSERT_TRUE(add_part(home));

	/* While nothing can be written, no space is promised either. */
	if (variant->errors)
		create.flags = DEFPAGER_OBJECT_RESERVE;
	create.backing_store = home;
	ASSERT_EQ(0, defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE,
				    &create));
	object = create.fd;
	map = mmap(NULL, OBJECT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		   object, 0);
	ASSERT_NE(MAP_FAILED, map);
}

/* Whether all that it was promised is free. */
static bool destroy_object(void)
{
	munmap(map, OBJECT_SIZE);
	close(object);
	object = -1;
	return wait_until(!totals(pager).reserved_bytes);
}

FIXTURE_TEARDOWN(torture)
{
	/* After a failure. */
	if (variant->errors)
		faulty_heal(&faulty);
	if (object >= 0)
		destroy_object();
	EXPECT_EQ(0, stores_delete_all(pager));
	if (variant->errors)
		faulty_remove(&faulty);
	else
		close(disk);
	close(pager);
}

static void report_errors(void)
{
	struct defpager_info info = totals(pager);

	printf("# could not write %ju, nor read %ju; met %ju of these, and overwrote %ju\n",
	       (uintmax_t)info.write_errors, (uintmax_t)info.read_errors,
	       (uintmax_t)torture->errors, (uintmax_t)torture->overwritten);
}

/* Of what a test is about there was something. */
static bool enough(void)
{
	struct defpager_info info;

	if (!torture->faulty)
		return true;
	info = totals(pager);
	return info.write_errors && info.read_errors && torture->errors;
}

TEST_F_TIMEOUT(torture, every_byte_is_as_it_was_written, TIMEOUT)
{
	static const struct operation last = {
		.name = "the end",
		.run = load_from_map,
	};
	struct range all = { };
	pid_t pids[WORKERS + 2];
	struct cgroup cgroup;
	int nr = 0;

	/*
	 * What cannot be written stays in memory, so that nobody must be killed
	 * for having more of it: he waits.
	 */
	cgroup_enter(&cgroup, variant->errors ? 0 : LIMIT);
	if (variant->errors)
		ASSERT_EQ(0, cgroup_set(&cgroup, "memory.high", LIMIT));
	while (nr < WORKERS) {
		pids[nr] = start(nr, work);
		nr++;
	}
	pids[nr] = start(nr, disturb);
	nr++;
	if (variant->errors) {
		pids[nr] = start(nr, inject);
		nr++;
	}
	ASSERT_TRUE(wait_for_all(pids, nr, test_seconds(SECONDS), enough));
	report();
	if (variant->errors)
		report_errors();

	worker = nr;
	all.length = torture->size;
	for (uint64_t page = 0; PAGES(page) < OBJECT_SIZE; page++)
		torture->accessed[page] = refusals();
	run_operation(&last, all);
	EXPECT_EQ(self->before.checksum_errors,
		  totals(pager).checksum_errors);
	EXPECT_TRUE(destroy_object());
	EXPECT_TRUE(cgroup_leave(&cgroup));
	/* What was bad is gone with the stores that it was of. */
	EXPECT_EQ(totals(pager).total_bytes, totals(pager).free_bytes);
}

TEST_HARNESS_MAIN
