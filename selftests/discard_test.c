// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discarding what holds nothing any more: freed slots where a store asks for it,
 * and whole segments when they are added.
 *
 * Loop devices over files in memory show what is discarded: it reads as zeros, and
 * takes no space in the file. null_blk makes discards that take their time.
 */
#include "null_blk_utils.h"
#include "raw_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 180

/* --- Devices that show what becomes of them ------------------------------ */

#define DEVICE_PAGES 1024

/* Discards that a block device has completed, and how much they were. */
struct discards {
	unsigned long long requests;
	unsigned long long bytes;
};

static struct discards count_discards(int fd)
{
	struct discards discards;
	char path[PATH_MAX], stat[PATH_MAX + 32];
	FILE *file;

	snprintf(stat, sizeof(stat), "/sys/block/%s/stat",
		 strrchr(fd_path(fd, path), '/') + 1);
	file = fopen(stat, "re");
	must(file);
	must(fscanf(file, "%*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %llu %*u %llu",
		    &discards.requests, &discards.bytes) == 2);
	fclose(file);
	discards.bytes *= 512;
	return discards;
}

struct device {
	int file;		/* in memory, what is on the device */
	int fd;			/* the loop device over it */
	struct discards before;	/* when it was another device */
};

static struct device device_new(uint64_t pages)
{
	struct device device = {
		.file = memfd_create("device", MFD_CLOEXEC),
	};

	must(device.file >= 0 && !ftruncate(device.file, PAGES(pages)));
	device.fd = loop_over(device.file, 512, 0);
	must(device.fd >= 0);
	device.before = count_discards(device.fd);
	return device;
}

static void device_destroy(struct device *device)
{
	close(device->fd);
	close(device->file);
}

static struct discards device_discards(const struct device *device)
{
	struct discards discards = count_discards(device->fd);

	discards.requests -= device->before.requests;
	discards.bytes -= device->before.bytes;
	return discards;
}

/* Space that the file takes. */
static uint64_t device_bytes(const struct device *device)
{
	struct stat st;

	must(!fstat(device->file, &st));
	return st.st_blocks * 512;
}

/* Whether each page that is on storage is there as it should be. */
static bool raw_pages_are(const struct device *device,
			  const struct memory *memory, uint32_t generation)
{
	char *buffer = calloc(1, page_size());
	struct defpager_page_range row;
	bool well = true;
	uint64_t page;

	must(buffer);
	for (page = 0; well && page < memory_pages(memory); page++) {
		row = page_place(memory, page);
		if (!(row.flags & DEFPAGER_PAGE_STORED))
			continue;
		must(pread(device->file, buffer, page_size(),
			   row.device_offset) == (ssize_t)page_size());
		well = verify_page(buffer, page, generation);
	}
	free(buffer);
	return well;
}

/* --- A store on such a device -------------------------------------------- */

FIXTURE(discard)
{
	struct stores stores;
	int store;
	struct device device;
	uint64_t segment;
	struct memory memory;
};

FIXTURE_SETUP(discard)
{
	self->stores = (struct stores) { .pager = pager_open(), .disk = -1 };
	ASSERT_LE(0, self->stores.pager);
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_new(&self->stores, "discarding", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE |
				DEFPAGER_STORE_DISCARD);
	self->device = device_new(DEVICE_PAGES);
	self->memory.fd = -1;
}

FIXTURE_TEARDOWN(discard)
{
	if (self->memory.fd >= 0)
		memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->store);
	device_destroy(&self->device);
	close(self->stores.pager);
}

/* All of the device is a segment, and so many pages of an object are on it. */
static bool set_up_pages(FIXTURE_DATA(discard) *self, uint64_t pages)
{
	self->segment = segment_at(self->store, self->device.fd, 0,
				   PAGES(DEVICE_PAGES));
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(pages));
	fill_all(&self->memory, 1);
	return evict(&self->memory) && stored_pages(&self->memory) == pages;
}

static uint64_t discarded_bytes(int store, uint64_t segment)
{
	return segment_state(store, segment).discarded_bytes;
}

/* Each slot once, and no other. */
static bool are_discarded(FIXTURE_DATA(discard) *self, uint64_t pages)
{
	bool well = wait_until(discarded_bytes(self->store, self->segment) >=
			       PAGES(pages));

	return agree("discarded", discarded_bytes(self->store, self->segment),
		     PAGES(pages)) && well;
}

static void punch(const struct memory *memory, uint64_t page, uint64_t pages)
{
	must(!fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			PAGES(page), PAGES(pages)));
}

/* --- Freed slots --------------------------------------------------------- */

TEST_F_TIMEOUT(discard, freed_slots_are_discarded, TIMEOUT)
{
	ASSERT_TRUE(set_up_pages(self, DEVICE_PAGES));
	EXPECT_EQ(PAGES(DEVICE_PAGES), device_bytes(&self->device));
	EXPECT_EQ(0, discarded_bytes(self->store, self->segment));
	punch(&self->memory, 100, 300);
	EXPECT_TRUE(are_discarded(self, 300));
	EXPECT_EQ(PAGES(DEVICE_PAGES - 300), device_bytes(&self->device));
	EXPECT_EQ(PAGES(300), device_discards(&self->device).bytes);

	/* The others are as they were, and the space can be used again. */
	EXPECT_TRUE(raw_pages_are(&self->device, &self->memory, 1));
	EXPECT_TRUE(verify(&self->memory, 0, 100, 1));
	EXPECT_TRUE(verify(&self->memory, 100, 300, 0));
	EXPECT_TRUE(verify(&self->memory, 400, DEVICE_PAGES - 400, 1));
	fill(&self->memory, 100, 300, 2);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(PAGES(DEVICE_PAGES), device_bytes(&self->device));
	EXPECT_TRUE(verify(&self->memory, 100, 300, 2));
	EXPECT_TRUE(accounts_agree(&self->stores));

	memory_destroy(&self->memory);
	self->memory.fd = -1;
	EXPECT_TRUE(are_discarded(self, 300 + DEVICE_PAGES));
	EXPECT_EQ(0, device_bytes(&self->device));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* In few requests, although they were freed one by one. */
TEST_F_TIMEOUT(discard, neighbours_are_discarded_together, TIMEOUT)
{
	struct discards discards;

	ASSERT_TRUE(set_up_pages(self, DEVICE_PAGES));
	memory_destroy(&self->memory);
	self->memory.fd = -1;
	EXPECT_TRUE(are_discarded(self, DEVICE_PAGES));
	discards = device_discards(&self->device);
	TH_LOG("%llu requests for %d pages", discards.requests, DEVICE_PAGES);
	EXPECT_GE(DEVICE_PAGES / 16, discards.requests);
	EXPECT_EQ(PAGES(DEVICE_PAGES), discards.bytes);
}

/* The smallest holes that there can be, between pages that stay. */
TEST_F_TIMEOUT(discard, single_slots_are_discarded, TIMEOUT)
{
	uint64_t page;

	ASSERT_TRUE(set_up_pages(self, DEVICE_PAGES / 2));
	for (page = 1; page < DEVICE_PAGES / 2; page += 2)
		punch(&self->memory, page, 1);
	EXPECT_TRUE(are_discarded(self, DEVICE_PAGES / 4));
	EXPECT_EQ(PAGES(DEVICE_PAGES / 4), device_bytes(&self->device));
	EXPECT_TRUE(raw_pages_are(&self->device, &self->memory, 1));
	for (page = 0; page < DEVICE_PAGES / 2; page++)
		ASSERT_TRUE(verify(&self->memory, page, 1, page % 2 ? 0 : 1));
}

/* The pages go on being rewritten, and each time their slots are freed. */
TEST_F_TIMEOUT(discard, pages_in_use_are_left_alone, TIMEOUT)
{
	uint64_t page, rounds = 0, random = 1;
	uint32_t generation[DEVICE_PAGES];
	double end = now() + 20;

	ASSERT_TRUE(set_up_pages(self, DEVICE_PAGES));
	for (page = 0; page < DEVICE_PAGES; page++)
		generation[page] = 1;
	for (; rounds < 3 || (now() < end && rounds < 40 &&
			      discarded_bytes(self->store, self->segment) <
				      2 * PAGES(DEVICE_PAGES)); rounds++) {
		for (page = 0; page < DEVICE_PAGES; page++) {
			switch (next_random(&random) % 8) {
			case 0 ... 2:
				punch(&self->memory, page, 1);
				generation[page] = 0;
				break;
			case 3 ... 5:
				generation[page] = rounds + 2;
				fill(&self->memory, page, 1, rounds + 2);
				break;
			}
		}
		ASSERT_TRUE(evict(&self->memory));
		for (page = 0; page < DEVICE_PAGES; page++)
			ASSERT_TRUE(verify(&self->memory, page, 1,
					   generation[page]));
	}
	/*
	 * Holes that were looked at have been promised space. When there is none
	 * besides, nothing is discarded until something is freed.
	 */
	for (page = 0; page < DEVICE_PAGES; page++)
		if (!generation[page])
			punch(&self->memory, page, 1);
	for (page = 0; !generation[page]; page++)
		ASSERT_GT(DEVICE_PAGES - 1, page);
	punch(&self->memory, page, 1);
	/* None may have been left out in the end, nor have been too much. */
	EXPECT_TRUE(wait_until(device_bytes(&self->device) ==
			       stored_pages(&self->memory) * page_size()));
	EXPECT_LT(0, discarded_bytes(self->store, self->segment));
	EXPECT_EQ(discarded_bytes(self->store, self->segment),
		  device_discards(&self->device).bytes);
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_F_TIMEOUT(discard, without_the_option_nothing_is_discarded, TIMEOUT)
{
	int other = store_new(&self->stores, "keeping", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	struct device device = device_new(DEVICE_PAGES);
	uint64_t segment = segment_at(other, device.fd, 0,
				      PAGES(DEVICE_PAGES));
	struct memory memory = memory_create_in(self->stores.pager, other,
						PAGES(DEVICE_PAGES));

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	ASSERT_TRUE(set_up_pages(self, DEVICE_PAGES));
	/* The one that is not to be discarded is freed before the other. */
	memory_destroy(&memory);
	memory_destroy(&self->memory);
	self->memory.fd = -1;
	EXPECT_TRUE(are_discarded(self, DEVICE_PAGES));
	EXPECT_EQ(0, discarded_bytes(other, segment));
	EXPECT_EQ(0, device_discards(&device).bytes);
	EXPECT_EQ(PAGES(DEVICE_PAGES), device_bytes(&device));
	close(other);
	EXPECT_EQ(0, stores_clear(&self->stores));
	device_destroy(&device);
}

/* Its slots were freed, but what is there by then is somebody else's. */
TEST_F_TIMEOUT(discard, removed_segment_is_left_alone, TIMEOUT)
{
	struct device device = device_new(DEVICE_PAGES);
	uint64_t segment = segment_at(self->store, device.fd, 0,
				      PAGES(DEVICE_PAGES));
	struct memory memory = memory_create_in(self->stores.pager, self->store,
						PAGES(DEVICE_PAGES));
	unsigned long long bytes;

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	memory_destroy(&memory);
	ASSERT_EQ(0, segment_remove(self->store, segment, -1));
	raw_fill(device.file, DEVICE_PAGES);
	bytes = device_discards(&device).bytes;

	/* Freed later, and discarded in due time. */
	ASSERT_TRUE(set_up_pages(self, DEVICE_PAGES));
	punch(&self->memory, 0, DEVICE_PAGES);
	EXPECT_TRUE(are_discarded(self, DEVICE_PAGES));
	EXPECT_EQ(bytes, device_discards(&device).bytes);
	EXPECT_TRUE(raw_is(device.file, 0, PAGES(DEVICE_PAGES), RAW_GENERATION));
	device_destroy(&device);
}

/* --- What is not the segment's ------------------------------------------- */

/* In records of 512 bytes: neither end is at a page. */
#define HEAD (PAGES(64) / 512 + 3)
#define COUNT (PAGES(512) / 512 + 9)

TEST_F_TIMEOUT(discard, nothing_outside_the_segment_is_discarded, TIMEOUT)
{
	struct defpager_segment_add add;
	uint64_t first, end;

	raw_fill(self->device.file, DEVICE_PAGES);
	add = segment_range(self->device.fd, HEAD, COUNT, 512);
	add.flags = DEFPAGER_SEGMENT_DISCARD;
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	self->segment = add.id;
	first = HEAD * 512 + add.unused_head;
	end = first + add.usable_bytes;
	EXPECT_EQ(0, first % page_size());
	EXPECT_LT(0, add.unused_head);
	EXPECT_LT(0, add.unused_tail);
	EXPECT_TRUE(raw_is(self->device.file, first, end, 0));

	/* Once more, by freeing all of its slots. */
	self->memory = memory_create_in(self->stores.pager, self->store,
					add.usable_bytes);
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	EXPECT_EQ(PAGES(DEVICE_PAGES), device_bytes(&self->device));
	punch(&self->memory, 0, memory_pages(&self->memory));
	EXPECT_TRUE(are_discarded(self, 2 * add.usable_bytes / page_size()));
	EXPECT_TRUE(raw_is(self->device.file, first, end, 0));
	EXPECT_EQ(PAGES(DEVICE_PAGES) - add.usable_bytes,
		  device_bytes(&self->device));

	EXPECT_TRUE(raw_is(self->device.file, 0, first, RAW_GENERATION));
	EXPECT_TRUE(raw_is(self->device.file, end, PAGES(DEVICE_PAGES),
			   RAW_GENERATION));
}

/* --- Whole segments ------------------------------------------------------ */

TEST_F_TIMEOUT(discard, segment_is_discarded_only_on_request, TIMEOUT)
{
	struct defpager_segment_add add;

	raw_fill(self->device.file, DEVICE_PAGES);
	self->segment = segment_at(self->store, self->device.fd, 0,
				   PAGES(DEVICE_PAGES));
	EXPECT_EQ(0, discarded_bytes(self->store, self->segment));
	EXPECT_EQ(0, device_discards(&self->device).bytes);
	ASSERT_EQ(0, segment_remove(self->store, self->segment, -1));
	EXPECT_TRUE(raw_is(self->device.file, 0, PAGES(DEVICE_PAGES),
			   RAW_GENERATION));

	add = segment_range(self->device.fd, 0, PAGES(DEVICE_PAGES) / 512, 512);
	add.flags = DEFPAGER_SEGMENT_DISCARD;
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	EXPECT_EQ(PAGES(DEVICE_PAGES), discarded_bytes(self->store, add.id));
	EXPECT_EQ(0, device_bytes(&self->device));
}

/* The request is one for this segment, whatever the store is for. */
TEST_F_TIMEOUT(discard, segment_of_a_store_without_the_option, TIMEOUT)
{
	int store = store_new(&self->stores, "keeping", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	struct memory memory = memory_create_in(self->stores.pager, store,
						PAGES(DEVICE_PAGES));
	struct defpager_segment_add add;

	raw_fill(self->device.file, DEVICE_PAGES);
	add = segment_range(self->device.fd, 0, PAGES(DEVICE_PAGES) / 512, 512);
	add.flags = DEFPAGER_SEGMENT_DISCARD;
	ASSERT_EQ(0, defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add));
	EXPECT_EQ(PAGES(DEVICE_PAGES), discarded_bytes(store, add.id));
	EXPECT_EQ(0, device_bytes(&self->device));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	close(store);
}

/* --- Devices that cannot ------------------------------------------------- */

/* By default, null_blk cannot. */
static bool null_blk_make(struct null_blk *disk, const char *name, bool discards)
{
	if (!null_blk_works())
		return false;
	*disk = null_blk_new(name, PAGES(DEVICE_PAGES));
	if (discards) {
		must(!null_blk_set(disk, "discard", 1));
		must(!null_blk_set(disk, "irqmode", 2));
		must(!null_blk_set(disk, "completion_nsec", 50000000));
	}
	null_blk_start(disk);
	return true;
}

TEST_F_TIMEOUT(discard, device_that_cannot_is_used_all_the_same, TIMEOUT)
{
	struct defpager_segment_add add;
	struct null_blk disk;
	struct memory memory;
	int claimed;

	if (!null_blk_make(&disk, "undiscarded", false))
		SKIP(return, "null_blk is missing");
	/* Whoever asks for it is told so, and the device stays as it was. */
	add = segment_range(disk.fd, 0, PAGES(DEVICE_PAGES) / 512, 512);
	add.flags = DEFPAGER_SEGMENT_DISCARD;
	EXPECT_EQ(-EOPNOTSUPP, defpager_ioctl(self->store,
					      DEFPAGER_IOC_SEGMENT_ADD, &add));
	EXPECT_EQ(0, store_state(self->store).nr_segments);
	claimed = open("/dev/undiscarded", O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claimed);
	close(claimed);

	/* The option of the store is a wish. */
	self->segment = segment_at(self->store, disk.fd, 0,
				   PAGES(DEVICE_PAGES));
	memory = memory_create_in(self->stores.pager, self->store,
				  PAGES(DEVICE_PAGES / 2));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	punch(&memory, 0, DEVICE_PAGES / 4);
	EXPECT_TRUE(verify(&memory, DEVICE_PAGES / 4, DEVICE_PAGES / 4, 1));
	EXPECT_TRUE(verify(&memory, 0, DEVICE_PAGES / 4, 0));
	EXPECT_EQ(0, discarded_bytes(self->store, self->segment));
	EXPECT_EQ(0, count_discards(disk.fd).bytes);
	memory_destroy(&memory);
	EXPECT_TRUE(accounts_agree(&self->stores));
	EXPECT_EQ(0, stores_clear(&self->stores));
	null_blk_destroy(&disk);
}

/* --- At the edge of full ------------------------------------------------- */

FIXTURE(full)
{
	struct stores stores;
	struct null_blk disk;
	int store;
};

FIXTURE_VARIANT(full)
{
	bool confined;		/* to an exclusive store, or of the pager */
};

FIXTURE_VARIANT_ADD(full, confined) { .confined = true };
FIXTURE_VARIANT_ADD(full, of_the_pager) { .confined = false };

FIXTURE_SETUP(full)
{
	/* Each discard takes a while, as do reads and writes. */
	if (!null_blk_make(&self->disk, "slowdiscard", true))
		SKIP(_exit(KSFT_SKIPPED), "null_blk is missing");
	self->stores = (struct stores) { .pager = pager_open(), .disk = -1 };
	ASSERT_LE(0, self->stores.pager);
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_new(&self->stores, "full", 0, 0,
				DEFPAGER_STORE_DISCARD |
				(variant->confined ? DEFPAGER_STORE_EXCLUSIVE :
						     0));
	segment_at(self->store, self->disk.fd, 0, PAGES(DEVICE_PAGES));
}

FIXTURE_TEARDOWN(full)
{
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->store);
	null_blk_destroy(&self->disk);
	close(self->stores.pager);
}

/* Requests that a disk is working at, but for reads. */
static int in_flight(const struct null_blk *disk)
{
	char path[64];
	int number;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/block/%s/inflight", disk->name);
	file = fopen(path, "re");
	must(file && fscanf(file, "%*d %d", &number) == 1);
	fclose(file);
	return number;
}

/*
 * All there is has been freed, and is being discarded: it counts as free, and
 * whoever wants all of it gets it.
 */
TEST_F_TIMEOUT(full, space_being_discarded_can_be_had, TIMEOUT)
{
	int store = variant->confined ? self->store : -1;
	struct memory memory;
	int i, met = 0;

	for (i = 0; i < 10 && met < 2; i++) {
		memory = memory_create_in(self->stores.pager, store,
					  PAGES(DEVICE_PAGES));
		fill_all(&memory, i + 1);
		EXPECT_EQ(0, store_state(self->store).free_bytes);
		ASSERT_TRUE(evict(&memory));
		memory_destroy(&memory);

		memory = memory_create_in(self->stores.pager, store,
					  PAGES(DEVICE_PAGES));
		ASSERT_TRUE(wait_until(in_flight(&self->disk)));
		EXPECT_EQ(PAGES(DEVICE_PAGES),
			  store_state(self->store).free_bytes);
		EXPECT_EQ(PAGES(DEVICE_PAGES),
			  totals(self->stores.pager).free_bytes);
		met += in_flight(&self->disk) > 0;
		ASSERT_EQ(DEVICE_PAGES, touch_all(&memory));
		/* And each of these pages finds a slot. */
		fill_all(&memory, 100);
		ASSERT_TRUE(evict(&memory));
		EXPECT_TRUE(verify_all(&memory, 100));
		memory_destroy(&memory);
	}
	EXPECT_LE(1, met);
	EXPECT_LT(0, count_discards(self->disk.fd).bytes);
}

TEST_HARNESS_MAIN
