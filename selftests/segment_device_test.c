// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that segments are put on: which are refused, what happens to those
 * that are taken, partitions, and very large ones.
 */
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>

#include "contract_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#define RECORD 4096

FIXTURE(device)
{
	int pager;
	int store;
	int fd;
	char path[PATH_MAX];
	char mountpoint[32];
	struct defpager_info before;
};

FIXTURE_SETUP(device)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	self->fd = loop_create(MIB(64), 512, LO_FLAGS_PARTSCAN);
	ASSERT_LE(0, self->fd);
	fd_path(self->fd, self->path);
	strcpy(self->mountpoint, "/tmp/defpager.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->mountpoint));
	ASSERT_EQ(0, pager_info(self->pager, &self->before));
}

FIXTURE_TEARDOWN(device)
{
	umount(self->mountpoint);
	rmdir(self->mountpoint);
	close(self->fd);
	close(self->store);
	close(self->pager);
}

static bool unchanged(FIXTURE_DATA(device) *self)
{
	struct defpager_info now;

	return !pager_info(self->pager, &now) &&
	       !memcmp(&self->before, &now, sizeof(now));
}

static int add_record(int store, int device, uint64_t record)
{
	return segment_add(store, device, record, 1, RECORD);
}

TEST_F(device, bad_descriptor_fails)
{
	int closed = dup(self->fd);

	close(closed);
	EXPECT_EQ(-EBADF, add_record(self->store, -1, 0));
	EXPECT_EQ(-EBADF, add_record(self->store, INT_MIN, 0));
	EXPECT_EQ(-EBADF, add_record(self->store, INT_MAX, 0));
	EXPECT_EQ(-EBADF, add_record(self->store, closed, 0));
	EXPECT_TRUE(unchanged(self));
}

TEST_F(device, descriptor_without_read_and_write_fails)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_PATH, O_RDWR | O_PATH };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		int fd = open(self->path, modes[i]);

		ASSERT_LE(0, fd);
		EXPECT_EQ(-EBADF, add_record(self->store, fd, 0))
			TH_LOG("mode %#o", modes[i]);
		close(fd);
	}
	EXPECT_TRUE(unchanged(self));
}

TEST_F(device, no_block_device_fails)
{
	int object = object_create(self->pager, MIB(1));
	int file = memfd_create("no_device", 0);
	int null = open("/dev/null", O_RDWR);
	int sockets[2];

	ASSERT_LE(0, object);
	ASSERT_LE(0, file);
	ASSERT_LE(0, null);
	ASSERT_EQ(0, ftruncate(file, MIB(1)));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	EXPECT_EQ(-ENOTBLK, add_record(self->store, file, 0));
	EXPECT_EQ(-ENOTBLK, add_record(self->store, null, 0));
	EXPECT_EQ(-ENOTBLK, add_record(self->store, sockets[0], 0));
	EXPECT_EQ(-ENOTBLK, add_record(self->store, object, 0));
	EXPECT_EQ(-ENOTBLK, add_record(self->store, self->pager, 0));
	EXPECT_EQ(-ENOTBLK, add_record(self->store, self->store, 0));
	close(sockets[0]);
	close(sockets[1]);
	close(null);
	close(file);
	close(object);
	EXPECT_TRUE(unchanged(self));
}

TEST_F(device, read_only_device_fails)
{
	ASSERT_EQ(0, ioctl(self->fd, BLKROSET, &(int){ 1 }));
	EXPECT_EQ(-EROFS, add_record(self->store, self->fd, 0));
	EXPECT_TRUE(unchanged(self));
	ASSERT_EQ(0, ioctl(self->fd, BLKROSET, &(int){ 0 }));
	EXPECT_EQ(0, add_record(self->store, self->fd, 0));
}

TEST_F(device, claimed_device_fails)
{
	int claim = open(self->path, O_RDWR | O_EXCL | O_CLOEXEC);

	ASSERT_LE(0, claim);
	EXPECT_EQ(-EBUSY, add_record(self->store, self->fd, 0));
	/* Not even for the one who claimed it. */
	EXPECT_EQ(-EBUSY, add_record(self->store, claim, 0));
	EXPECT_TRUE(unchanged(self));
	close(claim);
	EXPECT_EQ(0, add_record(self->store, self->fd, 0));
}

TEST_F(device, taken_device_cannot_be_claimed)
{
	ASSERT_EQ(0, add_record(self->store, self->fd, 3));
	EXPECT_EQ(-1, open(self->path, O_RDWR | O_EXCL | O_CLOEXEC));
	EXPECT_EQ(EBUSY, errno);
	/* A second segment is no claim of somebody else. */
	EXPECT_EQ(0, add_record(self->store, self->fd, 5));
	EXPECT_EQ(-1, open(self->path, O_RDWR | O_EXCL | O_CLOEXEC));
	EXPECT_EQ(EBUSY, errno);
}

/* A request that fails must not leave the device claimed. */
TEST_F(device, refused_device_can_be_claimed)
{
	int claim;

	ASSERT_EQ(-EINVAL, segment_add(self->store, self->fd, 0, 0, RECORD));
	ASSERT_EQ(-EINVAL, segment_add(self->store, self->fd, 0, 1, 0));
	ASSERT_EQ(-EINVAL, segment_add(self->store, self->fd, 1 << 20, 1,
				       RECORD));
	claim = open(self->path, O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claim);
	close(claim);
}

/* Like mkswap: what swapon() wants to see is little. */
static int write_swap_header(int fd)
{
	struct {
		char boot[1024];
		uint32_t version;
		uint32_t last_page;
		uint32_t nr_badpages;
		char rest[4096 - 1024 - 12 - 10];
		char magic[10];
	} __attribute__((packed)) header = {
		.version = 1,
		.last_page = 1023,
		.magic = "SWAPSPACE2",
	};

	return pwrite(fd, &header, sizeof(header), 0) == sizeof(header) ? 0 : -1;
}

TEST_F(device, swap_device_fails)
{
	int claim;

	ASSERT_EQ(0, write_swap_header(self->fd));
	ASSERT_EQ(0, swapon(self->path, 0));
	EXPECT_EQ(-EBUSY, add_record(self->store, self->fd, 8192));
	EXPECT_TRUE(unchanged(self));
	ASSERT_EQ(0, swapoff(self->path));
	claim = open(self->path, O_RDWR | O_EXCL | O_CLOEXEC);
	EXPECT_LE(0, claim);
	close(claim);
}

TEST_F(device, taken_device_is_no_swap_device)
{
	ASSERT_EQ(0, write_swap_header(self->fd));
	ASSERT_EQ(0, add_record(self->store, self->fd, 8192));
	EXPECT_EQ(-1, swapon(self->path, 0));
	EXPECT_EQ(EBUSY, errno);
}

static int make_file_system(const char *path)
{
	char command[PATH_MAX + 64];

	snprintf(command, sizeof(command),
		 "mkfs.ext4 -q -F -O ^has_journal %s >&2", path);
	return system(command);
}

TEST_F(device, mounted_device_fails)
{
	if (make_file_system(self->path))
		SKIP(return, "mkfs.ext4 is missing");
	ASSERT_EQ(0, mount(self->path, self->mountpoint, "ext4", MS_RDONLY, NULL));
	EXPECT_EQ(-EBUSY, add_record(self->store, self->fd, 0));
	EXPECT_TRUE(unchanged(self));
	ASSERT_EQ(0, umount(self->mountpoint));
	EXPECT_EQ(0, add_record(self->store, self->fd, 0));
}

TEST_F(device, taken_device_cannot_be_mounted)
{
	if (make_file_system(self->path))
		SKIP(return, "mkfs.ext4 is missing");
	/* The last page of the device: the file system is unharmed. */
	ASSERT_EQ(0, add_record(self->store, self->fd, MIB(64) / RECORD - 1));
	EXPECT_EQ(-1, mount(self->path, self->mountpoint, "ext4", MS_RDONLY,
			    NULL));
	EXPECT_EQ(EBUSY, errno);
}

/* Such as compute checksums of what they are about to write. */
TEST_F(device, device_that_needs_stable_pages_fails)
{
	char path[PATH_MAX];
	int attribute;

	snprintf(path, sizeof(path), "/sys/block/%.32s/queue/stable_writes",
		 strrchr(self->path, '/') + 1);
	attribute = open(path, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, attribute);
	ASSERT_EQ(1, write(attribute, "1", 1));
	EXPECT_EQ(-EOPNOTSUPP, add_record(self->store, self->fd, 0));
	EXPECT_TRUE(unchanged(self));
	ASSERT_EQ(1, pwrite(attribute, "0", 1, 0));
	EXPECT_EQ(0, add_record(self->store, self->fd, 0));
	close(attribute);
}

TEST_F(device, shrunk_device_is_judged_by_its_size_now)
{
	char path[PATH_MAX];
	int device = loop_create(MIB(1), 512, 0);
	struct loop_info64 info;

	ASSERT_LE(0, device);
	ASSERT_EQ(0, ioctl(device, LOOP_GET_STATUS64, &info));
	info.lo_sizelimit = KIB(512);
	ASSERT_EQ(0, ioctl(device, LOOP_SET_STATUS64, &info));
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 0, 256, RECORD))
		TH_LOG("%s", fd_path(device, path));
	EXPECT_EQ(0, segment_add(self->store, device, 0, 128, RECORD));
	close(device);
}

/* A disk of 64 MiB with two partitions, at 1 and at 32 MiB, 16 MiB each. */
FIXTURE(partition)
{
	int pager;
	int store;
	int disk;
	int part[2];
	char path[2][PATH_MAX];
};

static int add_partition(int disk, int number, uint64_t start, uint64_t length)
{
	struct blkpg_partition partition = {
		.start = start,
		.length = length,
		.pno = number,
	};
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_ADD_PARTITION,
		.datalen = sizeof(partition),
		.data = &partition,
	};

	return ioctl(disk, BLKPG, &arg) ? -errno : 0;
}

FIXTURE_SETUP(partition)
{
	char disk_path[PATH_MAX];

	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	self->disk = loop_create(MIB(64), 512, LO_FLAGS_PARTSCAN);
	ASSERT_LE(0, self->disk);
	ASSERT_EQ(0, add_partition(self->disk, 1, MIB(1), MIB(16)));
	ASSERT_EQ(0, add_partition(self->disk, 2, MIB(32), MIB(16)));
	fd_path(self->disk, disk_path);
	for (int i = 0; i < 2; i++) {
		snprintf(self->path[i], PATH_MAX, "%.40sp%d", disk_path, i + 1);
		/* A manager of device nodes may be at work. */
		ASSERT_TRUE(wait_until(!access(self->path[i], F_OK)));
		self->part[i] = open(self->path[i], O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, self->part[i]);
	}
}

FIXTURE_TEARDOWN(partition)
{
	for (int i = 0; i < 2; i++)
		close(self->part[i]);
	close(self->disk);
	close(self->store);
	close(self->pager);
}

/* In MiB. */
static int add_mib(int store, int device, uint64_t offset, uint64_t count)
{
	return segment_add(store, device, offset, count, MIB(1));
}

TEST_F(partition, disk_overlapping_a_segment_of_a_partition_fails)
{
	ASSERT_EQ(0, add_mib(self->store, self->part[1], 0, 16));
	/* Same, inside, around, head, tail; by 512 bytes on either side. */
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->disk, 32, 16));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->disk, 40, 1));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->disk, 0, 64));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->disk, 30, 4));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->disk, 46, 4));
	EXPECT_EQ(-EINVAL, segment_add(self->store, self->disk, 65536 - 15, 16,
				       512));
	EXPECT_EQ(-EINVAL, segment_add(self->store, self->disk,
				       48 * 2048 - 1, 16, 512));
}

TEST_F(partition, partition_overlapping_a_segment_of_the_disk_fails)
{
	ASSERT_EQ(0, add_mib(self->store, self->disk, 40, 2));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[1], 8, 2));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[1], 0, 16));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[1], 7, 2));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[1], 9, 2));
	EXPECT_EQ(-EINVAL, segment_add(self->store, self->part[1],
				       8 * 2048 - 15, 16, 512));
}

TEST_F(partition, same_numbers_in_two_partitions_do_not_overlap)
{
	EXPECT_EQ(0, add_mib(self->store, self->part[0], 2, 2));
	EXPECT_EQ(0, add_mib(self->store, self->part[1], 2, 2));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[0], 3, 2));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[1], 3, 2));
}

TEST_F(partition, range_ends_with_the_partition)
{
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[0], 15, 2));
	EXPECT_EQ(-EINVAL, add_mib(self->store, self->part[0], 16, 1));
	EXPECT_EQ(0, add_mib(self->store, self->part[0], 15, 1));
}

/*
 * The kernel does not let one holder claim a disk and a partition of it. So the
 * second one is somebody else's, though nothing overlaps.
 */
TEST_F(partition, disk_beside_a_segment_of_a_partition_is_busy)
{
	ASSERT_EQ(0, add_mib(self->store, self->part[0], 0, 16));
	EXPECT_EQ(-EBUSY, add_mib(self->store, self->disk, 20, 4));
}

TEST_F(partition, partition_beside_a_segment_of_the_disk_is_busy)
{
	ASSERT_EQ(0, add_mib(self->store, self->disk, 20, 4));
	EXPECT_EQ(-EBUSY, add_mib(self->store, self->part[0], 0, 16));
}

TEST_F(partition, disk_with_a_claimed_partition_fails)
{
	int claim = open(self->path[0], O_RDWR | O_EXCL | O_CLOEXEC);

	ASSERT_LE(0, claim);
	EXPECT_EQ(-EBUSY, add_mib(self->store, self->disk, 1, 1));
	EXPECT_EQ(-EBUSY, add_mib(self->store, self->disk, 20, 1));
	/* But the other partition is free. */
	EXPECT_EQ(0, add_mib(self->store, self->part[1], 0, 1));
	close(claim);
}

/*
 * What somebody has written by another node of the same sectors, and is still in the
 * cache of that, must not come over pages later.  Offsets are in MiB, of the same
 * place.
 */
static void expect_nothing_left_to_write(struct __test_metadata *_metadata,
					 FIXTURE_DATA(partition) *self,
					 int device, uint64_t offset, int other,
					 uint64_t other_offset)
{
	int store = store_create(self->pager, "partition", 0, 0,
				 DEFPAGER_STORE_EXCLUSIVE);
	char *junk = malloc(MIB(1)), *found = malloc(MIB(1));
	int object;

	ASSERT_LE(0, store);
	memset(junk, 'j', MIB(1));
	ASSERT_EQ((ssize_t)MIB(1), pwrite(other, junk, MIB(1),
					  MIB(other_offset)));
	ASSERT_EQ(0, add_mib(store, device, offset, 1));
	object = object_create_with(self->pager, store, MIB(1), 0);
	ASSERT_LE(0, object);
	memset(found, 'f', MIB(1));
	ASSERT_EQ((ssize_t)MIB(1), pwrite(object, found, MIB(1), 0));
	ASSERT_TRUE(object_out(object, 0, 0));
	/* Whatever there is, is written now. */
	ASSERT_EQ(0, fsync(other));
	ASSERT_EQ((ssize_t)MIB(1), pread(object, found, MIB(1), 0));
	EXPECT_TRUE(all_bytes(found, MIB(1), 'f'));
	close(object);
	EXPECT_EQ(0, private_store_delete(store));
	free(found);
	free(junk);
}

TEST_F(partition, nothing_is_left_to_write_to_the_disk)
{
	expect_nothing_left_to_write(_metadata, self, self->part[1], 0,
				     self->disk, 32);
}

TEST_F(partition, nothing_is_left_to_write_to_a_partition)
{
	expect_nothing_left_to_write(_metadata, self, self->disk, 32,
				     self->part[1], 0);
}

TEST_F(partition, disk_with_a_mounted_partition_fails)
{
	char mountpoint[] = "/tmp/defpager.XXXXXX";

	if (make_file_system(self->path[0]))
		SKIP(return, "mkfs.ext4 is missing");
	ASSERT_NE(NULL, mkdtemp(mountpoint));
	ASSERT_EQ(0, mount(self->path[0], mountpoint, "ext4", MS_RDONLY, NULL));
	EXPECT_EQ(-EBUSY, add_mib(self->store, self->disk, 20, 1));
	EXPECT_EQ(-EBUSY, add_mib(self->store, self->part[0], 0, 1));
	EXPECT_EQ(0, umount(mountpoint));
	rmdir(mountpoint);
}

TEST_F(partition, partition_is_told_as_the_device)
{
	struct defpager_segment_info row;
	struct defpager_segment_add add;
	struct stat st;

	ASSERT_EQ(0, fstat(self->part[1], &st));
	add = segment_range(self->part[1], 3, 2, MIB(1));
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD, &add));
	ASSERT_EQ(0, list_find(self->store, DEFPAGER_IOC_SEGMENTS, add.id, &row,
			       sizeof(row)));
	EXPECT_EQ(major(st.st_rdev), row.major);
	EXPECT_EQ(minor(st.st_rdev), row.minor);
	EXPECT_EQ(MIB(3), row.offset_bytes);
	EXPECT_EQ(MIB(2), row.length_bytes);
}

TEST_F(partition, partition_with_a_segment_cannot_be_deleted)
{
	struct blkpg_partition partition = { .pno = 1 };
	struct blkpg_ioctl_arg arg = {
		.op = BLKPG_DEL_PARTITION,
		.datalen = sizeof(partition),
		.data = &partition,
	};

	ASSERT_EQ(0, add_mib(self->store, self->part[0], 0, 1));
	close(self->part[0]);
	EXPECT_EQ(-1, ioctl(self->disk, BLKPG, &arg));
	EXPECT_EQ(EBUSY, errno);
	self->part[0] = -1;
}

/* Devices and objects far beyond 4 GiB. */
FIXTURE(large)
{
	int pager;
	int store;
	struct defpager_info before;
};

FIXTURE_SETUP(large)
{
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
	self->store = store_open(self->pager, DEFPAGER_DEFAULT_STORE);
	ASSERT_LE(0, self->store);
	ASSERT_EQ(0, pager_info(self->pager, &self->before));
}

FIXTURE_TEARDOWN(large)
{
	close(self->store);
	close(self->pager);
}

TEST_F(large, one_segment_covers_a_disk_of_terabytes)
{
	struct defpager_segment_add add;
	struct defpager_info info;
	int device = loop_create(TIB(4), 512, 0);

	ASSERT_LE(0, device);
	add = segment_range(device, 0, TIB(4) / 512, 512);
	ASSERT_EQ(0, defpager_ioctl(self->store, DEFPAGER_IOC_SEGMENT_ADD, &add));
	EXPECT_EQ(TIB(4), add.usable_bytes);
	EXPECT_EQ(0, add.unused_head);
	EXPECT_EQ(0, add.unused_tail);
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.total_bytes + TIB(4), info.total_bytes);
	EXPECT_EQ(self->before.free_bytes + TIB(4), info.free_bytes);
	close(device);
}

static uint64_t free_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (uint64_t)info.freeram * info.mem_unit;
}

/* What keeps account of terabytes is half of the memory that there is here. */
TEST_F(large, reserving_too_much_takes_no_memory)
{
	int device = loop_create(TIB(4), 512, 0);
	struct defpager_object_create create;
	struct defpager_info info;
	uint64_t before, after;

	ASSERT_LE(0, device);
	ASSERT_EQ(0, segment_add(self->store, device, 0, TIB(4) / 512, 512));
	ASSERT_EQ(0, pager_info(self->pager, &info));
	create = object_request(info.free_bytes + MIB(1));
	create.flags = DEFPAGER_OBJECT_RESERVE;
	before = free_memory();
	EXPECT_EQ(-ENOSPC, defpager_ioctl(self->pager,
					  DEFPAGER_IOC_OBJECT_CREATE, &create));
	after = free_memory();
	EXPECT_GT(MIB(32), before > after ? before - after : 0);
	close(device);
}

/* Ranges that are the same in their lower 32 bits do not overlap. */
TEST_F(large, ranges_4_gib_apart_do_not_overlap)
{
	int device = loop_create(TIB(4), 512, 0);

	ASSERT_LE(0, device);
	for (uint64_t i = 0; i < 8; i++) {
		uint64_t sector = (i * GIB(4) + MIB(1)) / 512;

		EXPECT_EQ(0, segment_add(self->store, device, sector, 2048, 512));
		EXPECT_EQ(-EINVAL, segment_add(self->store, device, sector + 8,
					       8, 512));
	}
	/* Nor if the sectors are. */
	EXPECT_EQ(0, segment_add(self->store, device, 2048 + (1ULL << 32), 2048,
				 512));
	/* Around all of them, by 4 KiB records with small numbers. */
	EXPECT_EQ(-EINVAL, segment_add(self->store, device, 1,
				       TIB(3) / 4096, 4096));
	EXPECT_EQ(0, segment_add(self->store, device, TIB(4) / 4096 - 1, 1,
				 4096));
	close(device);
}

/* The last page of an object of terabytes, on the last page of a disk. */
TEST_F(large, object_of_terabytes_keeps_its_far_end)
{
	const uint64_t size = TIB(8) + 123;
	const uint64_t last = TIB(8);
	const uint64_t touched[] = { 0, GIB(4) - 1, GIB(4), TIB(1) + 7,
				     TIB(8) - 1, last + 122 };
	struct defpager_object_info info;
	char *map;
	int object;

	ASSERT_EQ(0, pager_need_space(self->pager, MIB(1)));
	object = object_create(self->pager, size);
	ASSERT_LE(0, object);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		   object, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (size_t i = 0; i < ARRAY_SIZE(touched); i++)
		map[touched[i]] = 'a' + i;
	for (size_t i = 0; i < ARRAY_SIZE(touched); i++) {
		char byte = 0;

		ASSERT_EQ(1, pread(object, &byte, 1, touched[i]));
		EXPECT_EQ('a' + (int)i, byte);
	}
	ASSERT_EQ(0, object_info(object, &info));
	EXPECT_EQ(size, info.object_size);
	EXPECT_EQ(ARRAY_SIZE(touched) * page_size(), info.resident_bytes);
	EXPECT_EQ(0, pread(object, map, 1, size));
	munmap(map, size);
	close(object);
}

TEST_F(large, hundreds_of_large_objects)
{
	int objects[256];
	struct defpager_info info;

	ASSERT_EQ(0, pager_need_space(self->pager, MIB(4)));
	ASSERT_EQ(0, pager_info(self->pager, &self->before));
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = object_create(self->pager, TIB(4));
		ASSERT_LE(0, objects[i]);
		ASSERT_EQ(1, pwrite(objects[i], "x", 1, i * GIB(8)));
	}
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_objects + ARRAY_SIZE(objects), info.nr_objects);
	EXPECT_EQ(self->before.reserved_bytes + ARRAY_SIZE(objects) * page_size(),
		  info.reserved_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		close(objects[i]);
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_objects, info.nr_objects);
	EXPECT_EQ(self->before.reserved_bytes, info.reserved_bytes);
}

TEST_HARNESS_MAIN
