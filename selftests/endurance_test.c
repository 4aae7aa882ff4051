// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writers that dirty memory faster than a disk takes it, for a longer time
 * under a limit, and in a machine that is smaller than what they write to: none
 * is killed for memory.
 *
 * Each test runs for DEFPAGER_TEST_SECONDS. Needs two processors, a disk of
 * more than twice the machine's memory, and no swap.
 */
#include "lost_update.h"

#include "kselftest_harness.h"

#define TIMEOUT 90000
#define SECONDS 60
#define LIMIT MIB(64)

FIXTURE(endurance)
{
	struct memory memory;
	struct cgroup cgroup;
	struct workload load;
	long long kills;
	int pager;
};

FIXTURE_VARIANT(endurance)
{
	bool limited;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(endurance, cgroup_limit) { .limited = true };
FIXTURE_VARIANT_ADD(endurance, small_machine) { .limited = false };
/* clang-format on */

FIXTURE_SETUP(endurance)
{
	uint64_t size = memory_size() / 2 / MIB(1) * MIB(3);

	self->kills = read_number("/proc/vmstat", "oom_kill ");
	self->pager = pager_open_with_space();
	cgroup_enter(&self->cgroup, variant->limited ? LIMIT : 0);
	self->memory = memory_create(self->pager,
				     variant->limited ? 2 * LIMIT : size);
	self->load = (struct workload) {
		.memory = &self->memory,
		.cgroup = &self->cgroup,
		.cell_size = page_size(),
		.owner = OWNER_RANDOM,
		.nr_processes = 2,
		.nr_threads = 2,
		.seconds = test_seconds(SECONDS),
	};
}

FIXTURE_TEARDOWN(endurance)
{
	memory_destroy(&self->memory);
	EXPECT_TRUE(cgroup_leave(&self->cgroup));
	EXPECT_EQ(self->kills, read_number("/proc/vmstat", "oom_kill "));
	EXPECT_TRUE(wait_until(!totals(self->pager).reserved_bytes));
	close(self->pager);
}

TEST_F_TIMEOUT(endurance, nobody_is_killed_for_memory, TIMEOUT)
{
	EXPECT_TRUE(run_workload(&self->load));
}

TEST_HARNESS_MAIN
