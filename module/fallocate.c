// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promising space in advance, and taking pages away: fallocate() and what
 * resizing has in common with it.
 *
 * Space is promised by map entries, without folios.  A page that is taken away
 * is in one of these states: in the page cache, on its way out (PG_writeback),
 * on its way in (locked), on a segment only.  Truncating the page cache waits
 * for the I/O of the second and third kind and makes all of them the fourth;
 * then map entries go, and slots after them.
 */
#include <linux/fs.h>
/* Needs what fs.h includes. */
#include <linux/falloc.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "defpager.h"

static bool defpager_range_cached(struct address_space *mapping, pgoff_t index,
				  unsigned int nr)
{
	XA_STATE(xas, &mapping->i_pages, index);
	void *entry;

	xas_for_each(&xas, entry, index + nr - 1)
		if (!xa_is_value(entry))
			return true;
	return false;
}

/* Take entries of pages that are not in the page cache; false if one is. */
static bool defpager_take_uncached(struct defpager_object *object,
				   pgoff_t index, unsigned int nr, u64 entry,
				   struct defpager_taken *taken)
{
	struct address_space *mapping = object->inode.i_mapping;
	bool cached;

	/* Keeps folios from being added: see defpager.h. */
	xa_lock_irq(&mapping->i_pages);
	cached = defpager_range_cached(mapping, index, nr);
	if (!cached)
		defpager_map_take(&object->map, index, nr, entry, taken);
	xa_unlock_irq(&mapping->i_pages);
	return !cached;
}

/**
 * defpager_forget() - forget pages that have left the page cache
 * @object: the object
 * @index: the first of them
 * @last: the last of them, within the maximum size
 * @entry: what is left of those that had been touched: ENTRY_NONE, which frees
 *	their space, or ENTRY_RESERVED, which makes them zero
 *
 * Context: mapping->invalidate_lock held exclusively; sleeps.
 */
void defpager_forget(struct defpager_object *object, pgoff_t index,
		     pgoff_t last, u64 entry)
{
	struct defpager_taken taken;
	unsigned int i, nr;

	while (true) {
		index = defpager_map_next(&object->map, index, last, true);
		if (index > last)
			return;
		nr = min3(last - index + 1, (pgoff_t)DEFPAGER_TAKE,
			  DEFPAGER_LEAF_PAGES - index % DEFPAGER_LEAF_PAGES);
		if (!defpager_take_uncached(object, index, nr, entry, &taken)) {
			/* Somebody was quick, but has no right to it. */
			truncate_inode_pages_range(object->inode.i_mapping,
				(loff_t)index << PAGE_SHIFT,
				((loff_t)(index + nr) << PAGE_SHIFT) - 1);
			continue;
		}
		for (i = 0; i < taken.nr_slots; i++)
			defpager_slot_free(object, taken.slots[i]);
		if (entry == DEFPAGER_ENTRY_NONE &&
		    !defpager_object_prepaid(object))
			defpager_unpromise(object, taken.nr_pages);
		index += nr;
		cond_resched();
	}
}

/**
 * defpager_edge_folio() - the folio at an edge of what is taken away
 * @inode: the object's
 * @pos: where the edge is
 *
 * It stays as long as the reference is held, so that zeroing part of it does
 * not fail, unless memory does.
 *
 * Context: i_rwsem held; sleeps.
 * Return: the folio, not locked, with a reference; NULL if there is nothing to
 *	be zeroed: @pos is between two pages, or behind the end, or in a page
 *	that was never touched or is lost; or an error pointer.
 */
struct folio *defpager_edge_folio(struct inode *inode, loff_t pos)
{
	struct defpager_object *object = defpager_object(inode);
	pgoff_t index = pos >> PAGE_SHIFT;
	struct folio *folio;
	u64 entry;

	if (!offset_in_page(pos) || index >= defpager_object_pages(object))
		return NULL;
	entry = defpager_map_get(&object->map, index);
	if (entry == DEFPAGER_ENTRY_NONE || entry == DEFPAGER_ENTRY_LOST)
		return NULL;
	folio = defpager_get_folio(object, index,
				   mapping_gfp_mask(inode->i_mapping), false);
	if (!IS_ERR(folio))
		folio_unlock(folio);
	return folio;
}

/**
 * defpager_zero_edge() - zero part of a page
 * @inode: the object's
 * @folio: from defpager_edge_folio(), whose reference is given back; may be
 *	NULL
 * @pos: where to begin
 * @end: where to end, in the same page or at its end
 *
 * Return: 0, or -EIO if the folio's memory has failed meanwhile.
 */
int defpager_zero_edge(struct inode *inode, struct folio *folio, loff_t pos,
		       loff_t end)
{
	size_t offset;
	int ret = 0;

	if (!folio)
		return 0;
	folio_lock(folio);
	if (folio->mapping != inode->i_mapping ||
	    folio_test_hwpoison(folio)) {
		ret = -EIO;
	} else {
		offset = offset_in_folio(folio, pos);
		folio_zero_segment(folio, offset, offset + (end - pos));
		flush_dcache_folio(folio);
		folio_mark_dirty(folio);
	}
	folio_unlock(folio);
	folio_put(folio);
	return ret;
}

/*
 * Make a range zero: whole pages are taken away, and the parts of others
 * zeroed.  Private copies of pages stay.  @entry: as for defpager_forget().
 */
static int defpager_clear(struct inode *inode, loff_t pos, loff_t end,
			  u64 entry)
{
	struct defpager_object *object = defpager_object(inode);
	loff_t first = round_up(pos, PAGE_SIZE), last;
	struct folio *head, *tail = NULL;
	int ret;

	/* What is behind the end in its last page is no content. */
	if (end >= i_size_read(inode))
		end = round_up(end, PAGE_SIZE);
	last = round_down(end, PAGE_SIZE);

	/* Bring in what is needed before anything is changed. */
	head = defpager_edge_folio(inode, pos);
	if (IS_ERR(head))
		return PTR_ERR(head);
	if (first <= last)
		tail = defpager_edge_folio(inode, end);
	if (IS_ERR(tail)) {
		if (head)
			folio_put(head);
		return PTR_ERR(tail);
	}

	ret = defpager_zero_edge(inode, head, pos, min(first, end));
	ret = defpager_zero_edge(inode, tail, last, end) ?: ret;
	if (ret || first >= last)
		return ret;
	filemap_invalidate_lock(inode->i_mapping);
	truncate_pagecache_range(inode, first, last - 1);
	defpager_forget(object, first >> PAGE_SHIFT, (last >> PAGE_SHIFT) - 1,
			entry);
	filemap_invalidate_unlock(inode->i_mapping);
	return 0;
}

static int defpager_punch(struct inode *inode, loff_t pos, loff_t end)
{
	struct defpager_object *object = defpager_object(inode);

	if (object->seals & (DEFPAGER_SEAL_WRITE | DEFPAGER_SEAL_FUTURE_WRITE))
		return -EPERM;
	end = min_t(loff_t, end, round_up(object->max_size, PAGE_SIZE));
	if (pos >= end)
		return 0;
	return defpager_clear(inode, pos, end, DEFPAGER_ENTRY_NONE);
}

/* Make sure that the entries of a range can be set; may be interrupted. */
static int defpager_prepare_range(struct defpager_object *object,
				  pgoff_t index, pgoff_t last)
{
	int ret = 0;

	for (; !ret && index <= last;
	     index = round_down(index, DEFPAGER_LEAF_PAGES) +
		     DEFPAGER_LEAF_PAGES) {
		ret = defpager_map_prepare(object, index);
		if (signal_pending(current))
			ret = -EINTR;
		cond_resched();
	}
	return ret;
}

/* Would a promise for all pages of a range fail?  See defpager_reserve(). */
static int defpager_reserve_check(struct defpager_object *object, pgoff_t first,
				  pgoff_t last, u64 *nr)
{
	int ret = 0;

	filemap_invalidate_lock(object->inode.i_mapping);
	*nr = defpager_map_untouched(&object->map, first, last);
	if (*nr)
		ret = defpager_promise_check(object, *nr);
	filemap_invalidate_unlock(object->inode.i_mapping);
	return ret;
}

/*
 * Promise space for all pages of a range, or for none.  Nobody touches one of
 * them meanwhile: of space that is promised twice for one page, until one of
 * the two gives it back, a third would be told that there is none.  Only
 * uprobes do without the lock; so fewer may be promised in the end.
 */
static int defpager_reserve(struct defpager_object *object, pgoff_t first,
			    pgoff_t last)
{
	struct address_space *mapping = object->inode.i_mapping;
	u64 nr, claimed;
	int ret;

	/* No memory for the map of what there is no space for. */
	ret = defpager_reserve_check(object, first, last, &nr);
	if (ret || !nr)
		return ret;
	/* It may take long: not with the lock.  i_rwsem keeps it there. */
	ret = defpager_prepare_range(object, first, last);
	if (ret)
		return ret;
	filemap_invalidate_lock(mapping);
	nr = defpager_map_untouched(&object->map, first, last);
	/* Somebody may have touched all of them. */
	if (nr)
		ret = defpager_promise(object, nr);
	if (nr && !ret) {
		claimed = defpager_map_claim_range(&object->map, first, last);
		defpager_unpromise(object, nr - claimed);
	}
	filemap_invalidate_unlock(mapping);
	return ret;
}

static int defpager_allocate(struct inode *inode, loff_t pos, loff_t end,
			     int mode)
{
	struct defpager_object *object = defpager_object(inode);
	bool zero = mode & FALLOC_FL_ZERO_RANGE;
	bool grows = end > i_size_read(inode);
	u64 entry = DEFPAGER_ENTRY_NONE;
	int ret;

	/* Memory cannot be promised: the C library touches each page then. */
	if (!zero && defpager_object_resident(object))
		return -EOPNOTSUPP;
	if (end > object->max_size)
		return -EFBIG;
	ret = inode_newsize_ok(inode, end);
	if (ret)
		return ret;
	if ((grows && object->seals & DEFPAGER_SEAL_GROW) ||
	    (zero && object->seals & (DEFPAGER_SEAL_WRITE |
				      DEFPAGER_SEAL_FUTURE_WRITE)))
		return -EPERM;

	grows &= !(mode & FALLOC_FL_KEEP_SIZE);
	if (grows)
		ret = defpager_zero_gap(inode, end);
	if (!ret && !defpager_object_prepaid(object)) {
		ret = defpager_reserve(object, pos >> PAGE_SHIFT,
				       (end - 1) >> PAGE_SHIFT);
		entry = DEFPAGER_ENTRY_RESERVED;
	}
	if (!ret && zero)
		ret = defpager_clear(inode, pos, end, entry);
	if (!ret && grows)
		truncate_setsize(inode, end);
	return ret;
}

long defpager_fallocate(struct file *file, int mode, loff_t offset, loff_t len)
{
	struct inode *inode = file_inode(file);
	long ret;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
		     FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;

	inode_lock(inode);
	ret = file_remove_privs(file);
	if (!ret && mode & FALLOC_FL_PUNCH_HOLE)
		ret = defpager_punch(inode, offset, offset + len);
	else if (!ret)
		ret = defpager_allocate(inode, offset, offset + len, mode);
	if (!ret)
		compat_inode_touch(inode);
	inode_unlock(inode);
	return ret;
}
