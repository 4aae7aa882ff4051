// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores: how they come and go, and thousands of them.
 *
 * Needs a disk of 256 MiB, /dev/vda, which is overwritten.
 */
#include <poll.h>
#include <pthread.h>

#include "store_utils.h"

#include "kselftest_harness.h"

#include "store_fixture.h"

#define TIMEOUT 300

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
			winners += creators[i].store >= 0;
			EXPECT_TRUE(creators[i].store >= 0 ||
				    creators[i].store == -EEXIST);
		}
		/* None is deleted before all have tried. */
		EXPECT_EQ(1, winners);
		for (i = 0; i < 8; i++) {
			if (creators[i].store < 0)
				continue;
			ASSERT_EQ(0, store_delete(creators[i].store, -1));
			close(creators[i].store);
		}
	}
	pthread_barrier_destroy(&barrier);
}

/* --- What is closed before it is refused ------------------------------- */

/* Of two segments the first could go, the second could not: both stay in use. */
TEST_F_TIMEOUT(store, refused_deletion_reopens_what_was_closed, TIMEOUT)
{
	int from = store_new(&self->s, "from", 1, 0, 0);
	int to = store_with_space(&self->s, "to", 0, 0, MIB(1));
	uint64_t id[2] = {
		segment_new(&self->s, from, MIB(1)),
		segment_new(&self->s, from, MIB(1)),
	};
	struct memory pooled = memory_create(self->s.pager, MIB(2));
	int i;

	fill_all(&pooled, 1);
	EXPECT_EQ(-ENOSPC, store_delete(from, -1));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
			  segment_state(from, id[i]).state);
	EXPECT_EQ(MIB(1), totals(self->s.pager).free_bytes);
	ASSERT_TRUE(evict(&pooled));
	for (i = 0; i < 2; i++)
		EXPECT_LT(0, stored_in(&pooled, id[i]));
	EXPECT_TRUE(verify_all(&pooled, 1));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&pooled);
	close(to);
	close(from);
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

TEST_HARNESS_MAIN
