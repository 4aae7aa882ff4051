// SPDX-License-Identifier: GPL-2.0-only
/*
 * Punching, zeroing, cutting off and changing pages while they are on their way,
 * and others write to their neighbours. Nothing that was written is lost, and
 * nothing that was taken away comes back; nor is space lost, or given twice.
 */
#include <linux/falloc.h>
#include <pthread.h>

#include "contract_utils.h"
#include "dm_utils.h"
#include "paging_utils.h"
#include <kselftest_harness.h>

#define OWNERS		3
#define OWNED		64		/* pages of each */
#define TAIL		64		/* pages that are cut off */
#define PAGES		(OWNERS * OWNED + TAIL)
#define SECONDS		5

#define PUNCH		(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO		FALLOC_FL_ZERO_RANGE

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#ifndef SEEK_DATA
#define SEEK_DATA 3
#define SEEK_HOLE 4
#endif

static size_t pages(size_t nr)
{
	return nr * page_size();
}

struct shared {
	struct memory memory;
	bool mapping;		/* change pages by the mapping */
	volatile bool stop;
	volatile bool failed;
};

/* Who owns every third page, and knows what is in them. */
struct owner {
	struct shared *shared;
	int nr;
	char *model;		/* of all owned pages */
};

static size_t owned_page(struct owner *owner, size_t i)
{
	return i * OWNERS + owner->nr;
}

static bool owner_check(struct owner *owner, size_t i, char *buffer)
{
	struct memory *memory = &owner->shared->memory;
	size_t page = owned_page(owner, i);
	const char *found = memory_page(memory, page);
	const char *model = owner->model + pages(i);

	if (!owner->shared->mapping) {
		must(pread(memory->fd, buffer, page_size(), pages(page)) ==
		     (ssize_t)page_size());
		found = buffer;
	}
	if (!memcmp(found, model, page_size()))
		return true;
	for (size_t at = 0; at < page_size(); at++)
		if (found[at] != model[at]) {
			fprintf(stderr,
				"# page %zu byte %zu: expected %d, found %d\n",
				page, at, model[at], found[at]);
			break;
		}
	return false;
}

static void owner_write(struct owner *owner, size_t i, size_t from, size_t len,
			uint64_t random)
{
	struct memory *memory = &owner->shared->memory;
	size_t page = owned_page(owner, i);
	char *model = owner->model + pages(i);

	for (size_t at = from; at < from + len; at++)
		model[at] = random + at % 13;
	if (owner->shared->mapping)
		memcpy(memory_page(memory, page) + from, model + from, len);
	else
		must(pwrite(memory->fd, model + from, len,
			    pages(page) + from) == (ssize_t)len);
}

static void owner_clear(struct owner *owner, size_t i, size_t from, size_t len,
			int mode)
{
	must(fallocate(owner->shared->memory.fd, mode,
		       pages(owned_page(owner, i)) + from, len) == 0);
	memset(owner->model + pages(i) + from, 0, len);
}

static void *own(void *arg)
{
	struct owner *owner = arg;
	uint64_t random = 88172645463325252 + owner->nr;
	char *buffer = malloc(page_size());

	while (!owner->shared->stop && !owner->shared->failed) {
		uint64_t choice = next_random(&random);
		size_t i = choice % OWNED;
		size_t from = (choice >> 8) % page_size();
		size_t len = 1 + (choice >> 24) % (page_size() - from);

		switch ((choice >> 40) % 8) {
		case 0:
			owner_clear(owner, i, 0, page_size(), PUNCH);
			break;
		case 1:
			owner_clear(owner, i, from, len, PUNCH);
			break;
		case 2:
			owner_clear(owner, i, 0, page_size(), ZERO);
			break;
		case 3:
			owner_clear(owner, i, from, len, ZERO);
			break;
		case 4:
			must(!fallocate(owner->shared->memory.fd, 0,
					pages(owned_page(owner, i)),
					page_size()));
			break;
		case 5:
			owner_write(owner, i, 0, page_size(), choice);
			break;
		default:
			owner_write(owner, i, from, len, choice);
			break;
		}
		if (!owner_check(owner, i, buffer) ||
		    !owner_check(owner, (choice >> 48) % OWNED, buffer))
			owner->shared->failed = true;
	}
	free(buffer);
	return NULL;
}

/* Fills the end of the object, cuts it off, and looks what is there then. */
static void *cut_off(void *arg)
{
	struct shared *shared = arg;
	struct memory *memory = &shared->memory;
	size_t start = pages(OWNERS * OWNED), size = pages(TAIL), cut;
	char *model = malloc(size), *found = malloc(size);
	uint64_t random = 362436069;

	while (!shared->stop && !shared->failed) {
		memset(model, next_random(&random), size);
		must(pwrite(memory->fd, model, size, start) == (ssize_t)size);
		sched_yield();
		cut = next_random(&random) % size;
		memset(model + cut, 0, size - cut);
		must(!ftruncate(memory->fd, start + cut));
		must(!ftruncate(memory->fd, start + size));
		must(pread(memory->fd, found, size, start) == (ssize_t)size);
		if (memcmp(found, model, size)) {
			fprintf(stderr, "# cut off at %zu: not as expected\n",
				cut);
			shared->failed = true;
		}
	}
	free(found);
	free(model);
	return NULL;
}

static void *page_out_and_in(void *arg)
{
	struct shared *shared = arg;
	struct memory *memory = &shared->memory;
	struct defpager_object_pageout move;
	uint64_t random = 521288629;

	while (!shared->stop && !shared->failed) {
		uint64_t choice = next_random(&random);
		size_t first = choice % PAGES;
		size_t nr = 1 + (choice >> 16) % (PAGES - first);
		uint32_t wait = choice >> 32 & 1 ? DEFPAGER_PAGEOUT_WAIT : 0;

		switch ((choice >> 40) % 4) {
		case 0:
			must(!object_pageout(memory->fd, DEFPAGER_PAGEOUT_IN |
					     wait, pages(first), pages(nr),
					     &move));
			break;
		case 1:
			/* EINVAL: never; ENOMEM: never, all is mapped. */
			must(!madvise(memory_page(memory, first), pages(nr),
				      MADV_PAGEOUT));
			break;
		default:
			must(!object_pageout(memory->fd, DEFPAGER_PAGEOUT_OUT |
					     wait, pages(first), pages(nr),
					     &move));
			break;
		}
	}
	return NULL;
}

FIXTURE(race)
{
	int pager;
	int store;
	struct shared shared;
};

FIXTURE_VARIANT(race)
{
	bool mapping;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(race, write)
{
	.mapping = false,
};

FIXTURE_VARIANT_ADD(race, mapping)
{
	.mapping = true,
};

FIXTURE_VARIANT_ADD(race, reserved)
{
	.mapping = true,
	.flags = DEFPAGER_OBJECT_RESERVE,
};

FIXTURE_SETUP(race)
{
	struct memory *memory = &self->shared.memory;

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = private_store(self->pager, pages(PAGES));
	ASSERT_LE(0, self->store);
	self->shared.mapping = variant->mapping;
	memory->size = pages(PAGES);
	memory->fd = object_create_with(self->pager, self->store, memory->size,
				      variant->flags);
	ASSERT_LE(0, memory->fd);
	memory->map = mmap(NULL, memory->size, PROT_READ | PROT_WRITE,
			   MAP_SHARED, memory->fd, 0);
	ASSERT_NE(MAP_FAILED, memory->map);
}

FIXTURE_TEARDOWN(race)
{
	close(self->store);
	close(self->pager);
}

static size_t data_bytes(int fd)
{
	off_t data, hole = 0;
	size_t sum = 0;

	while ((data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		sum += hole - data;
	}
	return sum;
}

TEST_F_TIMEOUT(race, nothing_is_lost_or_comes_back, 120)
{
	struct memory *memory = &self->shared.memory;
	struct owner owners[OWNERS];
	pthread_t threads[OWNERS + 2];
	double end = now() + test_seconds(SECONDS);
	size_t reserved;

	for (int i = 0; i < OWNERS; i++) {
		owners[i] = (struct owner) {
			.shared = &self->shared,
			.nr = i,
			.model = calloc(OWNED, page_size()),
		};
		must(!pthread_create(&threads[i], NULL, own, &owners[i]));
	}
	must(!pthread_create(&threads[OWNERS], NULL, cut_off, &self->shared));
	must(!pthread_create(&threads[OWNERS + 1], NULL, page_out_and_in,
			     &self->shared));
	while (now() < end && !self->shared.failed)
		sleep_ms(10);
	self->shared.stop = true;
	for (int i = 0; i < OWNERS + 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_FALSE(self->shared.failed);

	/* Each page that was touched has space, once. */
	reserved = variant->flags ? memory->size : data_bytes(memory->fd);
	EXPECT_EQ(reserved, object_reserved(memory->fd));
	EXPECT_EQ(pages(PAGES) - reserved, store_free(self->store));
	ASSERT_TRUE(object_out(memory->fd, 0, 0));
	EXPECT_EQ(object_stored(memory->fd), store_used(self->store));
	for (int i = 0; i < OWNERS; i++) {
		char *buffer = malloc(page_size());

		for (size_t page = 0; page < OWNED; page++)
			EXPECT_TRUE(owner_check(&owners[i], page, buffer));
		free(buffer);
		free(owners[i].model);
	}
	ASSERT_EQ(0, munmap(memory->map, memory->size));
	ASSERT_EQ(0, close(memory->fd));
	EXPECT_TRUE(wait_until(store_free(self->store) == pages(PAGES)));
	EXPECT_EQ(0, store_used(self->store));
}

/* --- space for each page, and no more ------------------------------------- */

#define EXACT	MIB(4)

/* An object that fits its store exactly: nobody may be told it is full. */
struct exact {
	int fd;
	char *map;
	volatile bool stop;
	volatile int failed;	/* an errno */
};

static void *touch_pages(void *arg)
{
	struct exact *exact = arg;
	uint64_t random = 88172645463325252;

	while (!exact->stop && !exact->failed) {
		size_t page = next_random(&random) % (EXACT / page_size());

		if (madvise(exact->map + pages(page), page_size(),
			    MADV_POPULATE_WRITE))
			exact->failed = errno;
	}
	return NULL;
}

static void *reserve_and_punch(void *arg)
{
	struct exact *exact = arg;

	while (!exact->stop && !exact->failed) {
		if (fallocate(exact->fd, 0, 0, EXACT))
			exact->failed = errno;
		must(!fallocate(exact->fd, PUNCH, 0, EXACT));
	}
	return NULL;
}

TEST(page_is_promised_space_once)
{
	struct exact exact = {};
	pthread_t threads[3];
	int pager, store;

	pager = pager_open();
	ASSERT_LE(0, pager);
	store = private_store(pager, EXACT);
	ASSERT_LE(0, store);
	exact.fd = object_create_with(pager, store, EXACT, 0);
	ASSERT_LE(0, exact.fd);
	exact.map = mmap(NULL, EXACT, PROT_READ | PROT_WRITE, MAP_SHARED,
			 exact.fd, 0);
	ASSERT_NE(MAP_FAILED, exact.map);
	for (int i = 0; i < 3; i++)
		must(!pthread_create(&threads[i], NULL, i ? touch_pages :
				     reserve_and_punch, &exact));
	for (double end = now() + test_seconds(SECONDS);
	     now() < end && !exact.failed;)
		sleep_ms(10);
	exact.stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, exact.failed)
		TH_LOG("%s", strerror(exact.failed));
	EXPECT_EQ(EXACT - object_reserved(exact.fd), store_free(store));
	EXPECT_EQ(0, fallocate(exact.fd, 0, 0, EXACT));
	EXPECT_EQ(0, store_free(store));
	ASSERT_EQ(0, munmap(exact.map, EXACT));
	close(exact.fd);
	EXPECT_EQ(0, private_store_delete(store));
	close(pager);
}

/* --- with a device that does not answer ----------------------------------- */

FIXTURE(stopped)
{
	int pager;
	int store;
	int fd;
	char *map;
	char dm[32];
	bool suspended;
};

FIXTURE_SETUP(stopped)
{
	int loop, device;

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	snprintf(self->dm, sizeof(self->dm), "stopped-%d", getpid());
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
	self->fd = object_create_with(self->pager, self->store, pages(8), 0);
	ASSERT_LE(0, self->fd);
	self->map = mmap(NULL, pages(8), PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	memset(self->map, 'a', pages(8));
}

FIXTURE_TEARDOWN(stopped)
{
	if (self->suspended)
		dm_suspend(self->dm, false);
	munmap(self->map, pages(8));
	close(self->fd);
	EXPECT_EQ(0, private_store_delete(self->store));
	EXPECT_EQ(0, dm_remove(self->dm));
	close(self->pager);
}

struct call {
	int (*fn)(int fd);
	int fd;
	pid_t tid;
	volatile int ret;
};

static void *call_thread(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	call->ret = call->fn(call->fd);
	return NULL;
}

static int punch_some(int fd)
{
	return fallocate(fd, PUNCH, pages(2), pages(4)) ? -errno : 0;
}

static int zero_some(int fd)
{
	return fallocate(fd, ZERO, pages(2), pages(4)) ? -errno : 0;
}

static int truncate_some(int fd)
{
	return ftruncate(fd, pages(2)) ? -errno : 0;
}

/* Takes pages away that are on their way to the device, or from it. */
static void take_away(struct __test_metadata *_metadata,
		      FIXTURE_DATA(stopped) *self, int (*fn)(int fd), bool in)
{
	struct call call = { .fn = fn, .fd = self->fd, .ret = 1 };
	struct defpager_object_pageout arg;
	pthread_t thread;

	if (in)
		ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, dm_suspend(self->dm, true));
	self->suspended = true;
	ASSERT_EQ(0, object_pageout(self->fd, in ? DEFPAGER_PAGEOUT_IN :
				    DEFPAGER_PAGEOUT_OUT, 0, 0, &arg));
	ASSERT_TRUE(wait_until(!object_pageout(self->fd, DEFPAGER_PAGEOUT_IN, 0,
					       0, &arg) && !arg.dirty_bytes));
	EXPECT_EQ(pages(8), arg.resident_bytes);
	ASSERT_EQ(0, pthread_create(&thread, NULL, call_thread, &call));
	ASSERT_TRUE(wait_until(__atomic_load_n(&call.tid, __ATOMIC_ACQUIRE) &&
			       in_disk_sleep(call.tid)));
	/* It waits, since the device may still write to, or read, the page. */
	EXPECT_EQ(1, call.ret);
	EXPECT_EQ(pages(8), object_reserved(self->fd));
	ASSERT_EQ(0, dm_suspend(self->dm, false));
	self->suspended = false;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, call.ret);
	if (fn == truncate_some) {
		EXPECT_EQ(pages(2), object_reserved(self->fd));
		EXPECT_EQ(pages(2), store_used(self->store));
		ASSERT_EQ(0, ftruncate(self->fd, pages(8)));
	} else {
		EXPECT_EQ(pages(fn == zero_some ? 8 : 4),
			  object_reserved(self->fd));
		EXPECT_EQ(pages(4), store_used(self->store));
	}
	for (size_t i = 0; i < 8; i++)
		EXPECT_EQ(i < 2 || (i >= 6 && fn != truncate_some) ? 'a' : 0,
			  self->map[pages(i)]);
}

TEST_F(stopped, punch_of_pages_on_their_way_out)
{
	take_away(_metadata, self, punch_some, false);
}

TEST_F(stopped, punch_of_pages_on_their_way_in)
{
	take_away(_metadata, self, punch_some, true);
}

TEST_F(stopped, zero_range_of_pages_on_their_way_out)
{
	take_away(_metadata, self, zero_some, false);
}

TEST_F(stopped, truncation_of_pages_on_their_way_out)
{
	take_away(_metadata, self, truncate_some, false);
}

TEST_F(stopped, truncation_of_pages_on_their_way_in)
{
	take_away(_metadata, self, truncate_some, true);
}

/* Waiting for a device that does not answer can be ended. */
static void nothing(int signal)
{
	(void)signal;
}

static int out_and_wait(int fd)
{
	struct defpager_object_pageout arg;

	return object_pageout(fd, DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_WAIT,
			      0, 0, &arg);
}

/* What is written to them then is newer than what is on its way. */
TEST_F(stopped, change_of_pages_on_their_way_out)
{
	struct defpager_object_pageout arg;

	ASSERT_EQ(0, dm_suspend(self->dm, true));
	self->suspended = true;
	ASSERT_EQ(0, object_pageout(self->fd, DEFPAGER_PAGEOUT_OUT, 0, 0,
				    &arg));
	ASSERT_TRUE(wait_until(!object_pageout(self->fd, DEFPAGER_PAGEOUT_IN, 0,
					       0, &arg) && !arg.dirty_bytes));
	ASSERT_EQ(1, pwrite(self->fd, "b", 1, pages(3)));
	self->map[pages(4)] = 'c';
	ASSERT_EQ(0, dm_suspend(self->dm, false));
	self->suspended = false;
	ASSERT_TRUE(object_out(self->fd, 0, 0));
	for (size_t i = 0; i < 8; i++)
		EXPECT_EQ(i == 3 ? 'b' : i == 4 ? 'c' : 'a',
			  self->map[pages(i)]);
}

TEST_F(stopped, page_out_can_be_interrupted)
{
	struct call call = { .fn = out_and_wait, .fd = self->fd, .ret = 1 };
	struct sigaction action = { .sa_handler = nothing };
	pthread_t thread;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	ASSERT_EQ(0, dm_suspend(self->dm, true));
	self->suspended = true;
	ASSERT_EQ(0, pthread_create(&thread, NULL, call_thread, &call));
	ASSERT_TRUE(wait_until(pthread_kill(thread, SIGUSR1) ||
			       call.ret != 1));
	EXPECT_EQ(-EINTR, call.ret);
	ASSERT_EQ(0, dm_suspend(self->dm, false));
	self->suspended = false;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ('a', self->map[pages(3)]);
}

TEST_F(stopped, page_in_can_be_killed)
{
	struct defpager_object_pageout arg;
	int status;
	pid_t pid;

	ASSERT_TRUE(object_out(self->fd, 0, 0));
	ASSERT_EQ(0, dm_suspend(self->dm, true));
	self->suspended = true;
	pid = fork();
	if (!pid)
		_exit(object_pageout(self->fd, DEFPAGER_PAGEOUT_IN |
				     DEFPAGER_PAGEOUT_WAIT, 0, 0, &arg));
	ASSERT_LT(0, pid);
	/* On their way, so that somebody waits for them. */
	ASSERT_TRUE(wait_until(object_resident(self->fd) == pages(8)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	ASSERT_EQ(0, dm_suspend(self->dm, false));
	self->suspended = false;
	EXPECT_EQ('a', self->map[pages(3)]);
}

TEST_HARNESS_MAIN
