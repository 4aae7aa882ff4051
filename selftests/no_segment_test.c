// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pager without any segment: objects exist, but have no place for a page.
 *
 * The last test adds a segment, which stays. So the module must be fresh.
 */
#include "defpager_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

FIXTURE(no_segment)
{
	int pager;
	int object;
	char *map;
};

FIXTURE_SETUP(no_segment)
{
	struct defpager_info info;

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_info(self->pager, &info));
	if (info.nr_segments)
		SKIP(_exit(KSFT_SKIPPED), "there are segments: load the module anew");
	self->object = object_create(self->pager, MIB(1));
	ASSERT_LE(0, self->object);
	self->map = mmap(NULL, MIB(1), PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->object, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(no_segment)
{
	munmap(self->map, MIB(1));
	close(self->object);
	close(self->pager);
}

TEST_F(no_segment, totals_are_zero)
{
	struct defpager_info info;

	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(0, info.total_bytes);
	EXPECT_EQ(0, info.free_bytes);
	EXPECT_EQ(0, info.reserved_bytes);
	EXPECT_EQ(0, info.used_bytes);
	EXPECT_EQ(0, info.bad_bytes);
}

TEST_F(no_segment, write_fails)
{
	char buffer[8192];

	memset(buffer, 'x', sizeof(buffer));
	EXPECT_EQ(-1, write(self->object, buffer, sizeof(buffer)));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_EQ(-1, pwrite(self->object, buffer, 1, MIB(1) - 1));
	EXPECT_EQ(ENOSPC, errno);
}

TEST_F(no_segment, touch_is_sigbus)
{
	EXPECT_TRUE(write_is_sigbus(self->map));
	EXPECT_TRUE(write_is_sigbus(self->map + MIB(1) - 1));
}

TEST_F(no_segment, read_is_zeros)
{
	char byte = 1;

	EXPECT_EQ(1, pread(self->object, &byte, 1, 4096));
	EXPECT_EQ(0, byte);
}

/* Whatever failed holds nothing. */
TEST_F(no_segment, failures_leave_nothing)
{
	struct defpager_object_info info;

	ASSERT_EQ(-1, pwrite(self->object, "x", 1, 0));
	ASSERT_TRUE(write_is_sigbus(self->map + 4096));
	ASSERT_EQ(0, object_info(self->object, &info));
	EXPECT_EQ(0, info.stored_bytes);
	EXPECT_EQ(0, info.reserved_bytes);
	EXPECT_EQ(MIB(1), info.current_size);
}

/* The kernel's own access for a system call is no signal, but an error. */
TEST_F(no_segment, system_call_into_a_mapping_fails)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, zero);
	EXPECT_EQ(-1, read(zero, self->map, 1));
	EXPECT_EQ(EFAULT, errno);
	close(zero);
}

TEST_F(no_segment, heals_when_a_segment_is_added)
{
	int store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	struct defpager_object_info info;
	char byte = 0;

	ASSERT_LE(0, store);
	/* Both ways of failing, on pages that are then used. */
	ASSERT_EQ(-1, pwrite(self->object, "x", 1, 0));
	ASSERT_EQ(ENOSPC, errno);
	ASSERT_TRUE(write_is_sigbus(self->map + 4096));
	ASSERT_EQ(0, store_grow(store, MIB(2)));

	EXPECT_EQ(1, pwrite(self->object, "x", 1, 0));
	EXPECT_FALSE(write_is_sigbus(self->map + 4096));
	EXPECT_FALSE(write_is_sigbus(self->map + MIB(1) - 1));
	EXPECT_EQ('x', self->map[0]);
	EXPECT_EQ(1, pread(self->object, &byte, 1, 4096));
	EXPECT_EQ(1, byte);
	ASSERT_EQ(0, object_info(self->object, &info));
	EXPECT_LE(3 * page_size(), info.reserved_bytes);
	close(store);
}

TEST_HARNESS_MAIN
