// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing segments can be interrupted, and gets on beside everything else.
 *
 * Needs a disk, /dev/vda, which is overwritten, and null_blk for drains that take
 * their time.
 */
#include "drain_utils.h"
#include "null_blk_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300

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

TEST_HARNESS_MAIN
