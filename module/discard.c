// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling devices which slots hold nothing any more.
 *
 * Some time after slots of a segment were freed, runs of them are allocated,
 * discarded and freed again.  For that they must be promised to nobody: space
 * that is needed is not discarded, and nobody waits for a discard but who would
 * be told otherwise that there is no space.
 */
#include <linux/blkdev.h>

#include "defpager.h"

/* How long freed slots are collected. */
#define DEFPAGER_DISCARD_DELAY	HZ

/* Slots discarded at a time. */
#define DEFPAGER_DISCARD_BATCH	4096

static sector_t defpager_sectors(u64 slots)
{
	return slots << (PAGE_SHIFT - SECTOR_SHIFT);
}

/* Return: whether there was something, so that there may be more. */
static bool defpager_discard_run(struct defpager_segment *segment, u32 *chunk)
{
	struct defpager_store *store = segment->store;
	u32 taken = defpager_borrow_space(store, DEFPAGER_DISCARD_BATCH);
	u64 slot;
	u32 nr;

	if (!taken)
		return false;
	nr = defpager_slots_discard_begin(&segment->slots, chunk, taken, &slot);
	if (nr) {
		/*
		 * A device that fails to do so has lost nothing; on another
		 * medium it would be somebody else's.  No I/O is waited for to
		 * get memory: it may be that of a file system on an object,
		 * which waits for the space that we have borrowed.
		 */
		if (!defpager_device_gone(segment) &&
		    !blkdev_issue_discard(segment->bdev, segment->first_sector +
					  defpager_sectors(slot),
					  defpager_sectors(nr), GFP_NOIO))
			atomic64_add(nr, &segment->discarded);
		defpager_slots_discard_end(&segment->slots, slot, nr);
	}
	defpager_return_space(store, taken);
	return nr;
}

static void defpager_discard_work(struct work_struct *work)
{
	struct defpager_segment *segment = container_of(to_delayed_work(work),
							struct defpager_segment,
							discard);
	u32 chunk = 0;

	while (defpager_discard_run(segment, &chunk))
		cond_resched();
}

void defpager_discard_init(struct defpager_segment *segment)
{
	INIT_DELAYED_WORK(&segment->discard, defpager_discard_work);
}

/* Slots were freed.  Context: any but interrupts. */
void defpager_discard_later(struct defpager_segment *segment)
{
	if (!delayed_work_pending(&segment->discard))
		schedule_delayed_work(&segment->discard,
				      DEFPAGER_DISCARD_DELAY);
}

/* The segment is going: nobody frees a slot of it any more. */
void defpager_discard_stop(struct defpager_segment *segment)
{
	cancel_delayed_work_sync(&segment->discard);
}

/*
 * All of a segment that is not in use yet.
 * Return: 0; -EOPNOTSUPP; -ENODEV; -ENOMEM; -EIO, whatever it is that the device
 *	says.
 */
int defpager_discard_all(struct defpager_segment *segment)
{
	int ret;

	if (!bdev_max_discard_sectors(segment->bdev))
		return -EOPNOTSUPP;
	if (defpager_device_gone(segment))
		return -ENODEV;
	ret = blkdev_issue_discard(segment->bdev, segment->first_sector,
				   defpager_sectors(segment->slots.nr),
				   GFP_KERNEL);
	if (ret)
		return ret == -ENOMEM || ret == -ENODEV ? ret : -EIO;
	atomic64_add(segment->slots.nr, &segment->discarded);
	return 0;
}
