// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever waits for a device that does not answer can be killed, and nothing is
 * left of that.
 *
 * Needs two disks, /dev/vda and /dev/vdb, which are overwritten, and the device
 * mapper. The processes that are killed are children of the test.
 */
#include <signal.h>
#include <sys/wait.h>

#include "contract_utils.h"
#include "slow_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 180
#define OBJECT_PAGES 64
#define SEGMENT MIB(8)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

FIXTURE(killed)
{
	struct stores stores;
	int store;		/* on the slow device */
	struct faulty device;
	uint64_t segment;
	struct memory memory;	/* all of it is out */
};

FIXTURE_SETUP(killed)
{
	const char *missing = slow_missing();
	struct memory *memory = &self->memory;

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = slow_store_new(&self->stores, &self->device,
				     &self->segment);
	*memory = slow_memory_create(&self->stores, self->store, OBJECT_PAGES);
	fill_all(memory, 1);
	ASSERT_TRUE(evict(memory));
}

FIXTURE_TEARDOWN(killed)
{
	slow_set(&self->device, 0, 0);
	memory_destroy(&self->memory);
	EXPECT_TRUE(accounts_agree(&self->stores));
	EXPECT_EQ(0, stores_clear(&self->stores));
	faulty_remove(&self->device);
	close(self->store);
	stores_close(&self->stores);
}

/* A process that does one thing, if it is let. */
static pid_t child_does(FIXTURE_DATA(killed) *self,
			void (*thing)(FIXTURE_DATA(killed) *self))
{
	pid_t child = fork();

	must(child >= 0);
	if (!child) {
		thing(self);
		_exit(0);
	}
	return child;
}

/* Not by the device, which is still silent. */
static bool dies(pid_t child)
{
	int status = 0;

	must(kill(child, SIGKILL) == 0);
	return wait_until(waitpid(child, &status, WNOHANG) == child) &&
	       WIFSIGNALED(status);
}

/* A process that waits in a system call, or in a fault, dies of being killed. */
static void expect_killed(struct __test_metadata *_metadata,
			  FIXTURE_DATA(killed) *self,
			  void (*thing)(FIXTURE_DATA(killed) *self), int call)
{
	pid_t child = child_does(self, thing);

	EXPECT_TRUE(wait_until(sleeps_in(child, call)));
	ASSERT_TRUE(dies(child));
}

static void expect_all_well(struct __test_metadata *_metadata,
			    FIXTURE_DATA(killed) *self, int version)
{
	slow_set(&self->device, 0, 0);
	EXPECT_TRUE(verify_all(&self->memory, version));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, version));
}

/* --- Reading -------------------------------------------------------------- */

/* Until a page is on its way, the child may as well wait for something else. */
static void expect_reader_killed(struct __test_metadata *_metadata,
				 FIXTURE_DATA(killed) *self,
				 void (*thing)(FIXTURE_DATA(killed) *self),
				 int call)
{
	pid_t child;

	slow_set(&self->device, FOR_EVER, 0);
	child = child_does(self, thing);
	EXPECT_TRUE(wait_until(segment_state(self->store, self->segment)
					.in_flight_bytes));
	EXPECT_TRUE(wait_until(sleeps_in(child, call)));
	/* Who wants the same page waits for the same, or for that one. */
	expect_killed(_metadata, self, thing, call);
	ASSERT_TRUE(dies(child));
	expect_all_well(_metadata, self, 1);
}

static void touch_page(FIXTURE_DATA(killed) *self)
{
	verify(&self->memory, 7, 1, 1);
}

TEST_F_TIMEOUT(killed, in_a_fault, TIMEOUT)
{
	expect_reader_killed(_metadata, self, touch_page, -1);
}

static void read_page(FIXTURE_DATA(killed) *self)
{
	char byte;

	must(pread(self->memory.fd, &byte, 1, PAGES(7)) == 1);
}

TEST_F_TIMEOUT(killed, in_a_read, TIMEOUT)
{
	expect_reader_killed(_metadata, self, read_page, SYS_pread64);
}

static void populate(FIXTURE_DATA(killed) *self)
{
	must(madvise(self->memory.map, self->memory.size,
		     MADV_POPULATE_READ) == 0);
}

TEST_F_TIMEOUT(killed, while_populating, TIMEOUT)
{
	expect_reader_killed(_metadata, self, populate, SYS_madvise);
}

static void page_in(FIXTURE_DATA(killed) *self)
{
	struct defpager_object_pageout arg;

	must(object_pageout(self->memory.fd, DEFPAGER_PAGEOUT_IN |
			    DEFPAGER_PAGEOUT_WAIT, 0, 0, &arg) == 0);
}

TEST_F_TIMEOUT(killed, while_paging_in, TIMEOUT)
{
	expect_reader_killed(_metadata, self, page_in, SYS_ioctl);
}

/* --- Writing -------------------------------------------------------------- */

static void page_out(FIXTURE_DATA(killed) *self)
{
	struct defpager_object_pageout arg;

	must(object_pageout(self->memory.fd, DEFPAGER_PAGEOUT_OUT |
			    DEFPAGER_PAGEOUT_WAIT, 0, 0, &arg) == 0);
}

TEST_F_TIMEOUT(killed, while_paging_out, TIMEOUT)
{
	fill_all(&self->memory, 2);
	slow_set(&self->device, 0, FOR_EVER);
	expect_killed(_metadata, self, page_out, SYS_ioctl);
	expect_all_well(_metadata, self, 2);
}

/* --- Space ---------------------------------------------------------------- */

static void ask_for_alert(FIXTURE_DATA(killed) *self)
{
	must(alert_arm(self->store) == 0);
}

/* The first waits for the device; the others for him. */
TEST_F_TIMEOUT(killed, while_another_one_asks_what_is_free, TIMEOUT)
{
	pid_t first;

	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	first = child_does(self, ask_for_alert);
	EXPECT_TRUE(wait_until(sleeps_in(first, SYS_ioctl)));
	expect_killed(_metadata, self, ask_for_alert, SYS_ioctl);

	slow_set(&self->device, 0, 0);
	ASSERT_EQ(first, waitpid(first, NULL, 0));
}

static void reserve_all(FIXTURE_DATA(killed) *self)
{
	must(object_create_with(self->stores.pager, self->store, SEGMENT,
				DEFPAGER_OBJECT_RESERVE) >= 0);
}

/* It is refused when what is being discarded does not suffice. */
TEST_F_TIMEOUT(killed, while_space_is_being_discarded, TIMEOUT)
{
	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	expect_killed(_metadata, self, reserve_all, SYS_ioctl);
	EXPECT_EQ(1, totals(self->stores.pager).nr_objects);
}

static void remove_segment(FIXTURE_DATA(killed) *self)
{
	must(segment_remove(self->store, self->segment, -1) == 0);
}

TEST_F_TIMEOUT(killed, while_a_segment_is_removed, TIMEOUT)
{
	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	expect_killed(_metadata, self, remove_segment, SYS_ioctl);
	/* It is there as before. */
	slow_set(&self->device, 0, 0);
	fill_all(&self->memory, 2);
	expect_all_well(_metadata, self, 2);
}

static void move_objects(FIXTURE_DATA(killed) *self)
{
	int from = store_of_name(&self->stores, "from");

	must(store_delete(from, self->store) == 0);
}

/* What is being discarded may be what they need. */
TEST_F_TIMEOUT(killed, while_objects_move, TIMEOUT)
{
	int from = store_with_space(&self->stores, "from", 0,
				    DEFPAGER_STORE_EXCLUSIVE, MIB(1));
	struct memory moving = memory_create_in(self->stores.pager, from,
						MIB(1));

	fill_all(&moving, 3);
	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	expect_killed(_metadata, self, move_objects, SYS_ioctl);
	EXPECT_STREQ("from", memory_info(&moving).backing_store);

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(0, store_delete(from, self->store));
	EXPECT_TRUE(verify_all(&moving, 3));
	memory_destroy(&moving);
	close(from);
}

TEST_HARNESS_MAIN
