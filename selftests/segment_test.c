// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges of segments: what overlaps, what fits, what is used of it, and
 * whether the accounts agree.
 *
 * A segment stays until the module is unloaded. So each test works on loop
 * devices of its own, which cost no memory.
 */
#include <pthread.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "defpager_utils.h"
#include <kselftest_harness.h>

/* Larger than a page, and no multiple of one: 2049 sectors. */
#define ODD_RECORD (1024 * 1024 + 512)

/*
 * A segment of records of one size is there; another one, of records of
 * another size, is added. Both can express multiples of the unit exactly.
 */
FIXTURE(overlap)
{
	int pager;
	int store;
	int device;
	uint64_t unit;
};

FIXTURE_VARIANT(overlap)
{
	uint32_t first_record;
	uint32_t second_record;
};

#define OVERLAP_VARIANT(_first, _second)				\
	FIXTURE_VARIANT_ADD(overlap, _first##_##_second)		\
	{								\
		.first_record = _first,					\
		.second_record = _second,				\
	}

OVERLAP_VARIANT(512, 512);
OVERLAP_VARIANT(512, 4096);
OVERLAP_VARIANT(512, 1536);
OVERLAP_VARIANT(512, ODD_RECORD);
OVERLAP_VARIANT(4096, 512);
OVERLAP_VARIANT(4096, 4096);
OVERLAP_VARIANT(4096, 1536);
OVERLAP_VARIANT(4096, ODD_RECORD);
OVERLAP_VARIANT(1536, 512);
OVERLAP_VARIANT(1536, 4096);
OVERLAP_VARIANT(1536, 1536);
OVERLAP_VARIANT(1536, ODD_RECORD);
OVERLAP_VARIANT(ODD_RECORD, 512);
OVERLAP_VARIANT(ODD_RECORD, 4096);
OVERLAP_VARIANT(ODD_RECORD, 1536);
OVERLAP_VARIANT(ODD_RECORD, ODD_RECORD);

static uint64_t common_multiple(uint64_t a, uint64_t b)
{
	uint64_t x = a, y = b;

	while (y) {
		uint64_t rest = x % y;

		x = y;
		y = rest;
	}
	return a / x * b;
}

/* The first segment is units 8 to 15 of 24. */
FIXTURE_SETUP(overlap)
{
	uint32_t first = variant->first_record;

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	self->unit = common_multiple(common_multiple(first,
						     variant->second_record),
				     page_size());
	self->device = loop_create(24 * self->unit, 512, 0);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, segment_add(self->store, self->device,
				 8 * self->unit / first, 8 * self->unit / first,
				 first));
}

FIXTURE_TEARDOWN(overlap)
{
	close(self->device);
	close(self->store);
	close(self->pager);
}

/* Adds the second segment, in bytes. It changes nothing if it fails. */
static int add_second(FIXTURE_DATA(overlap) *self, uint32_t record,
		      uint64_t start, uint64_t end)
{
	struct defpager_segment_add add, before;
	struct defpager_info info_before, info;
	int ret;

	add = segment_range(self->device, start / record,
			    (end - start) / record, record);
	before = add;
	if (pager_info(self->pager, &info_before))
		return 1;
	ret = defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD, &add);
	if (pager_info(self->pager, &info))
		return 1;
	if (ret && (memcmp(&before, &add, sizeof(add)) ||
		    memcmp(&info_before, &info, sizeof(info))))
		return 1;
	return ret;
}

TEST_F(overlap, same_range_fails)
{
	EXPECT_EQ(-EINVAL, add_second(self, variant->second_record,
				      8 * self->unit, 16 * self->unit));
}

TEST_F(overlap, range_inside_fails)
{
	uint32_t record = variant->second_record;
	uint64_t unit = self->unit;

	EXPECT_EQ(-EINVAL, add_second(self, record, 10 * unit, 12 * unit));
	/* At its very start, and at its very end. */
	EXPECT_EQ(-EINVAL, add_second(self, record, 8 * unit, 9 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 15 * unit, 16 * unit));
}

TEST_F(overlap, range_around_fails)
{
	uint32_t record = variant->second_record;
	uint64_t unit = self->unit;

	EXPECT_EQ(-EINVAL, add_second(self, record, 4 * unit, 20 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 8 * unit, 20 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 4 * unit, 16 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 0, 24 * unit));
}

/* By a single record, even if that is less than a page. */
TEST_F(overlap, range_over_the_head_fails)
{
	uint32_t record = variant->second_record;
	uint64_t unit = self->unit;

	EXPECT_EQ(-EINVAL, add_second(self, record, 6 * unit, 10 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 6 * unit,
				      8 * unit + record));
	EXPECT_EQ(-EINVAL, add_second(self, record, 0, 8 * unit + record));
}

TEST_F(overlap, range_over_the_tail_fails)
{
	uint32_t record = variant->second_record;
	uint64_t unit = self->unit;

	EXPECT_EQ(-EINVAL, add_second(self, record, 14 * unit, 18 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 16 * unit - record,
				      18 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 16 * unit - record,
				      24 * unit));
}

TEST_F(overlap, adjacent_ranges_succeed)
{
	uint32_t record = variant->second_record;
	uint64_t unit = self->unit;

	EXPECT_EQ(0, add_second(self, record, 7 * unit, 8 * unit));
	EXPECT_EQ(0, add_second(self, record, 16 * unit, 17 * unit));
	/* Those count from now on, as well. */
	EXPECT_EQ(-EINVAL, add_second(self, record, 6 * unit, 8 * unit));
	EXPECT_EQ(-EINVAL, add_second(self, record, 16 * unit, 18 * unit));
	EXPECT_EQ(0, add_second(self, record, 0, 7 * unit));
	EXPECT_EQ(0, add_second(self, record, 17 * unit, 24 * unit));
}

/* It is the device that counts, not the descriptor. */
TEST_F(overlap, other_descriptors_make_no_difference)
{
	uint32_t record = variant->second_record;
	int store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	char path[PATH_MAX];
	int device;

	ASSERT_LE(0, store);
	device = open(fd_path(self->device, path), O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, device);
	EXPECT_EQ(-EINVAL, segment_add(store, device, 8 * self->unit / record,
				       8 * self->unit / record, record));
	EXPECT_EQ(0, segment_add(store, device, 16 * self->unit / record,
				 self->unit / record, record));
	close(device);
	close(store);
}

FIXTURE(segment)
{
	int pager;
	int store;
	struct defpager_info before;
};

FIXTURE_SETUP(segment)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	ASSERT_EQ(0, pager_info(self->pager, &self->before));
}

FIXTURE_TEARDOWN(segment)
{
	close(self->store);
	close(self->pager);
}

/* Nothing was added since the set-up. */
static bool unchanged(FIXTURE_DATA(segment) *self)
{
	struct defpager_info now;

	return !pager_info(self->pager, &now) &&
	       !memcmp(&self->before, &now, sizeof(now));
}

TEST_F(segment, two_devices_do_not_overlap)
{
	for (int i = 0; i < 2; i++) {
		int device = loop_create(MIB(1), 512, 0);

		ASSERT_LE(0, device);
		EXPECT_EQ(0, segment_add(self->store, device, 0, 256, 4096));
		close(device);
	}
}

TEST_F(segment, last_record_of_the_device_is_usable)
{
	static const uint32_t records[] = { 512, 4096, 1536, 8192, ODD_RECORD };

	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		uint64_t count = 8 * 64;
		int device = loop_create(count * records[i], 512, 0);

		ASSERT_LE(0, device);
		ASSERT_EQ(0, pager_info(self->pager, &self->before));
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, count - 63,
					       64, records[i]));
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, count - 64,
					       65, records[i]));
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, count, 64,
					       records[i]));
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, count + 1,
					       64, records[i]));
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0,
					       count + 1, records[i]));
		EXPECT_TRUE(unchanged(self));
		EXPECT_EQ(0, segment_add(self->store, device, count - 64, 64,
					 records[i]));
		close(device);
	}
}

/* A whole number of records may be more than what is there. */
TEST_F(segment, partial_last_record_fails)
{
	int device = loop_create(MIB(1), 512, 0);

	ASSERT_LE(0, device);
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0, 1, ODD_RECORD));
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0, 683, 1536));
	EXPECT_TRUE(unchanged(self));
	EXPECT_EQ(0, segment_add(self->store, device, 0, 682, 1536));
	close(device);
}

TEST_F(segment, overflowing_range_fails)
{
	static const struct {
		uint64_t offset;
		uint64_t count;
		uint32_t record_size;
	} ranges[] = {
		{ UINT64_MAX, 1, 512 },
		{ UINT64_MAX, 1, 4096 },
		{ 0, UINT64_MAX, 512 },
		{ 0, UINT64_MAX, 4096 },
		/* The products wrap around to something small. */
		{ UINT64_MAX / 512 + 1, 8, 512 },
		{ UINT64_MAX / 512 + 9, 8, 512 },
		{ UINT64_MAX / 4096 + 1, 1, 4096 },
		{ 0, UINT64_MAX / 512 + 9, 512 },
		{ 0, UINT64_MAX / 4096 + 2, 4096 },
		{ 1ULL << 34, 1, 1U << 30 },
		{ 0, 1ULL << 34, 1U << 30 },
		{ 1ULL << 34, 1ULL << 34, 1U << 30 },
		/* The products fit, but their sum does not. */
		{ 1, UINT64_MAX / 512, 512 },
		{ UINT64_MAX / 512, 1, 512 },
		{ 1ULL << 54, 1ULL << 54, 512 },
		{ UINT64_MAX / 4096, 9, 4096 },
		/* So do the numbers of records. */
		{ 1, UINT64_MAX, 512 },
		{ UINT64_MAX - 7, 16, 512 },
		{ UINT64_MAX, UINT64_MAX, 512 },
		/* It would be a negative number of bytes. */
		{ 1ULL << 54, 8, 512 },
		{ 0, 1ULL << 54, 512 },
		{ (1ULL << 54) - 8, 8, 512 },
		{ (1ULL << 54) - 8, 9, 512 },
		/* All is well, but the device is not that large. */
		{ 1ULL << 40, 8, 512 },
		{ 0, 1ULL << 40, 512 },
		{ (1ULL << 32) / 512, 8, 512 },
		{ (1ULL << 32), 8, 512 },
		{ 0, (1ULL << 32), 512 },
		{ 0, (1ULL << 32) + 8, 512 },
	};
	int device = loop_create(MIB(1), 512, 0);

	ASSERT_LE(0, device);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		EXPECT_EQ(-EINVAL, segment_add(self->store, device,
					       ranges[i].offset,
					       ranges[i].count,
					       ranges[i].record_size))
			TH_LOG("range %zu", i);
	}
	EXPECT_TRUE(unchanged(self));
	close(device);
}

TEST_F(segment, no_records_fail)
{
	int device = loop_create(MIB(1), 512, 0);

	ASSERT_LE(0, device);
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0, 0, 512));
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 8, 0, 4096));
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 256, 0, 4096));
	EXPECT_TRUE(unchanged(self));
	close(device);
}

/* The device has room for any of them: only the size is wrong. */
TEST_F(segment, bad_record_size_fails)
{
	static const uint32_t bad[] = {
		0, 1, 2, 256, 511, 513, 1000, 4095, 4097, 4096 + 256,
		DEFPAGER_MAX_RECORD_SIZE - 1, DEFPAGER_MAX_RECORD_SIZE + 1,
		DEFPAGER_MAX_RECORD_SIZE + 512, 1U << 31, (1U << 31) + 4096,
		-512U, -4096U, UINT32_MAX,
	};
	int device = loop_create(GIB(16), 512, 0);

	ASSERT_LE(0, device);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0, 1,
					       bad[i]))
			TH_LOG("record_size %#x", bad[i]);
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, 1, 2,
					       bad[i]))
			TH_LOG("record_size %#x", bad[i]);
	}
	EXPECT_TRUE(unchanged(self));
	EXPECT_EQ(0, segment_add(self->store, device, 1, 1,
				 DEFPAGER_MAX_RECORD_SIZE));
	EXPECT_EQ(0, segment_add(self->store, device, 3, 1,
				 DEFPAGER_MAX_RECORD_SIZE - 512));
	close(device);
}

TEST_F(segment, records_are_whole_blocks_of_the_device)
{
	static const uint32_t bad[] = { 512, 1024, 2048, 4096 + 512, 6144 };
	int device = loop_create(MIB(1), 4096, 0);

	ASSERT_LE(0, device);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0, 32,
					       bad[i]))
			TH_LOG("record_size %u", bad[i]);
	}
	EXPECT_TRUE(unchanged(self));
	EXPECT_EQ(0, segment_add(self->store, device, 0, 1, 4096));
	EXPECT_EQ(0, segment_add(self->store, device, 1, 1, 12288));
	close(device);
}

/* What does not fill an aligned page is reported. */
TEST_F(segment, unaligned_ends_are_reported)
{
	static const struct {
		uint64_t offset;
		uint64_t count;
		uint32_t record_size;
		uint64_t usable;
		uint64_t head;
		uint64_t tail;
	} ranges[] = {
		{ 0, 8, 512, 4096, 0, 0 },
		{ 0, 9, 512, 4096, 0, 512 },
		{ 0, 15, 512, 4096, 0, 3584 },
		{ 0, 16, 512, 8192, 0, 0 },
		{ 1, 15, 512, 4096, 3584, 0 },
		{ 1, 16, 512, 4096, 3584, 512 },
		{ 7, 9, 512, 4096, 512, 0 },
		{ 7, 100, 512, 49152, 512, 1536 },
		{ 8, 8, 512, 4096, 0, 0 },
		{ 3, 7, 1536, 4096, 3584, 3072 },
		{ 1, 1, ODD_RECORD, 1044480, 3584, 1024 },
		{ 5, 7, 4096, 7 * 4096, 0, 0 },
		{ 1, 3, 12288, 3 * 12288, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct defpager_segment_add add;
		struct defpager_info info;
		int device = loop_create(MIB(16), 512, 0);

		ASSERT_LE(0, device);
		ASSERT_EQ(0, pager_info(self->pager, &self->before));
		add = segment_range(device, ranges[i].offset, ranges[i].count,
				    ranges[i].record_size);
		ASSERT_EQ(0, defpager_ioctl(self->store,
					    DEFPAGER_IOC_SEGMENT_ADD, &add))
			TH_LOG("range %zu", i);
		EXPECT_EQ(ranges[i].usable, add.usable_bytes)
			TH_LOG("range %zu", i);
		EXPECT_EQ(ranges[i].head, add.unused_head)
			TH_LOG("range %zu", i);
		EXPECT_EQ(ranges[i].tail, add.unused_tail)
			TH_LOG("range %zu", i);
		ASSERT_EQ(0, pager_info(self->pager, &info));
		EXPECT_EQ(self->before.total_bytes + ranges[i].usable,
			  info.total_bytes);
		close(device);
	}
}

TEST_F(segment, range_without_a_whole_page_fails)
{
	static const struct {
		uint64_t offset;
		uint64_t count;
	} ranges[] = {
		{ 0, 1 }, { 0, 7 }, { 1, 7 }, { 1, 14 }, { 7, 8 }, { 9, 14 },
	};
	int device = loop_create(MIB(1), 512, 0);

	ASSERT_LE(0, device);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		EXPECT_EQ(-EINVAL, segment_add(self->store, device,
					       ranges[i].offset,
					       ranges[i].count, 512))
			TH_LOG("range %zu", i);
	}
	EXPECT_TRUE(unchanged(self));
	EXPECT_EQ(0, segment_add(self->store, device, 1, 15, 512));
	EXPECT_EQ(0, segment_add(self->store, device, 16, 8, 512));
	close(device);
}

TEST_F(segment, accounts_agree)
{
	struct defpager_backing_store_info store_before, store;
	struct defpager_segment_add add;
	struct defpager_segment_info row;
	struct defpager_info info;
	int device = loop_create(MIB(64), 512, 0);
	struct stat st;

	ASSERT_LE(0, device);
	ASSERT_EQ(0, fstat(device, &st));
	ASSERT_EQ(0, store_info(self->store, &store_before));
	add = segment_range(device, 3, 10001, 1536);
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	EXPECT_EQ(10001 * 1536, add.unused_head + add.usable_bytes +
					add.unused_tail);

	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_segments + 1, info.nr_segments);
	EXPECT_EQ(self->before.nr_stores, info.nr_stores);
	EXPECT_EQ(self->before.total_bytes + add.usable_bytes,
		  info.total_bytes);
	EXPECT_EQ(self->before.free_bytes + add.usable_bytes, info.free_bytes);
	EXPECT_EQ(self->before.reserved_bytes, info.reserved_bytes);
	EXPECT_EQ(self->before.used_bytes, info.used_bytes);

	ASSERT_EQ(0, store_info(self->store, &store));
	EXPECT_EQ(store_before.nr_segments + 1, store.nr_segments);
	EXPECT_EQ(store_before.total_bytes + add.usable_bytes,
		  store.total_bytes);
	EXPECT_EQ(store_before.free_bytes + add.usable_bytes,
		  store.free_bytes);

	ASSERT_EQ(0, list_find(self->store, DEFPAGER_IOC_SEGMENTS, add.id, &row,
			       sizeof(row)));
	EXPECT_EQ(sizeof(row), row.size);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE, row.state);
	EXPECT_EQ(major(st.st_rdev), row.major);
	EXPECT_EQ(minor(st.st_rdev), row.minor);
	EXPECT_EQ(3 * 1536, row.offset_bytes);
	EXPECT_EQ(10001 * 1536, row.length_bytes);
	EXPECT_EQ(1536, row.record_size);
	EXPECT_EQ(0, row.reserved);
	EXPECT_EQ(add.usable_bytes, row.total_bytes);
	EXPECT_EQ(0, row.used_bytes);
	EXPECT_EQ(0, row.bad_bytes);
	EXPECT_EQ(0, row.pages_out);
	EXPECT_EQ(0, row.pages_in);
	close(device);
}

/* The rows of a store's listing add up to what the store says. */
static void check_sums(struct __test_metadata *_metadata, int store)
{
	struct defpager_backing_store_info info;
	struct defpager_segment_info rows[7];
	uint64_t start = 0, segments = 0, total = 0, used = 0, bad = 0;
	int count;

	do {
		count = list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, rows,
				  sizeof(rows[0]), ARRAY_SIZE(rows));
		ASSERT_LE(0, count);
		for (int i = 0; i < count; i++) {
			total += rows[i].total_bytes;
			used += rows[i].used_bytes;
			bad += rows[i].bad_bytes;
		}
		segments += count;
	} while (count == ARRAY_SIZE(rows));
	ASSERT_EQ(0, store_info(store, &info));
	EXPECT_EQ(info.nr_segments, segments);
	EXPECT_EQ(info.total_bytes, total);
	EXPECT_EQ(info.used_bytes, used);
	EXPECT_EQ(info.bad_bytes, bad);
}

TEST_F(segment, hundreds_fit_on_one_device)
{
	const int segments = 500;
	struct defpager_info info;
	int device = loop_create(segments * KIB(64), 512, 0);

	ASSERT_LE(0, device);
	/* The even ones first, so that the odd ones fill gaps. */
	for (int i = 0; i < segments; i += 2) {
		ASSERT_EQ(0, segment_add(self->store, device, i, 1, KIB(64)));
	}
	for (int i = 1; i < segments; i += 2) {
		ASSERT_EQ(0, segment_add(self->store, device, i, 1, KIB(64)));
	}
	for (int i = 0; i < segments; i++) {
		ASSERT_EQ(-EINVAL, segment_add(self->store, device, 128 * i + 60,
					       8, 512));
	}
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_segments + segments, info.nr_segments);
	EXPECT_EQ(self->before.total_bytes + segments * KIB(64),
		  info.total_bytes);
	check_sums(_metadata, self->store);
	close(device);
}

TEST_F(segment, hundreds_of_devices)
{
	const int devices = 100;
	struct defpager_info info;

	for (int i = 0; i < devices; i++) {
		ASSERT_EQ(0, store_grow(self->store, KIB(64)));
	}
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_segments + devices, info.nr_segments);
	EXPECT_EQ(self->before.total_bytes + devices * KIB(64),
		  info.total_bytes);
	check_sums(_metadata, self->store);
}

struct adder {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int store;
	int device;
	int ret;
};

static void *add_at_once(void *arg)
{
	struct adder *adder = arg;

	pthread_barrier_wait(adder->barrier);
	adder->ret = segment_add(adder->store, adder->device, 0, 16, 4096);
	return NULL;
}

/* To check for an overlap and to add are one step. */
TEST_F(segment, one_of_many_at_once_wins)
{
	for (int round = 0; round < 20; round++) {
		struct adder adders[8];
		pthread_barrier_t barrier;
		int device = loop_create(KIB(64), 512, 0);
		int winners = 0;

		ASSERT_LE(0, device);
		pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(adders));
		for (size_t i = 0; i < ARRAY_SIZE(adders); i++) {
			adders[i].barrier = &barrier;
			adders[i].store = self->store;
			adders[i].device = device;
			ASSERT_EQ(0, pthread_create(&adders[i].thread, NULL,
						    add_at_once, &adders[i]));
		}
		for (size_t i = 0; i < ARRAY_SIZE(adders); i++) {
			ASSERT_EQ(0, pthread_join(adders[i].thread, NULL));
			if (!adders[i].ret) {
				winners++;
			} else {
				EXPECT_EQ(-EINVAL, adders[i].ret);
			}
		}
		EXPECT_EQ(1, winners);
		pthread_barrier_destroy(&barrier);
		close(device);
	}
}

/* Neither the pager's descriptors nor the device's are needed any more. */
TEST_F(segment, outlives_all_descriptors)
{
	struct defpager_segment_add add;
	struct defpager_segment_info row;
	int device = loop_create(MIB(1), 512, 0);

	ASSERT_LE(0, device);
	add = segment_range(device, 0, 256, 4096);
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	close(device);
	close(self->store);
	close(self->pager);

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	ASSERT_EQ(0, list_find(self->store, DEFPAGER_IOC_SEGMENTS, add.id, &row,
			       sizeof(row)));
	EXPECT_EQ(MIB(1), row.total_bytes);
}

TEST_HARNESS_MAIN
