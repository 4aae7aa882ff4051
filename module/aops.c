// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page cache's side: how folios come in, are marked dirty and are let go.
 *
 * PG_dirty is never set, so that nothing of the kernel's writeback applies:
 * no throttling, no flushing.  What "newer than its slot" means here is
 * PG_checked, which belongs to the filesystem and which migration copies.
 *
 * A map entry is acted upon only with the folio locked and in the page cache.
 * A fault that looked before and saw no slot proves nothing: the page may have
 * been written out for the first time and evicted since, and zeros in its
 * place would be data loss.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "defpager.h"

/* How long an allocation waits for page-out before it calls for a kill. */
#define DEFPAGER_PATIENCE	(5 * HZ)

/* Is there a folio at @index?  A hint. */
bool defpager_cached(struct defpager_object *object, pgoff_t index)
{
	void *entry = xa_load(&object->inode.i_mapping->i_pages, index);

	return entry && !xa_is_value(entry);
}

/* Have space promised for a page that is touched for the first time. */
static int defpager_first_touch(struct defpager_object *object, pgoff_t index)
{
	u64 nr = defpager_object_prepaid(object) ? 0 : 1;
	int ret;

	ret = defpager_map_prepare(object, index);
	if (!ret && nr)
		ret = defpager_promise(object, nr);
	if (!ret && !defpager_map_claim(&object->map, index) && nr)
		defpager_unpromise(object, nr);
	return ret;
}

/*
 * The content of a page that has no slot, in a locked folio.  If the page has
 * not been promised space it is now, since it may become dirty from here on.
 * @zeroed: the folio is known to hold zeros.
 */
static int defpager_fill_zero(struct defpager_object *object,
			      struct folio *folio, u64 entry, bool zeroed)
{
	int ret;

	if (entry == DEFPAGER_ENTRY_NONE) {
		ret = defpager_first_touch(object, folio->index);
		if (ret)
			return ret;
	}
	defpager_count(DEFPAGER_PAGES_UNAVAIL, folio_nr_pages(folio));
	if (!zeroed)
		folio_zero_range(folio, 0, folio_size(folio));
	folio_mark_uptodate(folio);
	return 0;
}

/* Give a locked folio its content, and wait for it. */
static int defpager_fill(struct defpager_object *object, struct folio *folio,
			 bool zeroed, bool overwrite)
{
	u64 entry;

	if (folio_test_uptodate(folio))
		return 0;
	entry = defpager_map_get(&object->map, folio->index);
	if (entry == DEFPAGER_ENTRY_LOST)
		return overwrite ? 0 : -EIO;
	if (defpager_entry_is_slot(entry))
		return overwrite ? 0 : defpager_read_sync(folio, entry);
	return defpager_fill_zero(object, folio, entry, zeroed);
}

/*
 * All bytes of a locked folio, which was not uptodate, are new: what was lost
 * or could not be read is made good.
 */
void defpager_folio_overwritten(struct defpager_object *object,
				struct folio *folio)
{
	u64 entry = defpager_map_get(&object->map, folio->index);
	bool unreadable = defpager_entry_is_slot(entry) &&
			  defpager_unreadable(entry);

	if (entry == DEFPAGER_ENTRY_LOST || unreadable)
		defpager_map_set(&object->map, folio->index,
				 DEFPAGER_ENTRY_RESERVED);
	if (unreadable)
		defpager_slot_free(object, entry);
	folio_mark_uptodate(folio);
}

static struct folio *__defpager_add_folio(struct address_space *mapping,
					  pgoff_t index, gfp_t gfp)
{
	struct folio *folio = folio_alloc(gfp, 0);
	int ret;

	if (!folio)
		return ERR_PTR(-ENOMEM);
	ret = filemap_add_folio(mapping, folio, index, gfp & ~__GFP_ZERO);
	if (ret) {
		folio_put(folio);
		return ERR_PTR(ret);
	}
	return folio;
}

/**
 * defpager_add_folio() - put a new folio into the page cache
 * @object: the object
 * @index: page index
 * @gfp: how to allocate it
 *
 * Whoever pages in is also who reclaims, and may have looked at all there is
 * before the first of the pages it wants written is.  The kernel would kill
 * somebody then, though memory is about to come.  Here nothing is isolated or
 * locked that this depends on: so wait, and only in the end insist.
 *
 * Context: sleeps, for seconds if memory is really short.
 * Return: the folio, locked and with a reference; or an error pointer:
 *	-EEXIST, -ENOMEM.
 */
struct folio *defpager_add_folio(struct defpager_object *object, pgoff_t index,
				 gfp_t gfp)
{
	struct address_space *mapping = object->inode.i_mapping;
	unsigned long deadline = jiffies + DEFPAGER_PATIENCE;
	struct folio *folio;

	do {
		folio = __defpager_add_folio(mapping, index,
					     gfp | __GFP_RETRY_MAYFAIL |
					     __GFP_NOWARN);
		if (folio != ERR_PTR(-ENOMEM))
			return folio;
		defpager_wait_progress();
	} while (time_before(jiffies, deadline) &&
		 !fatal_signal_pending(current));
	return __defpager_add_folio(mapping, index, gfp);
}

static bool defpager_untouched(struct defpager_object *object, pgoff_t index)
{
	return defpager_map_get(&object->map, index) == DEFPAGER_ENTRY_NONE;
}

/* Would a page, if it is touched for the first time, be refused? */
static int defpager_look_first(struct defpager_object *object, pgoff_t index)
{
	int ret = 0;

	if (!defpager_object_prepaid(object) &&
	    defpager_untouched(object, index))
		ret = defpager_promise_check(object, 1);
	if (!ret)
		return 0;
	/*
	 * Not if it is this very page that somebody was promised the last space
	 * for.  His folio is in the page cache before that, and until the map
	 * knows: so look there first, and after the promises.
	 */
	smp_rmb(); /* see above */
	if (defpager_cached(object, index))
		return 0;
	smp_rmb(); /* see above */
	return defpager_untouched(object, index) ? ret : 0;
}

/**
 * defpager_get_folio() - bring a page into memory
 * @object: the object
 * @index: page index
 * @gfp: how to allocate the folio
 * @overwrite: the caller is going to overwrite all of it, so that nothing need
 *	be read: the folio may not be uptodate
 *
 * Context: mapping->invalidate_lock or i_rwsem held; sleeps.
 * Return: the folio, locked and with a reference; or an error pointer:
 *	-ENOSPC, -EDQUOT, -ENOMEM, -EIO.
 */
struct folio *defpager_get_folio(struct defpager_object *object, pgoff_t index,
				 gfp_t gfp, bool overwrite)
{
	struct address_space *mapping = object->inode.i_mapping;
	struct folio *folio;
	bool added;
	int ret;

	/* Look before a folio is allocated in vain. */
	ret = defpager_look_first(object, index);
	if (ret)
		return ERR_PTR(ret);
	do {
		added = !defpager_cached(object, index);
		if (added)
			folio = defpager_add_folio(object, index,
						   gfp | __GFP_ZERO);
		else
			folio = __filemap_get_folio(mapping, index, FGP_LOCK,
						    gfp);
		/* It came, or went, meanwhile: look again. */
	} while (folio == ERR_PTR(added ? -EEXIST : -ENOENT));
	if (IS_ERR(folio))
		return folio;
	/* Its memory has failed, and nobody could take it away. */
	ret = folio_test_hwpoison(folio) ? -EIO :
	      defpager_fill(object, folio, added, overwrite);
	if (ret) {
		folio_unlock(folio);
		folio_put(folio);
		return ERR_PTR(ret);
	}
	return folio;
}

/*
 * Bring one page in; the folio is unlocked when that is done.
 *
 * Who asks has the invalidate_lock, but he may have looked at the size before he
 * got it, and what he misses may have been cut off since: no space is promised
 * behind the end.  It is an error for who faults, and who reads looks again.
 */
static int defpager_read_folio(struct file *file, struct folio *folio)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);
	u64 entry = defpager_map_get(&object->map, folio->index);
	struct defpager_io io;
	int ret;

	defpager_count(DEFPAGER_PAGEIN_CALLS, 1);
	if (defpager_entry_is_slot(entry) && !defpager_unreadable(entry)) {
		defpager_io_init(&io, REQ_OP_READ, 1);
		defpager_io_add(&io, folio, entry);
		defpager_io_submit(&io);
		return 0;
	}
	if (folio->index < defpager_object_pages(object))
		ret = defpager_fill(object, folio, false, false);
	else
		ret = -ENOSPC;
	folio_unlock(folio);
	return ret;
}

/*
 * Bring in pages that are going to be wanted.  The page cache has decided how
 * many; holes are not filled for its sake, and the first one ends it.
 */
static void defpager_readahead(struct readahead_control *rac)
{
	struct defpager_object *object = defpager_object(rac->mapping->host);
	pgoff_t index = readahead_index(rac);
	struct defpager_io io;
	struct folio *folio;
	u64 entry;

	defpager_io_init(&io, REQ_OP_READ, readahead_count(rac));
	while (true) {
		/* Folios not taken are removed again: look before taking. */
		entry = defpager_map_get(&object->map, index);
		if (!defpager_entry_is_slot(entry) ||
		    defpager_unreadable(entry))
			break;
		folio = readahead_folio(rac);
		if (!folio)
			break;
		index = folio_next_index(folio);
		defpager_io_add(&io, folio, entry);
	}
	defpager_io_submit(&io);
}

/*
 * Called under a page table lock, or with nothing: set the mark, whatever it
 * was.  A test before it could miss that page-out is just clearing it.
 */
static bool defpager_dirty_folio(struct address_space *mapping,
				 struct folio *folio)
{
	folio_set_checked(folio);
	return true;
}

/*
 * Is a clean folio not to be dropped?  What could never be read again is to be
 * written elsewhere, if there is an elsewhere.  And somebody may have written to it
 * and not said so.
 */
static bool defpager_save(struct folio *folio)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);
	struct defpager_segment *segment = NULL;
	u64 entry;

	if (!folio_test_uptodate(folio))
		return false;
	/* The lock keeps the slot, and the slot its segment. */
	entry = defpager_map_get(&object->map, folio->index);
	if (defpager_entry_is_slot(entry))
		segment = defpager_segment_of(entry);
	if (!(segment && defpager_stranded(segment)) &&
	    !defpager_differs(segment, folio))
		return false;
	folio_set_checked(folio);
	return true;
}

/*
 * Reclaim, or somebody else who would like to have the folio, asks to let it
 * go.  @gfp of 0 means that nothing is to be done for it.
 *
 * References come before the mark: reclaim's own last look is at PG_dirty,
 * which is no use here.  Whoever had the page pinned before it was unmapped
 * may write to it, mark it and then let go of the reference; so a look at the
 * mark that finds no other reference afterwards is too early, and the other
 * way round is right.  New references that can lead to a mark need the folio
 * lock or a mapping.  Reclaim holds the one and has removed the other.
 */
static bool defpager_release_folio(struct folio *folio, gfp_t gfp)
{
	struct defpager_object *object;

	if (folio_ref_count(folio) != 1 + folio_nr_pages(folio))
		return false;
	/* Pairs with the barrier in folio_put(): the reference, the mark. */
	smp_rmb();
	if (!folio_test_checked(folio) && !folio_test_dirty(folio) &&
	    !defpager_save(folio)) {
		defpager_count(DEFPAGER_CLEAN_DROPS, folio_nr_pages(folio));
		return true;
	}
	object = defpager_object(folio->mapping->host);
	if (gfp && !defpager_object_resident(object))
		defpager_want(object, folio, gfp);
	return false;
}

/*
 * The memory of a locked folio has gone bad, and it is unmapped.  A clean one
 * can be read again.  Of a dirty one the content is lost, and that must not be
 * forgotten: neither zeros nor what the slot has are what was there.  So it is
 * if somebody besides the page cache and our caller has a reference: direct
 * I/O, which may be writing to the page, marks it when it has ended.
 */
static bool defpager_folio_is_newer(struct folio *folio)
{
	if (folio_ref_count(folio) > folio_nr_pages(folio) + 1)
		return true;
	smp_rmb(); /* as in defpager_release_folio() */
	return folio_test_checked(folio) || folio_test_dirty(folio);
}

static int defpager_error_remove_folio(struct address_space *mapping,
				       struct folio *folio)
{
	struct defpager_object *object = defpager_object(mapping->host);
	pgoff_t index = folio->index;
	u64 entry;

	folio_wait_writeback(folio);
	entry = defpager_map_get(&object->map, index);
	if (entry != DEFPAGER_ENTRY_NONE && defpager_folio_is_newer(folio)) {
		defpager_map_set(&object->map, index, DEFPAGER_ENTRY_LOST);
		if (defpager_entry_is_slot(entry))
			defpager_slot_free(object, entry);
	}
	return generic_error_remove_folio(mapping, folio);
}

DEFINE_COMPAT_ERROR_REMOVE_FOLIO(defpager_error_remove_folio)

const struct address_space_operations defpager_aops = {
	.read_folio	= defpager_read_folio,
	.readahead	= defpager_readahead,
	.dirty_folio	= defpager_dirty_folio,
	.release_folio	= defpager_release_folio,
	.migrate_folio	= filemap_migrate_folio,
	COMPAT_ERROR_REMOVE_FOLIO(defpager_error_remove_folio),
};

static vm_fault_t defpager_fault_error(struct folio *folio)
{
	return PTR_ERR(folio) == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/*
 * A page without readahead, and without letting go of mmap_lock for its I/O:
 * one that has most likely never been touched, or could not be read.
 */
static vm_fault_t defpager_fault_page(struct vm_fault *vmf,
				      struct defpager_object *object)
{
	struct address_space *mapping = object->inode.i_mapping;
	struct folio *folio = ERR_PTR(-EFAULT);

	/* Truncation sets the size under this lock, then waits for folios. */
	filemap_invalidate_lock_shared(mapping);
	if (vmf->pgoff < defpager_object_pages(object))
		folio = defpager_get_folio(object, vmf->pgoff, vmf->gfp_mask,
					   false);
	filemap_invalidate_unlock_shared(mapping);
	if (IS_ERR(folio))
		return defpager_fault_error(folio);
	vmf->page = folio_file_page(folio, vmf->pgoff);
	return VM_FAULT_LOCKED;
}

static vm_fault_t defpager_fault(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct defpager_object *object = defpager_object(inode);
	pgoff_t index = vmf->pgoff;
	vm_fault_t ret = 0;
	struct folio *folio;
	bool failed;

	if (index >= defpager_object_pages(object))
		return VM_FAULT_SIGBUS;
	folio = __filemap_get_folio(inode->i_mapping, index, 0, 0);
	if (!IS_ERR(folio)) {
		failed = !folio_test_locked(folio) &&
			 !folio_test_uptodate(folio);
		defpager_read_on(vmf, object, folio);
		folio_put(folio);
		/*
		 * filemap_fault() would let go of mmap_lock to read it, and
		 * then say "try again" even if that has failed.  Some callers
		 * do so for ever (mlock, MADV_POPULATE_READ before 6.9).
		 */
		if (failed)
			return defpager_fault_page(vmf, object);
	} else {
		defpager_count(DEFPAGER_PAGEIN_CALLS, 1);
		if (!defpager_entry_is_slot(defpager_map_get(&object->map,
							     index)))
			return defpager_fault_page(vmf, object);
		defpager_read_in(vmf, object);
		ret = VM_FAULT_MAJOR;
	}
	/* It finds what is on its way, and waits for it. */
	return ret | filemap_fault(vmf);
}

const struct vm_operations_struct defpager_vm_ops = {
	.fault		= defpager_fault,
	.map_pages	= filemap_map_pages,
};
