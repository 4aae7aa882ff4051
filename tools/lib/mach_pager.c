// SPDX-License-Identifier: GPL-2.0-only
/* The default pager's calls by their names in Mach: one request each. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib_mach.h"

/* --- objects --- */

LIBEXPORT kern_return_t
default_pager_object_create(mach_port_t pager, memory_object_t *memory_object,
			    vm_size_t object_size)
{
	struct defpager_object_create create = {
		.size = sizeof(create),
		.object_size = object_size,
		.backing_store = -1,
	};

	return lib_mach_port(libdefpager_object_create(pager, &create),
			     memory_object);
}

LIBEXPORT kern_return_t
seqnos_default_pager_object_create(mach_port_t pager, mach_port_seqno_t seqno,
				   memory_object_t *memory_object,
				   vm_size_t object_size)
{
	struct defpager_object_create create = {
		.size = sizeof(create),
		.flags = DEFPAGER_OBJECT_SEQNO,
		.object_size = object_size,
		.seqno = seqno,
		.backing_store = -1,
	};

	return lib_mach_port(libdefpager_object_create(pager, &create),
			     memory_object);
}

/*
 * An array in the making.  It is mapped, so that who gets it can take it apart
 * with vm_deallocate(), and pages of it.
 */
struct array {
	void *data;
	size_t room;	/* bytes */
	size_t used;	/* bytes */
};

static int array_grow(struct array *array)
{
	size_t room = array->room ? 2 * array->room : 1 << 16;
	void *data;

	if (array->room)
		data = mremap(array->data, array->room, room, MREMAP_MAYMOVE);
	else
		data = mmap(NULL, room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return -ENOMEM;
	array->data = data;
	array->room = room;
	return 0;
}

static int array_add(struct array *array, const void *element, size_t size)
{
	int ret = 0;

	if (array->used + size > array->room)
		ret = array_grow(array);
	if (!ret) {
		memcpy((char *)array->data + array->used, element, size);
		array->used += size;
	}
	return ret;
}

/* Gives back what is not used; of an array that failed, all. */
static void array_finish(struct array *array, int ret)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t keep = ret ? 0 : (array->used + page - 1) / page * page;

	if (keep < array->room)
		munmap((char *)array->data + keep, array->room - keep);
	if (!keep)
		array->data = NULL;
}

struct object_arrays {
	struct array objects;
	struct array ports;
};

static int add_object(const struct defpager_object_info *info, void *context)
{
	struct object_arrays *arrays = context;
	default_pager_object_t object = {
		.dpo_object = info->id,
		.dpo_size = info->stored_bytes,
	};
	mach_port_t port = MACH_PORT_NULL;
	int ret = array_add(&arrays->objects, &object, sizeof(object));

	return ret ? ret : array_add(&arrays->ports, &port, sizeof(port));
}

LIBEXPORT kern_return_t
default_pager_objects(mach_port_t pager, default_pager_object_array_t *objects,
		      mach_msg_type_number_t *objects_count,
		      mach_port_array_t *ports,
		      mach_msg_type_number_t *ports_count)
{
	struct object_arrays arrays = { };
	int ret = libdefpager_objects(pager, add_object, &arrays);

	array_finish(&arrays.objects, ret);
	array_finish(&arrays.ports, ret);
	if (!ret) {
		*objects = arrays.objects.data;
		*objects_count = arrays.objects.used / sizeof(**objects);
		*ports = arrays.ports.data;
		*ports_count = *objects_count;
	}
	return lib_mach_result(ret);
}

static int add_pages(const struct defpager_page_range *range, void *context)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	int ret = 0;

	if (!(range->flags & DEFPAGER_PAGE_STORED))
		return 0;
	for (uint64_t done = 0; !ret && done < range->length;
	     done += page_size) {
		default_pager_page_t page = {
			.dpp_offset = range->offset + done,
		};

		ret = array_add(context, &page, sizeof(page));
	}
	return ret;
}

LIBEXPORT kern_return_t
default_pager_object_pages(mach_port_t pager, memory_object_t memory_object,
			   default_pager_page_array_t *pages,
			   mach_msg_type_number_t *pages_count)
{
	struct defpager_info info = { .size = sizeof(info) };
	struct array array = { };
	int ret = libdefpager_info(pager, &info);

	/* The object does not need the pager's port, the call has it. */
	if (!ret)
		ret = libdefpager_object_pages(memory_object, add_pages,
					       &array);
	array_finish(&array, ret);
	if (!ret) {
		*pages = array.data;
		*pages_count = array.used / sizeof(**pages);
	}
	return lib_mach_result(ret);
}

/* --- the pager --- */

LIBEXPORT kern_return_t default_pager_info_64(mach_port_t pager,
					      default_pager_info_64_t *info)
{
	struct defpager_info now = { .size = sizeof(now) };
	int ret = libdefpager_info(pager, &now);

	if (!ret)
		*info = (default_pager_info_64_t) {
			.dpi_total_space = now.total_bytes,
			.dpi_free_space = now.free_bytes,
			.dpi_page_size = now.page_size,
		};
	return lib_mach_result(ret);
}

LIBEXPORT kern_return_t default_pager_info(mach_port_t pager,
					   default_pager_info_t *info)
{
	default_pager_info_64_t now;
	kern_return_t result = default_pager_info_64(pager, &now);

	if (result == KERN_SUCCESS)
		*info = (default_pager_info_t) {
			.dpi_total_space = now.dpi_total_space,
			.dpi_free_space = now.dpi_free_space,
			.dpi_page_size = now.dpi_page_size,
		};
	return result;
}

/* --- backing stores --- */

LIBEXPORT kern_return_t
default_pager_backing_store_create(mach_port_t pager, int priority, int clsize,
				   mach_port_t *backing_store)
{
	struct defpager_backing_store_create create = {
		.size = sizeof(create),
		.priority = priority == -1 ? DEFAULT_PAGER_BACKING_STORE_MAXPRI
					   : priority,
		.cluster_bytes = clsize,
	};
	unsigned int number = 0;
	int ret;

	/* Mach's stores have no names.  Another process may have had our id. */
	do {
		snprintf(create.name, sizeof(create.name), "mach-%d-%u",
			 (int)getpid(), number++);
		ret = libdefpager_backing_store_create(pager, &create);
	} while (ret == -EEXIST);
	return lib_mach_port(ret, backing_store);
}

LIBEXPORT kern_return_t
default_pager_backing_store_delete(mach_port_t backing_store)
{
	struct defpager_backing_store_delete request = {
		.size = sizeof(request),
		.target = -1,
	};

	return lib_mach_result(libdefpager_backing_store_delete(backing_store,
								&request));
}

LIBEXPORT kern_return_t
default_pager_backing_store_info(mach_port_t backing_store,
				 backing_store_flavor_t flavor,
				 backing_store_info_t info,
				 mach_msg_type_number_t *info_count)
{
	struct defpager_backing_store_info now = { .size = sizeof(now) };
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	int ret;

	if (flavor != BACKING_STORE_BASIC_INFO ||
	    *info_count < BACKING_STORE_BASIC_INFO_COUNT)
		return lib_mach_result(-EINVAL);
	ret = libdefpager_backing_store_info(backing_store, &now);
	if (ret)
		return lib_mach_result(ret);
	*(backing_store_basic_info_t)info = (struct backing_store_basic_info) {
		.pageout_calls = now.pageout_calls,
		.pagein_calls = now.pagein_calls,
		.pages_in = now.total_pages_in,
		.pages_out = now.total_pages_out,
		.pages_unavail = now.pages_unavail,
		.pages_init = now.pages_init,
		.pages_init_writes = now.pages_init_writes,
		.bs_pages_total = now.total_bytes / page_size,
		.bs_pages_free = now.free_bytes / page_size,
		.bs_pages_in = now.pages_in,
		.bs_pages_in_fail = now.read_errors,
		.bs_pages_out = now.pages_out,
		.bs_pages_out_fail = now.write_errors,
		.bs_priority = now.priority,
		.bs_clsize = now.cluster_bytes,
	};
	*info_count = BACKING_STORE_BASIC_INFO_COUNT;
	return KERN_SUCCESS;
}

LIBEXPORT kern_return_t
default_pager_add_segment(mach_port_t backing_store, mach_port_t device,
			  recnum_t offset, recnum_t count, int record_size)
{
	/* A negative record size is too large. */
	struct defpager_segment_add add = {
		.size = sizeof(add),
		.device = device,
		.record_size = record_size,
		.offset = offset,
		.count = count,
	};

	return lib_mach_result(libdefpager_segment_add(backing_store, &add));
}

LIBEXPORT kern_return_t default_pager_triggers(mach_port_t pager, int hi_wat,
					       int lo_wat, int flags,
					       mach_port_t trigger_port)
{
	/*
	 * What is high in use is low in free space.  A mark that is not asked
	 * for is the other one: without it there is nothing to pass between.
	 */
	struct defpager_backing_store_alert alert = {
		.size = sizeof(alert),
		.flags = (flags & HI_WAT_ALERT ? DEFPAGER_ALERT_LOW : 0) |
			 (flags & LO_WAT_ALERT ? DEFPAGER_ALERT_HIGH : 0),
		.low_bytes = flags & HI_WAT_ALERT ? hi_wat : lo_wat,
		.high_bytes = flags & LO_WAT_ALERT ? lo_wat : hi_wat,
	};
	struct defpager_info info = { .size = sizeof(info) };
	int ret = libdefpager_info(pager, &info);

	if (!ret && (hi_wat < 0 || lo_wat < 0 || !flags ||
		     flags & ~(HI_WAT_ALERT | LO_WAT_ALERT)))
		ret = -EINVAL;
	if (!ret)
		ret = libdefpager_backing_store_alert(trigger_port, &alert);
	return lib_mach_result(ret);
}
