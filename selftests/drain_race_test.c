// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing segments while other things go on, other removals among them: nobody
 * disturbs the other.
 *
 * Needs a disk of 3 GiB, /dev/vda, which is overwritten. The tests that go on for a
 * while do so for DEFPAGER_TEST_SECONDS.
 */
#include "drain_utils.h"
#include "lost_update.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 5

#define NR_PARTS 4
#define PART MIB(32)

/* A store whose segments are replaced all the time. */
FIXTURE(race)
{
	struct stores s;
	struct cgroup cgroup;
	int store;
	uint64_t segment[NR_PARTS];
	double deadline;
	volatile uint64_t drained;
	volatile bool stop;
};

FIXTURE_SETUP(race)
{
	int i;

	self->s = stores_open();
	ASSERT_EQ(0, stores_clear(&self->s));
	self->store = store_new(&self->s, "race", 0, 0, 0);
	for (i = 0; i < NR_PARTS; i++)
		self->segment[i] = segment_new(&self->s, self->store, PART);
	cgroup_enter(&self->cgroup, 0);
	self->deadline = now() + test_seconds(SECONDS);
	self->drained = 0;
	self->stop = false;
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_TRUE(cgroup_leave(&self->cgroup));
	EXPECT_TRUE(accounts_agree(&self->s));
	EXPECT_EQ(0, stores_clear(&self->s));
	close(self->store);
	stores_close(&self->s);
}

/* Removes one segment after the other, and adds it again. */
static void *drain_in_turn(void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	int i;

	for (i = 0; !self->stop; i = (i + 1) % NR_PARTS) {
		must(segment_remove(self->store, self->segment[i], -1) == 0);
		self->segment[i] = segment_at(self->store, self->s.disk,
					      i * PART, PART);
		self->drained++;
	}
	return NULL;
}

static void run_against_drains(struct __test_metadata *_metadata,
			       FIXTURE_DATA(race) *self, int store)
{
	struct memory memory = memory_create_in(self->s.pager, store, MIB(24));
	struct workload load = {
		.memory = &memory,
		.cgroup = &self->cgroup,
		.cell_size = page_size(),
		.owner = OWNER_RANDOM,
		.way = UPDATE_ANY,
		.nr_processes = 2,
		.nr_threads = 2,
		.disturbed = true,
		.seconds = test_seconds(SECONDS),
	};
	pthread_t drainer;

	/* The drain's own memory is nobody's: only the writers are limited. */
	ASSERT_EQ(0, cgroup_set(&self->cgroup, "memory.max", MIB(16)));
	ASSERT_EQ(0, pthread_create(&drainer, NULL, drain_in_turn, self));
	EXPECT_TRUE(run_workload(&load));
	self->stop = true;
	ASSERT_EQ(0, pthread_join(drainer, NULL));
	TH_LOG("%ju drains", (uintmax_t)self->drained);
	EXPECT_LT(2, self->drained);
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
	ASSERT_TRUE(wait_until(!totals(self->s.pager).reserved_bytes));
}

TEST_F_TIMEOUT(race, writers_of_confined_pages_lose_no_update, TIMEOUT)
{
	run_against_drains(_metadata, self, self->store);
}

TEST_F_TIMEOUT(race, writers_of_common_pages_lose_no_update, TIMEOUT)
{
	run_against_drains(_metadata, self, -1);
}

TEST_F_TIMEOUT(race, objects_come_and_go_meanwhile, TIMEOUT)
{
	uint64_t round = 0;
	struct memory memory;
	pthread_t drainer;

	ASSERT_EQ(0, pthread_create(&drainer, NULL, drain_in_turn, self));
	while (now() < self->deadline) {
		memory = memory_create_in(self->s.pager,
					  ++round % 2 ? self->store : -1,
					  MIB(4));
		fill_all(&memory, round);
		madvise_pageout(&memory);
		if (round % 3 == 0)
			ASSERT_EQ(0, ftruncate(memory.fd, MIB(2)));
		EXPECT_TRUE(verify(&memory, 0, memory_pages(&memory) / 2,
				   round));
		memory_destroy(&memory);
	}
	self->stop = true;
	ASSERT_EQ(0, pthread_join(drainer, NULL));
	EXPECT_LT(2, self->drained);
	ASSERT_TRUE(wait_until(!totals(self->s.pager).reserved_bytes));
}

/* Two at once: there is room for what both of them give up. */
TEST_F_TIMEOUT(race, two_segments_are_drained_at_once, TIMEOUT)
{
	struct memory memory = memory_create_in(self->s.pager, self->store,
						MIB(24));
	struct drain drains[2];
	int i, round = 0;

	fill_all(&memory, 1);
	while (now() < self->deadline) {
		ASSERT_TRUE(evict(&memory));
		round = !round;
		for (i = 0; i < 2; i++)
			drain_start(&drains[i], self->store,
				    self->segment[2 * round + i], -1);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, drain_end(&drains[i]));
		for (i = 0; i < 2; i++)
			self->segment[2 * round + i] =
				segment_at(self->store, self->s.disk,
					   (2 * round + i) * PART, PART);
		ASSERT_TRUE(verify_all(&memory, 1));
	}
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(accounts_agree(&self->s));
	memory_destroy(&memory);
}

/* And if there is only for one, then one of them is refused. */
TEST_F_TIMEOUT(race, one_of_two_drains_is_refused_if_space_is_short, TIMEOUT)
{
	struct memory memory = memory_create_in(self->s.pager, self->store,
						2 * PART + MIB(4));
	int i, refused, round, ret;
	struct drain drains[2];

	/* More than two segments can hold, but not more than three. */
	fill_all(&memory, 1);
	for (round = 0; round < 5; round++) {
		ASSERT_TRUE(evict(&memory));
		refused = 0;
		for (i = 0; i < 2; i++)
			drain_start(&drains[i], self->store, self->segment[i],
				    -1);
		for (i = 0; i < 2; i++) {
			ret = drain_end(&drains[i]);
			EXPECT_TRUE(!ret || ret == -ENOSPC);
			refused += ret == -ENOSPC;
		}
		EXPECT_EQ(1, refused);
		for (i = 0; i < 2; i++)
			if (!drains[i].ret)
				self->segment[i] = segment_at(self->store,
							      self->s.disk,
							      i * PART, PART);
	}
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
}

/* All of several want the same one. */
TEST_F_TIMEOUT(race, one_of_many_removes_a_segment, TIMEOUT)
{
	struct drain drains[4];
	int i, round, removed;

	for (round = 0; round < 20; round++) {
		removed = 0;
		for (i = 0; i < 4; i++)
			drain_start(&drains[i], self->store, self->segment[0],
				    -1);
		for (i = 0; i < 4; i++) {
			drain_end(&drains[i]);
			removed += !drains[i].ret;
			EXPECT_TRUE(!drains[i].ret ||
				    drains[i].ret == -EBUSY ||
				    drains[i].ret == -ENOENT);
		}
		ASSERT_EQ(1, removed);
		self->segment[0] = segment_at(self->store, self->s.disk, 0,
					      PART);
	}
}

/* Segments of one range, added and removed by whoever is quick enough. */
static void *add_and_remove(void *arg)
{
	FIXTURE_DATA(race) *self = arg;
	struct defpager_segment_add add;
	int ret;

	while (now() < self->deadline) {
		add = segment_range(self->s.disk, NR_PARTS * PART / 512,
				    MIB(1) / 512, 512);
		ret = defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				     &add);
		must(!ret || ret == -EINVAL);
		if (ret)
			continue;
		must(segment_remove(self->store, add.id, -1) == 0);
		self->drained++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, adding_and_removing_do_not_disturb_each_other, TIMEOUT)
{
	pthread_t threads[3];
	struct memory memory = memory_create_in(self->s.pager, self->store,
						MIB(4));
	uint32_t generation = 0;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, add_and_remove,
					    self));
	while (now() < self->deadline) {
		fill_all(&memory, ++generation);
		madvise_pageout(&memory);
		EXPECT_TRUE(verify_all(&memory, generation));
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
	EXPECT_LT(2, self->drained);
	EXPECT_EQ(NR_PARTS, store_state(self->store).nr_segments);
	memory_destroy(&memory);
}

struct maker {
	pthread_t thread;
	struct stores *s;
	int store;
	volatile bool stop;
	uint64_t made;
};

/* Confined objects, as long as there is the store. */
static void *make_objects(void *arg)
{
	struct maker *maker = arg;
	struct memory memory;
	int fd;

	while (!maker->stop) {
		fd = object_create_in(maker->s->pager, maker->store, PAGES(16));
		must(fd >= 0 || fd == -EBUSY || fd == -ENODEV);
		if (fd < 0)
			continue;
		memory = (struct memory) { .fd = fd, .size = PAGES(16) };
		must(touch_all(&memory) == 16);
		must(close(fd) == 0);
		maker->made++;
	}
	return NULL;
}

/* Each object is made in time and moves, or is not made: none is left over. */
TEST_F_TIMEOUT(race, objects_are_made_while_their_store_goes, TIMEOUT)
{
	struct maker maker = { .s = &self->s };
	int rounds = 0;

	while (now() < self->deadline) {
		maker.store = store_new(&self->s, "short", 0, 0,
					DEFPAGER_STORE_EXCLUSIVE);
		segment_at(maker.store, self->s.disk, NR_PARTS * PART, MIB(4));
		maker.stop = false;
		ASSERT_EQ(0, pthread_create(&maker.thread, NULL, make_objects,
					    &maker));
		ASSERT_TRUE(wait_until(store_state(maker.store).nr_objects));
		ASSERT_EQ(0, store_delete(maker.store, self->store));
		maker.stop = true;
		ASSERT_EQ(0, pthread_join(maker.thread, NULL));
		close(maker.store);
		rounds++;
	}
	TH_LOG("%ju objects, %d stores", (uintmax_t)maker.made, rounds);
	EXPECT_LT(2, rounds);
	EXPECT_TRUE(wait_until(!store_state(self->store).nr_objects));
	EXPECT_EQ(0, store_state(self->store).confined_bytes);
}

/* --- A gigabyte --------------------------------------------------------- */

struct gigabyte {
	struct memory memory;
	volatile bool stop;
	volatile bool well;
	uint32_t generations[4096];	/* of each chunk */
	uint64_t updates;
};

#define CHUNK_PAGES 64

/* Chunks at random: each is as it was left. */
static void *update_chunks(void *arg)
{
	struct gigabyte *g = arg;
	uint64_t chunk, seed = 1, nr = memory_pages(&g->memory) / CHUNK_PAGES;

	while (g->well && !g->stop) {
		chunk = next_random(&seed) % nr;
		g->well = verify(&g->memory, chunk * CHUNK_PAGES, CHUNK_PAGES,
				 g->generations[chunk]);
		fill(&g->memory, chunk * CHUNK_PAGES, CHUNK_PAGES,
		     ++g->generations[chunk]);
		g->updates++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, a_gigabyte_is_drained_beside_a_writer, TIMEOUT)
{
	static struct gigabyte g;
	int store = store_new(&self->s, "gigabyte", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	uint64_t chunk, segment = segment_new(&self->s, store, GIB(1));
	struct drain drain;
	pthread_t writer;
	double start;

	g.memory = memory_create_in(self->s.pager, store, GIB(1));
	for (chunk = 0; chunk < 4096; chunk++)
		g.generations[chunk] = 1;
	fill_all(&g.memory, 1);
	ASSERT_TRUE(evict(&g.memory));
	EXPECT_EQ(GIB(1), segment_state(store, segment).used_bytes);
	segment_new(&self->s, store, GIB(1));

	g.well = true;
	ASSERT_EQ(0, pthread_create(&writer, NULL, update_chunks, &g));
	start = now();
	drain_start(&drain, store, segment, -1);
	EXPECT_EQ(0, drain_end(&drain));
	TH_LOG("drained %ju MiB in %.1f s, beside %ju updates of 256 KiB",
	       (uintmax_t)drain.arg.moved_bytes >> 20, now() - start,
	       (uintmax_t)g.updates);
	g.stop = true;
	ASSERT_EQ(0, pthread_join(writer, NULL));
	EXPECT_TRUE(g.well);
	EXPECT_LT(0, g.updates);
	for (chunk = 0; chunk < 4096; chunk++)
		ASSERT_TRUE(verify(&g.memory, chunk * CHUNK_PAGES, CHUNK_PAGES,
				   g.generations[chunk]));
	memory_destroy(&g.memory);
	close(store);
}

TEST_HARNESS_MAIN
