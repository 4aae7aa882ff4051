// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is promised space in which stores, and that he has it when he needs it.
 *
 * Needs a disk of 256 MiB, /dev/vda, which is overwritten.
 */
#include <pthread.h>

#include "store_utils.h"

#include "kselftest_harness.h"

#include "store_fixture.h"

#define TIMEOUT 300

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

TEST_HARNESS_MAIN
