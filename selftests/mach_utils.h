/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For programs of Mach's default pager: a store to begin with, and what they ask
 * again and again. Include it instead of the harness.
 */
#ifndef MACH_UTILS_H
#define MACH_UTILS_H

#include <mach/default_pager_object.h>

#include "memory_utils.h"
#include <kselftest_harness.h>

#define RECORD 512
#define DEVICE_SIZE MIB(16)

/* A store with a segment: the first half of a device. */
FIXTURE(mach)
{
	mach_port_t pager;
	mach_port_t store;
	mach_port_t device;
};

#define HALF_RECORDS (DEVICE_SIZE / 2 / RECORD)

FIXTURE_SETUP(mach)
{
	self->pager = MACH_PORT_NULL;
	ASSERT_EQ(KERN_SUCCESS, host_default_memory_manager(mach_host_self(),
							    &self->pager, 0));
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_backing_store_create(self->pager, -1, 0,
						     &self->store));
	self->device = loop_create(DEVICE_SIZE, RECORD, 0);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(KERN_SUCCESS,
		  default_pager_add_segment(self->store, self->device, 0,
					    HALF_RECORDS, RECORD));
}

FIXTURE_TEARDOWN(mach)
{
	default_pager_backing_store_delete(self->store);
	mach_port_deallocate(mach_task_self(), self->store);
	mach_port_deallocate(mach_task_self(), self->device);
	mach_port_deallocate(mach_task_self(), self->pager);
}

static inline struct backing_store_basic_info store_basic_info(mach_port_t store)
{
	mach_msg_type_number_t count = BACKING_STORE_BASIC_INFO_COUNT;
	struct backing_store_basic_info info;

	memset(&info, POISON, sizeof(info));
	if (default_pager_backing_store_info(store, BACKING_STORE_BASIC_INFO,
					     (backing_store_info_t)&info,
					     &count) != KERN_SUCCESS ||
	    count != 15)
		abort();
	return info;
}

static inline default_pager_info_t pager_space(mach_port_t pager)
{
	default_pager_info_t info;

	if (default_pager_info(pager, &info) != KERN_SUCCESS)
		abort();
	return info;
}

/* All of an object, shared; 0 if it fails. */
static inline vm_address_t map_object(memory_object_t object, vm_size_t size)
{
	vm_address_t address = 0;

	if (vm_map(mach_task_self(), &address, size, 0, TRUE, object, 0, FALSE,
		   VM_PROT_DEFAULT, VM_PROT_ALL, VM_INHERIT_SHARE))
		return 0;
	return address;
}

#endif /* MACH_UTILS_H */
