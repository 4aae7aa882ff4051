// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much to bring in when a mapping misses a page.
 *
 * The readahead of mapped files reads around each miss, which makes random
 * access several times as slow as reading just the page: each miss costs the
 * transfer and the memory of dozens.  So a miss brings in one page unless it
 * continues, upwards or downwards, what the last miss of this mapping brought
 * in; then it brings in twice as much as that did.  Going upwards, a folio of
 * each window carries the readahead mark: who comes to it starts the next
 * window, so that the device works while the reader does.  Because the mark
 * stands where the stream is, several streams in one mapping do not disturb
 * each other once they run.
 *
 * A page without a slot is never brought in by this.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "defpager.h"

/* Pages in the largest window, and in the first one of a stream. */
#define DEFPAGER_WINDOW_MAX	64
#define DEFPAGER_WINDOW_MIN	4

/*
 * Pages in memory right below a miss, this many, are taken for the traces of
 * a stream that was lost among others.
 */
#define DEFPAGER_TRACES		8

/*
 * The last window of a mapping, in its vm_private_data: no lock and no memory
 * of its own.  Threads that miss at once overwrite each other's; what comes of
 * that is a window of one page.
 */
#define DEFPAGER_WINDOW_BITS	8

struct defpager_window {
	pgoff_t first;
	unsigned int nr;
};

static struct defpager_window defpager_window_load(struct vm_area_struct *vma)
{
	unsigned long word = (unsigned long)READ_ONCE(vma->vm_private_data);

	return (struct defpager_window) {
		.first = word >> DEFPAGER_WINDOW_BITS,
		.nr = word & ((1U << DEFPAGER_WINDOW_BITS) - 1),
	};
}

static void defpager_window_store(struct vm_area_struct *vma,
				  struct defpager_window window)
{
	unsigned long word = window.first << DEFPAGER_WINDOW_BITS | window.nr;

	WRITE_ONCE(vma->vm_private_data, (void *)word);
}

/* Start reading into a folio that is new in the page cache. */
static void defpager_read_added(struct defpager_object *object,
				struct defpager_io *io, struct folio *folio)
{
	/* Now it is locked and in the page cache, and the map is exact. */
	u64 entry = defpager_map_get(&object->map, folio->index);

	if (defpager_entry_is_slot(entry) && !defpager_unreadable(entry))
		defpager_io_add(io, folio, entry);
	else
		folio_unlock(folio);
	folio_put(folio);
}

/*
 * Start reading one page, if it has a slot and is not in memory.
 * Return: false if there is no point in going on.
 */
static bool defpager_read_page(struct defpager_object *object,
			       struct defpager_io *io, pgoff_t index, bool mark)
{
	struct address_space *mapping = object->inode.i_mapping;
	gfp_t gfp = readahead_gfp_mask(mapping);
	struct folio *folio;

	if (defpager_cached(object, index) ||
	    !defpager_entry_is_slot(defpager_map_get(&object->map, index)))
		return true;
	folio = folio_alloc(gfp, 0);
	if (!folio)
		return false;
	if (filemap_add_folio(mapping, folio, index, gfp)) {
		folio_put(folio);
		return false;
	}
	if (mark)
		folio_set_readahead(folio);
	defpager_read_added(object, io, folio);
	return true;
}

/* The page that is missed, for which no effort is too much. */
static void defpager_read_missed(struct defpager_object *object, pgoff_t index,
				 gfp_t gfp)
{
	struct address_space *mapping = object->inode.i_mapping;
	struct defpager_io io;
	struct folio *folio;

	defpager_io_init(&io, REQ_OP_READ, 1);
	filemap_invalidate_lock_shared(mapping);
	if (index < defpager_object_pages(object)) {
		folio = defpager_add_folio(object, index, gfp);
		if (!IS_ERR(folio))
			defpager_read_added(object, &io, folio);
	}
	defpager_io_submit(&io);
	filemap_invalidate_unlock_shared(mapping);
}

static void defpager_read_window(struct defpager_object *object,
				 struct defpager_window window, pgoff_t mark)
{
	struct address_space *mapping = object->inode.i_mapping;
	pgoff_t i, end = defpager_object_pages(object);
	struct defpager_io io;
	struct blk_plug plug;

	end = min(end, window.first + window.nr);
	defpager_io_init(&io, REQ_OP_READ, window.nr);
	blk_start_plug(&plug);
	filemap_invalidate_lock_shared(mapping);
	for (i = window.first; i < end; i++)
		if (!defpager_read_page(object, &io, i, i == mark))
			break;
	defpager_io_submit(&io);
	filemap_invalidate_unlock_shared(mapping);
	blk_finish_plug(&plug);
}

/* Start reading those pages of a range that have a slot and are not here. */
void defpager_read_range(struct defpager_object *object, pgoff_t first,
			 unsigned int nr)
{
	struct defpager_window window = { .first = first, .nr = nr };

	defpager_read_window(object, window, ULONG_MAX);
}

static unsigned int defpager_window_next(unsigned int nr)
{
	return clamp(2 * nr, (unsigned int)DEFPAGER_WINDOW_MIN,
		     (unsigned int)DEFPAGER_WINDOW_MAX);
}

static bool defpager_traces(struct defpager_object *object, pgoff_t index)
{
	unsigned int i;

	for (i = 1; i <= DEFPAGER_TRACES; i++)
		if (index < i || !defpager_cached(object, index - i))
			return false;
	return true;
}

/* A fault misses a page that has a slot: start reading it, and more. */
void defpager_read_in(struct vm_fault *vmf, struct defpager_object *object)
{
	struct defpager_window last = defpager_window_load(vmf->vma);
	struct defpager_window window = { .first = vmf->pgoff, .nr = 1 };
	pgoff_t mark = ULONG_MAX;

	if (vmf->vma->vm_flags & VM_RAND_READ) {
		/* As madvise() has it: just the page. */
	} else if (vmf->vma->vm_flags & VM_SEQ_READ) {
		window.nr = DEFPAGER_WINDOW_MAX;
		mark = window.first + window.nr / 2;
	} else if (vmf->pgoff == last.first + last.nr ||
		   defpager_traces(object, vmf->pgoff)) {
		window.nr = defpager_window_next(last.nr);
		mark = window.first + window.nr / 2;
	} else if (vmf->pgoff + 1 == last.first) {
		window.nr = min_t(pgoff_t, vmf->pgoff + 1,
				  defpager_window_next(last.nr));
		window.first = vmf->pgoff + 1 - window.nr;
	}
	defpager_window_store(vmf->vma, window);
	if (window.nr > 1)
		defpager_read_window(object, window, mark);
	if (window.nr == 1 || !defpager_cached(object, vmf->pgoff))
		defpager_read_missed(object, vmf->pgoff, vmf->gfp_mask);
}

/* Take the readahead mark off a folio, if it is there. */
static bool defpager_take_mark(struct folio *folio)
{
	/* Under writeback the same bit means something else. */
	bool marked = folio_test_readahead(folio) &&
		      !folio_test_writeback(folio);

	if (marked)
		folio_clear_readahead(folio);
	return marked;
}

/* A fault finds its page in memory: if it carries the mark, read on. */
void defpager_read_on(struct vm_fault *vmf, struct defpager_object *object,
		      struct folio *folio)
{
	struct address_space *mapping = object->inode.i_mapping;
	struct defpager_window window;

	if (!defpager_take_mark(folio))
		return;
	rcu_read_lock();
	window.first = page_cache_next_miss(mapping, vmf->pgoff + 1,
					    DEFPAGER_WINDOW_MAX);
	rcu_read_unlock();
	window.nr = defpager_window_next(window.first - vmf->pgoff);
	defpager_window_store(vmf->vma, window);
	defpager_read_window(object, window, window.first);
}
