// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space alerts: when they fire, when they do not, and how they tell.
 *
 * That an alert has not fired is known when another one has, which was armed
 * later and is looked at in its turn: see set_free().
 *
 * Needs a disk, /dev/vda, which is overwritten. What fields of the request are
 * refused is in store_field_test.c, segments that fail are in write_error_test.c.
 */
#include <pthread.h>
#include <sys/epoll.h>

#include "event_utils.h"
#include "store_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

#define LOW DEFPAGER_ALERT_LOW
#define HIGH DEFPAGER_ALERT_HIGH

/* A store of so many pages, and the marks most tests use. */
#define STORE_PAGES 256
#define LOW_MARK 100
#define HIGH_MARK 150

/* --- Alerts -------------------------------------------------------------- */

static struct defpager_backing_store_alert
alert_bytes(int store, uint32_t events, uint64_t low, uint64_t high)
{
	struct defpager_backing_store_alert arg = {
		.size = sizeof(arg),
		.flags = events,
		.low_bytes = low,
		.high_bytes = high,
	};

	must(!defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_ALERT, &arg));
	return arg;
}

static void alert_arm(int store, uint32_t events, uint64_t low, uint64_t high)
{
	alert_bytes(store, events, PAGES(low), PAGES(high));
}

/* What has fired, and nothing is armed any more. */
static uint32_t alert_take(int store)
{
	return alert_bytes(store, 0, 0, 0).fired;
}

/* Whether poll() tells of it; what has not yet happened gets its time. */
static bool alert_told(int store, int milliseconds)
{
	struct pollfd fd = { .fd = store, .events = POLLPRI };
	int ret = poll(&fd, 1, milliseconds);

	must(ret >= 0);
	return ret && fd.revents == POLLPRI;
}

#define alert_fires(_store) alert_told(_store, 60000)
#define alert_is_quiet(_store) (!alert_told(_store, 0))

/* --- A store whose space is taken page by page --------------------------- */

FIXTURE(alert)
{
	struct stores stores;
	int store;
	int probe;		/* another descriptor of it */
	struct memory memory;
	uint64_t pages;		/* of it that are in use */
	int events;
};

FIXTURE_SETUP(alert)
{
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_with_space(&self->stores, "alert", 0,
				       DEFPAGER_STORE_EXCLUSIVE,
				       PAGES(STORE_PAGES));
	self->probe = store_of_name(&self->stores, "alert");
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(2 * STORE_PAGES));
	self->events = listen_to_events();
}

FIXTURE_TEARDOWN(alert)
{
	memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->events);
	close(self->probe);
	close(self->store);
	stores_close(&self->stores);
}

static uint64_t free_pages(int store)
{
	return store_state(store).free_bytes / page_size();
}

static void set_pages(FIXTURE_DATA(alert) *self, uint64_t pages)
{
	for (; self->pages < pages; self->pages++)
		must(pwrite(self->memory.fd, "x", 1, PAGES(self->pages)) == 1);
	must(!ftruncate(self->memory.fd, PAGES(pages)));
	self->pages = pages;
}

/*
 * Arms an alert that fires when so many pages are free, coming from above if
 * @falling: those that were armed before it have been looked at by then.
 */
static void probe_arm(int probe, uint64_t free, bool falling)
{
	if (falling)
		alert_arm(probe, LOW, free + 1, free + 1);
	else
		alert_arm(probe, HIGH, free, free);
	must(alert_is_quiet(probe));
}

/* Takes space, or gives it back, until so much is free and that was noticed. */
static void set_free(FIXTURE_DATA(alert) *self, uint64_t pages)
{
	uint64_t free = free_pages(self->store);

	if (free == pages)
		return;
	probe_arm(self->probe, pages, free > pages);
	set_pages(self, self->pages + free - pages);
	must(free_pages(self->store) == pages);
	must(alert_fires(self->probe));
}

/* --- One mark ------------------------------------------------------------ */

TEST_F_TIMEOUT(alert, low_mark_fires_below_it, TIMEOUT)
{
	alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, LOW_MARK + 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, LOW_MARK);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_pages(self, self->pages + 1);
	EXPECT_TRUE(alert_fires(self->store));
	/* Until it is taken. */
	EXPECT_TRUE(alert_told(self->store, 0));
	set_free(self, STORE_PAGES);
	EXPECT_TRUE(alert_told(self->store, 0));
	EXPECT_EQ(LOW, alert_take(self->store));
	EXPECT_TRUE(alert_is_quiet(self->store));
	EXPECT_EQ(0, alert_take(self->store));
}

TEST_F_TIMEOUT(alert, low_mark_fires_once, TIMEOUT)
{
	alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
	set_free(self, LOW_MARK - 1);
	EXPECT_EQ(LOW, alert_take(self->store));

	set_free(self, LOW_MARK - 2);
	set_free(self, STORE_PAGES);
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
	EXPECT_EQ(0, alert_take(self->store));
}

TEST_F_TIMEOUT(alert, armed_anew_it_fires_again, TIMEOUT)
{
	int i;

	for (i = 0; i < 3; i++) {
		alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
		EXPECT_TRUE(alert_is_quiet(self->store));
		set_free(self, LOW_MARK - 1);
		EXPECT_TRUE(alert_fires(self->store));
		set_free(self, HIGH_MARK);
	}
	/* The request that arms it tells of the last time, too. */
	EXPECT_EQ(LOW, alert_bytes(self->store, LOW, PAGES(LOW_MARK),
				   PAGES(LOW_MARK)).fired);
	EXPECT_TRUE(alert_is_quiet(self->store));
}

TEST_F_TIMEOUT(alert, what_is_low_already_fires_at_once, TIMEOUT)
{
	set_free(self, LOW_MARK - 1);
	alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
	EXPECT_TRUE(alert_told(self->store, 0));
	alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
	EXPECT_TRUE(alert_told(self->store, 0));
	/* And a high mark that was passed before it was armed does. */
	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	EXPECT_TRUE(alert_is_quiet(self->store));
	alert_take(self->store);
	set_free(self, STORE_PAGES);
	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	EXPECT_TRUE(alert_told(self->store, 0));
	EXPECT_EQ(HIGH, alert_take(self->store));
}

/* Space comes in whole pages: a mark in one is a mark at its end. */
TEST_F_TIMEOUT(alert, marks_need_not_be_whole_pages, TIMEOUT)
{
	set_free(self, LOW_MARK);
	alert_bytes(self->store, LOW, PAGES(LOW_MARK) - 1, PAGES(LOW_MARK));
	EXPECT_TRUE(alert_is_quiet(self->store));
	alert_bytes(self->store, LOW, PAGES(LOW_MARK) + 1,
		    PAGES(LOW_MARK) + 1);
	EXPECT_TRUE(alert_told(self->store, 0));
	alert_bytes(self->store, HIGH, PAGES(LOW_MARK) + 1,
		    PAGES(HIGH_MARK) + 1);
	set_free(self, HIGH_MARK);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, HIGH_MARK + 1);
	EXPECT_EQ(HIGH, alert_take(self->store));
}

TEST_F_TIMEOUT(alert, smallest_and_largest_marks, TIMEOUT)
{
	alert_bytes(self->store, LOW, 0, 0);
	set_free(self, 0);
	EXPECT_TRUE(alert_is_quiet(self->store));
	alert_bytes(self->store, LOW, 1, 1);
	EXPECT_TRUE(alert_told(self->store, 0));

	set_free(self, STORE_PAGES);
	alert_bytes(self->store, LOW, UINT64_MAX, UINT64_MAX);
	EXPECT_TRUE(alert_told(self->store, 0));
	alert_bytes(self->store, HIGH, UINT64_MAX, UINT64_MAX);
	EXPECT_TRUE(alert_is_quiet(self->store));
}

TEST_F_TIMEOUT(alert, request_tells_what_is_free, TIMEOUT)
{
	set_free(self, LOW_MARK);
	EXPECT_EQ(PAGES(LOW_MARK),
		  alert_bytes(self->store, 0, 0, 0).free_bytes);
	EXPECT_EQ(PAGES(LOW_MARK),
		  alert_bytes(self->store, LOW, UINT64_MAX, UINT64_MAX)
			  .free_bytes);
}

/* --- Two marks ----------------------------------------------------------- */

TEST_F_TIMEOUT(alert, between_the_marks_nothing_fires, TIMEOUT)
{
	alert_arm(self->store, LOW | HIGH, LOW_MARK, HIGH_MARK);
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(alert_fires(self->store));
	/* What has fired is taken, and one armed anew: it is still low. */
	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	EXPECT_TRUE(alert_is_quiet(self->store));

	set_free(self, HIGH_MARK - 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, LOW_MARK);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, HIGH_MARK);
	EXPECT_EQ(HIGH, alert_take(self->store));
}

TEST_F_TIMEOUT(alert, high_mark_fires_only_after_the_low_one, TIMEOUT)
{
	int i;

	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	for (i = 0; i < 3; i++) {
		set_free(self, LOW_MARK);
		set_free(self, STORE_PAGES);
		EXPECT_TRUE(alert_is_quiet(self->store));
	}
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
	set_free(self, STORE_PAGES);
	EXPECT_TRUE(alert_fires(self->store));

	/* That it was low has been told: once more it has to be. */
	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	set_free(self, LOW_MARK);
	set_free(self, STORE_PAGES);
	EXPECT_TRUE(alert_is_quiet(self->store));
}

TEST_F_TIMEOUT(alert, both_marks_fire_once_each, TIMEOUT)
{
	alert_arm(self->store, LOW | HIGH, LOW_MARK, HIGH_MARK);
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(alert_fires(self->store));
	set_free(self, HIGH_MARK);
	EXPECT_EQ(LOW | HIGH, alert_take(self->store));
	set_free(self, 0);
	set_free(self, STORE_PAGES);
	EXPECT_TRUE(alert_is_quiet(self->store));
}

/* --- What changes the free space ----------------------------------------- */

TEST_F_TIMEOUT(alert, new_segment_fires_the_high_mark, TIMEOUT)
{
	alert_arm(self->store, HIGH, STORE_PAGES + 1, STORE_PAGES + 2);
	segment_new(&self->stores, self->store, PAGES(1));
	EXPECT_TRUE(alert_is_quiet(self->store));
	segment_new(&self->stores, self->store, PAGES(1));
	EXPECT_TRUE(alert_fires(self->store));
}

TEST_F_TIMEOUT(alert, removed_segment_fires_the_low_mark, TIMEOUT)
{
	uint64_t id = segment_new(&self->stores, self->store, PAGES(10));

	alert_arm(self->store, LOW, STORE_PAGES + 1, STORE_PAGES + 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
	ASSERT_EQ(0, segment_remove(self->store, id, -1));
	EXPECT_TRUE(alert_fires(self->store));
}

struct removal {
	int store;
	uint64_t id;
	volatile bool stop;
	volatile int ret;
};

static void *try_to_remove(void *arg)
{
	struct removal *removal = arg;

	do
		removal->ret = segment_remove(removal->store, removal->id, -1);
	while (!removal->stop && removal->ret == -ENOSPC);
	return NULL;
}

/*
 * For a moment, until it is found that what was promised does not fit into what
 * would be left, there is less space. Nobody may be told so. The free space is looked
 * at where it was changed last: so somebody else has to be trying then.
 */
TEST_F_TIMEOUT(alert, refused_removal_fires_nothing, TIMEOUT)
{
	struct removal removal = {
		.store = self->store,
		.id = segment_new(&self->stores, self->store, PAGES(10)),
	};
	double end = now() + 2;
	pthread_t thread;

	set_free(self, 9);
	alert_arm(self->store, LOW, 9, 9);
	ASSERT_EQ(0, pthread_create(&thread, NULL, try_to_remove, &removal));
	do {
		EXPECT_EQ(-ENOSPC, segment_remove(self->store, removal.id, -1));
	} while (now() < end && alert_is_quiet(self->store));
	removal.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(-ENOSPC, removal.ret);
	EXPECT_TRUE(alert_is_quiet(self->store));
	EXPECT_EQ(9, free_pages(self->store));
}

/* Reserved at once, and not page by page. */
TEST_F_TIMEOUT(alert, reserved_space_counts, TIMEOUT)
{
	struct defpager_object_create create;

	alert_arm(self->store, LOW | HIGH, LOW_MARK, HIGH_MARK);
	create = object_request(PAGES(STORE_PAGES));
	create.flags = DEFPAGER_OBJECT_RESERVE;
	create.backing_store = self->store;
	ASSERT_EQ(0, defpager_ioctl(self->stores.pager,
				    DEFPAGER_IOC_OBJECT_CREATE, &create));
	EXPECT_TRUE(alert_fires(self->store));
	EXPECT_EQ(LOW, alert_bytes(self->store, HIGH, PAGES(LOW_MARK),
				   PAGES(HIGH_MARK)).fired);
	close(create.fd);
	EXPECT_TRUE(alert_fires(self->store));
	EXPECT_EQ(HIGH, alert_take(self->store));
}

/* Paging moves content, and takes no space that was not promised before. */
TEST_F_TIMEOUT(alert, paging_fires_nothing, TIMEOUT)
{
	set_free(self, LOW_MARK);
	alert_arm(self->store, LOW | HIGH, LOW_MARK, LOW_MARK);
	ASSERT_TRUE(evict(&self->memory));
	fill(&self->memory, 0, self->pages, 1);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_TRUE(alert_is_quiet(self->store));
	/* The next page does. */
	set_pages(self, self->pages + 1);
	EXPECT_TRUE(alert_fires(self->store));
}

/* Objects of the pager use stores by priority, paged out or not. */
TEST_F_TIMEOUT(alert, objects_of_the_pager_fire_where_they_would_go, TIMEOUT)
{
	int first = store_with_space(&self->stores, "first", 2, 0,
				     PAGES(STORE_PAGES));
	int second = store_with_space(&self->stores, "second", 1, 0,
				      PAGES(STORE_PAGES));
	struct memory memory = memory_create(self->stores.pager,
					     PAGES(2 * STORE_PAGES));
	int probe = store_of_name(&self->stores, "first");

	alert_arm(self->store, LOW, STORE_PAGES, STORE_PAGES);
	alert_arm(second, LOW, STORE_PAGES, STORE_PAGES);
	alert_arm(first, LOW | HIGH, LOW_MARK, HIGH_MARK);
	probe_arm(probe, 0, true);
	fill(&memory, 0, STORE_PAGES, 1);
	EXPECT_TRUE(alert_fires(first));
	EXPECT_TRUE(alert_fires(probe));
	EXPECT_TRUE(alert_is_quiet(second));
	fill(&memory, STORE_PAGES, 1, 1);
	EXPECT_TRUE(alert_fires(second));

	EXPECT_EQ(LOW, alert_bytes(first, HIGH, PAGES(LOW_MARK),
				   PAGES(HIGH_MARK)).fired);
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(alert_is_quiet(first));
	memory_destroy(&memory);
	EXPECT_TRUE(alert_fires(first));
	/* The one that is exclusive had nothing to do with it. */
	EXPECT_TRUE(alert_is_quiet(self->store));
	close(probe);
	close(second);
	close(first);
}

/* Nothing is promised or given back meanwhile. */
TEST_F_TIMEOUT(alert, pages_that_move_to_another_store_fire, TIMEOUT)
{
	int second = store_with_space(&self->stores, "second", 1, 0,
				      PAGES(STORE_PAGES));
	struct memory memory = memory_create(self->stores.pager,
					     PAGES(STORE_PAGES));
	int first;

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	alert_arm(second, HIGH, LOW_MARK, HIGH_MARK);
	first = store_with_space(&self->stores, "first", 2, 0,
				 PAGES(STORE_PAGES));
	fill_all(&memory, 2);
	EXPECT_TRUE(alert_is_quiet(second));
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(alert_fires(second));
	EXPECT_EQ(STORE_PAGES, free_pages(second));
	EXPECT_EQ(0, free_pages(first));
	EXPECT_TRUE(verify_all(&memory, 2));
	memory_destroy(&memory);
	close(first);
	close(second);
}

/* --- Who is told --------------------------------------------------------- */

TEST_F_TIMEOUT(alert, descriptors_have_marks_of_their_own, TIMEOUT)
{
	int other = store_of_name(&self->stores, "alert");
	int same = dup(self->store);

	alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
	alert_arm(other, LOW, LOW_MARK / 2, LOW_MARK / 2);
	set_free(self, LOW_MARK / 2);
	EXPECT_TRUE(alert_fires(self->store));
	EXPECT_TRUE(alert_is_quiet(other));
	set_free(self, LOW_MARK / 2 - 1);
	EXPECT_TRUE(alert_fires(other));

	/* A duplicate is the same descriptor. */
	EXPECT_TRUE(alert_told(same, 0));
	EXPECT_EQ(LOW, alert_take(same));
	EXPECT_TRUE(alert_is_quiet(self->store));
	EXPECT_TRUE(alert_told(other, 0));
	close(same);
	close(other);
}

TEST_F_TIMEOUT(alert, disarmed_fires_nothing, TIMEOUT)
{
	alert_arm(self->store, LOW | HIGH, LOW_MARK, HIGH_MARK);
	EXPECT_EQ(0, alert_take(self->store));
	set_free(self, LOW_MARK - 1);
	set_free(self, STORE_PAGES);
	EXPECT_TRUE(alert_is_quiet(self->store));
	/* Nor does the event that was left out when it was armed again. */
	alert_arm(self->store, LOW | HIGH, LOW_MARK, HIGH_MARK);
	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(alert_is_quiet(self->store));
}

TEST_F_TIMEOUT(alert, epoll_tells_too, TIMEOUT)
{
	struct epoll_event event = { .events = EPOLLPRI | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->store, &event));
	alert_arm(self->store, LOW, LOW_MARK, LOW_MARK);
	set_free(self, LOW_MARK);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	set_pages(self, self->pages + 1);
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 60000));
	EXPECT_EQ(EPOLLPRI, event.events);
	/* Edges are asked for, and each alert is one. */
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));
	alert_arm(self->store, HIGH, LOW_MARK, HIGH_MARK);
	set_pages(self, 0);
	EXPECT_EQ(1, epoll_wait(epoll, &event, 1, 60000));
	close(epoll);
}

/* --- Events that are broadcast ------------------------------------------- */

static bool is_event(int events, const char *what, uint64_t free)
{
	struct event_message message;
	const char *alert, *store;

	if (!event_receive(events, "DEFPAGER_ALERT", &message))
		return false;
	alert = event_value(&message, "DEFPAGER_ALERT");
	store = event_value(&message, "DEFPAGER_STORE");
	fprintf(stderr, "# %s %s %lld\n", alert, store ? store : "(nowhere)",
		event_number(&message, "DEFPAGER_FREE_BYTES"));
	return !strcmp(alert, what) && store && !strcmp(store, "alert") &&
	       event_number(&message, "DEFPAGER_FREE_BYTES") ==
		       (long long)PAGES(free);
}

TEST_F_TIMEOUT(alert, events_are_broadcast, TIMEOUT)
{
	set_pages(self, STORE_PAGES - LOW_MARK);
	alert_arm(self->store, LOW | HIGH, LOW_MARK, STORE_PAGES);
	set_pages(self, self->pages + 1);
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK - 1));
	/* The last page that is given back is what it takes. */
	set_pages(self, 0);
	EXPECT_TRUE(is_event(self->events, "high", STORE_PAGES));
	/* And that is all: what comes next is the next one. */
	alert_arm(self->store, LOW, STORE_PAGES + 1, STORE_PAGES + 1);
	EXPECT_TRUE(is_event(self->events, "low", STORE_PAGES));
}

/* It is told of once: what comes later, the other descriptor has asked for. */
TEST_F_TIMEOUT(alert, event_is_broadcast_once, TIMEOUT)
{
	set_free(self, LOW_MARK);
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK));
	alert_arm(self->store, LOW | HIGH, LOW_MARK, HIGH_MARK);
	set_free(self, LOW_MARK - 1);
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK - 1));
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK - 1));
	set_free(self, LOW_MARK - 2);
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK - 2));
	set_free(self, LOW_MARK - 3);
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK - 3));
}

/* Neither fires it, nor does the pager look for it any more. */
TEST_F_TIMEOUT(alert, closed_descriptor_fires_nothing, TIMEOUT)
{
	int gone = store_of_name(&self->stores, "alert");

	alert_arm(gone, LOW, STORE_PAGES, STORE_PAGES);
	close(gone);
	set_free(self, LOW_MARK);
	EXPECT_TRUE(is_event(self->events, "low", LOW_MARK));
	set_free(self, HIGH_MARK);
	EXPECT_TRUE(is_event(self->events, "high", HIGH_MARK));
}

TEST_HARNESS_MAIN
