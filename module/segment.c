// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments: ranges of block devices that hold paged-out pages.
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
#include <linux/rculist.h>
#include <linux/slab.h>

#include "defpager.h"
#include "trace.h"

DEFINE_MUTEX(defpager_segments_lock);

/* Its address is what claims a block device for us. */
char defpager_segment_holder;

/* All segments; under defpager_segments_lock. */
static LIST_HEAD(defpager_segments);
static u64 defpager_next_segment_id = 1;

/* Granule of slot numbers to segment, and the first granule not given out. */
static DEFINE_XARRAY(defpager_granules);
static unsigned long defpager_next_granule = 1;

struct defpager_segment *defpager_segment_of(u64 slot)
{
	return xa_load(&defpager_granules, slot >> DEFPAGER_GRANULE_SHIFT);
}

sector_t defpager_segment_sector(struct defpager_segment *segment, u64 slot)
{
	return segment->first_sector +
	       ((slot - segment->first_slot) << (PAGE_SHIFT - SECTOR_SHIFT));
}

/* First byte of a segment's range on the whole disk. */
static u64 defpager_disk_offset(struct block_device *bdev, u64 offset)
{
	return ((u64)get_start_sect(bdev) << SECTOR_SHIFT) + offset;
}

/*
 * Partitions are compared by where they are on their disk.  The disk of a
 * segment cannot go away and another take its address while we hold it open.
 */
static bool defpager_segment_overlaps(struct block_device *bdev, u64 offset,
				      u64 length)
{
	u64 first = defpager_disk_offset(bdev, offset);
	struct defpager_segment *other;

	lockdep_assert_held(&defpager_segments_lock);
	list_for_each_entry(other, &defpager_segments, list) {
		u64 start = defpager_disk_offset(other->bdev,
						 other->offset_bytes);

		if (other->bdev->bd_disk == bdev->bd_disk &&
		    first < start + other->length_bytes &&
		    start < first + length)
			return true;
	}
	return false;
}

/* Records to bytes; -EINVAL for whatever is no range of the device. */
static int defpager_segment_range(struct block_device *bdev,
				  const struct defpager_segment_add *arg,
				  u64 *offset, u64 *length)
{
	unsigned int block = bdev_logical_block_size(bdev);
	u64 end;

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

static int defpager_granules_store(struct defpager_segment *segment, u64 nr)
{
	unsigned long i, first = defpager_next_granule;
	unsigned long end = first + DIV_ROUND_UP_ULL(nr,
					1UL << DEFPAGER_GRANULE_SHIFT);
	int ret;

	if (end > DEFPAGER_NR_GRANULES)
		return -ENOSPC;
	segment->first_slot = (u64)first << DEFPAGER_GRANULE_SHIFT;
	for (i = first; i < end; i++) {
		ret = xa_err(xa_store(&defpager_granules, i, segment,
				      GFP_KERNEL_ACCOUNT));
		if (ret)
			goto err_erase;
		cond_resched();
	}
	defpager_next_granule = end;
	return 0;

err_erase:
	while (i-- > first)
		xa_erase(&defpager_granules, i);
	return ret;
}

static struct defpager_segment *
defpager_segment_create(struct defpager_store *store, dev_t dev, u64 offset,
			u64 length)
{
	u64 first = round_up(offset, PAGE_SIZE);
	u64 nr = (round_down(offset + length, PAGE_SIZE) - first) >> PAGE_SHIFT;
	struct defpager_segment *segment;
	int ret;

	segment = kzalloc(sizeof(*segment), GFP_KERNEL_ACCOUNT);
	if (!segment)
		return ERR_PTR(-ENOMEM);
	ret = defpager_slots_init(&segment->slots, nr, store->cluster_shift);
	if (ret)
		goto err_free;
	segment->bdev_file = bdev_file_open_by_dev(dev,
					BLK_OPEN_READ | BLK_OPEN_WRITE,
					&defpager_segment_holder, NULL);
	if (IS_ERR(segment->bdev_file)) {
		ret = PTR_ERR(segment->bdev_file);
		goto err_slots;
	}
	ret = defpager_granules_store(segment, nr);
	if (ret)
		goto err_close;
	segment->store = store;
	segment->bdev = file_bdev(segment->bdev_file);
	segment->offset_bytes = offset;
	segment->length_bytes = length;
	segment->first_sector = first >> SECTOR_SHIFT;
	return segment;

err_close:
	bdev_fput(segment->bdev_file);
err_slots:
	defpager_slots_exit(&segment->slots);
err_free:
	kfree(segment);
	return ERR_PTR(ret);
}

static void defpager_segment_publish(struct defpager_segment *segment)
{
	struct defpager_store *store = segment->store;

	lockdep_assert_held(&defpager_segments_lock);
	segment->id = defpager_next_segment_id++;
	list_add_tail(&segment->list, &defpager_segments);
	list_add_tail_rcu(&segment->store_list, &store->segments);
	store->nr_segments++;
	if (!rcu_access_pointer(store->next))
		rcu_assign_pointer(store->next, segment);
	/* Only now may anybody be promised a slot of it. */
	atomic64_add(segment->slots.nr, &store->capacity);
}

/* Everything but the descriptor's kind, with defpager_segments_lock held. */
static int __defpager_segment_add(struct defpager_store *store,
				  struct block_device *bdev,
				  struct defpager_segment_add *arg)
{
	struct defpager_segment *segment;
	u64 offset, length;
	int ret;

	ret = defpager_segment_range(bdev, arg, &offset, &length);
	if (ret)
		return ret;
	if (defpager_segment_overlaps(bdev, offset, length))
		return -EINVAL;
	segment = defpager_segment_create(store, bdev->bd_dev, offset, length);
	if (IS_ERR(segment))
		return PTR_ERR(segment);
	segment->record_size = arg->record_size;

	/*
	 * What is still dirty in the device's own page cache must not be
	 * written over our pages later, nor be read in place of them.
	 */
	sync_blockdev(segment->bdev);
	invalidate_bdev(segment->bdev);
	defpager_segment_publish(segment);
	trace_defpager_segment_add(segment);

	arg->id = segment->id;
	arg->usable_bytes = segment->slots.nr << PAGE_SHIFT;
	arg->unused_head = round_up(offset, PAGE_SIZE) - offset;
	arg->unused_tail = length - arg->unused_head - arg->usable_bytes;
	return 0;
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
	if (IS_ERR(bdev)) {
		ret = PTR_ERR(bdev);
	} else {
		mutex_lock(&defpager_segments_lock);
		ret = __defpager_segment_add(store, bdev, arg);
		mutex_unlock(&defpager_segments_lock);
	}
	fput(file);
	return ret;
}

static void defpager_segment_fill_row(struct defpager_segment *segment,
				      struct defpager_segment_info *row)
{
	memset(row, 0, sizeof(*row));
	row->state = DEFPAGER_SEGMENT_ACTIVE;
	row->id = segment->id;
	row->major = MAJOR(segment->bdev->bd_dev);
	row->minor = MINOR(segment->bdev->bd_dev);
	row->offset_bytes = segment->offset_bytes;
	row->length_bytes = segment->length_bytes;
	row->record_size = segment->record_size;
	row->total_bytes = segment->slots.nr << PAGE_SHIFT;
	row->used_bytes = READ_ONCE(segment->slots.used) << PAGE_SHIFT;
	row->bad_bytes = READ_ONCE(segment->slots.bad) << PAGE_SHIFT;
	row->pages_out = atomic64_read(&segment->pages_out);
	row->pages_in = atomic64_read(&segment->pages_in);
}

/* The row of the first segment of @store with an id of @start or above. */
bool defpager_segment_row(struct defpager_store *store, u64 start,
			  struct defpager_segment_info *row)
{
	struct defpager_segment *segment;
	bool found = false;

	mutex_lock(&defpager_segments_lock);
	list_for_each_entry(segment, &defpager_segments, list) {
		if (segment->store != store || segment->id < start)
			continue;
		defpager_segment_fill_row(segment, row);
		found = true;
		break;
	}
	mutex_unlock(&defpager_segments_lock);
	return found;
}

/* No object exists any more, so nothing is in flight and nobody looks. */
void defpager_segments_exit(void)
{
	struct defpager_segment *segment, *next;

	list_for_each_entry_safe(segment, next, &defpager_segments, list) {
		WARN_ON_ONCE(segment->slots.used);
		bdev_fput(segment->bdev_file);
		defpager_slots_exit(&segment->slots);
		kfree(segment);
	}
	xa_destroy(&defpager_granules);
}
