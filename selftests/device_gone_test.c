// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are pulled out: what was on them is lost, and that must be an
 * error; what memory has must not be lost; and everything must come to an end.
 *
 * Needs two disks that are all the tests', of which the second one is pulled
 * out; or a SCSI disk that the kernel makes up.
 */
#include <pthread.h>
#include <sched.h>

#include "drain_utils.h"
#include "faulty_utils.h"
#include "sysfs_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define SEGMENT MIB(24)
#define OBJECT_PAGES 4096
#define LIMIT MIB(8)
/* How long writers and readers go on after it. */
#define SECONDS 3

enum device {
	DEVICE_VIRTIO,
	DEVICE_SCSI,
};

struct shared {
	volatile double deadline;	/* when to end, once it is not 0 */
	uint32_t generations[OBJECT_PAGES]; /* of the pages */
};

FIXTURE(gone)
{
	struct stores stores;
	char path[32];		/* of the device */
	char pull[PATH_MAX];	/* write "1" to this */
	int store;
	uint64_t id;		/* of the segment on it */
	struct memory memory;	/* confined to @store */
	struct shared *shared;	/* with children */
};

FIXTURE_VARIANT(gone)
{
	enum device device;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(gone, virtio) { .device = DEVICE_VIRTIO };
FIXTURE_VARIANT_ADD(gone, scsi) { .device = DEVICE_SCSI };
/* clang-format on */

/* Which of the disks comes back under which name is not for us to say. */
static void find_virtio_disk(char path[32])
{
	snprintf(path, 32, "/dev/vdb");
	if (access(path, F_OK))
		snprintf(path, 32, "/dev/vdc");
	must(wait_until(can_open(path)));
}

static void plug(enum device device, char path[32], char pull[PATH_MAX])
{
	char link[64];

	if (device == DEVICE_SCSI) {
		scsi_debug_add(path);
		snprintf(pull, PATH_MAX, "/sys/block/%s/device/delete",
			 path + strlen("/dev/"));
		return;
	}
	write_text("/sys/bus/pci/rescan", "1");
	find_virtio_disk(path);
	/* The directory of the PCI device, while the disk is still there. */
	snprintf(link, sizeof(link), "/sys/block/%s/device/..",
		 path + strlen("/dev/"));
	must(realpath(link, pull));
	strcat(pull, "/remove");
}

FIXTURE_SETUP(gone)
{
	const char *missing = NULL;

	if (variant->device == DEVICE_SCSI)
		missing = scsi_debug_missing();
	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	plug(variant->device, self->path, self->pull);
	self->store = store_new(&self->stores, "pulled", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_on_path(self->store, self->path, SEGMENT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
	self->shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	fill_all(&self->memory, 1);
	for (int page = 0; page < OBJECT_PAGES; page++)
		self->shared->generations[page] = 1;
}

static void pull(struct __test_metadata *_metadata, FIXTURE_DATA(gone) *self)
{
	ASSERT_EQ(0, write_text(self->pull, "1"));
	ASSERT_TRUE(wait_until(access(self->path, F_OK)));
	self->shared->deadline = now() + SECONDS;
}

FIXTURE_TEARDOWN(gone)
{
	munmap(self->shared, sizeof(struct shared));
	memory_destroy(&self->memory);
	close(self->store);
	/* With nothing on them, segments go, device or no device. */
	EXPECT_EQ(0, stores_clear(&self->stores));
	if (variant->device == DEVICE_SCSI)
		scsi_debug_remove();
	stores_close(&self->stores);
}

/*
 * Each page is what was written last; or it is an error, and that only if the
 * device has taken it away. Returns how many of them are, or -1.
 */
static int count_lost(const FIXTURE_DATA(gone) *self)
{
	const struct memory *memory = &self->memory;
	struct defpager_page_range place;
	int page, lost = 0;
	bool error;

	for (page = 0; page < OBJECT_PAGES; page++) {
		place = page_place(memory, page);
		if (page_is_there(memory, page, self->shared->generations[page],
				  &error))
			continue;
		if (!error || !(place.flags & DEFPAGER_PAGE_STORED) ||
		    place.flags & DEFPAGER_PAGE_RESIDENT ||
		    place.segment != self->id) {
			fprintf(stderr, "# page %d (flags %x): %s\n", page,
				place.flags, error ? "an error" : "wrong");
			return -1;
		}
		lost++;
	}
	return lost;
}

/* --- What memory has --------------------------------------------------- */

/* Pages that were read back and not changed have no other copy from then on. */
TEST_F_TIMEOUT(gone, what_is_in_memory_is_saved, TIMEOUT)
{
	bool error;

	ASSERT_TRUE(evict(&self->memory));
	/* Just these. */
	ASSERT_EQ(0, madvise(self->memory.map, self->memory.size,
			     MADV_RANDOM));
	ASSERT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 1));
	pull(_metadata, self);
	/* By this it is noticed. */
	EXPECT_FALSE(page_is_there(&self->memory, OBJECT_PAGES - 1, 1, &error));
	EXPECT_TRUE(error);
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_EQ(0, store_state(self->store).free_bytes);

	/* They stay as long as there is nowhere to go, and then they go there. */
	madvise_pageout(&self->memory);
	EXPECT_LE(OBJECT_PAGES / 2, resident_pages(&self->memory));
	segment_new(&self->stores, self->store, SEGMENT);
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, OBJECT_PAGES / 2, 1));
	EXPECT_EQ(PAGES(OBJECT_PAGES / 2),
		  segment_state(self->store, self->id).used_bytes);
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* An application that knows how to make what is lost goes on. */
TEST_F_TIMEOUT(gone, what_is_lost_can_be_written_anew, TIMEOUT)
{
	char content[page_size()];
	int page;

	ASSERT_TRUE(evict(&self->memory));
	pull(_metadata, self);
	for (page = 0; page < 64; page++) {
		fill_page(content, page, 2);
		ASSERT_EQ(page_size(), pwrite(self->memory.fd, content,
					      page_size(), PAGES(page)));
	}
	EXPECT_TRUE(verify(&self->memory, 0, 64, 2));
	segment_new(&self->stores, self->store, SEGMENT);
	EXPECT_TRUE(wait_until(stored_in(&self->memory, self->id) ==
				       PAGES(OBJECT_PAGES - 64) ||
			       (ask_to_evict(&self->memory), false)));
	EXPECT_TRUE(verify(&self->memory, 0, 64, 2));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* --- In the middle of things ------------------------------------------- */

struct user {
	struct memory *memory;
	struct shared *shared;
	bool writes;
	int number;		/* of USERS */
};

#define USERS 2

static bool use_page(const struct user *user, uint64_t page)
{
	uint32_t *generation = &user->shared->generations[page];
	bool error;

	if (!page_is_there(user->memory, page, *generation, &error))
		return error;
	if (user->writes &&
	    store_byte(memory_page(user->memory, page) + 8 * 64,
		       *memory_page(user->memory, page)))
		fill_page(memory_page(user->memory, page), page, ++*generation);
	return true;
}

/* Visits its pages, and goes on if some of them are lost. */
static int run_user(void *arg)
{
	struct user *user = arg;
	uint64_t seed = 1 + user->number, page;

	while (!user->shared->deadline || now() < user->shared->deadline) {
		page = next_random(&seed) % OBJECT_PAGES / USERS * USERS +
		       user->number;
		if (!use_page(user, page))
			return 1;
	}
	return 0;
}

static void start_users(struct __test_metadata *_metadata,
			FIXTURE_DATA(gone) *self, pid_t pids[USERS],
			bool writes)
{
	struct user user = {
		.memory = &self->memory,
		.shared = self->shared,
		.writes = writes,
	};

	for (; user.number < USERS; user.number++) {
		pids[user.number] = fork();
		ASSERT_LE(0, pids[user.number]);
		if (!pids[user.number])
			_exit(run_user(&user));
	}
}

static bool users_end_well(const pid_t pids[USERS])
{
	bool well = true;
	int i, status;

	for (i = 0; i < USERS; i++) {
		must(waitpid(pids[i], &status, 0) == pids[i]);
		well = well && status == 0;
	}
	return well;
}

TEST_F_TIMEOUT(gone, while_paging_out, TIMEOUT)
{
	struct cgroup cgroup;
	pid_t pids[USERS];
	uint64_t before;

	segment_new(&self->stores, self->store, SEGMENT);
	ASSERT_TRUE(evict(&self->memory));
	cgroup_enter(&cgroup, LIMIT);
	before = totals(self->stores.pager).pages_out;
	start_users(_metadata, self, pids, true);
	ASSERT_TRUE(wait_until(totals(self->stores.pager).pages_out >
			       before + 256));
	pull(_metadata, self);
	EXPECT_TRUE(users_end_well(pids));
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_LT(0, count_lost(self));
	EXPECT_TRUE(cgroup_leave(&cgroup));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_F_TIMEOUT(gone, while_paging_in, TIMEOUT)
{
	struct cgroup cgroup;
	pid_t pids[USERS];
	uint64_t before;

	ASSERT_TRUE(evict(&self->memory));
	cgroup_enter(&cgroup, LIMIT);
	before = totals(self->stores.pager).pages_in;
	start_users(_metadata, self, pids, false);
	ASSERT_TRUE(wait_until(totals(self->stores.pager).pages_in >
			       before + 256));
	pull(_metadata, self);
	EXPECT_TRUE(users_end_well(pids));
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_LT(0, count_lost(self));
	EXPECT_TRUE(cgroup_leave(&cgroup));
}

/* --- While draining ---------------------------------------------------- */

/* Until a part of it is done. */
static void drain_in_part(struct drain *drain, int store, uint64_t id)
{
	uint64_t used = segment_state(store, id).used_bytes;

	drain_start(drain, store, id, -1);
	while (segment_is_there(store, id) &&
	       segment_state(store, id).used_bytes > used * 7 / 8)
		sched_yield();
}

TEST_F_TIMEOUT(gone, while_drained, TIMEOUT)
{
	struct drain drain;
	int lost;

	ASSERT_TRUE(evict(&self->memory));
	segment_new(&self->stores, self->store, SEGMENT);
	drain_in_part(&drain, self->store, self->id);
	pull(_metadata, self);
	ASSERT_EQ(-EIO, drain_end(&drain));
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_LT(0, drain.arg.moved_bytes);
	lost = count_lost(self);
	EXPECT_LT(0, lost);
	EXPECT_EQ(PAGES(lost),
		  segment_state(self->store, self->id).used_bytes);
	EXPECT_EQ(PAGES(OBJECT_PAGES - lost), drain.arg.moved_bytes);
	EXPECT_TRUE(accounts_agree(&self->stores));
}

TEST_F_TIMEOUT(gone, while_drained_to, TIMEOUT)
{
	struct drain drain;
	uint64_t spare;

	/* All of it on the spare, and nowhere to go but to the device. */
	spare = segment_new(&self->stores, self->store, SEGMENT);
	ASSERT_EQ(0, segment_remove(self->store, self->id, -1));
	ASSERT_TRUE(evict(&self->memory));
	self->id = segment_on_path(self->store, self->path, SEGMENT);
	drain_in_part(&drain, self->store, spare);
	pull(_metadata, self);
	drain_end(&drain);
	EXPECT_EQ(0, count_lost(self));
	/* What was taken away goes back to the spare; if that is there still. */
	if (drain.ret) {
		EXPECT_EQ(-EIO, drain.ret);
		EXPECT_EQ(DEFPAGER_SEGMENT_ACTIVE,
			  segment_state(self->store, spare).state);
	} else {
		segment_new(&self->stores, self->store, SEGMENT);
	}
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, count_lost(self));
	EXPECT_EQ(0, segment_remove(self->store, self->id, -1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* Who has opened it before can still ask for a segment on it. */
TEST_F_TIMEOUT(gone, cannot_become_a_segment, TIMEOUT)
{
	int device, ret;

	segment_new(&self->stores, self->store, SEGMENT);
	ASSERT_EQ(0, segment_remove(self->store, self->id, -1));
	device = open(self->path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, device);
	pull(_metadata, self);
	ret = segment_add(self->store, device, 0, SEGMENT / 512, 512);
	EXPECT_TRUE(ret == -ENXIO || ret == -ENODEV);
	EXPECT_EQ(1, store_state(self->store).nr_segments);
	close(device);
}

/*
 * What was written before it, and is still in memory, is kept although no I/O
 * has told yet that the device is gone.
 */
TEST_F_TIMEOUT(gone, without_a_sign, TIMEOUT)
{
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, madvise(self->memory.map, self->memory.size, MADV_RANDOM));
	ASSERT_TRUE(verify(&self->memory, 0, OBJECT_PAGES, 1));
	pull(_metadata, self);
	segment_new(&self->stores, self->store, SEGMENT);
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_EQ(0, count_lost(self));
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	EXPECT_EQ(0, segment_remove(self->store, self->id, -1));
	EXPECT_TRUE(accounts_agree(&self->stores));
}

/* --- A medium that is exchanged ----------------------------------------- */

/* In a drive where that is possible. */
FIXTURE(medium)
{
	struct stores stores;
	char path[32];
	int store;
	uint64_t id;
	struct memory memory;
};

FIXTURE_SETUP(medium)
{
	const char *missing = scsi_debug_missing();

	if (missing)
		SKIP(_exit(KSFT_SKIPPED), "%s", missing);
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	ASSERT_EQ(0, write_text(SCSI_DEBUG "/removable", "1"));
	scsi_debug_add(self->path);
	self->store = store_new(&self->stores, "medium", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->id = segment_on_path(self->store, self->path, SEGMENT);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
}

FIXTURE_TEARDOWN(medium)
{
	memory_destroy(&self->memory);
	close(self->store);
	EXPECT_EQ(0, stores_clear(&self->stores));
	scsi_debug_remove();
	EXPECT_EQ(0, write_text(SCSI_DEBUG "/virtual_gb", "0"));
	EXPECT_EQ(0, write_text(SCSI_DEBUG "/removable", "0"));
	stores_close(&self->stores);
}

static uint64_t diskseq(const char *path)
{
	char file[64], text[32] = "";

	snprintf(file, sizeof(file), "/sys/block/%s/diskseq",
		 path + strlen("/dev/"));
	must(read_text(file, text, sizeof(text)) > 0);
	return strtoull(text, NULL, 10);
}

/* The drive says that something has changed, and the kernel asks what. */
static void exchange_medium(const char *path)
{
	uint64_t before = diskseq(path);
	int device;

	must(write_text(SCSI_DEBUG "/virtual_gb", "1") == 0);
	device = open(path, O_RDONLY | O_CLOEXEC);
	must(device >= 0);
	close(device);
	must(diskseq(path) != before);
}

/* What is on it now is somebody's: for a start, write it. */
static int write_medium(const char *path, char *content)
{
	int device = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	must(device >= 0);
	memset(content, 'm', SEGMENT);
	must(pwrite(device, content, SEGMENT, 0) == (ssize_t)SEGMENT);
	return device;
}

TEST_F_TIMEOUT(medium, new_one_is_left_alone, TIMEOUT)
{
	const uint64_t half = OBJECT_PAGES / 2;
	char *content = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char byte;
	int device;

	ASSERT_NE(MAP_FAILED, content);
	ASSERT_EQ(0, madvise(self->memory.map, self->memory.size, MADV_RANDOM));
	ASSERT_TRUE(verify(&self->memory, 0, half, 1));
	exchange_medium(self->path);
	device = write_medium(self->path, content);
	segment_new(&self->stores, self->store, SEGMENT);

	/* What memory has is good, and goes elsewhere; also what is unchanged. */
	fill(&self->memory, 0, half / 2, 2);
	EXPECT_TRUE(evict(&self->memory));
	EXPECT_TRUE(verify(&self->memory, 0, half / 2, 2));
	EXPECT_TRUE(verify(&self->memory, half / 2, half / 2, 1));
	/* The rest was on the other medium. */
	for (uint64_t page = half; page < OBJECT_PAGES; page++) {
		EXPECT_EQ(-1, pread(self->memory.fd, &byte, 1, PAGES(page)));
		EXPECT_EQ(EIO, errno);
	}
	EXPECT_EQ(DEFPAGER_SEGMENT_FAILING,
		  segment_state(self->store, self->id).state);
	ASSERT_EQ((ssize_t)SEGMENT, pread(device, content, SEGMENT, 0));
	EXPECT_EQ('m', content[0]);
	EXPECT_EQ(0, memcmp(content, content + 1, SEGMENT - 1));
	EXPECT_TRUE(accounts_agree(&self->stores));
	close(device);
	munmap(content, SEGMENT);
}

TEST_HARNESS_MAIN
