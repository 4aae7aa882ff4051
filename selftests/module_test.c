// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module comes and goes: not while it is needed, and leaving nothing.
 *
 * Needs two disks, and the module file: beside the directory of the tests where
 * the build puts it, or at DEFPAGER_MODULE. The module is loaded in the end,
 * without segments.
 */
#include <libgen.h>
#include <pthread.h>
#include <sys/utsname.h>

#include "faulty_utils.h"
#include "sysfs_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 300
#define ROUNDS 20

static int open_module(void)
{
	static const char *const places[] = {
		"%s/../%s/defpager.ko",
		"%s/../build/%s/defpager.ko",
	};
	const char *path = getenv("DEFPAGER_MODULE");
	char exe[PATH_MAX] = "", place[PATH_MAX + 256];
	struct utsname uts;
	int file = -1;
	size_t i;

	if (path)
		return open(path, O_RDONLY | O_CLOEXEC);
	must(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	must(uname(&uts) == 0);
	path = dirname(exe);
	for (i = 0; i < ARRAY_SIZE(places) && file < 0; i++) {
		snprintf(place, sizeof(place), places[i], path, uts.release);
		file = open(place, O_RDONLY | O_CLOEXEC);
	}
	return file;
}

static int load(void)
{
	int file = open_module();
	int ret;

	must(file >= 0);
	ret = syscall(SYS_finit_module, file, "", 0) ? -errno : 0;
	close(file);
	return ret;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "defpager", O_NONBLOCK) ? -errno : 0;
}

/* Whether nobody has claimed the disk, as mkfs and mount want to know it. */
static bool disk_is_free(void)
{
	int disk = open("/dev/vda", O_RDWR | O_EXCL | O_CLOEXEC);

	must(disk >= 0 || errno == EBUSY);
	if (disk >= 0)
		close(disk);
	return disk >= 0;
}

FIXTURE(module)
{
};

/* A module which is new, with nothing in it, however the last test ended. */
FIXTURE_SETUP(module)
{
	int ret = unload();

	ASSERT_TRUE(!ret || ret == -ENOENT);
	ASSERT_EQ(0, load());
}

FIXTURE_TEARDOWN(module)
{
}

TEST_F_TIMEOUT(module, loads_and_unloads_repeatedly, TIMEOUT)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, access("/dev/defpager", F_OK));
		ASSERT_EQ(-EEXIST, load());
		ASSERT_EQ(0, unload());
		ASSERT_NE(0, access("/dev/defpager", F_OK));
		ASSERT_EQ(0, load());
	}
}

TEST_F_TIMEOUT(module, open_pager_holds_it, TIMEOUT)
{
	int pager = pager_open();

	ASSERT_LE(0, pager);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(pager);
	EXPECT_EQ(0, unload());
	EXPECT_EQ(0, load());
}

TEST_F_TIMEOUT(module, open_store_holds_it, TIMEOUT)
{
	int pager = pager_open();
	int store = store_open(pager, DEFPAGER_DEFAULT_STORE);

	ASSERT_LE(0, store);
	close(pager);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	close(store);
	EXPECT_EQ(0, unload());
	EXPECT_EQ(0, load());
}

TEST_F_TIMEOUT(module, object_holds_it_as_long_as_it_is_used, TIMEOUT)
{
	int pager = pager_open_with_space();
	struct memory memory = memory_create(pager, MIB(1));

	close(pager);
	fill_all(&memory, 1);
	EXPECT_EQ(-EWOULDBLOCK, unload());
	ASSERT_EQ(0, close(memory.fd));
	EXPECT_EQ(-EWOULDBLOCK, unload());
	EXPECT_TRUE(verify_all(&memory, 1));
	ASSERT_EQ(0, munmap(memory.map, memory.size));
	EXPECT_EQ(0, unload());
	EXPECT_EQ(0, load());
}

TEST_F_TIMEOUT(module, segment_claims_the_disk_until_unload, TIMEOUT)
{
	ASSERT_TRUE(disk_is_free());
	close(pager_open_with_space());
	EXPECT_FALSE(disk_is_free());
	EXPECT_EQ(0, unload());
	EXPECT_TRUE(disk_is_free());
	EXPECT_EQ(0, load());
}

TEST_F_TIMEOUT(module, works_anew_each_time, TIMEOUT)
{
	struct defpager_info info;
	struct memory memory;
	struct cgroup cgroup;
	int i, pager;

	cgroup_enter(&cgroup, MIB(8));
	for (i = 0; i < ROUNDS / 2; i++) {
		pager = pager_open_with_space();
		info = totals(pager);
		ASSERT_EQ(1, info.nr_segments);
		ASSERT_EQ(0, info.nr_objects);
		ASSERT_EQ(0, info.pages_out);
		/* Twice the limit, so half of it is out, or on the way. */
		memory = memory_create(pager, MIB(16));
		fill_all(&memory, 1 + i);
		ASSERT_TRUE(verify_all(&memory, 1 + i));
		ASSERT_LT(0, totals(pager).pages_out);
		memory_destroy(&memory);
		close(pager);
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load());
	}
	EXPECT_TRUE(cgroup_leave(&cgroup));
}

/* Whatever is in flight for an object keeps the module, or is waited for. */
TEST_F_TIMEOUT(module, unload_waits_for_page_out, TIMEOUT)
{
	struct memory memory;
	int i, pager;

	for (i = 0; i < ROUNDS; i++) {
		pager = pager_open_with_space();
		memory = memory_create(pager, MIB(4));
		fill_all(&memory, 1);
		close(pager);
		must(madvise(memory.map, memory.size, MADV_PAGEOUT) == 0);
		memory_destroy(&memory);
		ASSERT_TRUE(wait_until(unload() == 0));
		ASSERT_TRUE(disk_is_free());
		ASSERT_EQ(0, load());
	}
}

/*
 * A segment that is tried every few seconds whether it can be written to again,
 * slots that are to be discarded, keys, and stores that nobody has deleted.
 */
TEST_F_TIMEOUT(module, unload_takes_back_work_that_is_left, TIMEOUT)
{
	const char *missing = faulty_missing();
	struct stores stores;
	struct faulty faulty;
	struct memory memory;
	uint64_t id;
	int store;

	if (missing)
		SKIP(return, "%s", missing);
	stores = stores_open();
	faulty = faulty_new("unload", 0, MIB(8));
	store = store_new(&stores, "left", 0, 0,
			  DEFPAGER_STORE_EXCLUSIVE | DEFPAGER_STORE_DISCARD |
				  DEFPAGER_STORE_CHECKSUM |
				  DEFPAGER_STORE_ENCRYPT);
	id = segment_on(store, &faulty);
	memory = memory_create_in(stores.pager, store, MIB(1));
	fill_all(&memory, 1);
	faulty_refuse_writes(&faulty, 0, FOR_EVER);
	ASSERT_TRUE(pageout_fails(store, id, &memory));
	segment_new(&stores, store, MIB(8));
	ASSERT_TRUE(evict(&memory));
	memory_destroy(&memory);
	close(store);
	stores_close(&stores);
	ASSERT_TRUE(wait_until(unload() == 0));
	EXPECT_TRUE(disk_is_free());
	/* Fails if the device is held. */
	faulty_remove(&faulty);
	ASSERT_EQ(0, load());
}

static void *use_what_is_there(void *arg)
{
	const volatile bool *stop = arg;
	struct defpager_info info;
	int pager, object;

	while (!*stop) {
		pager = pager_open();
		if (pager < 0)
			continue;
		must(pager_info(pager, &info) == 0);
		object = object_create(pager, MIB(1));
		must(object >= 0);
		close(pager);
		close(object);
	}
	return NULL;
}

TEST_F_TIMEOUT(module, users_come_while_it_goes, TIMEOUT)
{
	volatile bool stop = false;
	pthread_t user;
	int i;

	ASSERT_EQ(0, pthread_create(&user, NULL, use_what_is_there,
				    (void *)&stop));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_TRUE(wait_until(unload() == 0));
		ASSERT_EQ(0, load());
	}
	stop = true;
	ASSERT_EQ(0, pthread_join(user, NULL));
}

/* They tell nothing any more, and that is all. */
TEST_F_TIMEOUT(module, open_files_of_sysfs_do_not_hold_it, TIMEOUT)
{
	static const char *const paths[] = {
		TREE "/writes",
		DEFAULT_DIR "/priority",
		DEFAULT_DIR "/segments/1/state",
	};
	int files[ARRAY_SIZE(paths)];
	char text[64];
	size_t i;

	close(pager_open_with_space());
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		files[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, files[i]);
		ASSERT_LT(0, pread(files[i], text, sizeof(text), 0));
	}
	ASSERT_EQ(0, unload());
	EXPECT_FALSE(is_there(TREE));
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		EXPECT_EQ(-1, pread(files[i], text, sizeof(text), 0));
		EXPECT_EQ(ENODEV, errno);
	}
	ASSERT_EQ(0, load());
	EXPECT_TRUE(is_there(TREE));
	/* Not those of the module that is there now. */
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		EXPECT_EQ(-1, pread(files[i], text, sizeof(text), 0));
		close(files[i]);
	}
}

static void read_file(const char *path, void *arg)
{
	char text[4096];

	*(unsigned long *)arg += read_text(path, text, sizeof(text)) > 0;
}

struct reader {
	volatile bool stop;
	unsigned long reads;
};

static void *read_what_is_there(void *arg)
{
	struct reader *reader = arg;

	while (!reader->stop)
		walk(TREE, read_file, &reader->reads);
	return NULL;
}

TEST_F_TIMEOUT(module, readers_come_while_it_goes, TIMEOUT)
{
	struct reader reader = { .stop = false };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_what_is_there,
				    &reader));
	for (i = 0; i < ROUNDS; i++) {
		close(pager_open_with_space());
		ASSERT_EQ(0, unload());
		ASSERT_EQ(0, load());
	}
	reader.stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_LT(0, reader.reads);
}

/* What is opened at once, when the device appears, is complete. */
static void *add_at_once(void *arg)
{
	const char *path = DEFAULT_DIR "/segments/1/state";
	int pager, store, disk, *there = arg;
	struct defpager_segment_add add;

	do
		pager = pager_open();
	while (pager < 0);
	store = store_open(pager, DEFPAGER_DEFAULT_STORE);
	must(store >= 0);
	disk = open("/dev/vda", O_RDWR | O_CLOEXEC);
	must(disk >= 0);
	add = segment_range(disk, 0, 2048, 512);
	must(defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add) == 0);
	*there = is_there(path);
	close(disk);
	close(store);
	close(pager);
	return NULL;
}

TEST_F_TIMEOUT(module, segment_added_at_once_has_its_directory, TIMEOUT)
{
	pthread_t thread;
	int i, there;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, unload());
		there = -1;
		ASSERT_EQ(0, pthread_create(&thread, NULL, add_at_once,
					    &there));
		ASSERT_EQ(0, load());
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(1, there);
	}
}

TEST_HARNESS_MAIN
