// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory objects: who shares one, how long it lives, and how it can be mapped.
 */
#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "defpager_utils.h"
#include "memory_utils.h"
#include <kselftest_harness.h>

#include "object_fixture.h"

TEST_F(object, contents_are_zero)
{
	char *buffer = malloc(self->size);

	memset(buffer, POISON, self->size);
	EXPECT_EQ((ssize_t)self->size, read(self->fd, buffer, self->size));
	EXPECT_TRUE(all_bytes(buffer, self->size, 0));
	EXPECT_TRUE(all_bytes(self->map, self->size, 0));
	free(buffer);
}

/* Memory that others gave back is not to be seen. */
TEST_F(object, contents_are_zero_after_others_used_the_memory)
{
	const size_t size = MIB(4);

	for (int round = 0; round < 4; round++) {
		int fd = object_create(self->pager, size);
		char *map;

		ASSERT_LE(0, fd);
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ASSERT_NE(MAP_FAILED, map);
		for (size_t i = 0; i < size; i += page_size()) {
			ASSERT_TRUE(all_bytes(map + i, page_size(), 0));
			memset(map + i, POISON, page_size());
		}
		munmap(map, size);
		close(fd);
	}
}

TEST_F(object, shared_mapping_and_file_are_the_same)
{
	char byte;

	self->map[5000] = 'm';
	ASSERT_EQ(1, pread(self->fd, &byte, 1, 5000));
	EXPECT_EQ('m', byte);
	ASSERT_EQ(1, pwrite(self->fd, "f", 1, 5001));
	EXPECT_EQ('f', self->map[5001]);
	EXPECT_EQ('m', self->map[5000]);
}

TEST_F(object, two_mappings_are_the_same)
{
	char *other = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   self->fd, 0);
	char *middle = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, self->fd,
			    3 * page_size());

	ASSERT_NE(MAP_FAILED, other);
	ASSERT_NE(MAP_FAILED, middle);
	EXPECT_EQ(0, middle[7]);
	other[3 * page_size() + 7] = 'o';
	EXPECT_EQ('o', self->map[3 * page_size() + 7]);
	EXPECT_EQ('o', middle[7]);
	munmap(middle, page_size());
	munmap(other, self->size);
}

static int swap_bytes(void *arg)
{
	volatile char *map = arg;

	if (map[0] != 'p')
		return 1;
	map[1] = 'c';
	return 0;
}

TEST_F(object, fork_shares_pages)
{
	self->map[0] = 'p';
	EXPECT_EQ(0, in_child(swap_bytes, self->map));
	EXPECT_EQ('c', self->map[1]);
}

static int wake_one(void *arg)
{
	uint32_t *word = arg;

	/* Wakes nobody until the other one sleeps. */
	return wait_until(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL,
				  0) == 1) ? 0 : 1;
}

/* What locks of processes that share memory are made of. */
TEST_F(object, futex_works_between_processes)
{
	uint32_t *word = (uint32_t *)(self->map + 64);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		uint32_t *mapped = mmap(NULL, page_size(),
					PROT_READ | PROT_WRITE, MAP_SHARED,
					self->fd, 0);

		_exit(mapped == MAP_FAILED ? 2 :
		      wake_one((char *)mapped + 64));
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, syscall(SYS_futex, word, FUTEX_WAIT, 0,
			     &(struct timespec){ 20, 0 }, NULL, 0));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(object, private_mapping_is_a_copy)
{
	char *private = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	self->map[0] = 's';
	EXPECT_EQ('s', private[0]);
	private[0] = 'p';
	private[page_size()] = 'p';
	EXPECT_EQ('s', self->map[0]);
	EXPECT_EQ(0, self->map[page_size()]);
	/* From its first write on, a page no longer follows the object. */
	self->map[1] = 't';
	EXPECT_EQ(0, private[1]);
	/* One that was not written still does. */
	self->map[2 * page_size()] = 't';
	EXPECT_EQ('t', private[2 * page_size()]);
	munmap(private, self->size);
}

/* What is written to a private copy is no page of the object. */
TEST_F(object, private_copies_take_no_space)
{
	struct defpager_object_info before, after;
	char *private = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE, self->fd, 0);

	ASSERT_NE(MAP_FAILED, private);
	self->map[0] = 's';
	ASSERT_EQ(0, object_info(self->fd, &before));
	private[0] = 'p';
	ASSERT_EQ(0, object_info(self->fd, &after));
	EXPECT_EQ(before.reserved_bytes, after.reserved_bytes);
	munmap(private, self->size);
}

static int send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(fd))];
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&msg))
		return -EIO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static int write_to_received(void *arg)
{
	int fd = receive_fd(*(int *)arg);
	char *map;

	if (fd < 0)
		return 1;
	map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || map[0] != 'p')
		return 2;
	map[1] = 'c';
	return 0;
}

TEST_F(object, can_be_passed_over_a_socket)
{
	int sockets[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	self->map[0] = 'p';
	ASSERT_EQ(0, send_fd(sockets[0], self->fd));
	EXPECT_EQ(0, in_child(write_to_received, &sockets[1]));
	EXPECT_EQ('c', self->map[1]);
	close(sockets[0]);
	close(sockets[1]);
}

/* A descriptor in flight is a reference like any other. */
TEST_F(object, lives_while_in_flight)
{
	int sockets[2], fd;
	char byte;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	self->map[0] = 'f';
	ASSERT_EQ(0, send_fd(sockets[0], self->fd));
	munmap(self->map, self->size);
	close(self->fd);
	fd = receive_fd(sockets[1]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, read(fd, &byte, 1));
	EXPECT_EQ('f', byte);
	close(fd);
	close(sockets[0]);
	close(sockets[1]);
	self->fd = -1;
}

static int reopen(int fd, int mode)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	return open(path, mode | O_CLOEXEC);
}

TEST_F(object, can_be_reopened)
{
	int reader = reopen(self->fd, O_RDONLY);
	int writer = reopen(self->fd, O_RDWR);
	char byte = 0;

	ASSERT_LE(0, reader);
	ASSERT_LE(0, writer);
	EXPECT_EQ(1, pwrite(writer, "w", 1, 9));
	EXPECT_EQ('w', self->map[9]);
	EXPECT_EQ(1, pread(reader, &byte, 1, 9));
	EXPECT_EQ('w', byte);
	EXPECT_EQ(-1, pwrite(reader, "r", 1, 9));
	EXPECT_EQ(EBADF, errno);
	/* Each has a position of its own. */
	EXPECT_EQ(100, lseek(reader, 100, SEEK_SET));
	EXPECT_EQ(0, lseek(writer, 0, SEEK_CUR));
	close(reader);
	close(writer);
}

/* The descriptor it was made with is not special. */
TEST_F(object, reopened_descriptor_keeps_it)
{
	int other = reopen(self->fd, O_RDWR);
	struct defpager_object_info info;
	int another;
	char byte;

	ASSERT_LE(0, other);
	self->map[0] = 'k';
	munmap(self->map, self->size);
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, object_info(other, &info));
	EXPECT_STREQ("shared thing", info.name);
	/* Others come and go meanwhile. */
	another = object_create(self->pager, 1);
	ASSERT_LE(0, another);
	close(another);
	EXPECT_EQ(1, read(other, &byte, 1));
	EXPECT_EQ('k', byte);
	another = reopen(other, O_RDWR);
	ASSERT_LE(0, another);
	close(other);
	EXPECT_EQ(1, pread(another, &byte, 1, 0));
	EXPECT_EQ('k', byte);
	close(another);
}

/* However it is held: the kernel has only so many numbers for file systems. */
TEST_F(object, file_system_is_the_same_for_all)
{
	int fds[32], fd, i;
	struct stat st;
	dev_t device;

	ASSERT_EQ(0, fstat(self->fd, &st));
	device = st.st_dev;
	/* From here on there is none that is held by what it was created with. */
	fd = reopen(self->fd, O_RDWR);
	munmap(self->map, self->size);
	close(self->fd);
	self->fd = fd;
	for (i = 0; i < 32; i++) {
		fd = object_create(self->pager, 1);
		ASSERT_LE(0, fd);
		fds[i] = reopen(fd, i % 2 ? O_PATH : O_RDONLY);
		ASSERT_LE(0, fds[i]);
		close(fd);
		ASSERT_EQ(0, fstat(fds[i], &st));
		EXPECT_EQ(device, st.st_dev);
	}
	for (i = 0; i < 32; i++)
		close(fds[i]);
}

TEST_F(object, close_keeps_mapping)
{
	struct defpager_info info;

	self->map[0] = 'm';
	close(self->fd);
	self->fd = -1;
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.nr_objects + 1, info.nr_objects);
	EXPECT_EQ('m', self->map[0]);
	self->map[page_size()] = 'n';
	EXPECT_EQ('n', self->map[page_size()]);
	EXPECT_EQ(0, self->map[2 * page_size()]);
}

TEST_F(object, close_of_the_pager_keeps_objects)
{
	struct defpager_object_info info;
	char byte;

	self->map[0] = 'm';
	close(self->pager);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ('m', byte);
	EXPECT_EQ(0, object_info(self->fd, &info));
	self->pager = pager_open();
	ASSERT_LE(0, self->pager);
}

TEST_F(object, unmap_keeps_descriptor)
{
	char byte;

	self->map[0] = 'm';
	munmap(self->map, self->size);
	EXPECT_EQ(1, read(self->fd, &byte, 1));
	EXPECT_EQ('m', byte);
	self->map = mmap(NULL, self->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	EXPECT_EQ('m', self->map[0]);
}

TEST_F(object, last_reference_frees_all)
{
	struct defpager_info info;
	struct defpager_object_info row;
	uint64_t id;

	ASSERT_EQ(0, object_info(self->fd, &row));
	id = row.id;
	memset(self->map, 'x', self->size);
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.reserved_bytes + self->size, info.reserved_bytes);
	EXPECT_EQ(self->before.free_bytes - self->size, info.free_bytes);
	EXPECT_EQ(self->before.nr_objects + 1, info.nr_objects);
	EXPECT_EQ(0, list_find(self->pager, DEFPAGER_IOC_OBJECTS, id, &row,
			       sizeof(row)));

	close(self->fd);
	self->fd = -1;
	munmap(self->map, self->size);
	ASSERT_EQ(0, pager_info(self->pager, &info));
	EXPECT_EQ(self->before.reserved_bytes, info.reserved_bytes);
	EXPECT_EQ(self->before.free_bytes, info.free_bytes);
	EXPECT_EQ(self->before.nr_objects, info.nr_objects);
	EXPECT_EQ(-ENOENT, list_find(self->pager, DEFPAGER_IOC_OBJECTS, id,
				     &row, sizeof(row)));
}

static int touch_and_die(void *arg)
{
	int pager = *(int *)arg;
	int fd = object_create(pager, MIB(1));
	char *map = mmap(NULL, MIB(1), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || map == MAP_FAILED)
		return 1;
	memset(map, 'x', MIB(1));
	kill(getpid(), SIGKILL);
	return 2;
}

/* The fixture's tear-down looks at what is left. */
TEST_F(object, killed_process_leaves_nothing)
{
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(-SIGKILL, in_child(touch_and_die, &self->pager));
	}
}

static int exec_and_look(void *arg)
{
	char path[64];

	/* Passes if the new program does not have the descriptor. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *(int *)arg);
	execlp("test", "test", "!", "-e", path, NULL);
	return 100;
}

TEST_F(object, execve_closes_it)
{
	EXPECT_EQ(0, in_child(exec_and_look, &self->fd));
	/* The check does see a descriptor that stays. */
	ASSERT_EQ(0, fcntl(self->fd, F_SETFD, 0));
	EXPECT_EQ(1, in_child(exec_and_look, &self->fd));
}

/* Any length at any place of the address space, and all permissions. */
TEST_F(object, can_be_mapped_in_all_ways)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};

	for (size_t i = 0; i < ARRAY_SIZE(protections); i++) {
		char *map = mmap(NULL, self->size, protections[i], MAP_SHARED,
				 self->fd, 0);

		ASSERT_NE(MAP_FAILED, map);
		EXPECT_EQ(0, mprotect(map, self->size, PROT_READ | PROT_WRITE));
		munmap(map, self->size);
	}
}

TEST_F(object, populated_mapping_is_resident)
{
	struct defpager_object_info info;
	char *map = mmap(NULL, self->size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, self->fd, 0);
	unsigned char resident[PAGES];

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, object_info(self->fd, &info));
	EXPECT_EQ(self->size, info.resident_bytes);
	ASSERT_EQ(0, mincore(map, self->size, resident));
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ(1, resident[i] & 1);
	}
	munmap(map, self->size);
}

TEST_F(object, mapping_can_be_moved_and_grown)
{
	char *map = mmap(NULL, 2 * page_size(), PROT_READ | PROT_WRITE,
			 MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, map);
	map[0] = 'a';
	self->map[5 * page_size()] = 'b';
	map = mremap(map, 2 * page_size(), self->size, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ('a', map[0]);
	EXPECT_EQ('b', map[5 * page_size()]);
	munmap(map, self->size);
}

TEST_F(object, mapping_can_be_locked)
{
	EXPECT_EQ(0, mlock(self->map, self->size));
	self->map[0] = 'l';
	EXPECT_EQ(0, munlock(self->map, self->size));
	EXPECT_EQ('l', self->map[0]);
}

TEST_F(object, objects_come_and_go_a_thousand_times)
{
	for (int i = 0; i < 1000; i++) {
		int fd = object_create(self->pager, MIB(1));

		ASSERT_LE(0, fd);
		ASSERT_EQ(1, pwrite(fd, "x", 1, i));
		close(fd);
	}
}

TEST_HARNESS_MAIN
