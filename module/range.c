// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving a range of an object on request: out to storage, or in.
 *
 * Going out, pages are unmapped, so that page tables tell which have been
 * written to.  They are not written here: they are marked wanted as if reclaim
 * had asked for them, and the page-out worker does as always.  When it has, and
 * nobody has written to them since, they are dropped; that asks
 * ->release_folio, so that all its rules hold.
 */
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "defpager.h"

/* Pages that were written to while they went out are tried so often. */
#define DEFPAGER_OUT_ROUNDS	3

/* Passes of the worker waited for in each. */
#define DEFPAGER_OUT_PASSES	4

/* Pages asked for at a time when coming in. */
#define DEFPAGER_IN_RUN		64

struct defpager_range {
	struct file *file;
	struct defpager_object *object;
	struct address_space *mapping;
	pgoff_t first;
	pgoff_t last;			/* the range is not empty */
};

/* What is asked of each folio in a range, with the i_pages lock held. */
typedef bool (*defpager_folio_fn)(struct defpager_range *range,
				  struct xa_state *xas, struct folio *folio);

/*
 * The first folio from @index on for which @fn is true, up to @last.
 * Return: its page index, or @last + 1.
 */
static pgoff_t defpager_range_find(struct defpager_range *range, pgoff_t index,
				   pgoff_t last, defpager_folio_fn fn)
{
	XA_STATE(xas, &range->mapping->i_pages, index);
	unsigned int tick = 0;
	struct folio *folio;

	index = last + 1;
	xas_lock_irq(&xas);
	xas_for_each(&xas, folio, last) {
		if (!xa_is_value(folio) && fn(range, &xas, folio)) {
			index = folio->index;
			break;
		}
		if (++tick % XA_CHECK_SCHED)
			continue;
		xas_pause(&xas);
		xas_unlock_irq(&xas);
		cond_resched();
		xas_lock_irq(&xas);
	}
	xas_unlock_irq(&xas);
	return index;
}

/**
 * defpager_drain_lru() - empty the lists of all CPUs that hold folios
 * @file: a descriptor of an object
 * @index: a page of it that is in memory, and most likely in such a list
 *
 * Folios that are to be put on the LRU, or moved there, wait in lists of each
 * CPU, which have references.  No function that is exported empties them, but
 * this advice does when it finds a folio that it cannot drop.
 */
void defpager_drain_lru(struct file *file, pgoff_t index)
{
	generic_fadvise(file, (loff_t)index << PAGE_SHIFT, PAGE_SIZE,
			POSIX_FADV_DONTNEED);
}

/* --- out ------------------------------------------------------------------ */

/* Those that were locked in memory, or are in use by a device, stay. */
static bool defpager_folio_stays(struct folio *folio)
{
	return folio_test_mlocked(folio) || folio_maybe_dma_pinned(folio) ||
	       folio_test_hwpoison(folio);
}

/* Is it off the LRU, or does somebody hold it? */
static bool defpager_out_stray(struct defpager_range *range,
			       struct xa_state *xas, struct folio *folio)
{
	return !defpager_folio_stays(folio) &&
	       (!folio_test_lru(folio) || defpager_folio_held(folio));
}

/* Have a folio looked at by the worker, if it may have to be written. */
static bool defpager_out_ask(struct defpager_range *range, struct xa_state *xas,
			     struct folio *folio)
{
	if (defpager_folio_stays(folio) ||
	    (!folio_test_checked(folio) && !folio_test_dirty(folio)) ||
	    xas_get_mark(xas, PAGECACHE_TAG_TOWRITE))
		return false;
	xas_set_mark(xas, PAGECACHE_TAG_TOWRITE);
	atomic_inc(&range->object->wanted);
	return false;
}

/* Is the worker not through with a folio? */
static bool defpager_out_busy(struct defpager_range *range,
			      struct xa_state *xas, struct folio *folio)
{
	return xas_get_mark(xas, PAGECACHE_TAG_TOWRITE) ||
	       folio_test_writeback(folio);
}

static bool defpager_out_goes(struct defpager_range *range,
			      struct xa_state *xas, struct folio *folio)
{
	return !defpager_folio_stays(folio);
}

static bool defpager_out_stays(struct defpager_range *range,
			       struct xa_state *xas, struct folio *folio)
{
	return defpager_folio_stays(folio);
}

static bool defpager_out_clean(struct defpager_range *range,
			       struct xa_state *xas, struct folio *folio)
{
	return !defpager_folio_stays(folio) && !folio_test_checked(folio) &&
	       !defpager_out_busy(range, xas, folio);
}

static bool defpager_out_not_clean(struct defpager_range *range,
				   struct xa_state *xas, struct folio *folio)
{
	return !defpager_out_clean(range, xas, folio);
}

static bool defpager_out_busy_at(struct defpager_range *range, pgoff_t index)
{
	return defpager_range_find(range, index, index, defpager_out_busy) ==
	       index;
}

/* Wait until nothing in the range is marked, nor being written. */
static int defpager_out_marks(struct defpager_range *range)
{
	pgoff_t index = range->first;

	while (true) {
		index = defpager_range_find(range, index, range->last,
					    defpager_out_busy);
		if (index > range->last)
			return 0;
		if (defpager_wait_for(!defpager_out_busy_at(range, index)) < 0)
			return -ERESTARTSYS;
	}
}

/*
 * Wait for the end of the pass that goes on.
 * Return: 1; 0: none did; -ERESTARTSYS.
 */
static int defpager_out_pass(struct defpager_object *object)
{
	unsigned int passes;

	/* All three pair with defpager_pageout_pass_end(). */
	if (!smp_load_acquire(&object->pageout_passing)) /* see above */
		return 0;
	passes = READ_ONCE(object->pageout_passes);
	while (smp_load_acquire(&object->pageout_passing) && /* see above */
	       smp_load_acquire(&object->pageout_passes) == passes) /* too */
		if (defpager_wait_for(!READ_ONCE(object->pageout_passing) ||
				      READ_ONCE(object->pageout_passes) !=
				      passes) < 0)
			return -ERESTARTSYS;
	return 1;
}

/*
 * Wait until the worker has been at all of the range.  A pass takes the marks
 * away some time before it begins to write, so that one which goes on when there
 * are no marks may have some of ours; and it may give back those that it could
 * not write, for the next one.  After one that has left nothing, none is ours.
 * While others use the object all the time that may never be.
 */
static int defpager_out_wait(struct defpager_range *range)
{
	unsigned int passes = DEFPAGER_OUT_PASSES;
	int ret;

	do {
		ret = defpager_out_marks(range);
		if (ret || !passes)
			return ret;
		passes--;
		ret = defpager_out_pass(range->object);
		if (!READ_ONCE(range->object->pageout_left))
			passes = 0;
		/* It may have ended while we looked for marks. */
	} while (ret > 0 || (!ret && passes));
	return ret;
}

/*
 * The next run of folios for which @fn is true, from *@index on, up to the next
 * one for which @fn_not is; *@end is behind it.  False if there is none.
 */
static bool defpager_range_run(struct defpager_range *range, pgoff_t *index,
			       pgoff_t *end, defpager_folio_fn fn,
			       defpager_folio_fn fn_not)
{
	*index = defpager_range_find(range, *index, range->last, fn);
	if (*index > range->last || fatal_signal_pending(current))
		return false;
	*end = defpager_range_find(range, *index + 1, range->last, fn_not);
	return true;
}

static void defpager_out_unmap(struct defpager_range *range)
{
	pgoff_t index = range->first, end;

	for (; defpager_range_run(range, &index, &end, defpager_out_goes,
				  defpager_out_stays); index = end)
		unmap_mapping_pages(range->mapping, index, end - index, false);
}

/* Drop what is clean and not mapped again.  This never waits for a device. */
static void defpager_out_drop(struct defpager_range *range)
{
	pgoff_t index = range->first, end;

	for (; defpager_range_run(range, &index, &end, defpager_out_clean,
				  defpager_out_not_clean); index = end)
		invalidate_mapping_pages(range->mapping, index, end - 1);
}

/* What waits on some CPU for being put on the LRU, or moved, is not written. */
static void defpager_out_gather(struct defpager_range *range)
{
	pgoff_t index = defpager_range_find(range, range->first, range->last,
					    defpager_out_stray);

	if (index <= range->last)
		defpager_drain_lru(range->file, index);
}

static int defpager_out(struct defpager_range *range, bool wait)
{
	unsigned int rounds = wait ? DEFPAGER_OUT_ROUNDS : 1;
	int ret = 0;

	while (!ret && rounds-- &&
	       defpager_range_find(range, range->first, range->last,
				   defpager_out_goes) <= range->last) {
		defpager_out_unmap(range);
		defpager_out_gather(range);
		defpager_range_find(range, range->first, range->last,
				    defpager_out_ask);
		defpager_pageout_kick(range->object);
		if (wait)
			ret = defpager_out_wait(range);
		if (!ret)
			defpager_out_drop(range);
	}
	return ret;
}

/* --- in ------------------------------------------------------------------- */

/*
 * A page that is in memory without its content: reading it failed, or the
 * kernel's own readahead had it in mind and gave up.
 */
static int defpager_in_again(struct defpager_range *range, pgoff_t index)
{
	struct defpager_object *object = range->object;
	struct folio *folio = NULL;

	filemap_invalidate_lock_shared(range->mapping);
	if (defpager_entry_is_slot(defpager_map_get(&object->map, index)))
		folio = defpager_get_folio(object, index,
					   mapping_gfp_mask(range->mapping),
					   false);
	filemap_invalidate_unlock_shared(range->mapping);
	if (IS_ERR_OR_NULL(folio))
		return PTR_ERR_OR_ZERO(folio);
	folio_unlock(folio);
	folio_put(folio);
	return 0;
}

/* A page that is not in memory: reclaim has been there, or it was not read. */
static int defpager_in_missing(struct defpager_range *range, pgoff_t index)
{
	u64 entry = defpager_map_get(&range->object->map, index);
	struct defpager_segment *segment;
	bool bad;

	if (!defpager_entry_is_slot(entry))
		return 0;
	rcu_read_lock();
	segment = defpager_segment_of(entry);
	bad = segment && READ_ONCE(segment->failures.gone);
	rcu_read_unlock();
	return bad || defpager_unreadable(entry) ? -EIO : 0;
}

static int defpager_in_wait_page(struct defpager_range *range, pgoff_t index)
{
	struct folio *folio = __filemap_get_folio(range->mapping, index, 0, 0);
	bool uptodate;
	int ret;

	if (IS_ERR(folio))
		return defpager_in_missing(range, index);
	ret = folio_wait_bit_killable(folio, PG_locked);
	uptodate = folio_test_uptodate(folio);
	folio_put(folio);
	if (ret || signal_pending(current))
		return -ERESTARTSYS;
	return uptodate ? 0 : defpager_in_again(range, index);
}

/* Wait for what has been begun.  That memory was short is no error. */
static int defpager_in_wait(struct defpager_range *range)
{
	pgoff_t index = range->first;
	int ret = 0, err;

	while (true) {
		index = defpager_map_next(&range->object->map, index,
					  range->last, true);
		if (index > range->last)
			return ret;
		err = defpager_in_wait_page(range, index++);
		if (err == -ERESTARTSYS)
			return err;
		if (err == -EIO)
			ret = err;
		cond_resched();
	}
}

static int defpager_in(struct defpager_range *range, bool wait)
{
	pgoff_t index = range->first;
	unsigned int nr;

	while (true) {
		index = defpager_map_next(&range->object->map, index,
					  range->last, true);
		if (index > range->last)
			return wait ? defpager_in_wait(range) : 0;
		if (signal_pending(current))
			return -ERESTARTSYS;
		nr = min_t(pgoff_t, range->last - index + 1, DEFPAGER_IN_RUN);
		defpager_read_range(range->object, index, nr);
		index += nr;
	}
}

/* --- the requests --------------------------------------------------------- */

struct defpager_range_count {
	struct defpager_range range;
	u64 resident;
	u64 dirty;
};

static bool defpager_count_folio(struct defpager_range *range,
				 struct xa_state *xas, struct folio *folio)
{
	struct defpager_range_count *count =
		container_of(range, struct defpager_range_count, range);

	count->resident += folio_nr_pages(folio);
	if (folio_test_checked(folio) || folio_test_dirty(folio))
		count->dirty += folio_nr_pages(folio);
	return false;
}

/* False if the range is empty: @len 0 is up to the end of the object. */
static bool defpager_range_init(struct defpager_range *range, struct file *file,
				u64 offset, u64 len)
{
	u64 end = i_size_read(file_inode(file));

	if (len)
		end = min(end, offset + len);
	if (offset >= end)
		return false;
	range->file = file;
	range->object = defpager_object(file_inode(file));
	range->mapping = file->f_mapping;
	range->first = offset >> PAGE_SHIFT;
	range->last = (end - 1) >> PAGE_SHIFT;
	return true;
}

/**
 * defpager_range_move() - page part of an object out or in
 * @file: a descriptor of the object
 * @arg: the request; its output fields are set
 *
 * Context: sleeps.
 * Return: 0 or a negative errno, see &struct defpager_object_pageout.
 */
int defpager_range_move(struct file *file, struct defpager_object_pageout *arg)
{
	bool out = arg->flags & DEFPAGER_PAGEOUT_OUT;
	bool wait = arg->flags & DEFPAGER_PAGEOUT_WAIT;
	struct defpager_range_count count = { };
	struct defpager_range *range = &count.range;
	int ret;

	if (arg->flags & ~(DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_IN |
			   DEFPAGER_PAGEOUT_WAIT) ||
	    out == !!(arg->flags & DEFPAGER_PAGEOUT_IN) ||
	    arg->offset > S64_MAX || arg->length > S64_MAX - arg->offset)
		return -EINVAL;
	if (out && !(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (defpager_object_resident(defpager_object(file_inode(file))))
		return -EOPNOTSUPP;
	arg->resident_bytes = 0;
	arg->dirty_bytes = 0;
	if (!defpager_range_init(range, file, arg->offset, arg->length))
		return 0;
	ret = out ? defpager_out(range, wait) : defpager_in(range, wait);
	if (ret)
		return ret;
	defpager_range_find(range, range->first, range->last,
			    defpager_count_folio);
	arg->resident_bytes = count.resident << PAGE_SHIFT;
	arg->dirty_bytes = count.dirty << PAGE_SHIFT;
	return 0;
}

/*
 * The kernel's own answer to WILLNEED, of madvise() too, ends at the first hole
 * of each few megabytes.
 */
int defpager_fadvise(struct file *file, loff_t offset, loff_t len, int advice)
{
	struct defpager_range range;

	if (advice != POSIX_FADV_WILLNEED)
		return generic_fadvise(file, offset, len, advice);
	if (offset < 0 || len < 0)
		return -EINVAL;
	if (defpager_range_init(&range, file, offset, len))
		defpager_in(&range, false);
	return 0;
}
