// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paging out and in on request, of a range of an object, and the advice and the
 * locks that have a say in what is in memory.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "contract_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#define PAGES	64

#define OUT	DEFPAGER_PAGEOUT_OUT
#define IN	DEFPAGER_PAGEOUT_IN
#define WAIT	DEFPAGER_PAGEOUT_WAIT

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* An object of 64 pages, all but the second half of which have content. */
FIXTURE(object)
{
	int pager;
	int fd;
	size_t size;
	char *map;
	struct defpager_object_pageout arg;
};

FIXTURE_VARIANT(object)
{
	bool mapped;		/* written to by the mapping */
};

FIXTURE_VARIANT_ADD(object, mapped)
{
	.mapped = true,
};

FIXTURE_VARIANT_ADD(object, not_mapped)
{
	.mapped = false,
};

static size_t pages(size_t nr)
{
	return nr * page_size();
}

FIXTURE_SETUP(object)
{
	self->size = pages(PAGES);
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(1)));
	self->fd = object_create(self->pager, self->size);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	for (size_t i = 0; i < PAGES / 2; i++) {
		char byte = i + 1;

		if (variant->mapped)
			self->map[pages(i)] = byte;
		else
			ASSERT_EQ(1, pwrite(self->fd, &byte, 1, pages(i)));
	}
}

FIXTURE_TEARDOWN(object)
{
	munmap(self->map, self->size);
	close(self->fd);
	close(self->pager);
}

static bool intact(const char *map)
{
	for (size_t i = 0; i < PAGES; i++)
		if (map[pages(i)] != (i < PAGES / 2 ? (char)(i + 1) : 0))
			return false;
	return true;
}

/* Pages of the mapping that mincore() finds in memory. */
static int in_core(char *map, size_t first, size_t nr)
{
	unsigned char resident[PAGES];
	int sum = 0;

	if (mincore(map + pages(first), pages(nr), resident))
		return -errno;
	for (size_t i = 0; i < nr; i++)
		sum += resident[i] & 1;
	return sum;
}

TEST_F(object, out_frees_memory)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(0, object_resident(self->fd));
	EXPECT_EQ(pages(PAGES / 2), object_stored(self->fd));
	EXPECT_EQ(0, in_core(self->map, 0, PAGES));
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, out_of_a_range)
{
	/* Each page that has a byte in it. */
	ASSERT_TRUE(object_out(self->fd, pages(9) - 1, pages(2) + 2));
	EXPECT_EQ(pages(PAGES / 2 - 4), object_resident(self->fd));
	EXPECT_EQ(pages(4), object_stored(self->fd));
	EXPECT_EQ(8, in_core(self->map, 0, 8));
	EXPECT_EQ(0, in_core(self->map, 8, 4));
	EXPECT_EQ(20, in_core(self->map, 12, 20));
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, out_counts_the_range_only)
{
	ASSERT_EQ(0, object_pageout(self->fd, OUT | WAIT, 0, pages(8),
				    &self->arg));
	ASSERT_EQ(0, object_pageout(self->fd, IN, pages(4), pages(8),
				    &self->arg));
	EXPECT_LE(pages(4), self->arg.resident_bytes);
	EXPECT_EQ(pages(4), self->arg.dirty_bytes);
}

TEST_F(object, out_without_waiting)
{
	ASSERT_EQ(0, object_pageout(self->fd, OUT, 0, 0, &self->arg));
	EXPECT_EQ(0, self->arg.resident_bytes % page_size());
	/* It has been begun, and ends without anybody asking again. */
	EXPECT_TRUE(wait_until(object_stored(self->fd) == pages(PAGES / 2)));
	/* Then they are clean, and go at once. */
	EXPECT_TRUE(wait_until(!object_pageout(self->fd, OUT, 0, 0,
					       &self->arg) &&
			       !self->arg.resident_bytes));
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, out_of_clean_pages_writes_nothing)
{
	struct defpager_info before, after;

	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(intact(self->map));
	ASSERT_EQ(0, pager_info(self->pager, &before));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, pager_info(self->pager, &after));
	EXPECT_EQ(before.pages_out, after.pages_out);
	EXPECT_LE(before.clean_drops + PAGES / 2, after.clean_drops);
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, out_again_after_a_change)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	self->map[pages(3)] = 99;
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(99, self->map[pages(3)]);
}

TEST_F(object, out_of_zeros_forgets_what_was_stored)
{
	static const char zeros[1 << 16];

	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_GE(sizeof(zeros), page_size());
	if (variant->mapped)
		memset(self->map + pages(3), 0, page_size());
	else
		ASSERT_EQ(page_size(), pwrite(self->fd, zeros, page_size(),
					      pages(3)));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(pages(PAGES / 2 - 1), object_stored(self->fd));
	EXPECT_EQ(0, self->map[pages(3)]);
	EXPECT_EQ(5, self->map[pages(4)]);
}

TEST_F(object, in_brings_pages)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, object_pageout(self->fd, IN | WAIT, pages(4), pages(8),
				    &self->arg));
	EXPECT_EQ(pages(8), self->arg.resident_bytes);
	EXPECT_EQ(0, self->arg.dirty_bytes);
	EXPECT_EQ(pages(8), object_resident(self->fd));
	EXPECT_EQ(0, in_core(self->map, 0, 4));
	EXPECT_EQ(8, in_core(self->map, 4, 8));
	/* They keep their place on storage. */
	EXPECT_EQ(pages(PAGES / 2), object_stored(self->fd));
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, in_passes_over_holes)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, madvise(self->map + pages(5), pages(1), MADV_REMOVE));
	ASSERT_EQ(0, object_pageout(self->fd, IN | WAIT, 0, 0, &self->arg));
	EXPECT_EQ(pages(PAGES / 2 - 1), self->arg.resident_bytes);
	EXPECT_EQ(pages(PAGES / 2 - 1), object_resident(self->fd));
}

TEST_F(object, behind_the_end_is_nothing)
{
	for (int way = OUT; way <= IN; way++) {
		EXPECT_EQ(0, object_pageout(self->fd, way | WAIT, self->size, 0,
					    &self->arg));
		EXPECT_EQ(0, self->arg.resident_bytes);
		EXPECT_EQ(0, object_pageout(self->fd, way | WAIT,
					    INT64_MAX, 0, &self->arg));
		EXPECT_EQ(0, object_pageout(self->fd, way | WAIT,
					    self->size - 1,
					    INT64_MAX - self->size,
					    &self->arg));
		EXPECT_EQ(0, self->arg.resident_bytes);
	}
	EXPECT_EQ(pages(PAGES / 2), object_resident(self->fd));
}

TEST_F(object, requests_that_make_no_sense)
{
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, 0, 0, 0, &self->arg));
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, WAIT, 0, 0, &self->arg));
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, OUT | IN, 0, 0,
					  &self->arg));
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, OUT | 8, 0, 0,
					  &self->arg));
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, OUT,
					  (uint64_t)INT64_MAX + 1, 0,
					  &self->arg));
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, OUT, 1, INT64_MAX,
					  &self->arg));
	EXPECT_EQ(-EINVAL, object_pageout(self->fd, IN, 0, UINT64_MAX,
					  &self->arg));
	EXPECT_EQ(pages(PAGES / 2), object_resident(self->fd));
}

TEST_F(object, out_needs_write_access)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, object_pageout(fd, OUT, 0, 0, &self->arg));
	EXPECT_EQ(0, object_pageout(fd, IN, 0, 0, &self->arg));
	close(fd);
}

TEST_F(object, locked_pages_stay)
{
	ASSERT_EQ(0, mlock(self->map + pages(4), pages(4)));
	ASSERT_TRUE(wait_until(!object_pageout(self->fd, OUT | WAIT, 0, 0,
					       &self->arg) &&
			       self->arg.resident_bytes == pages(4)));
	EXPECT_EQ(4, in_core(self->map, 4, 4));
	/* So they do for who asks the kernel. */
	madvise(self->map, self->size, MADV_PAGEOUT);
	posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED);
	EXPECT_EQ(4, in_core(self->map, 4, 4));
	/* Locking brings pages in. */
	ASSERT_EQ(0, mlock(self->map, pages(PAGES / 2)));
	EXPECT_EQ(PAGES / 2, in_core(self->map, 0, PAGES / 2));
	ASSERT_EQ(0, munlock(self->map, pages(PAGES / 2)));
	EXPECT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, mlock_that_finds_no_space)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int store, fd;
	char *map;

	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &unlimited));
	store = private_store(self->pager, pages(4));
	ASSERT_LE(0, store);
	fd = object_create_with(self->pager, store, pages(8), 0);
	ASSERT_LE(0, fd);
	map = mmap(NULL, pages(8), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-1, mlock(map, pages(8)));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(0, mlock(map, pages(4)));
	munmap(map, pages(8));
	close(fd);
	EXPECT_EQ(0, private_store_delete(store));
}

TEST_F(object, madvise_dontneed_forgets_the_mapping_only)
{
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_DONTNEED));
	EXPECT_EQ(pages(PAGES / 2), object_resident(self->fd));
	EXPECT_TRUE(intact(self->map));
	/* What the page tables knew of changes is not lost with them. */
	self->map[pages(7)] = 99;
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_DONTNEED));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(99, self->map[pages(7)]);
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_DONTNEED));
	EXPECT_EQ(99, self->map[pages(7)]);
}

TEST_F(object, madvise_willneed_brings_pages)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	/* Also those behind a hole, of which it does not make pages. */
	ASSERT_EQ(0, madvise(self->map + pages(2), pages(1), MADV_REMOVE));
	ASSERT_EQ(0, madvise(self->map, self->size, MADV_WILLNEED));
	EXPECT_TRUE(wait_until(object_resident(self->fd) ==
			       pages(PAGES / 2 - 1)));
	EXPECT_EQ(1, self->map[0]);
	EXPECT_EQ(0, self->map[pages(2)]);
	EXPECT_EQ(4, self->map[pages(3)]);
	/* fadvise() means the same. */
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(0, posix_fadvise(self->fd, pages(8), pages(4),
				   POSIX_FADV_WILLNEED));
	EXPECT_TRUE(wait_until(object_resident(self->fd) == pages(4)));
	EXPECT_EQ(0, readahead(self->fd, pages(16), pages(4)));
	EXPECT_TRUE(wait_until(object_resident(self->fd) == pages(8)));
}

TEST_F(object, advice_that_is_accepted)
{
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_NORMAL));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_RANDOM));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_NOREUSE));
	EXPECT_EQ(0, posix_fadvise(self->fd, INT64_MAX, INT64_MAX,
				   POSIX_FADV_WILLNEED));
	EXPECT_EQ(EINVAL, posix_fadvise(self->fd, 0, -1, POSIX_FADV_WILLNEED));
	EXPECT_EQ(EINVAL, posix_fadvise(self->fd, 0, 0, 99));
	EXPECT_TRUE(intact(self->map));
}

TEST_F(object, fadvise_dontneed_drops_clean_pages)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, object_pageout(self->fd, IN | WAIT, 0, 0, &self->arg));
	ASSERT_EQ(pages(PAGES / 2), object_resident(self->fd));
	EXPECT_EQ(1, pwrite(self->fd, "x", 1, pages(3)));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(pages(1), object_resident(self->fd));
	EXPECT_EQ('x', self->map[pages(3)]);
	EXPECT_EQ(5, self->map[pages(4)]);
}

TEST_F(object, mincore_tells_what_is_in_memory)
{
	EXPECT_EQ(PAGES / 2, in_core(self->map, 0, PAGES));
	ASSERT_TRUE(object_out(self->fd, 0, pages(8)));
	EXPECT_EQ(0, in_core(self->map, 0, 8));
	EXPECT_EQ(PAGES / 2 - 8, in_core(self->map, 8, PAGES - 8));
	EXPECT_EQ(5, self->map[pages(4)]);
	EXPECT_EQ(1, in_core(self->map, 4, 1));
}

TEST_F(object, nothing_needs_to_be_synced)
{
	struct defpager_info before, after;

	ASSERT_EQ(0, pager_info(self->pager, &before));
	EXPECT_EQ(0, msync(self->map, self->size, MS_SYNC));
	EXPECT_EQ(0, msync(self->map, self->size, MS_ASYNC));
	EXPECT_EQ(0, msync(self->map, self->size, MS_SYNC | MS_INVALIDATE));
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, fdatasync(self->fd));
	EXPECT_EQ(0, sync_file_range(self->fd, 0, 0,
				     SYNC_FILE_RANGE_WAIT_BEFORE |
				     SYNC_FILE_RANGE_WRITE |
				     SYNC_FILE_RANGE_WAIT_AFTER));
	EXPECT_EQ(0, syncfs(self->fd));
	sync();
	ASSERT_EQ(0, pager_info(self->pager, &after));
	EXPECT_EQ(before.pages_out, after.pages_out);
	EXPECT_EQ(pages(PAGES / 2), object_resident(self->fd));
	EXPECT_EQ(0, object_stored(self->fd));
	EXPECT_TRUE(intact(self->map));
	/* As with any file, what is not mapped cannot be synced, nor locked. */
	EXPECT_EQ(0, munmap(self->map + pages(PAGES - 1), page_size()));
	EXPECT_EQ(-1, msync(self->map, self->size, MS_SYNC));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(-1, msync(self->map, self->size, MS_SYNC | MS_ASYNC));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(self->map + pages(PAGES - 1),
		  mmap(self->map + pages(PAGES - 1), page_size(),
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		       self->fd, pages(PAGES - 1)));
}

/* Who writes to pages while they are paged out and in loses nothing. */
struct writer {
	char *map;
	volatile bool stop;
	uint32_t last;
};

static void *count_up(void *arg)
{
	struct writer *writer = arg;

	while (!writer->stop) {
		writer->last++;
		for (size_t i = PAGES / 2; i < PAGES; i++)
			*(volatile uint32_t *)(writer->map + pages(i)) =
				writer->last;
	}
	return NULL;
}

TEST_F_TIMEOUT(object, out_and_in_while_written_to, 120)
{
	struct writer writer = { .map = self->map };
	pthread_t thread;
	bool good = true;

	ASSERT_EQ(0, pthread_create(&thread, NULL, count_up, &writer));
	for (int i = 0; i < 50; i++) {
		good &= !object_pageout(self->fd, OUT | (i % 2 ? WAIT : 0), 0,
					0, &self->arg);
		good &= !object_pageout(self->fd, IN | (i % 3 ? WAIT : 0), 0,
					0, &self->arg);
	}
	writer.stop = true;
	pthread_join(thread, NULL);
	EXPECT_TRUE(good);
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	for (size_t i = PAGES / 2; i < PAGES; i++)
		EXPECT_EQ(writer.last, *(uint32_t *)(self->map + pages(i)));
	for (size_t i = 0; i < PAGES / 2; i++)
		EXPECT_EQ((char)(i + 1), self->map[pages(i)]);
}

/* Who changes some pages and has all of them paged out, and others do so, too. */
struct pusher {
	pthread_t thread;
	int fd;
	size_t first;
	bool good;
};

#define PUSHERS	4
#define ROUNDS	25

static void *push_out(void *arg)
{
	struct pusher *pusher = arg;
	struct defpager_object_pageout out;

	pusher->good = true;
	for (char round = 1; round <= ROUNDS; round++) {
		for (size_t i = pusher->first; i < PAGES; i += PUSHERS)
			pusher->good &= pwrite(pusher->fd, &round, 1,
					       pages(i)) == 1;
		pusher->good &= !object_pageout(pusher->fd, OUT | WAIT, 0, 0,
						&out);
	}
	return NULL;
}

/* What one of them has marked another one may have written by then. */
TEST_F(object, out_by_several_at_once)
{
	struct pusher pushers[PUSHERS];

	for (size_t i = 0; i < PUSHERS; i++) {
		pushers[i] = (struct pusher) { .fd = self->fd, .first = i };
		ASSERT_EQ(0, pthread_create(&pushers[i].thread, NULL, push_out,
					    &pushers[i]));
	}
	for (size_t i = 0; i < PUSHERS; i++) {
		ASSERT_EQ(0, pthread_join(pushers[i].thread, NULL));
		EXPECT_TRUE(pushers[i].good);
	}
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	for (size_t i = 0; i < PAGES; i++)
		EXPECT_EQ(ROUNDS, self->map[pages(i)]);
}

static void *read_on(void *arg)
{
	struct writer *reader = arg;

	while (!reader->stop)
		(void)*(volatile char *)reader->map;
	return NULL;
}

/*
 * Who finds that a page has never been written to, and then brings zeros for it,
 * may be overtaken by somebody who writes to it and by page-out. Some of those
 * who are late come when all is over.
 */
TEST_F(object, in_while_written_and_out_for_the_first_time)
{
	struct writer reader = { .map = self->map + pages(PAGES - 1) };
	char content[page_size()];
	pthread_t thread;
	int zeros = 0;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_on, &reader));
	for (int i = 1; i <= 50; i++) {
		memset(content, i, page_size());
		if (madvise(reader.map, page_size(), MADV_REMOVE) ||
		    pwrite(self->fd, content, page_size(), pages(PAGES - 1)) !=
			    (ssize_t)page_size() ||
		    object_pageout(self->fd, OUT | WAIT, pages(PAGES - 1), 0,
				   &self->arg))
			break;
		/* Looking at once would bring the page in for who is late. */
		sleep_ms(5);
		zeros += *(volatile char *)reader.map != i;
	}
	reader.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(50, content[0]);
	EXPECT_EQ(0, zeros);
}

TEST_HARNESS_MAIN
