// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory objects as files: reading, writing, seeking, and moving data between an
 * object and other descriptors.
 */
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "defpager_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

FIXTURE(io)
{
	int pager;
	int fd;
	size_t size;
	char *map;
	char *data;		/* the size of it, all pages different */
	char *buffer;
};

/* Where the pages are when a test looks at them. */
FIXTURE_VARIANT(io)
{
	bool stored;
};

FIXTURE_VARIANT_ADD(io, in_memory)
{
	.stored = false,
};

FIXTURE_VARIANT_ADD(io, on_storage)
{
	.stored = true,
};

FIXTURE_SETUP(io)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_need_space(self->pager, MIB(8)));
	self->size = 16 * page_size();
	self->fd = object_create(self->pager, self->size);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->data = malloc(self->size);
	self->buffer = malloc(self->size);
	for (size_t i = 0; i < self->size; i++)
		self->data[i] = i * 7 + i / 4096 + 1;
	memset(self->buffer, POISON, self->size);
}

FIXTURE_TEARDOWN(io)
{
	free(self->data);
	free(self->buffer);
	munmap(self->map, self->size);
	close(self->fd);
	close(self->pager);
}

static void settle(struct __test_metadata *_metadata, FIXTURE_DATA(io) *self,
		   const FIXTURE_VARIANT(io) *variant)
{
	if (variant->stored) {
		ASSERT_TRUE(page_out(self->fd, self->map, self->size));
	}
}

/* In a test of the fixture. */
#define SETTLE() settle(_metadata, self, variant)

TEST_F(io, data_comes_back_at_any_offset_and_length)
{
	static const size_t lengths[] = { 1, 7, 511, 4095, 4096, 4097, 12289 };
	static const size_t offsets[] = { 0, 1, 100, 4095, 4096, 8191, 20000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(offsets); j++) {
			size_t length = lengths[i], offset = offsets[j];

			ASSERT_EQ(0, ftruncate(self->fd, 0));
			ASSERT_EQ(0, ftruncate(self->fd, self->size));
		SETTLE();
			ASSERT_EQ((ssize_t)length, pwrite(self->fd, self->data,
							  length, offset));
			SETTLE();
			ASSERT_EQ((ssize_t)self->size,
				  pread(self->fd, self->buffer, self->size, 0));
			/* What is around it is as it was. */
			ASSERT_TRUE(all_bytes(self->buffer, offset, 0));
			ASSERT_EQ(0, memcmp(self->buffer + offset, self->data,
					    length));
			ASSERT_TRUE(all_bytes(self->buffer + offset + length,
					      self->size - offset - length, 0));
		}
	}
}

TEST_F(io, partial_writes_keep_the_rest_of_a_page)
{
	ASSERT_EQ((ssize_t)self->size, pwrite(self->fd, self->data, self->size,
					      0));
	SETTLE();
	ASSERT_EQ(3, pwrite(self->fd, "abc", 3, 5000));
	SETTLE();
	memcpy(self->data + 5000, "abc", 3);
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
}

TEST_F(io, position_moves_with_read_and_write)
{
	EXPECT_EQ(5, write(self->fd, "hello", 5));
	EXPECT_EQ(5, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(5, write(self->fd, "world", 5));
	EXPECT_EQ(2, lseek(self->fd, 2, SEEK_SET));
	EXPECT_EQ(6, read(self->fd, self->buffer, 6));
	EXPECT_EQ(0, memcmp(self->buffer, "llowor", 6));
	EXPECT_EQ(8, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(1, pread(self->fd, self->buffer, 1, 100));
	EXPECT_EQ(8, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(io, vectors_are_gathered_and_scattered)
{
	struct iovec out[] = {
		{ self->data, 3000 }, { self->data + 3000, 0 },
		{ self->data + 3000, 7000 }, { self->data + 10000, 1 },
	};
	struct iovec in[] = {
		{ self->buffer, 1 }, { self->buffer + 1, 9000 },
		{ self->buffer + 9001, 1000 },
	};

	EXPECT_EQ(10001, pwritev(self->fd, out, ARRAY_SIZE(out), 4000));
	SETTLE();
	EXPECT_EQ(10001, preadv(self->fd, in, ARRAY_SIZE(in), 4000));
	EXPECT_EQ(0, memcmp(self->data, self->buffer, 10001));
	EXPECT_EQ(10001, writev(self->fd, out, ARRAY_SIZE(out)));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	memset(self->buffer, POISON, self->size);
	EXPECT_EQ(10001, readv(self->fd, in, ARRAY_SIZE(in)));
	EXPECT_EQ(0, memcmp(self->data, self->buffer, 10001));
}

TEST_F(io, append_mode_writes_at_the_end)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(EFBIG, errno);
	ASSERT_EQ(0, ftruncate(fd, 10));
	EXPECT_EQ(3, write(fd, "abc", 3));
	EXPECT_EQ(3, pread(fd, self->buffer, 10, 10));
	EXPECT_EQ(0, memcmp(self->buffer, "abc", 3));
	close(fd);
}

TEST_F(io, nothing_to_move_is_no_error)
{
	EXPECT_EQ(0, write(self->fd, self->data, 0));
	EXPECT_EQ(0, read(self->fd, self->buffer, 0));
	EXPECT_EQ(0, pwrite(self->fd, self->data, 0, self->size));
	EXPECT_EQ(0, pread(self->fd, self->buffer, 0, self->size + 1));
}

TEST_F(io, bad_buffers_fail)
{
	char *hole = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t ret;

	ASSERT_NE(MAP_FAILED, hole);
	ASSERT_EQ(0, munmap(hole + page_size(), page_size()));
	memset(hole, 'h', page_size());
	self->map[0] = 'm';
	SETTLE();

	EXPECT_EQ(-1, pread(self->fd, hole + page_size(), 10, 0));
	EXPECT_EQ(EFAULT, errno);
	/* A part of the object that nobody touched. */
	EXPECT_EQ(-1, pread(self->fd, hole + page_size(), 10, 8192));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(self->fd, hole + page_size(), 10, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ('m', self->map[0]);
	/* Up to the hole it works. */
	EXPECT_EQ(100, pwrite(self->fd, hole + page_size() - 100, 200, 4096));
	EXPECT_TRUE(all_bytes(self->map + 4096, 100, 'h'));
	EXPECT_TRUE(all_bytes(self->map + 4196, 100, 0));
	EXPECT_EQ(100, pread(self->fd, hole + page_size() - 100, 200, 4096));
	EXPECT_TRUE(all_bytes(hole + page_size() - 100, 100, 'h'));
	/* The kernel clears user memory in words: a few bytes may be missing. */
	ret = pread(self->fd, hole + page_size() - 100, 200, 8192);
	ASSERT_LT(0, ret);
	ASSERT_GE(100, ret);
	EXPECT_TRUE(all_bytes(hole + page_size() - 100, ret, 0));
	/* Of a page that was to be written as a whole, the rest is as it was. */
	memset(self->map + 4096, 'm', page_size());
	memset(hole, 'h', page_size());
	SETTLE();
	EXPECT_EQ(100, pwrite(self->fd, hole + page_size() - 100, page_size(),
			      4096));
	EXPECT_TRUE(all_bytes(self->map + 4096, 100, 'h'));
	EXPECT_TRUE(all_bytes(self->map + 4196, page_size() - 100, 'm'));
	munmap(hole, page_size());
}

/* The source is the page that is being written. */
TEST_F(io, object_can_be_copied_onto_itself)
{
	memcpy(self->map, self->data, self->size);
	SETTLE();
	EXPECT_EQ(4096, pwrite(self->fd, self->map, 4096, 0));
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	EXPECT_EQ(4096, pwrite(self->fd, self->map + 4096, 4096, 8192));
	memmove(self->data + 8192, self->data + 4096, 4096);
	SETTLE();
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	/* Into a mapping of itself, of a page that nobody touched. */
	ASSERT_EQ(0, ftruncate(self->fd, 4096));
	ASSERT_EQ(0, ftruncate(self->fd, self->size));
	EXPECT_EQ(4096, pread(self->fd, self->map + 8192, 4096, 0));
	EXPECT_EQ(0, memcmp(self->map + 8192, self->data, 4096));
	/* From and to pages that do not exist yet. */
	EXPECT_EQ(4096, pwrite(self->fd, self->map + 12288, 4096, 16384));
	EXPECT_TRUE(all_bytes(self->map + 12288, 8192, 0));
}

/* Whatever lies behind the end is gone for good. */
TEST_F(io, tail_is_zero_after_shrink_and_grow)
{
	static const size_t sizes[] = { 1, 100, 4095, 4096, 4097, 10000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(self->map, 'x', self->size);
	SETTLE();
		SETTLE();
		ASSERT_EQ(0, ftruncate(self->fd, sizes[i]));
		SETTLE();
		ASSERT_EQ(0, ftruncate(self->fd, self->size));
		EXPECT_TRUE(all_bytes(self->map, sizes[i], 'x'));
		EXPECT_TRUE(all_bytes(self->map + sizes[i],
				      self->size - sizes[i], 0))
			TH_LOG("size %zu", sizes[i]);
	}
}

/* A mapping reaches behind the end, within the last page. */
TEST_F(io, bytes_written_behind_the_end_never_become_contents)
{
	memset(self->map, 'x', 4096);
	SETTLE();
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	memset(self->map, 'y', 4096);
	SETTLE();
	ASSERT_EQ(0, ftruncate(self->fd, 5000));
	EXPECT_TRUE(all_bytes(self->map, 100, 'y'));
	EXPECT_TRUE(all_bytes(self->map + 100, 4900, 0));

	/* Growing by a write. */
	memset(self->map, 'x', 4096);
	SETTLE();
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	memset(self->map, 'y', 4096);
	SETTLE();
	ASSERT_EQ(1, pwrite(self->fd, "z", 1, 2000));
	EXPECT_TRUE(all_bytes(self->map + 100, 1900, 0));
	EXPECT_EQ('z', self->map[2000]);

	/* And by one that begins exactly at the end. */
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	memset(self->map, 'y', 4096);
	SETTLE();
	ASSERT_EQ(1, pwrite(self->fd, "z", 1, 100));
	ASSERT_EQ(0, ftruncate(self->fd, 4096));
	EXPECT_TRUE(all_bytes(self->map + 101, 3995, 0));

	/* Mapped only after it shrank, to a page nobody touched. */
	ASSERT_EQ(0, ftruncate(self->fd, 0));
	ASSERT_EQ(0, ftruncate(self->fd, 4096 + 10));
	self->map[4096 + 20] = 'y';
	ASSERT_EQ(0, ftruncate(self->fd, self->size));
	EXPECT_EQ(0, self->map[4096 + 20]);
}

/* The last page can be mapped beyond the end of the object. */
TEST_F(io, bytes_cut_off_do_not_show_in_a_mapping)
{
	memset(self->map, 'x', self->size);
	SETTLE();
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	SETTLE();
	EXPECT_TRUE(all_bytes(self->map, 100, 'x'));
	EXPECT_TRUE(all_bytes(self->map + 100, 3996, 0));
}

TEST_F(io, failed_write_behind_the_end_changes_nothing)
{
	struct defpager_object_info info;
	char *nothing = mmap(NULL, page_size(), PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;

	ASSERT_NE(MAP_FAILED, nothing);
	memset(self->map, 'x', 4096);
	SETTLE();
	ASSERT_EQ(0, ftruncate(self->fd, 100));
	EXPECT_EQ(-1, pwrite(self->fd, nothing, 10, 9000));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(self->fd, nothing, 10, 100));
	EXPECT_EQ(EFAULT, errno);
	munmap(nothing, page_size());
	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(100, st.st_size);
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(page_size(), info.reserved_bytes);
	EXPECT_TRUE(all_bytes(self->map, 100, 'x'));
}

TEST_F(io, shrink_gives_space_back)
{
	struct defpager_object_info info;

	memset(self->map, 'x', self->size);
	ASSERT_EQ(0, ftruncate(self->fd, 2 * page_size() + 1));
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(3 * page_size(), info.reserved_bytes);
	EXPECT_EQ(3 * page_size(), info.resident_bytes);
	EXPECT_EQ(2 * page_size() + 1, info.current_size);
	EXPECT_TRUE(read_is_sigbus(self->map + 3 * page_size()));
}

TEST_F(io, private_copies_behind_the_end_are_gone)
{
	char *private = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	private[3 * page_size()] = 'p';
	ASSERT_EQ(0, ftruncate(self->fd, page_size()));
	EXPECT_TRUE(read_is_sigbus(private + 3 * page_size()));
	munmap(private, self->size);
}

TEST_F(io, seek_finds_data_and_holes)
{
	off_t page = page_size(), size = self->size;

	/* Nothing was touched: all is one hole. */
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_HOLE));
	EXPECT_EQ(100, lseek(self->fd, 100, SEEK_HOLE));
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(ENXIO, errno);

	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 2 * page + 5));
	SETTLE();
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 3 * page));
	ASSERT_EQ(1, pwrite(self->fd, "x", 1, size - 1));
	SETTLE();
	EXPECT_EQ(2 * page, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(2 * page, lseek(self->fd, 2 * page, SEEK_DATA));
	EXPECT_EQ(2 * page + 9, lseek(self->fd, 2 * page + 9, SEEK_DATA));
	EXPECT_EQ(4 * page, lseek(self->fd, 2 * page, SEEK_HOLE));
	EXPECT_EQ(4 * page, lseek(self->fd, 2 * page + 9, SEEK_HOLE));
	EXPECT_EQ(size - page, lseek(self->fd, 4 * page, SEEK_DATA));
	/* There is always a hole at the end. */
	EXPECT_EQ(size, lseek(self->fd, size - page, SEEK_HOLE));
	EXPECT_EQ(size, lseek(self->fd, size - 1, SEEK_HOLE));
	EXPECT_EQ(1, lseek(self->fd, 1, SEEK_HOLE));

	EXPECT_EQ(-1, lseek(self->fd, size, SEEK_DATA));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-1, lseek(self->fd, size, SEEK_HOLE));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_DATA));
	EXPECT_EQ(ENXIO, errno);
}

TEST_F(io, seek_does_not_see_behind_the_end)
{
	off_t page = page_size();

	ASSERT_EQ(1, pwrite(self->fd, "x", 1, 2 * page + 5));
	SETTLE();
	ASSERT_EQ(0, ftruncate(self->fd, 2 * page + 1));
	EXPECT_EQ(2 * page, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(2 * page + 1, lseek(self->fd, 2 * page, SEEK_HOLE));
	ASSERT_EQ(0, ftruncate(self->fd, 2 * page));
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_DATA));
	EXPECT_EQ(ENXIO, errno);
}

/* More than a pipe holds at a time, from an offset within a page. */
TEST_F(io, splice_moves_data_out)
{
	const size_t length = 5 * page_size() + 777;
	loff_t offset = 1234;
	size_t done = 0;
	int pipes[2];

	memcpy(self->map, self->data, self->size);
	SETTLE();
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	while (done < length) {
		ssize_t moved = splice(self->fd, &offset, pipes[1], NULL,
				       length - done, 0);

		ASSERT_LT(0, moved);
		ASSERT_EQ(moved, read(pipes[0], self->buffer + done, moved));
		done += moved;
	}
	SETTLE();
	EXPECT_EQ(0, memcmp(self->buffer, self->data + 1234, length));
	offset = self->size;
	EXPECT_EQ(0, splice(self->fd, &offset, pipes[1], NULL, 1, 0));
	close(pipes[0]);
	close(pipes[1]);
}

/* Pages that nobody touched are zeros in a pipe, too. */
TEST_F(io, splice_of_a_hole_moves_zeros)
{
	struct defpager_object_info info;
	loff_t offset = page_size();
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	self->map[0] = 'x';
	ASSERT_EQ(4096, splice(self->fd, &offset, pipes[1], NULL, 4096, 0));
	ASSERT_EQ(4096, read(pipes[0], self->buffer, 4096));
	EXPECT_TRUE(all_bytes(self->buffer, 4096, 0));
	/* And are none in memory, nor on storage. */
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(page_size(), info.resident_bytes);
	EXPECT_EQ(page_size(), info.reserved_bytes);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(io, splice_moves_data_in)
{
	loff_t offset = 4000;
	int pipes[2];

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(10000, write(pipes[1], self->data, 10000));
	for (size_t done = 0; done < 10000;) {
		ssize_t moved = splice(pipes[0], NULL, self->fd, &offset,
				       10000 - done, 0);

		ASSERT_LT(0, moved);
		done += moved;
	}
	EXPECT_EQ(0, memcmp(self->map + 4000, self->data, 10000));
	EXPECT_TRUE(all_bytes(self->map, 4000, 0));
	/* Not behind the end. */
	ASSERT_EQ(10, write(pipes[1], self->data, 10));
	offset = self->size;
	EXPECT_EQ(-1, splice(pipes[0], NULL, self->fd, &offset, 10, 0));
	EXPECT_EQ(EFBIG, errno);
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(io, sendfile_copies_in_and_out)
{
	int file = memfd_create("copy", MFD_CLOEXEC);
	off_t offset = 0;

	ASSERT_LE(0, file);
	memcpy(self->map, self->data, self->size);
	SETTLE();
	for (size_t done = 0; done < self->size;) {
		ssize_t moved = sendfile(file, self->fd, &offset,
					 self->size - done);

		ASSERT_LT(0, moved);
		done += moved;
	}
	ASSERT_EQ((ssize_t)self->size, pread(file, self->buffer, self->size, 0));
	EXPECT_EQ(0, memcmp(self->buffer, self->data, self->size));

	memset(self->map, 0, self->size);
	offset = 0;
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	for (size_t done = 0; done < self->size;) {
		ssize_t moved = sendfile(self->fd, file, &offset,
					 self->size - done);

		ASSERT_LT(0, moved);
		done += moved;
	}
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	close(file);
}

TEST_F(io, vmsplice_from_a_mapping_works)
{
	struct iovec iov = { self->map, 4096 };
	int pipes[2];

	memcpy(self->map, self->data, self->size);
	SETTLE();
	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(4096, vmsplice(pipes[1], &iov, 1, 0));
	ASSERT_EQ(4096, read(pipes[0], self->buffer, 4096));
	EXPECT_EQ(0, memcmp(self->buffer, self->data, 4096));
	close(pipes[0]);
	close(pipes[1]);
}

TEST_F(io, sync_has_nothing_to_do)
{
	memcpy(self->map, self->data, self->size);
	SETTLE();
	EXPECT_EQ(0, fsync(self->fd));
	EXPECT_EQ(0, fdatasync(self->fd));
	EXPECT_EQ(0, msync(self->map, self->size, MS_SYNC));
	EXPECT_EQ(0, msync(self->map, self->size, MS_ASYNC));
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
}

/* Nothing that is allowed to drop clean pages may take these. */
TEST_F(io, advice_to_drop_loses_nothing)
{
	memcpy(self->map, self->data, self->size);
	SETTLE();
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	EXPECT_EQ(0, madvise(self->map, self->size, MADV_DONTNEED));
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	EXPECT_EQ(0, madvise(self->map, self->size, MADV_COLD));
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	EXPECT_EQ((ssize_t)self->size, pread(self->fd, self->buffer, self->size,
					     0));
	EXPECT_EQ(0, memcmp(self->buffer, self->data, self->size));
}

TEST_F(io, times_change_with_the_contents)
{
	struct stat before, after;

	ASSERT_EQ(0, fstat(self->fd, &before));
	/* The clock of inodes ticks. */
	ASSERT_TRUE(wait_until(pwrite(self->fd, "x", 1, 0) == 1 &&
			       !fstat(self->fd, &after) &&
			       (after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
				after.st_mtim.tv_nsec != before.st_mtim.tv_nsec)));
	EXPECT_EQ(after.st_mtim.tv_nsec, after.st_ctim.tv_nsec);
}

/* Full: the write is short, or fails; what was there is still there. */
TEST_F(io, full_store_fails_without_harm)
{
	struct defpager_info info;
	char *block = malloc(MIB(1));
	ssize_t ret = 0;
	off_t offset = 0;
	int fd;

	ASSERT_EQ(0, pager_info(self->pager, &info));
	if (info.free_bytes > MIB(64))
		SKIP(return, "there is too much space to fill");
	memcpy(self->map, self->data, self->size);
	SETTLE();
	memset(block, 'x', MIB(1));
	fd = object_create(self->pager, GIB(1));
	ASSERT_LE(0, fd);
	while ((ret = pwrite(fd, block, MIB(1), offset)) > 0)
		offset += ret;
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(ENOSPC, errno);
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(0, info.free_bytes);
	EXPECT_EQ(info.total_bytes, info.reserved_bytes + info.bad_bytes);
	/* Pages that exist can still be written. */
	EXPECT_EQ(3, pwrite(fd, "abc", 3, 0));
	EXPECT_EQ(0, memcmp(self->map, self->data, self->size));
	self->map[0]++;
	/* And so can new ones as soon as there is room. */
	ASSERT_EQ(0, ftruncate(fd, offset - MIB(1)));
	EXPECT_EQ(1, pwrite(fd, "x", 1, offset));
	close(fd);
	free(block);
}

/* Up to the very last byte there can be. */
TEST_F(io, largest_object_works)
{
	struct defpager_object_info row;
	struct defpager_info info;
	struct stat st;
	off_t last;
	char *map;
	int fd;

	ASSERT_EQ(0, pager_info(self->pager, &info));
	fd = object_create(self->pager, info.max_object_size);
	ASSERT_LE(0, fd);
	last = info.max_object_size - 1;
	ASSERT_EQ(1, pwrite(fd, "x", 1, last));
	EXPECT_EQ(1, pread(fd, self->buffer, 1, last));
	EXPECT_EQ('x', self->buffer[0]);
	EXPECT_EQ(last, lseek(fd, last, SEEK_DATA));
	EXPECT_EQ((off_t)(last & -page_size()), lseek(fd, 0, SEEK_DATA));
	EXPECT_EQ(last + 1, lseek(fd, last, SEEK_HOLE));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(last + 1, st.st_size);
	ASSERT_EQ(0, object_info(fd, &row));
	EXPECT_EQ(page_size(), row.reserved_bytes);
	map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   last & -page_size());
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ('x', map[last % page_size()]);
	munmap(map, page_size());
	ASSERT_EQ(0, ftruncate(fd, last));
	ASSERT_EQ(0, ftruncate(fd, 1));
	ASSERT_EQ(0, object_info(fd, &row));
	EXPECT_EQ(0, row.reserved_bytes);
	close(fd);
}

TEST_HARNESS_MAIN
