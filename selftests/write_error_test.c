// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that fail to write: which pages notice, where they go instead, what
 * becomes of the slots and of the segment, and how it comes back.
 *
 * Needs two disks that are all the tests'.
 */
#include "contract_utils.h"
#include "faulty_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define SEGMENT MIB(8)
#define SLOTS (SEGMENT / page_size())
#define OBJECT_PAGES 1024

/* As many slots in a row may fail on a segment before it does. */
#define FAILURES 16
/* So many more may be about to be retired when the last one is counted. */
#define BAD_MOST (FAILURES + 32)

FIXTURE(write_error)
{
	struct stores stores;
	struct faulty one, other;
	int store;
	uint64_t id;		/* of the segment on @one */
	struct memory memory;	/* confined to @store */
};

FIXTURE_SETUP(write_error)
{
	const char *missing = faulty_missing();

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->one = faulty_new("one", 0, SEGMENT);
	self->other = faulty_new("other", SEGMENT, SEGMENT);
	self->store = store_new(&self->stores, "faulty", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_on(self->store, &self->one);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
}

FIXTURE_TEARDOWN(write_error)
{
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	faulty_remove(&self->one);
	faulty_remove(&self->other);
	stores_close(&self->stores);
}

/* --- Slots ------------------------------------------------------------ */

/* Here and there, and never so many one after the other that it looks bad. */
static uint64_t choose_bad_pages(bool *bad)
{
	uint64_t i, seed = 42, nr = 0;

	for (i = 0; i < SLOTS; i++) {
		bad[i] = next_random(&seed) % 32 == 0;
		nr += bad[i];
	}
	return nr;
}

/* No page of an object is where it cannot have been written. */
static bool avoids(const struct memory *memory, const bool *bad)
{
	struct defpager_page_range row;
	uint64_t page;

	for (page = 0; page < memory_pages(memory); page++) {
		row = page_place(memory, page);
		if (row.flags & DEFPAGER_PAGE_STORED &&
		    bad[row.device_offset / page_size()])
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(write_error, bad_slots_are_retired_one_by_one, TIMEOUT)
{
	struct defpager_segment_info segment;
	struct defpager_info before, after;
	bool bad[SLOTS];
	uint64_t nr;

	nr = choose_bad_pages(bad);
	ASSERT_LT(nr, SLOTS / 16);
	faulty_break_pages(&self->one, bad);
	before = totals(self->stores.pager);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	after = totals(self->stores.pager);

	segment = segment_state(self->store, self->id);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE, segment.state);
	/* Only those, each once, and none of their neighbours. */
	EXPECT_LT(0, segment.bad_bytes);
	EXPECT_GE(PAGES(nr), segment.bad_bytes);
	EXPECT_EQ(segment.bad_bytes, PAGES(segment.write_errors));
	EXPECT_EQ(segment.write_errors,
		  after.write_errors - before.write_errors);
	EXPECT_EQ(0, segment.read_errors);
	EXPECT_TRUE(avoids(&self->memory, bad));
	EXPECT_TRUE(accounts_agree(&self->stores));
	EXPECT_TRUE(verify_all(&self->memory, 1));

	/* They stay so, whatever is written in place, or anew. */
	fill_all(&self->memory, 2);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(segment.bad_bytes,
		  segment_state(self->store, self->id).bad_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 2));
}

/* What was there before is no excuse for what is new. */
TEST_F_TIMEOUT(write_error, pages_leave_slots_that_go_bad, TIMEOUT)
{
	bool bad[SLOTS];
	uint64_t nr;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	nr = choose_bad_pages(bad);
	faulty_break_pages(&self->one, bad);
	/* Without reading it first, for which there is no device any more. */
	for (uint64_t page = 0; page < OBJECT_PAGES; page++) {
		char content[page_size()];

		fill_page(content, page, 2);
		ASSERT_EQ(page_size(), pwrite(self->memory.fd, content,
					      page_size(), PAGES(page)));
	}
	ASSERT_TRUE(evict(&self->memory));

	EXPECT_LT(0, segment_state(self->store, self->id).bad_bytes);
	EXPECT_GE(PAGES(nr), segment_state(self->store, self->id).bad_bytes);
	EXPECT_TRUE(avoids(&self->memory, bad));
	EXPECT_TRUE(verify_all(&self->memory, 2));
}

/* --- Devices that cannot be discarded --------------------------------- */

/* It was asked for, and did not happen: there is no segment, and no claim. */
TEST_F_TIMEOUT(write_error, segment_that_is_not_discarded_is_not_added, TIMEOUT)
{
	struct defpager_segment_add add =
		segment_range(self->other.fd, 0, SEGMENT / 512, 512);
	int claim;

	add.flags = DEFPAGER_SEGMENT_DISCARD;
	faulty_refuse_writes(&self->other, 0, FOR_EVER);
	EXPECT_EQ(-EIO, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				       &add));
	EXPECT_EQ(1, store_state(self->store).nr_segments);
	claim = open("/dev/mapper/other", O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claim);
	close(claim);
	/* Nothing else was in the way. */
	faulty_heal(&self->other);
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	EXPECT_EQ(SEGMENT, segment_state(self->store, add.id).discarded_bytes);
}

/* --- Segments --------------------------------------------------------- */

/* Asks for all of it to be written, which ends when nothing more is tried. */
static void try_to_page_out(const struct memory *memory)
{
	struct defpager_object_pageout arg;

	must(object_pageout(memory->fd,
			    DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_WAIT, 0, 0,
			    &arg) == 0);
}

/* When the last of the writes that were on their way has failed. */
static uint64_t settled_errors(int store, uint64_t id,
			       const struct memory *memory)
{
	try_to_page_out(memory);
	return segment_state(store, id).write_errors;
}

TEST_F_TIMEOUT(write_error, failing_segment_is_not_used, TIMEOUT)
{
	struct defpager_segment_info failing;
	struct defpager_backing_store_info info;
	uint64_t id;

	id = segment_on(self->store, &self->other);
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));

	settled_errors(self->store, self->id, &self->memory);
	failing = segment_state(self->store, self->id);
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING, failing.state);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, id).state);
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&self->memory, id));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	/* Its space is nobody's. */
	info = store_state(self->store);
	EXPECT_EQ(SEGMENT - PAGES(OBJECT_PAGES), info.free_bytes);
	EXPECT_GE(PAGES(BAD_MOST), info.bad_bytes);

	/* And nothing more is sent there. */
	fill_all(&self->memory, 2);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(failing.pages_out,
		  segment_state(self->store, self->id).pages_out);
	EXPECT_EQ(failing.write_errors,
		  segment_state(self->store, self->id).write_errors);
	EXPECT_TRUE(verify_all(&self->memory, 2));
}

TEST_F_TIMEOUT(write_error, failing_segment_can_be_read, TIMEOUT)
{
	uint64_t id;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	id = segment_on(self->store, &self->other);
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	fill(&self->memory, 0, OBJECT_PAGES / 2, 2);
	ASSERT_TRUE(evict(&self->memory));

	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_EQ(PAGES(OBJECT_PAGES / 2), stored_in(&self->memory, id));
	EXPECT_EQ(PAGES(OBJECT_PAGES / 2), stored_in(&self->memory, self->id));
	EXPECT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 2));
	EXPECT_TRUE(verify(&self->memory, OBJECT_PAGES / 2, OBJECT_PAGES / 2,
			   1));
}

/* Two of three fail, whichever a page is sent to first. */
TEST_F_TIMEOUT(write_error, pages_find_the_only_good_segment, TIMEOUT)
{
	uint64_t good, bad;

	bad = segment_on(self->store, &self->other);
	good = segment_new(&self->stores, self->store, SEGMENT);
	faulty_break(&self->one);
	faulty_break(&self->other);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));

	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, bad).state);
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&self->memory, good));
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* A segment that is half dead is one that fails, in the end. */
TEST_F_TIMEOUT(write_error, too_many_bad_slots_are_a_failure, TIMEOUT)
{
	struct defpager_segment_info segment;
	bool bad[SLOTS];
	uint64_t i;

	for (i = 0; i < SLOTS; i++)
		bad[i] = i * 7 % 16 < 5;
	segment_on(self->store, &self->other);
	faulty_break_pages(&self->one, bad);
	for (i = 1; i < 20 && segment_is(self->store, self->id,
					 DEFPAGER_SEGMENT_ACTIVE); i++) {
		fill_all(&self->memory, i);
		ASSERT_TRUE(evict(&self->memory));
	}

	segment = segment_state(self->store, self->id);
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING, segment.state);
	EXPECT_TRUE(verify_all(&self->memory, i - 1));
}

/* --- Nothing left ----------------------------------------------------- */

static struct defpager_backing_store_alert alert_when_low(uint64_t bytes)
{
	return (struct defpager_backing_store_alert) {
		.size = sizeof(struct defpager_backing_store_alert),
		.flags = DEFPAGER_ALERT_LOW,
		.low_bytes = bytes,
		.high_bytes = bytes,
	};
}

TEST_F_TIMEOUT(write_error, pages_stay_if_nothing_can_be_written, TIMEOUT)
{
	struct defpager_backing_store_alert alert;
	struct pollfd fd = { .fd = self->store, .events = POLLPRI };
	struct memory late;
	uint64_t errors;

	late = memory_create_in(self->stores.pager, self->store, page_size());
	alert = alert_when_low(SEGMENT / 4);
	ASSERT_EQ(0, defpager_ioctl(self->store,
				    DEFPAGER_IOC_BACKING_STORE_ALERT, &alert));
	fill_all(&self->memory, 1);
	EXPECT_EQ(0, poll(&fd, 1, 100));
	faulty_break(&self->one);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));

	/* All is in memory, and nothing is promised that there is not. */
	EXPECT_EQ(OBJECT_PAGES, resident_pages(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_EQ(1, poll(&fd, 1, 60000));
	EXPECT_EQ(POLLPRI, fd.revents & POLLPRI);
	EXPECT_EQ(0, store_state(self->store).free_bytes);
	EXPECT_EQ(-1, pwrite(late.fd, "", 1, 0));
	EXPECT_EQ(ENOSPC, errno);
	/* It is known to be hopeless, and not tried again and again. */
	errors = settled_errors(self->store, self->id, &self->memory);
	EXPECT_GE(PAGES(BAD_MOST), store_state(self->store).bad_bytes);
	try_to_page_out(&self->memory);
	EXPECT_EQ(OBJECT_PAGES, resident_pages(&self->memory));
	EXPECT_EQ(errors, segment_state(self->store, self->id).write_errors);

	/* It was the path: all of it is back. */
	faulty_heal(&self->one);
	EXPECT_TRUE(recovers(self->store, self->id));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&self->memory, self->id));
	EXPECT_EQ(0, segment_state(self->store, self->id).bad_bytes);
	EXPECT_EQ(1, pwrite(late.fd, "", 1, 0));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	memory_destroy(&late);
}

/* Pages that were out before, and are changed, do not go to the old place. */
TEST_F_TIMEOUT(write_error, changed_pages_stay_too, TIMEOUT)
{
	uint64_t errors;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	fill(&self->memory, 0, OBJECT_PAGES / 2, 2);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));

	errors = settled_errors(self->store, self->id, &self->memory);
	fill(&self->memory, 0, OBJECT_PAGES / 2, 3);
	try_to_page_out(&self->memory);
	EXPECT_EQ(errors, segment_state(self->store, self->id).write_errors);
	EXPECT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 3));
	/* What was not changed is as it was, in memory or not. */
	EXPECT_TRUE(verify(&self->memory, OBJECT_PAGES / 2, OBJECT_PAGES / 2,
			   1));

	faulty_heal(&self->one);
	EXPECT_TRUE(recovers(self->store, self->id));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 3));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_F_TIMEOUT(write_error, another_segment_helps_at_once, TIMEOUT)
{
	uint64_t id;

	fill_all(&self->memory, 1);
	faulty_break(&self->one);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	id = segment_on(self->store, &self->other);
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&self->memory, id));
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* Others, in other stores, have nothing to do with it. */
TEST_F_TIMEOUT(write_error, other_stores_are_not_concerned, TIMEOUT)
{
	struct memory memory;
	uint64_t id;
	int store;

	store = store_new(&self->stores, "well", 0, 0,
			  DEFPAGER_STORE_EXCLUSIVE);
	id = segment_on(store, &self->other);
	memory = memory_create_in(self->stores.pager, store,
				  PAGES(OBJECT_PAGES));
	faulty_break(&self->one);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	fill_all(&memory, 2);
	EXPECT_TRUE(evict(&memory));
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&memory, id));
	EXPECT_TRUE(verify_all(&memory, 2));
	memory_destroy(&memory);
	close(store);
}

/* --- Removing it ------------------------------------------------------ */

TEST_F_TIMEOUT(write_error, failing_segment_is_removed_and_added, TIMEOUT)
{
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	fill(&self->memory, 0, OBJECT_PAGES / 2, 2);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));

	/* What it holds has nowhere to go, and promises are not broken. */
	EXPECT_EQ(-EBUSY, segment_remove(self->store, self->id, -1));
	segment_new(&self->stores, self->store, PAGES(OBJECT_PAGES - 1));
	EXPECT_EQ(-ENOSPC, segment_remove(self->store, self->id, -1));
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	segment_new(&self->stores, self->store, PAGES(1));
	EXPECT_EQ(0, segment_remove(self->store, self->id, -1));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 2));
	EXPECT_TRUE(verify(&self->memory, OBJECT_PAGES / 2, OBJECT_PAGES / 2,
			   1));
	EXPECT_TRUE(accounts_agree(&self->stores));

	/* Repaired, it can be had back. */
	faulty_heal(&self->one);
	self->id = segment_on(self->store, &self->one);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, self->id).state);
	EXPECT_EQ(0, segment_state(self->store, self->id).bad_bytes);
	EXPECT_EQ(SEGMENT, store_state(self->store).free_bytes);
}

/* It stays one that fails if it is not removed after all. */
TEST_F_TIMEOUT(write_error, store_with_failing_segment_is_deleted, TIMEOUT)
{
	int target;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	fill(&self->memory, 0, OBJECT_PAGES / 2, 2);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	target = store_with_space(&self->stores, "target", 0,
				  DEFPAGER_STORE_EXCLUSIVE,
				  PAGES(OBJECT_PAGES));
	EXPECT_EQ(0, store_delete(self->store, target));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 2));
	EXPECT_TRUE(verify(&self->memory, OBJECT_PAGES / 2, OBJECT_PAGES / 2,
			   1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	close(target);
}

/*
 * The same with stores of the pool, in which there is nothing free besides: what the
 * failing one has promised and lacks is not what the pool lacks.
 */
TEST_F_TIMEOUT(write_error, failing_store_of_the_pool_is_deleted, TIMEOUT)
{
	int from = store_new(&self->stores, "from", 0, 0, 0), target;
	uint64_t id = segment_on(from, &self->other);
	struct memory memory = memory_create_in(self->stores.pager, from,
						SEGMENT);

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	faulty_refuse_writes(&self->other, 0, FOR_EVER);
	fill(&memory, 0, SLOTS / 2, 2);
	ASSERT_TRUE(pageout_fails(from, id, &memory));
	target = store_with_space(&self->stores, "target", 0, 0, SEGMENT);
	ASSERT_EQ(0, store_state(self->store).used_bytes);
	EXPECT_EQ(0, store_delete(from, target));
	EXPECT_TRUE(evict(&memory));
	EXPECT_EQ(SEGMENT, memory_info(&memory).stored_bytes);
	EXPECT_TRUE(verify(&memory, 0, SLOTS / 2, 2));
	EXPECT_TRUE(verify(&memory, SLOTS / 2, SLOTS / 2, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	memory_destroy(&memory);
	close(target);
	close(from);
}

/* Of two segments that hold pages one is removed, and the other one fails. */
TEST_F_TIMEOUT(write_error, drain_leaves_failing_segments_alone, TIMEOUT)
{
	uint64_t id, stored;

	id = segment_on(self->store, &self->other);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	fill(&self->memory, 0, 64, 2);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	segment_new(&self->stores, self->store, SEGMENT);
	ASSERT_TRUE(evict(&self->memory));
	stored = stored_in(&self->memory, self->id);
	EXPECT_LT(0, stored);
	EXPECT_EQ(0, segment_remove(self->store, id, -1));
	EXPECT_EQ(stored, stored_in(&self->memory, self->id));
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_TRUE(verify(&self->memory, 0, 64, 2));
	EXPECT_TRUE(verify(&self->memory, 64, OBJECT_PAGES - 64, 1));
}

/* No page gives up a place for one that is not there any more. */
TEST_F_TIMEOUT(write_error, drain_ends_when_the_others_fail, TIMEOUT)
{
	struct defpager_segment_remove removal;
	uint64_t id = segment_on(self->store, &self->other);

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(PAGES(OBJECT_PAGES / 2), stored_in(&self->memory, id));
	faulty_refuse_writes(&self->one, 0, FOR_EVER);
	removal = segment_removal(id, -1);
	EXPECT_EQ(-EIO, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_REMOVE,
				       &removal));
	EXPECT_EQ(0, removal.error_object);
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, id).state);
	/* What has been taken away is written back to it. */
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* The same for what has to follow its object to another store. */
TEST_F_TIMEOUT(write_error, deletion_ends_when_the_target_fails, TIMEOUT)
{
	int target = store_new(&self->stores, "target", 0, 0,
			       DEFPAGER_STORE_EXCLUSIVE);
	uint64_t id = segment_on(target, &self->other);

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	faulty_refuse_writes(&self->other, 0, FOR_EVER);
	EXPECT_EQ(-EIO, store_delete(self->store, target));
	/* Some pages are in memory only, but not all that there are. */
	EXPECT_LT(0, stored_in(&self->memory, self->id));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	faulty_heal(&self->other);
	ASSERT_TRUE(recovers(target, id));
	EXPECT_EQ(0, store_delete(self->store, target));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	close(target);
}

TEST_HARNESS_MAIN
