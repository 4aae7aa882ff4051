// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that takes its time: others do not wait for it, and who does can be
 * interrupted.
 *
 * Needs two disks, /dev/vda and /dev/vdb, which are overwritten, and the device
 * mapper, behind which reads or writes of the second one take longer than any test.
 * What is waiting ends at once when that is over.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "contract_utils.h"
#include "drain_utils.h"
#include "slow_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 180

#define NR_READERS 4
#define OBJECT_PAGES 96
#define STORED_PAGES 64
/* Far enough from each other that none is read for another's sake. */
#define READER_PAGE(nr) ((nr) * STORED_PAGES / NR_READERS)

struct reader {
	pthread_t thread;
	const struct memory *memory;
	uint64_t page;
	bool well;
	volatile bool done;
};

FIXTURE(slow)
{
	struct stores stores;
	int store;		/* on the slow device */
	struct faulty device;
	uint64_t segment;
	struct memory memory;	/* the first pages of which are out */
	struct reader readers[NR_READERS];
	bool reading;
};

FIXTURE_SETUP(slow)
{
	const char *missing = slow_missing();
	struct memory *memory = &self->memory;

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = slow_store_new(&self->stores, &self->device,
				     &self->segment);
	*memory = slow_memory_create(&self->stores, self->store, OBJECT_PAGES);
	fill(memory, 0, STORED_PAGES, 1);
	ASSERT_TRUE(evict(memory));
	ASSERT_EQ(STORED_PAGES, stored_pages(memory));
}

static void *read_page(void *arg)
{
	struct reader *reader = arg;

	reader->well = verify(reader->memory, reader->page, 1, 1);
	reader->done = true;
	return NULL;
}

/* From here each of them waits for a page. */
static bool readers_start(FIXTURE_DATA(slow) *self)
{
	struct reader *reader;
	int i;

	slow_set(&self->device, FOR_EVER, 0);
	self->reading = true;
	for (i = 0; i < NR_READERS; i++) {
		reader = &self->readers[i];
		*reader = (struct reader) {
			.memory = &self->memory,
			.page = READER_PAGE(i),
		};
		must(!pthread_create(&reader->thread, NULL, read_page, reader));
	}
	return wait_until(segment_state(self->store, self->segment)
				  .in_flight_bytes == PAGES(NR_READERS));
}

static bool readers_wait(FIXTURE_DATA(slow) *self)
{
	int i;

	for (i = 0; i < NR_READERS; i++)
		if (self->readers[i].done)
			return false;
	return true;
}

static bool readers_end(FIXTURE_DATA(slow) *self)
{
	bool well = true;
	int i;

	slow_set(&self->device, 0, 0);
	self->reading = false;
	for (i = 0; i < NR_READERS; i++) {
		must(!pthread_join(self->readers[i].thread, NULL));
		well &= self->readers[i].well;
	}
	return well;
}

FIXTURE_TEARDOWN(slow)
{
	if (self->reading)
		readers_end(self);
	else
		slow_set(&self->device, 0, 0);
	memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->stores));
	faulty_remove(&self->device);
	close(self->store);
	stores_close(&self->stores);
}

/* All of them are on their way at once, in one object and on one device. */
TEST_F_TIMEOUT(slow, pages_are_read_in_parallel, TIMEOUT)
{
	EXPECT_TRUE(readers_start(self));
	EXPECT_TRUE(readers_wait(self));
	EXPECT_TRUE(readers_end(self));
}

/* Of the same object, and to the same device. */
TEST_F_TIMEOUT(slow, page_out_goes_on, TIMEOUT)
{
	struct memory *memory = &self->memory;

	ASSERT_TRUE(readers_start(self));
	fill(memory, STORED_PAGES, OBJECT_PAGES - STORED_PAGES, 2);
	EXPECT_TRUE(wait_until(stored_pages(memory) == OBJECT_PAGES ||
			       (ask_to_evict(memory), false)));
	EXPECT_TRUE(readers_wait(self));
	EXPECT_TRUE(readers_end(self));
	ASSERT_TRUE(evict(memory));
	EXPECT_TRUE(verify(memory, 0, STORED_PAGES, 1));
	EXPECT_TRUE(verify(memory, STORED_PAGES, OBJECT_PAGES - STORED_PAGES,
			   2));
}

TEST_F_TIMEOUT(slow, other_stores_go_on, TIMEOUT)
{
	int store = store_with_space(&self->stores, "fast", 0,
				     DEFPAGER_STORE_EXCLUSIVE, MIB(4));
	struct memory other = memory_create_in(self->stores.pager, store,
					       PAGES(OBJECT_PAGES));

	ASSERT_TRUE(readers_start(self));
	fill_all(&other, 1);
	EXPECT_TRUE(evict(&other));
	EXPECT_TRUE(verify_all(&other, 1));
	memory_destroy(&other);
	EXPECT_EQ(0, store_delete(store, -1));
	EXPECT_TRUE(readers_wait(self));
	EXPECT_TRUE(readers_end(self));
	close(store);
}

/* --- Signals --------------------------------------------------------------- */

struct pageout_call {
	pthread_t thread;
	int object;
	int ret;
	uint64_t resident_bytes;
};

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

static void *page_out(void *arg)
{
	struct pageout_call *call = arg;
	struct defpager_object_pageout pageout = { .resident_bytes = 0 };

	call->ret = object_pageout(call->object, DEFPAGER_PAGEOUT_OUT |
				   DEFPAGER_PAGEOUT_WAIT, 0, 0, &pageout);
	call->resident_bytes = pageout.resident_bytes;
	return NULL;
}

/* From here on a thread waits for page-out, with a signal having arrived. */
static bool page_out_and_signal(FIXTURE_DATA(slow) *self,
				struct pageout_call *call, int flags)
{
	struct sigaction action = {
		.sa_handler = count_signal,
		.sa_flags = flags,
	};

	must(!sigaction(SIGUSR1, &action, NULL));
	fill(&self->memory, 0, STORED_PAGES, 2);
	slow_set(&self->device, 0, FOR_EVER);
	signals = 0;
	*call = (struct pageout_call) { .object = self->memory.fd };
	must(!pthread_create(&call->thread, NULL, page_out, call));
	if (!wait_until(segment_state(self->store, self->segment)
				.in_flight_bytes))
		return false;
	must(!pthread_kill(call->thread, SIGUSR1));
	return wait_until(signals);
}

TEST_F_TIMEOUT(slow, signal_ends_page_out, TIMEOUT)
{
	struct pageout_call call;

	ASSERT_TRUE(page_out_and_signal(self, &call, 0));
	/* It is not the device that ends it. */
	ASSERT_EQ(0, pthread_join(call.thread, NULL));
	EXPECT_EQ(-EINTR, call.ret);
	slow_set(&self->device, 0, 0);
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 2));
}

/* Also, nobody sees the signals by which io_uring has a thread look at something. */
TEST_F_TIMEOUT(slow, page_out_goes_on_after_a_signal, TIMEOUT)
{
	struct pageout_call call;

	ASSERT_TRUE(page_out_and_signal(self, &call, SA_RESTART));
	slow_set(&self->device, 0, 0);
	ASSERT_EQ(0, pthread_join(call.thread, NULL));
	EXPECT_EQ(0, call.ret);
	EXPECT_EQ(0, call.resident_bytes);
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 2));
}

/* --- Removals -------------------------------------------------------------- */

/* A store, and a segment on a device that answers, come and go. */
static void expect_others_go_on(struct __test_metadata *_metadata,
				struct stores *stores)
{
	int store = store_with_space(stores, "other", 0,
				     DEFPAGER_STORE_EXCLUSIVE, MIB(1));

	EXPECT_EQ(MIB(1), store_state(store).total_bytes);
	EXPECT_EQ(0, store_delete(store, -1));
	close(store);
}

/* From here on a segment is empty, but one write to it has not ended. */
static bool removal_waits_for_probe(FIXTURE_DATA(slow) *self,
				    struct drain *removal)
{
	fill(&self->memory, 0, STORED_PAGES, 2);
	faulty_refuse_writes(&self->device, 0, FOR_EVER);
	if (!pageout_fails(self->store, self->segment, &self->memory))
		return false;
	slow_set(&self->device, 0, FOR_EVER);
	if (!wait_until(device_is_writing(&self->device)))
		return false;
	segment_new(&self->stores, self->store, MIB(8));
	drain_start(removal, self->store, self->segment, -1);
	return wait_until(!segment_state(self->store, self->segment)
				   .used_bytes && sleeps_in_ioctl(removal->tid));
}

TEST_F_TIMEOUT(slow, others_do_not_wait_for_a_removal, TIMEOUT)
{
	struct drain removal;

	ASSERT_TRUE(removal_waits_for_probe(self, &removal));
	expect_others_go_on(_metadata, &self->stores);
	EXPECT_FALSE(removal.done);

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(0, drain_end(&removal));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 2));
}

/* Each has its own segment's pages for its business, though both are closed. */
TEST_F_TIMEOUT(slow, removals_do_not_wait_for_each_other, TIMEOUT)
{
	struct drain removal;
	uint64_t other = segment_new(&self->stores, self->store, MIB(2));
	struct memory striped = memory_create_in(self->stores.pager,
						 self->store, MIB(2));

	fill_all(&striped, 2);
	ASSERT_TRUE(evict(&striped));
	ASSERT_LT(0, segment_state(self->store, other).used_bytes);
	segment_new(&self->stores, self->store, MIB(4));
	slow_set(&self->device, FOR_EVER, 0);
	drain_start(&removal, self->store, self->segment, -1);
	EXPECT_TRUE(wait_until(segment_state(self->store, self->segment)
					.in_flight_bytes));
	EXPECT_EQ(0, segment_remove(self->store, other, -1));
	EXPECT_FALSE(removal.done);

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(0, drain_end(&removal));
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 1));
	EXPECT_TRUE(verify_all(&striped, 2));
	memory_destroy(&striped);
}

/* A slot is its page's until what is being written to it is there, or has failed. */
TEST_F_TIMEOUT(slow, removal_waits_for_writes, TIMEOUT)
{
	struct defpager_segment_info row;
	struct drain removal;

	segment_new(&self->stores, self->store, MIB(4));
	slow_set(&self->device, 0, FOR_EVER);
	fill(&self->memory, 0, STORED_PAGES, 2);
	ASSERT_TRUE(wait_until(segment_state(self->store, self->segment)
				.in_flight_bytes == PAGES(STORED_PAGES) ||
			       (ask_to_evict(&self->memory), false)));
	drain_start(&removal, self->store, self->segment, -1);
	EXPECT_TRUE(wait_until(removal.done || sleeps_in_ioctl(removal.tid)));
	row = segment_state(self->store, self->segment);
	EXPECT_EQ(PAGES(STORED_PAGES), row.used_bytes);
	EXPECT_EQ(PAGES(STORED_PAGES), row.in_flight_bytes);

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(0, drain_end(&removal));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 2));
}

/* It waits for what its device is to discard; that is nobody else's business. */
TEST_F_TIMEOUT(slow, others_do_not_wait_for_a_removal_that_discards, TIMEOUT)
{
	struct drain removal;

	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	drain_start(&removal, self->store, self->segment, -1);
	EXPECT_TRUE(wait_until(removal.tid && sleeps_in_ioctl(removal.tid)));
	expect_others_go_on(_metadata, &self->stores);
	EXPECT_FALSE(removal.done);

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(0, drain_end(&removal));
}

/* Reads fail after so many milliseconds, one by one. */
static void slow_break(const struct faulty *slow, const struct faulty *broken,
		       int reads)
{
	FILE *table = faulty_table(slow, "load");

	fprintf(table, "0 %ju delay /dev/mapper/%s 0 %d /dev/mapper/%s 0 0\n",
		slow->sectors, broken->name, reads, broken->name);
	faulty_load(slow, table);
}

/* A page that cannot be read is one to wait for; the next ones are not. */
TEST_F_TIMEOUT(slow, signal_ends_a_removal_after_a_page, TIMEOUT)
{
	struct drain removal;
	struct sigaction action = { .sa_handler = count_signal };
	struct faulty broken = faulty_new("broken", 0, MIB(8));

	must(!sigaction(SIGUSR1, &action, NULL));
	segment_new(&self->stores, self->store, MIB(4));
	faulty_break(&broken);
	slow_break(&self->device, &broken, 200);
	drain_start(&removal, self->store, self->segment, -1);
	EXPECT_TRUE(wait_until(segment_state(self->store, self->segment)
					.read_errors));
	ASSERT_EQ(0, pthread_kill(removal.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, drain_end(&removal));
	EXPECT_GT(STORED_PAGES / 2,
		  segment_state(self->store, self->segment).read_errors);

	slow_set(&self->device, 0, 0);
	faulty_remove(&broken);
	/* What could not be read is tried once more. */
	EXPECT_EQ(0, segment_remove(self->store, self->segment, -1));
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 1));
}

/* The process that waits; what others close after it does not undo that. */
TEST_F_TIMEOUT(slow, closing_ends_a_removal_whoever_closes_next, TIMEOUT)
{
	struct drain removal;
	int copy = dup(self->store);
	pid_t child;

	segment_new(&self->stores, self->store, MIB(4));
	slow_set(&self->device, FOR_EVER, 0);
	drain_start(&removal, copy, self->segment, -1);
	EXPECT_TRUE(wait_until(segment_state(self->store, self->segment)
					.in_flight_bytes));
	ASSERT_EQ(0, close(copy));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(close(self->store));
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_FALSE(removal.done);

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(-EINTR, drain_end(&removal));
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, self->segment).state);
	EXPECT_TRUE(verify(&self->memory, 0, STORED_PAGES, 1));
}

/* It is there, only not at once: that is no reason to refuse a removal. */
TEST_F_TIMEOUT(slow, what_is_being_discarded_is_space_to_move_to, TIMEOUT)
{
	struct drain removal;
	struct memory moving;
	uint64_t segment;
	int from;

	from = store_new(&self->stores, "from", 0, 0, DEFPAGER_STORE_EXCLUSIVE);
	segment = segment_new(&self->stores, from, MIB(4));
	moving = memory_create_in(self->stores.pager, from,
				  PAGES(OBJECT_PAGES));
	fill_all(&moving, 3);
	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	drain_start(&removal, from, segment, self->store);
	EXPECT_TRUE(wait_until(removal.done || sleeps_in_ioctl(removal.tid)));

	slow_set(&self->device, 0, 0);
	EXPECT_EQ(0, drain_end(&removal));
	EXPECT_TRUE(evict(&moving));
	EXPECT_TRUE(verify_all(&moving, 3));
	memory_destroy(&moving);
	close(from);
}

/* --- Alerts ---------------------------------------------------------------- */

struct arming {
	pthread_t thread;
	int store;
	volatile pid_t tid;
	int ret;
};

static void *arm_alert(void *arg)
{
	struct arming *arming = arg;

	arming->tid = gettid();
	arming->ret = alert_arm(arming->store);
	return NULL;
}

/* How much is free is known when it is discarded: to wait is for who asks that. */
TEST_F_TIMEOUT(slow, others_do_not_wait_for_an_alert, TIMEOUT)
{
	struct arming arming = { .store = self->store };
	int other = store_new(&self->stores, "other", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);

	ASSERT_TRUE(discard_hangs(&self->device, &self->memory));
	must(!pthread_create(&arming.thread, NULL, arm_alert, &arming));
	ASSERT_TRUE(wait_until(arming.tid && sleeps_in_ioctl(arming.tid)));
	EXPECT_EQ(0, alert_arm(other));
	EXPECT_EQ(0, close(other));

	slow_set(&self->device, 0, 0);
	must(!pthread_join(arming.thread, NULL));
	EXPECT_EQ(0, arming.ret);
}

/* --- Segments that are to be discarded first ------------------------------- */

FIXTURE(coming)
{
	struct stores stores;
	int store;
	struct faulty device;	/* discarding it takes for ever */
	pthread_t thread;
	volatile pid_t tid;
	struct defpager_segment_add add;
	int ret;
	volatile bool done;
};

static void *add_segment(void *arg)
{
	FIXTURE_DATA(coming) *self = arg;

	self->tid = gettid();
	self->ret = defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				   &self->add);
	self->done = true;
	return NULL;
}

FIXTURE_SETUP(coming)
{
	const char *missing = slow_missing();

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_new(&self->stores, "coming", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->device = faulty_new("slow", 0, MIB(8));
	slow_set(&self->device, 0, FOR_EVER);
	self->add = segment_range(self->device.fd, 0, MIB(8) / 512, 512);
	self->add.flags = DEFPAGER_SEGMENT_DISCARD;
	must(!pthread_create(&self->thread, NULL, add_segment, self));
	ASSERT_TRUE(wait_until(self->tid && sleeps_in_ioctl(self->tid)));
}

/* Returns what adding the segment returned. */
static int coming_ends(FIXTURE_DATA(coming) *self)
{
	must(!self->done);
	slow_set(&self->device, 0, 0);
	must(!pthread_join(self->thread, NULL));
	return self->ret;
}

FIXTURE_TEARDOWN(coming)
{
	if (!self->done)
		coming_ends(self);
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->store);
	faulty_remove(&self->device);
	stores_close(&self->stores);
}

TEST_F_TIMEOUT(coming, others_do_not_wait_for_it, TIMEOUT)
{
	expect_others_go_on(_metadata, &self->stores);
	/* Nor is there any of it yet. */
	EXPECT_EQ(0, store_state(self->store).nr_segments);
	EXPECT_EQ(0, totals(self->stores.pager).total_bytes);

	EXPECT_EQ(0, coming_ends(self));
	EXPECT_EQ(MIB(8), store_state(self->store).free_bytes);
	EXPECT_EQ(MIB(8), segment_state(self->store,
					self->add.id).discarded_bytes);
}

TEST_F_TIMEOUT(coming, nobody_else_gets_its_range, TIMEOUT)
{
	struct defpager_segment_add add = segment_range(self->device.fd,
							MIB(4) / 512, 8, 512);

	EXPECT_EQ(-EINVAL, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
					  &add));
	EXPECT_EQ(0, coming_ends(self));
}

TEST_F_TIMEOUT(coming, store_can_be_deleted_meanwhile, TIMEOUT)
{
	int claimed;

	EXPECT_EQ(0, store_delete(self->store, -1));
	EXPECT_EQ(-ENODEV, coming_ends(self));
	EXPECT_EQ(0, totals(self->stores.pager).nr_segments);
	claimed = open("/dev/mapper/slow", O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claimed);
	close(claimed);
}

TEST_HARNESS_MAIN
