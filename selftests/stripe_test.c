// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments of equal priority are used in turn, a cluster on each, and the
 * bandwidths of their disks add up.
 *
 * Needs a disk of 64 MiB, /dev/vda, which is overwritten, and null_blk for what
 * is about time.
 */
#include "null_blk_utils.h"
#include "store_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define CLUSTER KIB(16)
#define CLUSTER_PAGES (CLUSTER / page_size())

FIXTURE(stripe)
{
	struct stores s;
};

FIXTURE_SETUP(stripe)
{
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
}

FIXTURE_TEARDOWN(stripe)
{
	EXPECT_EQ(0, stores_clear(&self->s));
	stores_close(&self->s);
}

/* How often the segment changes from one cluster of an object to the next. */
static uint64_t alternations(const struct memory *memory)
{
	uint64_t page, last = 0, segment, nr = 0;

	for (page = 0; page < memory_pages(memory); page += CLUSTER_PAGES) {
		segment = page_place(memory, page).segment;
		nr += page && segment != last;
		last = segment;
	}
	return nr;
}

/* Whether a segment has its share of an object, or nearly so. */
static bool has_share(const struct memory *memory, uint64_t segment, int nr)
{
	uint64_t share = memory->size / nr;
	uint64_t stored = stored_in(memory, segment);

	if (stored >= share * 9 / 10 && stored <= share * 11 / 10 + CLUSTER)
		return true;
	fprintf(stderr, "# segment %ju has %ju bytes, not %ju\n",
		(uintmax_t)segment, (uintmax_t)stored, (uintmax_t)share);
	return false;
}

static void expect_stripes(struct __test_metadata *_metadata,
			   struct memory *memory, const uint64_t *segments,
			   int nr)
{
	uint64_t clusters = memory->size / CLUSTER;
	int i;

	fill_all(memory, 1);
	ASSERT_TRUE(evict(memory));
	/* Some pages go out later than their neighbours, out of turn. */
	EXPECT_LE((clusters - 1) * 6 / 10, alternations(memory));
	for (i = 0; i < nr; i++)
		EXPECT_TRUE(has_share(memory, segments[i], nr));
	EXPECT_TRUE(verify_all(memory, 1));
}

TEST_F_TIMEOUT(stripe, segments_of_a_store_take_turns, TIMEOUT)
{
	int i, store = store_new(&self->s, "stripes", 0, CLUSTER,
				 DEFPAGER_STORE_EXCLUSIVE);
	struct memory memory = memory_create_in(self->s.pager, store, MIB(3));
	uint64_t segments[3];

	for (i = 0; i < 3; i++)
		segments[i] = segment_new(&self->s, store, MIB(4));
	expect_stripes(_metadata, &memory, segments, 3);
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	close(store);
}

/* Objects of the pager use all stores of one priority, however many segments. */
TEST_F_TIMEOUT(stripe, segments_of_equal_stores_take_turns, TIMEOUT)
{
	int a = store_new(&self->s, "a", 5, CLUSTER, 0);
	int b = store_new(&self->s, "b", 5, CLUSTER, 0);
	int low = store_new(&self->s, "low", 4, CLUSTER, 0);
	struct memory memory = memory_create(self->s.pager, MIB(3));
	uint64_t segments[3], unused;

	segments[0] = segment_new(&self->s, a, MIB(4));
	segments[1] = segment_new(&self->s, b, MIB(4));
	unused = segment_new(&self->s, low, MIB(4));
	segments[2] = segment_new(&self->s, b, MIB(4));
	expect_stripes(_metadata, &memory, segments, 3);
	EXPECT_EQ(0, stored_in(&memory, unused));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	close(low);
	close(b);
	close(a);
}

/* Each page that is confined to a store has the turns of that store. */
TEST_F_TIMEOUT(stripe, confined_and_common_pages_both_take_turns, TIMEOUT)
{
	int i, store = store_new(&self->s, "both", 0, CLUSTER, 0);
	struct memory confined = memory_create_in(self->s.pager, store, MIB(2));
	struct memory pooled = memory_create(self->s.pager, MIB(2));
	uint64_t segments[2];

	for (i = 0; i < 2; i++)
		segments[i] = segment_new(&self->s, store, MIB(4));
	expect_stripes(_metadata, &confined, segments, 2);
	expect_stripes(_metadata, &pooled, segments, 2);
	memory_destroy(&pooled);
	memory_destroy(&confined);
	close(store);
}

/* When the small one is full, the large one gets the rest. */
TEST_F_TIMEOUT(stripe, unequal_segments_are_all_used, TIMEOUT)
{
	int store = store_new(&self->s, "unequal", 0, CLUSTER,
			      DEFPAGER_STORE_EXCLUSIVE);
	struct memory memory = memory_create_in(self->s.pager, store, MIB(4));
	uint64_t small, large;

	small = segment_new(&self->s, store, KIB(512));
	large = segment_new(&self->s, store, MIB(4) - KIB(512));
	fill_all(&memory, 1);
	EXPECT_EQ(0, store_state(store).free_bytes);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(KIB(512), stored_in(&memory, small));
	EXPECT_EQ(MIB(4) - KIB(512), stored_in(&memory, large));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	close(store);
}

TEST_F_TIMEOUT(stripe, segments_join_and_leave, TIMEOUT)
{
	int i, store = store_new(&self->s, "changing", 0, CLUSTER,
				 DEFPAGER_STORE_EXCLUSIVE);
	uint64_t segments[3];
	struct memory memory;

	for (i = 0; i < 2; i++)
		segments[i] = segment_new(&self->s, store, MIB(4));
	memory = memory_create_in(self->s.pager, store, MIB(1));
	expect_stripes(_metadata, &memory, segments, 2);
	memory_destroy(&memory);

	segments[2] = segment_new(&self->s, store, MIB(4));
	memory = memory_create_in(self->s.pager, store, MIB(3));
	expect_stripes(_metadata, &memory, segments, 3);
	memory_destroy(&memory);

	ASSERT_EQ(0, segment_remove(store, segments[0], -1));
	memory = memory_create_in(self->s.pager, store, MIB(2));
	expect_stripes(_metadata, &memory, segments + 1, 2);
	memory_destroy(&memory);
	close(store);
}

/* --- Time -------------------------------------------------------------- */

#define MIB_PER_SECOND 1
#define TIMED_BYTES MIB(3)

/* One store on one slow disk, and one on two of them. */
FIXTURE(bandwidth)
{
	struct stores s;
	struct null_blk disks[3];
	int store[2];
	struct memory memory[2];
};

FIXTURE_SETUP(bandwidth)
{
	char name[16];
	int i;

	if (!null_blk_works())
		SKIP(_exit(KSFT_SKIPPED), "null_blk is missing");
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "on %d", i + 1);
		self->store[i] = store_new(&self->s, name, 0, 0,
					   DEFPAGER_STORE_EXCLUSIVE);
	}
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "slow%d", i);
		self->disks[i] = null_blk_new(name, MIB(8));
		ASSERT_EQ(0, null_blk_set(&self->disks[i], "mbps",
					  MIB_PER_SECOND));
		/* What is not done in 20 ms is never done. */
		ASSERT_EQ(0, null_blk_set(&self->disks[i], "max_sectors", 32));
		null_blk_start(&self->disks[i]);
		segment_at(self->store[i > 0], self->disks[i].fd, 0, MIB(8));
	}
	for (i = 0; i < 2; i++)
		self->memory[i] = memory_create_in(self->s.pager,
						   self->store[i],
						   TIMED_BYTES);
}

FIXTURE_TEARDOWN(bandwidth)
{
	int i;

	for (i = 0; i < 2; i++)
		memory_destroy(&self->memory[i]);
	EXPECT_EQ(0, stores_clear(&self->s));
	for (i = 0; i < 2; i++)
		close(self->store[i]);
	for (i = 0; i < 3; i++)
		null_blk_destroy(&self->disks[i]);
	stores_close(&self->s);
}

static bool in_flight(int store)
{
	struct defpager_segment_info row;
	uint64_t start = 0;

	while (list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, &row,
			 sizeof(row), 1) == 1)
		if (row.in_flight_bytes)
			return true;
	return false;
}

/* Seconds until all of an object has been written. */
static double time_to_write(const struct memory *memory, int store)
{
	double start = now();

	while (store_state(store).pages_out < memory_pages(memory) &&
	       now() < start + FORCE_OUT_SECONDS) {
		madvise_pageout(memory);
		posix_fadvise(memory->fd, 0, 0, POSIX_FADV_DONTNEED);
		must(wait_until(!in_flight(store)));
	}
	return now() - start;
}

/* Seconds to read all of it, from its beginning to its end. */
static double time_to_read(const struct memory *memory)
{
	const size_t chunk = KIB(64);
	char *buffer = malloc(chunk);
	double start = now();
	uint64_t offset;

	for (offset = 0; offset < memory->size; offset += chunk)
		must(pread(memory->fd, buffer, chunk, offset) == (ssize_t)chunk);
	free(buffer);
	return now() - start;
}

TEST_F_TIMEOUT(bandwidth, two_disks_write_as_fast_as_two, TIMEOUT)
{
	double seconds[2];
	int i;

	for (i = 0; i < 2; i++) {
		fill_all(&self->memory[i], 1);
		seconds[i] = time_to_write(&self->memory[i], self->store[i]);
		EXPECT_EQ(memory_pages(&self->memory[i]),
			  store_state(self->store[i]).pages_out);
	}
	TH_LOG("write: %.2f s on one disk, %.2f s on two: %.2f times as fast",
	       seconds[0], seconds[1], seconds[0] / seconds[1]);
	EXPECT_LE(1.6, seconds[0] / seconds[1]);
}

TEST_F_TIMEOUT(bandwidth, two_disks_read_as_fast_as_two, TIMEOUT)
{
	double seconds[2];
	int i;

	for (i = 0; i < 2; i++) {
		fill_all(&self->memory[i], 1);
		ASSERT_TRUE(evict(&self->memory[i]));
		seconds[i] = time_to_read(&self->memory[i]);
		EXPECT_TRUE(verify_all(&self->memory[i], 1));
	}
	TH_LOG("read: %.2f s on one disk, %.2f s on two: %.2f times as fast",
	       seconds[0], seconds[1], seconds[0] / seconds[1]);
	EXPECT_LE(1.6, seconds[0] / seconds[1]);
}

TEST_HARNESS_MAIN
