// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that fail to read: which pages are an error, to whom, and for how
 * long; and what draining makes of them.
 *
 * Needs two disks that are all the tests'.
 */
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "contract_utils.h"
#include "faulty_utils.h"

#include "kselftest_harness.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define TIMEOUT 300
#define SEGMENT MIB(8)
#define SLOTS (SEGMENT / page_size())
#define OBJECT_PAGES 256

/* Pages that a drain moves together. */
#define DRAIN_RUN 64

FIXTURE(read_error)
{
	struct stores stores;
	struct faulty one;
	int store;
	uint64_t id;		/* of the segment on @one */
	struct memory memory;	/* confined to @store, and paged out */
	bool bad[OBJECT_PAGES];	/* cannot be read */
	uint64_t nr_bad;
};

/* Neighbours and single ones, the first one and the last. */
static bool chosen(uint64_t page)
{
	return page == 0 || page == 40 || page == 41 || page == 100 ||
	       (page >= 160 && page < 170) || page == OBJECT_PAGES - 1;
}

FIXTURE_SETUP(read_error)
{
	const char *missing = faulty_missing();
	uint64_t page;

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->one = faulty_new("one", 0, SEGMENT);
	self->store = store_new(&self->stores, "faulty", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_on(self->store, &self->one);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	for (page = 0; page < OBJECT_PAGES; page++) {
		self->bad[page] = chosen(page);
		self->nr_bad += chosen(page);
	}
}

FIXTURE_TEARDOWN(read_error)
{
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	faulty_remove(&self->one);
	stores_close(&self->stores);
}

/* Where the bad pages are, nothing can be read or written from now on. */
static void break_chosen(struct faulty *faulty, const struct memory *memory)
{
	struct defpager_page_range row;
	bool bad[SLOTS];
	uint64_t page;

	memset(bad, 0, sizeof(bad));
	for (page = 0; page < OBJECT_PAGES; page++) {
		row = page_place(memory, page);
		must(row.flags & DEFPAGER_PAGE_STORED);
		bad[row.device_offset / page_size()] = chosen(page);
	}
	faulty_break_pages(faulty, bad);
}

/* Through the mapping, each page; true if just the chosen ones are SIGBUS. */
static bool just_chosen_fault(const struct memory *memory)
{
	uint64_t page;
	bool error;

	for (page = 0; page < OBJECT_PAGES; page++) {
		if (page_is_there(memory, page, 1, &error) != !chosen(page) ||
		    error != chosen(page)) {
			fprintf(stderr, "# page %ju: %s\n", page,
				error ? "an error" : "no error");
			return false;
		}
	}
	return true;
}

/* --- Who sees it ------------------------------------------------------ */

TEST_F_TIMEOUT(read_error, fault_is_sigbus_for_just_the_pages, TIMEOUT)
{
	struct defpager_info before = totals(self->stores.pager);

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	EXPECT_EQ(self->nr_bad, totals(self->stores.pager).read_errors -
					before.read_errors);
	EXPECT_EQ(self->nr_bad,
		  segment_state(self->store, self->id).read_errors);
}

/* Neighbours come in one request with them. */
TEST_F_TIMEOUT(read_error, readahead_spares_the_neighbours, TIMEOUT)
{
	break_chosen(&self->one, &self->memory);
	ASSERT_EQ(0, madvise(self->memory.map, self->memory.size,
			     MADV_SEQUENTIAL));
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	EXPECT_EQ(self->nr_bad,
		  segment_state(self->store, self->id).read_errors);
}

TEST_F_TIMEOUT(read_error, read_is_eio_for_just_the_pages, TIMEOUT)
{
	char content[page_size()];
	uint64_t page;

	break_chosen(&self->one, &self->memory);
	for (page = 0; page < OBJECT_PAGES; page++) {
		errno = 0;
		if (chosen(page)) {
			ASSERT_EQ(-1, pread(self->memory.fd, content,
					    page_size(), PAGES(page)));
			ASSERT_EQ(EIO, errno);
			continue;
		}
		ASSERT_EQ(page_size(), pread(self->memory.fd, content,
					     page_size(), PAGES(page)));
		ASSERT_TRUE(verify_page(content, page, 1));
	}
	EXPECT_EQ(self->nr_bad,
		  segment_state(self->store, self->id).read_errors);
}

#define IN_WAIT (DEFPAGER_PAGEOUT_IN | DEFPAGER_PAGEOUT_WAIT)

/* Who asks for a range is told; what can be had is there all the same. */
TEST_F_TIMEOUT(read_error, page_in_tells_and_brings_the_others, TIMEOUT)
{
	struct defpager_object_pageout arg;
	uint64_t page;
	int i;

	break_chosen(&self->one, &self->memory);
	/* It is found out, and then it is known. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EIO, object_pageout(self->memory.fd, IN_WAIT, 0, 0,
					       &arg));
		for (page = 0; page < OBJECT_PAGES; page++)
			EXPECT_EQ(!chosen(page),
				  !!(page_place(&self->memory, page).flags &
				     DEFPAGER_PAGE_RESIDENT));
	}
	EXPECT_EQ(self->nr_bad,
		  segment_state(self->store, self->id).read_errors);
	EXPECT_EQ(0, object_pageout(self->memory.fd, IN_WAIT, PAGES(1),
				    PAGES(39), &arg));
	EXPECT_TRUE(just_chosen_fault(&self->memory));
}

static bool is_resident(const struct memory *memory, uint64_t page)
{
	return page_place(memory, page).flags & DEFPAGER_PAGE_RESIDENT;
}

static bool page_goes_out(const struct memory *memory, uint64_t page)
{
	return wait_until(!is_resident(memory, page) ||
			  (ask_to_evict(memory), false));
}

/*
 * Of ranges whose one edge can be read and whose other one cannot, nothing is
 * changed. First the tail is bad, then the head.
 */
TEST_F_TIMEOUT(read_error, edges_that_cannot_be_read_change_nothing, TIMEOUT)
{
	static const int modes[] = {
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	};
	int fd = self->memory.fd;

	break_chosen(&self->one, &self->memory);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		EXPECT_EQ(-1, fallocate(fd, modes[i], PAGES(38) + 100,
					PAGES(2)));
		EXPECT_EQ(EIO, errno);
		EXPECT_EQ(-1, fallocate(fd, modes[i], PAGES(41) + 100,
					PAGES(2)));
		EXPECT_EQ(EIO, errno);
	}
	EXPECT_TRUE(verify(&self->memory, 38, 2, 1));
	EXPECT_TRUE(verify(&self->memory, 42, 2, 1));
	EXPECT_EQ(PAGES(OBJECT_PAGES),
		  memory_info(&self->memory).reserved_bytes);
	/* Nobody has kept a reference to the edge that is good. */
	EXPECT_TRUE(page_goes_out(&self->memory, 38));
	EXPECT_TRUE(page_goes_out(&self->memory, 43));
}

/* What a failing segment said of a page is no longer true when it is back. */
TEST_F_TIMEOUT(read_error, ends_when_the_segment_comes_back, TIMEOUT)
{
	char content[page_size()];

	break_chosen(&self->one, &self->memory);
	ASSERT_TRUE(just_chosen_fault(&self->memory));
	faulty_break(&self->one);
	fill(&self->memory, 50, 40, 1);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	/* An error is no news of a page then, and not remembered. */
	ASSERT_TRUE(page_goes_out(&self->memory, 200));
	EXPECT_EQ(-1, pread(self->memory.fd, content, page_size(), PAGES(200)));
	EXPECT_EQ(EIO, errno);
	EXPECT_FALSE(page_place(&self->memory, 200).flags &
		     DEFPAGER_PAGE_UNREADABLE);
	faulty_heal(&self->one);
	ASSERT_TRUE(recovers(self->store, self->id));
	/* The chosen ones, too. */
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* A large read() gets what is before the error, and then the error. */
TEST_F_TIMEOUT(read_error, read_stops_before_the_error, TIMEOUT)
{
	char *content = malloc(PAGES(OBJECT_PAGES));
	uint64_t page;

	break_chosen(&self->one, &self->memory);
	ASSERT_EQ(PAGES(39), pread(self->memory.fd, content,
				   PAGES(OBJECT_PAGES), PAGES(1)));
	for (page = 1; page < 40; page++)
		EXPECT_TRUE(verify_page(content + PAGES(page - 1), page, 1));
	EXPECT_EQ(-1, pread(self->memory.fd, content, PAGES(2), PAGES(40)));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(PAGES(58), pread(self->memory.fd, content,
				   PAGES(OBJECT_PAGES), PAGES(42)));
	free(content);
}

TEST_F_TIMEOUT(read_error, sendfile_stops_before_the_error, TIMEOUT)
{
	int file = memfd_create("copy", MFD_CLOEXEC);
	off_t at = PAGES(1);
	ssize_t sent = 0, ret;

	ASSERT_LE(0, file);
	break_chosen(&self->one, &self->memory);
	while ((ret = sendfile(file, self->memory.fd, &at,
			       PAGES(OBJECT_PAGES))) > 0)
		sent += ret;
	EXPECT_EQ(-1, ret);
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(PAGES(39), sent);
	close(file);
}

/* Who brings pages in for others, or for a device, is told and not left waiting. */
TEST_F_TIMEOUT(read_error, populate_and_pinning_are_told, TIMEOUT)
{
	char *map = self->memory.map;
	char content[PAGES(4)];
	struct iovec local = { content, PAGES(4) };
	struct iovec remote = { map + PAGES(38), PAGES(4) };
	int file;

	break_chosen(&self->one, &self->memory);
	EXPECT_EQ(-1, madvise(map + PAGES(38), PAGES(4), MADV_POPULATE_READ));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, madvise(map + PAGES(38), PAGES(4), MADV_POPULATE_WRITE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, madvise(map + PAGES(36), PAGES(4), MADV_POPULATE_READ));
	EXPECT_EQ(-1, mlock(map + PAGES(100), page_size()));

	EXPECT_EQ(PAGES(2), process_vm_readv(getpid(), &local, 1, &remote, 1,
					     0));
	remote.iov_base = map + PAGES(40);
	EXPECT_EQ(-1, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);

	/* The disk's other half is not in use. */
	file = open("/dev/vda", O_WRONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, file);
	EXPECT_EQ(-1, pwrite(file, map + PAGES(100), page_size(), MIB(32)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(page_size(), pwrite(file, map + PAGES(101), page_size(),
				      MIB(32)));
	close(file);

	/* And system calls that take a buffer. */
	file = memfd_create("copy", MFD_CLOEXEC);
	ASSERT_LE(0, file);
	EXPECT_EQ(-1, write(file, map + PAGES(100), page_size()));
	EXPECT_EQ(EFAULT, errno);
	close(file);
}

/* --- For how long ----------------------------------------------------- */

TEST_F_TIMEOUT(read_error, stays_until_overwritten, TIMEOUT)
{
	char content[page_size()];
	uint64_t page, writes;

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	/* Even if the device would do it now. */
	faulty_heal(&self->one);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	EXPECT_EQ(-1, pread(self->memory.fd, content, 1, PAGES(100)));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(self->nr_bad,
		  segment_state(self->store, self->id).read_errors);

	/* Part of a page would have to be merged with what is not known. */
	EXPECT_EQ(-1, pwrite(self->memory.fd, "x", 1, PAGES(100) + 7));
	EXPECT_EQ(EIO, errno);
	EXPECT_FALSE(store_byte(memory_page(&self->memory, 100), 1));

	for (page = 0; page < OBJECT_PAGES; page++) {
		if (!chosen(page))
			continue;
		fill_page(content, page, 1);
		ASSERT_EQ(page_size(), pwrite(self->memory.fd, content,
					      page_size(), PAGES(page)));
	}
	EXPECT_TRUE(verify_all(&self->memory, 1));
	writes = totals(self->stores.pager).pages_out;
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(self->nr_bad, totals(self->stores.pager).pages_out - writes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/*
 * A new content goes to a new place: that the old one cannot be read tells
 * nothing about writing, but one need not find out.
 */
TEST_F_TIMEOUT(read_error, overwriting_heals_on_a_bad_device, TIMEOUT)
{
	char content[page_size()];

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	fill_page(content, 100, 2);
	ASSERT_EQ(page_size(), pwrite(self->memory.fd, content, page_size(),
				      PAGES(100)));
	EXPECT_TRUE(verify(&self->memory, 100, 1, 2));
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 100, 1, 2));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_F_TIMEOUT(read_error, truncation_ends_it, TIMEOUT)
{
	char content[page_size()];

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	/* What is to be kept of a page must be known. */
	EXPECT_EQ(-1, ftruncate(self->memory.fd, PAGES(100) + 7));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ftruncate(self->memory.fd, PAGES(100)));
	EXPECT_EQ(0, ftruncate(self->memory.fd, self->memory.size));
	EXPECT_EQ(page_size(), pread(self->memory.fd, content, page_size(),
				     PAGES(100)));
	EXPECT_TRUE(verify_page(content, 100, 0));
	EXPECT_TRUE(verify(&self->memory, 100, OBJECT_PAGES - 100, 0));
	EXPECT_TRUE(verify(&self->memory, 1, 39, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* The slots that such pages had are as good as any, as far as is known. */
TEST_F_TIMEOUT(read_error, is_forgotten_with_the_object, TIMEOUT)
{
	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	memory_destroy(&self->memory);
	faulty_heal(&self->one);
	self->memory = memory_create_in(self->stores.pager, self->store,
					SEGMENT);
	fill_all(&self->memory, 2);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 2));
}

TEST_F_TIMEOUT(read_error, is_listed, TIMEOUT)
{
	uint64_t page;

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	for (page = 0; page < OBJECT_PAGES; page++)
		ASSERT_EQ(chosen(page) ? DEFPAGER_PAGE_UNREADABLE : 0,
			  page_place(&self->memory, page).flags &
				  DEFPAGER_PAGE_UNREADABLE);
}

/* --- Draining --------------------------------------------------------- */

static struct defpager_segment_remove drain(int store, uint64_t id, int *ret)
{
	struct defpager_segment_remove removal = segment_removal(id, -1);

	*ret = defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_REMOVE, &removal);
	return removal;
}

TEST_F_TIMEOUT(read_error, drain_moves_all_but_the_pages, TIMEOUT)
{
	struct defpager_segment_remove removal;
	struct defpager_object_info info;
	char content[page_size()];
	uint64_t page, stored;
	int ret;

	ASSERT_EQ(0, object_info(self->memory.fd, &info));
	segment_new(&self->stores, self->store, SEGMENT);
	break_chosen(&self->one, &self->memory);
	removal = drain(self->store, self->id, &ret);
	EXPECT_EQ(-EIO, ret);
	EXPECT_EQ(info.id, removal.error_object);
	EXPECT_EQ(0, removal.error_offset);
	EXPECT_EQ(PAGES(OBJECT_PAGES - self->nr_bad), removal.moved_bytes);
	/* The last ones may be written after it has come into use again. */
	stored = stored_in(&self->memory, self->id);
	EXPECT_LE(PAGES(self->nr_bad), stored);
	EXPECT_GE(PAGES(self->nr_bad + DRAIN_RUN), stored);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, self->id).state);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	EXPECT_TRUE(accounts_agree(&self->stores));

	/* Once they are gone, so is what was in the way. */
	for (page = 0; page < OBJECT_PAGES; page++) {
		if (!chosen(page))
			continue;
		fill_page(content, page, 1);
		ASSERT_EQ(page_size(), pwrite(self->memory.fd, content,
					      page_size(), PAGES(page)));
	}
	removal = drain(self->store, self->id, &ret);
	EXPECT_EQ(0, ret);
	EXPECT_FALSE(segment_is_there(self->store, self->id));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* Nothing is lost as long as there is hope, and who drains hopes. */
TEST_F_TIMEOUT(read_error, drain_tries_once_more, TIMEOUT)
{
	int ret;

	segment_new(&self->stores, self->store, SEGMENT);
	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	faulty_heal(&self->one);
	drain(self->store, self->id, &ret);
	EXPECT_EQ(0, ret);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* Objects that are to live elsewhere are moved before segments are closed. */
TEST_F_TIMEOUT(read_error, drain_to_another_store_tries_once_more, TIMEOUT)
{
	int target = store_with_space(&self->stores, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, SEGMENT);

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	EXPECT_EQ(-EIO, segment_remove(self->store, self->id, target));
	faulty_heal(&self->one);
	EXPECT_EQ(0, segment_remove(self->store, self->id, target));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	close(target);
}

TEST_F_TIMEOUT(read_error, deleting_the_store_tries_once_more, TIMEOUT)
{
	int target = store_with_space(&self->stores, "target", 0,
				      DEFPAGER_STORE_EXCLUSIVE, SEGMENT);

	break_chosen(&self->one, &self->memory);
	EXPECT_TRUE(just_chosen_fault(&self->memory));
	EXPECT_EQ(-EIO, store_delete(self->store, target));
	faulty_heal(&self->one);
	EXPECT_EQ(0, store_delete(self->store, target));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	close(target);
}

TEST_HARNESS_MAIN
