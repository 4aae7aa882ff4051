// SPDX-License-Identifier: GPL-2.0-only
/* What each errno of each operation means to a person, and what to do. */
#include <errno.h>
#include <string.h>

#include "defpager.h"

struct reason {
	int error;
	const char *text;
};

#define AS_ROOT "needs CAP_SYS_ADMIN; run this as root, outside of a container"

/* Each table ends with an error of 0. */

static const struct reason pager_open_reasons[] = {
	{ ENOENT, "does not exist; is the module loaded (modprobe defpager), "
		  "or, in a container, was it given the device?" },
	{ ENODEV, "has no driver; is the module loaded? (modprobe defpager)" },
	{ ENXIO, "has no driver; is the module loaded? (modprobe defpager)" },
	{ EACCES, "you may not use it; be root or a member of the group that "
		  "owns it (ls -l /dev/defpager)" },
	{ EPERM, "this process may not use it; a container has to be given "
		 "the device" },
	{ }
};

static const struct reason info_reasons[] = {
	{ }
};

static const struct reason object_create_reasons[] = {
	{ EINVAL, "the pager refuses the object; its size must be 1 byte up "
		  "to \"Largest object\" (defpager info --bytes), and its name "
		  "free of slashes and control characters" },
	{ EBUSY, "its backing store is being deleted" },
	{ EINTR, "interrupted" },
	{ }
};

static const struct reason object_pages_reasons[] = {
	{ ENOTTY, "is no memory object, or the loaded module does not know the "
		  "request (modinfo defpager)" },
	{ }
};

static const struct reason objects_reasons[] = {
	{ }
};

static const struct reason backing_store_open_reasons[] = {
	{ ENOENT, "there is no backing store of that name (defpager "
		  "stores)" },
	{ ENAMETOOLONG, "the name is too long for a backing store" },
	{ EINVAL, "this cannot be the name of a backing store" },
	{ EPERM, "using a backing store " AS_ROOT
		 " (what is to be seen without is "
		 "in /sys/class/misc/defpager/stores)" },
	{ }
};

static const struct reason backing_store_create_reasons[] = {
	{ EEXIST, "there is a backing store of that name already (defpager "
		  "stores)" },
	{ EINVAL, "this cannot be the name of a backing store: no slashes and "
		  "control characters, and not empty, \".\" or \"..\"" },
	{ ENAMETOOLONG, "the name is too long for a backing store; 63 bytes "
			"are possible" },
	{ EOPNOTSUPP, "the kernel has no CRC-32C for checksums, or no AES in "
		      "XTS mode for encryption (/proc/crypto)" },
	{ EPERM, "creating a backing store " AS_ROOT },
	{ }
};

static const struct reason backing_store_delete_reasons[] = {
	{ EBUSY, "cannot be deleted: it is \"default\", or something else is "
		 "removing a segment of it, or objects are confined to it "
		 "(defpager objects), for which --target names another store" },
	{ ENOSPC, "what it holds does not fit elsewhere; add a segment to "
		  "another store first (defpager stores)" },
	{ EINVAL, "the target must be another backing store" },
	{ EINTR, "interrupted; it is in use as before, with what has not yet "
		 "moved" },
	{ EIO, "pages cannot be written elsewhere, and stay in memory; the "
	       "kernel's log says what is wrong with the other segments" },
	{ ENODEV, "has been deleted already" },
	{ EPERM, "deleting a backing store " AS_ROOT },
	{ }
};

static const struct reason backing_store_limit_reasons[] = {
	{ EINVAL, "a limit must be at least a page" },
	{ EPERM, "limiting a backing store " AS_ROOT },
	{ }
};

static const struct reason backing_stores_reasons[] = {
	{ }
};

static const struct reason device_open_reasons[] = {
	{ ENOENT, "no such device (lsblk lists them)" },
	{ ENOTDIR, "no such device (lsblk lists them)" },
	{ EACCES, "you may not read and write it; run this as root" },
	{ EPERM, "this process may not read and write it; run this as root, "
		 "outside of a container" },
	{ EROFS, "is read-only (blockdev --getro)" },
	{ ENOTBLK, "is not a block device; losetup makes one of a file" },
	{ EISDIR, "is a directory, not a block device" },
	{ EBUSY, "is in use by another driver; release it first (lsblk)" },
	{ ENODEV, "there is no such device any more" },
	{ ENXIO, "there is no such device any more" },
	{ ENOMEDIUM, "has no medium" },
	{ }
};

static const struct reason segment_add_reasons[] = {
	{ EINVAL, "the range overlaps a segment on the same disk (defpager "
		  "segments), or does not hold a whole aligned page" },
	{ EBUSY, "is mounted, used as swap, claimed by another driver, or a "
		 "segment already; release it first (lsblk, swapon --show, "
		 "defpager segments); or the backing store is being deleted" },
	{ EIO, "did not discard what it was asked to (the kernel's log); add "
	       "it without --discard, or use another device" },
	{ EPERM, "adding a segment " AS_ROOT },
	{ EROFS, "is read-only (blockdev --getro)" },
	{ ENOTBLK, "is not a block device; losetup makes one of a file" },
	{ EOPNOTSUPP, "the pager does not support the device: its logical "
		      "block is larger than a page (blockdev --getss), or it is "
		      "zoned, or it computes checksums and needs pages not to "
		      "change while they are written (queue/stable_writes in "
		      "sysfs), or it cannot discard (lsblk --discard)" },
	{ ENOSPC, "the pager cannot address more space; its segments can hold "
		  "4 PiB together" },
	{ ENODEV, "the device is gone" },
	{ ENXIO, "the device is gone" },
	{ }
};

static const struct reason segment_remove_reasons[] = {
	{ ENOENT, "is gone already" },
	{ ENOSPC, "what it holds does not fit elsewhere; add another segment "
		  "first (defpager stores)" },
	{ EBUSY, "is being removed already, or is the last one of a store to "
		 "which objects are confined (defpager objects), for which "
		 "--target names another store" },
	{ EINVAL, "the target must be another backing store" },
	{ EINTR, "interrupted; it is in use as before" },
	{ EIO, "pages cannot be written elsewhere, and stay in memory; the "
	       "kernel's log says what is wrong with the other segments" },
	{ EPERM, "removing a segment " AS_ROOT },
	{ }
};

static const struct reason segments_reasons[] = {
	{ }
};

/* What the kernel may say to any request. */
static const struct reason common_reasons[] = {
	{ EPERM, "not permitted; run this as root, outside of a container" },
	{ ENODEV, "the backing store has been deleted" },
	{ ENOMEM, "the kernel has no memory for this; free some and try "
		  "again" },
	{ EDQUOT, "it would exceed a limit of the backing store, of one object "
		  "or of one user (defpager store-limit)" },
	{ ENOTTY, "the loaded module does not know this request; it must be "
		  "as new as this tool (modinfo defpager)" },
	{ E2BIG, "the loaded module does not know all of this request; it must "
		 "be as new as this tool (modinfo defpager)" },
	{ EMFILE, "too many open files in this process (ulimit -n)" },
	{ ENFILE, "too many open files in the system (sysctl fs.file-max)" },
	{ }
};

static const struct reason *const reasons[] = {
	[OP_PAGER_OPEN] = pager_open_reasons,
	[OP_INFO] = info_reasons,
	[OP_OBJECT_CREATE] = object_create_reasons,
	[OP_OBJECT_PAGES] = object_pages_reasons,
	[OP_OBJECTS] = objects_reasons,
	[OP_BACKING_STORE_CREATE] = backing_store_create_reasons,
	[OP_BACKING_STORE_DELETE] = backing_store_delete_reasons,
	[OP_BACKING_STORE_LIMIT] = backing_store_limit_reasons,
	[OP_BACKING_STORE_OPEN] = backing_store_open_reasons,
	[OP_BACKING_STORES] = backing_stores_reasons,
	[OP_DEVICE_OPEN] = device_open_reasons,
	[OP_SEGMENT_ADD] = segment_add_reasons,
	[OP_SEGMENT_REMOVE] = segment_remove_reasons,
	[OP_SEGMENTS] = segments_reasons,
};

static const char *find_reason(const struct reason *reason, int error)
{
	for (; reason->error; reason++)
		if (reason->error == error)
			return reason->text;
	return NULL;
}

void explain(enum operation operation, const char *subject, int error)
{
	const char *text = find_reason(reasons[operation], -error);

	if (!text)
		text = find_reason(common_reasons, -error);
	if (!text)
		text = strerror(-error);
	complain("%s: %s", subject, text);
}
