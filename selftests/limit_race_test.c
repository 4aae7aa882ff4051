// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of a store while many take and give at a time: nobody exceeds one, and
 * nobody is refused by one as long as there is room.
 */
#include <pthread.h>

#include "limit_utils.h"
#include <kselftest_harness.h>

#define SECONDS	4

/* --- many at a time ------------------------------------------------------- */

#define THREADS		4
#define CROWD		40	/* pages that they may have */
#define EACH		32	/* pages that each one wants */

struct crowd {
	int pager;
	int store;
	bool polite;		/* they share, so that there is always room */
	long left;		/* of what they share */
	long taken;
	volatile bool stop;
	volatile int failed;	/* an errno */
	volatile bool exceeded;
};

static bool ask(struct crowd *crowd, long nr)
{
	if (!crowd->polite || __atomic_sub_fetch(&crowd->left, nr,
						 __ATOMIC_SEQ_CST) >= 0)
		return true;
	__atomic_add_fetch(&crowd->left, nr, __ATOMIC_SEQ_CST);
	return false;
}

static void give_back(struct crowd *crowd, long nr)
{
	__atomic_add_fetch(&crowd->left, nr, __ATOMIC_SEQ_CST);
}

/* Takes pages in one of three ways. */
static int take(int fd, char *map, uint64_t first, uint64_t nr, int way)
{
	switch (way) {
	case 0:
		return reserve(fd, first, nr);
	case 1:
		for (uint64_t page = first; page < first + nr; page++)
			if (write_page(fd, page))
				return errno;
		return 0;
	default:
		if (!madvise(map + pages(first), pages(nr),
			     MADV_POPULATE_WRITE))
			return 0;
		/* That was SIGBUS. */
		return errno == EFAULT ? EDQUOT : errno;
	}
}

static void *take_and_give(void *arg)
{
	struct crowd *crowd = arg;
	int fd = object_create_with(crowd->pager, crowd->store, pages(EACH),
				    0);
	uint64_t random = 88172645463325252 + fd;
	char *map = mmap(NULL, pages(EACH), PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);

	must(fd >= 0 && map != MAP_FAILED);
	while (!crowd->stop && !crowd->failed) {
		uint64_t choice = next_random(&random);
		uint64_t nr = 1 + choice % EACH;
		int error;

		if (!ask(crowd, nr))
			continue;
		error = take(fd, map, (choice >> 16) % (EACH - nr + 1), nr,
			     (choice >> 32) % 3);
		if (!error && __atomic_add_fetch(&crowd->taken, nr,
						 __ATOMIC_SEQ_CST) > CROWD)
			crowd->exceeded = true;
		if (error && (crowd->polite || error != EDQUOT))
			crowd->failed = error;
		if (!error)
			__atomic_sub_fetch(&crowd->taken, nr,
					   __ATOMIC_SEQ_CST);
		must(!punch(fd, 0, EACH));
		if (crowd->polite)
			give_back(crowd, nr);
	}
	munmap(map, pages(EACH));
	close(fd);
	return NULL;
}

/* Wants more than the store has, and gets in the way of nobody by that. */
static void *want_too_much(void *arg)
{
	struct crowd *crowd = arg;
	int fd = object_create_with(crowd->pager, crowd->store, pages(SPACE),
				    0);

	must(fd >= 0);
	while (!crowd->stop && !crowd->failed) {
		int error = reserve(fd, 0, SPACE);

		if (error != ENOSPC && error != EDQUOT)
			crowd->failed = error ? error : -1;
	}
	close(fd);
	return NULL;
}

static void run_crowd(struct __test_metadata *_metadata, struct crowd *crowd,
		      bool greedy)
{
	double end = now() + test_seconds(SECONDS);
	pthread_t threads[THREADS + 1];
	int nr = THREADS + greedy;

	for (int i = 0; i < nr; i++)
		must(!pthread_create(&threads[i], NULL, i < THREADS ?
				     take_and_give : want_too_much, crowd));
	while (now() < end && !crowd->failed)
		sleep_ms(10);
	crowd->stop = true;
	for (int i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, crowd->failed)
		TH_LOG("%s", strerror(crowd->failed));
	EXPECT_FALSE(crowd->exceeded);
	EXPECT_TRUE(wait_until(has_no_object(crowd->store)));
	EXPECT_TRUE(is_charged(crowd->pager, crowd->store, crowd->store, 0));
}

FIXTURE(crowd)
{
	struct crowd crowd;
};

FIXTURE_SETUP(crowd)
{
	self->crowd.pager = pager_open();
	ASSERT_LE(0, self->crowd.pager);
}

FIXTURE_TEARDOWN(crowd)
{
	EXPECT_EQ(0, private_store_delete(self->crowd.store));
	close(self->crowd.pager);
}

TEST_F_TIMEOUT(crowd, never_exceeds_the_limit, 120)
{
	self->crowd.store = private_store(self->crowd.pager, pages(SPACE));
	ASSERT_LE(0, self->crowd.store);
	limit_user(self->crowd.store, pages(CROWD));
	run_crowd(_metadata, &self->crowd, false);
}

TEST_F_TIMEOUT(crowd, is_not_refused_while_there_is_room, 120)
{
	self->crowd.polite = true;
	self->crowd.left = CROWD;
	self->crowd.store = private_store(self->crowd.pager, pages(SPACE));
	ASSERT_LE(0, self->crowd.store);
	limit_user(self->crowd.store, pages(CROWD));
	limit_object(self->crowd.store, pages(EACH));
	run_crowd(_metadata, &self->crowd, true);
}

#define ROOM	20	/* pages, in the limit beside what nobody gets */

/* Creation does not look first whether there is space. */
static void *want_what_only_the_limit_has(void *arg)
{
	struct crowd *crowd = arg;

	while (!crowd->stop && !crowd->failed) {
		int ret = object_create_with(crowd->pager, crowd->store,
					     pages(SPACE),
					     DEFPAGER_OBJECT_RESERVE);

		if (ret != -ENOSPC && ret != -EDQUOT)
			crowd->failed = ret < 0 ? -ret : -1;
	}
	return NULL;
}

/* What others want, and do not get, is not charged for a moment. */
TEST_F_TIMEOUT(crowd, is_not_refused_for_what_others_do_not_get, 120)
{
	struct crowd *crowd = &self->crowd;
	double end = now() + test_seconds(SECONDS);
	pthread_t thread;
	int fd;

	crowd->store = private_store(crowd->pager, pages(SPACE - 1));
	ASSERT_LE(0, crowd->store);
	limit_user(crowd->store, pages(SPACE + ROOM));
	fd = object_create_with(crowd->pager, crowd->store, pages(ROOM + 1),
				0);
	ASSERT_LE(0, fd);
	must(!pthread_create(&thread, NULL, want_what_only_the_limit_has,
			     crowd));
	while (now() < end && !crowd->failed) {
		crowd->failed = reserve(fd, 0, ROOM + 1);
		must(!punch(fd, 0, ROOM + 1));
	}
	crowd->stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, crowd->failed)
		TH_LOG("%s", strerror(crowd->failed));
	close(fd);
	EXPECT_TRUE(wait_until(has_no_object(crowd->store)));
}

/* --- two who come at the same moment -------------------------------------- */

#define PART	2	/* pages that each of them wants; one more is left */

struct two {
	int fd[2];
	int taken[2];		/* pages */
	unsigned int arrived;	/* times that one of them did */
	volatile bool stop;
	volatile bool both;	/* have got them */
	uint64_t rounds;
};

/* Wait for the other one; false if it is over. */
static bool meet(struct two *two, unsigned int *times)
{
	*times += 2;
	__atomic_add_fetch(&two->arrived, 1, __ATOMIC_SEQ_CST);
	for (unsigned int i = 1; !two->stop; i++) {
		if (__atomic_load_n(&two->arrived, __ATOMIC_SEQ_CST) >= *times)
			return true;
		/* It may be waiting for this processor. */
		if (!(i % 10000))
			sched_yield();
	}
	return false;
}

static void come(struct two *two, int nr)
{
	uint64_t random = 88172645463325252 + nr;
	unsigned int times = 0;
	volatile int delay;

	while (meet(two, &times)) {
		/* Not always the same one first. */
		for (delay = next_random(&random) % 256; delay > 0; delay--)
			;
		two->taken[nr] = reserve(two->fd[nr], 0, PART) ? 0 : PART;
		if (!meet(two, &times))
			break;
		if (!nr) {
			two->both |= two->taken[0] && two->taken[1];
			two->rounds++;
		}
		must(!punch(two->fd[nr], 0, PART));
	}
}

static void *first_comes(void *arg)
{
	come(arg, 0);
	return NULL;
}

static void *second_comes(void *arg)
{
	come(arg, 1);
	return NULL;
}

TEST_F_TIMEOUT(crowd, of_two_gets_what_there_is_for_one, 120)
{
	struct two two = { .rounds = 0 };
	pthread_t threads[2];

	self->crowd.store = private_store(self->crowd.pager, pages(SPACE));
	ASSERT_LE(0, self->crowd.store);
	for (int i = 0; i < 2; i++) {
		two.fd[i] = object_create_with(self->crowd.pager,
					       self->crowd.store, pages(PART),
					       0);
		ASSERT_LE(0, two.fd[i]);
	}
	limit_user(self->crowd.store, pages(2 * PART - 1));
	must(!pthread_create(&threads[0], NULL, first_comes, &two));
	must(!pthread_create(&threads[1], NULL, second_comes, &two));
	for (double end = now() + test_seconds(2 * SECONDS);
	     now() < end && !two.both;)
		sleep_ms(10);
	two.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_FALSE(two.both)
		TH_LOG("after %ju times", (uintmax_t)two.rounds);
	EXPECT_LT(0, two.rounds);
	TH_LOG("%ju times", (uintmax_t)two.rounds);
	for (int i = 0; i < 2; i++) {
		must(!punch(two.fd[i], 0, PART));
		close(two.fd[i]);
	}
	EXPECT_TRUE(wait_until(has_no_object(self->crowd.store)));
}

/* --- one page, twice ------------------------------------------------------ */

struct last {
	struct two two;
	int fd;
	char *map;
	volatile int failed;	/* an errno */
};

/* Both touch the page when they have met, and one of them takes it away again. */
static void touch_last(struct last *last, int nr)
{
	uint64_t random = 88172645463325252 + nr;
	unsigned int times = 0;
	volatile int delay;
	int error;

	while (meet(&last->two, &times)) {
		for (delay = next_random(&random) % 256; delay > 0; delay--)
			;
		if (nr)
			error = madvise(last->map, page_size(),
					MADV_POPULATE_WRITE) ? errno : 0;
		else
			error = write_page(last->fd, 0);
		if (error)
			last->failed = error;
		if (!meet(&last->two, &times))
			break;
		if (!nr) {
			must(!punch(last->fd, 0, 1));
			last->two.rounds++;
		}
	}
}

static void *write_last(void *arg)
{
	touch_last(arg, 0);
	return NULL;
}

static void *populate_last(void *arg)
{
	touch_last(arg, 1);
	return NULL;
}

/*
 * There is space for one page, and it is this one: whoever finds none left, because
 * the other one has just got it, is not refused.
 */
static void touch_last_page(struct __test_metadata *_metadata, int pager,
			    int store)
{
	struct last last = { .failed = 0 };
	pthread_t threads[2];

	last.fd = object_create_with(pager, store, pages(1), 0);
	ASSERT_LE(0, last.fd);
	last.map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			last.fd, 0);
	ASSERT_NE(MAP_FAILED, last.map);
	must(!pthread_create(&threads[0], NULL, write_last, &last));
	must(!pthread_create(&threads[1], NULL, populate_last, &last));
	for (double end = now() + test_seconds(SECONDS);
	     now() < end && !last.failed;)
		sleep_ms(10);
	last.two.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, last.failed)
		TH_LOG("%s after %ju times", strerror(last.failed),
		       (uintmax_t)last.two.rounds);
	EXPECT_LT(0, last.two.rounds);
	munmap(last.map, page_size());
	close(last.fd);
}

TEST_F_TIMEOUT(crowd, gets_the_last_page_of_the_limit_together, 120)
{
	self->crowd.store = private_store(self->crowd.pager, pages(SPACE));
	ASSERT_LE(0, self->crowd.store);
	limit_user(self->crowd.store, pages(1));
	touch_last_page(_metadata, self->crowd.pager, self->crowd.store);
}

TEST_F_TIMEOUT(crowd, gets_the_last_page_of_the_store_together, 120)
{
	self->crowd.store = private_store(self->crowd.pager, pages(1));
	ASSERT_LE(0, self->crowd.store);
	touch_last_page(_metadata, self->crowd.pager, self->crowd.store);
}

#define EXACT	512

struct exact {
	int fd;
	char *map;
	volatile bool stop;
	volatile int failed;	/* an errno */
};

/* All do so with the same pages, more or less at the same time. */
static void *touch_pages(void *arg)
{
	struct exact *exact = arg;
	uint64_t random = 88172645463325252;

	while (!exact->stop && !exact->failed) {
		uint64_t page = next_random(&random) % EXACT;

		if (madvise(exact->map + pages(page), page_size(),
			    MADV_POPULATE_WRITE))
			exact->failed = errno;
	}
	return NULL;
}

static void *write_pages(void *arg)
{
	struct exact *exact = arg;
	uint64_t random = 88172645463325252;
	int error;

	while (!exact->stop && !exact->failed) {
		error = write_page(exact->fd, next_random(&random) % EXACT);
		if (error)
			exact->failed = error;
	}
	return NULL;
}

static void *reserve_and_punch(void *arg)
{
	struct exact *exact = arg;

	while (!exact->stop && !exact->failed) {
		int error = reserve(exact->fd, 0, EXACT);

		if (error)
			exact->failed = error;
		must(!punch(exact->fd, 0, EXACT));
	}
	return NULL;
}

/*
 * The object is as large as the limits: nothing can be too much. @store: whose
 * limits they are; @where: what it is confined to, or -1
 */
static void count_once(struct __test_metadata *_metadata, int pager, int store,
		       int where)
{
	void *(*const users[])(void *) = { reserve_and_punch, touch_pages,
					   touch_pages, write_pages };
	struct exact exact = { .failed = 0 };
	pthread_t threads[ARRAY_SIZE(users)];

	exact.fd = object_create_with(pager, where, pages(EXACT), 0);
	ASSERT_LE(0, exact.fd);
	exact.map = mmap(NULL, pages(EXACT), PROT_READ | PROT_WRITE,
			 MAP_SHARED, exact.fd, 0);
	ASSERT_NE(MAP_FAILED, exact.map);
	limit_object(store, pages(EXACT));
	limit_user(store, pages(EXACT));
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		must(!pthread_create(&threads[i], NULL, users[i], &exact));
	for (double end = now() + test_seconds(SECONDS);
	     now() < end && !exact.failed;)
		sleep_ms(10);
	exact.stop = true;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, exact.failed)
		TH_LOG("%s", strerror(exact.failed));
	limit_object(store, 0);
	EXPECT_TRUE(is_charged(pager, store, where,
			       object_reserved(exact.fd) / page_size()));
	munmap(exact.map, pages(EXACT));
	close(exact.fd);
}

TEST(page_of_a_confined_object_counts_once)
{
	int pager = pager_open(), store;

	ASSERT_LE(0, pager);
	store = private_store(pager, pages(SPACE));
	ASSERT_LE(0, store);
	count_once(_metadata, pager, store, store);
	EXPECT_EQ(0, private_store_delete(store));
	close(pager);
}

TEST(page_of_a_pooled_object_counts_once)
{
	int pager = pager_open(), store;

	ASSERT_LE(0, pager);
	ASSERT_EQ(0, pager_need_space(pager, pages(SPACE)));
	store = store_open(pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, store);
	count_once(_metadata, pager, store, -1);
	close(store);
	close(pager);
}

TEST_HARNESS_MAIN
