// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of space, and the borders of a segment.
 *
 * Needs two disks of at least 16 MiB. The first is filled with a pattern, and
 * an unaligned range in its middle becomes the only segment; after each test
 * the pattern around it has to be as it was. The second disk is what later
 * segments are made of.
 */
#include "paging_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300

/*
 * In records of 512 bytes: neither end is at a page, and the partial pages at
 * both ends are part of the range without being used.
 */
#define SEGMENT_OFFSET 8195
#define SEGMENT_COUNT 12296
#define SEGMENT_BYTES MIB(6)	/* within it, in whole pages */

/* --- Before there is any segment -------------------------------------- */

TEST(touch_fails_without_a_segment)
{
	int pager = pager_open();
	struct memory memory;

	ASSERT_LE(0, pager);
	ASSERT_EQ(0, totals(pager).nr_segments);
	memory = memory_create(pager, MIB(1));
	EXPECT_FALSE(store_byte(memory.map, 1));
	EXPECT_EQ(-1, pwrite(memory.fd, "x", 1, 0));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(0, memory_info(&memory).reserved_bytes);
	memory_destroy(&memory);
	close(pager);
}

/* --- The disk around the segment -------------------------------------- */

#define CHUNK KIB(64)

static void fill_disk(const char *path)
{
	int disk = open(path, O_WRONLY | O_CLOEXEC);
	uint64_t page, size = disk_size(path);
	char *buffer = malloc(CHUNK);
	uint64_t offset;

	must(disk >= 0 && buffer);
	for (offset = 0; offset < size; offset += CHUNK) {
		for (page = 0; page < CHUNK / page_size(); page++) {
			fill_page(buffer + page * page_size(),
				  offset / page_size() + page, 99);
		}
		must(pwrite(disk, buffer, CHUNK, offset) == CHUNK);
	}
	must(fsync(disk) == 0);
	free(buffer);
	close(disk);
}

/* The first and last byte of the pages that the segment may use. */
static bool in_segment(uint64_t offset)
{
	uint64_t start = SEGMENT_OFFSET * 512 + page_size() - 1;
	uint64_t end = (SEGMENT_OFFSET + SEGMENT_COUNT) * 512;

	start -= start % page_size();
	end -= end % page_size();
	return offset >= start && offset < end;
}

/* Reads past the caches: the pager does not write through them. */
static bool verify_disk(const char *path)
{
	int disk = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	uint64_t offset, size = disk_size(path);
	bool intact = true;
	uint64_t at;
	char *buffer;

	must(disk >= 0 && !posix_memalign((void **)&buffer, page_size(), CHUNK));
	for (offset = 0; offset < size && intact; offset += CHUNK) {
		must(pread(disk, buffer, CHUNK, offset) == CHUNK);
		for (at = 0; at < CHUNK && intact; at += page_size()) {
			if (!in_segment(offset + at)) {
				intact = verify_page(buffer + at,
					(offset + at) / page_size(), 99);
			}
		}
	}
	free(buffer);
	close(disk);
	return intact;
}

/* --- With a small segment --------------------------------------------- */

FIXTURE(space)
{
	struct reclaimer reclaimer;
	uint64_t free;		/* bytes, before the test takes any */
};

FIXTURE_SETUP(space)
{
	struct reclaimer *reclaimer = &self->reclaimer;
	struct defpager_segment_add add;

	reclaimer->pager = pager_open();
	ASSERT_LE(0, reclaimer->pager);
	reclaimer->way = RECLAIM_ON_REQUEST;
	if (!totals(reclaimer->pager).nr_segments) {
		fill_disk("/dev/vda");
		add = add_space(reclaimer->pager, "/dev/vda", SEGMENT_OFFSET,
				SEGMENT_COUNT);
		ASSERT_EQ(SEGMENT_BYTES, add.usable_bytes);
	}
	self->free = totals(reclaimer->pager).free_bytes;
	ASSERT_EQ(totals(reclaimer->pager).total_bytes, self->free);
	cgroup_enter(&reclaimer->cgroup, 0);
}

FIXTURE_TEARDOWN(space)
{
	struct defpager_info info;

	EXPECT_TRUE(cgroup_leave(&self->reclaimer.cgroup));
	EXPECT_TRUE(wait_until(!totals(self->reclaimer.pager).reserved_bytes));
	info = totals(self->reclaimer.pager);
	EXPECT_EQ(0, info.used_bytes);
	EXPECT_EQ(info.total_bytes, info.free_bytes);
	close(self->reclaimer.pager);
	EXPECT_TRUE(verify_disk("/dev/vda"));
}

TEST_F_TIMEOUT(space, exactly_full_store_keeps_everything, TIMEOUT)
{
	struct memory memory = memory_create(self->reclaimer.pager, self->free);
	struct defpager_info info;

	fill_all(&memory, 1);
	info = totals(self->reclaimer.pager);
	EXPECT_EQ(0, info.free_bytes);
	EXPECT_EQ(info.total_bytes, info.reserved_bytes);
	ASSERT_TRUE(force_out(&self->reclaimer, &memory));
	EXPECT_LE(self->free - UNSEEN_PAGES * page_size(),
		  memory_info(&memory).stored_bytes);
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
}

/* Page-out has to find room for each new version while nothing is free. */
TEST_F_TIMEOUT(space, full_store_takes_rewritten_pages, TIMEOUT)
{
	struct memory memory = memory_create(self->reclaimer.pager, self->free);
	uint64_t page, count = memory_pages(&memory);
	uint32_t lap;

	fill_all(&memory, 1);
	for (lap = 2; lap < 6; lap++) {
		ASSERT_TRUE(force_out(&self->reclaimer, &memory));
		/* An order that leaves no runs as they were. */
		for (page = lap % 3; page < count; page += 3)
			fill(&memory, page, 1, lap);
		for (page = lap % 3; page < count; page += 3)
			ASSERT_TRUE(verify(&memory, page, 1, lap));
	}
	ASSERT_TRUE(force_out(&self->reclaimer, &memory));
	for (page = 0; page < count; page++)
		ASSERT_TRUE(verify(&memory, page, 1, page % 3 == 1 ? 4 :
						     page % 3 == 2 ? 5 : 3));
	memory_destroy(&memory);
}

TEST_F_TIMEOUT(space, one_page_over_is_refused_and_loses_nothing, TIMEOUT)
{
	struct memory full = memory_create(self->reclaimer.pager, self->free);
	struct memory over = memory_create(self->reclaimer.pager, MIB(1));
	uint64_t count = memory_pages(&full);
	int i;

	fill_all(&full, 1);
	for (i = 0; i < 2; i++) {
		EXPECT_FALSE(store_byte(over.map, 1));
		EXPECT_EQ(-1, pwrite(over.fd, "x", 1, page_size()));
		EXPECT_EQ(ENOSPC, errno);
		EXPECT_EQ(0, memory_info(&over).reserved_bytes);
		/* Once with the pages of the other in memory, once without. */
		ASSERT_TRUE(force_out(&self->reclaimer, &full));
	}
	/* What holds a slot can be rewritten all the same. */
	fill(&full, 0, count / 2, 2);
	EXPECT_FALSE(store_byte(over.map, 1));
	EXPECT_TRUE(verify(&full, 0, count / 2, 2));
	EXPECT_TRUE(verify(&full, count / 2, count - count / 2, 1));
	memory_destroy(&over);
	memory_destroy(&full);
}

/* A write that crosses the end of space tells how far it came. */
TEST_F_TIMEOUT(space, write_stops_where_space_ends, TIMEOUT)
{
	const uint64_t left = 8 * page_size();
	struct memory full = memory_create(self->reclaimer.pager,
					   self->free - left);
	struct memory over = memory_create(self->reclaimer.pager, MIB(1));
	char *buffer = malloc(2 * left);
	uint64_t page;

	fill_all(&full, 1);
	for (page = 0; page < 16; page++)
		fill_page(buffer + page * page_size(), page, 1);
	EXPECT_EQ(left, write(over.fd, buffer, 2 * left));
	EXPECT_EQ(-1, write(over.fd, buffer, page_size()));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_TRUE(verify(&over, 0, 8, 1));
	free(buffer);
	memory_destroy(&over);
	memory_destroy(&full);
}

TEST_F_TIMEOUT(space, truncation_makes_room, TIMEOUT)
{
	struct memory full = memory_create(self->reclaimer.pager, self->free);
	struct memory over = memory_create(self->reclaimer.pager, MIB(1));
	uint64_t kept = memory_pages(&full) - 1;

	fill_all(&full, 1);
	ASSERT_FALSE(store_byte(over.map, 1));
	ASSERT_EQ(0, ftruncate(full.fd, kept * page_size()));
	ASSERT_TRUE(store_byte(over.map, 1));
	ASSERT_FALSE(store_byte(over.map + page_size(), 1));
	/* A page that is out gives up its place as well. */
	ASSERT_TRUE(force_out(&self->reclaimer, &full));
	kept -= UNSEEN_PAGES;
	ASSERT_EQ(0, ftruncate(full.fd, kept * page_size()));
	fill(&over, 0, 1 + UNSEEN_PAGES, 2);
	ASSERT_FALSE(store_byte(memory_page(&over, 1 + UNSEEN_PAGES), 1));
	EXPECT_TRUE(verify(&full, 0, kept, 1));
	EXPECT_TRUE(verify(&over, 0, 1 + UNSEEN_PAGES, 2));
	memory_destroy(&over);
	memory_destroy(&full);
}

/* Segments stay: the tests that follow have more space to fill. */
static void add_a_mebibyte(int pager)
{
	const uint64_t records = MIB(1) / 512;
	uint64_t number = totals(pager).nr_segments - 1;

	add_space(pager, "/dev/vdb", number * records, records);
}

TEST_F_TIMEOUT(space, full_store_heals_by_a_segment, TIMEOUT)
{
	struct memory full = memory_create(self->reclaimer.pager, self->free);
	struct memory over = memory_create(self->reclaimer.pager, MIB(1));

	fill_all(&full, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, &full));
	ASSERT_FALSE(store_byte(over.map, 1));
	add_a_mebibyte(self->reclaimer.pager);

	/* The same page that failed, in the same mapping. */
	fill_all(&over, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, &over));
	EXPECT_EQ(0, totals(self->reclaimer.pager).free_bytes);
	EXPECT_TRUE(verify_all(&over, 1));
	EXPECT_TRUE(verify_all(&full, 1));
	memory_destroy(&over);
	memory_destroy(&full);
}

/* A thread that ran into the end is not the worse for it once there is room. */
static int touch_until_it_works(void *arg)
{
	const struct memory *memory = arg;

	return wait_until(store_byte(memory->map, 1)) ? 0 : 1;
}

TEST_F_TIMEOUT(space, waiting_for_space_ends_when_an_object_goes, TIMEOUT)
{
	struct memory full = memory_create(self->reclaimer.pager, self->free);
	struct memory over = memory_create(self->reclaimer.pager, MIB(1));
	int status;
	pid_t pid;

	fill_all(&full, 1);
	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0) {
		/* Whose own mapping would keep the object. */
		memory_destroy(&full);
		_exit(touch_until_it_works(&over));
	}
	ASSERT_FALSE(store_byte(over.map, 1));
	memory_destroy(&full);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, over.map[0]);
	memory_destroy(&over);
}

TEST_F_TIMEOUT(space, several_segments_hold_one_object, TIMEOUT)
{
	struct defpager_segment_info segments[4];
	struct memory memory;
	uint64_t start = 0, used = 0;
	int store, i, count;

	add_a_mebibyte(self->reclaimer.pager);
	self->free = totals(self->reclaimer.pager).free_bytes;
	memory = memory_create(self->reclaimer.pager, self->free);
	fill_all(&memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, &memory));

	store = store_open(self->reclaimer.pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, store);
	count = list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, segments,
			  sizeof(segments[0]), ARRAY_SIZE(segments));
	ASSERT_LE(2, count);
	for (i = 0; i < count; i++) {
		EXPECT_LT(0, segments[i].used_bytes);
		EXPECT_LT(0, segments[i].pages_out);
		used += segments[i].used_bytes;
	}
	EXPECT_EQ(memory_info(&memory).stored_bytes, used);
	close(store);
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
}

TEST_HARNESS_MAIN
