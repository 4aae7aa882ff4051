// SPDX-License-Identifier: GPL-2.0-only
/*
 * fallocate(), and space that one can count on: holes, zeros and promises, of
 * pages in memory and of pages on storage.
 */
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "contract_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#define PAGES		32
#define STORE_PAGES	64

#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

#define KEEP_SIZE	FALLOC_FL_KEEP_SIZE
#define PUNCH		(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO		FALLOC_FL_ZERO_RANGE

static off_t pages(double nr)
{
	return nr * page_size();
}

static int allocate(int fd, int mode, off_t offset, off_t length)
{
	return fallocate(fd, mode, offset, length) ? -errno : 0;
}

static char content(off_t at)
{
	return 1 + at % 251;
}

static void fill_range(int fd, off_t from, off_t to)
{
	char buffer[1 << 16];
	ssize_t len;

	for (; from < to; from += len) {
		len = to - from < (off_t)sizeof(buffer) ? to - from :
		      (off_t)sizeof(buffer);
		for (ssize_t i = 0; i < len; i++)
			buffer[i] = content(from + i);
		if (pwrite(fd, buffer, len, from) != len)
			abort();
	}
}

/* Does a file hold what fill_range() wrote, save for zeros in [from, to)? */
static bool holds_but(int fd, off_t size, off_t from, off_t to)
{
	char *buffer = malloc(size);
	bool good = pread(fd, buffer, size, 0) == size;

	for (off_t i = 0; good && i < size; i++)
		if (buffer[i] != (i >= from && i < to ? 0 : content(i))) {
			fprintf(stderr, "# byte %jd is %d\n", (intmax_t)i,
				buffer[i]);
			good = false;
		}
	free(buffer);
	return good;
}

static bool map_holds_but(const char *map, off_t size, off_t from, off_t to)
{
	for (off_t i = 0; i < size; i++)
		if (map[i] != (i >= from && i < to ? 0 : content(i)))
			return false;
	return true;
}

/* An object of 32 pages, all of which have content, in a store of 64. */
FIXTURE(range)
{
	int pager;
	int store;
	int fd;
	char *map;
};

FIXTURE_VARIANT(range)
{
	bool paged_out;
};

FIXTURE_VARIANT_ADD(range, resident)
{
	.paged_out = false,
};

FIXTURE_VARIANT_ADD(range, paged_out)
{
	.paged_out = true,
};

FIXTURE_SETUP(range)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = private_store(self->pager, pages(STORE_PAGES));
	ASSERT_LE(0, self->store);
	self->fd = object_create_with(self->pager, self->store, pages(PAGES), 0);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, pages(PAGES), PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	fill_range(self->fd, 0, pages(PAGES));
	/* Mapped, and marked there. */
	self->map[pages(9)] = content(pages(9));
	if (variant->paged_out)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
}

FIXTURE_TEARDOWN(range)
{
	munmap(self->map, pages(PAGES));
	close(self->fd);
	EXPECT_EQ(0, private_store_delete(self->store));
	close(self->pager);
}

TEST_F(range, punch_makes_a_hole)
{
	ASSERT_EQ(0, allocate(self->fd, PUNCH, pages(8), pages(8)));
	EXPECT_EQ(pages(PAGES - 8), (off_t)object_reserved(self->fd));
	EXPECT_EQ(pages(STORE_PAGES - PAGES + 8),
		  (off_t)store_free(self->store));
	if (variant->paged_out) {
		EXPECT_EQ(pages(PAGES - 8), (off_t)object_stored(self->fd));
		EXPECT_EQ(pages(PAGES - 8), (off_t)store_used(self->store));
	}
	EXPECT_EQ(pages(8), lseek(self->fd, 0, SEEK_HOLE));
	EXPECT_EQ(pages(16), lseek(self->fd, pages(8), SEEK_DATA));
	EXPECT_EQ(pages(PAGES), lseek(self->fd, 0, SEEK_END));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), pages(8), pages(16)));
	/* Reading holes takes no space, looking at them does. */
	EXPECT_EQ(pages(PAGES - 8), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(map_holds_but(self->map, pages(PAGES), pages(8),
				  pages(16)));
	EXPECT_EQ(pages(PAGES), (off_t)object_reserved(self->fd));
}

TEST_F(range, punch_zeroes_parts_of_pages)
{
	off_t from = pages(8) + 100, to = pages(15) + 50;

	ASSERT_EQ(0, allocate(self->fd, PUNCH, from, to - from));
	EXPECT_EQ(pages(PAGES - 6), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), from, to));
	/* What was zeroed in place is newer than what storage has. */
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(map_holds_but(self->map, pages(PAGES), from, to));
}

TEST_F(range, punch_within_a_page)
{
	off_t from = pages(9) + 100, to = pages(9) + 300;

	ASSERT_EQ(0, allocate(self->fd, PUNCH, from, to - from));
	EXPECT_EQ(pages(PAGES), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(map_holds_but(self->map, pages(PAGES), from, to));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), from, to));
}

TEST_F(range, punch_up_to_a_page)
{
	off_t from = pages(9) + 100, to = pages(10);

	ASSERT_EQ(0, allocate(self->fd, PUNCH, from, to - from));
	ASSERT_EQ(0, allocate(self->fd, PUNCH, to, 10));
	EXPECT_EQ(pages(PAGES), (off_t)object_reserved(self->fd));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), from, to + 10));
}

TEST_F(range, punch_keeps_private_copies)
{
	char *copy = mmap(NULL, pages(PAGES), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, copy);
	copy[pages(9)] = 77;
	EXPECT_EQ(content(pages(10)), copy[pages(10)]);
	ASSERT_EQ(0, allocate(self->fd, PUNCH, pages(8), pages(8)));
	EXPECT_EQ(77, copy[pages(9)]);
	EXPECT_EQ(content(pages(9) + 1), copy[pages(9) + 1]);
	EXPECT_EQ(0, copy[pages(10)]);
	EXPECT_EQ(0, self->map[pages(9)]);
	munmap(copy, pages(PAGES));
}

TEST_F(range, punch_reaches_behind_the_end)
{
	EXPECT_EQ(0, allocate(self->fd, PUNCH, pages(PAGES), pages(100)));
	EXPECT_EQ(0, allocate(self->fd, PUNCH, INT64_MAX - pages(2), pages(1)));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), 0, 0));
	EXPECT_EQ(0, allocate(self->fd, PUNCH, pages(30), INT64_MAX -
			      pages(40)));
	EXPECT_EQ(pages(PAGES), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(pages(30), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), pages(30), pages(PAGES)));
	/* The end of the object need not be the end of a page. */
	ASSERT_EQ(0, ftruncate(self->fd, pages(29) + 10));
	EXPECT_EQ(0, allocate(self->fd, PUNCH, pages(29), 10));
	EXPECT_EQ(pages(29), (off_t)object_reserved(self->fd));
	EXPECT_EQ(pages(29) + 10, lseek(self->fd, 0, SEEK_END));
}

TEST_F(range, punch_of_a_hole)
{
	ASSERT_EQ(0, allocate(self->fd, PUNCH, 0, pages(PAGES)));
	EXPECT_EQ(0, object_reserved(self->fd));
	EXPECT_EQ(0, object_resident(self->fd));
	EXPECT_EQ(0, store_used(self->store));
	/* Parts of pages that are not there are no reason to have them. */
	ASSERT_EQ(0, allocate(self->fd, PUNCH, 100, pages(PAGES) - 200));
	EXPECT_EQ(0, object_reserved(self->fd));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), 0, pages(PAGES)));
}

TEST_F(range, madvise_remove)
{
	ASSERT_EQ(0, madvise(self->map + pages(8), pages(8), MADV_REMOVE));
	EXPECT_EQ(pages(PAGES - 8), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(map_holds_but(self->map, pages(PAGES), pages(8),
				  pages(16)));
}

TEST_F(range, zero_range_keeps_the_space)
{
	off_t from = pages(8) + 100, to = pages(15) + 50;

	ASSERT_EQ(0, allocate(self->fd, ZERO, from, to - from));
	EXPECT_EQ(pages(PAGES), (off_t)object_reserved(self->fd));
	if (variant->paged_out) {
		/* The promise is kept, the slots are not needed. */
		EXPECT_EQ(pages(PAGES - 6), (off_t)object_stored(self->fd));
		EXPECT_EQ(pages(PAGES - 6), (off_t)store_used(self->store));
		EXPECT_EQ(pages(2), (off_t)object_resident(self->fd));
	}
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), from, to));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(map_holds_but(self->map, pages(PAGES), from, to));
}

TEST_F(range, zero_range_fills_holes_with_space)
{
	ASSERT_EQ(0, allocate(self->fd, PUNCH, pages(4), pages(8)));
	ASSERT_EQ(0, allocate(self->fd, ZERO, pages(8), pages(8)));
	EXPECT_EQ(pages(PAGES - 4), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), pages(4), pages(16)));
}

TEST_F(range, zero_range_sets_the_size)
{
	ASSERT_EQ(0, ftruncate(self->fd, pages(8) + 10));
	ASSERT_EQ(0, allocate(self->fd, ZERO | KEEP_SIZE, pages(8), pages(4)));
	EXPECT_EQ(pages(8) + 10, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(pages(12), (off_t)object_reserved(self->fd));
	ASSERT_EQ(0, allocate(self->fd, ZERO, pages(8) + 5, pages(4)));
	EXPECT_EQ(pages(12) + 5, lseek(self->fd, 0, SEEK_END));
	EXPECT_TRUE(holds_but(self->fd, pages(12) + 5, pages(8), pages(12) + 5));
}

TEST_F(range, truncate_cuts_off)
{
	off_t size = pages(8) + 10;

	ASSERT_EQ(0, ftruncate(self->fd, size));
	EXPECT_EQ(pages(9), (off_t)object_reserved(self->fd));
	if (variant->paged_out)
		EXPECT_EQ(pages(9), (off_t)store_used(self->store));
	EXPECT_TRUE(read_is_sigbus(self->map + pages(9)));
	ASSERT_EQ(0, ftruncate(self->fd, pages(PAGES)));
	EXPECT_TRUE(map_holds_but(self->map, pages(PAGES), size, pages(PAGES)));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), size, pages(PAGES)));
}

TEST_F(range, allocate_leaves_content_alone)
{
	ASSERT_EQ(0, allocate(self->fd, PUNCH, pages(8), pages(4)));
	ASSERT_EQ(0, allocate(self->fd, 0, pages(6) + 1, pages(4)));
	EXPECT_EQ(pages(PAGES - 1), (off_t)object_reserved(self->fd));
	if (variant->paged_out)
		EXPECT_EQ(0, object_resident(self->fd));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), pages(8), pages(12)));
}

TEST_F(range, modes_that_are_not_supported)
{
	EXPECT_EQ(-EOPNOTSUPP, allocate(self->fd, FALLOC_FL_COLLAPSE_RANGE,
					0, pages(1)));
	EXPECT_EQ(-EOPNOTSUPP, allocate(self->fd, FALLOC_FL_INSERT_RANGE,
					0, pages(1)));
	EXPECT_EQ(-EOPNOTSUPP, allocate(self->fd, FALLOC_FL_UNSHARE_RANGE,
					0, pages(1)));
	EXPECT_EQ(-EINVAL, allocate(self->fd, 0, 0, 0));
	EXPECT_EQ(-EINVAL, allocate(self->fd, PUNCH, -1, 1));
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), 0, 0));
}

TEST_F(range, needs_write_access)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, allocate(fd, 0, 0, pages(1)));
	EXPECT_EQ(-EBADF, allocate(fd, PUNCH, 0, pages(1)));
	EXPECT_EQ(-EBADF, allocate(fd, ZERO, 0, pages(1)));
	close(fd);
	EXPECT_TRUE(holds_but(self->fd, pages(PAGES), 0, 0));
}

TEST_F(range, changes_the_times)
{
	struct stat before, after;

	ASSERT_EQ(0, fstat(self->fd, &before));
	ASSERT_TRUE(wait_until(!allocate(self->fd, PUNCH, pages(8), pages(1)) &&
			       !fstat(self->fd, &after) &&
			       (after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
				after.st_mtim.tv_nsec !=
				before.st_mtim.tv_nsec)));
	EXPECT_EQ(after.st_mtim.tv_nsec, after.st_ctim.tv_nsec);
}

/* An object that nothing has been written to, as large as its store. */
FIXTURE(space)
{
	int pager;
	int store;
	int fd;
	char *map;
};

FIXTURE_SETUP(space)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = private_store(self->pager, pages(STORE_PAGES));
	ASSERT_LE(0, self->store);
	self->fd = object_create_with(self->pager, self->store,
				    pages(2 * STORE_PAGES) + 10, 0);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, pages(2 * STORE_PAGES + 1),
			 PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(space)
{
	munmap(self->map, pages(2 * STORE_PAGES + 1));
	close(self->fd);
	EXPECT_EQ(0, private_store_delete(self->store));
	close(self->pager);
}

/* Takes all space that a store has left; returns an object to be closed. */
static int take_all(int pager, int store)
{
	int fd = object_create_with(pager, store, pages(2 * STORE_PAGES), 0);
	off_t at = 0;

	while (fd >= 0 && pwrite(fd, "x", 1, at) == 1)
		at += page_size();
	return store_free(store) ? -1 : fd;
}

TEST_F(space, allocate_takes_no_memory)
{
	struct stat st;

	ASSERT_EQ(0, allocate(self->fd, 0, 0, pages(STORE_PAGES)));
	EXPECT_EQ(pages(STORE_PAGES), (off_t)object_reserved(self->fd));
	EXPECT_EQ(0, object_resident(self->fd));
	EXPECT_EQ(0, store_free(self->store));
	EXPECT_EQ(0, store_used(self->store));
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(pages(STORE_PAGES), st.st_blocks * 512);
	EXPECT_EQ(pages(2 * STORE_PAGES) + 10, st.st_size);
}

TEST_F(space, allocated_pages_can_be_written_to)
{
	int others;

	ASSERT_EQ(0, allocate(self->fd, 0, pages(10), pages(20)));
	others = take_all(self->pager, self->store);
	ASSERT_LE(0, others);
	EXPECT_TRUE(write_is_sigbus(self->map));
	EXPECT_TRUE(write_is_sigbus(self->map + pages(30)));
	for (int i = 10; i < 30; i++)
		EXPECT_FALSE(write_is_sigbus(self->map + pages(i)));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	for (int i = 10; i < 30; i++)
		EXPECT_EQ(1, self->map[pages(i)]);
	close(others);
}

TEST_F(space, allocate_fails_early)
{
	self->map[pages(5)] = 1;
	EXPECT_EQ(-ENOSPC, allocate(self->fd, 0, 0, pages(STORE_PAGES + 1)));
	EXPECT_EQ(-ENOSPC, allocate(self->fd, ZERO, 0, pages(STORE_PAGES + 1)));
	EXPECT_EQ(1, self->map[pages(5)]);
	EXPECT_EQ(pages(1), (off_t)object_reserved(self->fd));
	EXPECT_EQ(pages(STORE_PAGES - 1), (off_t)store_free(self->store));
	EXPECT_EQ(pages(5), lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(pages(6), lseek(self->fd, pages(5), SEEK_HOLE));
	/* Those that have space need none. */
	EXPECT_EQ(0, allocate(self->fd, 0, 0, pages(STORE_PAGES)));
	EXPECT_EQ(0, allocate(self->fd, 0, 0, pages(STORE_PAGES)));
	EXPECT_EQ(-ENOSPC, allocate(self->fd, 0, 0, pages(STORE_PAGES) + 1));
	EXPECT_EQ(pages(STORE_PAGES), (off_t)object_reserved(self->fd));
}

TEST_F(space, a_page_that_found_no_space_can_be_allocated)
{
	int others = take_all(self->pager, self->store);

	ASSERT_LE(0, others);
	EXPECT_TRUE(write_is_sigbus(self->map + pages(3)));
	close(others);
	ASSERT_TRUE(wait_until(store_free(self->store)));
	ASSERT_EQ(0, allocate(self->fd, 0, pages(3), pages(1)));
	EXPECT_EQ(0, self->map[pages(3)]);
	EXPECT_FALSE(write_is_sigbus(self->map + pages(3)));
	EXPECT_EQ(pages(1), (off_t)object_reserved(self->fd));
}

TEST_F(space, allocate_sets_the_size)
{
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	self->map[50] = 1;
	self->map[150] = 2;
	ASSERT_EQ(0, allocate(self->fd, KEEP_SIZE, 0, pages(10)));
	EXPECT_EQ(100, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(pages(10), (off_t)object_reserved(self->fd));
	EXPECT_TRUE(read_is_sigbus(self->map + pages(1)));
	ASSERT_EQ(0, allocate(self->fd, 0, pages(1), pages(2)));
	EXPECT_EQ(pages(3), lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(pages(10), (off_t)object_reserved(self->fd));
	/* What was written behind the end has not become content. */
	EXPECT_EQ(1, self->map[50]);
	EXPECT_EQ(0, self->map[150]);
	/* A smaller range does not make it smaller. */
	ASSERT_EQ(0, allocate(self->fd, 0, 0, pages(1)));
	EXPECT_EQ(pages(3), lseek(self->fd, 0, SEEK_END));
	/* What lies behind the end goes with truncation, even to the size. */
	ASSERT_EQ(0, ftruncate(self->fd, pages(3)));
	EXPECT_EQ(pages(3), (off_t)object_reserved(self->fd));
}

TEST_F(space, allocate_behind_the_end_can_be_punched)
{
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	ASSERT_EQ(0, allocate(self->fd, KEEP_SIZE, pages(1) + 1, pages(9) - 1));
	EXPECT_EQ(pages(9), (off_t)object_reserved(self->fd));
	ASSERT_EQ(0, allocate(self->fd, PUNCH, pages(2) + 100, pages(5)));
	EXPECT_EQ(pages(4), (off_t)object_reserved(self->fd));
	EXPECT_EQ(0, object_resident(self->fd));
}

TEST_F(space, cannot_be_exceeded)
{
	off_t max = pages(2 * STORE_PAGES) + 10;

	EXPECT_EQ(-EFBIG, allocate(self->fd, 0, 0, max + 1));
	EXPECT_EQ(-EFBIG, allocate(self->fd, KEEP_SIZE, 0, max + 1));
	EXPECT_EQ(-EFBIG, allocate(self->fd, ZERO, 0, max + 1));
	EXPECT_EQ(-EFBIG, allocate(self->fd, 0, INT64_MAX - 1, 1));
	EXPECT_EQ(-EFBIG, allocate(self->fd, 0, INT64_MAX - 1, 2));
	EXPECT_EQ(0, object_reserved(self->fd));
	EXPECT_EQ(0, allocate(self->fd, 0, max - 20, 20));
	EXPECT_EQ(pages(2), (off_t)object_reserved(self->fd));
}

static int allocate_above_limit(void *arg)
{
	struct rlimit limit = { pages(4), pages(4) };
	int fd = *(int *)arg;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit))
		return 2;
	if (allocate(fd, 0, 0, pages(4)))
		return 3;
	return allocate(fd, 0, 0, pages(4) + 1) != -EFBIG;
}

TEST_F(space, heeds_the_file_size_limit)
{
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	EXPECT_EQ(0, in_child(allocate_above_limit, &self->fd));
	EXPECT_EQ(pages(4), lseek(self->fd, 0, SEEK_END));
}

static void ignore(int signal)
{
	(void)signal;
}

TEST_F(space, allocate_can_be_interrupted)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { };
	struct sigaction action = { .sa_handler = ignore };
	int store, fd, ret;

	store = private_store(self->pager, GIB(64));
	ASSERT_LE(0, store);
	fd = object_create_with(self->pager, store, GIB(64) - MIB(1), 0);
	ASSERT_LE(0, fd);
	sigaction(SIGALRM, &action, NULL);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	ret = allocate(fd, 0, 0, GIB(64) - MIB(1));
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(-EINTR, ret);
	EXPECT_EQ(0, object_reserved(fd));
	EXPECT_EQ(0, allocate(fd, 0, 0, GIB(1)));
	EXPECT_EQ(GIB(1), object_reserved(fd));
	close(fd);
	EXPECT_EQ(0, private_store_delete(store));
}

/* Objects with space, or memory, for all of their size. */
TEST_F(space, reserved_at_creation)
{
	int fd, others;
	char *map;

	fd = object_create_with(self->pager, self->store, pages(20) + 1,
			      DEFPAGER_OBJECT_RESERVE);
	ASSERT_LE(0, fd);
	EXPECT_EQ(pages(21), (off_t)object_reserved(fd));
	EXPECT_EQ(pages(STORE_PAGES - 21), (off_t)store_free(self->store));
	EXPECT_EQ(0, object_resident(fd));
	others = take_all(self->pager, self->store);
	ASSERT_LE(0, others);
	map = mmap(NULL, pages(21), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (int i = 0; i < 21; i++)
		EXPECT_FALSE(write_is_sigbus(map + pages(i)));
	ASSERT_TRUE(object_out(fd, 0, 0));
	for (int i = 0; i < 21; i++)
		EXPECT_EQ(1, map[pages(i)]);
	munmap(map, pages(21));
	close(fd);
	/* All of it comes back. */
	EXPECT_TRUE(wait_until(store_free(self->store) ==
			       (uint64_t)pages(21)));
	close(others);
	EXPECT_TRUE(wait_until(store_free(self->store) ==
			       (uint64_t)pages(STORE_PAGES)));
}

TEST_F(space, reserved_at_creation_is_kept)
{
	int fd, others;

	fd = object_create_with(self->pager, self->store, pages(20),
			      DEFPAGER_OBJECT_RESERVE);
	ASSERT_LE(0, fd);
	fill_range(fd, 0, pages(20));
	ASSERT_TRUE(object_out(fd, 0, pages(10)));
	ASSERT_EQ(0, allocate(fd, PUNCH, pages(5), pages(10)));
	EXPECT_EQ(pages(20), (off_t)object_reserved(fd));
	EXPECT_EQ(pages(5), lseek(fd, 0, SEEK_HOLE));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(pages(20), (off_t)object_reserved(fd));
	others = take_all(self->pager, self->store);
	ASSERT_LE(0, others);
	ASSERT_EQ(0, allocate(fd, 0, 0, pages(10)));
	ASSERT_EQ(0, allocate(fd, ZERO, pages(5), pages(15)));
	fill_range(fd, 0, pages(20));
	EXPECT_EQ(pages(20), (off_t)object_reserved(fd));
	EXPECT_TRUE(holds_but(fd, pages(20), 0, 0));
	close(fd);
	EXPECT_TRUE(wait_until(store_free(self->store) ==
			       (uint64_t)pages(20)));
	close(others);
}

TEST_F(space, reserved_at_creation_or_not_created)
{
	struct defpager_info before, after;
	int fds = count_fds();

	ASSERT_EQ(0, pager_info(self->pager, &before));
	EXPECT_EQ(-ENOSPC, object_create_with(self->pager, self->store,
					    pages(STORE_PAGES) + 1,
					    DEFPAGER_OBJECT_RESERVE));
	EXPECT_EQ(-ENOSPC, object_create_with(self->pager, self->store,
					    INT64_MAX & -page_size(),
					    DEFPAGER_OBJECT_RESERVE));
	ASSERT_EQ(0, pager_info(self->pager, &after));
	EXPECT_EQ(before.nr_objects, after.nr_objects);
	EXPECT_EQ(before.free_bytes, after.free_bytes);
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(pages(STORE_PAGES), (off_t)store_free(self->store));
}

TEST_F(space, flags_are_told)
{
	struct defpager_object_info info;
	int fd;

	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(0, info.flags);
	fd = object_create_with(self->pager, self->store, 1,
			      DEFPAGER_OBJECT_RESERVE);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object_info(fd, &info));
	EXPECT_EQ(DEFPAGER_OBJECT_RESERVE, info.flags);
	close(fd);
}

TEST_F(space, resident_only_takes_no_space)
{
	EXPECT_EQ(-EINVAL, object_create_with(self->pager, self->store, pages(1),
					    DEFPAGER_OBJECT_RESIDENT));
	EXPECT_EQ(-EINVAL, object_create_with(self->pager, -1, pages(1),
					    DEFPAGER_OBJECT_RESIDENT |
					    DEFPAGER_OBJECT_RESERVE));
}

TEST_HARNESS_MAIN
