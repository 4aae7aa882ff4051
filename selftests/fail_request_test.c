// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to a device that fail, one by one, wherever paging makes them: going
 * out, coming in by faults, reads and advice, and while a segment is drained. No
 * page is lost, and none but those that could not be read is said to be.
 * And requests that are never answered, which is found out by the block layer.
 *
 * For kernels that make requests fail.
 */
#include "contract_utils.h"
#include "fail_utils.h"
#include "faulty_utils.h"
#include "null_blk_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 600
#define SEGMENT MIB(16)
#define OBJECT_PAGES 64

FIXTURE(request)
{
	struct stores stores;
	int device;
	char fails[PATH_MAX];	/* switches failures of the device on */
	int store;
	uint64_t id;
	struct memory memory;
};

FIXTURE_VARIANT(request)
{
	uint32_t flags;		/* of the store */
	int failures;		/* requests that fail in a row */
};

/* clang-format off */
FIXTURE_VARIANT_ADD(request, one) { .failures = 1 };
FIXTURE_VARIANT_ADD(request, two) { .failures = 2 };
FIXTURE_VARIANT_ADD(request, two_protected)
{
	.flags = DEFPAGER_STORE_CHECKSUM | DEFPAGER_STORE_ENCRYPT,
	.failures = 2,
};
/* clang-format on */

FIXTURE_SETUP(request)
{
	char path[PATH_MAX];

	if (!can_fail_requests("fail_make_request"))
		SKIP(_exit(KSFT_SKIPPED), "no fault injection in this kernel");
	self->stores = (struct stores) { .pager = pager_open(), .disk = -1 };
	ASSERT_LE(0, self->stores.pager);
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->device = loop_create(SEGMENT, 512, 0);
	ASSERT_LE(0, self->device);
	snprintf(self->fails, sizeof(self->fails), "/sys/block/%s/make-it-fail",
		 strrchr(fd_path(self->device, path), '/') + 1);
	ASSERT_EQ(0, write_text(self->fails, "1"));
	self->store = store_new(&self->stores, "request", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE | variant->flags);
	self->id = segment_at(self->store, self->device, 0, SEGMENT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
}

FIXTURE_TEARDOWN(request)
{
	fail_requests("fail_make_request", 0, 0);
	write_text(self->fails, "0");
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->device);
	close(self->stores.pager);
}

/* Whether all of the failures have been used up. */
static bool all_have_failed(void)
{
	bool all = !failures_left("fail_make_request");

	fail_requests("fail_make_request", 0, 0);
	return all;
}

TEST_F_TIMEOUT(request, page_out, TIMEOUT)
{
	uint32_t generation = 0;
	uint64_t after;

	for (after = 0; after <= OBJECT_PAGES; after++) {
		fill_all(&self->memory, ++generation);
		fail_requests("fail_make_request", PAGES(after),
			      variant->failures);
		ask_to_evict(&self->memory);
		ASSERT_TRUE(evict(&self->memory));
		/* Only where there are as many requests. */
		if (after == 0)
			EXPECT_TRUE(all_have_failed());
		fail_requests("fail_make_request", 0, 0);
		ASSERT_TRUE(verify_all(&self->memory, generation)) {
			TH_LOG("after %ju pages", (uintmax_t)after);
		}
		ASSERT_TRUE(accounts_agree(&self->stores));
	}
	/* A page is told to have failed when it has failed alone. */
	EXPECT_EQ(variant->failures > 1,
		  !!segment_state(self->store, self->id).write_errors);
	EXPECT_EQ(0, segment_state(self->store, self->id).read_errors);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, self->id).state);
}

/* --- Coming in ------------------------------------------------------------ */

/* Pages that cannot be read are written anew; all others must be right. */
static uint64_t mend(const struct memory *memory, uint32_t generation)
{
	char content[page_size()];
	uint64_t page, bad = 0;
	ssize_t ret;

	for (page = 0; page < memory_pages(memory); page++) {
		ret = pread(memory->fd, content, page_size(), PAGES(page));
		if (ret == (ssize_t)page_size()) {
			must(verify_page(content, page, generation));
			continue;
		}
		must(ret == -1 && errno == EIO);
		bad++;
		fill_page(content, page, generation);
		must(pwrite(memory->fd, content, page_size(), PAGES(page)) ==
		     (ssize_t)page_size());
	}
	return bad;
}

static void by_fault(const struct memory *memory, uint32_t generation)
{
	uint64_t page;
	bool error;

	for (page = 0; page < memory_pages(memory); page++)
		must(page_is_there(memory, page, generation, &error) || error);
}

static void by_read(const struct memory *memory, uint32_t generation)
{
	char content[page_size()];
	uint64_t page;

	for (page = 0; page < memory_pages(memory); page++)
		must(pread(memory->fd, content, page_size(), PAGES(page)) > 0 ?
			     verify_page(content, page, generation) :
			     errno == EIO);
}

/* Without reading ahead, so that each request is for one page. */
static void at_random(const struct memory *memory, uint32_t generation)
{
	must(posix_fadvise(memory->fd, 0, 0, POSIX_FADV_RANDOM) == 0);
	by_read(memory, generation);
}

static void by_advice(const struct memory *memory, uint32_t generation)
{
	must(madvise(memory->map, memory->size, MADV_WILLNEED) == 0);
	by_fault(memory, generation);
}

static void by_request(const struct memory *memory, uint32_t generation)
{
	struct defpager_object_pageout arg;
	int ret = object_pageout(memory->fd, DEFPAGER_PAGEOUT_IN |
				 DEFPAGER_PAGEOUT_WAIT, 0, 0, &arg);

	must(ret == 0 || ret == -EIO);
	by_fault(memory, generation);
}

static void (*const ways_in[])(const struct memory *memory,
			       uint32_t generation) = {
	by_fault, by_read, at_random, by_advice, by_request,
};

#define NR_WAYS (sizeof(ways_in) / sizeof(ways_in[0]))

/*
 * A request that fails is made again page by page: one failure is not noticed,
 * two take one page at most.
 */
TEST_F_TIMEOUT(request, page_in, TIMEOUT)
{
	uint64_t bad, after, failed = 0;

	for (size_t way = 0; way < NR_WAYS; way++) {
		for (after = 0; after < OBJECT_PAGES; after += 3) {
			fill_all(&self->memory, way + 1);
			ASSERT_TRUE(evict(&self->memory));
			fail_requests("fail_make_request", PAGES(after),
				      variant->failures);
			ways_in[way](&self->memory, way + 1);
			failed += all_have_failed();
			bad = mend(&self->memory, way + 1);
			EXPECT_GE(variant->failures - 1, bad) {
				TH_LOG("way %zu, after %ju pages", way,
				       (uintmax_t)after);
			}
			ASSERT_TRUE(accounts_agree(&self->stores));
		}
		ASSERT_EQ(0, posix_fadvise(self->memory.fd, 0, 0,
					   POSIX_FADV_NORMAL));
	}
	/* All but those that come after what had been read ahead. */
	EXPECT_LE(NR_WAYS * OBJECT_PAGES / 3 / 2, failed);
	if (variant->failures == 1)
		EXPECT_EQ(0, segment_state(self->store, self->id).read_errors);
}

/* --- Draining --------------------------------------------------------------- */

/* It moves what can be read; and the rest once that has been written anew. */
TEST_F_TIMEOUT(request, drain, TIMEOUT)
{
	int other = loop_create(SEGMENT, 512, 0), ret;
	uint64_t after, failed = 0, other_id;

	ASSERT_LE(0, other);
	for (after = 0; after < OBJECT_PAGES; after += 3) {
		fill_all(&self->memory, after + 1);
		ASSERT_TRUE(evict(&self->memory));
		other_id = segment_at(self->store, other, 0, SEGMENT);
		fail_requests("fail_make_request", PAGES(after),
			      variant->failures);
		ret = segment_remove(self->store, self->id, -1);
		failed += all_have_failed();
		if (ret) {
			EXPECT_EQ(-EIO, ret);
			EXPECT_GE(variant->failures - 1,
				  mend(&self->memory, after + 1));
			ASSERT_EQ(0, segment_remove(self->store, self->id, -1));
		}
		ASSERT_TRUE(verify_all(&self->memory, after + 1));
		/* When nothing is on its way any more. */
		ASSERT_TRUE(evict(&self->memory));
		ASSERT_TRUE(accounts_agree(&self->stores));
		/* And back. */
		self->id = segment_at(self->store, self->device, 0, SEGMENT);
		ASSERT_EQ(0, segment_remove(self->store, other_id, -1));
	}
	EXPECT_LE(OBJECT_PAGES / 3 / 2, failed);
	close(other);
}

/* --- Requests without an answer ------------------------------------------- */

FIXTURE(timeout)
{
	struct stores stores;
	struct null_blk disk;
	int store;
	uint64_t id;
	struct memory memory;
};

static void set_of_disk(const struct null_blk *disk, const char *name, int value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/%s", disk->name, name);
	must(write_text(path, "%d", value) == 0);
}

FIXTURE_SETUP(timeout)
{
	if (!can_fail_requests("fail_io_timeout"))
		SKIP(_exit(KSFT_SKIPPED), "no fault injection in this kernel");
	if (!null_blk_works())
		SKIP(_exit(KSFT_SKIPPED), "there is no null_blk");
	self->stores = (struct stores) { .pager = pager_open(), .disk = -1 };
	ASSERT_LE(0, self->stores.pager);
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->disk = null_blk_new("silent", SEGMENT);
	null_blk_start(&self->disk);
	set_of_disk(&self->disk, "io-timeout-fail", 1);
	set_of_disk(&self->disk, "queue/io_timeout", 1000);
	self->store = store_new(&self->stores, "silent", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_at(self->store, self->disk.fd, 0, SEGMENT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
	fill_all(&self->memory, 1);
}

FIXTURE_TEARDOWN(timeout)
{
	fail_requests("fail_io_timeout", 0, 0);
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	null_blk_destroy(&self->disk);
	close(self->stores.pager);
}

/* Nothing is sent there until it answers; then all is as before. */
TEST_F_TIMEOUT(timeout, page_out, TIMEOUT)
{
	fail_requests("fail_io_timeout", 0, -1);
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	fail_requests("fail_io_timeout", 0, 0);
	EXPECT_TRUE(recovers(self->store, self->id));
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, segment_state(self->store, self->id).bad_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* It says nothing of the page, which can be read when there is an answer. */
TEST_F_TIMEOUT(timeout, page_in, TIMEOUT)
{
	char content[page_size()];

	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, posix_fadvise(self->memory.fd, 0, 0, POSIX_FADV_RANDOM));
	fail_requests("fail_io_timeout", 0, -1);
	EXPECT_EQ(-1, pread(self->memory.fd, content, page_size(), 0));
	EXPECT_EQ(EIO, errno);
	fail_requests("fail_io_timeout", 0, 0);
	EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
		  segment_state(self->store, self->id).state);
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_HARNESS_MAIN
