// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing segments: pages move away and nothing else changes; or it is refused
 * before anything has.
 *
 * What goes on at the same time has drain_race_test, what stops them has
 * drain_interrupt_test, devices that fail have read_error_test and
 * write_error_test. Needs a disk of 256 MiB, /dev/vda, which is overwritten.
 */
#include <sys/mount.h>

#include "store_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300

/* An object of half of what two segments hold, in turns of a cluster. */
FIXTURE(drain)
{
	struct stores s;
	int store;
	uint64_t segment[2];
	struct memory memory;
};

FIXTURE_VARIANT(drain)
{
	bool confined;
};

FIXTURE_VARIANT_ADD(drain, confined) { .confined = true };
FIXTURE_VARIANT_ADD(drain, of_the_pager) { .confined = false };

#define SEGMENT_BYTES MIB(4)

FIXTURE_SETUP(drain)
{
	int i;

	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->store = store_new(&self->s, "drained", 0, 0, 0);
	for (i = 0; i < 2; i++)
		self->segment[i] = segment_new(&self->s, self->store,
					       SEGMENT_BYTES);
	self->memory = memory_create_in(self->s.pager,
					variant->confined ? self->store : -1,
					SEGMENT_BYTES);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
}

FIXTURE_TEARDOWN(drain)
{
	if (self->memory.map)
		memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->store);
	stores_close(&self->s);
}

TEST_F_TIMEOUT(drain, pages_move_and_keep_their_content, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct defpager_segment_remove removal;
	uint64_t held = stored_in(memory, self->segment[0]);

	ASSERT_LT(0, held);
	ASSERT_GT(SEGMENT_BYTES, held);
	removal = segment_removal(self->segment[0], -1);
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_REMOVE,
				    &removal));
	EXPECT_EQ(held, removal.moved_bytes);
	EXPECT_EQ(0, removal.error_object);
	EXPECT_EQ(0, removal.error_offset);
	EXPECT_FALSE(segment_is_there(self->store, self->segment[0]));
	EXPECT_EQ(SEGMENT_BYTES, store_state(self->store).total_bytes);
	EXPECT_EQ(0, store_state(self->store).free_bytes);
	EXPECT_EQ(SEGMENT_BYTES, memory_info(memory).reserved_bytes);
	EXPECT_TRUE(verify_all(memory, 1));
	ASSERT_TRUE(evict(memory));
	EXPECT_EQ(SEGMENT_BYTES, stored_in(memory, self->segment[1]));
	EXPECT_TRUE(verify_all(memory, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
}

/*
 * Without reclaim: what is read for it does not pile up in memory. A few pages
 * wait on each processor for being put where page-out may take them.
 */
TEST_F_TIMEOUT(drain, pages_are_written_to_their_new_place, TIMEOUT)
{
	struct memory *memory = &self->memory;

	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	EXPECT_TRUE(wait_until(stored_in(memory, self->segment[1]) >=
			       SEGMENT_BYTES - PAGES(UNSEEN_PAGES)));
}

/* Everything is in the one, then in the other. */
TEST_F_TIMEOUT(drain, pages_move_again_and_again, TIMEOUT)
{
	uint64_t from;
	int i;

	for (i = 0; i < 10; i++) {
		from = self->segment[i % 2];
		ASSERT_EQ(0, segment_remove(self->store, from, -1));
		self->segment[i % 2] = segment_at(self->store, self->s.disk,
						  i % 2 * SEGMENT_BYTES,
						  SEGMENT_BYTES);
		EXPECT_NE(from, self->segment[i % 2]);
		EXPECT_TRUE(verify_all(&self->memory, 1));
		if (i % 3 == 0) {
			ASSERT_TRUE(evict(&self->memory));
			EXPECT_TRUE(accounts_agree(&self->s));
		}
	}
}

/* Clean or changed, the pages that are in memory lose their old place, too. */
TEST_F_TIMEOUT(drain, pages_in_memory_move_too, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t half = memory_pages(memory) / 2;

	EXPECT_TRUE(verify(memory, 0, half, 1));
	fill(memory, half / 2, half, 2);
	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	ASSERT_TRUE(evict(memory));
	EXPECT_TRUE(accounts_agree(&self->s));
	EXPECT_TRUE(verify(memory, 0, half / 2, 1));
	EXPECT_TRUE(verify(memory, half / 2, half, 2));
	EXPECT_TRUE(verify(memory, half / 2 + half, half / 2, 1));
}

/* Locked pages do not leave memory for it. */
TEST_F_TIMEOUT(drain, locked_pages_stay_in_memory, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct defpager_info before;

	ASSERT_EQ(0, mlock(memory->map, memory->size));
	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	before = totals(self->s.pager);
	EXPECT_EQ(memory->size, memory_info(memory).resident_bytes);
	EXPECT_TRUE(verify_all(memory, 1));
	EXPECT_EQ(before.pages_in, totals(self->s.pager).pages_in);
	ASSERT_EQ(0, munlock(memory->map, memory->size));
	ASSERT_TRUE(evict(memory));
	EXPECT_TRUE(verify_all(memory, 1));
}

/* Nor is anybody waited for who has pages in use for a long time. */
TEST_F_TIMEOUT(drain, pages_in_a_pipe_do_not_hold_it_up, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct iovec pages = { .iov_base = memory->map, .iov_len = PAGES(16) };
	char *buffer = malloc(PAGES(1));
	int fds[2], i;

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(PAGES(16), vmsplice(fds[1], &pages, 1, 0));
	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	for (i = 0; i < 16; i++) {
		ASSERT_EQ(PAGES(1), read(fds[0], buffer, PAGES(1)));
		EXPECT_TRUE(verify_page(buffer, i, 1));
	}
	close(fds[0]);
	close(fds[1]);
	free(buffer);
	ASSERT_TRUE(evict(memory));
	EXPECT_TRUE(verify_all(memory, 1));
}

TEST_F_TIMEOUT(drain, neighbours_stay_neighbours, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t third = segment_new(&self->s, self->store, 2 * SEGMENT_BYTES);
	uint64_t clusters = SEGMENT_BYTES / DEFPAGER_DEFAULT_CLUSTER_SIZE;

	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	ASSERT_EQ(0, segment_remove(self->store, self->segment[1], -1));
	ASSERT_TRUE(evict(memory));
	EXPECT_LE(memory_pages(memory) - clusters,
		  contiguous_in(memory, third));
	EXPECT_TRUE(verify_all(memory, 1));
}

/* What it held must not come back, neither from the device nor the accounts. */
TEST_F_TIMEOUT(drain, range_can_be_added_again, TIMEOUT)
{
	uint64_t again;

	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	again = segment_at(self->store, self->s.disk, 0, SEGMENT_BYTES);
	EXPECT_NE(self->segment[0], again);
	EXPECT_EQ(0, segment_state(self->store, again).used_bytes);
	EXPECT_EQ(2 * SEGMENT_BYTES, store_state(self->store).total_bytes);
	ASSERT_EQ(0, segment_remove(self->store, self->segment[1], -1));
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(SEGMENT_BYTES, stored_in(&self->memory, again));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
}

TEST_F_TIMEOUT(drain, removed_segment_is_unknown, TIMEOUT)
{
	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	EXPECT_EQ(-ENOENT, segment_remove(self->store, self->segment[0], -1));
}

/* Pages that are on no segment have to fit as well, and nothing else has. */
TEST_F_TIMEOUT(drain, promises_count_and_not_slots, TIMEOUT)
{
	struct memory other = memory_create_in(self->s.pager, self->store,
					       MIB(1));

	/* Touched, but all zero: there is no place to move from. */
	ASSERT_EQ(256 / 2, touch_all(&(struct memory){ .fd = other.fd,
						       .size = KIB(512) }));
	memset(other.map, 0, KIB(512));
	ASSERT_TRUE(evict(&other));
	EXPECT_EQ(0, memory_info(&other).stored_bytes);
	/* Promised all the same: 128 pages too many for one segment. */
	EXPECT_EQ(-ENOSPC, segment_remove(self->store, self->segment[0], -1));
	ASSERT_EQ(0, ftruncate(other.fd, 0));
	EXPECT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	memory_destroy(&other);
}

/* --- Refused, before anything has changed ------------------------------ */

static void expect_refusal(struct __test_metadata *_metadata,
			   FIXTURE_DATA(drain) *self, int error, int segment)
{
	struct defpager_segment_info row, row_before;
	struct defpager_segment_remove removal, copy;
	struct pager_state before, after;

	removal = segment_removal(self->segment[segment], -1);
	removal.moved_bytes = removal.error_object = 0x4711;
	copy = removal;
	/*
	 * What was moved before is still being written, and pages are out a
	 * moment before the writes are said to have ended.
	 */
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_TRUE(wait_until(!segment_state(self->store,
					      self->segment[segment])
					.in_flight_bytes));
	row_before = segment_state(self->store, self->segment[segment]);
	ASSERT_EQ(0, pager_state(self->s.pager, &before));
	EXPECT_EQ(error, defpager_ioctl(self->store,
					DEFPAGER_IOC_SEGMENT_REMOVE, &removal));
	ASSERT_EQ(0, pager_state(self->s.pager, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	EXPECT_EQ(0, memcmp(&copy, &removal, sizeof(copy)));
	row = segment_state(self->store, self->segment[segment]);
	EXPECT_EQ(0, memcmp(&row_before, &row, sizeof(row)));
	EXPECT_TRUE(accounts_agree(&self->s));
}

/* By a single page. */
TEST_F_TIMEOUT(drain, what_does_not_fit_is_refused, TIMEOUT)
{
	struct memory other = memory_create_in(self->s.pager, variant->confined ?
					       self->store : -1, PAGES(2));
	int i;

	fill(&other, 0, 1, 1);
	for (i = 0; i < 2; i++) {
		expect_refusal(_metadata, self, -ENOSPC, i);
		ASSERT_TRUE(evict(&other));
		expect_refusal(_metadata, self, -ENOSPC, i);
	}
	/* The segment is in use as before. */
	EXPECT_TRUE(verify_all(&self->memory, 1));
	fill_all(&self->memory, 2);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_LT(0, stored_in(&self->memory, self->segment[0]));
	EXPECT_LT(0, stored_in(&self->memory, self->segment[1]));
	/* And a page less does fit. */
	memory_destroy(&other);
	EXPECT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	EXPECT_TRUE(verify_all(&self->memory, 2));
}

/* Other stores help those who may go there. */
TEST_F_TIMEOUT(drain, other_stores_count_for_objects_of_the_pager, TIMEOUT)
{
	int exclusive = store_with_space(&self->s, "exclusive", 0,
					 DEFPAGER_STORE_EXCLUSIVE, MIB(64));
	struct memory other = memory_create_in(self->s.pager, variant->confined ?
					       self->store : -1, PAGES(64));
	int common;

	fill_all(&other, 1);
	expect_refusal(_metadata, self, -ENOSPC, 0);
	common = store_with_space(&self->s, "common", -7, 0, PAGES(64));
	if (variant->confined)
		expect_refusal(_metadata, self, -ENOSPC, 0);
	else
		EXPECT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_TRUE(evict(&other));
	EXPECT_EQ(variant->confined ? 0 : PAGES(64),
		  store_state(common).used_bytes);
	EXPECT_EQ(0, store_state(exclusive).used_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(verify_all(&other, 1));
	memory_destroy(&other);
	close(common);
	close(exclusive);
}

TEST_F_TIMEOUT(drain, last_segment_of_confined_objects_is_busy, TIMEOUT)
{
	int common;

	ASSERT_EQ(0, segment_remove(self->store, self->segment[0], -1));
	expect_refusal(_metadata, self,
		       variant->confined ? -EBUSY : -ENOSPC, 1);
	/* That others have space helps objects of the pager only. */
	common = store_with_space(&self->s, "common", 0, 0, MIB(8));
	if (variant->confined)
		expect_refusal(_metadata, self, -EBUSY, 1);
	else
		EXPECT_EQ(0, segment_remove(self->store, self->segment[1], -1));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	/* Objects that hold nothing are no reason. */
	ASSERT_EQ(0, ftruncate(self->memory.fd, 0));
	if (variant->confined)
		EXPECT_EQ(0, segment_remove(self->store, self->segment[1], -1));
	EXPECT_EQ(0, store_state(self->store).nr_segments);
	close(common);
}

/* --- The device afterwards ---------------------------------------------- */

TEST_F_TIMEOUT(drain, device_can_be_claimed_and_mounted, TIMEOUT)
{
	char path[PATH_MAX], command[PATH_MAX + 64];
	char mountpoint[] = "/tmp/defpager.XXXXXX";
	int claim, device = loop_create(MIB(16), 512, 0);
	uint64_t segment[2];

	ASSERT_LE(0, device);
	fd_path(device, path);
	segment[0] = segment_at(self->store, device, 0, MIB(8));
	segment[1] = segment_at(self->store, device, MIB(8), MIB(8));
	fill_all(&self->memory, 2);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, segment_remove(self->store, segment[0], -1));
	/* The other one holds it. */
	EXPECT_EQ(-1, open(path, O_RDWR | O_EXCL | O_CLOEXEC));
	ASSERT_EQ(0, segment_remove(self->store, segment[1], -1));
	claim = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claim);
	close(claim);
	snprintf(command, sizeof(command), "mkfs.ext4 -q -F %s >&2", path);
	if (system(command))
		SKIP(return, "mkfs.ext4 is missing");
	ASSERT_NE(NULL, mkdtemp(mountpoint));
	ASSERT_EQ(0, mount(path, mountpoint, "ext4", 0, NULL));
	/* Nothing of ours is written there any more. */
	fill_all(&self->memory, 3);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, umount(mountpoint));
	snprintf(command, sizeof(command), "fsck.ext4 -f -n %s >&2", path);
	EXPECT_EQ(0, system(command));
	EXPECT_TRUE(verify_all(&self->memory, 3));
	rmdir(mountpoint);
	close(device);
}

/* --- Other homes -------------------------------------------------------- */

FIXTURE(target)
{
	struct stores s;
	int from;
	int to;
	uint64_t from_segment;
	uint64_t to_segment;
	struct memory memory[2];	/* of half of @from each */
	struct memory pooled;
};

/* Which of the two stores is exclusive. */
FIXTURE_VARIANT(target)
{
	bool from;
	bool to;
};

FIXTURE_VARIANT_ADD(target, common_to_common) { .from = false, .to = false };
FIXTURE_VARIANT_ADD(target, common_to_exclusive) { .from = false, .to = true };
FIXTURE_VARIANT_ADD(target, exclusive_to_common) { .from = true, .to = false };
FIXTURE_VARIANT_ADD(target, exclusive_to_exclusive) { .from = true, .to = true };

FIXTURE_SETUP(target)
{
	int i;

	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->from = store_new(&self->s, "from", 1, 0,
			       variant->from ? DEFPAGER_STORE_EXCLUSIVE : 0);
	self->to = store_new(&self->s, "to", 0, 0,
			     variant->to ? DEFPAGER_STORE_EXCLUSIVE : 0);
	self->from_segment = segment_new(&self->s, self->from, MIB(4));
	self->to_segment = segment_new(&self->s, self->to, MIB(2));
	for (i = 0; i < 2; i++) {
		self->memory[i] = memory_create_in(self->s.pager, self->from,
						   MIB(2));
		fill(&self->memory[i], 0, 256, 1);
	}
	/* One of them is in memory, one is not. */
	ASSERT_TRUE(evict(&self->memory[0]));
	self->pooled = memory_create(self->s.pager, MIB(1));
}

FIXTURE_TEARDOWN(target)
{
	int i;

	for (i = 0; i < 2; i++)
		memory_destroy(&self->memory[i]);
	memory_destroy(&self->pooled);
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->from);
	close(self->to);
	stores_close(&self->s);
}

static void expect_moved(struct __test_metadata *_metadata,
			 FIXTURE_DATA(target) *self)
{
	struct defpager_object_info info;
	int i;

	for (i = 0; i < 2; i++) {
		info = memory_info(&self->memory[i]);
		EXPECT_EQ(1, info.confined);
		EXPECT_STREQ("to", info.backing_store);
		EXPECT_EQ(PAGES(256), info.reserved_bytes);
		ASSERT_TRUE(evict(&self->memory[i]));
		EXPECT_EQ(PAGES(256), stored_in(&self->memory[i],
						self->to_segment));
		EXPECT_TRUE(verify(&self->memory[i], 0, 256, 1));
	}
	EXPECT_EQ(2, store_state(self->to).nr_objects);
	EXPECT_EQ(PAGES(512), store_state(self->to).confined_bytes);
	EXPECT_EQ(PAGES(512), store_state(self->to).used_bytes);
	EXPECT_EQ(0, store_state(self->to).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	/* They are promised space there, and only there. */
	EXPECT_FALSE(store_byte(memory_page(&self->memory[0], 256), 1));
}

TEST_F_TIMEOUT(target, deletion_moves_objects_and_their_pages, TIMEOUT)
{
	ASSERT_EQ(-EBUSY, store_delete(self->from, -1));
	ASSERT_EQ(0, store_delete(self->from, self->to));
	EXPECT_EQ(-ENOENT, store_open(self->s.pager, "from"));
	EXPECT_EQ(2, totals(self->s.pager).nr_stores);
	expect_moved(_metadata, self);
}

/* The last segment of a store: what is confined to it has another home first. */
TEST_F_TIMEOUT(target, removal_moves_objects_and_their_pages, TIMEOUT)
{
	struct defpager_segment_remove removal;

	ASSERT_EQ(-EBUSY, segment_remove(self->from, self->from_segment, -1));
	removal = segment_removal(self->from_segment, self->to);
	ASSERT_EQ(0, defpager_ioctl(self->from, DEFPAGER_IOC_SEGMENT_REMOVE,
				    &removal));
	EXPECT_LE(PAGES(256), removal.moved_bytes);
	EXPECT_EQ(0, store_state(self->from).nr_segments);
	EXPECT_EQ(0, store_state(self->from).nr_objects);
	EXPECT_EQ(0, store_state(self->from).confined_bytes);
	expect_moved(_metadata, self);
	EXPECT_EQ(0, store_delete(self->from, -1));
}

static void expect_nothing_moved(struct __test_metadata *_metadata,
				 FIXTURE_DATA(target) *self, int error)
{
	struct pager_state before, after;
	int i;

	ASSERT_EQ(0, pager_state(self->s.pager, &before));
	EXPECT_EQ(error, segment_remove(self->from, self->from_segment,
					self->to));
	EXPECT_EQ(error, store_delete(self->from, self->to));
	ASSERT_EQ(0, pager_state(self->s.pager, &after));
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	for (i = 0; i < 2; i++)
		EXPECT_STREQ("from", memory_info(&self->memory[i]).backing_store);
	EXPECT_EQ(2, store_state(self->from).nr_objects);
	EXPECT_EQ(0, store_state(self->to).nr_objects);
	EXPECT_TRUE(accounts_agree(&self->s));
}

/* By a single page. */
TEST_F_TIMEOUT(target, that_is_too_small_is_refused, TIMEOUT)
{
	fill(&self->memory[0], 256, 1, 1);
	expect_nothing_moved(_metadata, self, -ENOSPC);
	ASSERT_TRUE(evict(&self->memory[0]));
	expect_nothing_moved(_metadata, self, -ENOSPC);
	/* It works as before. */
	fill(&self->memory[1], 256, 100, 1);
	ASSERT_TRUE(evict(&self->memory[1]));
	EXPECT_TRUE(verify(&self->memory[1], 0, 356, 1));
	ASSERT_EQ(0, ftruncate(self->memory[0].fd, PAGES(256)));
	ASSERT_EQ(0, ftruncate(self->memory[1].fd, PAGES(256)));
	EXPECT_EQ(0, store_delete(self->from, self->to));
}

/* A page of the pager's is in the way: in the target, or in what is to go. */
TEST_F_TIMEOUT(target, pages_of_the_pager_have_to_fit_as_well, TIMEOUT)
{
	if (variant->from && variant->to) {
		EXPECT_FALSE(store_byte(self->pooled.map, 1));
		return;
	}
	fill(&self->pooled, 0, 1, 1);
	expect_nothing_moved(_metadata, self, -ENOSPC);
	ASSERT_TRUE(evict(&self->pooled));
	expect_nothing_moved(_metadata, self, -ENOSPC);
	close(store_with_space(&self->s, "more", -1, 0, PAGES(1)));
	/* One that is in the target already stays there. */
	EXPECT_EQ(variant->from ? -ENOSPC : 0,
		  store_delete(self->from, self->to));
	EXPECT_TRUE(verify(&self->pooled, 0, 1, 1));
	EXPECT_TRUE(verify(&self->memory[0], 0, 256, 1));
	EXPECT_TRUE(verify(&self->memory[1], 0, 256, 1));
}

/* Pages of the pager's need no target, but space. */
TEST_F_TIMEOUT(target, deletion_moves_pages_of_the_pager, TIMEOUT)
{
	int i;

	for (i = 0; i < 2; i++) {
		memory_destroy(&self->memory[i]);
		self->memory[i] = memory_create(self->s.pager, MIB(2));
	}
	if (variant->from || variant->to) {
		EXPECT_EQ(0, store_delete(self->from, -1));
		return;
	}
	fill_all(&self->pooled, 1);
	ASSERT_TRUE(evict(&self->pooled));
	EXPECT_EQ(MIB(1), stored_in(&self->pooled, self->from_segment));
	fill(&self->memory[0], 0, 257, 1);
	EXPECT_EQ(-ENOSPC, store_delete(self->from, -1));
	EXPECT_EQ(MIB(1), stored_in(&self->pooled, self->from_segment));
	ASSERT_EQ(0, ftruncate(self->memory[0].fd, PAGES(256)));
	EXPECT_EQ(0, store_delete(self->from, -1));
	ASSERT_TRUE(evict(&self->pooled));
	EXPECT_EQ(MIB(1), stored_in(&self->pooled, self->to_segment));
	EXPECT_TRUE(verify_all(&self->pooled, 1));
	EXPECT_TRUE(verify(&self->memory[0], 0, 256, 1));
	ASSERT_TRUE(evict(&self->memory[0]));
	EXPECT_TRUE(accounts_agree(&self->s));
}

/* --- Little left in the pool ---------------------------------------------- */

FIXTURE(pool)
{
	struct stores s;
	struct memory moving;
	struct memory pooled;
};

FIXTURE_SETUP(pool)
{
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
}

FIXTURE_TEARDOWN(pool)
{
	memory_destroy(&self->moving);
	memory_destroy(&self->pooled);
	EXPECT_EQ(0, stores_clear(&self->s));
	stores_close(&self->s);
}

/* What has no slot yet gives back what it takes, and needs no more than that. */
TEST_F_TIMEOUT(pool, what_is_in_memory_moves_within_it, TIMEOUT)
{
	int from = store_with_space(&self->s, "from", 0, 0, MIB(4));
	int to = store_with_space(&self->s, "to", 0, 0, MIB(2));
	uint64_t id = segment_new(&self->s, from, MIB(1));

	self->moving = memory_create_in(self->s.pager, from, MIB(2));
	fill_all(&self->moving, 1);
	self->pooled = memory_create(self->s.pager, MIB(4));
	fill_all(&self->pooled, 2);
	ASSERT_EQ(MIB(1), totals(self->s.pager).free_bytes);
	ASSERT_EQ(0, memory_info(&self->moving).stored_bytes);
	EXPECT_EQ(0, segment_remove(from, id, to));
	EXPECT_STREQ("to", memory_info(&self->moving).backing_store);
	EXPECT_EQ(0, totals(self->s.pager).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	ASSERT_TRUE(evict(&self->moving));
	ASSERT_TRUE(evict(&self->pooled));
	EXPECT_TRUE(verify_all(&self->moving, 1));
	EXPECT_TRUE(verify_all(&self->pooled, 2));
	close(from);
	close(to);
}

TEST_HARNESS_MAIN
