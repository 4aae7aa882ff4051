// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that stay in memory: without a segment, and where others are paged
 * out.
 */
#include <linux/falloc.h>
#include <sys/stat.h>

#include "contract_utils.h"
#include "paging_utils.h"
#include <kselftest_harness.h>

#define SIZE	MIB(8)
#define LIMIT	MIB(24)

FIXTURE(resident)
{
	int pager;
	struct memory memory;
};

FIXTURE_VARIANT(resident)
{
	bool segment;		/* where pages could go */
};

/* In this order: a segment stays. */
FIXTURE_VARIANT_ADD(resident, no_segment)
{
	.segment = false,
};

FIXTURE_VARIANT_ADD(resident, with_segment)
{
	.segment = true,
};

FIXTURE_SETUP(resident)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	if (variant->segment) {
		ASSERT_EQ(0, pager_need_space(self->pager, MIB(64)));
	} else {
		ASSERT_EQ(0, totals(self->pager).nr_segments);
	}
	self->memory.size = SIZE;
	self->memory.fd = object_create_with(self->pager, -1, SIZE,
					   DEFPAGER_OBJECT_RESIDENT);
	ASSERT_LE(0, self->memory.fd);
	self->memory.map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				self->memory.fd, 0);
	ASSERT_NE(MAP_FAILED, self->memory.map);
}

FIXTURE_TEARDOWN(resident)
{
	memory_destroy(&self->memory);
	close(self->pager);
}

TEST_F(resident, needs_no_space)
{
	struct defpager_info before = totals(self->pager);
	struct defpager_object_info info;
	struct stat st;

	fill_all(&self->memory, 1);
	EXPECT_EQ(1, pwrite(self->memory.fd, "x", 1, 100));
	EXPECT_EQ('x', self->memory.map[100]);
	info = memory_info(&self->memory);
	EXPECT_EQ(DEFPAGER_OBJECT_RESIDENT, info.flags);
	EXPECT_EQ(SIZE, info.resident_bytes);
	EXPECT_EQ(0, info.reserved_bytes);
	EXPECT_EQ(0, info.stored_bytes);
	EXPECT_EQ(0, info.confined);
	EXPECT_STREQ("", info.backing_store);
	EXPECT_EQ(before.free_bytes, totals(self->pager).free_bytes);
	ASSERT_EQ(0, fstat(self->memory.fd, &st));
	EXPECT_EQ((off_t)SIZE, st.st_blocks * 512);
}

/* Fills it in a group of its own, and lets all there is reclaim from that. */
static int resist_reclaim(void *arg)
{
	struct memory *memory = arg;
	struct cgroup cgroup;
	long long charged;

	cgroup_enter(&cgroup, LIMIT);
	fill_all(memory, 1);
	charged = cgroup_number(&cgroup, "memory.current", "");
	if (charged < (long long)SIZE)
		return 2;
	cgroup_reclaim(&cgroup, SIZE);
	madvise_pageout(memory);
	must(!posix_fadvise(memory->fd, 0, 0, POSIX_FADV_DONTNEED));
	must(!write_text("/proc/sys/vm/drop_caches", "3"));
	if (resident_pages(memory) != memory_pages(memory))
		return 3;
	/* Those that are not mapped, too. */
	must(!madvise(memory->map, memory->size, MADV_DONTNEED));
	cgroup_reclaim(&cgroup, SIZE);
	must(!write_text("/proc/sys/vm/drop_caches", "1"));
	if (resident_pages(memory) != memory_pages(memory))
		return 4;
	if (!verify_all(memory, 1))
		return 5;
	/* It is charged to the group until it goes. */
	must(!fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			0, SIZE));
	if (cgroup_number(&cgroup, "memory.current", "") >
	    charged - (long long)SIZE / 2)
		return 6;
	return cgroup_leave(&cgroup) ? 0 : 7;
}

TEST_F(resident, is_charged_and_stays)
{
	struct defpager_info before = totals(self->pager);

	EXPECT_EQ(0, in_child(resist_reclaim, &self->memory));
	EXPECT_EQ(before.pages_out, totals(self->pager).pages_out);
	EXPECT_EQ(0, resident_pages(&self->memory));
}

/*
 * Of pages that were only read nothing would be lost. But they are there for who
 * cannot wait: reclaim does not even look at them. (Whoever empties the page cache
 * may have them, as the module does not tell them from others.)
 */
static int read_and_resist_reclaim(void *arg)
{
	struct memory *memory = arg;
	struct cgroup cgroup;

	cgroup_enter(&cgroup, LIMIT);
	must(verify_all(memory, 0));
	must(resident_pages(memory) == memory_pages(memory));
	cgroup_reclaim(&cgroup, SIZE);
	madvise_pageout(memory);
	if (resident_pages(memory) != memory_pages(memory))
		return 2;
	must(!madvise(memory->map, memory->size, MADV_DONTNEED));
	cgroup_reclaim(&cgroup, SIZE);
	if (resident_pages(memory) != memory_pages(memory))
		return 3;
	return cgroup_leave(&cgroup) ? 0 : 4;
}

TEST_F(resident, stays_if_it_was_only_read)
{
	EXPECT_EQ(0, in_child(read_and_resist_reclaim, &self->memory));
	EXPECT_EQ(SIZE, memory_info(&self->memory).resident_bytes);
}

/* Larger than its group may be: there is nothing left but to kill. */
static int fill_too_much(void *arg)
{
	struct memory *memory = arg;
	struct cgroup cgroup;

	cgroup_enter(&cgroup, SIZE / 2);
	fill_all(memory, 1);
	return 0;
}

TEST_F_TIMEOUT(resident, has_the_limits_of_memory, 120)
{
	char path[64];
	int status;
	pid_t pid;

	fflush(stderr);
	pid = fork();
	if (!pid)
		_exit(fill_too_much(&self->memory));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/defpager-test.%d", pid);
	EXPECT_TRUE(wait_until(!rmdir(path)));
}

TEST_F(resident, cannot_be_moved)
{
	struct defpager_object_pageout arg;

	fill_all(&self->memory, 1);
	EXPECT_EQ(-EOPNOTSUPP, object_pageout(self->memory.fd,
					      DEFPAGER_PAGEOUT_OUT, 0, 0,
					      &arg));
	EXPECT_EQ(-EOPNOTSUPP, object_pageout(self->memory.fd,
					      DEFPAGER_PAGEOUT_IN, 0, 0,
					      &arg));
	EXPECT_TRUE(verify_all(&self->memory, 1));
}

TEST_F(resident, can_be_cut_and_punched)
{
	int fd = self->memory.fd;

	fill_all(&self->memory, 1);
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       MIB(1), MIB(1)));
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_ZERO_RANGE, MIB(3), MIB(1)));
	EXPECT_EQ(SIZE - MIB(2), memory_info(&self->memory).resident_bytes);
	EXPECT_EQ(0, self->memory.map[MIB(1)]);
	EXPECT_EQ(0, self->memory.map[MIB(4) - 1]);
	ASSERT_EQ(0, ftruncate(fd, MIB(6)));
	ASSERT_EQ(0, ftruncate(fd, MIB(8)));
	EXPECT_EQ(0, self->memory.map[MIB(6)]);
	EXPECT_TRUE(verify(&self->memory, 0, MIB(1) / page_size(), 1));
	EXPECT_TRUE(verify(&self->memory, MIB(4) / page_size(),
			   MIB(2) / page_size(), 1));
}

TEST_F(resident, is_allocated_by_touching)
{
	EXPECT_EQ(-1, fallocate(self->memory.fd, 0, 0, MIB(1)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(0, posix_fallocate(self->memory.fd, 0, MIB(1)));
	EXPECT_EQ(MIB(1), memory_info(&self->memory).resident_bytes);
}

TEST_HARNESS_MAIN
