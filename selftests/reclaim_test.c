// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each way by which the kernel reclaims memory, by itself: what goes out comes
 * back, what did not change is not written again, and zeros are not written.
 *
 * Needs a disk of more than twice the machine's memory, which is all given to
 * the pager, and no swap.
 */
#include "paging_utils.h"

#include "kselftest_harness.h"

/*
 * Seconds; global pressure takes several times the machine's memory, several
 * times, which is slow where the kernel checks each access.
 */
#define TIMEOUT 2400

FIXTURE(reclaim)
{
	struct reclaimer reclaimer;
	struct memory memory;
	bool unavailable;
};

FIXTURE_VARIANT(reclaim)
{
	enum lru lru;
	enum reclaim_way way;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(reclaim, memory_max_classic_lru) {
	.lru = LRU_CLASSIC, .way = RECLAIM_MEMORY_MAX,
};

FIXTURE_VARIANT_ADD(reclaim, memory_max_multi_gen_lru) {
	.lru = LRU_MULTI_GEN, .way = RECLAIM_MEMORY_MAX,
};

FIXTURE_VARIANT_ADD(reclaim, memory_reclaim_classic_lru) {
	.lru = LRU_CLASSIC, .way = RECLAIM_ON_REQUEST,
};

FIXTURE_VARIANT_ADD(reclaim, memory_reclaim_multi_gen_lru) {
	.lru = LRU_MULTI_GEN, .way = RECLAIM_ON_REQUEST,
};

FIXTURE_VARIANT_ADD(reclaim, madvise_classic_lru) {
	.lru = LRU_CLASSIC, .way = RECLAIM_MADVISE,
};

FIXTURE_VARIANT_ADD(reclaim, madvise_multi_gen_lru) {
	.lru = LRU_MULTI_GEN, .way = RECLAIM_MADVISE,
};

FIXTURE_VARIANT_ADD(reclaim, global_classic_lru) {
	.lru = LRU_CLASSIC, .way = RECLAIM_GLOBAL,
};

FIXTURE_VARIANT_ADD(reclaim, global_multi_gen_lru) {
	.lru = LRU_MULTI_GEN, .way = RECLAIM_GLOBAL,
};
/* clang-format on */

FIXTURE_SETUP(reclaim)
{
	struct reclaimer *reclaimer = &self->reclaimer;
	uint64_t size = MIB(16);

	self->unavailable = !select_lru(variant->lru);
	reclaimer->way = variant->way;
	reclaimer->pager = pager_open_with_space();
	switch (variant->way) {
	case RECLAIM_MEMORY_MAX:
		reclaimer->limit = MIB(16);
		size = MIB(32);
		break;
	case RECLAIM_GLOBAL:
		reclaimer->limit = memory_size();
		size = memory_size() / 2 / MIB(1) * MIB(3);
		break;
	default:
		break;
	}
	cgroup_enter(&reclaimer->cgroup, variant->way == RECLAIM_MEMORY_MAX ?
					 reclaimer->limit : 0);
	self->memory = memory_create(reclaimer->pager, size);
}

FIXTURE_TEARDOWN(reclaim)
{
	memory_destroy(&self->memory);
	EXPECT_TRUE(cgroup_leave(&self->reclaimer.cgroup));
	EXPECT_TRUE(wait_until(!totals(self->reclaimer.pager).used_bytes));
	close(self->reclaimer.pager);
}

/* Every other page gets a second life while the rest stays as it is stored. */
TEST_F_TIMEOUT(reclaim, contents_survive, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t page, count = memory_pages(memory);

	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	EXPECT_LE(count - UNSEEN_PAGES, stored_pages(memory));

	for (page = 0; page < count; page++) {
		ASSERT_TRUE(verify(memory, page, 1, 1));
		if (page % 2)
			fill(memory, page, 1, 2);
	}
	ASSERT_TRUE(force_out(&self->reclaimer, memory));

	for (page = 0; page < count; page++)
		ASSERT_TRUE(verify(memory, page, 1, page % 2 ? 2 : 1));
}

TEST_F_TIMEOUT(reclaim, clean_pages_are_dropped_without_a_write, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t count = memory_pages(memory);
	struct defpager_info before, after;
	struct disk_writes disk_before, disk_after;

	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	before = totals(self->reclaimer.pager);
	disk_before = disk_writes("vda");

	ASSERT_TRUE(verify_all(memory, 1));
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	after = totals(self->reclaimer.pager);
	disk_after = disk_writes("vda");

	EXPECT_LE(count - UNSEEN_PAGES, after.pages_in - before.pages_in);
	EXPECT_LE(count - 2 * UNSEEN_PAGES,
		  after.clean_drops - before.clean_drops);
	/* Only those may be written which could not be the first time. */
	EXPECT_GE(UNSEEN_PAGES, after.pages_out - before.pages_out);
	EXPECT_GE(UNSEEN_PAGES * page_size() / 512,
		  disk_after.sectors - disk_before.sectors);
	ASSERT_TRUE(verify_all(memory, 1));
}

TEST_F_TIMEOUT(reclaim, zeros_are_neither_written_nor_read, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t count = memory_pages(memory);
	struct defpager_info before, after;
	struct disk_writes disk_before, disk_after;

	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");

	before = totals(self->reclaimer.pager);
	disk_before = disk_writes("vda");
	memset(memory->map, 0, memory->size);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	ASSERT_TRUE(verify_all(memory, 0));
	after = totals(self->reclaimer.pager);
	disk_after = disk_writes("vda");

	EXPECT_LE(count - UNSEEN_PAGES, after.zero_pages - before.zero_pages);
	EXPECT_EQ(before.pages_out, after.pages_out);
	EXPECT_EQ(before.pages_in, after.pages_in);
	EXPECT_EQ(disk_before.sectors, disk_after.sectors);
	EXPECT_EQ(0, stored_pages(memory));
}

/* The slot of what was there before must neither stay in use nor come back. */
TEST_F_TIMEOUT(reclaim, zeros_replace_what_was_stored, TIMEOUT)
{
	struct memory *memory = &self->memory;

	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	memset(memory->map, 0, memory->size);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));

	EXPECT_GE(UNSEEN_PAGES, stored_pages(memory));
	ASSERT_TRUE(verify_all(memory, 0));
}

TEST_HARNESS_MAIN
