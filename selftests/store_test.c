// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores: how they come and go, and whose pages they take.
 *
 * Needs a disk of 256 MiB, /dev/vda, which is overwritten.
 */
#include <poll.h>
#include <pthread.h>

#include "store_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300

FIXTURE(store)
{
	struct stores s;
};

FIXTURE_SETUP(store)
{
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	ASSERT_EQ(0, totals(self->s.pager).total_bytes);
}

FIXTURE_TEARDOWN(store)
{
	struct defpager_info info;

	EXPECT_EQ(0, stores_clear(&self->s));
	info = totals(self->s.pager);
	EXPECT_EQ(1, info.nr_stores);
	EXPECT_EQ(0, info.nr_segments);
	EXPECT_EQ(0, info.total_bytes);
	EXPECT_EQ(0, info.free_bytes);
	EXPECT_EQ(0, info.reserved_bytes);
	stores_close(&self->s);
}

/* --- Coming and going -------------------------------------------------- */

TEST_F(store, is_listed_and_found_by_its_name)
{
	static const char *const names[] = { "fast", "slow", "secret" };
	struct defpager_backing_store_info row, info;
	uint64_t start, last = 0;
	int store, i, found = 0;

	for (i = 0; i < 3; i++) {
		store = store_new(&self->s, names[i], i, KIB(4) << i,
				  i == 2 ? DEFPAGER_STORE_EXCLUSIVE : 0);
		segment_new(&self->s, store, MIB(1 + i));
		close(store);
	}
	for (start = 0; list_rows(self->s.pager, DEFPAGER_IOC_BACKING_STORES,
				  &start, &row, sizeof(row), 1) == 1; found++) {
		EXPECT_LT(last, row.id);
		last = row.id;
		store = store_of_name(&self->s, row.name);
		info = store_state(store);
		EXPECT_EQ(0, memcmp(&row, &info, sizeof(info)));
		close(store);
		if (!found) {
			EXPECT_STREQ(DEFPAGER_DEFAULT_STORE, row.name);
			continue;
		}
		ASSERT_GE(3, found);
		EXPECT_STREQ(names[found - 1], row.name);
		EXPECT_EQ(found - 1, row.priority);
		EXPECT_EQ(KIB(4) << (found - 1), row.cluster_bytes);
		EXPECT_EQ(found == 3 ? DEFPAGER_STORE_EXCLUSIVE : 0, row.flags);
		EXPECT_EQ(MIB(found), row.total_bytes);
		EXPECT_EQ(MIB(found), row.free_bytes);
	}
	EXPECT_EQ(4, found);
	EXPECT_TRUE(accounts_agree(&self->s));
}

TEST_F(store, outlives_its_descriptors)
{
	int store = store_with_space(&self->s, "lasting", 0, 0, MIB(1));
	uint64_t id = store_state(store).id;

	close(store);
	stores_close(&self->s);
	self->s = stores_open();
	store = store_of_name(&self->s, "lasting");
	EXPECT_EQ(id, store_state(store).id);
	EXPECT_EQ(MIB(1), store_state(store).total_bytes);
	close(store);
}

TEST_F(store, deleted_name_can_be_used_again)
{
	uint64_t id = 0;
	int i, store;

	for (i = 0; i < 20; i++) {
		store = store_with_space(&self->s, "phoenix", 0, 0, MIB(1));
		EXPECT_NE(id, store_state(store).id);
		id = store_state(store).id;
		ASSERT_EQ(0, store_delete(store, -1));
		EXPECT_EQ(-ENOENT, store_open(self->s.pager, "phoenix"));
		EXPECT_EQ(1, totals(self->s.pager).nr_stores);
		close(store);
	}
}

TEST_F(store, deleted_device_can_be_claimed)
{
	int store = store_with_space(&self->s, "claim", 0, 0, MIB(1));
	int claim;

	ASSERT_EQ(-1, open("/dev/vda", O_RDWR | O_EXCL | O_CLOEXEC));
	ASSERT_EQ(0, store_delete(store, -1));
	claim = open("/dev/vda", O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claim);
	close(claim);
	close(store);
}

TEST_F(store, default_cannot_be_deleted)
{
	int store = store_of_name(&self->s, DEFPAGER_DEFAULT_STORE);
	int other = store_with_space(&self->s, "other", 0, 0, MIB(1));

	EXPECT_EQ(-EBUSY, store_delete(store, -1));
	EXPECT_EQ(-EBUSY, store_delete(store, other));
	segment_new(&self->s, store, MIB(1));
	EXPECT_EQ(-EBUSY, store_delete(store, -1));
	EXPECT_EQ(-EBUSY, store_delete(store, other));
	EXPECT_EQ(1, store_state(store).nr_segments);
	close(other);
	close(store);
}

TEST_F(store, deleted_store_is_no_device)
{
	int store = store_with_space(&self->s, "gone", 0, 0, MIB(1));
	int other = store_with_space(&self->s, "other", 0, 0, MIB(1));
	int duplicate = store_of_name(&self->s, "gone"), fds[2], i;
	struct defpager_backing_store_alert alert = { .size = sizeof(alert) };
	struct defpager_backing_store_info info;
	struct defpager_segment_info row = { .size = 0 };

	ASSERT_EQ(0, store_delete(store, -1));
	fds[0] = store;
	fds[1] = duplicate;
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-ENODEV, store_info(fds[i], &info));
		EXPECT_EQ(-ENODEV, segment_add(fds[i], self->s.disk, 8192, 8,
					       512));
		EXPECT_EQ(-ENODEV, list_rows(fds[i], DEFPAGER_IOC_SEGMENTS,
					     &(uint64_t){ 0 }, &row,
					     sizeof(row), 1));
		EXPECT_EQ(-ENODEV, segment_remove(fds[i], 1, -1));
		EXPECT_EQ(-ENODEV, segment_remove(fds[i], 1, other));
		EXPECT_EQ(-ENODEV, store_delete(fds[i], -1));
		EXPECT_EQ(-ENODEV, store_delete(fds[i], other));
		EXPECT_EQ(-ENODEV, defpager_ioctl(fds[i],
					DEFPAGER_IOC_BACKING_STORE_ALERT,
					&alert));
		EXPECT_EQ(-ENODEV, object_create_in(self->s.pager, fds[i], 1));
		/* Nor can it take anything over. */
		EXPECT_EQ(-ENODEV, store_delete(other, fds[i]));
		EXPECT_EQ(-ENODEV, segment_remove(other, segment_new(&self->s,
						  other, MIB(1)), fds[i]));
	}
	close(duplicate);
	close(other);
	close(store);
}

static void *wait_for_hang_up(void *arg)
{
	struct pollfd fd = { .fd = *(int *)arg, .events = POLLPRI };

	must(poll(&fd, 1, 60000) == 1);
	return (void *)(intptr_t)fd.revents;
}

TEST_F(store, deletion_hangs_up)
{
	int store = store_with_space(&self->s, "hang up", 0, 0, MIB(1));
	struct pollfd fd = { .fd = store, .events = POLLPRI | POLLIN };
	pthread_t waiter;
	void *events;

	EXPECT_EQ(0, poll(&fd, 1, 0));
	ASSERT_EQ(0, pthread_create(&waiter, NULL, wait_for_hang_up, &store));
	/* It may be in poll() or on its way there: either must do. */
	sched_yield();
	ASSERT_EQ(0, store_delete(store, -1));
	ASSERT_EQ(0, pthread_join(waiter, &events));
	EXPECT_EQ(POLLHUP, (intptr_t)events);
	EXPECT_EQ(1, poll(&fd, 1, 0));
	EXPECT_EQ(POLLHUP, fd.revents);
	close(store);
}

TEST_F(store, with_confined_objects_is_busy)
{
	int store = store_with_space(&self->s, "home", 0, 0, MIB(1));
	struct memory memory = memory_create_in(self->s.pager, store, MIB(1));
	int duplicate;

	/* Even one that holds nothing. */
	EXPECT_EQ(-EBUSY, store_delete(store, -1));
	fill(&memory, 0, 1, 1);
	EXPECT_EQ(-EBUSY, store_delete(store, -1));
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(-EBUSY, store_delete(store, -1));
	duplicate = store_of_name(&self->s, "home");
	EXPECT_EQ(1, store_state(duplicate).nr_objects);
	EXPECT_TRUE(verify(&memory, 0, 1, 1));
	/* It is as before: usable, and more can come. */
	fill_all(&memory, 2);
	ASSERT_EQ(0, close(object_create_in(self->s.pager, store, 1)));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	EXPECT_EQ(0, store_delete(store, -1));
	close(duplicate);
	close(store);
}

struct creator {
	pthread_t thread;
	pthread_barrier_t *barrier;
	int pager;
	int store;
};

static void *create_at_once(void *arg)
{
	struct creator *creator = arg;

	pthread_barrier_wait(creator->barrier);
	creator->store = store_create(creator->pager, "contested", 0, 0, 0);
	return NULL;
}

TEST_F(store, one_of_many_at_once_gets_the_name)
{
	struct creator creators[8];
	pthread_barrier_t barrier;
	int round, i, winners;

	pthread_barrier_init(&barrier, NULL, ARRAY_SIZE(creators));
	for (round = 0; round < 20; round++) {
		winners = 0;
		for (i = 0; i < 8; i++) {
			creators[i].barrier = &barrier;
			creators[i].pager = self->s.pager;
			ASSERT_EQ(0, pthread_create(&creators[i].thread, NULL,
						    create_at_once,
						    &creators[i]));
		}
		for (i = 0; i < 8; i++) {
			ASSERT_EQ(0, pthread_join(creators[i].thread, NULL));
			if (creators[i].store >= 0) {
				winners++;
				ASSERT_EQ(0, store_delete(creators[i].store,
							  -1));
				close(creators[i].store);
			} else {
				/* Or that one was deleted by then. */
				EXPECT_EQ(-EEXIST, creators[i].store);
			}
		}
		EXPECT_LE(1, winners);
	}
	pthread_barrier_destroy(&barrier);
}

/* --- Thousands --------------------------------------------------------- */

TEST_F_TIMEOUT(store, thousands_of_stores, TIMEOUT)
{
	const int nr = 2000;
	struct defpager_backing_store_info rows[64];
	int i, store, count, seen = 0;
	uint64_t start = 0;
	char name[16];

	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "store %d", i);
		store = store_new(&self->s, name, i % 100, 0, 0);
		if (i % 40 == 0)
			segment_new(&self->s, store, PAGES(1));
		close(store);
	}
	EXPECT_EQ(nr + 1, totals(self->s.pager).nr_stores);
	EXPECT_EQ(PAGES(nr / 40), totals(self->s.pager).total_bytes);
	do {
		count = list_rows(self->s.pager, DEFPAGER_IOC_BACKING_STORES,
				  &start, rows, sizeof(rows[0]), 64);
		ASSERT_LE(0, count);
		seen += count;
	} while (count == 64);
	EXPECT_EQ(nr + 1, seen);
	/* Each by its name. */
	for (i = 0; i < nr; i += 97) {
		snprintf(name, sizeof(name), "store %d", i);
		store = store_of_name(&self->s, name);
		EXPECT_EQ(i % 100, store_state(store).priority);
		close(store);
	}
}

/* One page in each of thousands of segments, that of a page by turns. */
TEST_F_TIMEOUT(store, thousands_of_segments, TIMEOUT)
{
	const uint64_t nr = 3000;
	int store = store_new(&self->s, "many", 0, 4096,
			      DEFPAGER_STORE_EXCLUSIVE);
	struct defpager_segment_info rows[64];
	uint64_t i, start = 0, used = 0;
	struct memory memory;
	int count;

	for (i = 0; i < nr; i++)
		segment_new(&self->s, store, PAGES(2));
	EXPECT_EQ(nr, store_state(store).nr_segments);
	EXPECT_EQ(PAGES(2 * nr), store_state(store).free_bytes);
	memory = memory_create_in(self->s.pager, store, PAGES(nr));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	do {
		count = list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, rows,
				  sizeof(rows[0]), 64);
		ASSERT_LE(0, count);
		for (i = 0; i < (uint64_t)count; i++)
			used += rows[i].used_bytes == page_size();
	} while (count == 64);
	/* Two who look for a slot at the same time may skip a segment. */
	EXPECT_LE(nr * 9 / 10, used);
	EXPECT_TRUE(verify_all(&memory, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	ASSERT_EQ(0, store_delete(store, -1));
	EXPECT_EQ(0, totals(self->s.pager).nr_segments);
	close(store);
}

/* --- Who may have space ------------------------------------------------ */

TEST_F_TIMEOUT(store, confined_objects_stay_in_their_store, TIMEOUT)
{
	int home = store_with_space(&self->s, "home", 0, 0, MIB(2));
	int top = store_with_space(&self->s, "top", 100, 0, MIB(4));
	struct memory memory = memory_create_in(self->s.pager, home, MIB(4));
	struct defpager_object_info info;

	info = memory_info(&memory);
	EXPECT_EQ(1, info.confined);
	EXPECT_STREQ("home", info.backing_store);
	/* There is space, but not for this one. */
	EXPECT_EQ(512, touch_all(&memory));
	EXPECT_FALSE(store_byte(memory_page(&memory, 512), 1));
	EXPECT_EQ(MIB(4), store_state(top).free_bytes);
	fill(&memory, 0, 512, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(MIB(2), store_state(home).used_bytes);
	EXPECT_EQ(0, store_state(top).used_bytes);
	EXPECT_TRUE(verify(&memory, 0, 512, 1));
	/* Again, since all of them have places now. */
	fill(&memory, 0, 512, 2);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(0, store_state(top).used_bytes);
	EXPECT_TRUE(verify(&memory, 0, 512, 2));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	close(top);
	close(home);
}

TEST_F_TIMEOUT(store, objects_of_the_pager_avoid_exclusive_stores, TIMEOUT)
{
	int own = store_with_space(&self->s, "own", 100,
				   DEFPAGER_STORE_EXCLUSIVE, MIB(4));
	struct memory memory = memory_create(self->s.pager, MIB(4));
	int common;

	/* There is nothing else, and that is no reason. */
	EXPECT_EQ(0, touch_all(&memory));
	EXPECT_FALSE(store_byte(memory.map, 1));
	common = store_with_space(&self->s, "common", -100, 0, MIB(1));
	EXPECT_EQ(256, touch_all(&memory));
	EXPECT_STREQ("common", memory_info(&memory).backing_store);
	EXPECT_EQ(0, memory_info(&memory).confined);
	fill(&memory, 0, 256, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(MIB(1), store_state(common).used_bytes);
	EXPECT_EQ(MIB(4), store_state(own).free_bytes);
	EXPECT_TRUE(verify(&memory, 0, 256, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	close(common);
	close(own);
}

/*
 * At the edge of full, who was promised space has it: it can all be written,
 * whoever comes first. And nobody else is promised a page of it.
 */
static void fill_to_the_edge(struct __test_metadata *_metadata,
			     struct stores *s, uint64_t bytes, bool confined_out)
{
	int home = store_with_space(s, "home", 0, 0, bytes);
	uint64_t share = bytes / page_size() / 2 - 1;
	struct memory confined = memory_create_in(s->pager, home, bytes);
	struct memory pooled = memory_create(s->pager, bytes);
	uint64_t rest = bytes / page_size() - share;

	fill(&confined, 0, share, 1);
	EXPECT_EQ(PAGES(rest), store_state(home).free_bytes);
	EXPECT_EQ(rest, touch_all(&pooled));
	fill(&pooled, 0, rest, 1);
	EXPECT_FALSE(store_byte(memory_page(&pooled, rest), 1));
	EXPECT_FALSE(store_byte(memory_page(&confined, share), 1));
	EXPECT_EQ(0, store_state(home).free_bytes);
	EXPECT_EQ(PAGES(share), store_state(home).confined_bytes);

	ASSERT_TRUE(evict(confined_out ? &confined : &pooled));
	EXPECT_FALSE(store_byte(memory_page(&pooled, rest), 1));
	EXPECT_FALSE(store_byte(memory_page(&confined, share), 1));
	ASSERT_TRUE(evict(confined_out ? &pooled : &confined));
	EXPECT_EQ(bytes, store_state(home).used_bytes);
	EXPECT_TRUE(accounts_agree(s));

	/* A page given up by the one is there for either. */
	ASSERT_EQ(0, ftruncate(confined.fd, PAGES(share - 1)));
	ASSERT_EQ(0, ftruncate(confined.fd, confined.size));
	EXPECT_TRUE(store_byte(memory_page(&pooled, rest), 1));
	EXPECT_FALSE(store_byte(memory_page(&confined, share), 1));
	ASSERT_EQ(0, ftruncate(pooled.fd, PAGES(rest)));
	EXPECT_TRUE(store_byte(memory_page(&confined, share), 1));
	EXPECT_TRUE(verify(&confined, 0, share - 1, 1));
	EXPECT_TRUE(verify(&pooled, 0, rest, 1));
	EXPECT_TRUE(accounts_agree(s));
	memory_destroy(&confined);
	memory_destroy(&pooled);
	close(home);
}

TEST_F_TIMEOUT(store, promises_hold_when_the_pager_writes_first, TIMEOUT)
{
	fill_to_the_edge(_metadata, &self->s, MIB(2), false);
}

TEST_F_TIMEOUT(store, promises_hold_when_confined_objects_write_first, TIMEOUT)
{
	fill_to_the_edge(_metadata, &self->s, MIB(2), true);
}

/* What is known of free space comes in pieces of 128 MiB: over the border. */
TEST_F_TIMEOUT(store, promises_hold_in_large_segments, TIMEOUT)
{
	const uint64_t bytes = MIB(128) + PAGES(64);
	int home = store_with_space(&self->s, "home", 0, 0, bytes);
	struct memory confined = memory_create_in(self->s.pager, home, bytes);
	struct memory pooled = memory_create(self->s.pager, MIB(1));
	uint64_t rest = memory_pages(&confined) - 100;

	ASSERT_EQ(0, ftruncate(confined.fd, PAGES(rest)));
	EXPECT_EQ(rest, touch_all(&(struct memory){ .fd = confined.fd,
						    .size = PAGES(rest) }));
	EXPECT_EQ(100, touch_all(&pooled));
	EXPECT_EQ(0, store_state(home).free_bytes);
	ASSERT_TRUE(evict(&pooled));
	/* Of the others, some may have gone out by themselves. */
	EXPECT_EQ(100, stored_pages(&pooled));
	memory_destroy(&pooled);
	ASSERT_EQ(0, ftruncate(confined.fd, bytes));
	EXPECT_EQ(100, touch_all(&(struct memory){ .fd = confined.fd,
						   .size = bytes }) - rest);
	EXPECT_EQ(0, store_state(home).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&confined);
	close(home);
}

/* Objects of the pager share what several stores have promised to nobody. */
TEST_F_TIMEOUT(store, promises_hold_across_stores, TIMEOUT)
{
	int a = store_with_space(&self->s, "a", 1, 0, MIB(1));
	int b = store_with_space(&self->s, "b", 0, 0, MIB(1));
	struct memory in_a = memory_create_in(self->s.pager, a, MIB(1));
	struct memory in_b = memory_create_in(self->s.pager, b, MIB(1));
	struct memory pooled = memory_create(self->s.pager, MIB(2));

	fill(&in_a, 0, 100, 1);
	EXPECT_EQ(412, touch_all(&pooled));
	fill(&pooled, 0, 412, 1);
	/* Whatever is free in b by now has been promised. */
	EXPECT_FALSE(store_byte(in_b.map, 1));
	ASSERT_TRUE(evict(&pooled));
	EXPECT_EQ(PAGES(156), store_state(a).used_bytes);
	EXPECT_EQ(PAGES(256), store_state(b).used_bytes);
	ASSERT_TRUE(evict(&in_a));
	EXPECT_EQ(MIB(1), store_state(a).used_bytes);
	EXPECT_TRUE(verify(&in_a, 0, 100, 1));
	EXPECT_TRUE(verify(&pooled, 0, 412, 1));

	/* Half a share of the pager's, on whichever store it is. */
	ASSERT_EQ(0, ftruncate(pooled.fd, PAGES(206)));
	EXPECT_TRUE(accounts_agree(&self->s));
	fill(&in_b, 0, 50, 1);
	ASSERT_TRUE(evict(&in_b));
	EXPECT_TRUE(verify(&in_b, 0, 50, 1));
	EXPECT_TRUE(verify(&pooled, 0, 206, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&pooled);
	memory_destroy(&in_b);
	memory_destroy(&in_a);
	close(b);
	close(a);
}

struct toucher {
	pthread_t thread;
	struct memory memory;
	uint64_t touched;
};

static void *touch_and_tell(void *arg)
{
	struct toucher *toucher = arg;

	toucher->touched = touch_all(&toucher->memory);
	return NULL;
}

/* All of them run into the end at the same time: not a page over, nor below. */
TEST_F_TIMEOUT(store, promises_hold_when_many_ask_at_once, TIMEOUT)
{
	int home = store_with_space(&self->s, "home", 0, 0, MIB(2));
	struct toucher touchers[4];
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		touchers[i].memory = memory_create_in(self->s.pager,
						      i % 2 ? home : -1,
						      MIB(2));
		ASSERT_EQ(0, pthread_create(&touchers[i].thread, NULL,
					    touch_and_tell, &touchers[i]));
	}
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(touchers[i].thread, NULL));
		sum += touchers[i].touched;
	}
	EXPECT_EQ(512, sum);
	EXPECT_EQ(0, store_state(home).free_bytes);
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(evict(&touchers[i].memory));
	EXPECT_EQ(MIB(2), store_state(home).used_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	for (i = 0; i < 4; i++)
		memory_destroy(&touchers[i].memory);
	close(home);
}

/* --- Priority ---------------------------------------------------------- */

FIXTURE(priority)
{
	struct stores s;
	int store[3];		/* in ascending priority */
	uint64_t segment[3];
};

#define SHARE 256		/* pages of each store */

FIXTURE_SETUP(priority)
{
	static const int priority[] = { -5, 0, 1000 };
	/* Neither the order of creation nor that of the alphabet. */
	static const int order[] = { 1, 2, 0 };
	char name[16];
	int i;

	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "tier %d", order[i]);
		self->store[order[i]] = store_new(&self->s, name,
						  priority[order[i]], 0, 0);
		self->segment[order[i]] = segment_new(&self->s,
						      self->store[order[i]],
						      PAGES(SHARE));
	}
}

FIXTURE_TEARDOWN(priority)
{
	int i;

	EXPECT_EQ(0, stores_clear(&self->s));
	for (i = 0; i < 3; i++)
		close(self->store[i]);
	stores_close(&self->s);
}

static uint64_t used_pages(int store)
{
	return store_state(store).used_bytes / page_size();
}

/* From the top to the bottom, and in the end not a page is left. */
TEST_F_TIMEOUT(priority, pages_spill_over_when_a_store_is_full, TIMEOUT)
{
	struct memory memory = memory_create(self->s.pager, PAGES(3 * SHARE));
	uint64_t page, step = SHARE / 2;

	EXPECT_STREQ("tier 2", memory_info(&memory).backing_store);
	for (page = 0; page < 3 * SHARE; page += step) {
		fill(&memory, page, step, 1);
		ASSERT_TRUE(evict(&memory));
		EXPECT_EQ(page < SHARE ? page + step : SHARE,
			  used_pages(self->store[2]));
		EXPECT_EQ(page < SHARE ? 0 :
			  page < 2 * SHARE ? page + step - SHARE : SHARE,
			  used_pages(self->store[1]));
		EXPECT_EQ(page < 2 * SHARE ? 0 : page + step - 2 * SHARE,
			  used_pages(self->store[0]));
	}
	EXPECT_EQ(0, totals(self->s.pager).free_bytes);
	EXPECT_TRUE(verify_all(&memory, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
}

/* What is free is told where it is going to be used, before it is. */
TEST_F_TIMEOUT(priority, space_is_told_from_the_store_that_will_be_used, TIMEOUT)
{
	struct memory memory = memory_create(self->s.pager, PAGES(3 * SHARE));

	fill(&memory, 0, SHARE / 2, 1);
	EXPECT_EQ(PAGES(SHARE / 2), store_state(self->store[2]).free_bytes);
	EXPECT_EQ(PAGES(SHARE), store_state(self->store[1]).free_bytes);
	fill(&memory, SHARE / 2, SHARE, 1);
	EXPECT_EQ(0, store_state(self->store[2]).free_bytes);
	EXPECT_EQ(PAGES(SHARE / 2), store_state(self->store[1]).free_bytes);
	EXPECT_EQ(PAGES(SHARE), store_state(self->store[0]).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(0, store_state(self->store[2]).free_bytes);
	EXPECT_EQ(PAGES(SHARE / 2), store_state(self->store[1]).free_bytes);
	EXPECT_EQ(PAGES(SHARE), store_state(self->store[0]).free_bytes);
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
}

TEST_F_TIMEOUT(priority, pages_return_when_there_is_room_again, TIMEOUT)
{
	struct memory first = memory_create(self->s.pager, PAGES(SHARE));
	struct memory second = memory_create(self->s.pager, PAGES(SHARE));

	fill_all(&first, 1);
	ASSERT_TRUE(evict(&first));
	fill_all(&second, 1);
	ASSERT_TRUE(evict(&second));
	EXPECT_EQ(PAGES(SHARE), stored_in(&second, self->segment[1]));
	memory_destroy(&first);
	EXPECT_EQ(0, used_pages(self->store[2]));
	/* Read only, they stay. */
	EXPECT_TRUE(verify_all(&second, 1));
	ASSERT_TRUE(evict(&second));
	EXPECT_EQ(PAGES(SHARE), stored_in(&second, self->segment[1]));
	/* Those which are written anew go up, and leave nothing behind. */
	fill(&second, 0, SHARE / 2, 2);
	ASSERT_TRUE(evict(&second));
	EXPECT_EQ(PAGES(SHARE / 2), stored_in(&second, self->segment[2]));
	EXPECT_EQ(PAGES(SHARE / 2), stored_in(&second, self->segment[1]));
	EXPECT_EQ(SHARE / 2, used_pages(self->store[1]));
	EXPECT_TRUE(verify(&second, 0, SHARE / 2, 2));
	EXPECT_TRUE(verify(&second, SHARE / 2, SHARE / 2, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&second);
}

/* A store at the top that is full, or has nothing, is passed over. */
TEST_F_TIMEOUT(priority, full_and_empty_stores_are_passed_over, TIMEOUT)
{
	int empty = store_new(&self->s, "empty", 2000, 0, 0);
	struct memory confined = memory_create_in(self->s.pager, self->store[2],
						  PAGES(SHARE));
	struct memory memory = memory_create(self->s.pager, PAGES(2 * SHARE));

	/* Promised to somebody who does not need it yet: full all the same. */
	fill_all(&confined, 1);
	EXPECT_EQ(2 * SHARE, touch_all(&memory));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(0, used_pages(self->store[2]));
	EXPECT_EQ(SHARE, used_pages(self->store[1]));
	EXPECT_EQ(SHARE, used_pages(self->store[0]));
	fill_all(&memory, 2);
	ASSERT_TRUE(evict(&memory));
	ASSERT_TRUE(evict(&confined));
	EXPECT_TRUE(verify_all(&memory, 2));
	EXPECT_TRUE(verify_all(&confined, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	memory_destroy(&confined);
	close(empty);
}

/* One that comes later, with the highest priority of all, is used at once. */
TEST_F_TIMEOUT(priority, new_store_takes_its_place, TIMEOUT)
{
	struct memory memory = memory_create(self->s.pager, PAGES(SHARE));
	int better;

	fill(&memory, 0, SHARE / 2, 1);
	ASSERT_TRUE(evict(&memory));
	better = store_with_space(&self->s, "better", INT_MAX, 0, PAGES(SHARE));
	EXPECT_STREQ("better", memory_info(&memory).backing_store);
	fill(&memory, SHARE / 2, SHARE / 2, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(SHARE / 2, used_pages(better));
	EXPECT_EQ(SHARE / 2, used_pages(self->store[2]));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	close(better);
}

/* --- Clusters ---------------------------------------------------------- */

FIXTURE(cluster)
{
	struct stores s;
	int store;
	struct memory memory;	/* of a quarter of the store */
	uint64_t cluster;	/* pages */
};

FIXTURE_VARIANT(cluster)
{
	uint32_t bytes;
};

#define CLUSTER_VARIANT(_kib)						\
	FIXTURE_VARIANT_ADD(cluster, of_##_kib##_kib) { .bytes = KIB(_kib) }

CLUSTER_VARIANT(4);
CLUSTER_VARIANT(8);
CLUSTER_VARIANT(64);
CLUSTER_VARIANT(128);
CLUSTER_VARIANT(512);
CLUSTER_VARIANT(2048);

FIXTURE_SETUP(cluster)
{
	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->store = store_new(&self->s, "clusters", 0, variant->bytes,
				DEFPAGER_STORE_EXCLUSIVE);
	segment_new(&self->s, self->store, MIB(16));
	self->memory = memory_create_in(self->s.pager, self->store, MIB(4));
	self->cluster = variant->bytes / page_size();
}

FIXTURE_TEARDOWN(cluster)
{
	memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->store);
	stores_close(&self->s);
}

/* Pages of one cluster that are not where the first one says they are. */
static uint64_t strays(const struct memory *memory, uint64_t cluster)
{
	struct defpager_page_range first = { .flags = 0 }, row;
	uint64_t page, nr = 0;

	for (page = 0; page < memory_pages(memory); page++) {
		row = page_place(memory, page);
		must(row.flags & DEFPAGER_PAGE_STORED);
		if (page % cluster == 0)
			first = row;
		nr += row.segment != first.segment ||
		      row.device_offset != first.device_offset +
						   PAGES(page % cluster);
	}
	return nr;
}

TEST_F_TIMEOUT(cluster, neighbours_are_neighbours_on_the_device, TIMEOUT)
{
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, strays(&self->memory, self->cluster));
	EXPECT_EQ(variant->bytes, store_state(self->store).cluster_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

/* Whatever the order in which they went out, each finds its place kept. */
TEST_F_TIMEOUT(cluster, neighbours_join_whatever_the_order, TIMEOUT)
{
	struct memory *memory = &self->memory;
	const uint64_t step = 37;
	uint64_t page, i, count = memory_pages(memory);

	/* 37 and the number of pages have no divisor in common. */
	for (i = 0; i < count; i++) {
		page = i * step % count;
		fill(memory, page, 1, 1);
		if (i % 64 == 63)
			ASSERT_TRUE(evict(memory));
	}
	EXPECT_EQ(0, strays(memory, self->cluster));
	EXPECT_TRUE(verify_all(memory, 1));
}

/* Two objects that grow side by side do not get into each other's clusters. */
TEST_F_TIMEOUT(cluster, objects_do_not_mix, TIMEOUT)
{
	struct memory *memory = &self->memory;
	struct memory other = memory_create_in(self->s.pager, self->store,
					       MIB(4));
	uint64_t page, step = 16;

	for (page = 0; page < memory_pages(memory); page += step) {
		fill(memory, page, step, 1);
		fill(&other, page, step, 2);
		if (page % (8 * step) == 0) {
			ASSERT_TRUE(evict(&other));
			ASSERT_TRUE(evict(memory));
		}
	}
	ASSERT_TRUE(evict(memory));
	ASSERT_TRUE(evict(&other));
	EXPECT_EQ(0, strays(memory, self->cluster));
	EXPECT_EQ(0, strays(&other, self->cluster));
	EXPECT_TRUE(verify_all(memory, 1));
	EXPECT_TRUE(verify_all(&other, 2));
	memory_destroy(&other);
}

/* When no cluster is left, every single page of the store is used. */
TEST_F_TIMEOUT(cluster, scattered_pages_fill_the_store, TIMEOUT)
{
	const uint64_t total = MIB(16) / page_size();
	struct memory wide = memory_create_in(self->s.pager, self->store,
					      MIB(64));
	uint64_t page;

	/* One page in each fourth place: a cluster each, if there are any. */
	for (page = 0; page < total; page++)
		fill(&wide, 4 * page, 1, 1);
	EXPECT_EQ(0, store_state(self->store).free_bytes);
	ASSERT_TRUE(evict(&wide));
	EXPECT_EQ(MIB(16), store_state(self->store).used_bytes);
	for (page = 0; page < total; page++)
		ASSERT_TRUE(verify(&wide, 4 * page, 1, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&wide);
}

/*
 * Stores of one pager with clusters of their own: in each of them an object of
 * the pager finds its pages together as that store has it.
 */
TEST_F_TIMEOUT(store, clusters_are_those_of_the_store_spilled_to, TIMEOUT)
{
	int top = store_new(&self->s, "top", 1, 4096, 0);
	int low = store_new(&self->s, "low", 0, KIB(128), 0);
	struct memory memory = memory_create(self->s.pager, MIB(2));
	uint64_t segment;

	segment_new(&self->s, top, MIB(1));
	segment = segment_new(&self->s, low, MIB(16));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_EQ(MIB(1), store_state(top).used_bytes);
	EXPECT_EQ(MIB(1), stored_in(&memory, segment));
	/* Not all of the first and the last cluster may be there. */
	EXPECT_LE(256 - 2 * 9, contiguous_in(&memory, segment));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	close(low);
	close(top);
}

TEST_HARNESS_MAIN
