// SPDX-License-Identifier: GPL-2.0-only
/* Where the pages of an object are: for listings, without any lock. */
#include <linux/pagemap.h>

#include "defpager.h"

/* What is told of one page. */
struct defpager_page {
	u32 flags;			/* enum defpager_page_flags */
	u64 slot;			/* DEFPAGER_NO_SLOT: none */
};

static u32 defpager_page_memory_flags(struct address_space *mapping,
				      pgoff_t index)
{
	struct folio *folio = __filemap_get_folio(mapping, index, 0, 0);
	u32 flags = 0;

	if (IS_ERR(folio))
		return 0;
	/* Otherwise it is on its way, or could not be read. */
	if (folio_test_uptodate(folio))
		flags |= DEFPAGER_PAGE_RESIDENT;
	if (folio_test_checked(folio) || folio_test_dirty(folio))
		flags |= DEFPAGER_PAGE_DIRTY;
	folio_put(folio);
	return flags;
}

/* False if the page was never touched. */
static bool defpager_page_look(struct defpager_object *object, pgoff_t index,
			       struct defpager_page *page)
{
	u64 entry = defpager_map_get(&object->map, index);

	if (entry == DEFPAGER_ENTRY_NONE)
		return false;
	page->flags = defpager_page_memory_flags(object->inode.i_mapping,
						 index);
	page->slot = DEFPAGER_NO_SLOT;
	if (entry == DEFPAGER_ENTRY_LOST) {
		page->flags |= DEFPAGER_PAGE_LOST;
	} else if (defpager_entry_is_slot(entry)) {
		page->flags |= DEFPAGER_PAGE_STORED;
		if (defpager_unreadable(entry))
			page->flags |= DEFPAGER_PAGE_UNREADABLE;
		page->slot = entry;
	}
	return true;
}

/* Fill in the segment of a slot; false if that is gone by now. */
static bool defpager_page_segment(u64 slot, struct defpager_page_range *row)
{
	struct defpager_segment *segment;

	rcu_read_lock();
	segment = defpager_segment_of(slot);
	if (segment) {
		row->segment = segment->id;
		row->device_offset = (u64)defpager_segment_sector(segment, slot)
				     << SECTOR_SHIFT;
	}
	rcu_read_unlock();
	return segment;
}

/* Does a page, @nr pages behind the first one of a range, continue it? */
static bool defpager_page_continues(const struct defpager_page *first,
				    const struct defpager_page *page, u64 nr)
{
	if (page->flags != first->flags)
		return false;
	/* The next segment's slots are not contiguous: a granule begins. */
	return first->slot == DEFPAGER_NO_SLOT ||
	       (page->slot == first->slot + nr &&
		page->slot & ((1UL << DEFPAGER_GRANULE_SHIFT) - 1));
}

/**
 * defpager_page_range() - describe the next pages of an object
 * @object: the object
 * @start: offset to begin at, in bytes
 * @row: out: the range
 *
 * Context: sleeps.
 * Return: whether there is one.
 */
bool defpager_page_range(struct defpager_object *object, u64 start,
			 struct defpager_page_range *row)
{
	loff_t size = i_size_read(&object->inode);
	pgoff_t index = start >> PAGE_SHIFT, last;
	struct defpager_page first, page;
	u64 nr = 1;

	memset(row, 0, sizeof(*row));
	if (!size || start >= size)
		return false;
	last = (size - 1) >> PAGE_SHIFT;
	do {
		index = defpager_map_next(&object->map, index, last, true);
		if (index > last)
			return false;
		/* If it was cut off or moved away a moment ago: look again. */
	} while (!defpager_page_look(object, index, &first) ||
		 (first.slot != DEFPAGER_NO_SLOT &&
		  !defpager_page_segment(first.slot, row)));
	while (index + nr <= last && nr < DEFPAGER_LEAF_PAGES &&
	       defpager_page_look(object, index + nr, &page) &&
	       defpager_page_continues(&first, &page, nr))
		nr++;
	row->flags = first.flags;
	row->offset = (u64)index << PAGE_SHIFT;
	row->length = nr << PAGE_SHIFT;
	return true;
}
