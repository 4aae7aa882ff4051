// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program for Mach's default pager, as mach_test: what the pager lists and tells,
 * and its backing stores.
 */
#include "mach_utils.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* --- default_pager_objects, default_pager_object_pages --- */

/* The id in the listing of the object that the port is of; -1 if it is not. */
static long listed_size(mach_port_t pager, ino_t id)
{
	default_pager_object_array_t objects;
	mach_msg_type_number_t count, nr_ports;
	mach_port_array_t ports;
	long size = -1;

	if (default_pager_objects(pager, &objects, &count, &ports,
				  &nr_ports) != KERN_SUCCESS ||
	    nr_ports != count)
		abort();
	for (mach_msg_type_number_t i = 0; i < count; i++) {
		if (ports[i] != MACH_PORT_NULL)
			abort();
		if (objects[i].dpo_object == id)
			size = objects[i].dpo_size;
	}
	if (vm_deallocate(mach_task_self(), (vm_address_t)objects,
			  count * sizeof(*objects)) ||
	    vm_deallocate(mach_task_self(), (vm_address_t)ports,
			  nr_ports * sizeof(*ports)))
		abort();
	return size;
}

TEST_F(mach, object_lives_as_long_as_its_port_or_memory)
{
	memory_object_t object;
	vm_address_t address;
	struct stat st;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_create(self->pager, &object, MIB(1)));
	ASSERT_EQ(0, fstat(object, &st));
	EXPECT_EQ(0, listed_size(self->pager, st.st_ino));
	address = map_object(object, MIB(1));
	ASSERT_NE(0, address);
	ASSERT_EQ(KERN_SUCCESS, mach_port_deallocate(mach_task_self(), object));
	EXPECT_EQ(0, listed_size(self->pager, st.st_ino));
	ASSERT_EQ(KERN_SUCCESS,
		  vm_deallocate(mach_task_self(), address, MIB(1)));
	EXPECT_EQ(-1, listed_size(self->pager, st.st_ino));
}

/* More than fit into the first pages of the array. */
TEST_F(mach, objects_lists_many)
{
	enum { NR = 6000 };
	static memory_object_t created[NR];
	default_pager_object_array_t objects;
	mach_msg_type_number_t count, nr_ports;
	mach_port_array_t ports;
	struct rlimit limit = { NR + 100, NR + 100 };

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(KERN_SUCCESS,
			  default_pager_object_create(self->pager, &created[i],
						      MIB(1)));
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_objects(self->pager, &objects, &count, &ports,
					&nr_ports));
	EXPECT_EQ(NR, count);
	for (mach_msg_type_number_t i = 1; i < count; i++)
		ASSERT_LT(objects[i - 1].dpo_object, objects[i].dpo_object);
	vm_deallocate(mach_task_self(), (vm_address_t)objects,
		      count * sizeof(*objects));
	vm_deallocate(mach_task_self(), (vm_address_t)ports,
		      nr_ports * sizeof(*ports));
	for (int i = 0; i < NR; i++)
		mach_port_deallocate(mach_task_self(), created[i]);
}

/* Every other page is written, and sent to the store. */
TEST_F(mach, object_pages_lists_what_is_paged_out)
{
	vm_size_t size = 64 * page_size();
	struct backing_store_basic_info info;
	default_pager_page_array_t pages;
	mach_msg_type_number_t count;
	memory_object_t object;
	vm_address_t address;
	struct stat st;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_create(self->pager, &object, size));
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_pages(self->pager, object, &pages,
					     &count));
	EXPECT_EQ(0, count);
	address = map_object(object, size);
	ASSERT_NE(0, address);
	for (vm_size_t i = 0; i < size; i += 2 * page_size())
		((char *)address)[i] = 1;
	ASSERT_TRUE(page_out(object, (char *)address, size));
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_pages(self->pager, object, &pages,
					     &count));
	ASSERT_EQ(32, count);
	for (mach_msg_type_number_t i = 0; i < count; i++)
		EXPECT_EQ(2 * i * page_size(), pages[i].dpp_offset);
	vm_deallocate(mach_task_self(), (vm_address_t)pages,
		      count * sizeof(*pages));
	ASSERT_EQ(0, fstat(object, &st));
	EXPECT_EQ(32 * page_size(), listed_size(self->pager, st.st_ino));

	info = store_basic_info(self->store);
	EXPECT_EQ(32, info.bs_pages_out);
	EXPECT_EQ(0, info.bs_pages_in);
	EXPECT_EQ(0, info.bs_pages_out_fail);
	EXPECT_LE(32, info.pageout_calls);
	EXPECT_LE(32, info.pages_out);
	EXPECT_LE(32, info.pages_init);
	EXPECT_LE(32, info.pages_init_writes);
	EXPECT_EQ(1, ((char *)address)[0]);
	info = store_basic_info(self->store);
	EXPECT_LE(1, info.bs_pages_in);
	EXPECT_EQ(0, info.bs_pages_in_fail);
	EXPECT_LE(1, info.pagein_calls);
	EXPECT_LE(1, info.pages_in);
	vm_deallocate(mach_task_self(), address, size);
	mach_port_deallocate(mach_task_self(), object);
}

TEST_F(mach, object_pages_wants_a_pager_and_an_object)
{
	default_pager_page_array_t pages;
	mach_msg_type_number_t count;
	memory_object_t object;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_create(self->pager, &object, MIB(1)));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_object_pages(self->pager, self->store, &pages,
					     &count));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_object_pages(self->store, object, &pages,
					     &count));
	mach_port_deallocate(mach_task_self(), object);
}

/* --- backing stores --- */

TEST_F(mach, backing_store_has_what_it_was_created_with)
{
	struct backing_store_basic_info info = store_basic_info(self->store);
	mach_port_t store;

	EXPECT_EQ(DEFAULT_PAGER_BACKING_STORE_MAXPRI, info.bs_priority);
	EXPECT_LE(page_size(), info.bs_clsize);
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_backing_store_create(self->pager, 2,
						     4 * page_size(), &store));
	info = store_basic_info(store);
	EXPECT_EQ(2, info.bs_priority);
	EXPECT_EQ(4 * page_size(), info.bs_clsize);
	EXPECT_EQ(0, info.bs_pages_total);
	EXPECT_EQ(KERN_SUCCESS, default_pager_backing_store_delete(store));
	mach_port_deallocate(mach_task_self(), store);
}

TEST_F(mach, backing_store_of_an_odd_cluster)
{
	mach_port_t store = MACH_PORT_NULL;

	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_backing_store_create(self->pager, 0, 5000,
						     &store));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_backing_store_create(self->store, 0, 0, &store));
	EXPECT_EQ(MACH_PORT_NULL, store);
}

TEST_F(mach, backing_store_info_of_another_flavor)
{
	mach_msg_type_number_t count = BACKING_STORE_BASIC_INFO_COUNT;
	struct backing_store_basic_info info;

	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_backing_store_info(self->store,
						   BACKING_STORE_BASIC_INFO + 1,
						   (backing_store_info_t)&info,
						   &count));
	count--;
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_backing_store_info(self->store,
						   BACKING_STORE_BASIC_INFO,
						   (backing_store_info_t)&info,
						   &count));
}

/* Its port is dead then, and the device free for another one. */
TEST_F(mach, backing_store_delete_gives_the_device_back)
{
	mach_msg_type_number_t count = BACKING_STORE_BASIC_INFO_COUNT;
	struct backing_store_basic_info info;
	mach_port_t store;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_backing_store_delete(self->store));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_backing_store_info(self->store,
						   BACKING_STORE_BASIC_INFO,
						   (backing_store_info_t)&info,
						   &count));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_backing_store_delete(self->store));
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_backing_store_create(self->pager, 0, 0,
						     &store));
	EXPECT_EQ(KERN_SUCCESS,
		  default_pager_add_segment(store, self->device, 0,
					    HALF_RECORDS, RECORD));
	EXPECT_EQ(KERN_SUCCESS, default_pager_backing_store_delete(store));
	mach_port_deallocate(mach_task_self(), store);
}

/* What does not fit elsewhere stays. */
TEST_F(mach, backing_store_delete_without_room_elsewhere)
{
	vm_size_t size = MIB(1);
	memory_object_t object;
	vm_address_t address;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_create(self->pager, &object, size));
	address = map_object(object, size);
	ASSERT_NE(0, address);
	memset((void *)address, 5, size);
	EXPECT_EQ(KERN_RESOURCE_SHORTAGE,
		  default_pager_backing_store_delete(self->store));
	EXPECT_EQ(ENOSPC, errno);
	EXPECT_TRUE(all_bytes((char *)address, size, 5));
	vm_deallocate(mach_task_self(), address, size);
	mach_port_deallocate(mach_task_self(), object);
}

/* --- default_pager_triggers --- */

static bool told(mach_port_t port, int timeout)
{
	struct pollfd poll_port = { .fd = port, .events = POLLPRI };

	return poll(&poll_port, 1, timeout) == 1 &&
	       poll_port.revents & POLLPRI;
}

TEST_F(mach, trigger_tells_when_space_gets_short)
{
	int free = DEVICE_SIZE / 2;
	memory_object_t object;
	vm_address_t address;

	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_triggers(self->pager, free / 2, 0, HI_WAT_ALERT,
					 self->store));
	EXPECT_FALSE(told(self->store, 0));
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_object_create(self->pager, &object, MIB(5)));
	address = map_object(object, MIB(5));
	ASSERT_NE(0, address);
	memset((void *)address, 1, MIB(5));
	EXPECT_TRUE(told(self->store, 10000));

	/* It is taken, and the other one is armed. */
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_triggers(self->pager, 0, free / 2, LO_WAT_ALERT,
					 self->store));
	EXPECT_FALSE(told(self->store, 0));
	vm_deallocate(mach_task_self(), address, MIB(5));
	mach_port_deallocate(mach_task_self(), object);
	EXPECT_TRUE(told(self->store, 10000));
}

TEST_F(mach, trigger_with_wrong_arguments)
{
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_triggers(self->pager, 0, 0, 0, self->store));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_triggers(self->pager, 0, 0, 0x80, self->store));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_triggers(self->pager, -1, 0, HI_WAT_ALERT,
					 self->store));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_triggers(self->pager, 2, 1,
					 HI_WAT_ALERT | LO_WAT_ALERT,
					 self->store));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_triggers(self->pager, 1, 0, HI_WAT_ALERT,
					 self->pager));
	EXPECT_EQ(KERN_INVALID_ARGUMENT,
		  default_pager_triggers(self->store, 1, 0, HI_WAT_ALERT,
					 self->store));
}

TEST_HARNESS_MAIN
