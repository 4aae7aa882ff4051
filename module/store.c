// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores: how much space there is, how much of it is promised, and
 * which segment a page goes to.
 *
 * A page has space promised before it enters the page cache.  Therefore
 * page-out always finds a slot, and the only one who is ever told that a
 * store is full is who touches a page for the first time.
 */
#include <linux/rculist.h>
#include <linux/string.h>

#include "defpager.h"

/* Give bitmaps to this many slots more than are promised. */
#define DEFPAGER_POPULATE_AHEAD	(DEFPAGER_CHUNK_SLOTS / 4)

struct defpager_store defpager_default_store = {
	.id = 1,
	.cluster_shift = 5,
	.segments = LIST_HEAD_INIT(defpager_default_store.segments),
	.populate_lock = __MUTEX_INITIALIZER(defpager_default_store.populate_lock),
	.name = DEFPAGER_DEFAULT_STORE,
};

struct defpager_store *defpager_store_find(const char *name)
{
	if (strcmp(name, defpager_default_store.name))
		return NULL;
	return &defpager_default_store;
}

/* Populate whichever segment has least, so that all are used from the start. */
static u64 defpager_store_populate_one(struct defpager_store *store)
{
	struct defpager_segment *segment, *best = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(segment, &store->segments, store_list) {
		struct defpager_slots *slots = &segment->slots;

		if (slots->populated_chunks == slots->nr_chunks)
			continue;
		if (!best ||
		    slots->populated_chunks < best->slots.populated_chunks)
			best = segment;
	}
	rcu_read_unlock();
	/* Segments outlive the store's use: @best stays valid unlocked. */
	return best ? defpager_slots_populate(&best->slots) : 0;
}

/*
 * Make sure that what is promised has its bitmaps.  Failing to do some more in
 * advance is no error.
 */
static int defpager_store_populate(struct defpager_store *store)
{
	u64 wanted, nr;
	int ret = 0;

	mutex_lock(&store->populate_lock);
	while (true) {
		wanted = atomic64_read(&store->reserved);
		if (atomic64_read(&store->populated) >=
		    min_t(u64, wanted + DEFPAGER_POPULATE_AHEAD,
			  atomic64_read(&store->capacity)))
			break;
		nr = defpager_store_populate_one(store);
		if (!nr) {
			if (atomic64_read(&store->populated) < wanted)
				ret = -ENOMEM;
			break;
		}
		atomic64_add(nr, &store->populated);
	}
	mutex_unlock(&store->populate_lock);
	return ret;
}

/**
 * defpager_store_reserve() - promise space for pages
 * @store: the store the pages belong to
 * @nr: how many
 *
 * Context: sleeps; may be called with a folio locked.
 * Return: 0; -ENOSPC if the store has no room; -ENOMEM.
 */
int defpager_store_reserve(struct defpager_store *store, unsigned long nr)
{
	u64 reserved = atomic64_add_return(nr, &store->reserved);
	int ret;

	/*
	 * Of two who see the sum exceed the capacity one might have fitted in
	 * without the other.  Both being refused at the edge of full is fine:
	 * nothing says who comes first.
	 */
	if (reserved > atomic64_read(&store->capacity)) {
		atomic64_sub(nr, &store->reserved);
		return -ENOSPC;
	}
	if (reserved + DEFPAGER_POPULATE_AHEAD / 2 <=
	    atomic64_read(&store->populated))
		return 0;
	if (atomic64_read(&store->populated) ==
	    atomic64_read(&store->capacity))
		return 0;
	ret = defpager_store_populate(store);
	if (ret)
		atomic64_sub(nr, &store->reserved);
	return ret;
}

void defpager_store_unreserve(struct defpager_store *store, unsigned long nr)
{
	atomic64_sub(nr, &store->reserved);
}

/* A hint that a reservation would fail, for who can avoid work. */
bool defpager_store_full(struct defpager_store *store)
{
	return atomic64_read(&store->reserved) >=
	       atomic64_read(&store->capacity);
}

static struct defpager_segment *
defpager_store_next(struct defpager_store *store,
		    struct defpager_segment *segment)
{
	struct defpager_segment *next;

	next = list_next_or_null_rcu(&store->segments, &segment->store_list,
				     struct defpager_segment, store_list);
	if (next)
		return next;
	return list_first_or_null_rcu(&store->segments,
				      struct defpager_segment, store_list);
}

/*
 * A slot in a cluster that is free, on the segments in turn; when there is
 * none left, any free slot.
 */
static u64 defpager_slot_alloc_anew(struct defpager_store *store, pgoff_t index)
{
	unsigned int offset = index & ((1U << store->cluster_shift) - 1);
	struct defpager_segment *first, *segment;
	u64 slot = DEFPAGER_NO_SLOT;
	bool single = false;

	first = rcu_dereference(store->next);
	segment = first;
	while (segment) {
		if (single)
			slot = defpager_slots_alloc_single(&segment->slots);
		else
			slot = defpager_slots_alloc_cluster(&segment->slots,
							    offset);
		if (slot != DEFPAGER_NO_SLOT) {
			/* Two at once may skip one's turn: no harm. */
			rcu_assign_pointer(store->next,
				defpager_store_next(store, segment));
			return segment->first_slot + slot;
		}
		segment = defpager_store_next(store, segment);
		if (segment == first) {
			if (single)
				break;
			single = true;
		}
	}
	return DEFPAGER_NO_SLOT;
}

/**
 * defpager_slot_alloc() - find a slot for a page that is going out
 * @store: the store its space is promised by
 * @index: page index in its object
 * @hint: the slot it had best have, DEFPAGER_NO_SLOT if it is all the same
 *
 * Context: any but interrupts; allocates no memory.
 * Return: a slot number.  DEFPAGER_NO_SLOT only if slots went bad meanwhile.
 */
u64 defpager_slot_alloc(struct defpager_store *store, pgoff_t index, u64 hint)
{
	struct defpager_segment *segment;
	u64 slot = hint;

	rcu_read_lock();
	segment = hint == DEFPAGER_NO_SLOT ? NULL : defpager_segment_of(hint);
	/* A hint may point behind its segment's end, into another's. */
	if (!segment || segment->store != store ||
	    !defpager_slots_take(&segment->slots, hint - segment->first_slot))
		slot = defpager_slot_alloc_anew(store, index);
	rcu_read_unlock();
	return slot;
}

void defpager_slot_free(u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);

	defpager_slots_free(&segment->slots, slot - segment->first_slot);
}

/**
 * defpager_slot_retire() - never use a slot again, because writing it failed
 * @slot: a slot number, allocated
 *
 * The page keeps its reservation.  If that makes more reservations than there
 * are slots, some page finds no slot at page-out and stays in memory.
 */
void defpager_slot_retire(u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);
	struct defpager_store *store = segment->store;

	defpager_slots_retire(&segment->slots, slot - segment->first_slot);
	atomic64_dec(&store->capacity);
	atomic64_dec(&store->populated);
	atomic64_inc(&store->bad);
}

void defpager_store_info(struct defpager_store *store,
			 struct defpager_backing_store_info *info)
{
	u64 bad = atomic64_read(&store->bad);
	u64 capacity = atomic64_read(&store->capacity);
	u64 reserved = atomic64_read(&store->reserved);
	struct defpager_segment *segment;
	u64 used = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(segment, &store->segments, store_list)
		used += READ_ONCE(segment->slots.used);
	rcu_read_unlock();

	info->id = store->id;
	info->nr_segments = READ_ONCE(store->nr_segments);
	info->cluster_bytes = PAGE_SIZE << store->cluster_shift;
	info->priority = store->priority;
	info->total_bytes = (capacity + bad) << PAGE_SHIFT;
	info->free_bytes = (capacity - min(reserved, capacity)) << PAGE_SHIFT;
	info->reserved_bytes = reserved << PAGE_SHIFT;
	info->used_bytes = used << PAGE_SHIFT;
	info->bad_bytes = bad << PAGE_SHIFT;
	strscpy_pad(info->name, store->name, sizeof(info->name));
}
