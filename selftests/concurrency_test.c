// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads and processes write to pages while these are paged out: no update may
 * be lost.
 *
 * Each test runs for DEFPAGER_TEST_SECONDS. Needs two processors, a disk that
 * is all given to the pager, and no swap.
 */
#include "lost_update.h"

#include "kselftest_harness.h"

/* The runner watches the whole; this only has to be longer than any run. */
#define TIMEOUT 90000
#define SECONDS 20
#define LIMIT MIB(24)

FIXTURE(lost_update)
{
	struct workload load;
	struct memory memory;
	struct cgroup cgroup;
	bool unavailable;
	int pager;
};

FIXTURE_VARIANT(lost_update)
{
	enum lru lru;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(lost_update, classic_lru) { .lru = LRU_CLASSIC };
FIXTURE_VARIANT_ADD(lost_update, multi_gen_lru) { .lru = LRU_MULTI_GEN };
/* clang-format on */

FIXTURE_SETUP(lost_update)
{
	self->unavailable = !select_lru(variant->lru);
	self->pager = pager_open_with_space();
	cgroup_enter(&self->cgroup, LIMIT);
	self->memory = memory_create(self->pager, 2 * LIMIT);
	self->load = (struct workload) {
		.memory = &self->memory,
		.cgroup = &self->cgroup,
		.cell_size = page_size(),
		.nr_processes = 1,
		.nr_threads = 1,
		.seconds = test_seconds(SECONDS),
	};
}

FIXTURE_TEARDOWN(lost_update)
{
	memory_destroy(&self->memory);
	EXPECT_TRUE(cgroup_leave(&self->cgroup));
	EXPECT_TRUE(wait_until(!totals(self->pager).reserved_bytes));
	close(self->pager);
}

TEST_F_TIMEOUT(lost_update, threads_write_their_own_pages, TIMEOUT)
{
	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");
	self->load.nr_threads = 4;
	EXPECT_TRUE(run_workload(&self->load));
}

/* Each processor has the page in a page table, and TLB, of its own. */
TEST_F_TIMEOUT(lost_update, processes_write_the_same_pages, TIMEOUT)
{
	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");
	self->load.nr_processes = 4;
	self->load.cell_size = page_size() / 4;
	EXPECT_TRUE(run_workload(&self->load));
}

TEST_F_TIMEOUT(lost_update, everything_at_once, TIMEOUT)
{
	if (self->unavailable)
		SKIP(return, "this kernel has one LRU only");
	self->load.nr_processes = 2;
	self->load.nr_threads = 2;
	self->load.cell_size = page_size() / 2;
	self->load.owner = OWNER_RANDOM;
	self->load.way = UPDATE_ANY;
	self->load.disturbed = true;
	EXPECT_TRUE(run_workload(&self->load));
}

TEST_HARNESS_MAIN
