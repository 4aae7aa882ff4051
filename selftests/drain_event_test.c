// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of drains: one when it begins, some on the way, and one that says how
 * it has ended.
 *
 * Needs a disk, and null_blk for one that is slow or fails.
 */
#include "event_utils.h"
#include "null_blk_utils.h"
#include "store_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

/* --- Listening ---------------------------------------------------------- */

struct event {
	char what[16];
	char store[DEFPAGER_NAME_SIZE];
	long long moved;
	long long segment;		/* or -1 */
};

/* Waits for one of a drain, a minute at most: what then comes is "nothing". */
static struct event next_event(int events)
{
	struct event event = { .what = "nothing" };
	struct event_message message;
	const char *store;

	if (!event_receive(events, "DEFPAGER_DRAIN", &message))
		return event;
	store = event_value(&message, "DEFPAGER_STORE");
	must(store);
	snprintf(event.what, sizeof(event.what), "%s",
		 event_value(&message, "DEFPAGER_DRAIN"));
	snprintf(event.store, sizeof(event.store), "%s", store);
	event.moved = event_number(&message, "DEFPAGER_MOVED_BYTES");
	event.segment = event_number(&message, "DEFPAGER_SEGMENT");
	fprintf(stderr, "# %s %s %lld %lld\n", event.what, event.store,
		event.segment, event.moved);
	return event;
}

/* The first one that is not about progress. */
static struct event next_step(int events)
{
	struct event event;

	do
		event = next_event(events);
	while (!strcmp(event.what, "progress"));
	return event;
}

static bool is_event(struct event event, const char *what, const char *store,
		     long long segment)
{
	return !strcmp(event.what, what) && !strcmp(event.store, store) &&
	       event.segment == segment;
}

/* --- A device that is slow, or fails ------------------------------------- */

#define SLOW_MIB 16
#define SLOW_NSEC 100000000
#define BAD_SECTORS "0-32767"

/* Each of its requests takes a while. */
static struct null_blk slow_device(void)
{
	struct null_blk slow = null_blk_new("slowevents", MIB(SLOW_MIB));

	must(!null_blk_set(&slow, "irqmode", 2));
	must(!null_blk_set(&slow, "completion_nsec", SLOW_NSEC));
	null_blk_start(&slow);
	return slow;
}

/* @change: "+" or "-", and which sectors. */
static void set_bad_sectors(const struct null_blk *slow, const char *change)
{
	char path[128];

	null_blk_path(slow, "badblocks", path);
	must(!write_text(path, "%s", change));
}

/* --- The tests ------------------------------------------------------------ */

FIXTURE(drain)
{
	struct stores stores;
	int events;
	int store;
	uint64_t segment;
	struct memory memory;
	struct null_blk slow;		/* if it has a name */
};

FIXTURE_SETUP(drain)
{
	self->slow.name[0] = '\0';
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_new(&self->stores, "drained", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->memory.fd = -1;
	self->events = listen_to_events();
}

FIXTURE_TEARDOWN(drain)
{
	if (self->memory.fd >= 0)
		memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->store);
	close(self->events);
	stores_close(&self->stores);
	if (self->slow.name[0])
		null_blk_destroy(&self->slow);
}

/* An object on this segment, the only one yet; and space for it elsewhere. */
static bool set_up_object(FIXTURE_DATA(drain) *self, uint64_t size)
{
	self->memory = memory_create_in(self->stores.pager, self->store, size);
	fill_all(&self->memory, 1);
	if (!evict(&self->memory) ||
	    stored_in(&self->memory, self->segment) != size)
		return false;
	segment_new(&self->stores, self->store, size);
	return true;
}

TEST_F_TIMEOUT(drain, removal_begins_and_ends, TIMEOUT)
{
	struct event event;

	self->segment = segment_new(&self->stores, self->store, MIB(1));
	ASSERT_TRUE(set_up_object(self, MIB(1)));
	ASSERT_EQ(0, segment_remove(self->store, self->segment, -1));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	EXPECT_EQ(0, event.moved);
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "end", "drained", self->segment));
	EXPECT_EQ((long long)MIB(1), event.moved);
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* All of its segments, and what is confined to it. */
TEST_F_TIMEOUT(drain, deletion_names_no_segment, TIMEOUT)
{
	int target = store_with_space(&self->stores, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, MIB(2));
	struct event event;

	self->segment = segment_new(&self->stores, self->store, MIB(1));
	ASSERT_TRUE(set_up_object(self, MIB(1)));
	ASSERT_EQ(0, store_delete(self->store, target));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", -1));
	EXPECT_EQ(0, event.moved);
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "end", "drained", -1));
	EXPECT_EQ((long long)MIB(1), event.moved);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	memory_destroy(&self->memory);
	self->memory.fd = -1;
	close(target);
}

/* One event of beginning, although it happens in two steps. */
TEST_F_TIMEOUT(drain, removal_with_target_begins_once, TIMEOUT)
{
	int target = store_with_space(&self->stores, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, MIB(2));
	struct event event;

	self->segment = segment_new(&self->stores, self->store, MIB(1));
	ASSERT_TRUE(set_up_object(self, MIB(1)));
	ASSERT_EQ(0, segment_remove(self->store, self->segment, target));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "end", "drained", self->segment));
	EXPECT_EQ((long long)MIB(1), event.moved);
	memory_destroy(&self->memory);
	self->memory.fd = -1;
	close(target);
}

TEST_F_TIMEOUT(drain, empty_segment_begins_and_ends, TIMEOUT)
{
	uint64_t id = segment_new(&self->stores, self->store, MIB(1));

	ASSERT_EQ(0, segment_remove(self->store, id, -1));
	EXPECT_TRUE(is_event(next_event(self->events), "begin", "drained", id));
	EXPECT_TRUE(is_event(next_event(self->events), "end", "drained", id));
}

/* What comes next is the event of one that was not refused. */
TEST_F_TIMEOUT(drain, refused_ones_have_no_event, TIMEOUT)
{
	int empty = store_new(&self->stores, "empty", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	uint64_t other;

	self->segment = segment_new(&self->stores, self->store, MIB(1));
	ASSERT_TRUE(set_up_object(self, MIB(1)));
	other = segment_new(&self->stores, self->store, MIB(1));
	EXPECT_EQ(-ENOENT, segment_remove(self->store, other + 1, -1));
	EXPECT_EQ(-EBUSY, store_delete(self->store, -1));
	EXPECT_EQ(-ENOSPC, segment_remove(self->store, other, empty));
	EXPECT_EQ(-ENOSPC, store_delete(self->store, empty));
	ASSERT_EQ(0, segment_remove(self->store, other, -1));
	EXPECT_TRUE(is_event(next_event(self->events), "begin", "drained",
			     other));
	close(empty);
}

static void interrupt(int signal)
{
	(void)signal;
}

/* Removes the segment in a child, which a signal may interrupt. */
static pid_t remove_in_child(FIXTURE_DATA(drain) *self, int target)
{
	struct sigaction action = { .sa_handler = interrupt };
	pid_t pid;

	fflush(stdout);
	fflush(stderr);
	pid = fork();
	if (pid)
		return pid;
	must(!sigaction(SIGUSR1, &action, NULL));
	_exit(-segment_remove(self->store, self->segment, target));
}

static int exit_status(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F_TIMEOUT(drain, long_one_shows_progress_and_is_interrupted, TIMEOUT)
{
	const uint64_t size = MIB(SLOW_MIB / 2);
	long long moved = 0;
	struct event event;
	pid_t pid;
	int i;

	if (!null_blk_works())
		SKIP(return, "no null_blk");
	self->slow = slow_device();
	self->segment = segment_at(self->store, self->slow.fd, 0, size);
	ASSERT_TRUE(set_up_object(self, size));

	pid = remove_in_child(self, -1);
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	for (i = 0; i < 2; i++) {
		event = next_event(self->events);
		EXPECT_TRUE(is_event(event, "progress", "drained",
				     self->segment));
		EXPECT_LT(moved, event.moved);
		moved = event.moved;
	}
	EXPECT_GT((long long)size, moved);
	must(!kill(pid, SIGUSR1));
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "interrupted", "drained", self->segment));
	EXPECT_LE(moved, event.moved);
	EXPECT_GT((long long)size, event.moved);
	EXPECT_EQ(EINTR, exit_status(pid));

	/* The rest. */
	moved = event.moved;
	ASSERT_EQ(0, segment_remove(self->store, self->segment, -1));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "end", "drained", self->segment));
	EXPECT_LE((long long)size - moved, event.moved);
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* Its object belongs elsewhere by then, and still has pages there. */
TEST_F_TIMEOUT(drain, what_another_one_left_begins_anew, TIMEOUT)
{
	const uint64_t size = MIB(SLOW_MIB / 2);
	int target = store_with_space(&self->stores, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, 2 * size);
	struct event event;
	pid_t pid;

	if (!null_blk_works())
		SKIP(return, "no null_blk");
	self->slow = slow_device();
	self->segment = segment_at(self->store, self->slow.fd, 0, size);
	ASSERT_TRUE(set_up_object(self, size));

	pid = remove_in_child(self, target);
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "progress", "drained", self->segment));
	must(!kill(pid, SIGUSR1));
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "interrupted", "drained", self->segment));
	EXPECT_EQ(EINTR, exit_status(pid));

	ASSERT_EQ(0, segment_remove(self->store, self->segment, -1));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	EXPECT_EQ(0, event.moved);
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "end", "drained", self->segment));
	EXPECT_LT(0, event.moved);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	memory_destroy(&self->memory);
	self->memory.fd = -1;
	close(target);
}

/* The null_blk of 6.1 forgets about bad blocks when it completes by a timer. */
static bool bad_sectors_are_bad(void)
{
	int fd = open("/dev/slowevents", O_RDONLY | O_DIRECT | O_CLOEXEC);
	void *buffer;
	bool bad;

	must(fd >= 0 && !posix_memalign(&buffer, page_size(), page_size()));
	bad = pread(fd, buffer, page_size(), 0) < 0;
	free(buffer);
	close(fd);
	return bad;
}

TEST_F_TIMEOUT(drain, page_that_cannot_be_read_fails_it, TIMEOUT)
{
	struct event event;

	if (!null_blk_works())
		SKIP(return, "no null_blk");
	self->slow = slow_device();
	self->segment = segment_at(self->store, self->slow.fd, 0, MIB(1));
	ASSERT_TRUE(set_up_object(self, MIB(1)));

	set_bad_sectors(&self->slow, "+" BAD_SECTORS);
	if (!bad_sectors_are_bad())
		SKIP(return, "this null_blk reads bad blocks");
	EXPECT_EQ(-EIO, segment_remove(self->store, self->segment, -1));
	event = next_event(self->events);
	EXPECT_TRUE(is_event(event, "begin", "drained", self->segment));
	event = next_step(self->events);
	EXPECT_TRUE(is_event(event, "failed", "drained", self->segment));
	set_bad_sectors(&self->slow, "-" BAD_SECTORS);
	EXPECT_EQ(0, segment_remove(self->store, self->segment, -1));
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

TEST_HARNESS_MAIN
