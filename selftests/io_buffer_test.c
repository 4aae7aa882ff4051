// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of an object as the buffer of I/O: direct I/O and io_uring to a
 * block device, and I/O on the very object.
 */
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "contract_utils.h"
#include "memory_utils.h"
#include "uring_utils.h"
#include <kselftest_harness.h>

#define PAGES	32

static size_t pages(size_t nr)
{
	return nr * page_size();
}

static char content(size_t at, int generation)
{
	return at % 251 + generation;
}

static void set_content(char *bytes, size_t size, int generation)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = content(i, generation);
}

static bool has_content(const char *bytes, size_t size, int generation)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != content(i, generation)) {
			fprintf(stderr, "# byte %zu is %d\n", i, bytes[i]);
			return false;
		}
	return true;
}

static bool same_content(const char *bytes, size_t at, size_t size, size_t was)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[at + i] != content(was + i, 1)) {
			fprintf(stderr, "# byte %zu is %d\n", at + i,
				bytes[at + i]);
			return false;
		}
	return true;
}

/* An object with content, mapped; a block device of the same size, with other. */
FIXTURE(buffer)
{
	int pager;
	int fd;
	char *map;
	int device;		/* open with O_DIRECT */
	size_t size;
	struct uring ring;
};

FIXTURE_VARIANT(buffer)
{
	bool paged_out;
};

FIXTURE_VARIANT_ADD(buffer, resident)
{
	.paged_out = false,
};

FIXTURE_VARIANT_ADD(buffer, paged_out)
{
	.paged_out = true,
};

FIXTURE_SETUP(buffer)
{
	char path[PATH_MAX];
	char *other;
	int device;

	self->size = pages(PAGES);
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(2)));
	self->fd = object_create(self->pager, self->size);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);

	device = loop_create(self->size, 512, 0);
	ASSERT_LE(0, device);
	self->device = open(fd_path(device, path), O_RDWR | O_DIRECT |
			    O_CLOEXEC);
	ASSERT_LE(0, self->device);
	close(device);
	ASSERT_EQ(0, posix_memalign((void **)&other, page_size(), self->size));
	set_content(other, self->size, 2);
	ASSERT_EQ((ssize_t)self->size, pwrite(self->device, other, self->size,
					      0));
	free(other);
	ASSERT_EQ(0, uring_open(&self->ring));

	set_content(self->map, self->size, 1);
	if (variant->paged_out)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
}

FIXTURE_TEARDOWN(buffer)
{
	uring_close(&self->ring);
	munmap(self->map, self->size);
	close(self->fd);
	close(self->device);
	close(self->pager);
}

/* The device, read into ordinary memory. */
static bool device_has_content(int device, size_t size, int generation)
{
	char *bytes;
	bool has;

	if (posix_memalign((void **)&bytes, page_size(), size))
		return false;
	has = pread(device, bytes, size, 0) == (ssize_t)size &&
	      has_content(bytes, size, generation);
	free(bytes);
	return has;
}

TEST_F(buffer, direct_read)
{
	ASSERT_EQ((ssize_t)self->size, pread(self->device, self->map,
					     self->size, 0));
	EXPECT_TRUE(has_content(self->map, self->size, 2));
	/* What the device wrote there goes to storage as what others write. */
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(has_content(self->map, self->size, 2));
}

TEST_F(buffer, direct_read_of_parts_of_pages)
{
	ASSERT_EQ(512, pread(self->device, self->map + pages(3) + 1024, 512,
			     pages(3) + 1024));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(has_content(self->map, pages(3) + 1024, 1));
	EXPECT_EQ(content(pages(3) + 1024, 2), self->map[pages(3) + 1024]);
	EXPECT_EQ(content(pages(3) + 1535, 2), self->map[pages(3) + 1535]);
	EXPECT_EQ(content(pages(3) + 1536, 1), self->map[pages(3) + 1536]);
}

TEST_F(buffer, direct_write)
{
	ASSERT_EQ((ssize_t)self->size, pwrite(self->device, self->map,
					      self->size, 0));
	EXPECT_TRUE(device_has_content(self->device, self->size, 1));
	EXPECT_TRUE(has_content(self->map, self->size, 1));
}

TEST_F(buffer, direct_read_without_space)
{
	int store = private_store(self->pager, pages(4)), fd;
	char *map;

	ASSERT_LE(0, store);
	fd = object_create_with(self->pager, store, pages(8), 0);
	ASSERT_LE(0, fd);
	map = mmap(NULL, pages(8), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	/* Short, or nothing at all: where it begins there is space. */
	EXPECT_LE(pread(self->device, map, pages(8), 0), (ssize_t)pages(4));
	EXPECT_EQ(-1, pread(self->device, map + pages(4), pages(4), 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(1, pwrite(fd, "x", 1, 0));
	munmap(map, pages(8));
	close(fd);
	EXPECT_EQ(0, private_store_delete(store));
}

TEST_F(buffer, uring_read)
{
	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_READ,
					    self->device, self->map, self->size,
					    0));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(has_content(self->map, self->size, 2));
}

TEST_F(buffer, uring_write)
{
	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_WRITE,
					    self->device, self->map, self->size,
					    0));
	EXPECT_TRUE(device_has_content(self->device, self->size, 1));
}

TEST_F(buffer, uring_fixed)
{
	struct defpager_object_pageout arg;
	int ret;

	ret = uring_register(&self->ring, self->map, self->size);
	/* Before 6.2 no memory of files but tmpfs' is accepted. */
	if (ret == -EOPNOTSUPP)
		SKIP(return, "this kernel does not register memory of files");
	ASSERT_EQ(0, ret);
	/* They are pinned: paging out leaves them alone. */
	EXPECT_EQ(0, object_pageout(self->fd, DEFPAGER_PAGEOUT_OUT |
				    DEFPAGER_PAGEOUT_WAIT, 0, 0, &arg));
	EXPECT_EQ(self->size, arg.resident_bytes);
	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_WRITE_FIXED,
					    self->device, self->map, self->size,
					    0));
	EXPECT_TRUE(device_has_content(self->device, self->size, 1));
	set_content(self->map, self->size, 3);
	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_WRITE_FIXED,
					    self->device, self->map, self->size,
					    0));
	memset(self->map, 0, self->size);
	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_READ_FIXED,
					    self->device, self->map, self->size,
					    0));
	EXPECT_TRUE(has_content(self->map, self->size, 3));
	ASSERT_EQ(0, uring_unregister(&self->ring));
	EXPECT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(has_content(self->map, self->size, 3));
}

/* --- the object itself ---------------------------------------------------- */

TEST_F(buffer, uring_on_the_object)
{
	char *buffer = malloc(self->size);

	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_READ,
					    self->fd, buffer, self->size, 0));
	EXPECT_TRUE(has_content(buffer, self->size, 1));
	set_content(buffer, self->size, 4);
	ASSERT_EQ((int)self->size, uring_do(&self->ring, IORING_OP_WRITE,
					    self->fd, buffer, self->size, 0));
	EXPECT_TRUE(has_content(self->map, self->size, 4));
	free(buffer);
}

TEST_F(buffer, read_into_itself)
{
	size_t half = self->size / 2;

	ASSERT_EQ((ssize_t)half, pread(self->fd, self->map + half, half, 0));
	EXPECT_TRUE(same_content(self->map, half, half, 0));
	/* Pages onto themselves, and not quite. */
	EXPECT_EQ((ssize_t)half, pread(self->fd, self->map, half, 0));
	EXPECT_TRUE(same_content(self->map, 0, half, 0));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ((ssize_t)half, pread(self->fd, self->map, half, 0));
	EXPECT_TRUE(same_content(self->map, 0, half, 0));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(1000, pread(self->fd, self->map + 3000, 1000, 1000));
	EXPECT_TRUE(same_content(self->map, 3000, 1000, 1000));
	EXPECT_TRUE(same_content(self->map, 0, 3000, 0));
}

TEST_F(buffer, write_from_itself)
{
	size_t half = self->size / 2;

	ASSERT_EQ((ssize_t)half, pwrite(self->fd, self->map, half, half));
	EXPECT_TRUE(same_content(self->map, half, half, 0));
	EXPECT_TRUE(same_content(self->map, 0, half, 0));
	EXPECT_EQ((ssize_t)half, pwrite(self->fd, self->map, half, 0));
	EXPECT_TRUE(same_content(self->map, 0, half, 0));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ((ssize_t)half, pwrite(self->fd, self->map, half, 0));
	EXPECT_TRUE(same_content(self->map, 0, half, 0));
	/* Within a page that has to be read for both its parts. */
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(1000, pwrite(self->fd, self->map + 1000, 1000, 3000));
	EXPECT_TRUE(same_content(self->map, 3000, 1000, 1000));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_TRUE(same_content(self->map, 3000, 1000, 1000));
	EXPECT_TRUE(same_content(self->map, 0, 3000, 0));
}

/* From pages that nobody has touched, to others that nobody has touched. */
TEST_F(buffer, write_holes_from_itself)
{
	size_t half = self->size / 2;

	ASSERT_EQ(0, madvise(self->map, self->size, MADV_REMOVE));
	ASSERT_EQ((ssize_t)half, pwrite(self->fd, self->map, half, half));
	ASSERT_EQ((ssize_t)half - 100, pread(self->fd, self->map + 100,
					     half - 100, half));
	EXPECT_TRUE(all_bytes(self->map, self->size, 0));
}

TEST_F(buffer, vectors_of_itself)
{
	struct iovec iov[PAGES / 2];
	ssize_t sum = 0;

	/* Pieces of all pages, back to front, across their ends. */
	for (int i = 0; i < PAGES / 2; i++) {
		iov[i].iov_base = self->map + self->size - pages(i + 1) - 50;
		iov[i].iov_len = 100;
		sum += 100;
	}
	ASSERT_EQ(sum, pwritev(self->fd, iov, PAGES / 2, 0));
	for (int i = 0; i < PAGES / 2; i++)
		EXPECT_TRUE(same_content(self->map, 100 * i, 100, self->size -
					 pages(i + 1) - 50));
	if (variant->paged_out)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(sum, preadv(self->fd, iov, PAGES / 2, self->size - sum - 60));
}

TEST_F(buffer, uring_from_and_into_itself)
{
	size_t half = self->size / 2;

	ASSERT_EQ((int)half, uring_do(&self->ring, IORING_OP_WRITE, self->fd,
				      self->map, half, half));
	EXPECT_TRUE(same_content(self->map, half, half, 0));
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ((int)half - 10, uring_do(&self->ring, IORING_OP_READ,
					   self->fd, self->map + 10, half - 10,
					   half));
	EXPECT_TRUE(same_content(self->map, 10, half - 10, 0));
}

TEST_F(buffer, sent_to_itself)
{
	size_t half = self->size / 2;
	off_t from = 0;

	ASSERT_EQ((off_t)half, lseek(self->fd, half, SEEK_SET));
	ASSERT_EQ((ssize_t)half, sendfile(self->fd, self->fd, &from, half));
	EXPECT_TRUE(same_content(self->map, half, half, 0));
	from = 0;
	ASSERT_EQ((ssize_t)half, copy_file_range(self->fd, &from, self->fd,
						 &(loff_t){ half }, half, 0));
	EXPECT_TRUE(same_content(self->map, half, half, 0));
}

TEST_F(buffer, direct_io_of_the_object_is_refused)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(-1, open(path, O_RDWR | O_DIRECT));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, fcntl(self->fd, F_SETFL, O_DIRECT));
	EXPECT_EQ(EINVAL, errno);
}

/* --- all at once ---------------------------------------------------------- */

struct pager_thread {
	int fd;
	volatile bool stop;
	uint64_t failures, out;	/* calls, bytes */
};

static void *page_out_and_in(void *arg)
{
	struct pager_thread *thread = arg;
	struct defpager_object_pageout move;

	while (!thread->stop) {
		thread->failures += !!object_pageout(thread->fd,
						     DEFPAGER_PAGEOUT_OUT, 0, 0,
						     &move);
		thread->failures += !!object_pageout(thread->fd,
						     DEFPAGER_PAGEOUT_OUT |
						     DEFPAGER_PAGEOUT_WAIT,
						     0, 0, &move);
		thread->out += object_stored(thread->fd);
		thread->failures += !!object_pageout(thread->fd,
						     DEFPAGER_PAGEOUT_IN, 0, 0,
						     &move);
	}
	return NULL;
}

/* What a device writes to pages that are just being paged out is not lost. */
TEST_F(buffer, direct_io_while_paged_out)
{
	struct pager_thread pager = { .fd = self->fd };
	pthread_t thread;
	bool good = true;

	ASSERT_EQ(0, pthread_create(&thread, NULL, page_out_and_in, &pager));
	for (int i = 3; good && i < 60; i++) {
		set_content(self->map, self->size, i);
		good &= pwrite(self->device, self->map, self->size, 0) ==
			(ssize_t)self->size;
		memset(self->map, 0, self->size);
		good &= pread(self->device, self->map, self->size, 0) ==
			(ssize_t)self->size;
		good &= has_content(self->map, self->size, i);
	}
	pager.stop = true;
	pthread_join(thread, NULL);
	EXPECT_TRUE(good);
	EXPECT_EQ(0, pager.failures);
	EXPECT_LT(0, pager.out);
}

TEST_F(buffer, its_own_io_while_paged_out)
{
	struct pager_thread pager = { .fd = self->fd };
	size_t half = self->size / 2;
	pthread_t thread;
	bool good = true;

	ASSERT_EQ(0, pthread_create(&thread, NULL, page_out_and_in, &pager));
	for (int i = 3; good && i < 60; i++) {
		set_content(self->map, half, i);
		good &= pwrite(self->fd, self->map, half, half) ==
			(ssize_t)half;
		memset(self->map, 0, half);
		good &= pread(self->fd, self->map, half, half) == (ssize_t)half;
		good &= has_content(self->map, half, i);
		good &= has_content(self->map + half, half, i);
	}
	pager.stop = true;
	pthread_join(thread, NULL);
	EXPECT_TRUE(good);
	EXPECT_EQ(0, pager.failures);
	EXPECT_LT(0, pager.out);
}

/* An object larger than what its user may have in memory, copied within it. */
static int copy_within_limit(void *arg)
{
	static const char group[] = "/sys/fs/cgroup/io-buffer-test";
	size_t size = MIB(32), half = size / 2;
	int fd = *(int *)arg;
	uint64_t *words;

	if (mkdir(group, 0755) ||
	    write_file("/sys/fs/cgroup/io-buffer-test/memory.max",
		       "16777216") ||
	    write_file("/sys/fs/cgroup/io-buffer-test/cgroup.procs", "0"))
		return 2;
	words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED)
		return 3;
	for (size_t i = 0; i < half / 8; i += 64)
		words[i] = i + 1;
	if (pwrite(fd, words, half, half) != (ssize_t)half)
		return 4;
	for (size_t i = 0; i < half / 8; i += 64)
		if (words[half / 8 + i] != i + 1)
			return 5;
	memset(words, 0, half);
	if (pread(fd, words, half, half) != (ssize_t)half)
		return 6;
	for (size_t i = 0; i < half / 8; i += 64)
		if (words[i] != i + 1)
			return 7;
	return 0;
}

FIXTURE(limited)
{
	int pager;
	int fd;
};

FIXTURE_SETUP(limited)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(33)));
	self->fd = object_create(self->pager, MIB(32));
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(limited)
{
	close(self->fd);
	close(self->pager);
	EXPECT_TRUE(wait_until(!rmdir("/sys/fs/cgroup/io-buffer-test")));
}

/* Half a minute would do, but not on a slow machine with a slow kernel. */
TEST_F_TIMEOUT(limited, larger_than_memory_from_and_into_itself, 180)
{
	EXPECT_EQ(0, in_child(copy_within_limit, &self->fd));
}

TEST_HARNESS_MAIN
