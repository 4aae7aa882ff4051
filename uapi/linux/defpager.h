/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * defpager: a default pager for Linux.
 *
 * Memory objects that are anonymous, zero-filled and shareable, and whose
 * pages go under memory pressure to block device segments of their own.
 */
#ifndef _UAPI_LINUX_DEFPAGER_H
#define _UAPI_LINUX_DEFPAGER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General ioctl format
 *
 * Every ioctl takes a pointer to a struct that begins with its own size:
 *
 * ::
 *
 *	struct defpager_xxx arg = { .size = sizeof(arg), ... };
 *
 *	ret = ioctl(fd, DEFPAGER_IOC_XXX, &arg);
 *
 * Structs grow at their end only.  A kernel that knows a longer struct takes
 * the fields it was not given as zero.  A kernel that knows a shorter one
 * accepts the longer one as long as what it does not know is zero.  The size
 * is therefore no part of the command number (hence _IO, not _IOWR: with
 * _IOWR each extension would be a new command), and there is no version
 * field: what a kernel can do is told by @features of &struct defpager_info.
 *
 * A request either succeeds and returns 0, or fails and changes nothing: no
 * output field is written, no descriptor installed, no segment added.  (The
 * one exception, sequence numbers, is described at
 * &struct defpager_object_create.)  New descriptors are returned in an output
 * field and are always close-on-exec.
 *
 * All numbers are in host order.  Sizes, offsets and amounts of space are in
 * bytes, counters of pages are in pages of @page_size bytes.
 *
 * Errors common to all ioctls:
 *
 *  - ENOTTY: the command is not one of this kind of descriptor.
 *  - EINVAL: @size is smaller than the struct was in its first version, a
 *    flag bit is set that is not defined, or a field documented as "must be
 *    0" is not.
 *  - E2BIG: @size is larger than the kernel knows and the surplus is not zero,
 *    or it is larger than a page.
 *  - EFAULT: the struct, or memory that it points to, cannot be accessed.
 *  - ENOMEM: the kernel has no memory for the request
 *    (KERN_RESOURCE_SHORTAGE).
 *  - EPERM: the operation needs CAP_SYS_ADMIN in the initial user namespace
 *    and the caller does not have it.
 *
 * Errors that a single ioctl adds are listed with its struct.
 */
#define DEFPAGER_IOC_TYPE		0xDF

/* On /dev/defpager, the default pager port. */
#define DEFPAGER_IOC_INFO		_IO(DEFPAGER_IOC_TYPE, 0x00)
#define DEFPAGER_IOC_OBJECT_CREATE	_IO(DEFPAGER_IOC_TYPE, 0x01)
#define DEFPAGER_IOC_OBJECTS		_IO(DEFPAGER_IOC_TYPE, 0x02)
#define DEFPAGER_IOC_BACKING_STORE_OPEN	_IO(DEFPAGER_IOC_TYPE, 0x03)

/* On a backing store descriptor, the backing store port. */
#define DEFPAGER_IOC_BACKING_STORE_INFO	_IO(DEFPAGER_IOC_TYPE, 0x20)
#define DEFPAGER_IOC_SEGMENT_ADD	_IO(DEFPAGER_IOC_TYPE, 0x21)
#define DEFPAGER_IOC_SEGMENTS		_IO(DEFPAGER_IOC_TYPE, 0x22)

/* On an object descriptor, the memory object port. */
#define DEFPAGER_IOC_OBJECT_INFO	_IO(DEFPAGER_IOC_TYPE, 0x40)

/* Bytes in a name, the terminating NUL included. */
#define DEFPAGER_NAME_SIZE		64

/* The backing store that always exists. */
#define DEFPAGER_DEFAULT_STORE		"default"

/* The largest record_size of a segment, in bytes. */
#define DEFPAGER_MAX_RECORD_SIZE	(1U << 30)

/**
 * struct defpager_info - ioctl(DEFPAGER_IOC_INFO)
 * @size: in: sizeof(struct defpager_info)
 * @flags: in: must be 0
 * @features: out: what this pager can do beyond its first version, one bit
 *	each; no bit is defined yet
 * @max_object_size: out: largest @object_size accepted, in bytes
 * @page_size: out: bytes in a page, the unit of paging
 * @nr_stores: out: backing stores that exist
 * @nr_segments: out: segments in all of them
 * @nr_objects: out: memory objects that exist
 * @total_bytes: out: space of all segments that can hold pages
 * @free_bytes: out: the part of @total_bytes promised to nobody; what
 *	objects can still grow by, together
 * @reserved_bytes: out: promised to pages that objects hold, whether they are
 *	in memory or paged out; @free_bytes + @reserved_bytes + @bad_bytes is
 *	@total_bytes when nothing is going on
 * @used_bytes: out: the part of @reserved_bytes that holds a paged-out page
 * @bad_bytes: out: retired after a write error, not used again
 * @pages_out: out: pages written to segments since the module was loaded
 * @pages_in: out: pages read from segments
 * @writes: out: write requests that carried @pages_out
 * @reads: out: read requests that carried @pages_in
 * @zero_pages: out: pages found to be all zero at page-out: not written
 * @clean_drops: out: times that a page was found clean when reclaim, or
 *	somebody else, wanted to drop it: no write was needed
 * @write_errors: out: pages whose write failed on a device
 * @read_errors: out: pages whose read failed on a device
 *
 * Fd: /dev/defpager. Privilege: none. Never blocks for long.
 *
 * Stands for default_pager_info() and default_pager_info_64(), and tells
 * which features are there.  The amounts are exact when nothing is going on;
 * under load they are read one after the other.
 */
struct defpager_info {
	__u32 size;
	__u32 flags;
	__u64 features;
	__u64 max_object_size;
	__u32 page_size;
	__u32 nr_stores;
	__u64 nr_segments;
	__u64 nr_objects;
	__u64 total_bytes;
	__u64 free_bytes;
	__u64 reserved_bytes;
	__u64 used_bytes;
	__u64 bad_bytes;
	__u64 pages_out;
	__u64 pages_in;
	__u64 writes;
	__u64 reads;
	__u64 zero_pages;
	__u64 clean_drops;
	__u64 write_errors;
	__u64 read_errors;
};

/**
 * enum defpager_object_flags - flags of DEFPAGER_IOC_OBJECT_CREATE
 * @DEFPAGER_OBJECT_SEQNO: the request takes its turn by @seqno
 */
enum defpager_object_flags {
	DEFPAGER_OBJECT_SEQNO = 1 << 0,
};

/**
 * struct defpager_object_create - ioctl(DEFPAGER_IOC_OBJECT_CREATE)
 * @size: in: sizeof(struct defpager_object_create)
 * @flags: in: &enum defpager_object_flags
 * @object_size: in: the maximum, and initial, size of the object in bytes,
 *	1 to @max_object_size of &struct defpager_info; any number of bytes,
 *	not only whole pages
 * @seqno: in: with DEFPAGER_OBJECT_SEQNO the sequence number of this request,
 *	0 to 2^64 - 2; without it must be 0
 * @backing_store: in: a backing store descriptor to confine the object to
 *	that store, or -1: the object belongs to the pager, which chooses
 * @fd: out: the memory object; its value on input is ignored
 * @name: in: a name for people: printable by who reads /proc/PID/maps and
 *	listings, need not be unique, may be empty; must end in a NUL within
 *	the array, and everything behind the NUL must be 0
 *
 * Fd: /dev/defpager. Privilege: none beyond having the descriptor(s).
 *
 * Stands for default_pager_object_create() and, with DEFPAGER_OBJECT_SEQNO,
 * seqnos_default_pager_object_create().
 *
 * Creates an anonymous memory object: a regular file without a name whose
 * bytes are zero until written.  The descriptor is open for reading and
 * writing and can be mapped, read, written, seeked, passed to other processes
 * and re-opened through /proc/PID/fd.  Access beyond @object_size is SIGBUS
 * through a mapping, end of file for read and EFBIG for write and ftruncate.
 * The object and all storage it holds are gone when the last descriptor and
 * the last mapping are.
 *
 * No storage is taken at creation: space for a page is promised at its first
 * touch, and if there is none that touch fails with ENOSPC (write) or SIGBUS
 * (mapping), without harm to anything else; after a segment was added it
 * succeeds.  This is also what happens while there is no segment at all.
 *
 * Sequence numbers: requests with DEFPAGER_OBJECT_SEQNO made through one open
 * of /dev/defpager (and its duplicates) take effect in strict order 0, 1,
 * 2 ...  A request waits until all its predecessors have ended; the wait can
 * be interrupted by a signal (EINTR, or it restarts) and then does not consume
 * the number.  A request that fails for any other reason after it could be
 * read whole (that is: but for EFAULT, E2BIG and a bad @size) waits for its
 * turn all the same and consumes its number, so that those behind it are not
 * stuck.  Requests without the flag neither wait nor count.
 *
 * Errors beyond the common ones:
 *
 *  - EINVAL: @object_size is 0 or too large; @name is not terminated, or not
 *    zero behind its end, or contains a control character or a '/'; @seqno
 *    was used already, or is 2^64 - 1, or is not 0 without the flag.
 *  - EBADF: @backing_store is neither -1 nor an open descriptor.
 *  - EINVAL: @backing_store is a descriptor, but not of a backing store.
 *  - EINTR: a signal ended the wait for the request's turn.
 *  - EMFILE, ENFILE: no descriptor, or no file, is left.
 */
struct defpager_object_create {
	__u32 size;
	__u32 flags;
	__u64 object_size;
	__u64 seqno;
	__s32 backing_store;
	__s32 fd;
	char name[DEFPAGER_NAME_SIZE];
};

/**
 * struct defpager_object_info - ioctl(DEFPAGER_IOC_OBJECT_INFO), and a row of
 *	DEFPAGER_IOC_OBJECTS
 * @size: in: sizeof(struct defpager_object_info); out, in a row of
 *	DEFPAGER_IOC_OBJECTS: bytes of the row that are valid
 * @flags: in: must be 0; out: 0
 * @id: out: identifies the object among those that exist; also its inode
 *	number in fstat() and /proc/PID/maps
 * @object_size: out: the maximum size in bytes, as given at creation
 * @current_size: out: the size now, in bytes; what fstat() says
 * @resident_bytes: out: in memory (whole pages)
 * @stored_bytes: out: on storage (whole pages); a page that was read back and
 *	not changed counts here and in @resident_bytes
 * @reserved_bytes: out: storage promised to the object, @stored_bytes included
 * @owner: out: user id of the creator, in the caller's user namespace
 * @confined: out: 1 if the object is confined to @backing_store, else 0
 * @backing_store: out: name of the store it is confined to, or of the one its
 *	pages go to first
 * @name: out: the name given at creation
 *
 * Fd: an object descriptor. Privilege: none. Never blocks for long.
 */
struct defpager_object_info {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 object_size;
	__u64 current_size;
	__u64 resident_bytes;
	__u64 stored_bytes;
	__u64 reserved_bytes;
	__u32 owner;
	__u32 confined;
	char backing_store[DEFPAGER_NAME_SIZE];
	char name[DEFPAGER_NAME_SIZE];
};

/**
 * struct defpager_list - ioctl(DEFPAGER_IOC_OBJECTS, DEFPAGER_IOC_SEGMENTS)
 * @size: in: sizeof(struct defpager_list)
 * @flags: in: must be 0
 * @start: in: rows begin at the first one whose id is not below this;
 *	out: where to go on, one more than the id of the last row returned
 * @rows: in: address of an array of rows (&struct defpager_object_info or
 *	&struct defpager_segment_info)
 * @row_size: in: bytes of one row in the caller's array, at least its size in
 *	the first version, at most 4096; the kernel fills what it knows and
 *	clears the rest
 * @count: in: rows the array has room for; out: rows written.  Fewer than
 *	asked for means there are no more
 *
 * DEFPAGER_IOC_OBJECTS: Fd: /dev/defpager. Privilege: none.
 * Stands for default_pager_objects().
 *
 * DEFPAGER_IOC_SEGMENTS: Fd: a backing store descriptor. Privilege: none.
 *
 * Rows come in ascending order of id.  What is created or goes while a
 * listing is read in several calls may be missed.  To list all: begin with
 * @start 0 and repeat with the @start returned until @count comes back
 * smaller than asked for.
 *
 * When writing a row fails (EFAULT), rows before it may have been written.
 */
struct defpager_list {
	__u32 size;
	__u32 flags;
	__u64 start;
	__u64 rows;
	__u32 row_size;
	__u32 count;
};

/**
 * struct defpager_backing_store_open - ioctl(DEFPAGER_IOC_BACKING_STORE_OPEN)
 * @size: in: sizeof(struct defpager_backing_store_open)
 * @flags: in: must be 0
 * @fd: out: a descriptor of the backing store; its value on input is ignored
 * @reserved: in: must be 0
 * @name: in: name of the store; must end in a NUL within the array, and
 *	everything behind the NUL must be 0
 *
 * Fd: /dev/defpager. Privilege: CAP_SYS_ADMIN.
 *
 * The descriptor is a capability: who holds it may create objects confined to
 * the store and look at its state; adding segments needs CAP_SYS_ADMIN too.
 *
 * Errors beyond the common ones:
 *
 *  - EINVAL: @name is not terminated, or not zero behind its end.
 *  - ENOENT: there is no backing store of that name.
 *  - EMFILE, ENFILE: no descriptor, or no file, is left.
 */
struct defpager_backing_store_open {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
	char name[DEFPAGER_NAME_SIZE];
};

/**
 * struct defpager_backing_store_info - ioctl(DEFPAGER_IOC_BACKING_STORE_INFO)
 * @size: in: sizeof(struct defpager_backing_store_info)
 * @flags: in: must be 0
 * @id: out: identifies the store
 * @nr_segments: out: segments it has
 * @cluster_bytes: out: bytes handed out together on a segment
 * @priority: out: order of choice, higher first
 * @total_bytes: out: as in &struct defpager_info, for this store
 * @free_bytes: out: likewise
 * @reserved_bytes: out: likewise
 * @used_bytes: out: likewise
 * @bad_bytes: out: likewise
 * @name: out: the name of the store
 *
 * Fd: a backing store descriptor. Privilege: none. Never blocks for long.
 *
 * Stands for default_pager_backing_store_info().
 */
struct defpager_backing_store_info {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 nr_segments;
	__u32 cluster_bytes;
	__s32 priority;
	__u64 total_bytes;
	__u64 free_bytes;
	__u64 reserved_bytes;
	__u64 used_bytes;
	__u64 bad_bytes;
	char name[DEFPAGER_NAME_SIZE];
};

/**
 * struct defpager_segment_add - ioctl(DEFPAGER_IOC_SEGMENT_ADD)
 * @size: in: sizeof(struct defpager_segment_add)
 * @flags: in: must be 0
 * @device: in: a descriptor of a block device, open for reading and writing;
 *	it may be closed afterwards
 * @record_size: in: bytes in a record: a positive multiple of the device's
 *	logical block size, at most DEFPAGER_MAX_RECORD_SIZE; need not be a
 *	power of two and may be smaller or larger than a page
 * @offset: in: first record of the segment on the device, in records
 * @count: in: length of the segment, in records, at least 1
 * @id: out: identifies the segment
 * @usable_bytes: out: what will hold pages, a multiple of the page size
 * @unused_head: out: bytes at the start of the range that are not used,
 *	because pages are stored at multiples of the page size
 * @unused_tail: out: bytes at the end that are not used, likewise
 *
 * Fd: a backing store descriptor. Privilege: CAP_SYS_ADMIN.
 *
 * Stands for default_pager_add_segment().  Adds @count records of the device
 * beginning at record @offset to the store.  From then on the device is
 * claimed: it cannot be mounted or claimed by others.  **What the range held
 * is overwritten**, without a look at it: that is for the caller to check.
 * Nothing outside of the range is ever written.  The segment stays until the
 * module is unloaded, whatever happens to the descriptors.
 *
 * Errors beyond the common ones, none of which changes anything:
 *
 *  - EBADF: @device is not an open descriptor, or not open for both reading
 *    and writing.
 *  - ENOTBLK: @device is not a block device.
 *  - EROFS: the device is read-only.
 *  - EINVAL: @record_size is 0, too large or not a multiple of the device's
 *    logical block size; @count is 0; the range does not lie within the
 *    device, or is not expressible in bytes; it does not hold a whole aligned
 *    page; it overlaps a segment, of whichever store, on the same disk (also
 *    when one was given as a partition and the other as the whole disk).
 *  - EOPNOTSUPP: the pager does not support the device: its logical block is
 *    larger than a page, it is zoned, or it needs what is being written not to
 *    change, e.g. because it computes checksums (KERN_FAILURE).
 *  - EBUSY: the device is mounted, used as swap or claimed by somebody else.
 *  - ENODEV, ENXIO: the device is gone.
 *  - ENOSPC: the pager has no slot numbers left (they suffice for 4 PiB).
 */
struct defpager_segment_add {
	__u32 size;
	__u32 flags;
	__s32 device;
	__u32 record_size;
	__u64 offset;
	__u64 count;
	__u64 id;
	__u64 usable_bytes;
	__u64 unused_head;
	__u64 unused_tail;
};

/**
 * enum defpager_segment_state - state of a segment
 * @DEFPAGER_SEGMENT_ACTIVE: pages are written to it and read from it
 */
enum defpager_segment_state {
	DEFPAGER_SEGMENT_ACTIVE = 0,
};

/**
 * struct defpager_segment_info - a row of DEFPAGER_IOC_SEGMENTS
 * @size: out: bytes of the row that are valid
 * @state: out: &enum defpager_segment_state
 * @id: out: identifies the segment, in all stores
 * @major: out: major number of the block device
 * @minor: out: minor number of the block device
 * @offset_bytes: out: first byte of the range that was added, on the device
 * @length_bytes: out: length of the range that was added
 * @record_size: out: as it was given
 * @reserved: out: 0
 * @total_bytes: out: the part of it that can hold pages
 * @used_bytes: out: the part of @total_bytes that holds pages
 * @bad_bytes: out: the part of @total_bytes retired after write errors
 * @pages_out: out: pages written to the segment
 * @pages_in: out: pages read from it
 */
struct defpager_segment_info {
	__u32 size;
	__u32 state;
	__u64 id;
	__u32 major;
	__u32 minor;
	__u64 offset_bytes;
	__u64 length_bytes;
	__u32 record_size;
	__u32 reserved;
	__u64 total_bytes;
	__u64 used_bytes;
	__u64 bad_bytes;
	__u64 pages_out;
	__u64 pages_in;
};

#endif /* _UAPI_LINUX_DEFPAGER_H */
