// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must never be told: other objects' bytes, stale memory, and addresses of
 * the kernel, neither to programs nor to the disk.
 *
 * A loop device over a file in memory shows what is written.
 */
#include <ftw.h>
#include <regex.h>

#include "raw_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 120

#define DEVICE_PAGES 512
#define OBJECT_PAGES 128

/* In records of 512 bytes: neither end is at a page. */
#define HEAD (PAGES(64) / 512 + 3)
#define COUNT (PAGES(256) / 512 + 9)

/* The only byte of a page that is written. */
#define BYTE_AT 1234
#define BYTE 'x'

FIXTURE(secrecy)
{
	struct stores stores;
	int store;
	int file;
	int device;
	uint64_t segment;
	struct memory memory;
};

FIXTURE_SETUP(secrecy)
{
	struct defpager_segment_add add;

	self->stores = (struct stores) { .pager = pager_open(), .disk = -1 };
	ASSERT_LE(0, self->stores.pager);
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_new(&self->stores, "secret", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	self->file = memfd_create("device", MFD_CLOEXEC);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(0, ftruncate(self->file, PAGES(DEVICE_PAGES)));
	raw_fill(self->file, DEVICE_PAGES);
	self->device = loop_over(self->file, 512, 0);
	ASSERT_LE(0, self->device);
	add = segment_range(self->device, HEAD, COUNT, 512);
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD,
				    &add));
	self->segment = add.id;
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
}

FIXTURE_TEARDOWN(secrecy)
{
	memory_destroy(&self->memory);
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->store);
	close(self->device);
	close(self->file);
	close(self->stores.pager);
}

static void write_a_byte_each(const struct memory *memory)
{
	uint64_t page;

	for (page = 0; page < memory_pages(memory); page++)
		memory_page(memory, page)[BYTE_AT] = BYTE;
}

/* Is a page nothing but the byte that was written to it? */
static bool just_the_byte(const char *page)
{
	uint64_t i;

	for (i = 0; i < page_size(); i++)
		if (page[i] != (i == BYTE_AT ? BYTE : 0))
			return false;
	return true;
}

/* --- On the disk ---------------------------------------------------------- */

static bool just_the_byte_on_disk(int file, uint64_t page)
{
	char content[page_size()];

	must(pread(file, content, page_size(), PAGES(page)) ==
	     (ssize_t)page_size());
	return just_the_byte(content);
}

/* Marks the pages of the device that hold pages of the object. */
static uint64_t find_slots(const struct memory *memory, bool *slots)
{
	struct defpager_page_range row;
	uint64_t page, nr = 0;

	memset(slots, 0, DEVICE_PAGES * sizeof(*slots));
	for (page = 0; page < memory_pages(memory); page++) {
		row = page_place(memory, page);
		if (!(row.flags & DEFPAGER_PAGE_STORED))
			continue;
		must(row.device_offset / page_size() < DEVICE_PAGES);
		slots[row.device_offset / page_size()] = true;
		nr++;
	}
	return nr;
}

TEST_F_TIMEOUT(secrecy, disk_gets_what_was_written_and_zeros, TIMEOUT)
{
	bool slots[DEVICE_PAGES];
	uint64_t page;

	write_a_byte_each(&self->memory);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(OBJECT_PAGES, find_slots(&self->memory, slots));
	for (page = 0; page < DEVICE_PAGES; page++) {
		if (slots[page]) {
			ASSERT_TRUE(just_the_byte_on_disk(self->file, page));
			continue;
		}
		ASSERT_TRUE(raw_is(self->file, PAGES(page), PAGES(page + 1),
				   RAW_GENERATION));
	}
}

/* An object that is neither whole pages nor written to the end. */
TEST_F_TIMEOUT(secrecy, last_page_ends_in_zeros, TIMEOUT)
{
	struct memory memory = memory_create_in(self->stores.pager, self->store,
						BYTE_AT + 1);
	uint64_t page, found = 0;

	memset(memory.map, 0x5a, page_size());
	memset(memory.map, 0, BYTE_AT);
	memory.map[BYTE_AT] = BYTE;
	/* Whoever maps it may write behind the end; that is nobody's. */
	ASSERT_EQ(1, pwrite(memory.fd, &(char){ BYTE }, 1, BYTE_AT));
	ASSERT_EQ(0, ftruncate(memory.fd, BYTE_AT));
	ASSERT_EQ(0, ftruncate(memory.fd, BYTE_AT + 1));
	EXPECT_EQ(0, memory.map[BYTE_AT]);
	memory.map[BYTE_AT] = BYTE;
	ASSERT_TRUE(evict(&memory));
	for (page = 0; page < DEVICE_PAGES; page++)
		found += just_the_byte_on_disk(self->file, page);
	EXPECT_EQ(1, found);
	EXPECT_TRUE(just_the_byte(memory.map));
	memory_destroy(&memory);
}

/* --- Of other objects ------------------------------------------------------ */

/* Another object gets the slots, and shows nothing of what is on them. */
TEST_F_TIMEOUT(secrecy, slots_of_others_are_not_shown, TIMEOUT)
{
	char content[page_size()];
	uint64_t page;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	memory_destroy(&self->memory);
	self->memory = memory_create_in(self->stores.pager, self->store,
					PAGES(OBJECT_PAGES));
	for (page = 0; page < OBJECT_PAGES; page++) {
		ASSERT_EQ(page_size(), pread(self->memory.fd, content,
					     page_size(), PAGES(page)));
		ASSERT_EQ(0, memcmp(content, (char[4096]){ 0 }, 4096));
	}
	EXPECT_EQ(0, fallocate(self->memory.fd, 0, 0, PAGES(OBJECT_PAGES)));
	write_a_byte_each(&self->memory);
	ASSERT_TRUE(evict(&self->memory));
	for (page = 0; page < OBJECT_PAGES; page++)
		ASSERT_TRUE(just_the_byte(memory_page(&self->memory, page)));
}

/* Also those that the object itself has given back. */
TEST_F_TIMEOUT(secrecy, what_was_cut_off_does_not_come_back, TIMEOUT)
{
	uint64_t page;

	fill_all(&self->memory, 1);
	ASSERT_TRUE(evict(&self->memory));
	ASSERT_EQ(0, fallocate(self->memory.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, PAGES(OBJECT_PAGES / 2)));
	ASSERT_EQ(0, ftruncate(self->memory.fd, PAGES(OBJECT_PAGES / 2)));
	ASSERT_EQ(0, ftruncate(self->memory.fd, PAGES(OBJECT_PAGES)));
	write_a_byte_each(&self->memory);
	ASSERT_TRUE(evict(&self->memory));
	for (page = 0; page < OBJECT_PAGES; page++)
		ASSERT_TRUE(just_the_byte(memory_page(&self->memory, page)));
}

/* --- In what is told ------------------------------------------------------- */

#define MAX_STRUCT 4096

/* Something that is told: a request, and what to say with it. */
struct told {
	const char *name;
	bool rows;
	unsigned long cmd;
	int fd;
	uint32_t size;		/* of the struct, or of a row */
};

static int tell(const struct told *told, char *answer, int poison)
{
	uint64_t start = 0;
	int nr;

	memset(answer, poison, MAX_STRUCT);
	if (told->rows) {
		nr = list_rows(told->fd, told->cmd, &start, answer, told->size,
			       1);
		return nr == 1 ? 0 : -ENOENT;
	}
	memset(answer, 0, sizeof(uint64_t));
	*(uint32_t *)answer = told->size;
	return defpager_ioctl(told->fd, told->cmd, answer);
}

/* In the upper half of what can be addressed, and no number of that size. */
static bool like_an_address(const char *answer, uint32_t size)
{
	uint64_t word;

	for (uint32_t i = 0; i + sizeof(word) <= size; i += sizeof(word)) {
		memcpy(&word, answer + i, sizeof(word));
		if (word >= 0xffff800000000000 && word < 0xffffffffffff0000)
			return true;
	}
	return false;
}

/* Nothing is left as it was, and so nothing can be what was there before. */
TEST_F_TIMEOUT(secrecy, structs_are_written_whole, TIMEOUT)
{
	const struct told all[] = {
		{ "pager", false, DEFPAGER_IOC_INFO, self->stores.pager,
		  sizeof(struct defpager_info) },
		{ "store", false, DEFPAGER_IOC_BACKING_STORE_INFO, self->store,
		  sizeof(struct defpager_backing_store_info) },
		{ "object", false, DEFPAGER_IOC_OBJECT_INFO, self->memory.fd,
		  sizeof(struct defpager_object_info) },
		{ "objects", true, DEFPAGER_IOC_OBJECTS, self->stores.pager,
		  sizeof(struct defpager_object_info) },
		{ "stores", true, DEFPAGER_IOC_BACKING_STORES, self->stores.pager,
		  sizeof(struct defpager_backing_store_info) },
		{ "segments", true, DEFPAGER_IOC_SEGMENTS, self->store,
		  sizeof(struct defpager_segment_info) },
		{ "pages", true, DEFPAGER_IOC_OBJECT_PAGES, self->memory.fd,
		  sizeof(struct defpager_page_range) },
	};
	char one[MAX_STRUCT], other[MAX_STRUCT];

	write_a_byte_each(&self->memory);
	ASSERT_TRUE(evict(&self->memory));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		ASSERT_EQ(0, tell(&all[i], one, 0x00));
		ASSERT_EQ(0, tell(&all[i], other, 0xff));
		EXPECT_EQ(0, memcmp(one, other, all[i].size))
			TH_LOG("%s", all[i].name);
		EXPECT_FALSE(like_an_address(one, all[i].size))
			TH_LOG("%s", all[i].name);
	}
}

static regex_t address;
static unsigned int files_read, addresses_found;

static void look_at(const char *path)
{
	char text[16384];
	ssize_t length;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return;
	text[length] = 0;
	files_read++;
	if (!regexec(&address, text, 0, NULL, 0)) {
		fprintf(stderr, "# an address in %s: %s\n", path, text);
		addresses_found++;
	}
}

static int look_at_file(const char *path, const struct stat *st, int type,
			struct FTW *walk)
{
	(void)st;
	(void)walk;
	if (type == FTW_F)
		look_at(path);
	return 0;
}

TEST_F_TIMEOUT(secrecy, texts_have_no_addresses, TIMEOUT)
{
	char path[64];

	write_a_byte_each(&self->memory);
	ASSERT_EQ(0, regcomp(&address, "ffff[89a-f][0-9a-f]{11}",
			     REG_EXTENDED | REG_NOSUB | REG_ICASE));
	ASSERT_EQ(0, nftw("/sys/devices/virtual/misc/defpager", look_at_file,
			  16, FTW_PHYS));
	/* At least the files of a store and of a segment. */
	EXPECT_LT(10, files_read);
	files_read = 0;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->memory.fd);
	look_at(path);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->store);
	look_at(path);
	EXPECT_EQ(2, files_read);
	EXPECT_EQ(0, addresses_found);
	regfree(&address);
}

TEST_HARNESS_MAIN
