// SPDX-License-Identifier: GPL-2.0-only
/*
 * The size of memory objects: what it limits, and how it changes.
 */
#include <sys/stat.h>

#include "defpager_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

/* Objects of all kinds of sizes: what is said of one holds for each. */
FIXTURE(size)
{
	int pager;
	int fd;
	size_t pages;		/* bytes, in whole pages */
	char *map;		/* of those, and of one page behind */
};

FIXTURE_VARIANT(size)
{
	size_t bytes;
};

FIXTURE_VARIANT_ADD(size, 1)
{
	.bytes = 1,
};

FIXTURE_VARIANT_ADD(size, 4095)
{
	.bytes = 4095,
};

FIXTURE_VARIANT_ADD(size, 4096)
{
	.bytes = 4096,
};

FIXTURE_VARIANT_ADD(size, 4097)
{
	.bytes = 4097,
};

FIXTURE_VARIANT_ADD(size, 100000)
{
	.bytes = 100000,
};

FIXTURE_VARIANT_ADD(size, 2_mib)
{
	.bytes = 2 << 20,
};

FIXTURE_SETUP(size)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(8)));
	self->fd = object_create(self->pager, variant->bytes);
	ASSERT_LE(0, self->fd);
	self->pages = (variant->bytes + page_size() - 1) & -page_size();
	self->map = mmap(NULL, self->pages + page_size(),
			 PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(size)
{
	munmap(self->map, self->pages + page_size());
	close(self->fd);
	close(self->pager);
}

TEST_F(size, is_as_asked_for)
{
	struct defpager_object_info info;
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((off_t)variant->bytes, st.st_size);
	EXPECT_EQ((off_t)variant->bytes, lseek(self->fd, 0, SEEK_END));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(variant->bytes, info.object_size);
	EXPECT_EQ(variant->bytes, info.current_size);
}

TEST_F(size, read_ends_with_the_object)
{
	size_t room = variant->bytes + 10000;
	char *buffer = malloc(room);

	memset(buffer, POISON, room);
	EXPECT_EQ((ssize_t)variant->bytes, read(self->fd, buffer, room));
	EXPECT_TRUE(all_bytes(buffer, variant->bytes, 0));
	EXPECT_TRUE(all_bytes(buffer + variant->bytes, 10000, (char)POISON));
	EXPECT_EQ(0, read(self->fd, buffer, room));
	EXPECT_EQ(0, pread(self->fd, buffer, room, variant->bytes));
	EXPECT_EQ(0, pread(self->fd, buffer, room, variant->bytes + 1));
	EXPECT_EQ(0, pread(self->fd, buffer, 1, INT64_MAX - 1));
	EXPECT_EQ(1, pread(self->fd, buffer, 2, variant->bytes - 1));
	free(buffer);
}

TEST_F(size, write_ends_with_the_object)
{
	size_t room = variant->bytes + 10000;
	char *buffer = malloc(room), *back = malloc(room);

	for (size_t i = 0; i < room; i++)
		buffer[i] = i * 7 + i / 256;
	/* A write across the end is short; one behind it fails. */
	EXPECT_EQ((ssize_t)variant->bytes, write(self->fd, buffer, room));
	EXPECT_EQ(-1, write(self->fd, buffer, room));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-1, pwrite(self->fd, buffer, 1, variant->bytes));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-1, pwrite(self->fd, buffer, 1, variant->bytes + 5000));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-1, pwrite(self->fd, buffer, 1, INT64_MAX - 1));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ((ssize_t)variant->bytes, pread(self->fd, back, room, 0));
	EXPECT_EQ(0, memcmp(buffer, back, variant->bytes));
	EXPECT_EQ(0, memcmp(buffer, self->map, variant->bytes));
	free(buffer);
	free(back);
}

TEST_F(size, mapping_ends_with_the_last_page)
{
	EXPECT_FALSE(read_is_sigbus(self->map + self->pages - 1));
	EXPECT_TRUE(read_is_sigbus(self->map + self->pages));
	EXPECT_TRUE(write_is_sigbus(self->map + self->pages));
	EXPECT_TRUE(write_is_sigbus(self->map + self->pages + page_size() - 1));
	EXPECT_FALSE(write_is_sigbus(self->map + self->pages - 1));
	EXPECT_FALSE(write_is_sigbus(self->map + variant->bytes - 1));
}

TEST_F(size, cannot_be_exceeded)
{
	struct stat st;

	EXPECT_EQ(-1, ftruncate(self->fd, variant->bytes + 1));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, INT64_MAX));
	EXPECT_EQ(EFBIG, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, -1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, ftruncate(self->fd, variant->bytes));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((off_t)variant->bytes, st.st_size);
}

TEST_F(size, can_shrink_and_grow_within_it)
{
	struct defpager_object_info info;
	char byte;

	memset(self->map, 'x', variant->bytes);
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, pread(self->fd, &byte, 1, 0));
	EXPECT_TRUE(read_is_sigbus(self->map));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(0, info.current_size);
	EXPECT_EQ(variant->bytes, info.object_size);
	EXPECT_EQ(0, info.reserved_bytes);
	EXPECT_EQ(0, info.resident_bytes);

	ASSERT_EQ(0, ftruncate(self->fd, variant->bytes));
	EXPECT_TRUE(all_bytes(self->map, variant->bytes, 0));
}

/* A write may grow it as well, and what it skips is zero. */
TEST_F(size, write_grows_up_to_it)
{
	struct stat st;

	memset(self->map, 'x', self->pages);
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(1, pwrite(self->fd, "e", 1, variant->bytes - 1));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((off_t)variant->bytes, st.st_size);
	EXPECT_TRUE(all_bytes(self->map, variant->bytes - 1, 0));
	EXPECT_EQ('e', self->map[variant->bytes - 1]);
}

TEST_HARNESS_MAIN
