/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of one object that has a name, a mapping and segments; after them, nothing
 * of it may be left. Include it after the harness.
 */
#ifndef OBJECT_FIXTURE_H
#define OBJECT_FIXTURE_H

#define PAGES 8

FIXTURE(object)
{
	int pager;
	int fd;
	size_t size;
	char *map;
	struct defpager_info before;
};

FIXTURE_SETUP(object)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(16)));
	ASSERT_EQ(0, pager_info(self->pager, &self->before));
	self->size = PAGES * page_size();
	self->fd = object_create_named(self->pager, self->size, "shared thing");
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

/* Whatever a test did, nothing may be left of it. */
FIXTURE_TEARDOWN(object)
{
	struct defpager_info now;

	munmap(self->map, self->size);
	close(self->fd);
	EXPECT_EQ(0, pager_info(self->pager, &now));
	EXPECT_EQ(self->before.nr_objects, now.nr_objects);
	EXPECT_EQ(self->before.reserved_bytes, now.reserved_bytes);
	EXPECT_EQ(self->before.used_bytes, now.used_bytes);
	EXPECT_EQ(self->before.free_bytes, now.free_bytes);
	close(self->pager);
}

#endif /* OBJECT_FIXTURE_H */
