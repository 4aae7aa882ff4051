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

/* --- What is written when the page tables know nothing of it any more ------- */

/*
 * Reclaim unmaps many pages before it has the other processors forget them. Until
 * then these may write to a page that is on its way out already, and leave no
 * trace. Here they do so at a random moment of that, and never again.
 */
#define LATE_PAGES 256

enum late_step {
	LATE_FILL,
	LATE_FILLED,
	LATE_ASKED,
	LATE_WRITTEN,
	LATE_END,
};

FIXTURE(late)
{
	struct memory memory;
	pthread_t writer;
	volatile uint32_t round;
	volatile enum late_step step;
	volatile double taken;		/* by the last request, seconds */
	int pager;
};

FIXTURE_SETUP(late)
{
	self->pager = pager_open_with_space();
	self->memory = memory_create(self->pager, LATE_PAGES * page_size());
}

FIXTURE_TEARDOWN(late)
{
	memory_destroy(&self->memory);
	EXPECT_TRUE(wait_until(!totals(self->pager).reserved_bytes));
	close(self->pager);
}

/* One word of each page: quick, so that it is all within that moment. */
static void store_to_all(const struct memory *memory, uint32_t generation)
{
	uint64_t page;

	for (page = 0; page < memory_pages(memory); page++)
		*(volatile uint64_t *)memory_page(memory, page) =
			page_word(page, generation, 0);
}

static bool all_has(const struct memory *memory, uint32_t generation)
{
	uint64_t page, found, bad = 0;

	for (page = 0; page < memory_pages(memory); page++) {
		found = *(volatile uint64_t *)memory_page(memory, page);
		if (found == page_word(page, generation, 0))
			continue;
		if (!bad++)
			fprintf(stderr, "# page %ju: found what was there %s\n",
				page,
				found == page_word(page, generation - 1, 0) ?
					"before" : "never");
	}
	return !bad;
}

static void spin(double seconds)
{
	double end = now() + seconds;

	while (now() < end)
		;
}

static void *write_late(void *arg)
{
	FIXTURE_DATA(late) *self = arg;
	uint64_t seed = 1;

	/* Sleeping would have it forget the pages. */
	pin_to_processor(1);
	while (self->step != LATE_END) {
		if (self->step == LATE_FILL) {
			store_to_all(&self->memory, 2 * self->round);
			self->step = LATE_FILLED;
		} else if (self->step == LATE_ASKED) {
			spin(next_random(&seed) % 1000 / 1000. * self->taken);
			store_to_all(&self->memory, 2 * self->round + 1);
			self->step = LATE_WRITTEN;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(late, writes_by_who_has_not_heard, TIMEOUT)
{
	double end = now() + test_seconds(SECONDS), begin;
	struct memory *memory = &self->memory;

	self->round = 1;
	self->step = LATE_FILL;
	ASSERT_EQ(0, pthread_create(&self->writer, NULL, write_late, self));
	pin_to_processor(0);
	while (now() < end) {
		while (self->step != LATE_FILLED)
			;
		begin = now();
		self->step = LATE_ASKED;
		ASSERT_EQ(0, madvise(memory->map, memory->size, MADV_PAGEOUT));
		self->taken = now() - begin;
		while (self->step != LATE_WRITTEN)
			;
		/* What is clean by now is taken away as it is. */
		ASSERT_TRUE(evict(memory));
		ASSERT_TRUE(all_has(memory, 2 * self->round + 1));
		self->round++;
		self->step = LATE_FILL;
	}
	TH_LOG("%u rounds, the last request took %g s", self->round - 1,
	       self->taken);
	self->step = LATE_END;
	ASSERT_EQ(0, pthread_join(self->writer, NULL));
}

TEST_HARNESS_MAIN
