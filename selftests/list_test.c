// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listings, of any kind: rows, their sizes and their order.
 */
#include "defpager_utils.h"
#include <kselftest_harness.h>

#define NR 3

FIXTURE(list)
{
	int pager;
	int store;
	int objects[NR];
	int device;
	int fd;
};

/* The size of a row now, and as it was in its first version. */
FIXTURE_VARIANT(list)
{
	unsigned long cmd;
	uint32_t row_size;
	uint32_t min_size;
};

#define LIST_VARIANT(_name, _cmd, _struct, _last)			\
	FIXTURE_VARIANT_ADD(list, _name)				\
	{								\
		.cmd = _cmd,						\
		.row_size = sizeof(struct _struct),			\
		.min_size = END_OF(_struct, _last),			\
	}

LIST_VARIANT(objects, DEFPAGER_IOC_OBJECTS, defpager_object_info, name);
LIST_VARIANT(segments, DEFPAGER_IOC_SEGMENTS, defpager_segment_info, pages_in);
LIST_VARIANT(stores, DEFPAGER_IOC_BACKING_STORES, defpager_backing_store_info,
	     name);
LIST_VARIANT(pages, DEFPAGER_IOC_OBJECT_PAGES, defpager_page_range,
	     device_offset);

/* Some of each: objects, segments, stores, and pages of an object. */
FIXTURE_SETUP(list)
{
	char name[16];
	int store;

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_create(self->pager, "list", 0, 0, 0);
	ASSERT_LE(0, self->store);
	self->device = loop_create(MIB(1), 512, 0);
	ASSERT_LE(0, self->device);
	for (int i = 0; i < NR; i++) {
		self->objects[i] = object_create(self->pager, MIB(1));
		ASSERT_LE(0, self->objects[i]);
		ASSERT_EQ(0, segment_add(self->store, self->device, i, 1, 4096));
		snprintf(name, sizeof(name), "list %d", i);
		store = store_create(self->pager, name, 0, 0, 0);
		ASSERT_LE(0, store);
		close(store);
	}
	/* Not next to each other: they would be in one row. */
	for (int i = 0; i < NR; i++) {
		ASSERT_EQ(1, pwrite(self->objects[0], "x", 1,
				    2 * i * page_size()));
	}
	self->fd = self->pager;
	if (variant->cmd == DEFPAGER_IOC_SEGMENTS)
		self->fd = self->store;
	if (variant->cmd == DEFPAGER_IOC_OBJECT_PAGES)
		self->fd = self->objects[0];
}

FIXTURE_TEARDOWN(list)
{
	for (int i = 0; i < NR; i++)
		close(self->objects[i]);
	EXPECT_EQ(0, stores_delete_all(self->pager));
	close(self->device);
	close(self->store);
	close(self->pager);
}

#define MAX_ROW 4096

static uint64_t row_id(const void *row)
{
	uint64_t id;

	memcpy(&id, row + 8, sizeof(id));
	return id;
}

static uint32_t row_valid(const void *row)
{
	uint32_t valid;

	memcpy(&valid, row, sizeof(valid));
	return valid;
}

TEST_F(list, row_size_is_checked)
{
	const uint32_t bad[] = { 0, 1, variant->min_size - 1, MAX_ROW + 1,
				 UINT32_MAX };
	unsigned char rows[2 * MAX_ROW], before[2 * MAX_ROW];

	memset(rows, POISON, sizeof(rows));
	memset(before, POISON, sizeof(before));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct defpager_list list = {
			.size = sizeof(list),
			.rows = (uintptr_t)rows,
			.row_size = bad[i],
			.count = 1,
		}, copy = list;

		EXPECT_EQ(-EINVAL, defpager_ioctl(self->fd, variant->cmd, &list));
		EXPECT_EQ(0, memcmp(&copy, &list, sizeof(list)));
		EXPECT_EQ(0, memcmp(rows, before, sizeof(rows)));
	}
}

/* A program that knows the first version gets what it knows, in its stride. */
TEST_F(list, shorter_rows_hold_what_they_can)
{
	const uint32_t size = variant->min_size;
	unsigned char whole[NR * MAX_ROW], rows[NR * MAX_ROW];
	uint64_t start = 0;

	memset(rows, POISON, sizeof(rows));
	ASSERT_EQ(NR, list_rows(self->fd, variant->cmd, &start, whole,
				variant->row_size, NR));
	start = 0;
	ASSERT_EQ(NR, list_rows(self->fd, variant->cmd, &start, rows, size,
				NR));
	for (int i = 0; i < NR; i++) {
		ASSERT_EQ(size, row_valid(rows + i * size));
		/* All but the size is the same. */
		EXPECT_EQ(0, memcmp(rows + i * size + 4,
				    whole + i * variant->row_size + 4,
				    size - 4));
	}
	for (size_t i = NR * size; i < sizeof(rows); i++) {
		ASSERT_EQ(POISON, rows[i]);
	}
}

TEST_F(list, longer_rows_are_cleared_at_their_end)
{
	const uint32_t sizes[] = { variant->row_size, variant->row_size + 1,
				   variant->row_size + 8, MAX_ROW };
	unsigned char rows[2 * MAX_ROW];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(rows, POISON, sizeof(rows));
		ASSERT_EQ(1, list_rows(self->fd, variant->cmd,
				       &(uint64_t){ 0 }, rows, sizes[i], 1));
		EXPECT_EQ(variant->row_size, row_valid(rows));
		for (uint32_t j = variant->row_size; j < sizes[i]; j++) {
			ASSERT_EQ(0, rows[j]);
		}
		for (uint32_t j = sizes[i]; j < sizeof(rows); j++) {
			ASSERT_EQ(POISON, rows[j]);
		}
	}
}

/* Where a listing goes on behind a row. */
static uint64_t row_end(unsigned long cmd, const void *row)
{
	const struct defpager_page_range *range = row;

	return row_id(row) +
	       (cmd == DEFPAGER_IOC_OBJECT_PAGES ? range->length : 1);
}

TEST_F(list, ids_ascend_and_start_goes_on)
{
	_Alignas(8) unsigned char row[MAX_ROW];
	uint64_t start = 0, end = 0;
	int rows = 0, ret;

	while ((ret = list_rows(self->fd, variant->cmd, &start, row,
				variant->row_size, 1)) == 1) {
		if (rows++) {
			ASSERT_LE(end, row_id(row));
		}
		end = row_end(variant->cmd, row);
		ASSERT_EQ(end, start);
	}
	ASSERT_EQ(0, ret);
	EXPECT_LE(NR, rows);
	EXPECT_EQ(end, start);
}

TEST_F(list, no_room_returns_no_row)
{
	uint64_t start = 0;

	EXPECT_EQ(0, list_rows(self->fd, variant->cmd, &start, NULL,
			       variant->row_size, 0));
	EXPECT_EQ(0, start);
}

TEST_F(list, start_beyond_the_last_returns_no_row)
{
	unsigned char row[MAX_ROW];
	uint64_t start = UINT64_MAX;

	EXPECT_EQ(0, list_rows(self->fd, variant->cmd, &start, row,
			       variant->row_size, 1));
	EXPECT_EQ(UINT64_MAX, start);
}

/* The array may be declared larger than anybody could allocate. */
TEST_F(list, large_count_is_fine)
{
	unsigned char rows[256 * 1024];
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = (uintptr_t)rows,
		.row_size = variant->row_size,
		.count = UINT32_MAX,
	};

	ASSERT_EQ(0, defpager_ioctl(self->fd, variant->cmd, &list));
	EXPECT_LE(NR, list.count);
	EXPECT_GT(UINT32_MAX, list.count);
}

TEST_F(list, inaccessible_rows_fail)
{
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = 8,
		.row_size = variant->row_size,
		.count = 1,
	}, before = list;

	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, variant->cmd, &list));
	EXPECT_EQ(0, memcmp(&before, &list, sizeof(list)));
	list.rows = before.rows = UINT64_MAX - 7;
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, variant->cmd, &list));
	EXPECT_EQ(0, memcmp(&before, &list, sizeof(list)));
}

/* Not the kernel's memory either. */
TEST_F(list, kernel_address_fails)
{
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = 0xffff888000000000,
		.row_size = variant->row_size,
		.count = 1,
	};

	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, variant->cmd, &list));
}

/* A fresh machine might have none but ours: look for those we made. */
TEST(listing_has_every_object)
{
	enum { OBJECTS = 300 };
	struct defpager_object_info rows[7], info;
	uint64_t start = 0, last = 0;
	int fds[OBJECTS], found = 0, count, pager = pager_open();
	char name[32];

	ASSERT_LE(0, pager);
	ASSERT_EQ(0, pager_need_space(pager, MIB(1)));
	for (int i = 0; i < OBJECTS; i++) {
		snprintf(name, sizeof(name), "listed %d", i);
		fds[i] = object_create_named(pager, i + 1, name);
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_EQ(1, pwrite(fds[7], "x", 1, 0));
	do {
		count = list_rows(pager, DEFPAGER_IOC_OBJECTS, &start,
				  rows, sizeof(rows[0]), ARRAY_SIZE(rows));
		ASSERT_LE(0, count);
		for (int i = 0; i < count; i++) {
			int nr;

			ASSERT_LT(last, rows[i].id);
			last = rows[i].id;
			if (sscanf(rows[i].name, "listed %d", &nr) != 1)
				continue;
			/* Each once, and in the order they were made in. */
			ASSERT_EQ(found++, nr);
			ASSERT_EQ(0, object_info(fds[nr], &info));
			EXPECT_EQ(0, memcmp(&info, &rows[i], sizeof(info)));
			EXPECT_EQ((uint64_t)nr + 1, rows[i].object_size);
			EXPECT_EQ(nr == 7 ? page_size() : 0,
				  rows[i].reserved_bytes);
		}
	} while (count == ARRAY_SIZE(rows));
	EXPECT_EQ(OBJECTS, found);
	for (int i = 0; i < OBJECTS; i++)
		close(fds[i]);
	close(pager);
}

TEST_HARNESS_MAIN
