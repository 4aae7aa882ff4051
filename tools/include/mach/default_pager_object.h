/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The default pager's calls under the names they have in Mach.
 *
 * Programs written for them compile and run; a new one is better off with
 * <libdefpager.h>, which says more about errors and can do more.
 *
 * What is described by the manual pages of Mach is not repeated here.
 * Documentation/userspace-api/mach.rst has, for each call, the request it
 * becomes and its errors.
 */
#ifndef MACH_DEFAULT_PAGER_OBJECT_H
#define MACH_DEFAULT_PAGER_OBJECT_H

#include <mach/mach.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of a record on a device. */
typedef natural_t recnum_t;

/* Sizes are in bytes. */
typedef struct default_pager_info {
	vm_size_t dpi_total_space;
	vm_size_t dpi_free_space;
	vm_size_t dpi_page_size;
} default_pager_info_t;

typedef struct default_pager_info_64 {
	memory_object_size_t dpi_total_space;
	memory_object_size_t dpi_free_space;
	vm_size_t dpi_page_size;
	int dpi_flags;		/* DPI_ENCRYPTED is never set */
} default_pager_info_64_t;

#define DPI_ENCRYPTED	0x1

typedef integer_t *backing_store_info_t;
typedef int backing_store_flavor_t;

#define BACKING_STORE_BASIC_INFO	1

/* Of the whole pager up to pages_init_writes, of the store from there on. */
struct backing_store_basic_info {
	natural_t pageout_calls;
	natural_t pagein_calls;
	natural_t pages_in;
	natural_t pages_out;
	natural_t pages_unavail;
	natural_t pages_init;
	natural_t pages_init_writes;

	natural_t bs_pages_total;
	natural_t bs_pages_free;
	natural_t bs_pages_in;
	natural_t bs_pages_in_fail;
	natural_t bs_pages_out;
	natural_t bs_pages_out_fail;

	integer_t bs_priority;
	integer_t bs_clsize;	/* bytes */
};
typedef struct backing_store_basic_info *backing_store_basic_info_t;

#define BACKING_STORE_BASIC_INFO_COUNT \
	(sizeof(struct backing_store_basic_info) / sizeof(integer_t))

typedef struct default_pager_object {
	vm_offset_t dpo_object;	/* the id, which fstat(2) has as st_ino */
	vm_size_t dpo_size;	/* bytes on storage */
} default_pager_object_t;
typedef default_pager_object_t *default_pager_object_array_t;

typedef struct default_pager_page {
	vm_offset_t dpp_offset;	/* in the object, bytes */
} default_pager_page_t;
typedef default_pager_page_t *default_pager_page_array_t;

/* Also what a priority of -1 means. */
#define DEFAULT_PAGER_BACKING_STORE_MAXPRI	4

/* The water is what is in use: high is when space gets short. */
#define HI_WAT_ALERT	0x01
#define LO_WAT_ALERT	0x02

kern_return_t default_pager_object_create(mach_port_t pager,
					  memory_object_t *memory_object,
					  vm_size_t object_size);

kern_return_t
seqnos_default_pager_object_create(mach_port_t pager, mach_port_seqno_t seqno,
				   memory_object_t *memory_object,
				   vm_size_t object_size);

kern_return_t default_pager_info(mach_port_t pager, default_pager_info_t *info);
kern_return_t default_pager_info_64(mach_port_t pager,
				    default_pager_info_64_t *info);

/*
 * The arrays are new memory, for vm_deallocate().  A port is a right to an
 * object, which a listing does not hand out: all ports are MACH_PORT_NULL.
 */
kern_return_t default_pager_objects(mach_port_t pager,
				    default_pager_object_array_t *objects,
				    mach_msg_type_number_t *objects_count,
				    mach_port_array_t *ports,
				    mach_msg_type_number_t *ports_count);

/* The pages which are on storage; the array is memory for vm_deallocate(). */
kern_return_t default_pager_object_pages(mach_port_t pager,
					 memory_object_t memory_object,
					 default_pager_page_array_t *pages,
					 mach_msg_type_number_t *pages_count);

/* The store is called mach-PID-NUMBER. clsize is in bytes, 0 the default. */
kern_return_t default_pager_backing_store_create(mach_port_t pager,
						 int priority, int clsize,
						 mach_port_t *backing_store);

kern_return_t default_pager_backing_store_delete(mach_port_t backing_store);

kern_return_t
default_pager_backing_store_info(mach_port_t backing_store,
				 backing_store_flavor_t flavor,
				 backing_store_info_t info,
				 mach_msg_type_number_t *info_count);

/* The device is a descriptor of it, open for reading and writing. */
kern_return_t default_pager_add_segment(mach_port_t backing_store,
					mach_port_t device, recnum_t offset,
					recnum_t count, int record_size);

/*
 * The port to be told on is a descriptor of a backing store, whose space it is
 * about.  The message is that poll(2) says POLLPRI; calling this again takes
 * it.  hi_wat and lo_wat are in bytes of free space: HI_WAT_ALERT is told when
 * there is less than hi_wat; LO_WAT_ALERT when, after there was less, there is
 * lo_wat or more.  They may be combined; those not named are disarmed.
 */
kern_return_t default_pager_triggers(mach_port_t pager, int hi_wat, int lo_wat,
				     int flags, mach_port_t trigger_port);

#ifdef __cplusplus
}
#endif

#endif /* MACH_DEFAULT_PAGER_OBJECT_H */
