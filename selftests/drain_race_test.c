// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing segments while other things go on: it can be interrupted, gets on
 * beside everything else, and disturbs nothing.
 *
 * Needs a disk of 3 GiB, /dev/vda, which is overwritten, and null_blk for drains
 * that take their time. The tests that go on for a while do so for
 * DEFPAGER_TEST_SECONDS.
 */
#include "drain_utils.h"
#include "lost_update.h"
#include "null_blk_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 5

/* --- Interruption ------------------------------------------------------- */

/* An object on a segment that takes a second or more to be read. */
FIXTURE(interruption)
{
	struct stores s;
	struct null_blk slow;
	int store;
	uint64_t segment;
	uint64_t other;
	struct memory memory;
};

FIXTURE_SETUP(interruption)
{
	if (!null_blk_works())
		SKIP(_exit(KSFT_SKIPPED), "null_blk is missing");
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->slow = null_blk_new("slowdrain", MIB(8));
	ASSERT_EQ(0, null_blk_set(&self->slow, "mbps", 4));
	/* What is not done in 20 ms is never done. */
	ASSERT_EQ(0, null_blk_set(&self->slow, "max_sectors", 32));
	null_blk_start(&self->slow);
	self->store = store_new(&self->s, "slow", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->segment = segment_at(self->store, self->slow.fd, 0, MIB(8));
	self->memory = memory_create_in(self->s.pager, self->store, MIB(8));
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	self->other = segment_new(&self->s, self->store, MIB(8));
}

FIXTURE_TEARDOWN(interruption)
{
	memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->store);
	null_blk_destroy(&self->slow);
	stores_close(&self->s);
}

static bool under_way(FIXTURE_DATA(interruption) *self)
{
	return wait_until(drain_is_under_way(self->store, self->segment,
					     MIB(8)));
}

/* The segment is in use as before, with the pages that have not moved yet. */
static void expect_as_before(struct __test_metadata *_metadata,
			     FIXTURE_DATA(interruption) *self)
{
	struct defpager_segment_info row;
	struct memory more;

	row = segment_state(self->store, self->segment);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE, row.state);
	EXPECT_LT(0, row.used_bytes);
	EXPECT_GT(MIB(8), row.used_bytes);
	EXPECT_EQ(MIB(16), store_state(self->store).total_bytes);
	EXPECT_EQ(MIB(8), store_state(self->store).free_bytes);
	/* The other one alone would not do for this. */
	more = memory_create_in(self->s.pager, self->store, MIB(8));
	fill_all(&more, 2);
	EXPECT_EQ(0, store_state(self->store).free_bytes);
	ASSERT_TRUE(evict(&more));
	EXPECT_LT(0, stored_in(&more, self->segment));
	EXPECT_TRUE(verify_all(&more, 2));
	memory_destroy(&more);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_TRUE(accounts_agree(&self->s));
}

static void expect_it_ends(struct __test_metadata *_metadata,
			   FIXTURE_DATA(interruption) *self)
{
	ASSERT_EQ(0, segment_remove(self->store, self->segment, -1));
	EXPECT_FALSE(segment_is_there(self->store, self->segment));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(MIB(8), stored_in(&self->memory, self->other));
	EXPECT_TRUE(accounts_agree(&self->s));
}

static void nothing(int signal)
{
	(void)signal;
}

TEST_F_TIMEOUT(interruption, signal_interrupts, TIMEOUT)
{
	/* Whatever may be restarted, this is not. */
	struct sigaction action = { .sa_handler = nothing,
				    .sa_flags = SA_RESTART };
	struct drain drain;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	drain_start(&drain, self->store, self->segment, -1);
	ASSERT_TRUE(under_way(self));
	ASSERT_EQ(0, pthread_kill(drain.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, drain_end(&drain));
	EXPECT_LT(0, drain.arg.moved_bytes);
	EXPECT_GT(MIB(8), drain.arg.moved_bytes);
	EXPECT_EQ(0, drain.arg.error_object);
	expect_as_before(_metadata, self);
	expect_it_ends(_metadata, self);
}

/* Nobody is called for that, so there is nobody who could call it again. */
TEST_F_TIMEOUT(interruption, stopped_process_goes_on, TIMEOUT)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(-segment_remove(self->store, self->segment, -1));
	ASSERT_TRUE(under_way(self));
	ASSERT_EQ(0, kill(pid, SIGSTOP));
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_TRUE(WIFSTOPPED(status));
	/* It holds nothing in that time. */
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, self->segment).state);
	ASSERT_EQ(0, kill(pid, SIGCONT));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_FALSE(segment_is_there(self->store, self->segment));
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

TEST_F_TIMEOUT(interruption, closing_the_descriptor_interrupts, TIMEOUT)
{
	struct drain drain;
	int store = store_of_name(&self->s, "slow");

	drain_start(&drain, store, self->segment, -1);
	ASSERT_TRUE(under_way(self));
	ASSERT_EQ(0, close(store));
	EXPECT_EQ(-EINTR, drain_end(&drain));
	EXPECT_LT(0, drain.arg.moved_bytes);
	expect_as_before(_metadata, self);
	expect_it_ends(_metadata, self);
}

/* Other descriptors of the store, and this one in other processes. */
TEST_F_TIMEOUT(interruption, closing_other_descriptors_does_not, TIMEOUT)
{
	int other = store_of_name(&self->s, "slow");
	struct drain drain;
	int i, status;
	pid_t pid;

	drain_start(&drain, self->store, self->segment, -1);
	ASSERT_TRUE(under_way(self));
	ASSERT_EQ(0, close(other));
	for (i = 0; i < 5; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (pid == 0) {
			close(self->store);
			_exit(0);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
	}
	EXPECT_EQ(0, drain_end(&drain));
	EXPECT_EQ(MIB(8), drain.arg.moved_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* Nobody is left to go on, and it does not. */
TEST_F_TIMEOUT(interruption, death_interrupts, TIMEOUT)
{
	pid_t pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (pid == 0)
		_exit(segment_remove(self->store, self->segment, -1) ? 1 : 0);
	ASSERT_TRUE(under_way(self));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	expect_as_before(_metadata, self);
	expect_it_ends(_metadata, self);
}

/*
 * Each attempt goes on where the last one was stopped, but for pages that were
 * on their way then and may have found a place where they came from.
 */
TEST_F_TIMEOUT(interruption, can_happen_again_and_again, TIMEOUT)
{
	struct sigaction action = { .sa_handler = nothing };
	uint64_t used, left, moved = 0;
	struct drain drain;
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	for (i = 0; i < 3; i++) {
		used = segment_state(self->store, self->segment).used_bytes;
		drain_start(&drain, self->store, self->segment, -1);
		ASSERT_TRUE(wait_until(drain_is_under_way(self->store,
							  self->segment,
							  used)));
		ASSERT_EQ(0, pthread_kill(drain.thread, SIGUSR1));
		ASSERT_EQ(-EINTR, drain_end(&drain));
		left = segment_state(self->store, self->segment).used_bytes;
		EXPECT_GT(used, left);
		EXPECT_LE(used - left, drain.arg.moved_bytes);
		moved += drain.arg.moved_bytes;
	}
	drain_start(&drain, self->store, self->segment, -1);
	EXPECT_EQ(0, drain_end(&drain));
	EXPECT_LE(MIB(8), moved + drain.arg.moved_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

TEST_F_TIMEOUT(interruption, progress_can_be_seen, TIMEOUT)
{
	struct defpager_segment_info rows[2], last;
	uint64_t start, seen = 0;
	struct drain drain;

	last = segment_state(self->store, self->segment);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE, last.state);
	drain_start(&drain, self->store, self->segment, -1);
	while (!drain.done) {
		start = 0;
		if (list_rows(self->store, DEFPAGER_IOC_SEGMENTS, &start, rows,
			      sizeof(rows[0]), 2) != 2)
			break;
		ASSERT_EQ(self->segment, rows[0].id);
		EXPECT_GE(last.used_bytes, rows[0].used_bytes);
		if (rows[0].state == DEFPAGER_SEGMENT_DRAINING)
			seen += last.used_bytes > rows[0].used_bytes;
		EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE, rows[1].state);
		last = rows[0];
		sleep_ms(5);
	}
	EXPECT_EQ(0, drain_end(&drain));
	/* It was not all at once. */
	EXPECT_LE(5, seen);
}

/* What is read, written, cut off or made meanwhile is as without it. */
TEST_F_TIMEOUT(interruption, everything_else_goes_on, TIMEOUT)
{
	struct memory *memory = &self->memory, other;
	uint64_t i, count = memory_pages(memory), kept = count - 256;
	char page[page_size()];
	struct drain drain;

	drain_start(&drain, self->store, self->segment, -1);
	ASSERT_TRUE(under_way(self));
	/* From the end, where it comes last. */
	EXPECT_TRUE(verify(memory, kept - 8, 8, 1));
	fill(memory, kept - 64, 32, 2);
	ASSERT_EQ(0, ftruncate(memory->fd, PAGES(kept)));
	other = memory_create_in(self->s.pager, self->store, PAGES(256));
	fill_all(&other, 3);
	ASSERT_TRUE(evict(&other));
	EXPECT_EQ(PAGES(256), stored_in(&other, self->other));
	EXPECT_FALSE(drain.done);
	EXPECT_EQ(0, drain_end(&drain));
	EXPECT_TRUE(verify(memory, 0, kept - 64, 1));
	EXPECT_TRUE(verify(memory, kept - 64, 32, 2));
	EXPECT_TRUE(verify(memory, kept - 32, 32, 1));
	/* By read(): a mapping would want space for what it shows. */
	ASSERT_EQ(0, ftruncate(memory->fd, memory->size));
	for (i = kept; i < count; i++) {
		ASSERT_EQ(page_size(), pread(memory->fd, page, page_size(),
					     PAGES(i)));
		ASSERT_TRUE(verify_page(page, i, 0));
	}
	EXPECT_TRUE(verify_all(&other, 3));
	ASSERT_TRUE(evict(memory));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&other);
}

/* The object that is being moved goes: so does what is left of it. */
TEST_F_TIMEOUT(interruption, destroyed_object_ends_it, TIMEOUT)
{
	struct drain drain;

	drain_start(&drain, self->store, self->segment, -1);
	ASSERT_TRUE(under_way(self));
	memory_destroy(&self->memory);
	EXPECT_EQ(0, drain_end(&drain));
	EXPECT_TRUE(wait_until(!store_state(self->store).nr_objects));
	EXPECT_EQ(0, store_state(self->store).used_bytes);
	EXPECT_EQ(MIB(8), store_state(self->store).free_bytes);
	self->memory = memory_create_in(self->s.pager, self->store, MIB(8));
}

TEST_F_TIMEOUT(interruption, segment_that_is_being_removed_is_busy, TIMEOUT)
{
	int target = store_with_space(&self->s, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, MIB(8));
	struct drain drain;

	drain_start(&drain, self->store, self->segment, -1);
	ASSERT_TRUE(under_way(self));
	EXPECT_EQ(-EBUSY, segment_remove(self->store, self->segment, -1));
	/* Its objects would have where to go. */
	EXPECT_EQ(-EBUSY, store_delete(self->store, target));
	/* Its range is not free before it is gone. */
	EXPECT_EQ(-EINVAL, segment_add(self->store, self->slow.fd, 0, 8, 512));
	/* The other one is what its pages are to go to. */
	EXPECT_EQ(-ENOSPC, segment_remove(self->store, self->other, -1));
	EXPECT_EQ(0, drain_end(&drain));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	close(target);
}

/* Nobody may use it, or move to it, but what is there; until it is there after all. */
TEST_F_TIMEOUT(interruption, store_that_is_being_deleted_is_busy, TIMEOUT)
{
	int target = store_with_space(&self->s, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, MIB(8));
	int third = store_new(&self->s, "third", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	uint64_t id = segment_new(&self->s, third, MIB(1));
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(-store_delete(self->store, target));
	ASSERT_TRUE(wait_until(store_state(target).used_bytes));
	EXPECT_EQ(-EBUSY, segment_add(self->store, self->s.disk,
				      MIB(64) / 512, 8, 512));
	EXPECT_EQ(-EBUSY, segment_remove(self->store, self->other, -1));
	EXPECT_EQ(-EBUSY, store_delete(self->store, target));
	EXPECT_EQ(-EBUSY, object_create_in(self->s.pager, self->store, 1));
	EXPECT_EQ(-EBUSY, segment_remove(third, id, self->store));
	EXPECT_EQ(-EBUSY, store_delete(third, self->store));
	/* It was going on all the time. */
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, store_delete(third, -1));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	close(third);
	close(self->store);
	self->store = target;
}

/* Some pages are there, some are not: each where it is known to be. */
TEST_F_TIMEOUT(interruption, deletion_can_be_interrupted_too, TIMEOUT)
{
	int target = store_with_space(&self->s, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, MIB(8));
	struct memory *memory = &self->memory;
	pid_t pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (pid == 0)
		_exit(store_delete(self->store, target) ? 1 : 0);
	ASSERT_TRUE(wait_until(store_state(target).used_bytes));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_STREQ("target", memory_info(memory).backing_store);
	EXPECT_EQ(2, store_state(self->store).nr_segments);
	EXPECT_LT(0, store_state(self->store).used_bytes);
	EXPECT_TRUE(verify_all(memory, 1));
	EXPECT_EQ(0, store_delete(self->store, -1));
	ASSERT_TRUE(evict(memory));
	EXPECT_EQ(MIB(8), store_state(target).used_bytes);
	EXPECT_TRUE(verify_all(memory, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	/* For the end of the test. */
	close(self->store);
	self->store = target;
}

/* --- Races -------------------------------------------------------------- */

#define NR_PARTS 4
#define PART MIB(32)

/* A store whose segments are replaced all the time. */
FIXTURE(race)
{
	struct stores s;
	struct cgroup cgroup;
	int store;
	uint64_t segment[NR_PARTS];
	double deadline;
	volatile uint64_t drained;
	volatile bool stop;
};

FIXTURE_SETUP(race)
{
	int i;

	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->store = store_new(&self->s, "race", 0, 0, 0);
	for (i = 0; i < NR_PARTS; i++)
		self->segment[i] = segment_new(&self->s, self->store, PART);
	cgroup_enter(&self->cgroup, 0);
	self->deadline = now() + test_seconds(SECONDS);
	self->drained = 0;
	self->stop = false;
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_TRUE(cgroup_leave(&self->cgroup));
	EXPECT_TRUE(accounts_agree(&self->s));
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->store);
	stores_close(&self->s);
}

/* Removes one segment after the other, and adds it again. */
static void *drain_in_turn(void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	int i;

	for (i = 0; !self->stop; i = (i + 1) % NR_PARTS) {
		must(segment_remove(self->store, self->segment[i], -1) == 0);
		self->segment[i] = segment_at(self->store, self->s.disk,
					      i * PART, PART);
		self->drained++;
	}
	return NULL;
}

static void run_against_drains(struct __test_metadata *_metadata,
			       FIXTURE_DATA(race) *self, int store)
{
	struct memory memory = memory_create_in(self->s.pager, store, MIB(24));
	struct workload load = {
		.memory = &memory,
		.cgroup = &self->cgroup,
		.cell_size = page_size(),
		.owner = OWNER_RANDOM,
		.way = UPDATE_ANY,
		.nr_processes = 2,
		.nr_threads = 2,
		.disturbed = true,
		.seconds = test_seconds(SECONDS),
	};
	pthread_t drainer;

	/* The drain's own memory is nobody's: only the writers are limited. */
	ASSERT_EQ(0, cgroup_set(&self->cgroup, "memory.max", MIB(16)));
	ASSERT_EQ(0, pthread_create(&drainer, NULL, drain_in_turn, self));
	EXPECT_TRUE(run_workload(&load));
	self->stop = true;
	ASSERT_EQ(0, pthread_join(drainer, NULL));
	TH_LOG("%ju drains", (uintmax_t)self->drained);
	EXPECT_LT(2, self->drained);
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	ASSERT_TRUE(wait_until(!totals(self->s.pager).reserved_bytes));
}

TEST_F_TIMEOUT(race, writers_of_confined_pages_lose_no_update, TIMEOUT)
{
	run_against_drains(_metadata, self, self->store);
}

TEST_F_TIMEOUT(race, writers_of_common_pages_lose_no_update, TIMEOUT)
{
	run_against_drains(_metadata, self, -1);
}

TEST_F_TIMEOUT(race, objects_come_and_go_meanwhile, TIMEOUT)
{
	uint64_t round = 0;
	struct memory memory;
	pthread_t drainer;

	ASSERT_EQ(0, pthread_create(&drainer, NULL, drain_in_turn, self));
	while (now() < self->deadline) {
		memory = memory_create_in(self->s.pager,
					  ++round % 2 ? self->store : -1,
					  MIB(4));
		fill_all(&memory, round);
		madvise_pageout(&memory);
		if (round % 3 == 0)
			ASSERT_EQ(0, ftruncate(memory.fd, MIB(2)));
		EXPECT_TRUE(verify(&memory, 0, memory_pages(&memory) / 2,
				   round));
		memory_destroy(&memory);
	}
	self->stop = true;
	ASSERT_EQ(0, pthread_join(drainer, NULL));
	EXPECT_LT(2, self->drained);
	ASSERT_TRUE(wait_until(!totals(self->s.pager).reserved_bytes));
}

/* Two at once: there is room for what both of them give up. */
TEST_F_TIMEOUT(race, two_segments_are_drained_at_once, TIMEOUT)
{
	struct memory memory = memory_create_in(self->s.pager, self->store,
						MIB(24));
	struct drain drains[2];
	int i, round = 0;

	fill_all(&memory, 1);
	while (now() < self->deadline) {
		ASSERT_TRUE(evict(&memory));
		round = !round;
		for (i = 0; i < 2; i++)
			drain_start(&drains[i], self->store,
				    self->segment[2 * round + i], -1);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, drain_end(&drains[i]));
		for (i = 0; i < 2; i++)
			self->segment[2 * round + i] =
				segment_at(self->store, self->s.disk,
					   (2 * round + i) * PART, PART);
		ASSERT_TRUE(verify_all(&memory, 1));
	}
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
}

/* And if there is only for one, then one of them is refused. */
TEST_F_TIMEOUT(race, one_of_two_drains_is_refused_if_space_is_short, TIMEOUT)
{
	struct memory memory = memory_create_in(self->s.pager, self->store,
						2 * PART + MIB(4));
	int i, refused, round, ret;
	struct drain drains[2];

	/* More than two segments can hold, but not more than three. */
	fill_all(&memory, 1);
	for (round = 0; round < 5; round++) {
		ASSERT_TRUE(evict(&memory));
		refused = 0;
		for (i = 0; i < 2; i++)
			drain_start(&drains[i], self->store, self->segment[i],
				    -1);
		for (i = 0; i < 2; i++) {
			ret = drain_end(&drains[i]);
			EXPECT_TRUE(!ret || ret == -ENOSPC);
			refused += ret == -ENOSPC;
		}
		EXPECT_EQ(1, refused);
		for (i = 0; i < 2; i++)
			if (!drains[i].ret)
				self->segment[i] = segment_at(self->store,
							      self->s.disk,
							      i * PART, PART);
	}
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
}

/* All of several want the same one. */
TEST_F_TIMEOUT(race, one_of_many_removes_a_segment, TIMEOUT)
{
	struct drain drains[4];
	int i, round, removed;

	for (round = 0; round < 20; round++) {
		removed = 0;
		for (i = 0; i < 4; i++)
			drain_start(&drains[i], self->store, self->segment[0],
				    -1);
		for (i = 0; i < 4; i++) {
			drain_end(&drains[i]);
			removed += !drains[i].ret;
			EXPECT_TRUE(!drains[i].ret ||
				    drains[i].ret == -EBUSY ||
				    drains[i].ret == -ENOENT);
		}
		ASSERT_EQ(1, removed);
		self->segment[0] = segment_at(self->store, self->s.disk, 0,
					      PART);
	}
}

/* Segments of one range, added and removed by whoever is quick enough. */
static void *add_and_remove(void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct defpager_segment_add add;
	int ret;

	while (now() < self->deadline) {
		add = segment_range(self->s.disk, NR_PARTS * PART / 512,
				    MIB(1) / 512, 512);
		ret = defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				     &add);
		must(!ret || ret == -EINVAL);
		if (ret)
			continue;
		must(segment_remove(self->store, add.id, -1) == 0);
		self->drained++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, adding_and_removing_do_not_disturb_each_other, TIMEOUT)
{
	pthread_t threads[3];
	struct memory memory = memory_create_in(self->s.pager, self->store,
						MIB(4));
	uint32_t generation = 0;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, add_and_remove,
					    self));
	while (now() < self->deadline) {
		fill_all(&memory, ++generation);
		madvise_pageout(&memory);
		EXPECT_TRUE(verify_all(&memory, generation));
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_LT(2, self->drained);
	EXPECT_EQ(NR_PARTS, store_state(self->store).nr_segments);
	memory_destroy(&memory);
}

struct maker {
	pthread_t thread;
	struct stores *s;
	int store;
	volatile bool stop;
	uint64_t made;
};

/* Confined objects, as long as there is the store. */
static void *make_objects(void *arg)
{
	struct maker *maker = arg;
	struct memory memory;
	int fd;

	while (!maker->stop) {
		fd = object_create_in(maker->s->pager, maker->store, PAGES(16));
		must(fd >= 0 || fd == -EBUSY || fd == -ENODEV);
		if (fd < 0)
			continue;
		memory = (struct memory) { .fd = fd, .size = PAGES(16) };
		must(touch_all(&memory) == 16);
		must(close(fd) == 0);
		maker->made++;
	}
	return NULL;
}

/* Each object is made in time and moves, or is not made: none is left over. */
TEST_F_TIMEOUT(race, objects_are_made_while_their_store_goes, TIMEOUT)
{
	struct maker maker = { .s = &self->s };
	int rounds = 0;

	while (now() < self->deadline) {
		maker.store = store_new(&self->s, "short", 0, 0,
					DEFPAGER_STORE_EXCLUSIVE);
		segment_at(maker.store, self->s.disk, NR_PARTS * PART, MIB(4));
		maker.stop = false;
		ASSERT_EQ(0, pthread_create(&maker.thread, NULL, make_objects,
					    &maker));
		ASSERT_TRUE(wait_until(store_state(maker.store).nr_objects));
		ASSERT_EQ(0, store_delete(maker.store, self->store));
		maker.stop = true;
		ASSERT_EQ(0, pthread_join(maker.thread, NULL));
		close(maker.store);
		rounds++;
	}
	TH_LOG("%ju objects, %d stores", (uintmax_t)maker.made, rounds);
	EXPECT_LT(2, rounds);
	EXPECT_TRUE(wait_until(!store_state(self->store).nr_objects));
	EXPECT_EQ(0, store_state(self->store).confined_bytes);
}

/* --- A gigabyte --------------------------------------------------------- */

struct gigabyte {
	struct memory memory;
	volatile bool stop;
	volatile bool well;
	uint32_t generations[4096];	/* of each chunk */
	uint64_t updates;
};

#define CHUNK_PAGES 64

/* Chunks at random: each is as it was left. */
static void *update_chunks(void *arg)
{
	struct gigabyte *g = arg;
	uint64_t chunk, seed = 1, nr = memory_pages(&g->memory) / CHUNK_PAGES;

	while (g->well && !g->stop) {
		chunk = next_random(&seed) % nr;
		g->well = verify(&g->memory, chunk * CHUNK_PAGES, CHUNK_PAGES,
				 g->generations[chunk]);
		fill(&g->memory, chunk * CHUNK_PAGES, CHUNK_PAGES,
		     ++g->generations[chunk]);
		g->updates++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, a_gigabyte_is_drained_beside_a_writer, TIMEOUT)
{
	static struct gigabyte g;
	int store = store_new(&self->s, "gigabyte", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	uint64_t chunk, segment = segment_new(&self->s, store, GIB(1));
	struct drain drain;
	pthread_t writer;
	double start;

	g.memory = memory_create_in(self->s.pager, store, GIB(1));
	for (chunk = 0; chunk < 4096; chunk++)
		g.generations[chunk] = 1;
	fill_all(&g.memory, 1);
	ASSERT_TRUE(evict(&g.memory));
	EXPECT_EQ(GIB(1), segment_state(store, segment).used_bytes);
	segment_new(&self->s, store, GIB(1));

	g.well = true;
	ASSERT_EQ(0, pthread_create(&writer, NULL, update_chunks, &g));
	start = now();
	drain_start(&drain, store, segment, -1);
	EXPECT_EQ(0, drain_end(&drain));
	TH_LOG("drained %ju MiB in %.1f s, beside %ju updates of 256 KiB",
	       (uintmax_t)drain.arg.moved_bytes >> 20, now() - start,
	       (uintmax_t)g.updates);
	g.stop = true;
	ASSERT_EQ(0, pthread_join(writer, NULL));
	EXPECT_TRUE(g.well);
	EXPECT_LT(0, g.updates);
	for (chunk = 0; chunk < 4096; chunk++)
		ASSERT_TRUE(verify(&g.memory, chunk * CHUNK_PAGES, CHUNK_PAGES,
				   g.generations[chunk]));
	memory_destroy(&g.memory);
	close(store);
}

TEST_HARNESS_MAIN
