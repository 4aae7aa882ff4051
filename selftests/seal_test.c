// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seals: what they forbid, whatever is tried, and what keeps them from being
 * set. A memfd is sealed the same way beside it where that has a say.
 */
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/uio.h>

#include "contract_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#define PAGES	8

#define SEAL_SEAL	DEFPAGER_SEAL_SEAL
#define SEAL_SHRINK	DEFPAGER_SEAL_SHRINK
#define SEAL_GROW	DEFPAGER_SEAL_GROW
#define SEAL_WRITE	DEFPAGER_SEAL_WRITE
#define SEAL_FUTURE	DEFPAGER_SEAL_FUTURE_WRITE
#define PUNCH		(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

/* An object of 8 pages of which 4 are in use, or a memfd. */
FIXTURE(seal)
{
	int pager;
	int fd;
	size_t size;
};

FIXTURE_VARIANT(seal)
{
	bool memfd;
	bool paged_out;
};

FIXTURE_VARIANT_ADD(seal, resident)
{
	.paged_out = false,
};

FIXTURE_VARIANT_ADD(seal, paged_out)
{
	.paged_out = true,
};

FIXTURE_VARIANT_ADD(seal, memfd)
{
	.memfd = true,
};

static int add(int fd, bool memfd, uint32_t seals)
{
	if (memfd)
		return fcntl(fd, F_ADD_SEALS, seals) ? -errno : 0;
	return object_seal(fd, seals, NULL);
}

static uint32_t get(int fd, bool memfd)
{
	uint32_t seals = 0;

	if (memfd)
		return fcntl(fd, F_GET_SEALS);
	return object_seal(fd, 0, &seals) ? UINT32_MAX : seals;
}

FIXTURE_SETUP(seal)
{
	char buffer[1 << 14];

	memset(buffer, 'a', sizeof(buffer));
	self->size = PAGES / 2 * page_size();
	ASSERT_LE(self->size, sizeof(buffer));
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(1)));
	if (variant->memfd)
		self->fd = memfd_create("seal", MFD_ALLOW_SEALING);
	else
		self->fd = object_create(self->pager, PAGES * page_size());
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, self->size));
	ASSERT_EQ((ssize_t)self->size, write(self->fd, buffer, self->size));
	if (variant->paged_out)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
}

FIXTURE_TEARDOWN(seal)
{
	close(self->fd);
	close(self->pager);
}

static int try_write(int fd, off_t offset)
{
	return pwrite(fd, "b", 1, offset) == 1 ? 0 : -errno;
}

static int try_truncate(int fd, off_t size)
{
	return ftruncate(fd, size) ? -errno : 0;
}

static int try_allocate(int fd, int mode, off_t offset, off_t length)
{
	return fallocate(fd, mode, offset, length) ? -errno : 0;
}

static int try_mmap(int fd, int prot, int flags)
{
	void *map = mmap(NULL, page_size(), prot, flags, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, page_size());
	return 0;
}

TEST_F(seal, starts_without)
{
	EXPECT_EQ(0, get(self->fd, variant->memfd));
	EXPECT_EQ(0, add(self->fd, variant->memfd, 0));
	EXPECT_EQ(0, get(self->fd, variant->memfd));
}

TEST_F(seal, adds_up)
{
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_GROW));
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_SHRINK));
	EXPECT_EQ(SEAL_GROW | SEAL_SHRINK, get(self->fd, variant->memfd));
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_GROW | SEAL_WRITE));
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE | SEAL_FUTURE));
	EXPECT_EQ(SEAL_GROW | SEAL_SHRINK | SEAL_WRITE | SEAL_FUTURE,
		  get(self->fd, variant->memfd));
}

TEST_F(seal, seal_is_the_last)
{
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_SEAL | SEAL_GROW));
	EXPECT_EQ(-EPERM, add(self->fd, variant->memfd, SEAL_SHRINK));
	EXPECT_EQ(-EPERM, add(self->fd, variant->memfd, SEAL_WRITE));
	EXPECT_EQ(-EPERM, add(self->fd, variant->memfd, SEAL_SEAL));
	EXPECT_EQ(SEAL_SEAL | SEAL_GROW, get(self->fd, variant->memfd));
}

TEST_F(seal, unknown)
{
	EXPECT_EQ(-EINVAL, add(self->fd, variant->memfd, 1 << 6));
	EXPECT_EQ(-EINVAL, add(self->fd, variant->memfd, 1U << 31 | SEAL_GROW));
	EXPECT_EQ(0, get(self->fd, variant->memfd));
}

/* The answer has no place to go; so there is none. */
TEST_F(seal, that_cannot_be_answered_is_not_added)
{
	struct defpager_object_seal *seal;

	if (variant->memfd)
		SKIP(return, "a memfd's answer is no struct");
	seal = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, seal);
	seal->size = sizeof(*seal);
	seal->add = SEAL_GROW;
	ASSERT_EQ(0, mprotect(seal, page_size(), PROT_READ));
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->fd, DEFPAGER_IOC_OBJECT_SEAL,
					  seal));
	EXPECT_EQ(0, get(self->fd, false));
	munmap(seal, page_size());
}

TEST_F(seal, needs_write_access)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, add(fd, variant->memfd, SEAL_GROW));
	EXPECT_EQ(0, get(fd, variant->memfd));
	/* It concerns all descriptors. */
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_GROW));
	EXPECT_EQ(SEAL_GROW, get(fd, variant->memfd));
	close(fd);
}

TEST_F(seal, shrink)
{
	off_t size = self->size;

	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_SHRINK));
	EXPECT_EQ(-EPERM, try_truncate(self->fd, size - 1));
	EXPECT_EQ(-EPERM, try_truncate(self->fd, 0));
	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, try_truncate(self->fd, size));
	EXPECT_EQ(0, try_truncate(self->fd, size + 1));
	EXPECT_EQ(-EPERM, try_truncate(self->fd, size));
	EXPECT_EQ(0, try_write(self->fd, 0));
	EXPECT_EQ(0, try_write(self->fd, size + 10));
	/* A hole makes nothing smaller. */
	EXPECT_EQ(0, try_allocate(self->fd, PUNCH, 0, page_size()));
	EXPECT_EQ(0, try_mmap(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED));
}

TEST_F(seal, grow)
{
	char buffer[200] = { 'c' };
	off_t size = self->size;

	ASSERT_EQ(0, try_truncate(self->fd, size - 100));
	size -= 100;
	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_GROW));
	EXPECT_EQ(-EPERM, try_truncate(self->fd, size + 1));
	EXPECT_EQ(-EPERM, try_write(self->fd, size));
	EXPECT_EQ(-EPERM, try_write(self->fd, size + 1000));
	EXPECT_EQ(-EPERM, try_allocate(self->fd, 0, 0, size + 1));
	EXPECT_EQ(-EPERM, try_allocate(self->fd, FALLOC_FL_KEEP_SIZE, 0,
				       size + 1));
	/* A page across the end is not written, those before it are. */
	EXPECT_EQ(-1, pwrite(self->fd, buffer, 200, size - 100));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(1, pread(self->fd, buffer, 1, size - 100));
	EXPECT_EQ('a', buffer[0]);
	EXPECT_EQ(size, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, try_write(self->fd, size - 1));
	EXPECT_EQ(0, try_allocate(self->fd, 0, 0, size));
	EXPECT_EQ(0, try_truncate(self->fd, size - 1));
	EXPECT_EQ(-EPERM, try_truncate(self->fd, size));
}

TEST_F(seal, grow_writes_up_to_the_last_page)
{
	size_t size = self->size + page_size();
	char *buffer;

	/* What a memfd does depends on the sizes of its folios. */
	if (variant->memfd)
		return;
	buffer = malloc(size);
	ASSERT_NE(NULL, buffer);
	memset(buffer, 'b', size);
	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_GROW));
	EXPECT_EQ((ssize_t)self->size, pwrite(self->fd, buffer, size, 0));
	EXPECT_EQ((off_t)self->size, lseek(self->fd, 0, SEEK_END));
	ASSERT_EQ((ssize_t)self->size, pread(self->fd, buffer, size, 0));
	EXPECT_TRUE(all_bytes(buffer, self->size, 'b'));
	free(buffer);
}

/* Nothing that writes works, and all that does not still does. */
static void expect_no_writes(struct __test_metadata *_metadata, int fd,
			     size_t size, bool memfd)
{
	struct iovec iov = { "b", 1 };
	char *buffer = malloc(size);
	char *map;

	EXPECT_EQ(-EPERM, try_write(fd, 0));
	EXPECT_EQ(-1, pwritev(fd, &iov, 1, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-EPERM, try_allocate(fd, PUNCH, 0, page_size()));
	if (!memfd)
		EXPECT_EQ(-EPERM, try_allocate(fd, FALLOC_FL_ZERO_RANGE, 0,
					       page_size()));
	EXPECT_EQ(-EPERM, try_mmap(fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(-EPERM, try_mmap(fd, PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(0, try_mmap(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE));
	/* This does not change the content. */
	EXPECT_EQ(0, try_allocate(fd, 0, 0, page_size()));

	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	/* Kernels before 6.7 refuse that for a memfd. */
	if (map != MAP_FAILED || !memfd) {
		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(-1, mprotect(map, size, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-1, madvise(map, page_size(), MADV_REMOVE));
		EXPECT_TRUE(all_bytes(map, size, 'a'));
		munmap(map, size);
	}
	EXPECT_EQ((ssize_t)size, pread(fd, buffer, size, 0));
	EXPECT_TRUE(all_bytes(buffer, size, 'a'));
	free(buffer);
}

TEST_F(seal, write)
{
	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE));
	expect_no_writes(_metadata, self->fd, self->size, variant->memfd);
	/* The size is another matter. */
	EXPECT_EQ(0, try_truncate(self->fd, self->size + 10));
	EXPECT_EQ(0, try_truncate(self->fd, self->size));
}

TEST_F(seal, write_holds_after_page_out)
{
	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE | SEAL_SHRINK));
	if (!variant->memfd)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
	expect_no_writes(_metadata, self->fd, self->size, variant->memfd);
}

TEST_F(seal, write_with_a_writable_mapping)
{
	char *map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EBUSY, add(self->fd, variant->memfd, SEAL_WRITE));
	EXPECT_EQ(-EBUSY, add(self->fd, variant->memfd,
			      SEAL_WRITE | SEAL_GROW));
	EXPECT_EQ(0, get(self->fd, variant->memfd));
	/* Having been refused, it leaves nothing behind. */
	*map = 'c';
	EXPECT_EQ(0, try_write(self->fd, 0));
	EXPECT_EQ(0, try_mmap(self->fd, PROT_READ | PROT_WRITE, MAP_SHARED));
	munmap(map, page_size());
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE));
}

TEST_F(seal, write_with_other_mappings)
{
	char *private, *shared;
	char path[32];
	int fd;

	private = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE,
		       self->fd, 0);
	ASSERT_NE(MAP_FAILED, private);
	private[1] = 'p';
	/* Shared, but from a descriptor that does not allow more. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	shared = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, shared);
	EXPECT_EQ('a', shared[0]);
	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE));
	EXPECT_EQ('a', shared[1]);
	EXPECT_EQ('p', private[1]);
	private[2] = 'q';
	EXPECT_EQ('a', shared[2]);
	munmap(private, page_size());
	munmap(shared, page_size());
	close(fd);
}

TEST_F(seal, write_with_a_mapping_that_can_be_made_writable)
{
	char *map = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(-EBUSY, add(self->fd, variant->memfd, SEAL_WRITE));
	munmap(map, page_size());
}

TEST_F(seal, future_write)
{
	char *map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	char *moved;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, add(self->fd, variant->memfd, SEAL_FUTURE));
	expect_no_writes(_metadata, self->fd, self->size, variant->memfd);
	/* Who has it mapped goes on, wherever it is moved to. */
	map[0] = 'z';
	moved = mremap(map, self->size, self->size + page_size(),
		       MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, moved);
	moved[1] = 'z';
	EXPECT_EQ(0, mprotect(moved, page_size(), PROT_READ));
	EXPECT_EQ(0, mprotect(moved, page_size(), PROT_READ | PROT_WRITE));
	if (!variant->memfd)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ('z', moved[0]);
	EXPECT_EQ('z', moved[1]);
	moved[2] = 'z';
	/* The other one waits for the mapping, as always. */
	EXPECT_EQ(-EBUSY, add(self->fd, variant->memfd, SEAL_WRITE));
	munmap(moved, self->size + page_size());
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE));
}

/* What is behind the end of the last page is cleared by who may write behind it. */
static void expect_nothing_cleared(struct __test_metadata *_metadata, int fd,
				   bool memfd, uint32_t seal)
{
	char *map;

	ASSERT_EQ(0, ftruncate(fd, 100));
	map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	ASSERT_NE(MAP_FAILED, map);
	map[200] = 'z';
	ASSERT_EQ(0, add(fd, memfd, seal));
	EXPECT_EQ(-EPERM, try_write(fd, 2 * page_size()));
	EXPECT_EQ('z', map[200]);
	munmap(map, page_size());
}

TEST_F(seal, write_refused_by_future_write_clears_nothing)
{
	expect_nothing_cleared(_metadata, self->fd, variant->memfd, SEAL_FUTURE);
}

TEST_F(seal, write_refused_by_grow_clears_nothing)
{
	expect_nothing_cleared(_metadata, self->fd, variant->memfd, SEAL_GROW);
}

/* Pages that somebody else holds: in a pipe they are only read, but who knows. */
TEST_F(seal, write_with_pages_held)
{
	int pipe_fds[2];
	loff_t at = 0;
	char byte;

	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ((ssize_t)page_size(), splice(self->fd, &at, pipe_fds[1], NULL,
					       page_size(), 0));
	EXPECT_EQ(-EBUSY, add(self->fd, variant->memfd, SEAL_WRITE));
	EXPECT_EQ(0, get(self->fd, variant->memfd));
	EXPECT_EQ(0, try_write(self->fd, page_size()));
	EXPECT_EQ(1, read(pipe_fds[0], &byte, 1));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE));
}

static void *close_later(void *arg)
{
	/* The time does not matter, as long as it is less than the wait. */
	sleep_ms(20);
	close(*(int *)arg);
	return NULL;
}

TEST_F(seal, write_waits_for_pages_held)
{
	int pipe_fds[2];
	pthread_t thread;
	loff_t at = 0;

	ASSERT_EQ(0, pipe(pipe_fds));
	ASSERT_EQ((ssize_t)page_size(), splice(self->fd, &at, pipe_fds[1], NULL,
					       page_size(), 0));
	close(pipe_fds[1]);
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_later, &pipe_fds[0]));
	EXPECT_EQ(0, add(self->fd, variant->memfd, SEAL_WRITE));
	pthread_join(thread, NULL);
}

/* Pages written a moment ago, by any processor, are in its lists for a while. */
TEST_F(seal, write_right_after_writing)
{
	char *map;
	int fd;

	for (int i = 0; i < 20; i++) {
		if (variant->memfd)
			fd = memfd_create("seal", MFD_ALLOW_SEALING);
		else
			fd = object_create(self->pager, PAGES * page_size());
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ftruncate(fd, PAGES * page_size()));
		map = mmap(NULL, PAGES * page_size(), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		memset(map, 'a', PAGES * page_size());
		munmap(map, PAGES * page_size());
		ASSERT_EQ(0, add(fd, variant->memfd, SEAL_WRITE));
		close(fd);
	}
}

/* Who maps, and who seals, do not miss each other. */
struct mapper {
	int fd;
	volatile bool stop;
	volatile char *map;	/* writable, or NULL */
};

static void *map_until_sealed(void *arg)
{
	struct mapper *mapper = arg;
	void *map;

	while (!mapper->stop) {
		map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			   MAP_SHARED, mapper->fd, 0);
		if (map == MAP_FAILED)
			continue;
		mapper->map = map;
		mapper->map = NULL;
		munmap(map, page_size());
	}
	return NULL;
}

TEST_F(seal, mapping_and_sealing_at_once)
{
	struct mapper mapper = { .fd = self->fd };
	char before, after;
	pthread_t thread;
	bool sealed;

	ASSERT_EQ(0, pthread_create(&thread, NULL, map_until_sealed, &mapper));
	sealed = wait_until(!add(self->fd, variant->memfd, SEAL_WRITE));
	/* A mapping that exists now could be written to. */
	EXPECT_EQ(NULL, (void *)mapper.map);
	EXPECT_EQ(1, pread(self->fd, &before, 1, 0));
	sleep_ms(20);
	EXPECT_EQ(NULL, (void *)mapper.map);
	EXPECT_EQ(1, pread(self->fd, &after, 1, 0));
	EXPECT_EQ(before, after);
	mapper.stop = true;
	pthread_join(thread, NULL);
	ASSERT_TRUE(sealed);
	EXPECT_EQ(-EPERM, try_mmap(self->fd, PROT_READ | PROT_WRITE,
				   MAP_SHARED));
}

TEST(fcntl_has_no_seals)
{
	int pager = pager_open(), fd;

	ASSERT_LE(0, pager);
	fd = object_create(pager, page_size());
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, fcntl(fd, F_ADD_SEALS, SEAL_GROW));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(EINVAL, errno);
	close(fd);
	close(pager);
}

TEST(fdinfo_tells_seals)
{
	int pager = pager_open(), fd;
	char path[64], line[128];
	bool found = false;
	FILE *file;

	ASSERT_LE(0, pager);
	fd = object_create(pager, page_size());
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, object_seal(fd, SEAL_GROW | SEAL_FUTURE, NULL));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	ASSERT_NE(NULL, file);
	while (fgets(line, sizeof(line), file))
		found |= !strcmp(line, "defpager-seals:\t0x14\n");
	EXPECT_TRUE(found);
	fclose(file);
	close(fd);
	close(pager);
}

TEST_HARNESS_MAIN
