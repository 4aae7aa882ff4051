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
 * exceptions are described where they are: sequence numbers at
 * &struct defpager_object_create, what has moved and what is told of it at
 * &struct defpager_segment_remove and &struct defpager_backing_store_delete,
 * what was begun at &struct defpager_object_pageout, the rows before the one
 * that failed at &struct defpager_list, and a discard that failed half-way at
 * &struct defpager_segment_add.)  New descriptors are returned in an output
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
 *  - ENODEV: the backing store of the descriptor has been deleted.
 *
 * Errors that a single ioctl adds are listed with its struct.
 */
#define DEFPAGER_IOC_TYPE		0xDF

/* On /dev/defpager, the default pager port. */
#define DEFPAGER_IOC_INFO		_IO(DEFPAGER_IOC_TYPE, 0x00)
#define DEFPAGER_IOC_OBJECT_CREATE	_IO(DEFPAGER_IOC_TYPE, 0x01)
#define DEFPAGER_IOC_OBJECTS		_IO(DEFPAGER_IOC_TYPE, 0x02)
#define DEFPAGER_IOC_BACKING_STORE_OPEN	_IO(DEFPAGER_IOC_TYPE, 0x03)
#define DEFPAGER_IOC_BACKING_STORE_CREATE \
					_IO(DEFPAGER_IOC_TYPE, 0x04)
#define DEFPAGER_IOC_BACKING_STORES	_IO(DEFPAGER_IOC_TYPE, 0x05)

/* On a backing store descriptor, the backing store port. */
#define DEFPAGER_IOC_BACKING_STORE_INFO	_IO(DEFPAGER_IOC_TYPE, 0x20)
#define DEFPAGER_IOC_SEGMENT_ADD	_IO(DEFPAGER_IOC_TYPE, 0x21)
#define DEFPAGER_IOC_SEGMENTS		_IO(DEFPAGER_IOC_TYPE, 0x22)
#define DEFPAGER_IOC_SEGMENT_REMOVE	_IO(DEFPAGER_IOC_TYPE, 0x23)
#define DEFPAGER_IOC_BACKING_STORE_DELETE \
					_IO(DEFPAGER_IOC_TYPE, 0x24)
#define DEFPAGER_IOC_BACKING_STORE_ALERT \
					_IO(DEFPAGER_IOC_TYPE, 0x25)
#define DEFPAGER_IOC_BACKING_STORE_LIMIT \
					_IO(DEFPAGER_IOC_TYPE, 0x26)

/* On an object descriptor, the memory object port. */
#define DEFPAGER_IOC_OBJECT_INFO	_IO(DEFPAGER_IOC_TYPE, 0x40)
#define DEFPAGER_IOC_OBJECT_PAGES	_IO(DEFPAGER_IOC_TYPE, 0x41)
#define DEFPAGER_IOC_OBJECT_SEAL	_IO(DEFPAGER_IOC_TYPE, 0x42)
#define DEFPAGER_IOC_OBJECT_PAGEOUT	_IO(DEFPAGER_IOC_TYPE, 0x43)

/* Bytes in a name, the terminating NUL included. */
#define DEFPAGER_NAME_SIZE		64

/* The backing store that always exists. */
#define DEFPAGER_DEFAULT_STORE		"default"

/* Bytes handed out together on a segment: a power of two from a page on. */
#define DEFPAGER_MAX_CLUSTER_SIZE	(1U << 21)
#define DEFPAGER_DEFAULT_CLUSTER_SIZE	(1U << 17)

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
 *	objects can still grow by, together; that of exclusive stores, which
 *	only objects confined to them can use, is included
 * @reserved_bytes: out: promised to pages that objects hold, whether they are
 *	in memory or paged out; @free_bytes + @reserved_bytes + @bad_bytes +
 *	@failing_bytes is @total_bytes when nothing is going on
 * @used_bytes: out: the part of @reserved_bytes and @failing_bytes that holds a
 *	paged-out page
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
 * @checksum_errors: out: pages that came back other than they were written;
 *	they count in @read_errors, too
 * @failing_bytes: out: the part of @total_bytes in failing segments that is not
 *	bad: what is paged out there can be read, if at all, but what is promised
 *	to those pages has to be elsewhere
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
	__u64 checksum_errors;
	__u64 failing_bytes;
};

/**
 * enum defpager_object_flags - flags of DEFPAGER_IOC_OBJECT_CREATE
 * @DEFPAGER_OBJECT_SEQNO: the request takes its turn by @seqno
 * @DEFPAGER_OBJECT_RESERVE: promise space for all of @object_size now, and keep
 *	it promised whatever is cut off or punched out, so that no touch fails
 *	for lack of space later
 * @DEFPAGER_OBJECT_RESIDENT: keep all pages in memory, and charge them to the
 *	control group of who touches them first: the object needs no space, and
 *	no segment, and is never paged out
 */
enum defpager_object_flags {
	DEFPAGER_OBJECT_SEQNO = 1 << 0,
	DEFPAGER_OBJECT_RESERVE = 1 << 1,
	DEFPAGER_OBJECT_RESIDENT = 1 << 2,
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
 * succeeds.  This is also what happens while there is no segment at all.  If
 * it is not space that is lacking, but a limit that is in the way, the error is
 * EDQUOT instead of ENOSPC: see &struct defpager_backing_store_limit.
 * fallocate() promises space for a range, and DEFPAGER_OBJECT_RESERVE for the
 * whole object, without taking memory for pages.
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
 *    was used already, or is 2^64 - 1, or is not 0 without the flag;
 *    DEFPAGER_OBJECT_RESIDENT is combined with DEFPAGER_OBJECT_RESERVE or
 *    with a @backing_store.
 *  - ENOSPC: DEFPAGER_OBJECT_RESERVE, and there is not as much space.
 *  - EDQUOT: DEFPAGER_OBJECT_RESERVE, and @object_size is more than a limit of
 *    the store allows.
 *  - EBUSY: the store of @backing_store is being deleted.
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
 * @flags: in: must be 0; out: DEFPAGER_OBJECT_RESERVE and
 *	DEFPAGER_OBJECT_RESIDENT as given at creation
 * @id: out: identifies the object among those that exist; also its inode
 *	number in fstat() and /proc/PID/maps
 * @object_size: out: the maximum size in bytes, as given at creation
 * @current_size: out: the size now, in bytes; what fstat() says
 * @resident_bytes: out: in memory (whole pages)
 * @stored_bytes: out: on storage (whole pages); a page that was read back and
 *	not changed counts here and in @resident_bytes
 * @reserved_bytes: out: storage promised to the object, @stored_bytes included
 * @owner: out: user id of the owner, who is the creator or whom fchown() gave it
 *	to, in the caller's user namespace
 * @confined: out: 1 if the object is confined to @backing_store, else 0
 * @backing_store: out: name of the store it is confined to, or of the one its
 *	pages go to first; empty if it is resident-only
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
 * struct defpager_list - ioctl(DEFPAGER_IOC_OBJECTS, DEFPAGER_IOC_SEGMENTS,
 *	DEFPAGER_IOC_BACKING_STORES, DEFPAGER_IOC_OBJECT_PAGES)
 * @size: in: sizeof(struct defpager_list)
 * @flags: in: must be 0
 * @start: in: rows begin at the first one whose id is not below this;
 *	out: where to go on, one more than the id of the last row returned
 * @rows: in: address of an array of rows (&struct defpager_object_info,
 *	&struct defpager_segment_info, &struct defpager_backing_store_info or
 *	&struct defpager_page_range)
 * @row_size: in: bytes of one row in the caller's array, at least its size in
 *	the first version, at most 4096; the kernel fills what it knows and
 *	clears the rest
 * @count: in: rows the array has room for; out: rows written.  Fewer than
 *	asked for means there are no more
 *
 * DEFPAGER_IOC_OBJECTS: Fd: /dev/defpager. Privilege: none.
 * Stands for default_pager_objects().
 *
 * DEFPAGER_IOC_BACKING_STORES: Fd: /dev/defpager. Privilege: none.
 *
 * DEFPAGER_IOC_SEGMENTS: Fd: a backing store descriptor. Privilege: none.
 *
 * DEFPAGER_IOC_OBJECT_PAGES: Fd: an object descriptor. Privilege: none.
 * Stands for default_pager_object_pages().  Here an id is an offset into the
 * object: see &struct defpager_page_range.
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
 * the store, look at its state and poll() it for alerts.  Whatever changes the
 * store needs CAP_SYS_ADMIN too.  So it can be passed to a process without
 * privileges, which may then use the store and nothing more.
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
 * enum defpager_backing_store_flags - options of a backing store
 * @DEFPAGER_STORE_EXCLUSIVE: pages of objects that belong to the pager do not
 *	go to the store, only those of objects confined to it
 * @DEFPAGER_STORE_DISCARD: tell devices that can make use of it (TRIM) which
 *	slots hold nothing any more, some time after they were freed
 * @DEFPAGER_STORE_CHECKSUM: keep a checksum (CRC-32C) of each page in memory;
 *	one that comes back other than it was written is a read error, and one
 *	that was changed without a mark is written before it is dropped
 * @DEFPAGER_STORE_ENCRYPT: encrypt what is written (AES-256 in XTS mode), with a
 *	random key that never leaves the kernel and is gone with the store.
 *	Only what is in this store: pages of an object that belongs to the
 *	pager may go to others
 */
enum defpager_backing_store_flags {
	DEFPAGER_STORE_EXCLUSIVE = 1 << 0,
	DEFPAGER_STORE_DISCARD = 1 << 1,
	DEFPAGER_STORE_CHECKSUM = 1 << 2,
	DEFPAGER_STORE_ENCRYPT = 1 << 3,
};

/**
 * struct defpager_backing_store_create -
 *	ioctl(DEFPAGER_IOC_BACKING_STORE_CREATE)
 * @size: in: sizeof(struct defpager_backing_store_create)
 * @flags: in: &enum defpager_backing_store_flags
 * @priority: in: stores with a higher number are used first by objects that
 *	belong to the pager; any number, the store "default" has 0
 * @cluster_bytes: in: bytes handed out together on a segment, so that pages
 *	that are neighbours in an object are so on the device: a power of two,
 *	a page to DEFPAGER_MAX_CLUSTER_SIZE; 0 for
 *	DEFPAGER_DEFAULT_CLUSTER_SIZE
 * @fd: out: a descriptor of the backing store, as from
 *	DEFPAGER_IOC_BACKING_STORE_OPEN; its value on input is ignored
 * @reserved: in: must be 0
 * @name: in: name of the store: not empty, no control character and no '/',
 *	neither "." nor ".."; must end in a NUL within the array, and
 *	everything behind the NUL must be 0
 *
 * Fd: /dev/defpager. Privilege: CAP_SYS_ADMIN.
 *
 * Stands for default_pager_backing_store_create().  The store has no segment
 * yet.  It stays, whatever happens to its descriptors, until it is deleted or
 * the module is unloaded.
 *
 * Errors beyond the common ones:
 *
 *  - EINVAL: @cluster_bytes is not a power of two, less than a page or too
 *    large; @name is not as described.
 *  - EEXIST: there is a backing store of that name.
 *  - EOPNOTSUPP: the kernel has no CRC-32C, or no AES-XTS, to do what @flags
 *    ask for.
 *  - EMFILE, ENFILE: no descriptor, or no file, is left.
 */
struct defpager_backing_store_create {
	__u32 size;
	__u32 flags;
	__s32 priority;
	__u32 cluster_bytes;
	__s32 fd;
	__u32 reserved;
	char name[DEFPAGER_NAME_SIZE];
};

/**
 * struct defpager_backing_store_info - ioctl(DEFPAGER_IOC_BACKING_STORE_INFO),
 *	and a row of DEFPAGER_IOC_BACKING_STORES
 * @size: in: sizeof(struct defpager_backing_store_info); out, in a row of
 *	DEFPAGER_IOC_BACKING_STORES: bytes of the row that are valid
 * @flags: in: must be 0; out: &enum defpager_backing_store_flags of the store
 * @id: out: identifies the store
 * @nr_segments: out: segments it has
 * @cluster_bytes: out: bytes handed out together on a segment (bs_clsize)
 * @priority: out: order of choice, higher first (bs_priority)
 * @total_bytes: out: space of its segments that can hold pages
 *	(bs_pages_total); @free_bytes + @reserved_bytes + @bad_bytes +
 *	@failing_bytes when nothing is going on
 * @free_bytes: out: the part of @total_bytes that is promised to nobody
 *	(bs_pages_free)
 * @reserved_bytes: out: promised to pages of objects confined to the store,
 *	or taken there by pages of objects that are confined to none, and what
 *	pages of these that are still in memory would take here if they were
 *	paged out now
 * @used_bytes: out: the part of @reserved_bytes and @failing_bytes that holds a
 *	paged-out page
 * @bad_bytes: out: retired after a write error, not used again
 * @name: out: the name of the store
 * @confined_bytes: out: the part of @reserved_bytes promised to objects
 *	confined to the store
 * @nr_objects: out: objects confined to the store
 * @pages_out: out: pages written to its segments (bs_pages_out)
 * @pages_in: out: pages read from its segments (bs_pages_in)
 * @write_errors: out: pages whose write failed (bs_pages_out_fail)
 * @read_errors: out: pages whose read failed (bs_pages_in_fail)
 * @pageout_calls: out: times that reclaim asked for a changed page
 * @pagein_calls: out: times that a page was missing in memory
 * @total_pages_in: out: pages brought in from storage (pages_in)
 * @total_pages_out: out: pages sent to storage (pages_out)
 * @pages_unavail: out: pages brought in that were on no storage: zero-filled
 * @pages_init: out: pages sent out that had no slot, all zero ones included
 * @pages_init_writes: out: those of them that were written
 * @failing_bytes: out: the part of @total_bytes in failing segments that is not
 *	bad
 * @object_limit_bytes: out: what one object may be promised, or 0: any amount;
 *	see &struct defpager_backing_store_limit
 * @user_limit_bytes: out: what all objects of one user may be promised, or 0
 *
 * Fd: a backing store descriptor. Privilege: none. Never blocks for long.
 *
 * Stands for default_pager_backing_store_info(), whose basic fields are named
 * in parentheses where the name differs.  As there, those from @pageout_calls
 * to @pages_init_writes concern the whole pager, not only this store.
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
	__u64 confined_bytes;
	__u64 nr_objects;
	__u64 pages_out;
	__u64 pages_in;
	__u64 write_errors;
	__u64 read_errors;
	__u64 pageout_calls;
	__u64 pagein_calls;
	__u64 total_pages_in;
	__u64 total_pages_out;
	__u64 pages_unavail;
	__u64 pages_init;
	__u64 pages_init_writes;
	__u64 failing_bytes;
	__u64 object_limit_bytes;
	__u64 user_limit_bytes;
};

/**
 * enum defpager_alert_flags - events of a space alert
 * @DEFPAGER_ALERT_LOW: less than @low_bytes are free
 * @DEFPAGER_ALERT_HIGH: after that, @high_bytes or more are free again
 */
enum defpager_alert_flags {
	DEFPAGER_ALERT_LOW = 1 << 0,
	DEFPAGER_ALERT_HIGH = 1 << 1,
};

/**
 * struct defpager_backing_store_alert -
 *	ioctl(DEFPAGER_IOC_BACKING_STORE_ALERT)
 * @size: in: sizeof(struct defpager_backing_store_alert)
 * @flags: in: which events to wait for, &enum defpager_alert_flags; 0 only
 *	fetches @fired and leaves the alert disarmed
 * @low_bytes: in: the low mark, in bytes of free space
 * @high_bytes: in: the high mark, likewise, not below @low_bytes
 * @fired: out: the events since the last call
 * @reserved: in: must be 0
 * @free_bytes: out: @free_bytes of &struct defpager_backing_store_info now
 *
 * Fd: a backing store descriptor. Privilege: CAP_SYS_ADMIN, since an event is
 * also broadcast.  Blocks while a device of the store discards, or, if the store
 * is not exclusive, a device of any other that is not; a fatal signal ends that.
 *
 * Stands for default_pager_triggers() and the space alerts of its clients.
 *
 * Arms the alert of this descriptor (and its duplicates); several may watch
 * one store, each with its own marks.  An alert that is armed for
 * DEFPAGER_ALERT_LOW fires once when the free space of the store is below the
 * low mark, also if it is at once.  An alert armed for DEFPAGER_ALERT_HIGH
 * fires once when the free space is at the high mark or above, after it was
 * below the low mark; the time it spends between the marks on its way causes
 * nothing.  When an event has fired, poll() says POLLPRI until this ioctl is
 * called again, which takes the event and arms anew what @flags says.  The
 * kernel also sends a uevent, "change" of the device "defpager", with
 * DEFPAGER_ALERT=low or high, DEFPAGER_STORE=name, DEFPAGER_FREE_BYTES=number.
 * It may take some milliseconds until an event is noticed.
 *
 * Errors beyond the common ones:
 *
 *  - EINVAL: @high_bytes is less than @low_bytes.
 */
struct defpager_backing_store_alert {
	__u32 size;
	__u32 flags;
	__u64 low_bytes;
	__u64 high_bytes;
	__u32 fired;
	__u32 reserved;
	__u64 free_bytes;
};

/**
 * enum defpager_limit_flags - limits of a backing store
 * @DEFPAGER_LIMIT_OBJECT: of what one object may be promised
 * @DEFPAGER_LIMIT_USER: of what all objects of one user may be promised
 */
enum defpager_limit_flags {
	DEFPAGER_LIMIT_OBJECT = 1 << 0,
	DEFPAGER_LIMIT_USER = 1 << 1,
};

/**
 * struct defpager_backing_store_limit -
 *	ioctl(DEFPAGER_IOC_BACKING_STORE_LIMIT)
 * @size: in: sizeof(struct defpager_backing_store_limit)
 * @flags: in: which limits to set, &enum defpager_limit_flags; 0 only fetches
 *	them
 * @object_bytes: in: with DEFPAGER_LIMIT_OBJECT what one object may be promised,
 *	or 0: any amount; without it must be 0
 * @user_bytes: in: likewise, with DEFPAGER_LIMIT_USER, for all objects of one
 *	user together
 * @old_object_bytes: out: the limit of one object before the call, or 0
 * @old_user_bytes: out: the limit of one user before the call, or 0
 *
 * Fd: a backing store descriptor. Privilege: CAP_SYS_ADMIN.  Never blocks for
 * long.
 *
 * Stands for nothing in Mach, where a client could take all there was.
 *
 * Limits are whole pages: what is left over is dropped, and less than one page
 * is an error.  What counts is the space promised to an object, @reserved_bytes
 * of &struct defpager_object_info, for pages in memory as well as for those on
 * storage.  The user is the one who created the object (his file system user
 * id, @owner of &struct defpager_object_info), or whom it was given by fchown(),
 * and not who touches a page of it: what is shared counts once.  Nobody is
 * excepted, not even root.
 *
 * The limits of a store hold for the objects confined to it.  Those of the store
 * "default" also hold for objects that belong to the pager, wherever their
 * pages are; what these are promised, together, counts apart from what those
 * confined to "default" are.  Resident-only objects are promised nothing, and
 * not limited.
 *
 * What would exceed a limit changes nothing, and fails: write(), fallocate()
 * and DEFPAGER_IOC_OBJECT_CREATE with EDQUOT (a write() that has come part of
 * its way tells how far), access to a mapping with SIGBUS.  It succeeds after
 * something of the object's, or the user's, was freed, or the limit was raised.
 * A limit that is less than what was promised already takes nothing away:
 * only, nothing is added.  Nor is a limit in the way of removing a segment or
 * deleting a store: objects that move to another store take along what they
 * were promised, and count there.  But fchown() to a user who would exceed his
 * limit by that is EDQUOT, unless the caller has CAP_SYS_RESOURCE.
 *
 * Errors beyond the common ones:
 *
 *  - EINVAL: a limit is not 0, but less than a page; or its flag is not set.
 */
struct defpager_backing_store_limit {
	__u32 size;
	__u32 flags;
	__u64 object_bytes;
	__u64 user_bytes;
	__u64 old_object_bytes;
	__u64 old_user_bytes;
};

/**
 * struct defpager_backing_store_delete -
 *	ioctl(DEFPAGER_IOC_BACKING_STORE_DELETE)
 * @size: in: sizeof(struct defpager_backing_store_delete)
 * @flags: in: must be 0
 * @target: in: a descriptor of another backing store, which takes over the
 *	objects confined to this one; or -1
 * @reserved: in: must be 0
 * @error_object: out, on EIO, and on EINTR if there was one by then: the object
 *	of a page that could not be read; 0: pages could not be written elsewhere
 * @error_offset: out, likewise: offset of the page in it, in bytes
 *
 * Fd: a backing store descriptor. Privilege: CAP_SYS_ADMIN.
 *
 * Stands for default_pager_backing_store_delete().
 *
 * Removes all segments of the store, each as DEFPAGER_IOC_SEGMENT_REMOVE does
 * but with the same events for all, and then the store itself.  With @target,
 * objects confined to this store become confined to that one, and keep what they
 * were promised.  Pages of objects that belong to the pager go wherever the pager
 * puts them.
 * Descriptors of a store that was deleted fail with ENODEV, except for poll(),
 * which says POLLHUP.
 *
 * Whether everything fits is found out before anything is moved.  After EINTR
 * and EIO the store is still there and works, some segments may have been
 * removed, and objects may have moved to @target.
 *
 * Errors beyond the common ones:
 *
 *  - EBUSY: the store is "default"; objects are confined to it and there is no
 *    @target; segments of it are being removed; objects are being created in
 *    it; or it, or @target's store, is being deleted.
 *  - ENOSPC: what is there does not fit elsewhere.
 *  - EBADF: @target is neither -1 nor an open descriptor.
 *  - EINVAL: @target is a descriptor, but not of another backing store.
 *  - EINTR, EIO: as for DEFPAGER_IOC_SEGMENT_REMOVE.
 */
struct defpager_backing_store_delete {
	__u32 size;
	__u32 flags;
	__s32 target;
	__u32 reserved;
	__u64 error_object;
	__u64 error_offset;
};

/**
 * enum defpager_segment_add_flags - flags of DEFPAGER_IOC_SEGMENT_ADD
 * @DEFPAGER_SEGMENT_DISCARD: discard (TRIM) all of the range that will hold
 *	pages, before the segment is used
 */
enum defpager_segment_add_flags {
	DEFPAGER_SEGMENT_DISCARD = 1 << 0,
};

/**
 * struct defpager_segment_add - ioctl(DEFPAGER_IOC_SEGMENT_ADD)
 * @size: in: sizeof(struct defpager_segment_add)
 * @flags: in: &enum defpager_segment_add_flags
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
 * Nothing outside of the range is ever written.  The segment stays until it is
 * removed or the module is unloaded, whatever happens to the descriptors.
 *
 * What the device's page cache holds is written first, and a discard may take as
 * long as the device likes.  Meanwhile nobody else can add any of the range, and
 * nothing else is different: it is not listed, and other requests go on.
 *
 * Errors beyond the common ones, none of which changes anything; but if the range
 * is to be discarded, that may have been done before EIO, and before what happens
 * in the end (EBUSY if the store has begun to be deleted meanwhile, ENOSPC, ENOMEM):
 *
 *  - EBADF: @device is not an open descriptor, or not open for both reading
 *    and writing.
 *  - ENOTBLK: @device is not a block device.
 *  - EROFS: the device is read-only.
 *  - EINVAL: @record_size is 0, too large or not a multiple of the device's
 *    logical block size; @count is 0; the range does not lie within the
 *    device, or is not expressible in bytes; it does not hold a whole aligned
 *    page; it overlaps a segment, of whichever store, on the same disk (also
 *    one that is still being added; also when one was given as a partition and
 *    the other as the whole disk).
 *  - EOPNOTSUPP: the pager does not support the device: its logical block is
 *    larger than a page, it is zoned, or it needs what is being written not to
 *    change, e.g. because it computes checksums; or DEFPAGER_SEGMENT_DISCARD
 *    was asked for and it cannot discard (KERN_FAILURE).
 *  - EBUSY: the device is mounted, used as swap or claimed by somebody else; or
 *    the store is being deleted.
 *  - EIO: the device could not be discarded, or only in part.
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
 * struct defpager_segment_remove - ioctl(DEFPAGER_IOC_SEGMENT_REMOVE)
 * @size: in: sizeof(struct defpager_segment_remove)
 * @flags: in: must be 0
 * @id: in: the segment
 * @target: in: a descriptor of another backing store, or -1: see below
 * @reserved: in: must be 0
 * @moved_bytes: out, also on EINTR and EIO: pages moved away, in bytes
 * @error_object: out, on EIO, and on EINTR if there was one by then: the object
 *	of a page that could not be read; 0: pages could not be written elsewhere
 * @error_offset: out, likewise: offset of the page in it, in bytes
 *
 * Fd: a descriptor of the segment's backing store. Privilege: CAP_SYS_ADMIN.
 *
 * Stands for nothing in Mach, where segments stayed for ever.
 *
 * Drains the segment: its pages move to other segments that their objects may
 * use; then it is gone, and the device free for other uses if no other segment
 * is on it.  With @target, objects confined to this store become confined to
 * that one first, and keep what they were promised.  Meanwhile all else goes
 * on: objects can be read, written, paged in and out, created and destroyed.
 * Progress shows in @used_bytes of &struct defpager_segment_info.
 *
 * The call returns when all is done.  A signal for which a handler is called ends
 * it with EINTR, whatever SA_RESTART says, and so does closing the descriptor in
 * another thread of the process.  It is then as if it had not been called, except
 * that some pages are elsewhere, and objects that have become confined to @target
 * stay so; the segment is in use as before.  It can be called again.  So it is when
 * pages cannot be read: they stay where they are, all others are moved, and EIO
 * tells the first of them; and when there is no memory to read them to (ENOMEM).
 * Pages that cannot be written elsewhere stay in memory; if that goes on, or
 * segments fail so that there is no place for all of them any more, it is EIO, too.
 * When the process is stopped and continued it begins anew: @moved_bytes is of what
 * came after that.
 *
 * The kernel also sends uevents, "change" of the device "defpager", with
 * DEFPAGER_DRAIN=begin, progress (once a second at most), and then one of end,
 * interrupted and failed; DEFPAGER_STORE=name; DEFPAGER_SEGMENT=id, left out
 * when a store is deleted; and DEFPAGER_MOVED_BYTES=number.  A request that is
 * refused sends none.
 *
 * Errors beyond the common ones:
 *
 *  - ENOENT: the store has no segment of this id.
 *  - ENOSPC: what was promised would not fit into what is left.
 *  - EBUSY: the segment is being removed already; or it is the last one of the
 *    store, objects are confined to the store that hold space, and there is no
 *    @target; or the store, or @target's, is being deleted.
 *  - EBADF: @target is neither -1 nor an open descriptor.
 *  - EINVAL: @target is a descriptor, but not of another backing store.
 *  - EINTR: a signal that was handled, or closing the descriptor, ended it early.
 *  - EIO: a page could not be read, or many could not be written elsewhere.
 */
struct defpager_segment_remove {
	__u32 size;
	__u32 flags;
	__u64 id;
	__s32 target;
	__u32 reserved;
	__u64 moved_bytes;
	__u64 error_object;
	__u64 error_offset;
};

/**
 * enum defpager_segment_state - state of a segment
 * @DEFPAGER_SEGMENT_ACTIVE: pages are written to it and read from it
 * @DEFPAGER_SEGMENT_DRAINING: it is being removed: no page gets a new place on
 *	it, and those that are there move away
 * @DEFPAGER_SEGMENT_FAILING: too many writes to it have failed, or its device
 *	does not answer or is gone: nothing is written to it any more, and its
 *	space does not count as free.  What it holds can be read as far as the
 *	device does that.  It becomes active again when a write that is tried
 *	from time to time succeeds; or it can be removed
 */
enum defpager_segment_state {
	DEFPAGER_SEGMENT_ACTIVE = 0,
	DEFPAGER_SEGMENT_DRAINING = 1,
	DEFPAGER_SEGMENT_FAILING = 2,
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
 * @total_bytes: out: the part of it that can hold pages: @free_bytes +
 *	@used_bytes + @bad_bytes
 * @used_bytes: out: the part of @total_bytes that holds pages
 * @bad_bytes: out: the part of @total_bytes retired after write errors
 * @pages_out: out: pages written to the segment
 * @pages_in: out: pages read from it
 * @free_bytes: out: the part of @total_bytes that holds nothing
 * @in_flight_bytes: out: on their way to or from it at this moment
 * @write_errors: out: pages whose write failed
 * @read_errors: out: pages whose read failed
 * @discarded_bytes: out: told to the device to be of no use any more
 * @checksum_errors: out: pages that came back other than they were written;
 *	they count in @read_errors, too
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
	__u64 free_bytes;
	__u64 in_flight_bytes;
	__u64 write_errors;
	__u64 read_errors;
	__u64 discarded_bytes;
	__u64 checksum_errors;
};

/**
 * enum defpager_page_flags - where pages of an object are
 * @DEFPAGER_PAGE_RESIDENT: in memory
 * @DEFPAGER_PAGE_DIRTY: in memory, and newer than what is on storage, as far
 *	as the kernel has noticed: writes through a mapping show late
 * @DEFPAGER_PAGE_STORED: on storage, in the segment that the row names
 * @DEFPAGER_PAGE_LOST: the content is lost because memory failed
 * @DEFPAGER_PAGE_UNREADABLE: on storage, but it was found that it cannot be
 *	read: access is an error
 */
enum defpager_page_flags {
	DEFPAGER_PAGE_RESIDENT = 1 << 0,
	DEFPAGER_PAGE_DIRTY = 1 << 1,
	DEFPAGER_PAGE_STORED = 1 << 2,
	DEFPAGER_PAGE_LOST = 1 << 3,
	DEFPAGER_PAGE_UNREADABLE = 1 << 4,
};

/**
 * struct defpager_page_range - a row of DEFPAGER_IOC_OBJECT_PAGES
 * @size: out: bytes of the row that are valid
 * @flags: out: &enum defpager_page_flags of all pages in the range
 * @offset: out: first byte of the range in the object
 * @length: out: its length in bytes, whole pages
 * @segment: out: id of the segment, with DEFPAGER_PAGE_STORED, else 0
 * @device_offset: out: first byte of the range on the segment's device, with
 *	DEFPAGER_PAGE_STORED, else 0: the range is contiguous there, too
 *
 * Pages that were never touched are in no row, nor are those behind the end of
 * the object.  A page that is promised space but neither in memory nor on
 * storage, because it was all zero, is in a row without flags.  In a listing
 * by &struct defpager_list, @start is the offset to begin at, in bytes, and
 * becomes the offset behind the last row; the first row may begin in the
 * middle of a range.  Ranges are as they are found, not merged across calls,
 * and may be out of date when they are read.
 */
struct defpager_page_range {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u64 segment;
	__u64 device_offset;
};

/**
 * enum defpager_seals - what an object is sealed against
 * @DEFPAGER_SEAL_SEAL: further seals
 * @DEFPAGER_SEAL_SHRINK: a smaller size
 * @DEFPAGER_SEAL_GROW: a larger size, and fallocate() behind the end
 * @DEFPAGER_SEAL_WRITE: any change of the content
 * @DEFPAGER_SEAL_FUTURE_WRITE: any change of the content but through mappings
 *	that exist
 *
 * The numbers and the meaning are those of F_SEAL_* in fcntl(2).
 */
enum defpager_seals {
	DEFPAGER_SEAL_SEAL = 1 << 0,
	DEFPAGER_SEAL_SHRINK = 1 << 1,
	DEFPAGER_SEAL_GROW = 1 << 2,
	DEFPAGER_SEAL_WRITE = 1 << 3,
	DEFPAGER_SEAL_FUTURE_WRITE = 1 << 4,
};

/**
 * struct defpager_object_seal - ioctl(DEFPAGER_IOC_OBJECT_SEAL)
 * @size: in: sizeof(struct defpager_object_seal)
 * @flags: in: must be 0
 * @add: in: &enum defpager_seals to add; 0 only fetches @seals
 * @seals: out: all seals of the object now, those just added included
 *
 * Fd: an object descriptor, open for writing if @add is not 0. Privilege: none.
 *
 * Stands for nothing in Mach; is what fcntl(F_ADD_SEALS) and fcntl(F_GET_SEALS)
 * are for a memfd, which the kernel does not let others implement.
 *
 * A seal concerns the object, whichever descriptor it is used through, and
 * cannot be taken back.  What a seal forbids fails with EPERM, for writing,
 * resizing, fallocate() and mapping.  DEFPAGER_SEAL_WRITE is refused while a
 * shared mapping exists that can be written to, or made so by mprotect(); and
 * while somebody, such as direct I/O, holds pages of the object, after waiting
 * for that for up to a second.  Shared mappings for reading are possible
 * afterwards, and cannot be made writable.  Private ones always are.
 *
 * A new object has no seal: who does not want others to add any adds
 * DEFPAGER_SEAL_SEAL before passing it on.
 *
 * Errors beyond the common ones:
 *
 *  - EINVAL: @add has a bit that is not defined.
 *  - EPERM: the descriptor is not open for writing, or the object has
 *    DEFPAGER_SEAL_SEAL.
 *  - EBUSY: DEFPAGER_SEAL_WRITE, as described above.
 */
struct defpager_object_seal {
	__u32 size;
	__u32 flags;
	__u32 add;
	__u32 seals;
};

/**
 * enum defpager_pageout_flags - flags of DEFPAGER_IOC_OBJECT_PAGEOUT
 * @DEFPAGER_PAGEOUT_OUT: send pages to storage, and free their memory
 * @DEFPAGER_PAGEOUT_IN: bring pages into memory that are on storage
 * @DEFPAGER_PAGEOUT_WAIT: return when that is done, not when it has begun
 */
enum defpager_pageout_flags {
	DEFPAGER_PAGEOUT_OUT = 1 << 0,
	DEFPAGER_PAGEOUT_IN = 1 << 1,
	DEFPAGER_PAGEOUT_WAIT = 1 << 2,
};

/**
 * struct defpager_object_pageout - ioctl(DEFPAGER_IOC_OBJECT_PAGEOUT)
 * @size: in: sizeof(struct defpager_object_pageout)
 * @flags: in: &enum defpager_pageout_flags: one of DEFPAGER_PAGEOUT_OUT and
 *	DEFPAGER_PAGEOUT_IN
 * @offset: in: first byte of a range of the object
 * @length: in: its length in bytes, 0: to the end of the object; all pages are
 *	meant that have a byte in the range, and what lies behind the end of
 *	the object does not matter
 * @resident_bytes: out: those of them that are in memory now (whole pages)
 * @dirty_bytes: out: those in memory that are newer than what is on storage,
 *	as far as the kernel has noticed
 *
 * Fd: an object descriptor, open for writing for DEFPAGER_PAGEOUT_OUT.
 * Privilege: none.
 *
 * Stands for memory_object_lock_request(), by which a memory manager had pages
 * returned to it, and vm_behavior_set() with VM_BEHAVIOR_WILLNEED.
 *
 * Never changes what the object contains.  Going out, pages are written if they
 * have to be, removed from all shared mappings and freed; those that are locked
 * (mlock), pinned by devices or direct I/O, or used all the time, stay.
 * Without DEFPAGER_PAGEOUT_WAIT, writing is begun, and pages that need none
 * are freed; the others are clean some time later, and cost nothing to
 * reclaim.  Coming in, no more memory is taken than is easily had: so pages may
 * be missing afterwards.  Pages that are on no storage are not brought in.
 *
 * A signal ends the call with EINTR, or it restarts; what was begun goes on.
 * Coming in, only a fatal signal ends the wait for a single page.
 *
 * Errors beyond the common ones:
 *
 *  - EBADF: DEFPAGER_PAGEOUT_OUT, and the descriptor is not open for writing.
 *  - EINVAL: @flags has none or both of the directions; @offset + @length
 *    exceeds 2^63 - 1.
 *  - EOPNOTSUPP: the object is resident-only (KERN_FAILURE).
 *  - EINTR: a signal arrived.
 *  - EIO: DEFPAGER_PAGEOUT_IN with DEFPAGER_PAGEOUT_WAIT, and a page could not
 *    be read; the others were.
 */
struct defpager_object_pageout {
	__u32 size;
	__u32 flags;
	__u64 offset;
	__u64 length;
	__u64 resident_bytes;
	__u64 dirty_bytes;
};

#endif /* _UAPI_LINUX_DEFPAGER_H */
