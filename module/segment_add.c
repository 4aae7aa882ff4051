// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adding segments.
 *
 * Each segment opens its device exclusively for itself; that keeps it from
 * being mounted or claimed by others for as long as the segment is there.
 * All exclusive opens share one holder, so that several segments may be on one
 * device.  That they do not overlap is checked here, in bytes on the disk.
 */
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "defpager.h"
#include "trace.h"

/* Its address is what claims a block device for us. */
char defpager_segment_holder;

/*
 * Segments that are being prepared, which takes as long as their devices take.
 * They have their range, and nothing else yet.  defpager_segments_lock.
 */
static LIST_HEAD(defpager_segments_coming);

/* --- the device and its range --------------------------------------------- */

/* First byte of a segment's range on the whole disk. */
static u64 defpager_disk_offset(struct block_device *bdev, u64 offset)
{
	return ((u64)get_start_sect(bdev) << SECTOR_SHIFT) + offset;
}

/*
 * Partitions are compared by where they are on their disk.  The disk of a
 * segment cannot go away and another take its address while we hold it open.
 */
static bool defpager_segment_meets(struct defpager_segment *other,
				   struct block_device *bdev, u64 offset,
				   u64 length)
{
	u64 start = defpager_disk_offset(other->bdev, other->offset_bytes);
	u64 first = defpager_disk_offset(bdev, offset);

	return other->bdev->bd_disk == bdev->bd_disk &&
	       first < start + other->length_bytes && start < first + length;
}

static bool defpager_segment_overlaps(struct block_device *bdev, u64 offset,
				      u64 length)
{
	struct defpager_segment *other;
	unsigned long id;

	lockdep_assert_held(&defpager_segments_lock);
	xa_for_each(&defpager_segments, id, other)
		if (defpager_segment_meets(other, bdev, offset, length))
			return true;
	list_for_each_entry(other, &defpager_segments_coming, list)
		if (defpager_segment_meets(other, bdev, offset, length))
			return true;
	return false;
}

/* Records to bytes; -EINVAL for whatever is no range of the device. */
static int defpager_segment_range(struct block_device *bdev,
				  const struct defpager_segment_add *arg,
				  u64 *offset, u64 *length)
{
	unsigned int block = bdev_logical_block_size(bdev);
	u64 end;

	/* Who had it open when it was pulled out still has a descriptor. */
	if (!bdev_nr_bytes(bdev))
		return -ENXIO;
	/*
	 * Pages may change while they are being written, and are written
	 * again in place.
	 */
	if (block > PAGE_SIZE || bdev_stable_writes(bdev) ||
	    bdev_is_zoned(bdev))
		return -EOPNOTSUPP;
	if (!arg->record_size || arg->record_size > DEFPAGER_MAX_RECORD_SIZE ||
	    arg->record_size % block || !arg->count)
		return -EINVAL;
	if (check_mul_overflow(arg->offset, (u64)arg->record_size, offset) ||
	    check_mul_overflow(arg->count, (u64)arg->record_size, length) ||
	    check_add_overflow(*offset, *length, &end) ||
	    end > bdev_nr_bytes(bdev))
		return -EINVAL;
	if (round_down(end, PAGE_SIZE) < round_up(*offset, PAGE_SIZE) +
					 PAGE_SIZE)
		return -EINVAL;
	return 0;
}

/* What the descriptor is, before anything is asked of the device. */
static struct block_device *defpager_segment_device(struct file *file)
{
	struct block_device *bdev;

	if (!S_ISBLK(file_inode(file)->i_mode))
		return ERR_PTR(-ENOTBLK);
	if (!(file->f_mode & FMODE_READ) || !(file->f_mode & FMODE_WRITE))
		return ERR_PTR(-EBADF);
	bdev = I_BDEV(file->f_mapping->host);
	if (bdev_read_only(bdev))
		return ERR_PTR(-EROFS);
	return bdev;
}

/* --- adding --------------------------------------------------------------- */

static struct defpager_segment *
defpager_segment_create(struct defpager_store *store, struct block_device *bdev,
			u64 diskseq, u64 offset, u64 length)
{
	u64 first = round_up(offset, PAGE_SIZE);
	u64 nr = (round_down(offset + length, PAGE_SIZE) - first) >> PAGE_SHIFT;
	struct defpager_segment *segment;
	int ret;

	/* Whatever else there is: nothing of so much need be allocated. */
	if (nr > (u64)(DEFPAGER_NR_GRANULES - 1) << DEFPAGER_GRANULE_SHIFT)
		return ERR_PTR(-ENOSPC);
	segment = kzalloc(sizeof(*segment), GFP_KERNEL_ACCOUNT);
	if (!segment)
		return ERR_PTR(-ENOMEM);
	segment->bdev_file = bdev_file_open_by_dev(bdev->bd_dev,
					BLK_OPEN_READ | BLK_OPEN_WRITE,
					&defpager_segment_holder, NULL);
	if (IS_ERR(segment->bdev_file)) {
		ret = PTR_ERR(segment->bdev_file);
		goto err_free;
	}
	segment->store = store;
	segment->bdev = file_bdev(segment->bdev_file);
	segment->diskseq = diskseq;
	/* The number may be another device's by now, or the medium another. */
	ret = segment->bdev != bdev || defpager_medium_changed(segment) ?
		-ENXIO : 0;
	if (ret)
		goto err_close;
	segment->offset_bytes = offset;
	segment->length_bytes = length;
	segment->first_sector = first >> SECTOR_SHIFT;
	ret = defpager_slots_init(&segment->slots, nr, store->cluster_shift,
				  defpager_store_discards(store) &&
				  bdev_max_discard_sectors(segment->bdev));
	if (ret)
		goto err_close;
	defpager_discard_init(segment);
	defpager_fail_init(segment);
	return segment;

err_close:
	bdev_fput(segment->bdev_file);
err_free:
	kfree(segment);
	return ERR_PTR(ret);
}

static void defpager_empty_cache(struct block_device *bdev)
{
	sync_blockdev(bdev);
	invalidate_bdev(bdev);
}

/* Whoever has one open may have written to it; it can go at any moment. */
static void defpager_empty_partition_caches(struct gendisk *disk)
{
	struct block_device *part;
	unsigned long number = 0; /* that of the disk itself */
	struct inode *inode;

	do {
		rcu_read_lock();
		part = xa_find_after(&disk->part_tbl, &number, ULONG_MAX,
				     XA_PRESENT);
		inode = part ? igrab(part->bd_mapping->host) : NULL;
		rcu_read_unlock();
		if (!inode)
			continue;
		defpager_empty_cache(part);
		iput(inode);
	} while (part);
}

/*
 * What is still dirty in the device's own page cache must not be written over
 * our pages later, nor be read in place of them.  A partition and its disk have
 * caches of their own, of the same sectors.
 */
static int defpager_segment_prepare(struct defpager_segment *segment,
				    u32 flags)
{
	defpager_empty_cache(segment->bdev);
	if (bdev_is_partition(segment->bdev))
		defpager_empty_cache(bdev_whole(segment->bdev));
	else
		defpager_empty_partition_caches(segment->bdev->bd_disk);
	if (!(flags & DEFPAGER_SEGMENT_DISCARD))
		return 0;
	return defpager_discard_all(segment);
}

/* May there be such a segment, as far as others are concerned? */
static int defpager_segment_allowed(struct defpager_store *store,
				    struct block_device *bdev, u64 offset,
				    u64 length)
{
	int ret = defpager_store_usable(store);

	if (!ret && defpager_segment_overlaps(bdev, offset, length))
		ret = -EINVAL;
	return ret;
}

/*
 * To open a device may take long, and is not done with the lock held.  So what
 * others have is looked at before, for the right error, and when it is claimed.
 */
static struct defpager_segment *
defpager_segment_open(struct defpager_store *store, struct block_device *bdev,
		      const struct defpager_segment_add *arg)
{
	u64 diskseq = READ_ONCE(bdev->bd_disk->diskseq);
	struct defpager_segment *segment;
	u64 offset, length;
	int ret;

	/* Of the medium that is in there now. */
	ret = defpager_segment_range(bdev, arg, &offset, &length);
	if (ret)
		return ERR_PTR(ret);
	mutex_lock(&defpager_segments_lock);
	ret = defpager_segment_allowed(store, bdev, offset, length);
	mutex_unlock(&defpager_segments_lock);
	if (ret)
		return ERR_PTR(ret);
	segment = defpager_segment_create(store, bdev, diskseq, offset, length);
	if (!IS_ERR(segment))
		segment->record_size = arg->record_size;
	return segment;
}

/* Nobody else gets the range from here. */
static int defpager_segment_claim(struct defpager_segment *segment)
{
	int ret;

	mutex_lock(&defpager_segments_lock);
	ret = defpager_segment_allowed(segment->store, segment->bdev,
				       segment->offset_bytes,
				       segment->length_bytes);
	if (!ret)
		list_add(&segment->list, &defpager_segments_coming);
	mutex_unlock(&defpager_segments_lock);
	return ret;
}

/* As soon as the lock is given back, it may be removed again. */
static void defpager_segment_answer(struct defpager_segment *segment,
				    struct defpager_segment_add *arg)
{
	u64 offset = segment->offset_bytes;

	lockdep_assert_held(&defpager_segments_lock);
	trace_defpager_segment_add(segment);
	arg->id = segment->id;
	arg->usable_bytes = segment->slots.nr << PAGE_SHIFT;
	arg->unused_head = round_up(offset, PAGE_SIZE) - offset;
	arg->unused_tail = segment->length_bytes - arg->unused_head -
			   arg->usable_bytes;
}

/* @ret: an error that has happened to it since it was claimed, or 0. */
static int defpager_segment_finish(struct defpager_segment *segment,
				   struct defpager_segment_add *arg, int ret)
{
	mutex_lock(&defpager_segments_lock);
	list_del(&segment->list);
	/* Somebody may have begun to delete it meanwhile. */
	if (!ret)
		ret = defpager_store_usable(segment->store);
	if (!ret)
		ret = defpager_segment_publish(segment);
	if (!ret)
		defpager_segment_answer(segment, arg);
	mutex_unlock(&defpager_segments_lock);
	return ret;
}

/* Everything but the descriptor's kind. */
static int __defpager_segment_add(struct defpager_store *store,
				  struct block_device *bdev,
				  struct defpager_segment_add *arg)
{
	struct defpager_segment *segment;
	int ret;

	segment = defpager_segment_open(store, bdev, arg);
	if (IS_ERR(segment))
		return PTR_ERR(segment);
	ret = defpager_segment_claim(segment);
	if (!ret) {
		ret = defpager_segment_prepare(segment, arg->flags);
		ret = defpager_segment_finish(segment, arg, ret);
	}
	if (ret)
		defpager_segment_destroy(segment);
	return ret;
}

/**
 * defpager_segment_add() - add a range of a block device to a store
 * @store: the store
 * @arg: the request, checked here; its output fields are set on success
 *
 * Return: 0 or a negative errno, see &struct defpager_segment_add.
 */
int defpager_segment_add(struct defpager_store *store,
			 struct defpager_segment_add *arg)
{
	struct block_device *bdev;
	struct file *file;
	int ret;

	/* fget() does not find O_PATH descriptors: they are EBADF. */
	file = fget(arg->device);
	if (!file)
		return -EBADF;
	bdev = defpager_segment_device(file);
	if (IS_ERR(bdev))
		ret = PTR_ERR(bdev);
	else
		ret = __defpager_segment_add(store, bdev, arg);
	fput(file);
	return ret;
}
