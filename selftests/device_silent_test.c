// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that do not answer: they are not waited for page by page, no slot is
 * blamed for it, and when they answer again all is as before.
 *
 * Needs a disk that is all the tests'; the silent device is a SCSI disk that the
 * kernel makes up and takes offline, or a null_blk whose requests time out.
 */
#include "faulty_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define SEGMENT MIB(8)
#define OBJECT_PAGES 512

#define NULLB "/sys/kernel/config/nullb/silent"

enum device {
	DEVICE_SCSI,
	DEVICE_NULL_BLK,
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
FIXTURE_VARIANT_ADD(silent, scsi_offline) { .device = DEVICE_SCSI };
FIXTURE_VARIANT_ADD(silent, null_blk_timeout) { .device = DEVICE_NULL_BLK };
/* clang-format on */

/* Requests take longer than the second that they may be told to take at most. */
static const char *null_blk_add(char path[32])
{
	if (!shell("modprobe -q null_blk nr_devices=0"))
		return "the kernel has no null_blk";
	if (!shell("cd %s/.. && mkdir silent && cd silent && echo 16 >size && echo 1 >memory_backed && echo 4096 >blocksize && echo 2 >irqmode && echo 2500000000 >completion_nsec && echo 1 >power",
		   NULLB))
		return "null_blk cannot be set up";
	/* It is named after its directory, or, before 6.11, by a number. */
	snprintf(path, 32, "/dev/silent");
	if (access(path, F_OK))
		snprintf(path, 32, "/dev/nullb%lld",
			 read_number(NULLB "/index", ""));
	must(wait_until(access(path, F_OK) == 0));
	return NULL;
}

static const char *add_device(enum device device, char path[32])
{
	const char *missing;

	if (device == DEVICE_NULL_BLK)
		return null_blk_add(path);
	missing = scsi_debug_missing();
	if (!missing)
		scsi_debug_add(path);
	return missing;
}

static void remove_device(enum device device)
{
	if (device == DEVICE_SCSI)
		scsi_debug_remove();
	else
		must(shell("rmdir %s", NULLB));
}

static int answer(enum device device, const char *path, bool answers)
{
	const char *name = path + strlen("/dev/");
	char file[64];

	if (device == DEVICE_SCSI) {
		snprintf(file, sizeof(file), "/sys/block/%s/device/state",
			 name);
		return write_text(file, answers ? "running\n" : "offline\n");
	}
	snprintf(file, sizeof(file), "/sys/block/%s/queue/io_timeout", name);
	return write_text(file, answers ? "60000" : "1000");
}

FIXTURE_SETUP(silent)
{
	const char *missing;
	int device;

	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	missing = add_device(variant->device, self->path);
	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	device = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, device);
	self->store = store_new(&self->stores, "silent", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_at(self->store, device, 0, SEGMENT);
	close(device);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
}

FIXTURE_TEARDOWN(silent)
{
	answer(variant->device, self->path, true);
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	remove_device(variant->device);
	stores_close(&self->stores);
}

TEST_F_TIMEOUT(silent, page_out_waits_for_few_and_comes_back, TIMEOUT)
{
	double begin = now();

	fill_all(&self->memory, 1);
	ASSERT_EQ(0, answer(variant->device, self->path, false));
	ASSERT_TRUE(pageout_fails(self->store, self->id, &self->memory));
	/* Not so long for each page, which would be many minutes. */
	EXPECT_GE(60, now() - begin);
	/* One slot, by which it was noticed, for each request at most. */
	EXPECT_GE(PAGES(16), segment_state(self->store, self->id).bad_bytes);
	EXPECT_TRUE(verify_all(&self->memory, 1));

	ASSERT_EQ(0, answer(variant->device, self->path, true));
	EXPECT_TRUE(recovers(self->store, self->id));
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, segment_state(self->store, self->id).bad_bytes);
	EXPECT_EQ(PAGES(OBJECT_PAGES), stored_in(&self->memory, self->id));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* It says nothing about the page, so nothing has to be overwritten. */
TEST_F_TIMEOUT(silent, pages_can_be_read_when_it_answers, TIMEOUT)
{
	char content[page_size()];

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, answer(variant->device, self->path, false));
	EXPECT_EQ(-1, pread(self->memory.fd, content, page_size(), 0));
	EXPECT_EQ(EIO, errno);

	ASSERT_EQ(0, answer(variant->device, self->path, true));
	EXPECT_EQ(page_size(), pread(self->memory.fd, content, page_size(), 0));
	EXPECT_TRUE(verify_page(content, 0, 1));
}

TEST_HARNESS_MAIN
