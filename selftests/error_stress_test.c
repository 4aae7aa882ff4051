// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writers, and a benchmark that verifies, on a device which refuses to write
 * again and again: no update may be lost, and nobody may be killed.
 *
 * Needs two disks that are all the tests', two processors, and no swap.
 */
#include "faulty_utils.h"
#include "lost_update.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 20
#define SEGMENT MIB(64)
#define LIMIT MIB(24)

FIXTURE(stress)
{
	struct stores stores;
	struct faulty one;
	int store;
	uint64_t id;
	struct memory memory;
	struct cgroup cgroup;
};

FIXTURE_VARIANT(stress)
{
	bool spare;		/* there is another segment */
};

/* clang-format off */
FIXTURE_VARIANT_ADD(stress, alone) { .spare = false };
FIXTURE_VARIANT_ADD(stress, with_spare) { .spare = true };
/* clang-format on */

FIXTURE_SETUP(stress)
{
	const char *missing = faulty_missing();

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->one = faulty_new("one", 0, SEGMENT);
	self->store = store_new(&self->stores, "stress", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_on(self->store, &self->one);
	if (variant->spare)
		segment_new(&self->stores, self->store, SEGMENT);
	cgroup_enter(&self->cgroup, LIMIT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					2 * LIMIT);
	/* Space is promised now: while nothing can be written, it is not. */
	ASSERT_TRUE(verify_all(&self->memory, 0));
	faulty_refuse_writes(&self->one, 3, 1);
}

FIXTURE_TEARDOWN(stress)
{
	faulty_heal(&self->one);
	memory_destroy(&self->memory);
	EXPECT_TRUE(cgroup_leave(&self->cgroup));
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	faulty_remove(&self->one);
	stores_close(&self->stores);
}

TEST_F_TIMEOUT(stress, no_update_is_lost, TIMEOUT)
{
	struct workload load = {
		.memory = &self->memory,
		.cgroup = &self->cgroup,
		.cell_size = page_size() / 2,
		.owner = OWNER_RANDOM,
		.way = UPDATE_ANY,
		.nr_processes = 2,
		.nr_threads = 2,
		.disturbed = true,
		.seconds = test_seconds(SECONDS),
	};

	EXPECT_TRUE(run_workload(&load));
	/* Otherwise it has shown nothing. */
	EXPECT_LT(0, segment_state(self->store, self->id).write_errors);
}

TEST_F_TIMEOUT(stress, fio_verifies, TIMEOUT)
{
	/*
	 * One library of fio is larger than what the debug kernel leaves, if
	 * all of it is counted; but most of it is never touched.
	 */
	ASSERT_TRUE(shell("echo 1 >/proc/sys/vm/overcommit_memory"));
	if (!shell("fio --version >/dev/null 2>&1"))
		SKIP(return, "there is no fio");
	EXPECT_TRUE(shell("fio --name=stress --filename=/proc/%d/fd/%d --rw=randrw --bs=4k --size=%ju --io_size=%ju --verify=crc32c --verify_fatal=1 --time_based --runtime=%d --thread --eta=never --output=/tmp/fio.log || { cat /tmp/fio.log; false; }",
			  getpid(), self->memory.fd, self->memory.size,
			  4 * self->memory.size, (int)test_seconds(SECONDS)));
	EXPECT_LT(0, segment_state(self->store, self->id).write_errors);
}

TEST_HARNESS_MAIN
