// SPDX-License-Identifier: GPL-2.0-only
/*
 * Directories in sysfs come and go with stores and segments, whoever reads
 * them, and whatever fails.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "fail_utils.h"
#include "store_utils.h"
#include "sysfs_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

FIXTURE(dirs)
{
	struct stores stores;
};

FIXTURE_SETUP(dirs)
{
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
}

FIXTURE_TEARDOWN(dirs)
{
	EXPECT_EQ(0, stores_clear(&self->stores));
	stores_close(&self->stores);
}

/* --- Coming and going ---------------------------------------------------- */

static int open_file(const char *dir, const char *name)
{
	char path[2 * PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd >= 0);
	return fd;
}

static bool reads(int fd)
{
	char text[4096];

	return pread(fd, text, sizeof(text), 0) > 0;
}

TEST_F(dirs, default_store_is_always_there)
{
	EXPECT_TRUE(is_there(DEFAULT_DIR));
	EXPECT_TRUE(file_says(DEFAULT_DIR, "id", "1"));
	EXPECT_TRUE(is_there(DEFAULT_DIR "/segments"));
}

TEST_F(dirs, store_comes_and_goes)
{
	char path[PATH_MAX];
	int i, store, file;

	store_dir(path, "store");
	/* It may have the same name again. */
	for (i = 0; i < 3; i++) {
		EXPECT_FALSE(is_there(path));
		store = store_new(&self->stores, "store", i, 0, 0);
		ASSERT_TRUE(is_there(path));
		file = open_file(path, "priority");
		EXPECT_TRUE(reads(file));
		ASSERT_EQ(0, store_delete(store, -1));
		EXPECT_FALSE(is_there(path));
		/* Nothing is left that it could tell. */
		EXPECT_FALSE(reads(file));
		EXPECT_EQ(ENODEV, errno);
		close(file);
		close(store);
	}
}

TEST_F(dirs, segment_comes_and_goes)
{
	int store = store_new(&self->stores, "store", 0, 0, 0);
	char path[PATH_MAX];
	uint64_t id;
	int i, file;

	for (i = 0; i < 3; i++) {
		id = segment_new(&self->stores, store, MIB(1));
		segment_dir(path, "store", id);
		ASSERT_TRUE(is_there(path));
		file = open_file(path, "state");
		EXPECT_TRUE(reads(file));
		ASSERT_EQ(0, segment_remove(store, id, -1));
		EXPECT_FALSE(is_there(path));
		EXPECT_FALSE(reads(file));
		EXPECT_EQ(ENODEV, errno);
		close(file);
	}
	close(store);
}

/* Its segments go one after the other, and it goes last. */
TEST_F(dirs, store_goes_with_its_segments)
{
	int store = store_with_space(&self->stores, "store", 0, 0, MIB(1));
	uint64_t id = segment_new(&self->stores, store, MIB(1));
	char path[PATH_MAX];
	int file;

	file = open_file(segment_dir(path, "store", id), "device");
	ASSERT_EQ(0, store_delete(store, -1));
	EXPECT_FALSE(reads(file));
	EXPECT_FALSE(is_there(store_dir(path, "store")));
	close(file);
	close(store);
}

/* Descriptors and directories of a store have nothing to do with each other. */
TEST_F(dirs, closing_the_store_changes_nothing)
{
	int store = store_with_space(&self->stores, "store", 5, 0, MIB(1));
	char path[PATH_MAX];

	close(store);
	EXPECT_TRUE(file_says(store_dir(path, "store"), "priority", "5"));
	EXPECT_TRUE(file_says(path, "nr_segments", "1"));
}

TEST_F(dirs, names_are_kept)
{
	static const char *const names[] = {
		"with space", "!", "a!b", "...", "-", "\\", "%s%n", "stores",
		"segments", "caf\xc3\xa9", "\xff",
		"sixty-three characters are the most that the name of one may be",
	};
	char path[PATH_MAX];
	struct dirent *entry;
	size_t i, found = 0;
	int store;
	DIR *dir;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		close(store_new(&self->stores, names[i], 8, 0, 0));
	dir = opendir(TREE "/stores");
	ASSERT_TRUE(dir);
	while ((entry = readdir(dir))) {
		for (i = 0; i < ARRAY_SIZE(names); i++)
			found += !strcmp(entry->d_name, names[i]);
	}
	closedir(dir);
	EXPECT_EQ(ARRAY_SIZE(names), found);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		store = store_of_name(&self->stores, names[i]);
		EXPECT_TRUE(file_says(store_dir(path, names[i]), "priority",
				      "8"));
		ASSERT_EQ(0, store_delete(store, -1));
		close(store);
	}
}

TEST_F(dirs, refused_store_leaves_no_directory)
{
	struct rlimit limit, none;
	char path[PATH_MAX];
	int store, before;

	store = store_new(&self->stores, "taken", 3, 0, 0);
	before = count_files(TREE);
	EXPECT_EQ(-EEXIST, store_create(self->stores.pager, "taken", 4, 0, 0));
	EXPECT_TRUE(file_says(store_dir(path, "taken"), "priority", "3"));

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = (struct rlimit){ .rlim_max = limit.rlim_max };
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, store_create(self->stores.pager, "none", 0, 0, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_FALSE(is_there(store_dir(path, "none")));
	EXPECT_EQ(before, count_files(TREE));
	EXPECT_EQ(-ENOENT, store_open(self->stores.pager, "none"));
	close(store);
}

TEST_F(dirs, refused_segment_leaves_no_directory)
{
	int store = store_with_space(&self->stores, "store", 0, 0, MIB(1));
	int before = count_files(TREE);

	EXPECT_EQ(-EINVAL, segment_add(store, self->stores.disk, 0, 8, 4096));
	EXPECT_EQ(before, count_files(TREE));
	close(store);
}

/* --- Readers while they go ------------------------------------------------ */

static void read_whole(const char *path, void *arg)
{
	char text[4096];
	int ret;

	ret = read_text(path, text, sizeof(text));
	/* Either it says something, a line, or it is gone. */
	if (ret > 0 ? text[ret - 1] == '\n' : ret == -ENOENT || ret == -ENODEV)
		return;
	fprintf(stderr, "# %s: %d \"%s\"\n", path, ret, text);
	*(bool *)arg = false;
}

struct reader {
	pthread_t thread;
	const volatile bool *stop;
	int nr;
	bool well;
	long reads;
};

static void *read_all(void *arg)
{
	struct reader *reader = arg;

	while (!*reader->stop)
		walk(TREE, read_whole, &reader->well);
	return NULL;
}

/* One file, over and over: it goes in the middle of that. */
static void *read_one(void *arg)
{
	struct reader *reader = arg;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;
	int fd;

	while (!*reader->stop) {
		snprintf(path, sizeof(path), TREE "/stores/race %d/segments",
			 reader->nr);
		dir = opendir(path);
		if (!dir)
			continue;
		while ((entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path),
				 TREE "/stores/race %d/segments/%.10s/used_bytes",
				 reader->nr, entry->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			while (reads(fd))
				reader->reads++;
			reader->well &= errno == ENODEV;
			close(fd);
		}
		closedir(dir);
	}
	return NULL;
}

struct changer {
	struct stores *stores;
	int nr;
	double end;
	int rounds;
};

/* A store and segments, which come and go. */
static void *come_and_go(void *arg)
{
	struct changer *changer = arg;
	struct stores *stores = changer->stores;
	char name[16];
	uint64_t at = MIB(8) * changer->nr, id;
	int store;

	snprintf(name, sizeof(name), "race %d", changer->nr);
	while (now() < changer->end) {
		store = store_new(stores, name, 0, 0, 0);
		id = segment_at(store, stores->disk, at, MIB(1));
		segment_at(store, stores->disk, at + MIB(1), MIB(1));
		must(segment_remove(store, id, -1) == 0);
		must(store_delete(store, -1) == 0);
		close(store);
		changer->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(dirs, readers_race_with_those_that_go, TIMEOUT)
{
	struct changer changers[2];
	struct reader readers[4];
	pthread_t threads[2];
	volatile bool stop = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i] = (struct reader){
			.stop = &stop,
			.nr = i % 2,
			.well = true,
		};
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL,
					    i < 2 ? read_all : read_one,
					    &readers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(changers); i++) {
		changers[i] = (struct changer){
			.stores = &self->stores,
			.nr = i,
			.end = now() + test_seconds(10),
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, come_and_go,
					    &changers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(changers); i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		TH_LOG("%d rounds", changers[i].rounds);
		EXPECT_LT(0, changers[i].rounds);
	}
	stop = true;
	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		ASSERT_EQ(0, pthread_join(readers[i].thread, NULL));
		EXPECT_TRUE(readers[i].well);
		if (i >= 2) {
			TH_LOG("%ld reads", readers[i].reads);
			EXPECT_LT(0, readers[i].reads);
		}
	}
}

/* --- When memory is short -------------------------------------------------- */

#define MAX_NTH 1000

TEST_F_TIMEOUT(dirs, failing_allocation_leaves_no_store, TIMEOUT)
{
	struct defpager_info before, after;
	char path[PATH_MAX];
	int fd, nth, ret, files, failed = 0;
	bool done;

	if (!can_fail())
		SKIP(return, "no fault injection in this kernel");
	store_dir(path, "failing");
	fd = open_fail_nth();
	files = count_files(TREE);
	before = totals(self->stores.pager);
	for (nth = 1, done = false; !done; nth++) {
		ASSERT_GT(MAX_NTH, nth);
		fail_nth(fd, nth);
		ret = store_create(self->stores.pager, "failing", 0, 0, 0);
		done = nothing_failed(fd);
		if (ret >= 0) {
			EXPECT_TRUE(is_there(path));
			ASSERT_EQ(0, store_delete(ret, -1));
			close(ret);
			continue;
		}
		failed++;
		EXPECT_TRUE(ret == -ENOMEM || ret == -ENFILE);
		EXPECT_FALSE(is_there(path));
		EXPECT_EQ(files, count_files(TREE));
		EXPECT_EQ(-ENOENT, store_open(self->stores.pager, "failing"));
		after = totals(self->stores.pager);
		EXPECT_EQ(before.nr_stores, after.nr_stores);
	}
	TH_LOG("%d of %d allocations failed it", failed, nth - 2);
	/* The directory, its name and its files are some. */
	EXPECT_LT(20, failed);
	close(fd);
}

TEST_F_TIMEOUT(dirs, failing_allocation_leaves_no_segment, TIMEOUT)
{
	int store = store_with_space(&self->stores, "store", 0, 0, MIB(1));
	struct defpager_backing_store_info before, after;
	struct defpager_segment_add add;
	int fd, nth, ret, files, failed = 0;
	bool done;

	if (!can_fail())
		SKIP(return, "no fault injection in this kernel");
	fd = open_fail_nth();
	files = count_files(TREE);
	before = store_state(store);
	for (nth = 1, done = false; !done; nth++) {
		ASSERT_GT(MAX_NTH, nth);
		add = segment_range(self->stores.disk, 1, 1, MIB(1));
		fail_nth(fd, nth);
		ret = defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add);
		done = nothing_failed(fd);
		if (!ret) {
			ASSERT_EQ(0, segment_remove(store, add.id, -1));
			continue;
		}
		failed++;
		EXPECT_EQ(-ENOMEM, ret);
		EXPECT_EQ(files, count_files(TREE));
		after = store_state(store);
		EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
	}
	TH_LOG("%d of %d allocations failed it", failed, nth - 2);
	EXPECT_LT(20, failed);
	close(fd);
	close(store);
}

TEST_HARNESS_MAIN
