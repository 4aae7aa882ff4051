// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever a request or an access allocates: when that fails, it fails with an
 * errno that says so, or does without; nothing has changed and nothing is lost,
 * and it succeeds the next time.
 *
 * Each is made again and again, and the first, second, third ... allocation of
 * the thread fails, until there were fewer. Needs a disk that is all the tests'.
 */
#include <linux/falloc.h>
#include <sys/uio.h>

#include "contract_utils.h"
#include "fail_utils.h"
#include "store_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define SEGMENT MIB(4)
#define OBJECT_PAGES 64
#define MAX_NTH 1000

FIXTURE(fail)
{
	struct stores stores;
	int store;		/* with a segment, where @memory is */
	int other;		/* with another one */
	struct memory memory;	/* the first half is filled; the rest holes */
	int nth;		/* see fail_nth() */
	int made;		/* by what is tried, or -1 */
	uint64_t segment;	/* likewise */
};

FIXTURE_SETUP(fail)
{
	if (!can_fail())
		SKIP(_exit(KSFT_SKIPPED), "no fault injection in this kernel");
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_with_space(&self->stores, "failing", 0, 0, SEGMENT);
	self->other = store_with_space(&self->stores, "other", 0, 0, SEGMENT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
	fill(&self->memory, 0, OBJECT_PAGES / 2, 1);
	self->nth = open_fail_nth();
	self->made = -1;
}

FIXTURE_TEARDOWN(fail)
{
	memory_destroy(&self->memory);
	close(self->nth);
	close(self->other);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	stores_close(&self->stores);
}

/* What is tried: 0 or a negative errno. Afterwards, if it succeeded: @undo. */
struct attempt {
	int (*try)(FIXTURE_DATA(fail) *self);
	void (*undo)(FIXTURE_DATA(fail) *self);
	bool evict;		/* all is paged out before */
};

static int or_errno(long ret)
{
	return ret < 0 ? -errno : 0;
}

static void undo_made(FIXTURE_DATA(fail) *self)
{
	must(close(self->made) == 0);
	self->made = -1;
}

/* Nothing that was in the object has gone, or come. */
static bool object_is_whole(FIXTURE_DATA(fail) *self)
{
	const struct memory *memory = &self->memory;
	char zeros[page_size()], content[page_size()];
	int page;

	memset(zeros, 0, page_size());
	if (!verify(memory, 0, OBJECT_PAGES / 2, 1))
		return false;
	for (page = OBJECT_PAGES / 2; page < OBJECT_PAGES; page++) {
		must(pread(memory->fd, content, page_size(), PAGES(page)) ==
		     (ssize_t)page_size());
		if (memcmp(content, zeros, page_size()))
			return false;
	}
	return true;
}

static void sweep(struct __test_metadata *_metadata, FIXTURE_DATA(fail) *self,
		  const struct attempt *attempt)
{
	int nth, ret, failed = 0;
	bool done = false;

	for (nth = 1; !done; nth++) {
		ASSERT_GT(MAX_NTH, nth);
		if (attempt->evict)
			ASSERT_TRUE(evict(&self->memory));
		fail_nth(self->nth, nth);
		ret = attempt->try(self);
		done = nothing_failed(self->nth);
		if (ret) {
			failed++;
			EXPECT_TRUE(ret == -ENOMEM || ret == -ENFILE) {
				TH_LOG("allocation %d: %s", nth, strerror(-ret));
			}
		} else if (attempt->undo) {
			attempt->undo(self);
		}
		EXPECT_TRUE(accounts_agree(&self->stores)) {
			TH_LOG("after allocation %d", nth);
		}
		ASSERT_TRUE(object_is_whole(self)) {
			TH_LOG("after allocation %d", nth);
		}
	}
	/* The last time, nothing failed. */
	EXPECT_EQ(0, ret);
	TH_LOG("%d of %d allocations failed it", failed, nth - 2);
	EXPECT_LT(2, nth);
}

#define SWEEP(...)							\
	sweep(_metadata, self, &(const struct attempt){ __VA_ARGS__ })

/* --- Objects ------------------------------------------------------------ */

static int create_with(FIXTURE_DATA(fail) *self, int store, uint32_t flags)
{
	int fd = object_create_with(self->stores.pager, store, MIB(1), flags);

	if (fd < 0)
		return fd;
	self->made = fd;
	return 0;
}

static int try_create(FIXTURE_DATA(fail) *self)
{
	return create_with(self, -1, 0);
}

static int try_create_reserved(FIXTURE_DATA(fail) *self)
{
	return create_with(self, self->store, DEFPAGER_OBJECT_RESERVE);
}

TEST_F_TIMEOUT(fail, object_create, TIMEOUT)
{
	SWEEP(.try = try_create, .undo = undo_made);
}

TEST_F_TIMEOUT(fail, object_create_reserved, TIMEOUT)
{
	SWEEP(.try = try_create_reserved, .undo = undo_made);
}

#define HOLE PAGES(OBJECT_PAGES / 2 + 3)

static void undo_punch(FIXTURE_DATA(fail) *self)
{
	must(fallocate(self->memory.fd, FALLOC_FL_PUNCH_HOLE |
		       FALLOC_FL_KEEP_SIZE, PAGES(OBJECT_PAGES / 2),
		       PAGES(OBJECT_PAGES / 2)) == 0);
}

static int try_write(FIXTURE_DATA(fail) *self)
{
	return or_errno(pwrite(self->memory.fd, "x", 1, HOLE));
}

TEST_F_TIMEOUT(fail, write_to_hole, TIMEOUT)
{
	SWEEP(.try = try_write, .undo = undo_punch);
}

static int try_write_same(FIXTURE_DATA(fail) *self)
{
	char content[page_size()];

	fill_page(content, 7, 1);
	return or_errno(pwrite(self->memory.fd, content, 100, PAGES(7)));
}

TEST_F_TIMEOUT(fail, write_to_paged_out, TIMEOUT)
{
	SWEEP(.try = try_write_same, .evict = true);
}

static int try_read(FIXTURE_DATA(fail) *self)
{
	char content[PAGES(8)];

	return or_errno(pread(self->memory.fd, content, sizeof(content),
			      PAGES(OBJECT_PAGES / 2 - 4)));
}

TEST_F_TIMEOUT(fail, read_of_paged_out, TIMEOUT)
{
	SWEEP(.try = try_read, .evict = true);
}

/* A fault that finds no memory is taken again. */
static int try_touch(FIXTURE_DATA(fail) *self)
{
	return store_byte(self->memory.map + HOLE, 'x') ? 0 : -EFAULT;
}

TEST_F_TIMEOUT(fail, fault_in_hole, TIMEOUT)
{
	SWEEP(.try = try_touch, .undo = undo_punch);
}

static int try_fault(FIXTURE_DATA(fail) *self)
{
	return verify(&self->memory, 5, 3, 1) ? 0 : -EIO;
}

TEST_F_TIMEOUT(fail, fault_of_paged_out, TIMEOUT)
{
	SWEEP(.try = try_fault, .evict = true);
}

static int try_willneed(FIXTURE_DATA(fail) *self)
{
	return -posix_fadvise(self->memory.fd, 0, 0, POSIX_FADV_WILLNEED);
}

TEST_F_TIMEOUT(fail, will_need, TIMEOUT)
{
	SWEEP(.try = try_willneed, .evict = true);
}

static int try_page_in(FIXTURE_DATA(fail) *self)
{
	struct defpager_object_pageout arg;

	return object_pageout(self->memory.fd, DEFPAGER_PAGEOUT_IN |
			      DEFPAGER_PAGEOUT_WAIT, 0, 0, &arg);
}

TEST_F_TIMEOUT(fail, page_in, TIMEOUT)
{
	SWEEP(.try = try_page_in, .evict = true);
}

/* Both ends are in the middle of pages, which have to be read. */
static int try_zero(FIXTURE_DATA(fail) *self)
{
	return or_errno(fallocate(self->memory.fd, FALLOC_FL_ZERO_RANGE,
				  PAGES(2) + 100, PAGES(3)));
}

/* Each byte of a page is as it was, or zero where it may be. */
static bool page_is_zeroed_or_not(FIXTURE_DATA(fail) *self, int page, int from,
				  int to)
{
	char content[page_size()], before[page_size()];
	int i;

	must(pread(self->memory.fd, content, page_size(), PAGES(page)) ==
	     (ssize_t)page_size());
	fill_page(before, page, 1);
	for (i = 0; i < (int)page_size(); i++)
		if (content[i] != before[i] &&
		    (content[i] || i < from || i >= to))
			return false;
	return true;
}

/* It may end half way. */
TEST_F_TIMEOUT(fail, zero_range, TIMEOUT)
{
	int nth, ret = 0, failed = 0, size = page_size();
	bool done = false;

	for (nth = 1; !done; nth++) {
		ASSERT_GT(MAX_NTH, nth);
		ASSERT_TRUE(evict(&self->memory));
		fail_nth(self->nth, nth);
		ret = try_zero(self);
		done = nothing_failed(self->nth);
		failed += !!ret;
		EXPECT_TRUE(ret == 0 || ret == -ENOMEM);
		EXPECT_TRUE(page_is_zeroed_or_not(self, 2, 100, size));
		EXPECT_TRUE(page_is_zeroed_or_not(self, 3, 0, size));
		EXPECT_TRUE(page_is_zeroed_or_not(self, 4, 0, size));
		EXPECT_TRUE(page_is_zeroed_or_not(self, 5, 0, 100));
		fill(&self->memory, 2, 4, 1);
		EXPECT_TRUE(accounts_agree(&self->stores));
		ASSERT_TRUE(object_is_whole(self));
	}
	EXPECT_EQ(0, ret);
	TH_LOG("%d of %d allocations failed it", failed, nth - 2);
	EXPECT_LT(2, nth);
}

/* The tail of its last page is zeroed, for which it has to be read. */
static int try_truncate(FIXTURE_DATA(fail) *self)
{
	return or_errno(ftruncate(self->memory.fd,
				  PAGES(OBJECT_PAGES / 2 - 1) + 100));
}

static void undo_truncate(FIXTURE_DATA(fail) *self)
{
	must(ftruncate(self->memory.fd, PAGES(OBJECT_PAGES)) == 0);
	fill(&self->memory, OBJECT_PAGES / 2 - 1, 1, 1);
}

TEST_F_TIMEOUT(fail, truncate, TIMEOUT)
{
	SWEEP(.try = try_truncate, .undo = undo_truncate, .evict = true);
}

/* --- Stores -------------------------------------------------------------- */

static int try_store(FIXTURE_DATA(fail) *self)
{
	int fd = store_create(self->stores.pager, "new", 1, 0,
			      DEFPAGER_STORE_CHECKSUM | DEFPAGER_STORE_ENCRYPT);

	if (fd < 0)
		return fd;
	self->made = fd;
	return 0;
}

static void undo_store(FIXTURE_DATA(fail) *self)
{
	must(store_delete(self->made, -1) == 0);
	undo_made(self);
}

TEST_F_TIMEOUT(fail, store_create_protected, TIMEOUT)
{
	SWEEP(.try = try_store, .undo = undo_store);
}

static int try_open(FIXTURE_DATA(fail) *self)
{
	int fd = store_open(self->stores.pager, "failing");

	if (fd < 0)
		return fd;
	self->made = fd;
	return 0;
}

TEST_F_TIMEOUT(fail, store_open, TIMEOUT)
{
	SWEEP(.try = try_open, .undo = undo_made);
}

static int try_segment(FIXTURE_DATA(fail) *self)
{
	struct defpager_segment_add add;
	int ret;

	add = segment_range(self->stores.disk, 2 * SEGMENT / 512,
			    SEGMENT / 512, 512);
	ret = defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD, &add);
	self->segment = add.id;
	return ret;
}

static void undo_segment(FIXTURE_DATA(fail) *self)
{
	must(segment_remove(self->store, self->segment, -1) == 0);
}

TEST_F_TIMEOUT(fail, segment_add, TIMEOUT)
{
	SWEEP(.try = try_segment, .undo = undo_segment);
}

/*
 * The object moves to the other store and the segment goes; or, when something
 * fails, part of that. The rest comes when it is asked for again.
 */
TEST_F_TIMEOUT(fail, drain_to_other_store, TIMEOUT)
{
	int from = self->store, to = self->other, nth, ret, failed = 0;
	uint64_t segment = 0, start;
	struct defpager_segment_info row;
	bool done = false;

	for (nth = 1; !done; nth++) {
		ASSERT_GT(MAX_NTH, nth);
		ASSERT_TRUE(evict(&self->memory));
		start = 0;
		ASSERT_EQ(1, list_rows(from, DEFPAGER_IOC_SEGMENTS, &start,
				       &row, sizeof(row), 1));
		fail_nth(self->nth, nth);
		ret = segment_remove(from, row.id, to);
		done = nothing_failed(self->nth);
		if (ret) {
			failed++;
			EXPECT_EQ(-ENOMEM, ret);
			ASSERT_TRUE(object_is_whole(self));
			ASSERT_EQ(0, segment_remove(from, row.id, to));
		}
		EXPECT_TRUE(accounts_agree(&self->stores));
		ASSERT_TRUE(object_is_whole(self));
		/* And back. */
		segment = segment_at(from, self->stores.disk, row.offset_bytes,
				     SEGMENT);
		ret = from;
		from = to;
		to = ret;
	}
	TH_LOG("%d of %d allocations failed it", failed, nth - 2);
	EXPECT_LT(0, segment);
	EXPECT_LT(2, nth);
}

TEST_HARNESS_MAIN
