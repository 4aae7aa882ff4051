// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that do not answer: they are not waited for page by page, no slot is
 * blamed for it, and when they answer again all is as before.
 *
 * The silent device is a SCSI disk that the kernel makes up: it is taken offline,
 * or the commands it gets time out.
 */
#include "faulty_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define SEGMENT MIB(8)
#define OBJECT_PAGES 512

enum device {
	DEVICE_OFFLINE,
	DEVICE_TIMEOUT,
};

FIXTURE(silent)
{
	struct stores stores;
	char path[32];
	int store;
	uint64_t id;
	struct memory memory;	/* confined to @store */
};

FIXTURE_VARIANT(silent)
{
	enum device device;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(silent, offline) { .device = DEVICE_OFFLINE };
FIXTURE_VARIANT_ADD(silent, timeout) { .device = DEVICE_TIMEOUT };
/* clang-format on */

/* Commands for data get no answer until they have timed out, several times. */
#define IGNORE_DATA "0x80"

/* After some of them, the kernel takes the disk offline by itself. */
static int answer(enum device device, const char *path, bool answers)
{
	char file[96];

	if (device == DEVICE_TIMEOUT)
		must(write_text(SCSI_DEBUG "/opts",
				answers ? "0" : IGNORE_DATA) == 0);
	if (device == DEVICE_TIMEOUT && !answers)
		return 0;
	snprintf(file, sizeof(file), "/sys/block/%s/device/state",
		 path + strlen("/dev/"));
	return write_text(file, answers ? "running\n" : "offline\n");
}

static void be_patient_for_a_second(const char *path)
{
	char file[96];

	snprintf(file, sizeof(file), "/sys/block/%s/device/timeout",
		 path + strlen("/dev/"));
	must(write_text(file, "1\n") == 0);
	/* Every command is the one that the options are about. */
	must(write_text(SCSI_DEBUG "/every_nth", "1") == 0);
}

FIXTURE_SETUP(silent)
{
	const char *missing = scsi_debug_missing();

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	scsi_debug_add(self->path);
	be_patient_for_a_second(self->path);
	self->store = store_new(&self->stores, "silent", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_on_path(self->store, self->path, SEGMENT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
}

FIXTURE_TEARDOWN(silent)
{
	answer(variant->device, self->path, true);
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	scsi_debug_remove();
	stores_close(&self->stores);
}

TEST_F_TIMEOUT(silent, page_out_waits_for_few_and_comes_back, TIMEOUT)
{
	double begin;

	fill_all(&self->memory, 1);
	begin = now();
	ASSERT_EQ(0, answer(variant->device, self->path, false));
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	/* Not so long for each page, which would be an hour. */
	EXPECT_GE(150, now() - begin);
	/* One slot, by which it was noticed, for each request under way. */
	EXPECT_GE(PAGES(16 + 32),
		  segment_state(self->store, self->id).bad_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));

	ASSERT_EQ(0, answer(variant->device, self->path, true));
	EXPECT_TRUE(recovers(self->store, self->id));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, segment_state(self->store, self->id).bad_bytes);
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&self->memory, self->id));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

static bool reads(FIXTURE_DATA(silent) *self, int page)
{
	char content[page_size()];
	ssize_t ret;

	ret = pread(self->memory.fd, content, page_size(), PAGES(page));
	if (ret < 0)
		must(errno == EIO);
	return ret == (ssize_t)page_size() && verify_page(content, page, 1);
}

/*
 * What the kernel says of such a device is an error like any other: it sticks to
 * the page that was wanted. But to no other, and whoever drains the segment has
 * that one back as well.
 */
TEST_F_TIMEOUT(silent, pages_are_there_when_it_answers, TIMEOUT)
{
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, posix_fadvise(self->memory.fd, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_EQ(0, answer(variant->device, self->path, false));
	EXPECT_FALSE(reads(self, 0));

	ASSERT_EQ(0, answer(variant->device, self->path, true));
	EXPECT_FALSE(reads(self, 0));
	EXPECT_TRUE(reads(self, OBJECT_PAGES - 1));
	segment_new(&self->stores, self->store, SEGMENT);
	EXPECT_EQ(0, segment_remove(self->store, self->id, -1));
	EXPECT_TRUE(verify_all(&self->memory, 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_HARNESS_MAIN
