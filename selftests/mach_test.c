// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program for Mach's default pager, by its manual pages: all requests are made
 * by the calls of <mach/default_pager_object.h>, and what is expected of them is
 * what those pages say.  Here a port is a descriptor, which the tests make use of
 * only where they say so.
 *
 * These are the two operations, and what is around them; mach_store_test has the
 * others.
 */
#include "mach_utils.h"

#include <grp.h>
#include <sys/stat.h>

#define NOBODY 65534

/* --- default_pager_add_segment --- */

TEST_F(mach, add_segment_expands_the_store)
{
	struct backing_store_basic_info before = store_basic_info(self->store);
	default_pager_info_t total_before = pager_space(self->pager);
	struct backing_store_basic_info after;
	default_pager_info_t total;

	EXPECT_EQ(DEVICE_SIZE / 2 / page_size(), before.bs_pages_total);
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_add_segment(self->store, self->device,
					    HALF_RECORDS, HALF_RECORDS, RECORD));
	after = store_basic_info(self->store);
	EXPECT_EQ(DEVICE_SIZE / page_size(), after.bs_pages_total);
	EXPECT_EQ(DEVICE_SIZE / page_size(), after.bs_pages_free);
	total = pager_space(self->pager);
	EXPECT_EQ(total_before.dpi_total_space + DEVICE_SIZE / 2,
		  total.dpi_total_space);
	EXPECT_EQ(total_before.dpi_free_space + DEVICE_SIZE / 2,
		  total.dpi_free_space);
	EXPECT_EQ(page_size(), total.dpi_page_size);
}

/* In records of the same size, and of another one. */
TEST_F(mach, add_segment_that_overlaps)
{
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_add_segment(self->store, self->device, 0,
					    HALF_RECORDS, RECORD));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_add_segment(self->store, self->device,
					    HALF_RECORDS - 1, HALF_RECORDS,
					    RECORD));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_add_segment(self->store, self->device, 0, 2,
					    DEVICE_SIZE / 4));
	EXPECT_EQ(DEVICE_SIZE / 2 / page_size(),
		  store_basic_info(self->store).bs_pages_total);
}

TEST_F(mach, add_segment_that_overlaps_one_of_another_store)
{
	mach_port_t other;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_backing_store_create(self->pager, 0, 0,
						     &other));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_add_segment(other, self->device, 0,
					    HALF_RECORDS, RECORD));
	EXPECT_EQ(KERN_SUCCESS, default_pager_backing_store_delete(other));
	EXPECT_EQ(KERN_SUCCESS, mach_port_deallocate(mach_task_self(), other));
}

TEST_F(mach, add_segment_to_what_is_no_backing_store)
{
	mach_port_t wrong[] = {
		MACH_PORT_NULL, self->pager, self->device, mach_task_self(),
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(KERN_INVALID_ARGUMENT,
			  default_pager_add_segment(wrong[i], self->device,
						    HALF_RECORDS, HALF_RECORDS,
						    RECORD));
}

TEST_F(mach, add_segment_with_wrong_numbers)
{
	const struct {
		recnum_t offset, count;
		int record_size;
	} wrong[] = {
		{ HALF_RECORDS, HALF_RECORDS, 0 },
		{ HALF_RECORDS, HALF_RECORDS, -RECORD },
		{ HALF_RECORDS, HALF_RECORDS, RECORD + 1 },
		{ HALF_RECORDS, 0, RECORD },
		{ HALF_RECORDS, HALF_RECORDS + 1, RECORD },
		{ HALF_RECORDS, (recnum_t)-1, RECORD },
		{ (recnum_t)-1, HALF_RECORDS, RECORD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(KERN_INVALID_ARGUMENT,
			  default_pager_add_segment(self->store, self->device,
						    wrong[i].offset,
						    wrong[i].count,
						    wrong[i].record_size));
}

TEST_F(mach, add_segment_on_what_is_no_device)
{
	int file = memfd_create("file", MFD_CLOEXEC);

	ASSERT_LE(0, file);
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_add_segment(self->store, file, 0, 8, RECORD));
	EXPECT_EQ(ENOTBLK, errno);
	close(file);
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_add_segment(self->store, MACH_PORT_NULL, 0, 8,
					    RECORD));
	EXPECT_EQ(EBADF, errno);
}

/* A device that wants what is being written not to change is such a one. */
TEST_F(mach, add_segment_on_a_device_that_is_not_supported)
{
	char path[PATH_MAX], attribute[PATH_MAX];
	mach_port_t device = loop_create(DEVICE_SIZE, RECORD, 0);
	int fd;

	ASSERT_LE(0, device);
	snprintf(attribute, sizeof(attribute),
		 "/sys/block/%.32s/queue/stable_writes",
		 strrchr(fd_path(device, path), '/') + 1);
	fd = open(attribute, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, "1", 1));
	EXPECT_EQ(KERN_FAILURE,
		  default_pager_add_segment(self->store, device, 0,
					    HALF_RECORDS, RECORD));
	EXPECT_EQ(EOPNOTSUPP, errno);
	ASSERT_EQ(1, pwrite(fd, "0", 1, 0));
	close(fd);
	close(device);
}

/* Only tasks that hold the right ports may, which the pager's alone is not. */
static int add_segment_as_nobody(void *context)
{
	FIXTURE_DATA(mach) *self = context;

	if (setgroups(0, NULL) || setresuid(NOBODY, NOBODY, NOBODY))
		return -1;
	return default_pager_add_segment(self->store, self->device,
					 HALF_RECORDS, HALF_RECORDS, RECORD);
}

TEST_F(mach, add_segment_without_privilege)
{
	EXPECT_EQ(KERN_NO_ACCESS, in_child(add_segment_as_nobody, self));
}

/* --- default_pager_object_create --- */

static int store_byte(void *address)
{
	*(char *)address = 42;
	return 0;
}

TEST_F(mach, object_is_zero_and_shared_between_tasks)
{
	vm_size_t size = MIB(1);
	memory_object_t object;
	vm_address_t address;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_create(self->pager, &object, size));
	address = map_object(object, size);
	ASSERT_NE(0, address);
	EXPECT_TRUE(all_bytes((char *)address, size, 0));
	ASSERT_EQ(0, in_child(store_byte, (char *)address + 100));
	EXPECT_EQ(42, ((char *)address)[100]);
	EXPECT_EQ(KERN_SUCCESS, vm_deallocate(mach_task_self(), address, size));
	EXPECT_EQ(KERN_SUCCESS, mach_port_deallocate(mach_task_self(), object));
}

/* The port is a descriptor: mmap() maps it, too, and it is the same memory. */
TEST_F(mach, object_is_a_descriptor)
{
	memory_object_t object;
	vm_address_t address;
	char *map;

	ASSERT_EQ(KERN_SUCCESS, default_pager_object_create(self->pager, &object,
							    page_size()));
	map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		   object, 0);
	ASSERT_NE(MAP_FAILED, map);
	address = map_object(object, page_size());
	ASSERT_NE(0, address);
	map[1] = 7;
	EXPECT_EQ(7, ((char *)address)[1]);
	munmap(map, page_size());
	vm_deallocate(mach_task_self(), address, page_size());
	mach_port_deallocate(mach_task_self(), object);
}

TEST_F(mach, object_size_is_the_maximum)
{
	memory_object_t object;
	vm_address_t address;

	ASSERT_EQ(KERN_SUCCESS, default_pager_object_create(self->pager, &object,
							    page_size()));
	address = map_object(object, 2 * page_size());
	ASSERT_NE(0, address);
	EXPECT_FALSE(write_is_sigbus((char *)address));
	EXPECT_TRUE(write_is_sigbus((char *)address + page_size()));
	vm_deallocate(mach_task_self(), address, 2 * page_size());
	mach_port_deallocate(mach_task_self(), object);
}

TEST_F(mach, object_of_no_size)
{
	memory_object_t object = MACH_PORT_NULL;

	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_object_create(self->pager, &object, 0));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_object_create(self->pager, &object,
					      (vm_size_t)-1));
	EXPECT_EQ(MACH_PORT_NULL, object);
}

TEST_F(mach, object_from_what_is_no_pager)
{
	memory_object_t object = MACH_PORT_NULL;

	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_object_create(self->store, &object, MIB(1)));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_object_create(MACH_PORT_NULL, &object, MIB(1)));
	EXPECT_EQ(MACH_PORT_NULL, object);
}

TEST_F(mach, objects_are_created_in_the_order_of_their_numbers)
{
	memory_object_t objects[3];
	struct stat st[3];

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(KERN_SUCCESS,
			  seqnos_default_pager_object_create(self->pager, i,
							     &objects[i],
							     MIB(1)));
		ASSERT_EQ(0, fstat(objects[i], &st[i]));
	}
	EXPECT_LT(st[0].st_ino, st[1].st_ino);
	EXPECT_LT(st[1].st_ino, st[2].st_ino);
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  seqnos_default_pager_object_create(self->pager, 1, &objects[0],
						     MIB(1)));
	for (int i = 0; i < 3; i++)
		mach_port_deallocate(mach_task_self(), objects[i]);
}

static int create_object_one(void *pager)
{
	memory_object_t object;

	return seqnos_default_pager_object_create(*(mach_port_t *)pager, 1,
						  &object, MIB(1));
}

/* The one whose turn it is not waits for the other. */
TEST_F(mach, number_one_waits_for_number_zero)
{
	memory_object_t object;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0)
		_exit(create_object_one(&self->pager));
	ASSERT_LT(0, pid);
	ASSERT_TRUE(wait_until(sleeps_in_ioctl(pid)));
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	ASSERT_EQ(KERN_SUCCESS,
		  seqnos_default_pager_object_create(self->pager, 0, &object,
						     MIB(1)));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(KERN_SUCCESS, status);
	mach_port_deallocate(mach_task_self(), object);
}

/* --- what is around them --- */

TEST_F(mach, default_memory_manager_stays)
{
	mach_port_t manager = self->device;

	EXPECT_EQ(KERN_FAILURE,
		  host_default_memory_manager(mach_host_self(), &manager, 0));
	EXPECT_EQ(self->device, manager);
	manager = MACH_PORT_NULL;
	EXPECT_EQ(KERN_INVALID_HOST,
		  host_default_memory_manager(mach_task_self(), &manager, 0));
	EXPECT_EQ(MACH_PORT_NULL, manager);
}

TEST_F(mach, vm_map_of_a_copy_leaves_the_object_alone)
{
	memory_object_t object;
	vm_address_t address, copy = 0;

	ASSERT_EQ(KERN_SUCCESS, default_pager_object_create(self->pager, &object,
							    page_size()));
	address = map_object(object, page_size());
	ASSERT_NE(0, address);
	ASSERT_EQ(KERN_SUCCESS,
		  vm_map(mach_task_self(), &copy, page_size(), 0, TRUE, object,
			 0, TRUE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_DEFAULT));
	*(char *)copy = 3;
	EXPECT_EQ(0, *(char *)address);
	EXPECT_EQ(KERN_NO_SPACE,
		  vm_map(mach_task_self(), &copy, page_size(), 0, FALSE, object,
			 0, TRUE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_DEFAULT));
	vm_deallocate(mach_task_self(), copy, page_size());
	EXPECT_EQ(KERN_SUCCESS,
		  vm_map(mach_task_self(), &copy, page_size(), 0, FALSE,
			 MACH_PORT_NULL, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_DEFAULT));
	EXPECT_EQ(0, *(char *)copy);
	vm_deallocate(mach_task_self(), copy, page_size());
	vm_deallocate(mach_task_self(), address, page_size());
	mach_port_deallocate(mach_task_self(), object);
}

static int read_byte(void *address)
{
	return *(volatile char *)address;
}

TEST_F(mach, vm_map_that_is_not_inherited)
{
	vm_address_t address = 0;
	memory_object_t object;

	ASSERT_EQ(KERN_SUCCESS, default_pager_object_create(self->pager, &object,
							    page_size()));
	ASSERT_EQ(KERN_SUCCESS,
		  vm_map(mach_task_self(), &address, page_size(), 0, TRUE,
			 object, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_NONE));
	EXPECT_EQ(0, read_byte((void *)address));
	EXPECT_EQ(-SIGSEGV, in_child(read_byte, (void *)address));
	vm_deallocate(mach_task_self(), address, page_size());
	mach_port_deallocate(mach_task_self(), object);
}

TEST_F(mach, vm_map_of_what_linux_cannot_do)
{
	vm_address_t address = 0;
	memory_object_t object;

	ASSERT_EQ(KERN_SUCCESS, default_pager_object_create(self->pager, &object,
							    page_size()));
	/* Shared here, but a copy in children; and the reverse. */
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  vm_map(mach_task_self(), &address, page_size(), 0, TRUE,
			 object, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_COPY));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  vm_map(mach_task_self(), &address, page_size(), 0, TRUE,
			 object, 0, TRUE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_SHARE));
	/* More than is ever allowed; alignment; another task. */
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  vm_map(mach_task_self(), &address, page_size(), 0, TRUE,
			 object, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_READ,
			 VM_INHERIT_SHARE));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  vm_map(mach_task_self(), &address, page_size(), MIB(1) - 1,
			 TRUE, object, 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_SHARE));
	EXPECT_EQ(KERN_INVALID_TASK,
		  vm_map(MACH_PORT_NULL, &address, page_size(), 0, TRUE, object,
			 0, FALSE, VM_PROT_DEFAULT, VM_PROT_ALL,
			 VM_INHERIT_SHARE));
	EXPECT_EQ(0, address);
	EXPECT_EQ(KERN_INVALID_TASK,
		  vm_deallocate(MACH_PORT_NULL, address, page_size()));
	EXPECT_EQ(KERN_INVALID_TASK,
		  mach_port_deallocate(MACH_PORT_NULL, object));
	mach_port_deallocate(mach_task_self(), object);
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  mach_port_deallocate(mach_task_self(), object));
}

TEST_HARNESS_MAIN
