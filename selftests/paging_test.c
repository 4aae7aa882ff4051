// SPDX-License-Identifier: GPL-2.0-only
/*
 * What objects do for their users while the kernel takes their memory away:
 * a control group's limit stands for the lack of memory in all of these.
 *
 * Needs two disks: the first is given to the pager, the second is for direct
 * I/O. No swap.
 */
#include <sys/uio.h>

#include "paging_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define LIMIT MIB(16)

FIXTURE(paging)
{
	struct reclaimer reclaimer;
	struct memory memory;	/* twice what fits */
};

FIXTURE_SETUP(paging)
{
	struct reclaimer *reclaimer = &self->reclaimer;

	reclaimer->pager = pager_open_with_space();
	reclaimer->way = RECLAIM_ON_REQUEST;
	cgroup_enter(&reclaimer->cgroup, LIMIT);
	self->memory = memory_create(reclaimer->pager, 2 * LIMIT);
}

FIXTURE_TEARDOWN(paging)
{
	memory_destroy(&self->memory);
	EXPECT_TRUE(cgroup_leave(&self->reclaimer.cgroup));
	EXPECT_TRUE(wait_until(!totals(self->reclaimer.pager).reserved_bytes));
	close(self->reclaimer.pager);
}

/* --- How pages travel ------------------------------------------------- */

TEST_F_TIMEOUT(paging, sequential_pages_leave_in_runs, TIMEOUT)
{
	struct defpager_info before, after;

	before = totals(self->reclaimer.pager);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, &self->memory));
	after = totals(self->reclaimer.pager);

	EXPECT_LE(memory_pages(&self->memory) - UNSEEN_PAGES,
		  after.pages_out - before.pages_out);
	EXPECT_LE(8 * (after.writes - before.writes),
		  after.pages_out - before.pages_out);
}

/* Who asks puts its pages back by way of the processor's batch, where some stay. */
#define LRU_BATCH 31

/*
 * The worker begins while who asks has the pages isolated still: it passes over
 * those, and comes back. Nobody asks a second time here.
 */
TEST_F_TIMEOUT(paging, one_request_is_enough, TIMEOUT)
{
	struct memory memory = memory_create(self->reclaimer.pager,
					     256 * page_size());
	uint64_t before;
	uint32_t round;

	pin_to_processor(0);
	for (round = 1; round <= 8; round++) {
		fill_all(&memory, round);
		before = totals(self->reclaimer.pager).pages_out;
		ASSERT_EQ(0, madvise(memory.map, memory.size, MADV_PAGEOUT));
		ASSERT_TRUE(wait_until(totals(self->reclaimer.pager).pages_out -
				       before >=
				       memory_pages(&memory) - LRU_BATCH));
		/* Nothing of this is on its way any more when it begins anew. */
		ASSERT_TRUE(evict(&memory));
	}
	memory_destroy(&memory);
}

TEST_F_TIMEOUT(paging, sequential_page_in_reads_ahead, TIMEOUT)
{
	struct defpager_info before, after;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, &self->memory));
	before = totals(self->reclaimer.pager);
	ASSERT_TRUE(verify_all(&self->memory, 1));
	after = totals(self->reclaimer.pager);

	EXPECT_LE(4 * (after.reads - before.reads),
		  after.pages_in - before.pages_in);
}

TEST_F_TIMEOUT(paging, random_page_in_reads_one_page, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct defpager_info before, after;
	uint64_t i, page, seed = 4711;
	const uint64_t visits = 256;

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	before = totals(self->reclaimer.pager);
	for (i = 0; i < visits; i++) {
		page = next_random(&seed) % memory_pages(memory);
		ASSERT_TRUE(verify(memory, page, 1, 1));
	}
	after = totals(self->reclaimer.pager);

	/* By chance some visits follow each other like a sequence. */
	EXPECT_GE(visits * 3 / 2, after.pages_in - before.pages_in);
}

TEST_F_TIMEOUT(paging, holes_take_no_io, TIMEOUT)
{
	struct defpager_info before, after;

	before = totals(self->reclaimer.pager);
	ASSERT_TRUE(verify_all(&self->memory, 0));
	ASSERT_TRUE(force_out(&self->reclaimer, &self->memory));
	ASSERT_TRUE(verify_all(&self->memory, 0));
	after = totals(self->reclaimer.pager);

	EXPECT_EQ(before.pages_out, after.pages_out);
	EXPECT_EQ(before.pages_in, after.pages_in);
}

TEST_F_TIMEOUT(paging, objects_share_a_cgroup, TIMEOUT)
{
	struct memory objects[4];
	uint64_t page;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = memory_create(self->reclaimer.pager, LIMIT / 2);
	for (page = 0; page < memory_pages(&objects[0]); page++) {
		for (i = 0; i < ARRAY_SIZE(objects); i++)
			fill(&objects[i], page, 1, i + 1);
	}
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		EXPECT_TRUE(verify_all(&objects[i], i + 1));
	for (i = 0; i < ARRAY_SIZE(objects); i++)
		memory_destroy(&objects[i]);
}

/* --- All the ways to reach a page ------------------------------------- */

TEST_F_TIMEOUT(paging, read_write_and_mapping_agree, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t page, size = page_size();
	char *buffer = malloc(size);

	/* Written by the one, read by the other, which is half a lap behind. */
	for (page = 0; page < memory_pages(memory); page++) {
		if (page % 2) {
			fill(memory, page, 1, 1);
			continue;
		}
		fill_page(buffer, page, 1);
		ASSERT_EQ(size, pwrite(memory->fd, buffer, size, page * size));
	}
	for (page = 0; page < memory_pages(memory); page++) {
		if (page % 2) {
			ASSERT_EQ(size, pread(memory->fd, buffer, size,
					      page * size));
			ASSERT_TRUE(verify_page(buffer, page, 1));
		} else {
			ASSERT_TRUE(verify(memory, page, 1, 1));
		}
	}
	free(buffer);
}

/* A write of part of a page that is out must bring in the rest of it. */
TEST_F_TIMEOUT(paging, partial_writes_keep_the_rest, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t page, word, size = page_size(), half = size / 2;
	char *buffer = malloc(size);

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	for (page = 0; page < memory_pages(memory); page++) {
		fill_page(buffer, page, 2);
		ASSERT_EQ(half, pwrite(memory->fd, buffer + half, half,
				       page * size + half));
	}
	for (page = 0; page < memory_pages(memory); page++) {
		uint64_t *words = (uint64_t *)memory_page(memory, page);

		for (word = 0; word < size / sizeof(*words); word += 8) {
			ASSERT_EQ(page_word(page, 1 + word / (half / 8), word),
				  words[word]);
		}
	}
	free(buffer);
}

/*
 * The kernel takes pages by their addresses and keeps them while it copies:
 * page-out may come before, between and after.
 */
TEST_F_TIMEOUT(paging, writes_by_other_processes_arrive, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t page, size = page_size();
	char *buffer = malloc(size);
	struct iovec local = { .iov_base = buffer, .iov_len = size };
	struct iovec remote = { .iov_len = size };

	for (page = 0; page < memory_pages(memory); page++) {
		fill_page(buffer, page, 1);
		remote.iov_base = memory_page(memory, page);
		ASSERT_EQ(size, process_vm_writev(getpid(), &local, 1,
						  &remote, 1, 0));
	}
	for (page = 0; page < memory_pages(memory); page++) {
		remote.iov_base = memory_page(memory, page);
		ASSERT_EQ(size, process_vm_readv(getpid(), &local, 1,
						 &remote, 1, 0));
		ASSERT_TRUE(verify_page(buffer, page, 1));
	}
	EXPECT_TRUE(verify_all(memory, 1));
	free(buffer);
}

/* The pipe's pages are the object's own; they are out of reach for reclaim. */
TEST_F_TIMEOUT(paging, pages_in_a_pipe_survive, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t page, size = page_size();
	const uint64_t held = 16;
	struct iovec pages = {
		.iov_base = memory->map,
		.iov_len = held * size,
	};
	char *buffer = malloc(size);
	int fds[2];

	fill(memory, 0, held, 1);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(held * size, vmsplice(fds[1], &pages, 1, 0));
	fill(memory, held, memory_pages(memory) - held, 1);
	cgroup_reclaim(&self->reclaimer.cgroup, memory->size);
	for (page = 0; page < held; page++) {
		ASSERT_EQ(size, read(fds[0], buffer, size));
		ASSERT_TRUE(verify_page(buffer, page, 1));
	}
	close(fds[0]);
	close(fds[1]);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	EXPECT_TRUE(verify_all(memory, 1));
	free(buffer);
}

/* The disk reads and writes the object's pages itself. */
TEST_F_TIMEOUT(paging, direct_io_reaches_the_pages, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t chunk = KIB(64);
	uint64_t offset;
	int disk;

	disk = open("/dev/vdb", O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, disk);
	fill_all(memory, 1);
	for (offset = 0; offset < memory->size; offset += chunk) {
		ASSERT_EQ(chunk, pwrite(disk, memory->map + offset, chunk,
					offset));
	}
	fill_all(memory, 2);
	for (offset = 0; offset < memory->size; offset += chunk) {
		ASSERT_EQ(chunk, pread(disk, memory->map + offset, chunk,
				       offset));
	}
	EXPECT_TRUE(verify_all(memory, 1));
	close(disk);
}

/* --- Kinds of mappings ------------------------------------------------ */

TEST_F_TIMEOUT(paging, locked_pages_stay, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t locked = 256;
	struct defpager_info before, after;
	unsigned char resident[256];
	uint64_t page;

	ASSERT_EQ(0, mlock(memory->map, locked * page_size()));
	fill_all(memory, 1);
	cgroup_reclaim(&self->reclaimer.cgroup, memory->size);

	ASSERT_EQ(0, mincore(memory->map, locked * page_size(), resident));
	for (page = 0; page < locked; page++)
		ASSERT_EQ(1, resident[page] & 1);
	before = totals(self->reclaimer.pager);
	ASSERT_TRUE(verify(memory, 0, locked, 1));
	after = totals(self->reclaimer.pager);
	EXPECT_EQ(before.pages_in, after.pages_in);

	ASSERT_EQ(0, munlock(memory->map, locked * page_size()));
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	EXPECT_TRUE(verify_all(memory, 1));
}

/* Without swap the copies cannot leave: they are a quarter of the limit. */
TEST_F_TIMEOUT(paging, private_copies_stay_private, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct memory copy = *memory;
	uint64_t page, count = memory_pages(memory);

	fill_all(memory, 1);
	copy.map = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			memory->fd, 0);
	ASSERT_NE(MAP_FAILED, copy.map);
	for (page = 0; page < count; page += 8)
		fill(&copy, page, 1, 2);
	for (page = 0; page < count; page++)
		ASSERT_TRUE(verify(&copy, page, 1, page % 8 ? 1 : 2));
	/* What is written to the object shows where there is no copy. */
	for (page = 1; page < count; page += 8)
		fill(memory, page, 1, 3);
	for (page = 1; page < count; page += 8)
		ASSERT_TRUE(verify(&copy, page, 1, 3));
	for (page = 0; page < count; page += 8)
		ASSERT_TRUE(verify(memory, page, 1, 1));
	ASSERT_EQ(0, munmap(copy.map, copy.size));
}

TEST_F_TIMEOUT(paging, dirty_pages_survive_unmapping, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t chunk = MIB(1), pages = chunk / page_size();
	uint64_t offset, first;
	struct memory window;

	for (offset = 0; offset < memory->size; offset += chunk) {
		window.map = mmap(NULL, chunk, PROT_READ | PROT_WRITE,
				  MAP_SHARED, memory->fd, offset);
		ASSERT_NE(MAP_FAILED, window.map);
		for (first = 0; first < pages; first++) {
			fill_page(memory_page(&window, first),
				  offset / page_size() + first, 1);
		}
		/* Every other chunk gives up its page tables before. */
		if (offset / chunk % 2)
			madvise(window.map, chunk, MADV_DONTNEED);
		ASSERT_EQ(0, munmap(window.map, chunk));
	}
	EXPECT_TRUE(verify_all(memory, 1));
}

static int count_up(const struct memory *memory, uint64_t first, uint32_t laps)
{
	uint64_t page;
	uint32_t lap;

	for (lap = 1; lap <= laps; lap++) {
		for (page = first; page < memory_pages(memory); page += 2) {
			if (!verify(memory, page, 1, lap - 1))
				return 1;
			fill(memory, page, 1, lap);
		}
	}
	return 0;
}

TEST_F_TIMEOUT(paging, forked_writers_share_pages, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint32_t laps = 3;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (pid == 0)
		_exit(count_up(memory, 1, laps));
	EXPECT_EQ(0, count_up(memory, 0, laps));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_TRUE(verify_all(memory, laps));
}

/* --- Size changes ----------------------------------------------------- */

TEST_F_TIMEOUT(paging, truncation_frees_and_zeroes, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t count = memory_pages(memory), kept = count / 4;
	struct defpager_object_info info;

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	ASSERT_EQ(0, ftruncate(memory->fd, kept * page_size()));

	info = memory_info(memory);
	EXPECT_GE(kept * page_size(), info.stored_bytes);
	EXPECT_GE(kept * page_size(), info.reserved_bytes);
	EXPECT_TRUE(wait_until(totals(self->reclaimer.pager).used_bytes <=
			       kept * page_size()));

	ASSERT_EQ(0, ftruncate(memory->fd, memory->size));
	EXPECT_TRUE(verify(memory, kept, count - kept, 0));
	EXPECT_TRUE(verify(memory, 0, kept, 1));
}

/* The page at the new end is out: its tail must not come back with its slot. */
TEST_F_TIMEOUT(paging, truncation_zeroes_the_tail_of_a_stored_page, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t page = 100, end = page * page_size() + 512;
	uint64_t word, *words = (uint64_t *)memory_page(memory, page);

	fill_all(memory, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	ASSERT_EQ(0, ftruncate(memory->fd, end));
	ASSERT_EQ(0, ftruncate(memory->fd, memory->size));
	ASSERT_TRUE(force_out(&self->reclaimer, memory));
	for (word = 0; word < page_size() / 8; word++) {
		ASSERT_EQ(word < 512 / 8 ? page_word(page, 1, word) : 0,
			  words[word]);
	}
}

TEST_F_TIMEOUT(paging, last_close_returns_all_space, TIMEOUT)
{
	struct memory other = memory_create(self->reclaimer.pager, LIMIT);
	struct defpager_info info;

	fill_all(&other, 1);
	ASSERT_TRUE(force_out(&self->reclaimer, &other));
	info = totals(self->reclaimer.pager);
	EXPECT_LE(LIMIT - UNSEEN_PAGES * page_size(), info.used_bytes);
	EXPECT_LE(LIMIT, info.reserved_bytes);

	/* The mapping holds the object. */
	ASSERT_EQ(0, close(other.fd));
	ASSERT_TRUE(verify_all(&other, 1));
	ASSERT_EQ(0, munmap(other.map, other.size));
	EXPECT_TRUE(wait_until(!totals(self->reclaimer.pager).used_bytes));
	info = totals(self->reclaimer.pager);
	EXPECT_EQ(0, info.reserved_bytes);
	EXPECT_EQ(info.total_bytes, info.free_bytes);
	EXPECT_EQ(1, info.nr_objects);
}

/* --- Who may not take pages ------------------------------------------- */

TEST_F_TIMEOUT(paging, drop_caches_loses_nothing, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t half = memory_pages(memory) / 4;

	/* Pages that never were out, which only memory has. */
	fill(memory, 0, half, 1);
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "1"));
	EXPECT_TRUE(verify(memory, 0, half, 1));
	ASSERT_EQ(0, posix_fadvise(memory->fd, 0, 0, POSIX_FADV_DONTNEED));
	EXPECT_TRUE(verify(memory, 0, half, 1));
	ASSERT_EQ(0, msync(memory->map, memory->size, MS_SYNC));
	ASSERT_EQ(0, fsync(memory->fd));
	EXPECT_TRUE(verify(memory, 0, half, 1));
}

TEST_HARNESS_MAIN
