// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sequence numbers of requests: strict order, whatever becomes of each.
 *
 * That nobody is stuck behind a number shows as the harness's timeout.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include "contract_utils.h"
#include <kselftest_harness.h>

FIXTURE(seqno)
{
	int pager;
	struct defpager_info before;
};

FIXTURE_SETUP(seqno)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	ASSERT_EQ(0, pager_info(self->pager, &self->before));
}

FIXTURE_TEARDOWN(seqno)
{
	close(self->pager);
}

static struct defpager_object_create numbered(uint64_t seqno)
{
	struct defpager_object_create request = object_request(page_size());

	request.flags = DEFPAGER_OBJECT_SEQNO;
	request.seqno = seqno;
	return request;
}

static int make(int pager, struct defpager_object_create request)
{
	int ret = defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &request);

	return ret ? ret : request.fd;
}

/* Makes a request and closes what it made. */
static int try(int pager, struct defpager_object_create request)
{
	int ret = make(pager, request);

	return ret < 0 ? ret : close(ret);
}

struct waiter {
	pthread_t thread;
	int pager;
	uint64_t seqno;
	pid_t tid;
	int ret;
	bool done;
};

static void *wait_for_turn(void *arg)
{
	struct waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, gettid(), __ATOMIC_RELEASE);
	waiter->ret = make(waiter->pager, numbered(waiter->seqno));
	__atomic_store_n(&waiter->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool start_waiter(struct waiter *waiter, int pager, uint64_t seqno)
{
	memset(waiter, 0, sizeof(*waiter));
	waiter->pager = pager;
	waiter->seqno = seqno;
	if (pthread_create(&waiter->thread, NULL, wait_for_turn, waiter))
		return false;
	return wait_until(__atomic_load_n(&waiter->tid, __ATOMIC_ACQUIRE) &&
			  sleeps_in_ioctl(waiter->tid));
}

static bool is_done(struct waiter *waiter)
{
	return __atomic_load_n(&waiter->done, __ATOMIC_ACQUIRE);
}

static uint64_t object_id(int object)
{
	struct defpager_object_info info;

	return object_info(object, &info) ? 0 : info.id;
}

TEST_F(seqno, in_order_requests_succeed)
{
	for (uint64_t i = 0; i < 100; i++) {
		ASSERT_EQ(0, try(self->pager, numbered(i)));
	}
}

TEST_F(seqno, numbers_start_at_zero)
{
	struct waiter waiter;

	ASSERT_TRUE(start_waiter(&waiter, self->pager, 1));
	EXPECT_FALSE(is_done(&waiter));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_LE(0, waiter.ret);
	close(waiter.ret);
}

/* Whoever comes early waits, and what it asks for does not exist yet. */
TEST_F(seqno, order_is_strict_whatever_the_arrival)
{
	static const uint64_t arrival[] = { 9, 3, 7, 1, 8, 2, 6, 4, 5 };
	struct waiter waiters[ARRAY_SIZE(arrival) + 1];
	struct defpager_info info;
	uint64_t last;
	int first;

	for (size_t i = 0; i < ARRAY_SIZE(arrival); i++) {
		ASSERT_TRUE(start_waiter(&waiters[arrival[i]], self->pager,
					 arrival[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(arrival); i++) {
		EXPECT_FALSE(is_done(&waiters[arrival[i]]));
	}
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_objects, info.nr_objects);

	first = make(self->pager, numbered(0));
	ASSERT_LE(0, first);
	last = object_id(first);
	for (size_t i = 1; i <= ARRAY_SIZE(arrival); i++) {
		ASSERT_EQ(0, pthread_join(waiters[i].thread, NULL));
		ASSERT_LE(0, waiters[i].ret);
		/* Objects are numbered as they are made. */
		EXPECT_LT(last, object_id(waiters[i].ret));
		last = object_id(waiters[i].ret);
	}
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_objects + ARRAY_SIZE(arrival) + 1,
		  info.nr_objects);
}

/* One gap holds all behind it, and no more than that. */
TEST_F(seqno, gap_holds_only_those_behind_it)
{
	struct waiter behind[3];

	ASSERT_EQ(0, try(self->pager, numbered(0)));
	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(start_waiter(&behind[i], self->pager, 3 + i));
	}
	ASSERT_EQ(0, try(self->pager, numbered(1)));
	for (int i = 0; i < 3; i++) {
		EXPECT_FALSE(is_done(&behind[i]));
		EXPECT_TRUE(wait_until(sleeps_in_ioctl(behind[i].tid)));
	}
	ASSERT_EQ(0, try(self->pager, numbered(2)));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(behind[i].thread, NULL));
		EXPECT_LE(0, behind[i].ret);
		close(behind[i].ret);
	}
}

TEST_F(seqno, used_numbers_fail)
{
	for (uint64_t i = 0; i < 5; i++) {
		ASSERT_EQ(0, try(self->pager, numbered(i)));
		for (uint64_t j = 0; j <= i; j++) {
			EXPECT_EQ(-EINVAL, try(self->pager, numbered(j)));
		}
	}
	/* And they did not consume another one. */
	EXPECT_EQ(0, try(self->pager, numbered(5)));
}

/* Two wait for the same turn: one gets it, the other one is too late. */
TEST_F(seqno, duplicate_waiters_get_one_turn)
{
	struct waiter twins[2];
	int winners = 0;

	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(start_waiter(&twins[i], self->pager, 1));
	}
	ASSERT_EQ(0, try(self->pager, numbered(0)));
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(twins[i].thread, NULL));
		if (twins[i].ret >= 0) {
			winners++;
			close(twins[i].ret);
		} else {
			EXPECT_EQ(-EINVAL, twins[i].ret);
		}
	}
	EXPECT_EQ(1, winners);
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

TEST_F(seqno, last_number_fails)
{
	EXPECT_EQ(-EINVAL, try(self->pager, numbered(UINT64_MAX)));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
}

TEST_F(seqno, requests_without_the_flag_take_no_part)
{
	struct waiter waiter;
	struct defpager_object_create plain = object_request(page_size());

	ASSERT_EQ(0, try(self->pager, plain));
	ASSERT_TRUE(start_waiter(&waiter, self->pager, 1));
	EXPECT_EQ(0, try(self->pager, plain));
	EXPECT_FALSE(is_done(&waiter));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_LE(0, waiter.ret);
	close(waiter.ret);
	EXPECT_EQ(0, try(self->pager, plain));
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

/* Other requests go on while one waits. */
TEST_F(seqno, waiting_blocks_nothing_else)
{
	struct defpager_info info;
	struct waiter waiter;
	int store;

	ASSERT_TRUE(start_waiter(&waiter, self->pager, 1));
	EXPECT_EQ(0, pager_info(self->pager, &info));
	store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	EXPECT_LE(0, store);
	EXPECT_EQ(0, store_grow(store, MIB(1)));
	close(store);
	EXPECT_FALSE(is_done(&waiter));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_LE(0, waiter.ret);
	close(waiter.ret);
}

TEST_F(seqno, each_open_has_its_own_numbers)
{
	int other = pager_open();

	ASSERT_LE(0, other);
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	EXPECT_EQ(0, try(self->pager, numbered(1)));
	EXPECT_EQ(0, try(other, numbered(0)));
	EXPECT_EQ(-EINVAL, try(other, numbered(0)));
	EXPECT_EQ(0, try(self->pager, numbered(2)));
	EXPECT_EQ(0, try(other, numbered(1)));
	close(other);
}

TEST_F(seqno, duplicates_share_their_numbers)
{
	int other = dup(self->pager);

	ASSERT_LE(0, other);
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	EXPECT_EQ(-EINVAL, try(other, numbered(0)));
	EXPECT_EQ(0, try(other, numbered(1)));
	close(other);
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

static int take_number_1(void *arg)
{
	return -try(*(int *)arg, numbered(1));
}

TEST_F(seqno, a_forked_process_shares_its_numbers)
{
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	EXPECT_EQ(0, in_child(take_number_1, &self->pager));
	EXPECT_EQ(EINVAL, in_child(take_number_1, &self->pager));
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

/*
 * Requests that fail, in every way that they can. Those behind them get their
 * turn; and since they wait for it themselves, they do nothing before.
 */
FIXTURE(failing)
{
	int pager;
};

FIXTURE_VARIANT(failing)
{
	int expected;
	uint64_t object_size;
	uint32_t more_flags;
	int backing_store;
	const char *name;
};

FIXTURE_VARIANT_ADD(failing, size_zero)
{
	.expected = -EINVAL,
	.object_size = 0,
	.backing_store = -1,
	.name = "",
};

FIXTURE_VARIANT_ADD(failing, size_too_large)
{
	.expected = -EINVAL,
	.object_size = UINT64_MAX,
	.backing_store = -1,
	.name = "",
};

FIXTURE_VARIANT_ADD(failing, unknown_flag)
{
	.expected = -EINVAL,
	.object_size = 1,
	.more_flags = 1U << 31,
	.backing_store = -1,
	.name = "",
};

FIXTURE_VARIANT_ADD(failing, bad_name)
{
	.expected = -EINVAL,
	.object_size = 1,
	.backing_store = -1,
	.name = "a/b",
};

FIXTURE_VARIANT_ADD(failing, bad_descriptor)
{
	.expected = -EBADF,
	.object_size = 1,
	.backing_store = INT_MAX,
	.name = "",
};

/* Descriptor 2 is open, but no backing store. */
FIXTURE_VARIANT_ADD(failing, no_backing_store)
{
	.expected = -EINVAL,
	.object_size = 1,
	.backing_store = 2,
	.name = "",
};

FIXTURE_SETUP(failing)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
}

FIXTURE_TEARDOWN(failing)
{
	close(self->pager);
}

static struct defpager_object_create
failing_request(const FIXTURE_VARIANT(failing) *variant, uint64_t seqno)
{
	struct defpager_object_create request = numbered(seqno);

	request.object_size = variant->object_size;
	request.flags |= variant->more_flags;
	request.backing_store = variant->backing_store;
	strcpy(request.name, variant->name);
	return request;
}

TEST_F(failing, request_consumes_its_number)
{
	EXPECT_EQ(variant->expected, try(self->pager,
					  failing_request(variant, 0)));
	EXPECT_EQ(0, try(self->pager, numbered(1)));
	EXPECT_EQ(variant->expected, try(self->pager,
					  failing_request(variant, 2)));
	EXPECT_EQ(-EINVAL, try(self->pager, numbered(2)));
	EXPECT_EQ(0, try(self->pager, numbered(3)));
}

TEST_F(failing, request_wakes_those_behind_it)
{
	struct waiter waiters[3];

	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(start_waiter(&waiters[i], self->pager, i + 1));
	}
	EXPECT_EQ(variant->expected, try(self->pager,
					  failing_request(variant, 0)));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_join(waiters[i].thread, NULL));
		EXPECT_LE(0, waiters[i].ret);
		close(waiters[i].ret);
	}
}

struct failing_waiter {
	FIXTURE_DATA(failing) *self;
	const FIXTURE_VARIANT(failing) *variant;
	pid_t tid;
	int ret;
	bool done;
};

static void *fail_in_turn(void *arg)
{
	struct failing_waiter *waiter = arg;

	__atomic_store_n(&waiter->tid, gettid(), __ATOMIC_RELEASE);
	waiter->ret = try(waiter->self->pager,
			  failing_request(waiter->variant, 1));
	__atomic_store_n(&waiter->done, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(failing, request_waits_for_its_turn)
{
	struct failing_waiter waiter = { .self = self, .variant = variant };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fail_in_turn, &waiter));
	ASSERT_TRUE(wait_until(__atomic_load_n(&waiter.tid, __ATOMIC_ACQUIRE) &&
			       sleeps_in_ioctl(waiter.tid)));
	EXPECT_FALSE(__atomic_load_n(&waiter.done, __ATOMIC_ACQUIRE));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(variant->expected, waiter.ret);
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

TEST_F(seqno, no_descriptor_left_consumes_the_number)
{
	struct rlimit limit, none;
	struct waiter waiter;
	int ret;

	ASSERT_TRUE(start_waiter(&waiter, self->pager, 2));
	ASSERT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = self->pager + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	ret = try(self->pager, numbered(1));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, ret);
	/* Its turn came; it is another matter what it found then. */
	if (waiter.ret < 0) {
		EXPECT_EQ(-EMFILE, waiter.ret);
	}
	EXPECT_EQ(0, try(self->pager, numbered(3)));
}

/* These could not be read: nobody knows whether they had a number. */
TEST_F(seqno, unreadable_requests_consume_nothing)
{
	struct {
		struct defpager_object_create request;
		uint64_t tail;
	} longer = { .request = numbered(0), .tail = 1 };
	struct defpager_object_create request = numbered(0);

	request.size--;
	EXPECT_EQ(-EINVAL, try(self->pager, request));
	longer.request.size = sizeof(longer);
	EXPECT_EQ(-E2BIG, defpager_ioctl(self->pager, DEFPAGER_IOC_OBJECT_CREATE,
					 &longer));
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->pager,
					  DEFPAGER_IOC_OBJECT_CREATE, (void *)8));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	EXPECT_EQ(0, try(self->pager, numbered(1)));
}

/* Read, but the answer cannot be written: that is a failure in turn. */
TEST_F(seqno, unanswerable_request_makes_nothing)
{
	struct defpager_object_create *request;
	struct defpager_info info;

	request = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, request);
	*request = numbered(0);
	ASSERT_EQ(0, mprotect(request, 4096, PROT_READ));
	EXPECT_EQ(-EFAULT, defpager_ioctl(self->pager,
					  DEFPAGER_IOC_OBJECT_CREATE, request));
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_objects, info.nr_objects);
	munmap(request, 4096);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void handle_sigusr1(int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &action, NULL);
}

TEST_F(seqno, interrupted_wait_does_not_consume_the_number)
{
	struct waiter waiter;

	handle_sigusr1(0);
	ASSERT_TRUE(start_waiter(&waiter, self->pager, 1));
	ASSERT_EQ(0, pthread_kill(waiter.thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_EQ(-EINTR, waiter.ret);
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	EXPECT_EQ(0, try(self->pager, numbered(1)));
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

/* With SA_RESTART it may go on, but either way the number is intact. */
TEST_F(seqno, restarted_wait_gets_its_turn)
{
	struct waiter waiter;

	handle_sigusr1(SA_RESTART);
	ASSERT_TRUE(start_waiter(&waiter, self->pager, 1));
	ASSERT_EQ(0, pthread_kill(waiter.thread, SIGUSR1));
	ASSERT_TRUE(wait_until(is_done(&waiter) ||
			       sleeps_in_ioctl(waiter.tid)));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	if (waiter.ret < 0) {
		EXPECT_EQ(-EINTR, waiter.ret);
		EXPECT_EQ(0, try(self->pager, numbered(1)));
	} else {
		close(waiter.ret);
	}
	EXPECT_EQ(0, try(self->pager, numbered(2)));
}

TEST_F(seqno, killed_waiter_does_not_consume_the_number)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try(self->pager, numbered(1)));
	ASSERT_LT(0, pid);
	ASSERT_TRUE(wait_until(sleeps_in_ioctl(pid)));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	EXPECT_EQ(0, try(self->pager, numbered(1)));
}

/* The waiter holds the open file by itself. */
TEST_F(seqno, waiter_outlives_the_descriptor)
{
	struct waiter waiter;
	int other = dup(self->pager);

	ASSERT_LE(0, other);
	ASSERT_TRUE(start_waiter(&waiter, other, 1));
	close(other);
	EXPECT_FALSE(is_done(&waiter));
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	ASSERT_EQ(0, pthread_join(waiter.thread, NULL));
	EXPECT_LE(0, waiter.ret);
	close(waiter.ret);
}

struct slow {
	struct waiter waiter;
	int store;
};

/* A request that takes its time: bitmaps for all of its space are made first. */
static void *make_slowly(void *arg)
{
	struct slow *slow = arg;
	struct defpager_object_create request = numbered(0);

	request.flags |= DEFPAGER_OBJECT_RESERVE;
	request.object_size = TIB(1);
	request.backing_store = slow->store;
	__atomic_store_n(&slow->waiter.tid, gettid(), __ATOMIC_RELEASE);
	slow->waiter.ret = make(slow->waiter.pager, request);
	return NULL;
}

TEST_F(seqno, slow_request_holds_those_behind_it)
{
	struct slow slow = { .waiter.pager = self->pager };
	struct waiter *waiter = &slow.waiter;
	int next;

	slow.store = private_store(self->pager, TIB(1));
	ASSERT_LE(0, slow.store);
	ASSERT_EQ(0, pthread_create(&waiter->thread, NULL, make_slowly, &slow));
	ASSERT_TRUE(wait_until(__atomic_load_n(&waiter->tid,
					       __ATOMIC_ACQUIRE)));
	/* It is being carried out by now, most likely. */
	sleep_ms(5);
	next = make(self->pager, numbered(1));
	ASSERT_EQ(0, pthread_join(waiter->thread, NULL));
	ASSERT_LE(0, waiter->ret);
	ASSERT_LE(0, next);
	/* Objects get their ids when all is done. */
	EXPECT_LT(object_id(waiter->ret), object_id(next));
	close(next);
	close(waiter->ret);
	EXPECT_EQ(0, private_store_delete(slow.store));
}

#define CROWD 64

TEST_F(seqno, crowd_is_served_in_order)
{
	struct waiter crowd[CROWD];
	struct defpager_object_info row;
	uint64_t last = 0;

	/* Backwards, so that each one has to wait for those that follow. */
	for (int i = CROWD - 1; i > 0; i--) {
		ASSERT_TRUE(start_waiter(&crowd[i], self->pager, i));
	}
	EXPECT_EQ(0, try(self->pager, numbered(0)));
	for (int i = 1; i < CROWD; i++) {
		ASSERT_EQ(0, pthread_join(crowd[i].thread, NULL));
		ASSERT_LE(0, crowd[i].ret);
		ASSERT_EQ(0, object_info(crowd[i].ret, &row));
		EXPECT_LT(last, row.id);
		last = row.id;
	}
}

TEST_HARNESS_MAIN
