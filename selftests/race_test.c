// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects are truncated, unmapped and closed, and their users killed, while
 * their pages are on the way out.
 *
 * Each test runs for DEFPAGER_TEST_SECONDS. Needs two processors, a disk that
 * is all given to the pager, and no swap.
 */
#include <pthread.h>

#include "paging_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 5
#define LIMIT MIB(16)
#define WINDOW MIB(1)

/* Set before the threads start, but for @stop. */
FIXTURE(race)
{
	struct memory memory;	/* as large as the limit */
	struct cgroup cgroup;
	pthread_t pressure;
	volatile bool stop;
	double deadline;
	uint64_t pages_out;	/* before it began */
	int pager;
};

/* Page-out all the time, on the other processor. */
static void *press(void *arg)
{
	FIXTURE_DATA(race) *self = arg;

	while (!self->stop)
		cgroup_reclaim(&self->cgroup, MIB(2));
	return NULL;
}

FIXTURE_SETUP(race)
{
	self->pager = pager_open_with_space();
	self->pages_out = totals(self->pager).pages_out;
	cgroup_enter(&self->cgroup, LIMIT);
	self->memory = memory_create(self->pager, LIMIT);
	self->deadline = now() + test_seconds(SECONDS);
	ASSERT_EQ(0, pthread_create(&self->pressure, NULL, press, self));
}

FIXTURE_TEARDOWN(race)
{
	struct defpager_info info;

	self->stop = true;
	EXPECT_EQ(0, pthread_join(self->pressure, NULL));
	memory_destroy(&self->memory);
	EXPECT_TRUE(cgroup_leave(&self->cgroup));
	/* Whatever was in flight, in the end all space is back. */
	EXPECT_TRUE(wait_until(!totals(self->pager).nr_objects));
	EXPECT_TRUE(wait_until(!totals(self->pager).reserved_bytes));
	info = totals(self->pager);
	/* Else there was no race. */
	EXPECT_LT(self->pages_out, info.pages_out);
	EXPECT_EQ(0, info.used_bytes);
	EXPECT_EQ(info.total_bytes, info.free_bytes + info.bad_bytes);
	close(self->pager);
}

TEST_F_TIMEOUT(race, truncation_against_page_out, TIMEOUT)
{
	struct memory *memory = &self->memory;
	uint64_t count = memory_pages(memory), half = count / 2;
	uint32_t generation = 0;

	fill(memory, 0, half, 1);
	while (now() < self->deadline || generation < 2) {
		fill(memory, half, half, ++generation);
		ASSERT_EQ(0, ftruncate(memory->fd, half * page_size()));
		ASSERT_EQ(0, ftruncate(memory->fd, memory->size));
		ASSERT_TRUE(verify(memory, half, half, 0));
		ASSERT_TRUE(verify(memory, 0, half, 1));
	}
}

/* Pages cut off while they are stored: nothing of them may come back. */
TEST_F_TIMEOUT(race, partial_truncation_against_page_out, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t words = page_size() / sizeof(uint64_t);
	uint64_t i, page, kept, seed = 1, *found;
	uint32_t generation = 0;

	while (now() < self->deadline) {
		page = next_random(&seed) % (memory_pages(memory) - 8);
		kept = next_random(&seed) % words;
		found = (uint64_t *)memory_page(memory, page);
		fill(memory, page, 8, ++generation);
		madvise(found, 8 * page_size(), MADV_PAGEOUT);
		ASSERT_EQ(0, ftruncate(memory->fd,
				       page * page_size() + kept * 8));
		ASSERT_EQ(0, ftruncate(memory->fd, memory->size));
		for (i = 0; i < words; i++) {
			ASSERT_EQ(i < kept ? page_word(page, generation, i) : 0,
				  found[i]);
		}
		ASSERT_TRUE(verify(memory, page + 1, 7, 0));
	}
}

struct mapper {
	const struct memory *memory;
	uint64_t first;		/* page of this thread's half */
	double deadline;
	bool well;
	pthread_t thread;
};

/* The only trace of an update is in page tables that are about to go. */
static void *map_update_unmap(void *arg)
{
	struct mapper *mapper = arg;
	uint64_t pages = WINDOW / page_size(), nr = memory_pages(mapper->memory) / 2 / pages;
	uint32_t generations[nr];
	uint64_t window, i, first, seed = 1 + mapper->first;
	char *map;

	memset(generations, 0, sizeof(generations));
	mapper->well = true;
	while (mapper->well && now() < mapper->deadline) {
		window = next_random(&seed) % nr;
		first = mapper->first + window * pages;
		map = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED,
			   mapper->memory->fd, first * page_size());
		must(map != MAP_FAILED);
		for (i = 0; i < pages && mapper->well; i++) {
			mapper->well = verify_page(map + i * page_size(),
						   first + i,
						   generations[window]);
			fill_page(map + i * page_size(), first + i,
				  generations[window] + 1);
		}
		generations[window]++;
		must(munmap(map, WINDOW) == 0);
	}
	return NULL;
}

TEST_F_TIMEOUT(race, unmapping_against_page_out, TIMEOUT)
{
	struct mapper mappers[2];
	int i;

	for (i = 0; i < 2; i++) {
		mappers[i] = (struct mapper) {
			.memory = &self->memory,
			.first = i * memory_pages(&self->memory) / 2,
			.deadline = self->deadline,
		};
		ASSERT_EQ(0, pthread_create(&mappers[i].thread, NULL,
					    map_update_unmap, &mappers[i]));
	}
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(mappers[i].thread, NULL));
		EXPECT_TRUE(mappers[i].well);
	}
}

TEST_F_TIMEOUT(race, closing_against_page_out, TIMEOUT)
{
	struct memory memory;

	while (now() < self->deadline) {
		memory = memory_create(self->pager, MIB(2));
		fill_all(&memory, 1);
		madvise(memory.map, memory.size, MADV_PAGEOUT);
		memory_destroy(&memory);
	}
}

/* Another process' exit takes its mapping down, and here and there the object. */
TEST_F_TIMEOUT(race, killing_writers_against_page_out, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct memory own;
	uint64_t seed = 1;
	pid_t pid;

	fill_all(memory, 1);
	while (now() < self->deadline) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (pid == 0) {
			own = memory_create(self->pager, MIB(8));
			for (;;) {
				fill_all(&own, 1);
				/* The same bytes, which dirty the pages. */
				fill_all(memory, 1);
			}
		}
		usleep(next_random(&seed) % 200000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	EXPECT_TRUE(verify_all(memory, 1));
}

struct resizer {
	const struct memory *memory;
	double deadline;
	pthread_t thread;
};

static void *resize(void *arg)
{
	struct resizer *resizer = arg;
	uint64_t seed = 4711, pages = memory_pages(resizer->memory);

	while (now() < resizer->deadline) {
		must(ftruncate(resizer->memory->fd,
			       next_random(&seed) % pages * page_size()) == 0);
	}
	return NULL;
}

/* Either the last write of a whole page is there, or it was cut off. */
static bool verify_last(const struct memory *memory, uint64_t page,
			uint32_t generation)
{
	bool there = *(uint64_t *)memory_page(memory, page);

	return verify(memory, page, 1, there ? generation : 0);
}

TEST_F_TIMEOUT(race, writing_against_truncation, TIMEOUT)
{
	struct resizer resizer = {
		.memory = &self->memory,
		.deadline = self->deadline,
	};
	struct memory *memory = &self->memory;
	uint64_t page, seed = 1, size = page_size();
	uint32_t generation = 0, last[memory_pages(memory)];
	char *buffer = malloc(size);

	memset(last, 0, sizeof(last));
	ASSERT_EQ(0, pthread_create(&resizer.thread, NULL, resize, &resizer));
	while (now() < self->deadline) {
		page = next_random(&seed) % memory_pages(memory);
		fill_page(buffer, page, ++generation);
		last[page] = generation;
		ASSERT_EQ(size, pwrite(memory->fd, buffer, size, page * size));
	}
	ASSERT_EQ(0, pthread_join(resizer.thread, NULL));
	ASSERT_EQ(0, ftruncate(memory->fd, memory->size));
	for (page = 0; page < memory_pages(memory); page++)
		ASSERT_TRUE(verify_last(memory, page, last[page]));
	free(buffer);
}

struct toucher {
	const struct memory *memory;
	volatile bool stop;
	volatile uint64_t touched, refused;
	int error;		/* of who reads */
	pthread_t thread;
};

static uint64_t page_of_second_half(const struct memory *memory, uint64_t *seed)
{
	uint64_t half = memory_pages(memory) / 2;

	return half + next_random(seed) % half;
}

/*
 * Stores to pages of the second half, which are there or not, and reads others,
 * which may have just ceased to be: that is no error for who reads.
 */
static void *touch_second_half(void *arg)
{
	struct toucher *toucher = arg;
	const struct memory *memory = toucher->memory;
	uint64_t seed = 1;
	char byte;

	while (!toucher->stop) {
		if (store_byte(memory_page(memory,
					   page_of_second_half(memory, &seed)), 1))
			toucher->touched++;
		else
			toucher->refused++;
		if (pread(memory->fd, &byte, 1,
			  page_of_second_half(memory, &seed) * page_size()) < 0)
			toucher->error = errno;
	}
	return NULL;
}

/* Who has just been told that a page is there may not bring it when it is not. */
TEST_F_TIMEOUT(race, faults_against_truncation, TIMEOUT)
{
	struct toucher toucher = { .memory = &self->memory };
	uint64_t touched, refused;

	ASSERT_EQ(0, pthread_create(&toucher.thread, NULL, touch_second_half,
				    &toucher));
	while (now() < self->deadline) {
		touched = toucher.touched;
		ASSERT_EQ(0, ftruncate(self->memory.fd, self->memory.size));
		ASSERT_TRUE(wait_until(toucher.touched > touched + 8));
		refused = toucher.refused;
		ASSERT_EQ(0, ftruncate(self->memory.fd, self->memory.size / 2));
		/* By then, whoever was on his way is there. */
		ASSERT_TRUE(wait_until(toucher.refused > refused + 1));
		ASSERT_EQ(0, memory_info(&self->memory).reserved_bytes);
	}
	toucher.stop = true;
	ASSERT_EQ(0, pthread_join(toucher.thread, NULL));
	EXPECT_EQ(0, toucher.error);
}

TEST_HARNESS_MAIN
