// SPDX-License-Identifier: GPL-2.0-only
/* What monitors read in sysfs: the same that requests say, and for everybody. */
#include <grp.h>
#include <sys/sysmacros.h>

#include "store_utils.h"
#include "sysfs_utils.h"

#include "kselftest_harness.h"

#define NOBODY 65534

FIXTURE(sysfs)
{
	struct stores stores;
};

FIXTURE_SETUP(sysfs)
{
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
}

FIXTURE_TEARDOWN(sysfs)
{
	EXPECT_EQ(0, stores_clear(&self->stores));
	stores_close(&self->stores);
}

/* --- What they say ----------------------------------------------------- */

/* Has pages of a store written, some of them read, and some changed again. */
static struct memory page_some(struct stores *stores, int store)
{
	struct memory memory = memory_create_in(stores->pager, store,
						PAGES(64));

	fill_all(&memory, 1);
	must(evict(&memory));
	must(verify(&memory, 0, 16, 1));
	fill(&memory, 0, 4, 2);
	return memory;
}

static bool pager_agrees(struct stores *stores)
{
	struct defpager_info info = totals(stores->pager);
	int store = store_of_name(stores, DEFPAGER_DEFAULT_STORE);
	struct defpager_backing_store_info row = store_state(store);

	close(store);
	return files_agree(TREE, pager_files, &info) &
	       files_agree(TREE, mach_files, &row);
}

TEST_F(sysfs, totals_are_those_of_requests)
{
	int other = store_with_space(&self->stores, "other", 1,
				     DEFPAGER_STORE_EXCLUSIVE, MIB(1));
	int store = store_of_name(&self->stores, DEFPAGER_DEFAULT_STORE);
	struct memory pooled, confined;

	segment_new(&self->stores, store, MIB(1));
	pooled = page_some(&self->stores, -1);
	confined = page_some(&self->stores, other);
	/* Something may be on its way still. */
	EXPECT_TRUE(wait_until(pager_agrees(&self->stores)));
	EXPECT_EQ(2, read_value(TREE, "nr_stores"));
	EXPECT_EQ(2, read_value(TREE, "nr_objects"));
	EXPECT_LT(0, read_value(TREE, "used_bytes"));
	EXPECT_LE(128, read_value(TREE, "pages_out"));
	EXPECT_LE(32, read_value(TREE, "pages_in"));
	memory_destroy(&pooled);
	memory_destroy(&confined);
	close(store);
	close(other);
}

static bool store_agrees(int store, const char *name)
{
	struct defpager_backing_store_info info = store_state(store);
	char path[PATH_MAX];

	return files_agree(store_dir(path, name), store_files, &info);
}

TEST_F(sysfs, store_is_that_of_requests)
{
	int store = store_new(&self->stores, "store", -7, 65536,
			      DEFPAGER_STORE_EXCLUSIVE);
	char path[PATH_MAX];
	struct memory memory;

	segment_new(&self->stores, store, MIB(1));
	segment_new(&self->stores, store, MIB(2));
	memory = page_some(&self->stores, store);
	EXPECT_TRUE(wait_until(store_agrees(store, "store")));
	store_dir(path, "store");
	EXPECT_TRUE(file_says(path, "priority", "-7"));
	EXPECT_TRUE(file_says(path, "cluster_bytes", "65536"));
	EXPECT_TRUE(file_says(path, "nr_segments", "2"));
	EXPECT_TRUE(file_says(path, "nr_objects", "1"));
	EXPECT_EQ((long long)PAGES(64), read_value(path, "confined_bytes"));
	EXPECT_EQ((long long)PAGES(64), read_value(path, "used_bytes"));
	EXPECT_LE(64, read_value(path, "pages_out"));
	EXPECT_LE(16, read_value(path, "pages_in"));
	EXPECT_TRUE(wait_until(store_agrees(store, "store")));
	ASSERT_EQ(0, store_limit(store, DEFPAGER_LIMIT_OBJECT |
				 DEFPAGER_LIMIT_USER, MIB(1), MIB(2), NULL));
	EXPECT_EQ((long long)MIB(1), read_value(path, "object_limit_bytes"));
	EXPECT_EQ((long long)MIB(2), read_value(path, "user_limit_bytes"));
	memory_destroy(&memory);
	close(store);
}

static const struct {
	uint32_t flag;
	const char *name;
} options[] = {
	{ DEFPAGER_STORE_EXCLUSIVE, "exclusive" },
	{ DEFPAGER_STORE_DISCARD, "discard" },
	{ DEFPAGER_STORE_CHECKSUM, "checksum" },
	{ DEFPAGER_STORE_ENCRYPT, "encrypt" },
};

TEST_F(sysfs, store_has_its_options)
{
	char path[PATH_MAX];
	size_t i, j;
	int store;

	store_dir(path, "options");
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		store = store_create(self->stores.pager, "options", 0, 0,
				     options[i].flag);
		/* The kernel may lack the algorithm. */
		if (store == -ENOENT || store == -EOPNOTSUPP)
			continue;
		ASSERT_LE(0, store);
		for (j = 0; j < ARRAY_SIZE(options); j++)
			EXPECT_TRUE(file_says(path, options[j].name,
					      i == j ? "1" : "0"));
		ASSERT_EQ(0, store_delete(store, -1));
		close(store);
	}
}

static bool segment_agrees(int store, const char *name, uint64_t id)
{
	struct defpager_segment_info row = segment_state(store, id);
	char path[PATH_MAX];

	return files_agree(segment_dir(path, name, id), segment_files, &row);
}

TEST_F(sysfs, segment_is_that_of_requests)
{
	int store = store_new(&self->stores, "store", 0, 0, 0);
	char path[PATH_MAX], device[32];
	struct memory memory;
	struct stat stat;
	uint64_t id;

	/* Not at the beginning of the device. */
	disk_piece(&self->stores, MIB(3));
	id = segment_new(&self->stores, store, MIB(1));
	memory = page_some(&self->stores, store);
	EXPECT_TRUE(wait_until(segment_agrees(store, "store", id)));
	segment_dir(path, "store", id);
	ASSERT_EQ(0, fstat(self->stores.disk, &stat));
	snprintf(device, sizeof(device), "%u:%u", major(stat.st_rdev),
		 minor(stat.st_rdev));
	EXPECT_TRUE(file_says(path, "device", device));
	EXPECT_TRUE(file_says(path, "state", "active"));
	EXPECT_EQ((long long)MIB(3), read_value(path, "offset_bytes"));
	EXPECT_EQ((long long)MIB(1), read_value(path, "length_bytes"));
	EXPECT_EQ(512, read_value(path, "record_size"));
	EXPECT_EQ((long long)PAGES(64), read_value(path, "used_bytes"));
	EXPECT_LE(64, read_value(path, "pages_out"));
	EXPECT_LE(16, read_value(path, "pages_in"));
	memory_destroy(&memory);
	close(store);
}

/* Partly overwritten pages are read one by one, in another way. */
TEST_F(sysfs, every_read_counts_for_its_segment)
{
	int store = store_new(&self->stores, "store", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE);
	long long before = read_value(TREE, "pages_in");
	char path[PATH_MAX];
	struct memory memory;

	segment_new(&self->stores, store, MIB(1));
	memory = memory_create_in(self->stores.pager, store, PAGES(16));
	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	for (int i = 0; i < 16; i += 2)
		ASSERT_EQ(1, pwrite(memory.fd, "x", 1, PAGES(i) + 1));
	EXPECT_LE(before + 8, read_value(TREE, "pages_in"));
	EXPECT_EQ(read_value(TREE, "pages_in") - before,
		  read_value(store_dir(path, "store"), "pages_in"));
	memory_destroy(&memory);
	close(store);
}

/* Each file has to be in a table of this test, and to be documented. */
TEST_F(sysfs, there_are_no_other_files)
{
	int store = store_new(&self->stores, "store", 0, 0, 0);
	uint64_t id = segment_new(&self->stores, store, MIB(1));
	char path[PATH_MAX];
	const int pager = ARRAY_SIZE(pager_files) - 1 +
			  ARRAY_SIZE(mach_files) - 1 + 2 /* sizes */;
	const int of_store = ARRAY_SIZE(store_files) - 1 + 1 /* priority */ +
			     ARRAY_SIZE(options);
	const int of_segment = ARRAY_SIZE(segment_files) - 1 +
			       2 /* state, device */;

	EXPECT_EQ(of_segment, count_files(segment_dir(path, "store", id)));
	EXPECT_EQ(of_segment + of_store, count_files(store_dir(path, "store")));
	EXPECT_EQ(of_store, count_files(DEFAULT_DIR));
	EXPECT_EQ(pager + 2 * of_store + of_segment, count_files(TREE));
	close(store);
}

/* --- Sizes of requests -------------------------------------------------- */

#define SIZES 20

struct sizes {
	uint64_t count[SIZES];
};

static struct sizes read_sizes(const char *name)
{
	struct sizes sizes;
	unsigned long pages;
	uintmax_t count;
	char path[PATH_MAX];
	FILE *file;
	int i;

	snprintf(path, sizeof(path), "%s/%s", TREE, name);
	file = fopen(path, "re");
	must(file);
	for (i = 0; i < SIZES; i++) {
		must(fscanf(file, "%lu %ju\n", &pages, &count) == 2);
		sizes.count[i] = count;
		must(pages == 1UL << i);
	}
	must(fgetc(file) == EOF);
	fclose(file);
	return sizes;
}

/* Whether so many requests of such sizes make up so many pages. */
static bool sizes_make_up(struct sizes sizes, uint64_t requests, uint64_t pages)
{
	uint64_t sum = 0, least = 0, most = 0;
	int i;

	for (i = 0; i < SIZES; i++) {
		sum += sizes.count[i];
		least += sizes.count[i] << i;
		most += sizes.count[i] * ((2UL << i) - 1);
	}
	fprintf(stderr, "# %ju requests of %ju to %ju pages\n", sum, least,
		most);
	return sum == requests && least <= pages && pages <= most;
}

static bool is_quiet(int store, uint64_t id)
{
	return wait_until(!segment_state(store, id).in_flight_bytes);
}

TEST_F(sysfs, sizes_make_up_the_counters)
{
	int store = store_new(&self->stores, "store", 0, 0, 0);
	uint64_t id = segment_new(&self->stores, store, MIB(8));
	struct memory memory = memory_create_in(self->stores.pager, store,
						MIB(4));
	struct defpager_info info;
	int page;

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	/* In order, so that it is read ahead, and here and there. */
	ASSERT_TRUE(verify(&memory, 0, 512, 1));
	for (page = 1020; page > 512; page -= 37)
		ASSERT_TRUE(verify(&memory, page, 1, 1));
	ASSERT_TRUE(is_quiet(store, id));
	info = totals(self->stores.pager);
	EXPECT_LE(memory_pages(&memory), info.pages_out);
	EXPECT_TRUE(sizes_make_up(read_sizes("write_sizes"), info.writes,
				  info.pages_out));
	EXPECT_TRUE(sizes_make_up(read_sizes("read_sizes"), info.reads,
				  info.pages_in));
	memory_destroy(&memory);
	close(store);
}

/* Whether there was one more request, of one page, and nothing else. */
static bool is_one_more(struct sizes before, const char *name)
{
	struct sizes sizes = read_sizes(name);

	before.count[0]++;
	return !memcmp(&before, &sizes, sizeof(sizes));
}

TEST_F(sysfs, request_of_one_page_counts_as_such)
{
	int store = store_with_space(&self->stores, "store", 0, 0, MIB(1));
	struct memory memory = memory_create_in(self->stores.pager, store,
						PAGES(1));
	struct sizes writes = read_sizes("write_sizes");
	struct sizes reads = read_sizes("read_sizes");

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	EXPECT_TRUE(is_one_more(writes, "write_sizes"));
	ASSERT_TRUE(verify_all(&memory, 1));
	EXPECT_TRUE(is_one_more(reads, "read_sizes"));
	memory_destroy(&memory);
	close(store);
}

/* --- Who may read them --------------------------------------------------- */

static void check_access(const char *path, void *arg)
{
	struct stat stat;

	must(!lstat(path, &stat));
	/* Even root cannot open for writing what has no such mode. */
	if (stat.st_mode == (S_IFREG | 0444) &&
	    open(path, O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES)
		return;
	fprintf(stderr, "# %s: mode %o\n", path, stat.st_mode);
	*(bool *)arg = false;
}

static void check_reading(const char *path, void *arg)
{
	char text[4096];

	if (read_text(path, text, sizeof(text)) > 0)
		return;
	fprintf(stderr, "# %s cannot be read\n", path);
	*(bool *)arg = false;
}

static int read_as_nobody(void *arg)
{
	bool readable = true;

	(void)arg;
	must(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	     !setresuid(NOBODY, NOBODY, NOBODY));
	walk(TREE, check_reading, &readable);
	return readable && count_files(TREE) ? 0 : 1;
}

TEST_F(sysfs, everybody_reads_and_nobody_writes)
{
	int store = store_with_space(&self->stores, "store", 0, 0, MIB(1));
	bool well = true;

	walk(TREE, check_access, &well);
	EXPECT_TRUE(well);
	EXPECT_EQ(0, in_child(read_as_nobody, NULL));
	close(store);
}

TEST_HARNESS_MAIN
