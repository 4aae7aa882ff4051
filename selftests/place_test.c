// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pages go: to the store of highest priority that has room, and there next to
 * their neighbours.
 *
 * Needs a disk of 256 MiB, /dev/vda, which is overwritten.
 */
#include "store_utils.h"

#include "kselftest_harness.h"

#include "store_fixture.h"

#define TIMEOUT 300

/* --- Priority ---------------------------------------------------------- */

FIXTURE(priority)
{
	struct stores s;
	int store[3];		/* in ascending priority */
	uint64_t segment[3];
};

#define SHARE 256		/* pages of each store */

FIXTURE_SETUP(priority)
{
	static const int priority[] = { -5, 0, 1000 };
	/* Neither the order of creation nor that of the alphabet. */
	static const int order[] = { 1, 2, 0 };
	char name[16];
	int i;

	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "tier %d", order[i]);
		self->store[order[i]] = store_new(&self->s, name,
						  priority[order[i]], 0, 0);
		self->segment[order[i]] = segment_new(&self->s,
						      self->store[order[i]],
						      PAGES(SHARE));
	}
}

FIXTURE_TEARDOWN(priority)
{
	int i;

	EXPECT_EQ(0, stores_clear(&self->s));
	for (i = 0; i < 3; i++)
		close(self->store[i]);
	stores_close(&self->s);
}

static uint64_t used_pages(int store)
{
	return store_state(store).used_bytes / page_size();
}

/* From the top to the bottom, and in the end not a page is left. */
TEST_F_TIMEOUT(priority, pages_spill_over_when_a_store_is_full, TIMEOUT)
{
	struct memory memory = memory_create(self->s.pager, PAGES(3 * SHARE));
	uint64_t page, step = SHARE / 2;

	EXPECT_STREQ("tier 2", memory_info(&memory).backing_store);
	for (page = 0; page < 3 * SHARE; page += step) {
		fill(&memory, page, step, 1);
		ASSERT_TRUE(evict(&memory));
		EXPECT_EQ(page < SHARE ? page + step : SHARE,
			  used_pages(self->store[2]));
		EXPECT_EQ(page < SHARE ? 0 :
			  page < 2 * SHARE ? page + step - SHARE : SHARE,
			  used_pages(self->store[1]));
		EXPECT_EQ(page < 2 * SHARE ? 0 : page + step - 2 * SHARE,
			  used_pages(self->store[0]));
	}
	EXPECT_EQ(0, totals(self->s.pager).free_bytes);
	EXPECT_TRUE(verify_all(&memory, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
}

/* What is free is told where it is going to be used, before it is. */
TEST_F_TIMEOUT(priority, space_is_told_from_the_store_that_will_be_used, TIMEOUT)
{
	struct memory memory = memory_create(self->s.pager, PAGES(3 * SHARE));

	fill(&memory, 0, SHARE / 2, 1);
	EXPECT_EQ(PAGES(SHARE / 2), store_state(self->store[2]).free_bytes);
	EXPECT_EQ(PAGES(SHARE), store_state(self->store[1]).free_bytes);
	fill(&memory, SHARE / 2, SHARE, 1);
	EXPECT_EQ(0, store_state(self->store[2]).free_bytes);
	EXPECT_EQ(PAGES(SHARE / 2), store_state(self->store[1]).free_bytes);
	EXPECT_EQ(PAGES(SHARE), store_state(self->store[0]).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(0, store_state(self->store[2]).free_bytes);
	EXPECT_EQ(PAGES(SHARE / 2), store_state(self->store[1]).free_bytes);
	EXPECT_EQ(PAGES(SHARE), store_state(self->store[0]).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
}

TEST_F_TIMEOUT(priority, pages_return_when_there_is_room_again, TIMEOUT)
{
	struct memory first = memory_create(self->s.pager, PAGES(SHARE));
	struct memory second = memory_create(self->s.pager, PAGES(SHARE));

	fill_all(&first, 1);
	ASSERT_TRUE(evict(&first));
	fill_all(&second, 1);
	ASSERT_TRUE(evict(&second));
	EXPECT_EQ(PAGES(SHARE), stored_in(&second, self->segment[1]));
	memory_destroy(&first);
	EXPECT_EQ(0, used_pages(self->store[2]));
	/* Read only, they stay. */
	EXPECT_TRUE(verify_all(&second, 1));
	ASSERT_TRUE(evict(&second));
	EXPECT_EQ(PAGES(SHARE), stored_in(&second, self->segment[1]));
	/* Those which are written anew go up, and leave nothing behind. */
	fill(&second, 0, SHARE / 2, 2);
	ASSERT_TRUE(evict(&second));
	EXPECT_EQ(PAGES(SHARE / 2), stored_in(&second, self->segment[2]));
	EXPECT_EQ(PAGES(SHARE / 2), stored_in(&second, self->segment[1]));
	EXPECT_EQ(SHARE / 2, used_pages(self->store[1]));
	EXPECT_TRUE(verify(&second, 0, SHARE / 2, 2));
	EXPECT_TRUE(verify(&second, SHARE / 2, SHARE / 2, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&second);
}

/* A store at the top that is full, or has nothing, is passed over. */
TEST_F_TIMEOUT(priority, full_and_empty_stores_are_passed_over, TIMEOUT)
{
	int empty = store_new(&self->s, "empty", 2000, 0, 0);
	struct memory confined = memory_create_in(self->s.pager, self->store[2],
						  PAGES(SHARE));
	struct memory memory = memory_create(self->s.pager, PAGES(2 * SHARE));

	/* Promised to somebody who does not need it yet: full all the same. */
	fill_all(&confined, 1);
	EXPECT_EQ(2 * SHARE, touch_all(&memory));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(0, used_pages(self->store[2]));
	EXPECT_EQ(SHARE, used_pages(self->store[1]));
	EXPECT_EQ(SHARE, used_pages(self->store[0]));
	fill_all(&memory, 2);
	ASSERT_TRUE(evict(&memory));
	ASSERT_TRUE(evict(&confined));
	EXPECT_TRUE(verify_all(&memory, 2));
	EXPECT_TRUE(verify_all(&confined, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	memory_destroy(&confined);
	close(empty);
}

/* One that comes later, with the highest priority of all, is used at once. */
TEST_F_TIMEOUT(priority, new_store_takes_its_place, TIMEOUT)
{
	struct memory memory = memory_create(self->s.pager, PAGES(SHARE));
	int better;

	fill(&memory, 0, SHARE / 2, 1);
	ASSERT_TRUE(evict(&memory));
	better = store_with_space(&self->s, "better", INT_MAX, 0, PAGES(SHARE));
	EXPECT_STREQ("better", memory_info(&memory).backing_store);
	fill(&memory, SHARE / 2, SHARE / 2, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(SHARE / 2, used_pages(better));
	EXPECT_EQ(SHARE / 2, used_pages(self->store[2]));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	close(better);
}

/* --- Clusters ---------------------------------------------------------- */

FIXTURE(cluster)
{
	struct stores s;
	int store;
	struct memory memory;	/* of a quarter of the store */
	uint64_t cluster;	/* pages */
};

FIXTURE_VARIANT(cluster)
{
	uint32_t bytes;
};

#define CLUSTER_VARIANT(_kib)						\
	FIXTURE_VARIANT_ADD(cluster, of_##_kib##_kib) { .bytes = KIB(_kib) }

CLUSTER_VARIANT(4);
CLUSTER_VARIANT(8);
CLUSTER_VARIANT(64);
CLUSTER_VARIANT(128);
CLUSTER_VARIANT(512);
CLUSTER_VARIANT(2048);

FIXTURE_SETUP(cluster)
{
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->store = store_new(&self->s, "clusters", 0, variant->bytes,
				DEFPAGER_STORE_EXCLUSIVE);
	segment_new(&self->s, self->store, MIB(16));
	self->memory = memory_create_in(self->s.pager, self->store, MIB(4));
	self->cluster = variant->bytes / page_size();
}

FIXTURE_TEARDOWN(cluster)
{
	memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->store);
	stores_close(&self->s);
}

/* Pages of one cluster that are not where the first one says they are. */
static uint64_t strays(const struct memory *memory, uint64_t cluster)
{
	struct defpager_page_range first = { .flags = 0 }, row;
	uint64_t page, nr = 0;

	for (page = 0; page < memory_pages(memory); page++) {
		row = page_place(memory, page);
		must(row.flags & DEFPAGER_PAGE_STORED);
		if (page % cluster == 0)
			first = row;
		nr += row.segment != first.segment ||
		      row.device_offset != first.device_offset +
						   PAGES(page % cluster);
	}
	return nr;
}

TEST_F_TIMEOUT(cluster, neighbours_are_neighbours_on_the_device, TIMEOUT)
{
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, strays(&self->memory, self->cluster));
	EXPECT_EQ(variant->bytes, store_state(self->store).cluster_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* Whatever the order in which they went out, each finds its place kept. */
TEST_F_TIMEOUT(cluster, neighbours_join_whatever_the_order, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t step = 37;
	uint64_t page, i, count = memory_pages(memory);

	/* 37 and the number of pages have no divisor in common. */
	for (i = 0; i < count; i++) {
		page = i * step % count;
		fill(memory, page, 1, 1);
		if (i % 64 == 63)
			ASSERT_TRUE(evict(memory));
	}
	EXPECT_EQ(0, strays(memory, self->cluster));
	EXPECT_TRUE(verify_all(memory, 1));
}

/* Two objects that grow side by side do not get into each other's clusters. */
TEST_F_TIMEOUT(cluster, objects_do_not_mix, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct memory other = memory_create_in(self->s.pager, self->store,
					       MIB(4));
	uint64_t page, step = 16;

	for (page = 0; page < memory_pages(memory); page += step) {
		fill(memory, page, step, 1);
		fill(&other, page, step, 2);
		if (page % (8 * step) == 0) {
			ASSERT_TRUE(evict(&other));
			ASSERT_TRUE(evict(memory));
		}
	}
	ASSERT_TRUE(evict(memory));
	ASSERT_TRUE(evict(&other));
	EXPECT_EQ(0, strays(memory, self->cluster));
	EXPECT_EQ(0, strays(&other, self->cluster));
	EXPECT_TRUE(verify_all(memory, 1));
	EXPECT_TRUE(verify_all(&other, 2));
	memory_destroy(&other);
}

/* When no cluster is left, every single page of the store is used. */
TEST_F_TIMEOUT(cluster, scattered_pages_fill_the_store, TIMEOUT)
{
	const uint64_t total = MIB(16) / page_size();
	struct memory wide = memory_create_in(self->s.pager, self->store,
					      MIB(64));
	uint64_t page;

	/* One page in each fourth place: a cluster each, if there are any. */
	for (page = 0; page < total; page++)
		fill(&wide, 4 * page, 1, 1);
	EXPECT_EQ(0, store_state(self->store).free_bytes);
	ASSERT_TRUE(evict(&wide));
	EXPECT_EQ(MIB(16), store_state(self->store).used_bytes);
	for (page = 0; page < total; page++)
		ASSERT_TRUE(verify(&wide, 4 * page, 1, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&wide);
}

/*
 * Stores of one pager with clusters of their own: in each of them an object of
 * the pager finds its pages together as that store has it.
 */
TEST_F_TIMEOUT(store, clusters_are_those_of_the_store_spilled_to, TIMEOUT)
{
	int top = store_new(&self->s, "top", 1, 4096, 0);
	int low = store_new(&self->s, "low", 0, KIB(128), 0);
	struct memory memory = memory_create(self->s.pager, MIB(2));
	uint64_t segment;

	segment_new(&self->s, top, MIB(1));
	segment = segment_new(&self->s, low, MIB(16));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(MIB(1), store_state(top).used_bytes);
	EXPECT_EQ(MIB(1), stored_in(&memory, segment));
	/* Not all of the first and the last cluster may be there. */
	EXPECT_LE(256 - 2 * 9, contiguous_in(&memory, segment));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	close(low);
	close(top);
}

TEST_HARNESS_MAIN
