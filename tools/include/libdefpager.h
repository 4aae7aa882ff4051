/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libdefpager: the default pager's requests as C functions.
 *
 * Each function is one request of <linux/defpager.h>, which describes the
 * structs; what is said there about fields is not repeated here.  A program
 * that wants a gigabyte which may go to the pager's disks:
 *
 *	struct defpager_object_create create = {
 *		.size = sizeof(create),
 *		.object_size = 1ULL << 30,
 *		.backing_store = -1,
 *		.name = "cache",
 *	};
 *	int pager = libdefpager_open();
 *	int object = libdefpager_object_create(pager, &create);
 *
 *	p = mmap(NULL, create.object_size, PROT_READ | PROT_WRITE, MAP_SHARED,
 *		 object, 0);
 *
 * (A failed libdefpager_open() needs no check of its own there: the next call
 * then returns -EBADF.)
 *
 * For all functions:
 *
 *  - The result is 0 or more on success, a negative errno value on failure.
 *    errno itself may change and means nothing.  Nothing is printed.
 *  - On failure nothing has changed, and what is passed by address is as it
 *    was, unless the function says otherwise.
 *  - Structs start with their size, which the caller sets: with
 *    "= { .size = sizeof(x) }" all else is zero, as fields and flags that the
 *    caller does not know must be.  This is what lets a program, this library
 *    and the kernel be of different age.
 *  - Descriptors are capabilities: who holds one may use it.  They are
 *    close-on-exec, and closed with close(2).
 *  - There is no state: the functions can be called from several threads.
 *
 * Errors of all functions, not repeated below:
 *
 *  - -EBADF: the descriptor passed is not open.
 *  - -ENOTTY: it is not of the kind the function needs, or the kernel's pager
 *    is older than the request.
 *  - -EINVAL: the struct's size is too small or a flag is not known, or a
 *    field which must be 0 is not.
 *  - -E2BIG: the struct is longer than the kernel knows, and the surplus is
 *    not zero: the kernel cannot do what is asked for.
 *  - -EFAULT: an address is not accessible.
 *  - -ENOMEM: the kernel has no memory for the request.
 */
#ifndef LIBDEFPAGER_H
#define LIBDEFPAGER_H

#include <linux/defpager.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What libdefpager_open() opens. */
#define LIBDEFPAGER_DEVICE	"/dev/defpager"

/**
 * libdefpager_open() - get at the default pager
 *
 * Opens LIBDEFPAGER_DEVICE for reading and writing: the default pager port,
 * which host_default_memory_manager() gave out.  Sequence numbers
 * (DEFPAGER_OBJECT_SEQNO) count from 0 for each open.
 *
 * Privilege: that of the device node.
 *
 * Return: a descriptor, or
 *  - -ENOENT, -ENODEV, -ENXIO: there is no pager: the module is not loaded.
 *  - -EACCES, -EPERM: the device node does not permit it.
 *  - -EMFILE, -ENFILE: no descriptor, or no file, is left.
 */
int libdefpager_open(void);

/**
 * libdefpager_info() - features, limits and totals of the pager
 * @pager: from libdefpager_open()
 * @info: in: size, flags (0); out: all else, amounts in bytes and counters
 *	in pages of info->page_size bytes
 *
 * Stands for default_pager_info() and default_pager_info_64().
 * Privilege: none.  Return: 0, or a common error.
 */
int libdefpager_info(int pager, struct defpager_info *info);

/**
 * libdefpager_object_create() - create a memory object
 * @pager: from libdefpager_open()
 * @create: in: size, flags, object_size in bytes (1 to max_object_size of
 *	&struct defpager_info), backing_store (-1 for the pager's choice),
 *	name, and seqno with DEFPAGER_OBJECT_SEQNO; out: fd
 *
 * Stands for default_pager_object_create(), and with DEFPAGER_OBJECT_SEQNO
 * for seqnos_default_pager_object_create().
 *
 * The object is zero-filled and anonymous: map it, read it, write it, pass it
 * over a socket; it and its storage are gone with the last descriptor and
 * mapping.  Space is promised to a page when it is first touched: if there is
 * none, write(2) fails with ENOSPC and a mapping raises SIGBUS, until a
 * segment is added.  With DEFPAGER_OBJECT_RESERVE, space for all of the object is
 * promised at once; with DEFPAGER_OBJECT_RESIDENT, its pages stay in memory and
 * need none.
 *
 * With DEFPAGER_OBJECT_SEQNO the call waits until all lower numbers have had
 * their turn at this open of the device.  The number is used up even if the
 * call then fails, unless it fails with -EINTR, -EFAULT, -E2BIG or for the
 * size of the struct.
 *
 * Privilege: none beyond the descriptors.
 *
 * Return: the object's descriptor, the same as in create->fd, or
 *  - -EINVAL: object_size is 0 or too large; the name is not terminated, not
 *    all zero behind its end, or has a control character or a '/'; seqno was
 *    used already, is 2^64 - 1, or is not 0 without the flag; backing_store
 *    is a descriptor of something else; DEFPAGER_OBJECT_RESIDENT is combined
 *    with DEFPAGER_OBJECT_RESERVE or with a backing_store.
 *  - -ENOSPC, -EDQUOT: DEFPAGER_OBJECT_RESERVE, and there is not as much space,
 *    or a limit of the store allows less.
 *  - -EBUSY: the store of backing_store is being deleted.
 *  - -EBADF: backing_store is neither -1 nor an open descriptor.
 *  - -EINTR: a signal ended the wait for the turn.
 *  - -EMFILE, -ENFILE: no descriptor, or no file, is left.
 */
int libdefpager_object_create(int pager,
			      struct defpager_object_create *create);

/**
 * libdefpager_objects() - list the memory objects that exist
 * @pager: from libdefpager_open()
 * @row: called for each, in ascending order of id; the row is valid during
 *	the call, its first row->size bytes are those that mean something
 * @context: passed to @row
 *
 * Stands for default_pager_objects().
 *
 * A result of @row other than 0 ends the listing and is returned.  @row may do
 * anything, create and close objects included; what comes or goes meanwhile
 * may be missed.  If an error ends the listing, @row may have been called.
 *
 * Privilege: none.  Return: 0, what @row returned, or a common error.
 */
int libdefpager_objects(int pager,
			int (*row)(const struct defpager_object_info *info,
				   void *context),
			void *context);

/**
 * libdefpager_object_info() - size and place of one memory object
 * @object: from libdefpager_object_create(), or passed by who has it
 * @info: in: size, flags (0); out: all else, amounts in bytes
 *
 * The part of default_pager_object_pages() that can be had at once.
 * Privilege: none.  Return: 0, or a common error.
 */
int libdefpager_object_info(int object, struct defpager_object_info *info);

/**
 * libdefpager_object_pages() - where the pages of a memory object are
 * @object: from libdefpager_object_create(), or passed by who has it
 * @row: called for each range of pages which are at the same place, in
 *	ascending order of offset; the row is valid during the call, its first
 *	row->size bytes are those that mean something
 * @context: passed to @row
 *
 * Stands for default_pager_object_pages().
 *
 * Pages that were never touched are in no range.  A result of @row other than
 * 0 ends the listing and is returned.  If an error ends it, @row may have been
 * called.  What is listed may be out of date at once.
 *
 * Privilege: none.  Return: 0, what @row returned, or a common error.
 */
int libdefpager_object_pages(int object,
			     int (*row)(const struct defpager_page_range *info,
					void *context),
			     void *context);

/**
 * libdefpager_object_seal() - add seals to a memory object
 * @object: from libdefpager_object_create(), or passed by who has it
 * @seal: in: size, flags (0), add (enum defpager_seals, 0 only fetches);
 *	out: seals
 *
 * Privilege: none, but @object is open for writing unless add is 0.
 *
 * Return: 0, a common error, or
 *
 *  - -EINVAL: there is no such seal.
 *  - -EPERM: @object is not open for writing, or is sealed against more seals.
 *  - -EBUSY: DEFPAGER_SEAL_WRITE, and somebody may be writing.
 */
int libdefpager_object_seal(int object, struct defpager_object_seal *seal);

/**
 * libdefpager_object_pageout() - page part of a memory object out or in
 * @object: from libdefpager_object_create(), or passed by who has it
 * @pageout: in: size, flags (enum defpager_pageout_flags), offset, length in
 *	bytes (0: to the end); out: resident_bytes, dirty_bytes of the range
 *
 * Privilege: none, but @object is open for writing to page out.
 *
 * Return: 0, a common error, or
 *
 *  - -EBADF: @object is not open for writing.
 *  - -EOPNOTSUPP: the object is resident-only.
 *  - -EINTR: a signal arrived; what was begun goes on.
 *  - -EIO: a page could not be read; the others were.
 */
int libdefpager_object_pageout(int object,
			       struct defpager_object_pageout *pageout);

/**
 * libdefpager_backing_store_open() - get at a backing store
 * @pager: from libdefpager_open()
 * @name: its name; NULL means DEFPAGER_DEFAULT_STORE, which always exists
 *
 * The descriptor is needed to add, list and remove segments, for alerts, and to
 * create objects confined to the store.  Nothing is created.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: a descriptor, or
 *  - -ENOENT: there is no backing store of that name.
 *  - -ENAMETOOLONG: the name has DEFPAGER_NAME_SIZE bytes or more.
 *  - -EPERM: the privilege is missing.
 *  - -EMFILE, -ENFILE: no descriptor, or no file, is left.
 */
int libdefpager_backing_store_open(int pager, const char *name);

/**
 * libdefpager_backing_store_create() - create a backing store
 * @pager: from libdefpager_open()
 * @create: in: size, flags (&enum defpager_backing_store_flags), priority
 *	(higher ones are used first), cluster_bytes (a power of two, or 0 for
 *	DEFPAGER_DEFAULT_CLUSTER_SIZE), name; out: fd
 *
 * Stands for default_pager_backing_store_create().  The store has no segment
 * to begin with, and stays until it is deleted or the module is unloaded.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: a descriptor, the same as in create->fd, or
 *  - -EEXIST: there is a backing store of that name.
 *  - -EINVAL: cluster_bytes is not a power of two, less than a page or above
 *    DEFPAGER_MAX_CLUSTER_SIZE; the name is empty, "." or "..", has a control
 *    character or a '/', is not terminated or not all zero behind its end.
 *  - -EOPNOTSUPP: the kernel lacks an algorithm that a flag asks for.
 *  - -EPERM: the privilege is missing.
 *  - -EMFILE, -ENFILE: no descriptor, or no file, is left.
 */
int libdefpager_backing_store_create(int pager,
				     struct defpager_backing_store_create *create);

/**
 * libdefpager_backing_store_delete() - remove all segments, then the store
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @request: in: size, flags (0), target (a descriptor of the store which takes
 *	over the objects confined to this one, or -1); out, with -EINTR and
 *	-EIO: error_object and error_offset, the first page found that could
 *	not be read, or error_object 0
 *
 * Stands for default_pager_backing_store_delete().  Waits until all pages have
 * moved elsewhere, while all else goes on.  After -EINTR and -EIO the store is
 * still there, with fewer pages and perhaps fewer segments and objects.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: 0, or
 *  - -EBUSY: it is the store "default", a segment of it is being removed,
 *    objects are being created in it, or objects are confined to it and
 *    target is -1.
 *  - -ENOSPC: what it holds does not fit elsewhere.
 *  - -EINVAL, -EBADF: target is not -1 and no descriptor of another store.
 *  - -EINTR: a signal, or closing the descriptor, ended it early.
 *  - -EIO: a page could not be read, or many could not be written elsewhere.
 *  - -ENODEV: the store was deleted before.
 *  - -EPERM: the privilege is missing.
 */
int libdefpager_backing_store_delete(int backing_store,
				     struct defpager_backing_store_delete *request);

/**
 * libdefpager_backing_stores() - list the backing stores
 * @pager: from libdefpager_open()
 * @row: called for each, in ascending order of id; the row is valid during
 *	the call, its first row->size bytes are those that mean something
 * @context: passed to @row
 *
 * A result of @row other than 0 ends the listing and is returned.  If an error
 * ends it, @row may have been called.
 *
 * Privilege: none.  Return: 0, what @row returned, or a common error.
 */
int libdefpager_backing_stores(int pager,
			       int (*row)(const struct defpager_backing_store_info *info,
					  void *context),
			       void *context);

/**
 * libdefpager_backing_store_alert() - be told when space gets short
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @alert: in: size, flags (DEFPAGER_ALERT_LOW, DEFPAGER_ALERT_HIGH, or 0 to
 *	disarm), low_bytes and high_bytes of free space; out: fired, the events
 *	since the last call, and free_bytes
 *
 * Stands for default_pager_triggers().  When an event has fired, poll(2) on the
 * descriptor says POLLPRI until this is called again, which arms the alert
 * anew.  A low alert fires at once if there is less space already, so that
 * nothing is missed in between.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: 0, or
 *  - -EINVAL: high_bytes is less than low_bytes.
 *  - -ENODEV: the store has been deleted.
 *  - -EPERM: the privilege is missing.
 */
int libdefpager_backing_store_alert(int backing_store,
				    struct defpager_backing_store_alert *alert);

/**
 * libdefpager_backing_store_limit() - limit what one client may take
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @limit: in: size, flags (DEFPAGER_LIMIT_OBJECT, DEFPAGER_LIMIT_USER: which
 *	to set; 0 only fetches them), object_bytes and user_bytes (0: no limit);
 *	out: old_object_bytes, old_user_bytes
 *
 * The limits are of the space promised to one object, and to all objects that
 * one user owns, of those confined to the store; the limits of the store
 * DEFPAGER_DEFAULT_STORE are also those of objects which are confined to none.
 * What exceeds one fails with EDQUOT, or SIGBUS through a mapping.  What was
 * promised before stays so.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: 0, or
 *  - -EINVAL: a limit is not 0, but less than a page; or its flag is not set.
 *  - -ENODEV: the store has been deleted.
 *  - -EPERM: the privilege is missing.
 */
int libdefpager_backing_store_limit(int backing_store,
				    struct defpager_backing_store_limit *limit);

/**
 * libdefpager_backing_store_info() - state of a backing store
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @info: in: size, flags (0); out: all else, amounts in bytes
 *
 * Stands for default_pager_backing_store_info().
 * Privilege: none beyond the descriptor.  Return: 0, or a common error.
 */
int libdefpager_backing_store_info(int backing_store,
				   struct defpager_backing_store_info *info);

/**
 * libdefpager_segment_add() - give a range of a block device to the pager
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @add: in: size, flags (DEFPAGER_SEGMENT_DISCARD to TRIM the range first),
 *	device (a descriptor open for reading and writing, which may be closed
 *	afterwards), record_size in bytes, offset and count in records; out:
 *	id, and in bytes: usable_bytes, unused_head, unused_tail
 *
 * Stands for default_pager_add_segment().
 *
 * What the range holds will be overwritten, and neither this function nor the
 * kernel looks at it first: a program should, for example with libblkid.  The
 * device is claimed from then on, and the segment stays until it is removed or
 * the module is unloaded.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: 0, or
 *  - -EBADF: device is not an open descriptor, or not open for both reading
 *    and writing.
 *  - -ENOTBLK: device is not a block device.
 *  - -EROFS: device is read-only.
 *  - -EINVAL: record_size is 0, above DEFPAGER_MAX_RECORD_SIZE or not a
 *    multiple of the device's logical block size; count is 0; the range does
 *    not lie within the device, holds no whole aligned page, or overlaps a
 *    segment on the same disk.
 *  - -EOPNOTSUPP: the device's logical block is larger than a page, or the
 *    device is zoned, or needs what is being written not to change, or cannot
 *    discard and was asked to.
 *  - -EBUSY: device is mounted, used as swap or claimed by somebody else; or the
 *    store is being deleted.
 *  - -EIO: device could not be discarded, or only in part.
 *  - -ENODEV, -ENXIO: device is gone.
 *  - -ENOSPC: the pager cannot address more space.
 *  - -EPERM: the privilege is missing.
 */
int libdefpager_segment_add(int backing_store,
			    struct defpager_segment_add *add);

/**
 * libdefpager_segment_remove() - take a range of a device back
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @request: in: size, flags (0), id (of the segment), target (a descriptor of
 *	the store which takes over the objects confined to this one, or -1);
 *	out, also with -EINTR and -EIO: moved_bytes; with these two:
 *	error_object and error_offset, the first page found that could not be
 *	read, or error_object 0
 *
 * Waits until all pages of the segment have moved to others, while all else
 * goes on: used_bytes of libdefpager_segments() tells how far it is.  Then the
 * device is free.  After -EINTR and -EIO the segment is in use as before, with
 * fewer pages; objects that have become confined to target stay so.
 *
 * Privilege: CAP_SYS_ADMIN in the initial user namespace.
 *
 * Return: 0, or
 *  - -ENOENT: the store has no such segment.
 *  - -ENOSPC: what it holds does not fit elsewhere.
 *  - -EBUSY: it is being removed already, or it is the last one of a store
 *    with confined objects that hold space, and target is -1.
 *  - -EINVAL, -EBADF: target is not -1 and no descriptor of another store.
 *  - -EINTR: a signal, or closing the descriptor, ended it early.
 *  - -EIO: a page could not be read, or many could not be written elsewhere.
 *  - -ENODEV: the store has been deleted.
 *  - -EPERM: the privilege is missing.
 */
int libdefpager_segment_remove(int backing_store,
			       struct defpager_segment_remove *request);

/**
 * libdefpager_segments() - list the segments of a backing store
 * @backing_store: from libdefpager_backing_store_open() or _create()
 * @row: called for each, in ascending order of id; the row is valid during
 *	the call, its first row->size bytes are those that mean something
 * @context: passed to @row
 *
 * A result of @row other than 0 ends the listing and is returned.  If an error
 * ends it, @row may have been called.
 *
 * Privilege: none beyond the descriptor.
 * Return: 0, what @row returned, or a common error.
 */
int libdefpager_segments(int backing_store,
			 int (*row)(const struct defpager_segment_info *info,
				    void *context),
			 void *context);

#ifdef __cplusplus
}
#endif

#endif /* LIBDEFPAGER_H */
