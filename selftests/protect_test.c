// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checksums and encryption: what is on the disk, and what comes of it when it
 * is changed there.
 */
#include <linux/if_alg.h>
#include <sys/socket.h>

#include "contract_utils.h"
#include "memory_utils.h"

#include "kselftest_harness.h"

#define PAGES 64
#define DISK MIB(4)

static const char marker[] = "recognisable, in every page, and twice so";

FIXTURE(store)
{
	int pager;
	int disk;
	int store;
	int object;
	char *map;
	size_t size;
};

FIXTURE_VARIANT(store)
{
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(store, plain) { };
FIXTURE_VARIANT_ADD(store, checksum) { .flags = DEFPAGER_STORE_CHECKSUM };
FIXTURE_VARIANT_ADD(store, encrypt) { .flags = DEFPAGER_STORE_ENCRYPT };
FIXTURE_VARIANT_ADD(store, both)
{
	.flags = DEFPAGER_STORE_CHECKSUM | DEFPAGER_STORE_ENCRYPT,
};

static int new_store(int pager, const char *name, uint32_t flags)
{
	struct defpager_backing_store_create create = {
		.size = sizeof(create),
		.flags = flags,
	};
	int ret;

	strncpy(create.name, name, sizeof(create.name) - 1);
	ret = defpager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_CREATE, &create);
	return ret ? ret : create.fd;
}

static int delete_store(int store, int target)
{
	struct defpager_backing_store_delete delete = {
		.size = sizeof(delete),
		.target = target,
	};

	return defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_DELETE,
			      &delete);
}

FIXTURE_SETUP(store)
{
	struct defpager_object_create create;

	self->size = PAGES * page_size();
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = new_store(self->pager, "protect",
				variant->flags | DEFPAGER_STORE_EXCLUSIVE);
	ASSERT_LE(0, self->store);
	self->disk = loop_create(DISK, 4096, 0);
	ASSERT_LE(0, self->disk);
	ASSERT_EQ(0, segment_add(self->store, self->disk, 0, DISK / 4096, 4096));
	create = object_request(self->size);
	create.backing_store = self->store;
	ASSERT_EQ(0, defpager_ioctl(self->pager, DEFPAGER_IOC_OBJECT_CREATE,
				    &create));
	self->object = create.fd;
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->object, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(store)
{
	munmap(self->map, self->size);
	close(self->object);
	EXPECT_EQ(0, delete_store(self->store, -1));
	close(self->store);
	close(self->disk);
	close(self->pager);
}

/* The same in all pages but for their number, which is near the end. */
static void fill(char *map, size_t size)
{
	for (size_t at = 0; at < size; at += page_size()) {
		memset(map + at, 'x', page_size());
		strcpy(map + at, marker);
		strcpy(map + at + page_size() / 2, marker);
		*(size_t *)(map + at + page_size() - sizeof(size_t)) = at;
	}
}

static bool filled(const char *page, size_t at)
{
	for (size_t i = page_size() / 2 + sizeof(marker);
	     i < page_size() - sizeof(size_t); i++)
		if (page[i] != 'x')
			return false;
	return !strcmp(page, marker) &&
	       !strcmp(page + page_size() / 2, marker) &&
	       *(size_t *)(page + page_size() - sizeof(size_t)) == at;
}

static bool all_filled(const char *map, size_t size)
{
	for (size_t at = 0; at < size; at += page_size())
		if (!filled(map + at, at))
			return false;
	return true;
}

/* Where a page is on its device, or -1. */
static int64_t disk_offset(int object, uint64_t offset)
{
	struct defpager_page_range range;
	uint64_t start = offset;

	if (list_rows(object, DEFPAGER_IOC_OBJECT_PAGES, &start, &range,
		      sizeof(range), 1) != 1 ||
	    !(range.flags & DEFPAGER_PAGE_STORED) || range.offset != offset)
		return -1;
	return range.device_offset;
}

/* One page of the disk, as it is there: past all caches. */
static bool disk_page(int disk, int64_t offset, char *page, bool write)
{
	char path[PATH_MAX];
	void *buffer;
	ssize_t ret;
	int fd;

	fd = open(fd_path(disk, path), (write ? O_RDWR : O_RDONLY) | O_DIRECT |
				       O_CLOEXEC);
	if (fd < 0 || posix_memalign(&buffer, page_size(), page_size()))
		return false;
	if (write) {
		memcpy(buffer, page, page_size());
		ret = pwrite(fd, buffer, page_size(), offset);
	} else {
		ret = pread(fd, buffer, page_size(), offset);
		memcpy(page, buffer, page_size());
	}
	free(buffer);
	close(fd);
	return ret == (ssize_t)page_size();
}

static bool flip_bit(int disk, int64_t offset)
{
	char page[page_size()];

	if (offset < 0 || !disk_page(disk, offset, page, false))
		return false;
	page[3000] ^= 4;
	return disk_page(disk, offset, page, true);
}

TEST_F(store, comes_back_as_it_was)
{
	for (int round = 0; round < 3; round++) {
		fill(self->map, self->size);
		ASSERT_TRUE(page_out(self->object, self->map, self->size));
		ASSERT_TRUE(all_filled(self->map, self->size));
	}
	/* Overwritten in place, one page only. */
	memset(self->map, 'y', page_size());
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	EXPECT_TRUE(all_bytes(self->map, page_size(), 'y'));
	EXPECT_TRUE(filled(self->map + page_size(), page_size()));
}

TEST_F(store, disk_shows_what_it_should)
{
	bool hidden = variant->flags & DEFPAGER_STORE_ENCRYPT;
	char page[page_size()];
	unsigned int shown = 0;

	fill(self->map, self->size);
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	for (size_t at = 0; at < DISK; at += page_size()) {
		ASSERT_TRUE(disk_page(self->disk, at, page, false));
		if (memmem(page, page_size(), marker, sizeof(marker)) ||
		    memmem(page, page_size(), "xxxxxxxx", 8))
			shown++;
	}
	EXPECT_EQ(hidden ? 0 : PAGES, shown);
}

/* Also in the parts that are the same in both pages. */
TEST_F(store, equal_pages_look_different_if_encrypted)
{
	bool hidden = variant->flags & DEFPAGER_STORE_ENCRYPT;
	char first[page_size()], second[page_size()];
	unsigned int equal = 0;

	fill(self->map, self->size);
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	ASSERT_TRUE(disk_page(self->disk, disk_offset(self->object, 0), first,
			      false));
	ASSERT_TRUE(disk_page(self->disk,
			      disk_offset(self->object, page_size()), second,
			      false));
	for (size_t i = 0; i < page_size(); i += 16)
		equal += !memcmp(first + i, second + i, 16);
	EXPECT_EQ(hidden ? 0 : page_size() / 16 - 1, equal);
}

/* The same page of another object, in the same store. */
TEST_F(store, equal_objects_look_different_if_encrypted)
{
	bool hidden = variant->flags & DEFPAGER_STORE_ENCRYPT;
	struct defpager_object_create create = object_request(self->size);
	char first[page_size()], second[page_size()];
	char *map;

	create.backing_store = self->store;
	ASSERT_EQ(0, defpager_ioctl(self->pager, DEFPAGER_IOC_OBJECT_CREATE,
				    &create));
	map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   create.fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	fill(self->map, self->size);
	fill(map, self->size);
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	ASSERT_TRUE(page_out(create.fd, map, self->size));
	ASSERT_TRUE(disk_page(self->disk, disk_offset(self->object, 0), first,
			      false));
	ASSERT_TRUE(disk_page(self->disk, disk_offset(create.fd, 0), second,
			      false));
	EXPECT_EQ(hidden, memcmp(first, second, page_size()) != 0);
	EXPECT_TRUE(all_filled(map, self->size));
	munmap(map, self->size);
	close(create.fd);
}

TEST_F(store, changed_page_is_a_read_error_if_checked)
{
	bool checked = variant->flags & DEFPAGER_STORE_CHECKSUM;
	size_t bad = 5 * page_size();
	struct defpager_info before, info;
	char page[page_size()];

	fill(self->map, self->size);
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	ASSERT_TRUE(flip_bit(self->disk, disk_offset(self->object, bad)));
	ASSERT_EQ(0, pager_info(self->pager, &before));

	/* The whole range at once: neighbours survive. */
	for (size_t at = 0; at < self->size; at += page_size()) {
		if (at == bad)
			continue;
		ASSERT_EQ((ssize_t)page_size(),
			  pread(self->object, page, page_size(), at));
		EXPECT_TRUE(filled(page, at));
	}
	EXPECT_EQ(checked, read_is_sigbus(self->map + bad));
	EXPECT_EQ(checked ? -1 : (ssize_t)page_size(),
		  pread(self->object, page, page_size(), bad));
	if (checked) {
		EXPECT_EQ(EIO, errno);
	} else {
		EXPECT_FALSE(filled(page, bad));
	}
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(checked, info.checksum_errors > before.checksum_errors);
	EXPECT_EQ(info.read_errors - before.read_errors,
		  info.checksum_errors - before.checksum_errors);

	/* Written anew, it is as good as any. */
	memset(page, 'z', page_size());
	ASSERT_EQ((ssize_t)page_size(),
		  pwrite(self->object, page, page_size(), bad));
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	EXPECT_TRUE(all_bytes(self->map + bad, page_size(), 'z'));
}

/* Its pages are written again there, and verified and hidden as there. */
/*
 * A socket from which what was sent is received encrypted.  The kernel writes that to
 * the receiver's page itself, if it is writable already, and marks nothing.
 */
static int cipher_socket(void)
{
	struct sockaddr_alg address = {
		.salg_family = AF_ALG,
		.salg_type = "skcipher",
		.salg_name = "ecb(aes)",
	};
	int cipher, fd = -1;

	if (system("modprobe -q algif_skcipher") < 0)
		return -1;
	cipher = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (cipher < 0)
		return -1;
	if (!bind(cipher, (void *)&address, sizeof(address)) &&
	    !setsockopt(cipher, SOL_ALG, ALG_SET_KEY, "0123456789abcdef", 16))
		fd = accept(cipher, NULL, NULL);
	close(cipher);
	return fd;
}

/* Sends a page of zeros and receives what has become of them. */
static bool receive_page(int fd, char *page)
{
	char control[CMSG_SPACE(sizeof(uint32_t))] = { 0 };
	char zeros[page_size()];
	struct iovec iov = { zeros, page_size() };
	struct msghdr message = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	struct cmsghdr *operation = CMSG_FIRSTHDR(&message);

	memset(zeros, 0, page_size());
	operation->cmsg_level = SOL_ALG;
	operation->cmsg_type = ALG_SET_OP;
	operation->cmsg_len = CMSG_LEN(sizeof(uint32_t));
	*(uint32_t *)CMSG_DATA(operation) = ALG_OP_ENCRYPT;
	return sendmsg(fd, &message, 0) == (ssize_t)page_size() &&
	       read(fd, page, page_size()) == (ssize_t)page_size();
}

/*
 * Into a page that was read since it came in, and one that was a hole: both are
 * mapped writable, and unchanged as far as anybody has said.
 */
TEST_F(store, what_is_received_without_a_mark_is_kept_if_checked)
{
	char *page = self->map + 3 * page_size();
	char *hole = self->map + (PAGES - 1) * page_size();
	char expected[page_size()];
	int fd = cipher_socket();

	if (fd < 0)
		SKIP(return, "this kernel has no AF_ALG sockets");
	fill(self->map, hole - self->map);
	ASSERT_TRUE(object_out(self->object, 0, 0));
	ASSERT_TRUE(filled(page, page - self->map));
	ASSERT_EQ(0, *hole);
	ASSERT_TRUE(receive_page(fd, page));
	memcpy(expected, page, page_size());
	ASSERT_FALSE(all_bytes(expected, page_size(), 0));
	ASSERT_TRUE(receive_page(fd, hole));
	EXPECT_EQ(0, memcmp(hole, expected, page_size()));
	close(fd);

	ASSERT_TRUE(object_out(self->object, 0, 0));
	if (variant->flags & DEFPAGER_STORE_CHECKSUM) {
		EXPECT_EQ(0, memcmp(page, expected, page_size()));
		EXPECT_EQ(0, memcmp(hole, expected, page_size()));
	} else {
		/* Documented: nobody knows.  But it is nothing else. */
		EXPECT_TRUE(filled(page, page - self->map) ||
			    !memcmp(page, expected, page_size()));
		EXPECT_TRUE(all_bytes(hole, page_size(), 0) ||
			    !memcmp(hole, expected, page_size()));
	}
	/* All else is as it was. */
	EXPECT_TRUE(all_filled(self->map, page - self->map));
}

TEST_F(store, pages_move_to_a_plain_store)
{
	int target = new_store(self->pager, "target", DEFPAGER_STORE_EXCLUSIVE);
	int disk = loop_create(DISK, 4096, 0);
	char page[page_size()];

	ASSERT_LE(0, target);
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, segment_add(target, disk, 0, DISK / 4096, 4096));
	fill(self->map, self->size);
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	ASSERT_EQ(0, delete_store(self->store, target));
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	EXPECT_TRUE(disk_page(disk, disk_offset(self->object, 0), page, false));
	EXPECT_TRUE(filled(page, 0));
	EXPECT_TRUE(all_filled(self->map, self->size));

	/* What the teardown is about to delete. */
	close(self->store);
	self->store = target;
	close(disk);
}

/* The same page with the same tweak: all that differs is the key. */
TEST_F(store, key_is_of_one_store)
{
	int target = new_store(self->pager, "target",
			       variant->flags | DEFPAGER_STORE_EXCLUSIVE);
	bool hidden = variant->flags & DEFPAGER_STORE_ENCRYPT;
	char first[page_size()], second[page_size()];
	int disk = loop_create(DISK, 4096, 0);

	ASSERT_LE(0, target);
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, segment_add(target, disk, 0, DISK / 4096, 4096));
	fill(self->map, self->size);
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	ASSERT_TRUE(disk_page(self->disk, disk_offset(self->object, 0), first,
			      false));
	ASSERT_EQ(0, delete_store(self->store, target));
	close(self->store);
	self->store = target;
	ASSERT_TRUE(page_out(self->object, self->map, self->size));
	ASSERT_TRUE(disk_page(disk, disk_offset(self->object, 0), second,
			      false));
	EXPECT_EQ(hidden, memcmp(first, second, page_size()) != 0);
	EXPECT_TRUE(all_filled(self->map, self->size));
	close(disk);
}

TEST_HARNESS_MAIN
