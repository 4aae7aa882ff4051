// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is told of a memory object: what it is, what it is called, and the space that
 * it takes.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "defpager_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#include "object_fixture.h"

/* Only the touched pages hold space, each of them once. */
TEST_F(object, space_is_taken_page_by_page)
{
	struct defpager_object_info info;
	char byte;

	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(0, info.resident_bytes);
	EXPECT_EQ(0, info.reserved_bytes);
	EXPECT_EQ(0, info.stored_bytes);

	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 0));
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 1));
	ASSERT_EQ(2, pwrite(self->fd, "xy", 2, 3 * page_size() - 1));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(3 * page_size(), info.resident_bytes);
	EXPECT_EQ(3 * page_size(), info.reserved_bytes);
	EXPECT_EQ(0, info.stored_bytes);

	/* To read with read() is no touch. */
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 5 * page_size()));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(3 * page_size(), info.reserved_bytes);
}

/* What is on storage is counted by the object, its store and the pager. */
TEST_F(object, stored_pages_are_accounted)
{
	struct defpager_backing_store_info store;
	struct defpager_object_info info;
	struct defpager_info total;
	int fd = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	struct stat st;

	ASSERT_LE(0, fd);
	memset(self->map, 'x', self->size);
	ASSERT_TRUE(page_out(self->fd, self->map, self->size));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(0, info.resident_bytes);
	EXPECT_EQ(self->size, info.stored_bytes);
	EXPECT_EQ(self->size, info.reserved_bytes);
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((blkcnt_t)(self->size / 512), st.st_blocks);
	ASSERT_EQ(0, pager_info(self->pager, &total));
	EXPECT_EQ(self->before.used_bytes + self->size, total.used_bytes);
	EXPECT_EQ(self->before.reserved_bytes + self->size,
		  total.reserved_bytes);
	EXPECT_EQ(self->before.pages_out + PAGES, total.pages_out);
	ASSERT_EQ(0, store_info(fd, &store));
	EXPECT_EQ(total.used_bytes, store.used_bytes);
	EXPECT_EQ(total.reserved_bytes, store.reserved_bytes);

	/* Read back and not changed, it is in both places. */
	EXPECT_TRUE(all_bytes(self->map, self->size, 'x'));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(self->size, info.resident_bytes);
	EXPECT_EQ(self->size, info.stored_bytes);
	EXPECT_EQ(self->size, info.reserved_bytes);
	ASSERT_EQ(0, pager_info(self->pager, &total));
	EXPECT_EQ(self->before.pages_in + PAGES, total.pages_in);
	close(fd);
}

TEST_F(object, info_tells_what_it_is)
{
	struct defpager_object_info info;
	struct stat st;

	ASSERT_EQ(0, object_info(self->fd, &info));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(st.st_ino, info.id);
	EXPECT_EQ(self->size, info.object_size);
	EXPECT_EQ(self->size, info.current_size);
	EXPECT_EQ(getuid(), info.owner);
	EXPECT_EQ(0, info.confined);
	EXPECT_STREQ(DEFPAGER_DEFAULT_STORE, info.backing_store);
	EXPECT_STREQ("shared thing", info.name);
	for (size_t i = strlen(info.name); i < sizeof(info.name); i++) {
		EXPECT_EQ(0, info.name[i]);
	}
	for (size_t i = strlen(info.backing_store);
	     i < sizeof(info.backing_store); i++) {
		EXPECT_EQ(0, info.backing_store[i]);
	}
}

TEST_F(object, confined_object_says_so)
{
	struct defpager_object_create request = object_request(1);
	struct defpager_object_info info;
	int store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);

	ASSERT_LE(0, store);
	request.backing_store = store;
	ASSERT_EQ(0, defpager_ioctl(self->pager, DEFPAGER_IOC_OBJECT_CREATE,
				    &request));
	/* The store's descriptor is not needed any more. */
	close(store);
	ASSERT_EQ(0, object_info(request.fd, &info));
	EXPECT_EQ(1, info.confined);
	EXPECT_STREQ(DEFPAGER_DEFAULT_STORE, info.backing_store);
	EXPECT_EQ(1, pwrite(request.fd, "x", 1, 0));
	close(request.fd);
}

TEST_F(object, is_a_regular_file)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_TRUE(S_ISREG(st.st_mode));
	EXPECT_EQ((off_t)self->size, st.st_size);
	EXPECT_EQ(0, st.st_blocks);
	EXPECT_EQ(getuid(), st.st_uid);
	EXPECT_EQ(getgid(), st.st_gid);
	memset(self->map, 'x', 3 * page_size());
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ((blkcnt_t)(3 * page_size() / 512), st.st_blocks);
}

TEST_F(object, objects_are_different_inodes)
{
	int other = object_create(self->pager, 1);
	struct stat st, other_st;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, fstat(self->fd, &st));
	ASSERT_EQ(0, fstat(other, &other_st));
	EXPECT_EQ(st.st_dev, other_st.st_dev);
	EXPECT_NE(st.st_ino, other_st.st_ino);
	close(other);
}

/* Whether a line of the file has all of these words, in order. */
static bool file_has_line(const char *path, const char *first,
			  const char *second)
{
	FILE *file = fopen(path, "r");
	char line[512];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, first);

		found = at && strstr(at, second);
	}
	fclose(file);
	return found;
}

TEST_F(object, name_and_inode_show_in_maps)
{
	char start[32], rest[128];
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	snprintf(start, sizeof(start), "%lx-%lx rw-s ", (long)self->map,
		 (long)self->map + self->size);
	snprintf(rest, sizeof(rest), " %02x:%02x %lu ", major(st.st_dev),
		 minor(st.st_dev), (unsigned long)st.st_ino);
	EXPECT_TRUE(file_has_line("/proc/self/maps", start, rest));
	EXPECT_TRUE(file_has_line("/proc/self/maps", start, "shared thing"));
}

TEST_F(object, name_shows_in_the_descriptor_link)
{
	char path[PATH_MAX];

	EXPECT_NE(NULL, strstr(fd_path(self->fd, path), "shared thing"));
}

static bool fdinfo_has(int fd, const char *line)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return file_has_line(path, line, "\n");
}

TEST_F(object, fdinfo_agrees_with_info)
{
	struct defpager_object_info info;
	const struct {
		const char *key;
		__u64 *value;
	} numbers[] = {
		{ "size", &info.object_size },
		{ "resident", &info.resident_bytes },
		{ "stored", &info.stored_bytes },
		{ "reserved", &info.reserved_bytes },
	};
	char line[128];

	memset(self->map, 'x', 3 * page_size());
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(3 * page_size(), info.reserved_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(line, sizeof(line), "defpager-%s:\t%llu\n",
			 numbers[i].key, *numbers[i].value);
		EXPECT_TRUE(fdinfo_has(self->fd, line))
			TH_LOG("no line %s", line);
	}
	EXPECT_TRUE(fdinfo_has(self->fd, "defpager-store:\tdefault\n"));
}

TEST_HARNESS_MAIN
