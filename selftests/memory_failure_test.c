// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that fails: what was in a page and nowhere else is lost for good, and
 * reading it is an error; what is on storage too is read from there. Nothing
 * is ever zero, or what it was some time ago, without having been written so.
 */
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <pthread.h>

#include "contract_utils.h"
#include "dm_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#define PAGES	16
#define VICTIM	5

#ifndef MADV_HWPOISON
#define MADV_HWPOISON 100
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

static size_t pages(size_t nr)
{
	return nr * page_size();
}

static char content(size_t page)
{
	return 'a' + page;
}

/*
 * Lets the memory of a page fail. Who has it mapped gets a SIGBUS, as who had
 * tried to read it would.
 */
static int poison(char *address)
{
	struct sigaction action = { .sa_handler = on_sigbus }, saved;
	volatile int ret = 0;

	sigaction(SIGBUS, &action, &saved);
	if (!sigsetjmp(bus_error, 1) &&
	    madvise(address, page_size(), MADV_HWPOISON))
		ret = -errno;
	sigaction(SIGBUS, &saved, NULL);
	return ret;
}

static int soft_offline(char *address)
{
	return madvise(address, page_size(), MADV_SOFT_OFFLINE) ? -errno : 0;
}

static bool memory_can_fail(void)
{
	char *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret = madvise(page, 0, MADV_HWPOISON);

	munmap(page, page_size());
	return !ret;
}

/* An object with content, in a store whose device can be stopped. */
FIXTURE(failure)
{
	int pager;
	int store;
	int fd;
	char *map;
	char dm[32];
	bool suspended;
};

FIXTURE_SETUP(failure)
{
	int loop, device;

	if (!memory_can_fail())
		SKIP(_exit(KSFT_SKIPPED),
		     "this kernel has no memory failure handling");
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	snprintf(self->dm, sizeof(self->dm), "failure-%d", getpid());
	loop = loop_create(MIB(1), 4096, 0);
	ASSERT_LE(0, loop);
	device = dm_create(self->dm, loop, MIB(1));
	ASSERT_LE(0, device);
	self->store = store_create(self->pager, self->dm, 0, 0,
				   DEFPAGER_STORE_EXCLUSIVE);
	ASSERT_LE(0, self->store);
	ASSERT_EQ(0, segment_add(self->store, device, 0, 256, 4096));
	close(device);
	close(loop);

	self->fd = object_create_with(self->pager, self->store, pages(PAGES), 0);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, pages(PAGES), PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	for (size_t i = 0; i < PAGES; i++)
		memset(self->map + pages(i), content(i), page_size());
}

FIXTURE_TEARDOWN(failure)
{
	if (self->suspended)
		dm_suspend(self->dm, false);
	munmap(self->map, pages(PAGES));
	close(self->fd);
	EXPECT_EQ(0, private_store_delete(self->store));
	EXPECT_EQ(0, dm_remove(self->dm));
	close(self->pager);
}

/* Through the mapping it had, which has an end where the page failed. */
static char *victim(const FIXTURE_DATA(failure) *self)
{
	return self->map + pages(VICTIM);
}

/* Maps it all anew: what is found is in the object, not in page tables. */
static char *map_again(struct __test_metadata *_metadata,
		       FIXTURE_DATA(failure) *self)
{
	ASSERT_EQ(0, munmap(self->map, pages(PAGES)));
	self->map = mmap(NULL, pages(PAGES), PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	return self->map;
}

static void expect_others_intact(struct __test_metadata *_metadata,
				 FIXTURE_DATA(failure) *self)
{
	for (size_t i = 0; i < PAGES; i++)
		if (i != VICTIM)
			EXPECT_TRUE(all_bytes(self->map + pages(i),
					      page_size(), content(i)));
}

static void expect_lost(struct __test_metadata *_metadata,
			FIXTURE_DATA(failure) *self)
{
	struct defpager_object_info info;
	char byte;

	map_again(_metadata, self);
	EXPECT_TRUE(read_is_sigbus(victim(self)));
	EXPECT_TRUE(write_is_sigbus(victim(self) + 1));
	EXPECT_EQ(-1, pread(self->fd, &byte, 1, pages(VICTIM)));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(self->fd, "x", 1, pages(VICTIM)));
	EXPECT_EQ(EIO, errno);
	expect_others_intact(_metadata, self);
	/* It does not matter what reclaim does meanwhile. */
	EXPECT_TRUE(object_out(self->fd, 0, pages(VICTIM)));
	EXPECT_TRUE(object_out(self->fd, pages(VICTIM + 1), 0));
	EXPECT_TRUE(read_is_sigbus(victim(self)));
	EXPECT_EQ(-1, pread(self->fd, &byte, 1, pages(VICTIM)));
	EXPECT_EQ(EIO, errno);
	expect_others_intact(_metadata, self);
	/* Its space stays promised, its slot is free. */
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(pages(PAGES), info.reserved_bytes);
	EXPECT_EQ(info.stored_bytes, store_used(self->store));
	EXPECT_GE(pages(PAGES - 1), info.stored_bytes);
}

static void expect_intact(struct __test_metadata *_metadata,
			  FIXTURE_DATA(failure) *self, char byte)
{
	char *page = malloc(page_size());

	map_again(_metadata, self);
	EXPECT_TRUE(all_bytes(victim(self), page_size(), byte));
	EXPECT_EQ((ssize_t)page_size(), pread(self->fd, page, page_size(),
					      pages(VICTIM)));
	EXPECT_TRUE(all_bytes(page, page_size(), byte));
	expect_others_intact(_metadata, self);
	/* Nor has it become a page that is dropped without being written. */
	victim(self)[1] = '!';
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(byte, victim(self)[0]);
	EXPECT_EQ('!', victim(self)[1]);
	expect_others_intact(_metadata, self);
	free(page);
}

TEST_F(failure, never_written_out)
{
	ASSERT_EQ(0, poison(victim(self)));
	EXPECT_TRUE(read_is_sigbus(victim(self)));
	expect_lost(_metadata, self);
}

TEST_F(failure, newer_than_its_slot)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	*victim(self) = 'z';
	ASSERT_EQ(0, poison(victim(self)));
	expect_lost(_metadata, self);
}

TEST_F(failure, newer_by_a_write)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(1, pwrite(self->fd, "z", 1, pages(VICTIM)));
	ASSERT_EQ(content(VICTIM), victim(self)[1]);
	ASSERT_EQ(0, poison(victim(self)));
	expect_lost(_metadata, self);
}

/* A page that was read is mapped writable: only the page table knows more. */
TEST_F(failure, newer_as_the_page_table_knows)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(content(VICTIM), *victim(self));
	*victim(self) = 'z';
	ASSERT_EQ(0, poison(victim(self)));
	expect_lost(_metadata, self);
}

/* A page that was all zero has no slot, and is not a hole either. */
TEST_F(failure, newer_than_its_zeros)
{
	memset(victim(self), 0, page_size());
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	*victim(self) = 'z';
	ASSERT_EQ(0, poison(victim(self)));
	expect_lost(_metadata, self);
}

TEST_F(failure, same_as_its_slot)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(content(VICTIM), *victim(self));
	ASSERT_EQ(0, poison(victim(self)));
	/* Who had it mapped is told all the same. */
	EXPECT_TRUE(read_is_sigbus(victim(self)));
	expect_intact(_metadata, self, content(VICTIM));
}

TEST_F(failure, same_as_its_slot_and_in_memory_since)
{
	struct defpager_object_pageout arg;

	/* Written while it was locked in memory, where it stayed. */
	ASSERT_EQ(0, object_pageout(self->fd, DEFPAGER_PAGEOUT_OUT, 0, 0,
				    &arg));
	ASSERT_TRUE(wait_until(object_stored(self->fd) == pages(PAGES)));
	/* When another one is out, nobody is at work on this one any more. */
	ASSERT_TRUE(object_out(self->fd, 0, page_size()));
	ASSERT_LE(page_size(), object_resident(self->fd));
	ASSERT_EQ(content(VICTIM), *victim(self));
	ASSERT_EQ(0, poison(victim(self)));
	expect_intact(_metadata, self, content(VICTIM));
}

TEST_F(failure, all_zero)
{
	memset(victim(self), 0, page_size());
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, *victim(self));
	ASSERT_EQ(0, poison(victim(self)));
	expect_intact(_metadata, self, 0);
}

TEST_F(failure, hole)
{
	ASSERT_EQ(0, madvise(victim(self), page_size(), MADV_REMOVE));
	ASSERT_EQ(0, *victim(self));
	ASSERT_EQ(0, poison(victim(self)));
	expect_intact(_metadata, self, 0);
}

TEST_F(failure, private_copy_is_another_matter)
{
	char *copy = mmap(NULL, pages(PAGES), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, copy);
	copy[pages(VICTIM)] = 'y';
	copy[pages(VICTIM + 1)] = 'y';
	ASSERT_EQ(0, poison(victim(self)));
	EXPECT_EQ('y', copy[pages(VICTIM)]);
	expect_lost(_metadata, self);
	ASSERT_EQ(0, poison(copy + pages(VICTIM + 1)));
	expect_lost(_metadata, self);
	munmap(copy, pages(PAGES));
}

/* --- what makes a loss good ----------------------------------------------- */

TEST_F(failure, whole_write_makes_it_good)
{
	char *page = malloc(page_size());

	ASSERT_EQ(0, poison(victim(self)));
	expect_lost(_metadata, self);
	memset(page, 'n', page_size());
	ASSERT_EQ((ssize_t)page_size(), pwrite(self->fd, page, page_size(),
					       pages(VICTIM)));
	expect_intact(_metadata, self, 'n');
	free(page);
}

TEST_F(failure, hole_makes_it_good)
{
	ASSERT_EQ(0, poison(victim(self)));
	/* Part of it is not enough. */
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, pages(VICTIM) + 1, 100));
	expect_lost(_metadata, self);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, pages(VICTIM),
			       page_size()));
	expect_intact(_metadata, self, 0);
}

TEST_F(failure, zero_range_makes_it_good)
{
	ASSERT_EQ(0, poison(victim(self)));
	expect_lost(_metadata, self);
	ASSERT_EQ(0, fallocate(self->fd, 0, 0, pages(PAGES)));
	expect_lost(_metadata, self);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_ZERO_RANGE, pages(VICTIM),
			       page_size()));
	expect_intact(_metadata, self, 0);
}

TEST_F(failure, truncation_makes_it_good)
{
	ASSERT_EQ(0, poison(victim(self)));
	ASSERT_EQ(0, ftruncate(self->fd, pages(VICTIM) + 10));
	ASSERT_EQ(0, ftruncate(self->fd, pages(PAGES)));
	map_again(_metadata, self);
	/* Of the page that is cut, what is left is still lost. */
	EXPECT_TRUE(read_is_sigbus(victim(self)));
	ASSERT_EQ(0, ftruncate(self->fd, pages(VICTIM)));
	ASSERT_EQ(0, ftruncate(self->fd, pages(PAGES)));
	EXPECT_EQ(0, *victim(self));
	EXPECT_EQ(0, self->map[pages(PAGES - 1)]);
	EXPECT_EQ(content(VICTIM - 1), self->map[pages(VICTIM) - 1]);
}

TEST_F(failure, pages_are_listed_as_lost)
{
	struct defpager_page_range row;
	uint64_t start = pages(VICTIM);

	ASSERT_EQ(0, poison(victim(self)));
	ASSERT_EQ(1, list_rows(self->fd, DEFPAGER_IOC_OBJECT_PAGES, &start,
			       &row, sizeof(row), 1));
	EXPECT_EQ(pages(VICTIM), row.offset);
	EXPECT_EQ(page_size(), row.length);
	EXPECT_EQ(DEFPAGER_PAGE_LOST, row.flags);
}

/* --- while I/O is on its way ---------------------------------------------- */

struct poisoner {
	char *address;
	pid_t tid;
	int ret;
};

static void *poison_thread(void *arg)
{
	struct poisoner *poisoner = arg;

	__atomic_store_n(&poisoner->tid, syscall(SYS_gettid),
			 __ATOMIC_RELEASE);
	poisoner->ret = poison(poisoner->address);
	return NULL;
}

/*
 * Begins to write the object out, to a device that does not answer; lets the
 * victim fail, which waits for the write; then the device answers.
 */
static void poison_under_writeback(struct __test_metadata *_metadata,
				   FIXTURE_DATA(failure) *self, bool change)
{
	struct poisoner poisoner = { .address = victim(self) };
	struct defpager_object_pageout arg;
	pthread_t thread;

	ASSERT_EQ(0, dm_suspend(self->dm, true));
	self->suspended = true;
	ASSERT_EQ(0, object_pageout(self->fd, DEFPAGER_PAGEOUT_OUT, 0, 0,
				    &arg));
	/* Not marked any more, so on their way. */
	ASSERT_TRUE(wait_until(!object_pageout(self->fd, DEFPAGER_PAGEOUT_IN, 0,
					       0, &arg) && !arg.dirty_bytes));
	EXPECT_EQ(pages(PAGES), arg.resident_bytes);
	EXPECT_EQ(content(VICTIM), *victim(self));
	if (change)
		memset(victim(self), 'z', page_size());

	ASSERT_EQ(0, pthread_create(&thread, NULL, poison_thread, &poisoner));
	ASSERT_TRUE(wait_until(__atomic_load_n(&poisoner.tid,
					       __ATOMIC_ACQUIRE) &&
			       in_disk_sleep(poisoner.tid)));
	ASSERT_EQ(0, dm_suspend(self->dm, false));
	self->suspended = false;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, poisoner.ret);
}

TEST_F(failure, under_writeback)
{
	poison_under_writeback(_metadata, self, false);
	expect_intact(_metadata, self, content(VICTIM));
}

TEST_F(failure, under_writeback_and_changed)
{
	poison_under_writeback(_metadata, self, true);
	expect_lost(_metadata, self);
}

/* When it returns, the page is the device's, whenever that will read. */
static int read_begin(aio_context_t *context, int device, char *page)
{
	struct iocb read = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = device,
		.aio_buf = (uintptr_t)page,
		.aio_nbytes = page_size(),
	}, *reads = &read;

	if (syscall(SYS_io_setup, 1, context))
		return -errno;
	return syscall(SYS_io_submit, *context, 1, &reads) == 1 ? 0 : -errno;
}

static int64_t read_end(aio_context_t context)
{
	struct io_event event;

	if (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1 ||
	    syscall(SYS_io_destroy, context))
		return -errno;
	return event.res;
}

/* Bytes that stay in memory when all are paged out. */
static uint64_t resident_after_out(int fd)
{
	struct defpager_object_pageout arg;

	if (object_pageout(fd, DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_WAIT, 0,
			   0, &arg))
		return 0;
	return arg.resident_bytes;
}

/*
 * A device is to write to the page, and will have done so when it has failed:
 * what storage has is out of date then, though nobody has said so yet.
 */
TEST_F(failure, buffer_of_direct_io)
{
	char name[48], path[PATH_MAX];
	aio_context_t context = 0;
	int loop, device, direct;

	ASSERT_TRUE(object_out(self->fd, 0, 0));
	EXPECT_EQ(content(VICTIM), *victim(self));
	snprintf(name, sizeof(name), "%s-input", self->dm);
	loop = loop_create(MIB(1), 4096, 0);
	ASSERT_LE(0, loop);
	device = dm_create(name, loop, MIB(1));
	ASSERT_LE(0, device);
	direct = open(fd_path(device, path), O_RDONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, direct);
	ASSERT_EQ(0, dm_suspend(name, true));
	ASSERT_EQ(0, read_begin(&context, direct, victim(self)));
	/* It holds the page, which paging out would need. */
	EXPECT_TRUE(wait_until(resident_after_out(self->fd) == page_size()));
	/* EBUSY: not all was as it should be. */
	EXPECT_LE(poison(victim(self)), 0);
	ASSERT_EQ(0, dm_suspend(name, false));
	EXPECT_EQ(page_size(), read_end(context));
	expect_lost(_metadata, self);
	close(direct);
	close(device);
	close(loop);
	EXPECT_EQ(0, dm_remove(name));
}

/* --- memory that has not failed yet --------------------------------------- */

static void expect_offlined(struct __test_metadata *_metadata,
			    FIXTURE_DATA(failure) *self, char byte)
{
	/* EBUSY: somebody had it in hand. */
	ASSERT_TRUE(wait_until(soft_offline(victim(self)) != -EBUSY));
	/* Nobody notices. */
	EXPECT_TRUE(all_bytes(victim(self), page_size(), byte));
	expect_intact(_metadata, self, byte);
}

TEST_F(failure, soft_offline_of_a_changed_page)
{
	expect_offlined(_metadata, self, content(VICTIM));
}

TEST_F(failure, soft_offline_of_a_newer_page)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(content(VICTIM), *victim(self));
	memset(victim(self), 'z', page_size());
	expect_offlined(_metadata, self, 'z');
}

TEST_F(failure, soft_offline_of_an_unchanged_page)
{
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(content(VICTIM), *victim(self));
	expect_offlined(_metadata, self, content(VICTIM));
}

TEST_HARNESS_MAIN
