// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments: ranges of block devices that hold paged-out pages.  How they come
 * is in segment_add.c.
 */
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "defpager.h"
#include "trace.h"

/* Adding and removing segments, and the lists and stripes of them. */
DEFINE_MUTEX(defpager_segments_lock);

/* All segments by id. */
DEFINE_XARRAY_ALLOC1(defpager_segments);
static u32 defpager_next_segment_id;

/* Granule of slot numbers to segment; where to look for a gap first. */
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

/* --- slot numbers -------------------------------------------------------- */

static unsigned long defpager_granules_of(u64 nr)
{
	return DIV_ROUND_UP_ULL(nr, 1UL << DEFPAGER_GRANULE_SHIFT);
}

/* The first gap of so many granules between two, or 0: granule 0 is nobody's. */
static unsigned long defpager_granule_gap(unsigned long from, unsigned long end,
					  unsigned long nr)
{
	unsigned long used;

	while (from + nr <= end) {
		used = from;
		if (!xa_find(&defpager_granules, &used, from + nr - 1,
			     XA_PRESENT))
			return from;
		from = used + 1;
	}
	return 0;
}

static void defpager_granules_erase(unsigned long first, unsigned long end)
{
	while (end-- > first)
		xa_erase(&defpager_granules, end);
}

static int defpager_granules_store(struct defpager_segment *segment, u64 nr)
{
	unsigned long i, first, granules = defpager_granules_of(nr);
	int ret;

	/* Numbers that were used are used again as late as possible. */
	first = defpager_granule_gap(defpager_next_granule,
				     DEFPAGER_NR_GRANULES, granules);
	if (!first)
		first = defpager_granule_gap(1, DEFPAGER_NR_GRANULES, granules);
	if (!first)
		return -ENOSPC;
	segment->first_slot = (u64)first << DEFPAGER_GRANULE_SHIFT;
	for (i = first; i < first + granules; i++) {
		ret = xa_err(xa_store(&defpager_granules, i, segment,
				      GFP_KERNEL_ACCOUNT));
		if (ret) {
			defpager_granules_erase(first, i);
			return ret;
		}
		cond_resched();
	}
	defpager_next_granule = first + granules;
	return 0;
}

static void defpager_granules_remove(struct defpager_segment *segment)
{
	unsigned long first = segment->first_slot >> DEFPAGER_GRANULE_SHIFT;

	defpager_granules_erase(first, first +
				defpager_granules_of(segment->slots.nr));
}

/* --- coming and going ----------------------------------------------------- */

/* Nobody knows of it, or not any more. */
void defpager_segment_destroy(struct defpager_segment *segment)
{
	bdev_fput(segment->bdev_file);
	defpager_slots_exit(&segment->slots);
	kfree(segment);
}

/* From here it has an id and its slots have numbers, but nobody uses them. */
static int defpager_segment_number(struct defpager_segment *segment)
{
	int ret;

	ret = defpager_granules_store(segment, segment->slots.nr);
	if (ret)
		return ret;
	ret = xa_alloc_cyclic(&defpager_segments, &segment->id, segment,
			      xa_limit_32b, &defpager_next_segment_id,
			      GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		defpager_granules_remove(segment);
	return min(ret, 0);
}

/* Who found it before may look at it for a grace period. */
static void defpager_segment_unnumber(struct defpager_segment *segment)
{
	xa_erase(&defpager_segments, segment->id);
	defpager_granules_remove(segment);
}

/* It comes to the store: from here on everybody may use it. */
int defpager_segment_publish(struct defpager_segment *segment)
{
	int ret;

	ret = defpager_segment_number(segment);
	if (ret)
		return ret;
	ret = defpager_sysfs_add_segment(segment);
	if (ret)
		goto err_number;
	ret = defpager_place_segment(segment);
	if (ret)
		goto err_sysfs;
	/* Only now may anybody be promised a slot of it. */
	ret = defpager_space_add(segment);
	if (ret)
		goto err_place;
	segment->store->nr_segments++;
	return 0;

err_place:
	defpager_place_unlink(segment);
	synchronize_rcu();
	defpager_place_forget(segment);
err_sysfs:
	defpager_sysfs_remove_segment(segment);
err_number:
	defpager_segment_unnumber(segment);
	synchronize_rcu();
	return ret;
}

/* --- removing ------------------------------------------------------------- */

/* The segment of a store, or NULL; defpager_segments_lock is held. */
static struct defpager_segment *
defpager_segment_find(struct defpager_store *store, u64 id)
{
	struct defpager_segment *segment = NULL;

	lockdep_assert_held(&defpager_segments_lock);
	if (id <= U32_MAX)
		segment = xa_load(&defpager_segments, id);
	return segment && segment->store == store ? segment : NULL;
}

/* Is somebody removing it already? */
static bool defpager_segment_removing(struct defpager_segment *segment)
{
	return READ_ONCE(segment->slots.closed) & DEFPAGER_CLOSED_REMOVAL;
}

/* May a segment be removed, as far as can be told in advance? */
static int __defpager_segment_check(struct defpager_store *store, u64 id)
{
	struct defpager_segment *segment;
	int ret = defpager_store_usable(store);

	if (ret)
		return ret;
	segment = defpager_segment_find(store, id);
	if (!segment)
		return -ENOENT;
	return defpager_segment_removing(segment) ? -EBUSY : 0;
}

/* The same, from outside.  @capacity: out: slots that would go. */
int defpager_segment_check(struct defpager_store *store, u64 id, u64 *capacity)
{
	struct defpager_slots *slots;
	int ret;

	mutex_lock(&defpager_segments_lock);
	ret = __defpager_segment_check(store, id);
	if (!ret) {
		slots = &defpager_segment_find(store, id)->slots;
		*capacity = READ_ONCE(slots->closed) ? 0 :
			    slots->nr - READ_ONCE(slots->bad);
	}
	mutex_unlock(&defpager_segments_lock);
	return ret;
}

static int defpager_segment_withdraw(struct defpager_segment *segment,
				     bool gone)
{
	int ret = defpager_space_withdraw(segment, gone);

	/* What could not be read is tried once more. */
	if (!ret)
		defpager_unreadable_forget(segment);
	return ret;
}

/**
 * defpager_segment_close() - begin to remove a segment of a store
 * @store: the store
 * @id: the segment
 * @last: whether it may be the last one, though the store has promised space
 *
 * Return: the segment, which gives out no slots any more and is the caller's
 *	to remove or to reopen; or an error pointer, see
 *	&struct defpager_segment_remove.
 */
struct defpager_segment *defpager_segment_close(struct defpager_store *store,
						u64 id, bool last)
{
	struct defpager_segment *segment = NULL;
	int ret = defpager_borrow_pause(store);

	if (ret)
		return ERR_PTR(ret);
	mutex_lock(&defpager_segments_lock);
	ret = __defpager_segment_check(store, id);
	if (!ret && !last && store->nr_segments == 1 &&
	    atomic64_read(&store->promised) > atomic64_read(&store->stale))
		ret = -EBUSY;
	if (!ret) {
		segment = defpager_segment_find(store, id);
		ret = defpager_segment_withdraw(segment, false);
	}
	mutex_unlock(&defpager_segments_lock);
	defpager_borrow_resume(store);
	return ret ? ERR_PTR(ret) : segment;
}

/* It could not be drained. */
void defpager_segment_reopen(struct defpager_segment *segment)
{
	defpager_space_restore(segment);
}

/* Reopen those before @end. */
static void __defpager_segments_reopen(struct defpager_store *store, u32 end)
{
	struct defpager_segment *segment;
	unsigned long id;

	xa_for_each(&defpager_segments, id, segment)
		if (segment->store == store && id < end)
			defpager_space_restore(segment);
}

/* What could not be read on any segment of a store is tried once more. */
void defpager_segments_try_anew(struct defpager_store *store)
{
	struct defpager_segment *segment;
	unsigned long id;

	mutex_lock(&defpager_segments_lock);
	xa_for_each(&defpager_segments, id, segment)
		if (segment->store == store)
			defpager_unreadable_forget(segment);
	mutex_unlock(&defpager_segments_lock);
}

static int __defpager_segments_check(struct defpager_store *store)
{
	struct defpager_segment *segment;
	unsigned long id;

	lockdep_assert_held(&defpager_segments_lock);
	xa_for_each(&defpager_segments, id, segment)
		if (segment->store == store &&
		    defpager_segment_removing(segment))
			return -EBUSY;
	return 0;
}

/*
 * Is a segment of a store being removed?  If not, and the store is being
 * closed, none will be.
 */
int defpager_segments_check(struct defpager_store *store)
{
	int ret;

	mutex_lock(&defpager_segments_lock);
	ret = __defpager_segments_check(store);
	mutex_unlock(&defpager_segments_lock);
	return ret;
}

static int __defpager_segments_close(struct defpager_store *store)
{
	struct defpager_segment *segment;
	unsigned long id;
	int ret;

	ret = __defpager_segments_check(store);
	if (ret)
		return ret;
	xa_for_each(&defpager_segments, id, segment) {
		if (segment->store != store)
			continue;
		ret = defpager_segment_withdraw(segment, true);
		if (ret) {
			__defpager_segments_reopen(store, id);
			break;
		}
	}
	return ret;
}

/**
 * defpager_segments_close() - begin to remove all segments of a store
 * @store: a store that is being closed, so that nobody else closes a segment
 *
 * Return: 0; -EBUSY if one is being removed already; -ENOSPC, -ENOMEM; -EINTR.
 */
int defpager_segments_close(struct defpager_store *store)
{
	int ret = defpager_borrow_pause(store);

	if (ret)
		return ret;
	mutex_lock(&defpager_segments_lock);
	ret = __defpager_segments_close(store);
	mutex_unlock(&defpager_segments_lock);
	defpager_borrow_resume(store);
	return ret;
}

void defpager_segments_reopen(struct defpager_store *store)
{
	mutex_lock(&defpager_segments_lock);
	__defpager_segments_reopen(store, U32_MAX);
	mutex_unlock(&defpager_segments_lock);
}

/* Who freed its slots has started these at the latest. */
static void defpager_segment_stop(struct defpager_segment *segment)
{
	defpager_discard_stop(segment);
	defpager_fail_stop(segment);
}

/*
 * Before anything is locked, since a device may take long to answer, or for ever.
 * Who has seen the segment in use starts them within a grace period.
 */
static void defpager_segments_stop(struct list_head *gone)
{
	struct defpager_segment *segment;

	if (!list_empty(gone))
		synchronize_rcu();
	list_for_each_entry(segment, gone, list)
		defpager_segment_stop(segment);
}

/* Nobody finds them from here, nor writes to their range. */
static void defpager_segments_unlink(struct list_head *gone)
{
	struct defpager_segment *segment;

	lockdep_assert_held(&defpager_segments_lock);
	if (list_empty(gone))
		return;
	list_for_each_entry(segment, gone, list) {
		trace_defpager_segment_remove(segment);
		segment->store->nr_segments--;
		defpager_sysfs_remove_segment(segment);
		defpager_segment_unnumber(segment);
		defpager_place_unlink(segment);
	}
	/* Who found one in a stripe may give it the next turn. */
	synchronize_rcu();
	list_for_each_entry(segment, gone, list)
		defpager_place_forget(segment);
	/* Who found one by its turn or its number. */
	synchronize_rcu();
	list_for_each_entry(segment, gone, list)
		defpager_segment_stop(segment);
}

/*
 * Let go of segments that were drained: they are closed, and no slot of them is
 * used.  Nothing is in flight, since who reads or writes a page has a slot for
 * it until that is over.
 */
static void defpager_segments_free(struct list_head *gone)
{
	struct defpager_segment *segment, *next;

	defpager_segments_stop(gone);
	mutex_lock(&defpager_segments_lock);
	defpager_segments_unlink(gone);
	mutex_unlock(&defpager_segments_lock);
	/* To close a device may take long, too. */
	list_for_each_entry_safe(segment, next, gone, list)
		defpager_segment_destroy(segment);
}

/**
 * defpager_segment_remove() - let go of a segment that was drained
 * @segment: a closed segment without used slots
 */
void defpager_segment_remove(struct defpager_segment *segment)
{
	LIST_HEAD(gone);

	list_add(&segment->list, &gone);
	defpager_segments_free(&gone);
}

/* The same with all segments of a store that is being closed. */
void defpager_segments_remove(struct defpager_store *store)
{
	struct defpager_segment *segment;
	unsigned long id;
	LIST_HEAD(gone);

	mutex_lock(&defpager_segments_lock);
	xa_for_each(&defpager_segments, id, segment)
		if (segment->store == store)
			list_add(&segment->list, &gone);
	mutex_unlock(&defpager_segments_lock);
	/* Nobody else removes them: the store is being closed. */
	defpager_segments_free(&gone);
}

/* --- what is told of them ------------------------------------------------- */

static u32 defpager_segment_state(struct defpager_segment *segment)
{
	if (defpager_segment_removing(segment))
		return DEFPAGER_SEGMENT_DRAINING;
	return defpager_failing(segment) ? DEFPAGER_SEGMENT_FAILING :
					   DEFPAGER_SEGMENT_ACTIVE;
}

void defpager_segment_fill_row(struct defpager_segment *segment,
			       struct defpager_segment_info *row)
{
	memset(row, 0, sizeof(*row));
	row->state = defpager_segment_state(segment);
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
	/* The two may be of different moments. */
	row->free_bytes = row->total_bytes - min(row->used_bytes + row->bad_bytes,
						 row->total_bytes);
	row->in_flight_bytes = atomic64_read(&segment->in_flight) << PAGE_SHIFT;
	row->write_errors = atomic64_read(&segment->write_errors);
	row->read_errors = atomic64_read(&segment->read_errors);
	row->checksum_errors = atomic64_read(&segment->checksum_errors);
	row->discarded_bytes = atomic64_read(&segment->discarded) << PAGE_SHIFT;
}

/* The row of the first segment of @store with an id of @start or above. */
bool defpager_segment_row(struct defpager_store *store, u64 start,
			  struct defpager_segment_info *row)
{
	struct defpager_segment *segment;
	unsigned long id = start;
	bool found = false;

	mutex_lock(&defpager_segments_lock);
	if (start <= U32_MAX)
		xa_for_each_start(&defpager_segments, id, segment, start) {
			found = segment->store == store;
			if (found)
				break;
		}
	if (found)
		defpager_segment_fill_row(segment, row);
	mutex_unlock(&defpager_segments_lock);
	return found;
}

/* No object exists any more, so nothing is in flight and nobody looks. */
void defpager_segments_exit(void)
{
	struct defpager_segment *segment;
	unsigned long id;

	xa_for_each(&defpager_segments, id, segment) {
		WARN_ON_ONCE(segment->slots.used);
		/* What is left to discard is not waited for. */
		mutex_lock(&defpager_populate_lock);
		defpager_space_close(segment, DEFPAGER_CLOSED_REMOVAL, true);
		mutex_unlock(&defpager_populate_lock);
		defpager_discard_stop(segment);
		defpager_fail_stop(segment);
		defpager_segment_destroy(segment);
	}
	xa_destroy(&defpager_segments);
	xa_destroy(&defpager_granules);
	defpager_unreadable_exit();
	defpager_tiers_exit();
}
