// SPDX-License-Identifier: GPL-2.0-only
/*
 * While nothing is going on, everything that tells of space and pages agrees:
 * the pager's totals, stores, segments, objects, their pages, fstat(), fdinfo and
 * sysfs; and no slot has two pages.
 *
 * Needs a disk, /dev/vda, which is overwritten.
 */
#include "store_utils.h"
#include "sysfs_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

#define DISK_PAGES 4096
#define OBJECT_PAGES 96

/* --- Stores and objects of all kinds ------------------------------------- */

enum { EXCLUSIVE, HIGH, LOW, NR_STORES };

enum {
	CONFINED,		/* to the exclusive store */
	CONFINED_TOO,
	CONFINED_HIGH,		/* to one that the pager's objects use as well */
	POOLED,
	POOLED_TOO,
	RESERVED,		/* of the pager's, and promised all it may need */
	RESIDENT,
	NR_OBJECTS,
};

/* What has been counted since before there were any of these stores. */
struct counts {
	uint64_t pages_out;
	uint64_t pages_in;
	uint64_t write_errors;
	uint64_t read_errors;
};

FIXTURE(sums)
{
	struct stores stores;
	int store[NR_STORES];
	struct memory memory[NR_OBJECTS];
	struct counts pager;	/* at the beginning */
	struct counts rest;	/* of stores, at the beginning */
};

static struct memory memory_with_flags(int pager, uint32_t flags)
{
	struct memory memory = { .size = PAGES(OBJECT_PAGES) };
	struct defpager_object_create create = object_request(memory.size);

	create.flags = flags;
	must(!defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &create));
	memory.fd = create.fd;
	memory.map = mmap(NULL, memory.size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, memory.fd, 0);
	must(memory.map != MAP_FAILED);
	return memory;
}

static struct counts count_pager(struct stores *stores)
{
	struct defpager_info info = totals(stores->pager);

	return (struct counts) {
		.pages_out = info.pages_out,
		.pages_in = info.pages_in,
		.write_errors = info.write_errors,
		.read_errors = info.read_errors,
	};
}

static struct counts count_stores(struct stores *stores)
{
	struct defpager_backing_store_info row;
	struct counts counts = { .pages_out = 0 };
	uint64_t start = 0;

	while (list_rows(stores->pager, DEFPAGER_IOC_BACKING_STORES, &start,
			 &row, sizeof(row), 1) == 1) {
		counts.pages_out += row.pages_out;
		counts.pages_in += row.pages_in;
		counts.write_errors += row.write_errors;
		counts.read_errors += row.read_errors;
	}
	return counts;
}

/*
 * The store that the pager's objects use first is too small for them, so that
 * they spill over.
 */
FIXTURE_SETUP(sums)
{
	struct stores *stores = &self->stores;
	int i;

	*stores = stores_open();
	ASSERT_EQ(0, stores_clear(stores));
	self->pager = count_pager(stores);
	self->rest = count_stores(stores);
	self->store[EXCLUSIVE] = store_new(stores, "exclusive", 9, 0,
					   DEFPAGER_STORE_EXCLUSIVE);
	for (i = 0; i < 2; i++)
		segment_new(stores, self->store[EXCLUSIVE], PAGES(256));
	self->store[HIGH] = store_with_space(stores, "high", 5, 0,
					     PAGES(OBJECT_PAGES + 50));
	self->store[LOW] = store_new(stores, "low", -5, 4096, 0);
	for (i = 0; i < 3; i++)
		segment_new(stores, self->store[LOW], PAGES(300));

	for (i = CONFINED; i <= CONFINED_TOO; i++)
		self->memory[i] = memory_create_in(stores->pager,
						   self->store[EXCLUSIVE],
						   PAGES(OBJECT_PAGES));
	self->memory[CONFINED_HIGH] = memory_create_in(stores->pager,
						       self->store[HIGH],
						       PAGES(OBJECT_PAGES));
	for (i = POOLED; i <= POOLED_TOO; i++)
		self->memory[i] = memory_with_flags(stores->pager, 0);
	self->memory[RESERVED] = memory_with_flags(stores->pager,
						   DEFPAGER_OBJECT_RESERVE);
	self->memory[RESIDENT] = memory_with_flags(stores->pager,
						   DEFPAGER_OBJECT_RESIDENT);
}

FIXTURE_TEARDOWN(sums)
{
	int i;

	for (i = 0; i < NR_OBJECTS; i++)
		if (self->memory[i].fd >= 0)
			memory_destroy(&self->memory[i]);
	EXPECT_EQ(0, stores_clear(&self->stores));
	for (i = 0; i < NR_STORES; i++)
		close(self->store[i]);
	stores_close(&self->stores);
}

/* --- Objects ------------------------------------------------------------- */

/* What is where, by the pages of objects. */
struct places {
	bool used[DISK_PAGES];		/* of the disk, by a page of an object */
	uint64_t doubled;		/* used by two */
};

static void note_range(struct places *places,
		       const struct defpager_page_range *row)
{
	uint64_t page = row->device_offset / page_size();
	uint64_t end = page + row->length / page_size();

	must(end <= DISK_PAGES);
	for (; page < end; page++) {
		places->doubled += places->used[page];
		places->used[page] = true;
	}
}

/* Sums over the pages of an object, as if it told them of itself. */
static struct defpager_object_info sum_pages(const struct memory *memory,
					     struct places *places)
{
	struct defpager_object_info sum = { .size = 0 };
	struct defpager_page_range row;
	uint64_t start = 0;

	while (list_rows(memory->fd, DEFPAGER_IOC_OBJECT_PAGES, &start, &row,
			 sizeof(row), 1) == 1) {
		sum.reserved_bytes += row.length;
		if (row.flags & DEFPAGER_PAGE_RESIDENT)
			sum.resident_bytes += row.length;
		if (!(row.flags & DEFPAGER_PAGE_STORED))
			continue;
		sum.stored_bytes += row.length;
		note_range(places, &row);
	}
	return sum;
}

static bool fdinfo_agrees(const struct memory *memory,
			  const struct defpager_object_info *info)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", memory->fd);
	return agree("fdinfo id", info->id,
		     read_number(path, "defpager-id:")) &
	       agree("fdinfo resident", info->resident_bytes,
		     read_number(path, "defpager-resident:")) &
	       agree("fdinfo stored", info->stored_bytes,
		     read_number(path, "defpager-stored:")) &
	       agree("fdinfo reserved", info->reserved_bytes,
		     read_number(path, "defpager-reserved:"));
}

static bool object_agrees(struct stores *stores, const struct memory *memory,
			  struct places *places)
{
	struct defpager_object_info info = memory_info(memory), row, sum;
	uint64_t touched, blocks;
	struct stat st;
	bool well;

	must(!list_find(stores->pager, DEFPAGER_IOC_OBJECTS, info.id, &row,
			sizeof(row)));
	must(!fstat(memory->fd, &st));
	sum = sum_pages(memory, places);
	touched = sum.reserved_bytes;
	/* What else an object is promised, or holds without a promise. */
	if (info.flags & DEFPAGER_OBJECT_RESERVE)
		sum.reserved_bytes = info.object_size;
	if (info.flags & DEFPAGER_OBJECT_RESIDENT)
		sum.reserved_bytes = 0;
	blocks = touched > sum.reserved_bytes ? touched : sum.reserved_bytes;
	well = agree("listed object", 0, memcmp(&info, &row, sizeof(row)));
	well &= agree("pages resident", info.resident_bytes,
		      sum.resident_bytes);
	well &= agree("pages stored", info.stored_bytes, sum.stored_bytes);
	well &= agree("pages promised", info.reserved_bytes,
		      sum.reserved_bytes);
	well &= agree("st_blocks", blocks, st.st_blocks * 512);
	well &= agree("st_size", info.current_size, st.st_size);
	well &= agree("st_ino", info.id, st.st_ino);
	well &= fdinfo_agrees(memory, &info);
	if (!well)
		fprintf(stderr, "# in object %ju\n", (uintmax_t)info.id);
	return well;
}

/* --- Stores and segments ------------------------------------------------- */

static bool segment_agrees(const char *store,
			   const struct defpager_segment_info *row,
			   struct places *places)
{
	uint64_t page = row->offset_bytes / page_size();
	uint64_t end = page + row->total_bytes / page_size();
	uint64_t used = 0;
	char path[PATH_MAX];
	bool well;

	for (; page < end; page++) {
		used += places->used[page];
		places->used[page] = false;
	}
	well = agree("pages in a segment", row->used_bytes, PAGES(used));
	well &= agree("in flight", 0, row->in_flight_bytes);
	well &= files_agree(segment_dir(path, store, row->id), segment_files,
			    row);
	return well;
}

static bool store_agrees(struct stores *stores,
			 const struct defpager_backing_store_info *info,
			 struct places *places)
{
	struct defpager_backing_store_info sum = { .size = 0 }, own;
	int store = store_of_name(stores, info->name);
	struct defpager_segment_info row;
	uint64_t start = 0;
	char path[PATH_MAX];
	bool well = true;

	while (list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, &row,
			 sizeof(row), 1) == 1) {
		well &= segment_agrees(info->name, &row, places);
		sum.pages_out += row.pages_out;
		sum.pages_in += row.pages_in;
	}
	well &= agree("pages out of segments", info->pages_out, sum.pages_out);
	well &= agree("pages in of segments", info->pages_in, sum.pages_in);
	own = store_state(store);
	well &= agree("listed store", 0, memcmp(&own, info, sizeof(own)));
	well &= files_agree(store_dir(path, info->name), store_files, info);
	close(store);
	return well;
}

/* Not when a segment has gone: that takes what it has counted with it. */
static bool counters_agree(FIXTURE_DATA(sums) *self)
{
	struct counts pager = count_pager(&self->stores);
	struct counts stores = count_stores(&self->stores);

	return agree("pages out", pager.pages_out - self->pager.pages_out,
		     stores.pages_out - self->rest.pages_out) &
	       agree("pages in", pager.pages_in - self->pager.pages_in,
		     stores.pages_in - self->rest.pages_in) &
	       agree("write errors", pager.write_errors,
		     self->pager.write_errors) &
	       agree("read errors", pager.read_errors,
		     self->pager.read_errors);
}

/* Whether everything agrees. */
static bool sums_agree(FIXTURE_DATA(sums) *self)
{
	struct defpager_info info = totals(self->stores.pager);
	struct defpager_backing_store_info row;
	struct places places = { .doubled = 0 };
	uint64_t start = 0, page, elsewhere = 0;
	bool well;
	int i;

	well = accounts_agree(&self->stores);
	for (i = 0; i < NR_OBJECTS; i++)
		if (self->memory[i].fd >= 0)
			well &= object_agrees(&self->stores, &self->memory[i],
					      &places);
	while (list_rows(self->stores.pager, DEFPAGER_IOC_BACKING_STORES,
			 &start, &row, sizeof(row), 1) == 1)
		well &= store_agrees(&self->stores, &row, &places);
	/* The segments have taken away what is theirs. */
	for (page = 0; page < DISK_PAGES; page++)
		elsewhere += places.used[page];
	well &= agree("pages in no segment", 0, elsewhere);
	well &= agree("pages in one place", 0, places.doubled);
	well &= files_agree(TREE, pager_files, &info);
	return well;
}

/* What was begun ends by itself: then there is rest. */
#define at_rest_sums_agree(_self) wait_until(sums_agree(_self))

/* --- The tests ----------------------------------------------------------- */

/* All that can go goes. */
static bool all_out(FIXTURE_DATA(sums) *self)
{
	bool well = true;
	int i;

	for (i = 0; i < RESIDENT; i++)
		well &= evict(&self->memory[i]);
	return well;
}

static void fill_objects(FIXTURE_DATA(sums) *self)
{
	int i;

	for (i = 0; i < NR_OBJECTS; i++)
		fill_all(&self->memory[i], 1);
}

TEST_F_TIMEOUT(sums, agree_before_anything_is_touched, TIMEOUT)
{
	EXPECT_TRUE(at_rest_sums_agree(self));
	EXPECT_TRUE(counters_agree(self));
}

TEST_F_TIMEOUT(sums, agree_with_pages_in_memory, TIMEOUT)
{
	fill_objects(self);
	EXPECT_TRUE(at_rest_sums_agree(self));
	/* A part of them, and none of some. */
	fill(&self->memory[POOLED], 0, 1, 2);
	EXPECT_TRUE(at_rest_sums_agree(self));
}

TEST_F_TIMEOUT(sums, agree_with_pages_here_and_there, TIMEOUT)
{
	uint64_t third = OBJECT_PAGES / 3;
	int i;

	fill_objects(self);
	ASSERT_TRUE(all_out(self));
	EXPECT_TRUE(at_rest_sums_agree(self));
	EXPECT_LT(0, store_state(self->store[HIGH]).used_bytes);
	EXPECT_LT(0, store_state(self->store[LOW]).used_bytes);

	/* One third back and clean, another one changed, the last one out. */
	for (i = 0; i < RESIDENT; i++) {
		ASSERT_TRUE(verify(&self->memory[i], 0, third, 1));
		fill(&self->memory[i], third, third, 2);
	}
	EXPECT_TRUE(at_rest_sums_agree(self));
	EXPECT_TRUE(counters_agree(self));
	ASSERT_TRUE(all_out(self));
	EXPECT_TRUE(at_rest_sums_agree(self));
	for (i = 0; i < RESIDENT; i++) {
		EXPECT_TRUE(verify(&self->memory[i], 0, third, 1));
		EXPECT_TRUE(verify(&self->memory[i], third, third, 2));
	}
	EXPECT_TRUE(counters_agree(self));
}

/* Pages that are zero have a promise, and no slot. */
TEST_F_TIMEOUT(sums, agree_with_pages_without_content, TIMEOUT)
{
	int i;

	for (i = 0; i < NR_OBJECTS; i++) {
		fill(&self->memory[i], 0, 10, 1);
		memset(memory_page(&self->memory[i], 10), 0, PAGES(10));
		if (i != RESIDENT)
			must(!fallocate(self->memory[i].fd, 0, PAGES(30),
					PAGES(10)));
	}
	EXPECT_TRUE(at_rest_sums_agree(self));
	ASSERT_TRUE(all_out(self));
	EXPECT_TRUE(at_rest_sums_agree(self));
	/* What had content has none any more. */
	for (i = 0; i < NR_OBJECTS; i++)
		memset(self->memory[i].map, 0, PAGES(5));
	ASSERT_TRUE(all_out(self));
	EXPECT_TRUE(at_rest_sums_agree(self));
	EXPECT_TRUE(counters_agree(self));
}

TEST_F_TIMEOUT(sums, agree_when_pages_go, TIMEOUT)
{
	int i;

	fill_objects(self);
	ASSERT_TRUE(all_out(self));
	for (i = 0; i < NR_OBJECTS; i++) {
		fill(&self->memory[i], 0, 20, 2);
		must(!fallocate(self->memory[i].fd, FALLOC_FL_PUNCH_HOLE |
						    FALLOC_FL_KEEP_SIZE,
				PAGES(10), PAGES(20)));
		must(!ftruncate(self->memory[i].fd, PAGES(OBJECT_PAGES / 2)));
	}
	EXPECT_TRUE(at_rest_sums_agree(self));
	for (i = 0; i < NR_OBJECTS; i += 2) {
		memory_destroy(&self->memory[i]);
		self->memory[i].fd = -1;
	}
	EXPECT_TRUE(at_rest_sums_agree(self));
	EXPECT_TRUE(counters_agree(self));
}

TEST_F_TIMEOUT(sums, agree_when_segments_come_and_go, TIMEOUT)
{
	struct defpager_segment_info row = { .size = 0 };

	fill_objects(self);
	ASSERT_TRUE(all_out(self));
	segment_new(&self->stores, self->store[HIGH], PAGES(300));
	EXPECT_TRUE(at_rest_sums_agree(self));
	ASSERT_EQ(1, list_rows(self->store[LOW], DEFPAGER_IOC_SEGMENTS,
			       &(uint64_t){ 0 }, &row, sizeof(row), 1));
	EXPECT_LT(0, row.used_bytes);
	ASSERT_EQ(0, segment_remove(self->store[LOW], row.id, -1));
	EXPECT_TRUE(at_rest_sums_agree(self));
}

/* Its objects, and the pages they have there, belong to another one then. */
TEST_F_TIMEOUT(sums, agree_when_a_store_goes, TIMEOUT)
{
	fill_objects(self);
	ASSERT_TRUE(all_out(self));
	fill(&self->memory[CONFINED], 0, OBJECT_PAGES / 2, 2);
	ASSERT_EQ(0, store_delete(self->store[EXCLUSIVE], self->store[LOW]));
	EXPECT_TRUE(at_rest_sums_agree(self));
	ASSERT_TRUE(all_out(self));
	EXPECT_TRUE(at_rest_sums_agree(self));
	EXPECT_TRUE(verify(&self->memory[CONFINED_TOO], 0, OBJECT_PAGES, 1));
}

TEST_HARNESS_MAIN
