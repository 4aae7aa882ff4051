// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which slots of a segment are free.  Slots are numbered from 0 here, and
 * nothing is known of what they hold or where they are; only whether a slot
 * is used by the pool or by who was promised it (promise.c), because closing
 * a segment has to know how many there are of each.
 *
 * Slots are given out so that pages that are neighbours in an object become
 * neighbours on the device: the first page of a neighbourhood gets a place in
 * a cluster that is wholly free, at the offset it has in its neighbourhood,
 * and the others find their places next to it still free, because clusters
 * that are partly in use are touched for strangers only when no wholly free
 * one is left (defpager_slots_alloc_single()).  Nothing records that a cluster
 * belongs to somebody, so nothing has to be taken away when space gets tight.
 *
 * Bitmaps come in chunks, so that a segment of many terabytes costs memory
 * only for what is promised of it.
 *
 * Where freed slots are to be discarded, a second bitmap remembers those that
 * were in use since they were discarded last.  Discarding allocates them for
 * its duration; if they are allocated before, there is nothing to discard.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "defpager.h"

static u32 defpager_chunk_slots(struct defpager_slots *slots, u32 chunk)
{
	u64 first = (u64)chunk * DEFPAGER_CHUNK_SLOTS;

	return min_t(u64, slots->nr - first, DEFPAGER_CHUNK_SLOTS);
}

int defpager_slots_init(struct defpager_slots *slots, u64 nr, u32 cluster_shift,
			bool discard)
{
	memset(slots, 0, sizeof(*slots));
	spin_lock_init(&slots->lock);
	slots->nr = nr;
	slots->cluster_shift = cluster_shift;
	slots->discard = discard;
	slots->nr_chunks = DIV_ROUND_UP_ULL(nr, DEFPAGER_CHUNK_SLOTS);
	slots->chunks = kvcalloc(slots->nr_chunks, sizeof(*slots->chunks),
				 GFP_KERNEL_ACCOUNT);
	return slots->chunks ? 0 : -ENOMEM;
}

void defpager_slots_exit(struct defpager_slots *slots)
{
	u32 i;

	for (i = 0; i < slots->populated_chunks; i++) {
		free_page((unsigned long)slots->chunks[i].bitmap);
		free_page((unsigned long)slots->chunks[i].discard);
	}
	kvfree(slots->chunks);
}

/**
 * defpager_slots_populate() - give one more chunk of slots its bitmap
 * @slots: the slots of a segment
 *
 * Context: sleeps, but waits for no I/O: callers are serialised by
 *	defpager_populate_lock, which the device that I/O is to may need, if an
 *	object is what a loop device is made of.
 * Return: the number of slots that can be allocated now and could not before,
 *	0 if there are no more, or the segment is closed; -ENOMEM.
 */
s64 defpager_slots_populate(struct defpager_slots *slots)
{
	u32 i = slots->populated_chunks;
	unsigned long *bitmap, *discard = NULL;
	struct defpager_slot_chunk *chunk;
	u32 nr;

	if (i == slots->nr_chunks || READ_ONCE(slots->closed))
		return 0;
	/*
	 * On nobody's account: they are the store's, and whoever charges them to
	 * a full control group would have everybody wait.
	 */
	bitmap = (unsigned long *)get_zeroed_page(GFP_NOIO);
	if (bitmap && slots->discard)
		discard = (unsigned long *)get_zeroed_page(GFP_NOIO);
	if (!bitmap || (slots->discard && !discard)) {
		free_page((unsigned long)bitmap);
		return -ENOMEM;
	}
	nr = defpager_chunk_slots(slots, i);
	bitmap_set(bitmap, nr, DEFPAGER_CHUNK_SLOTS - nr);

	spin_lock(&slots->lock);
	if (slots->closed) {
		/* It began to fail a moment ago. */
		spin_unlock(&slots->lock);
		free_page((unsigned long)bitmap);
		free_page((unsigned long)discard);
		return 0;
	}
	chunk = &slots->chunks[i];
	chunk->bitmap = bitmap;
	chunk->discard = discard;
	chunk->free = nr;
	chunk->cluster_hint = 0;
	slots->populated_chunks++;
	slots->populated += nr;
	slots->free += nr;
	spin_unlock(&slots->lock);
	return nr;
}

static void __defpager_slots_use(struct defpager_slots *slots,
				 struct defpager_slot_chunk *chunk, u32 bit,
				 bool pooled)
{
	lockdep_assert_held(&slots->lock);
	__set_bit(bit, chunk->bitmap);
	if (chunk->discard && __test_and_clear_bit(bit, chunk->discard))
		chunk->to_discard--;
	chunk->free--;
	slots->free--;
	slots->used++;
	slots->pooled += pooled;
}

/**
 * defpager_slots_take() - allocate one certain slot if it is free
 * @slots: the slots of a segment
 * @slot: the slot wanted; any number, even one that does not exist
 * @pooled: for the pool
 *
 * Return: whether it was free and is the caller's now.
 */
bool defpager_slots_take(struct defpager_slots *slots, u64 slot, bool pooled)
{
	struct defpager_slot_chunk *chunk;
	u32 bit = slot % DEFPAGER_CHUNK_SLOTS;
	bool taken = false;

	if (slot >= slots->nr)
		return false;
	spin_lock(&slots->lock);
	if (!slots->closed &&
	    slot / DEFPAGER_CHUNK_SLOTS < slots->populated_chunks) {
		chunk = &slots->chunks[slot / DEFPAGER_CHUNK_SLOTS];
		taken = !test_bit(bit, chunk->bitmap);
		if (taken)
			__defpager_slots_use(slots, chunk, bit, pooled);
	}
	spin_unlock(&slots->lock);
	return taken;
}

static bool defpager_cluster_free(struct defpager_slot_chunk *chunk, u32 first,
				  u32 pages)
{
	return find_next_bit(chunk->bitmap, first + pages, first) >=
	       first + pages;
}

/* The first slot of a wholly free cluster of @chunk, or its end. */
static u32 defpager_chunk_cluster(struct defpager_slots *slots,
				  struct defpager_slot_chunk *chunk)
{
	u32 pages = 1U << slots->cluster_shift;
	u32 first = chunk->cluster_hint << slots->cluster_shift;

	while (first < DEFPAGER_CHUNK_SLOTS &&
	       !defpager_cluster_free(chunk, first, pages))
		first += pages;
	chunk->cluster_hint = first >> slots->cluster_shift;
	return first;
}

/**
 * defpager_slots_alloc_cluster() - allocate a slot in a wholly free cluster
 * @slots: the slots of a segment
 * @index: page index in its object, which gives its place in the cluster
 * @pooled: for the pool
 *
 * Return: the slot, or DEFPAGER_NO_SLOT if no cluster is wholly free.
 */
u64 defpager_slots_alloc_cluster(struct defpager_slots *slots, pgoff_t index,
				 bool pooled)
{
	u32 offset = index & ((1U << slots->cluster_shift) - 1);
	u64 slot = DEFPAGER_NO_SLOT;
	u32 i, first;

	spin_lock(&slots->lock);
	for (i = slots->cluster_chunk;
	     !slots->closed && i < slots->populated_chunks; i++) {
		first = defpager_chunk_cluster(slots, &slots->chunks[i]);
		if (first < DEFPAGER_CHUNK_SLOTS) {
			__defpager_slots_use(slots, &slots->chunks[i],
					     first + offset, pooled);
			slot = (u64)i * DEFPAGER_CHUNK_SLOTS + first + offset;
			break;
		}
	}
	slots->cluster_chunk = i;
	spin_unlock(&slots->lock);
	return slot;
}

/**
 * defpager_slots_alloc_single() - allocate any slot, breaking up clusters
 * @slots: the slots of a segment
 * @pooled: for the pool
 *
 * Return: the slot, or DEFPAGER_NO_SLOT if none is free.
 */
u64 defpager_slots_alloc_single(struct defpager_slots *slots, bool pooled)
{
	struct defpager_slot_chunk *chunk;
	u64 slot = DEFPAGER_NO_SLOT;
	u32 i, bit;

	spin_lock(&slots->lock);
	for (i = slots->single_chunk;
	     !slots->closed && i < slots->populated_chunks; i++) {
		chunk = &slots->chunks[i];
		if (!chunk->free)
			continue;
		bit = find_first_zero_bit(chunk->bitmap, DEFPAGER_CHUNK_SLOTS);
		__defpager_slots_use(slots, chunk, bit, pooled);
		slot = (u64)i * DEFPAGER_CHUNK_SLOTS + bit;
		break;
	}
	slots->single_chunk = i;
	spin_unlock(&slots->lock);
	return slot;
}

static void __defpager_slots_unuse(struct defpager_slots *slots, u32 i, u32 bit)
{
	struct defpager_slot_chunk *chunk = &slots->chunks[i];
	u32 pages = 1U << slots->cluster_shift;

	lockdep_assert_held(&slots->lock);
	WARN_ON_ONCE(!__test_and_clear_bit(bit, chunk->bitmap));
	chunk->free++;
	slots->free++;
	slots->single_chunk = min(slots->single_chunk, i);
	if (defpager_cluster_free(chunk, round_down(bit, pages), pages)) {
		chunk->cluster_hint = min(chunk->cluster_hint,
					  bit >> slots->cluster_shift);
		slots->cluster_chunk = min(slots->cluster_chunk, i);
	}
}

/**
 * defpager_slots_free() - free a slot
 * @slots: the slots of a segment
 * @slot: a slot that is allocated
 * @pooled: as when it was allocated
 *
 * Return: whether it can be allocated again: the segment is not closed.
 */
bool defpager_slots_free(struct defpager_slots *slots, u64 slot, bool pooled)
{
	struct defpager_slot_chunk *chunk;
	u32 i = slot / DEFPAGER_CHUNK_SLOTS;
	u32 bit = slot % DEFPAGER_CHUNK_SLOTS;
	bool open;

	spin_lock(&slots->lock);
	chunk = &slots->chunks[i];
	__defpager_slots_unuse(slots, i, bit);
	if (chunk->discard && !__test_and_set_bit(bit, chunk->discard))
		chunk->to_discard++;
	slots->used--;
	slots->pooled -= pooled;
	open = !slots->closed;
	spin_unlock(&slots->lock);
	return open;
}

/**
 * defpager_slots_retire() - give a slot up for good
 * @slots: the slots of a segment
 * @slot: a slot that is allocated; it stays set in the bitmap
 * @pooled: as when it was allocated
 *
 * Return: whether there is a slot less now: the segment is not closed.
 */
bool defpager_slots_retire(struct defpager_slots *slots, u64 slot, bool pooled)
{
	bool open;

	spin_lock(&slots->lock);
	slots->used--;
	slots->pooled -= pooled;
	slots->bad++;
	open = !slots->closed;
	spin_unlock(&slots->lock);
	return open;
}

/* A slot was given up in error.  The segment is closed. */
void defpager_slots_unretire(struct defpager_slots *slots, u64 slot)
{
	spin_lock(&slots->lock);
	WARN_ON_ONCE(!slots->closed);
	__defpager_slots_unuse(slots, slot / DEFPAGER_CHUNK_SLOTS,
			       slot % DEFPAGER_CHUNK_SLOTS);
	slots->bad--;
	spin_unlock(&slots->lock);
}

/**
 * defpager_slots_close() - have a reason to allocate no slot, or have it no more
 * @slots: the slots of a segment
 * @why: the reason
 * @close: which of the two
 * @capacity: out: what there is less, or more, by that; nothing if there is
 *	another reason
 *
 * Return: whether that is any news.
 */
bool defpager_slots_close(struct defpager_slots *slots, u32 why, bool close,
			  struct defpager_capacity *capacity)
{
	u32 old;

	memset(capacity, 0, sizeof(*capacity));
	spin_lock(&slots->lock);
	old = slots->closed;
	WRITE_ONCE(slots->closed, close ? old | why : old & ~why);
	if (!old != !slots->closed) {
		capacity->good = slots->populated - slots->bad;
		capacity->pooled = slots->pooled;
		capacity->unpopulated = slots->nr - slots->populated;
	}
	spin_unlock(&slots->lock);
	return !(old & why) == close;
}

/* The first run of free slots to be discarded in a chunk; its length. */
static u32 defpager_chunk_discard(struct defpager_slot_chunk *chunk, u32 max,
				  u32 *first)
{
	u32 bit = find_first_bit(chunk->discard, DEFPAGER_CHUNK_SLOTS);
	u32 end = find_next_zero_bit(chunk->discard, DEFPAGER_CHUNK_SLOTS, bit);

	*first = bit;
	return min(end - bit, max);
}

/**
 * defpager_slots_discard_begin() - allocate a run of slots to discard
 * @slots: the slots of a segment
 * @chunk: where to look first; where it was found
 * @max: slots at most
 * @slot: out: the first one
 *
 * Slots with a mark are free: allocating one takes the mark away.
 *
 * Return: how many, 0 if there is none.
 */
u32 defpager_slots_discard_begin(struct defpager_slots *slots, u32 *chunk,
				 u32 max, u64 *slot)
{
	u32 nr = 0, first, i;

	spin_lock(&slots->lock);
	for (i = *chunk; !slots->closed && i < slots->populated_chunks; i++) {
		struct defpager_slot_chunk *at = &slots->chunks[i];

		*chunk = i;
		if (!at->to_discard)
			continue;
		nr = defpager_chunk_discard(at, max, &first);
		bitmap_clear(at->discard, first, nr);
		bitmap_set(at->bitmap, first, nr);
		at->to_discard -= nr;
		at->free -= nr;
		slots->free -= nr;
		*slot = (u64)i * DEFPAGER_CHUNK_SLOTS + first;
		break;
	}
	spin_unlock(&slots->lock);
	return nr;
}

/* Free slots that were allocated to be discarded. */
void defpager_slots_discard_end(struct defpager_slots *slots, u64 slot, u32 nr)
{
	u32 i = slot / DEFPAGER_CHUNK_SLOTS;
	u32 bit = slot % DEFPAGER_CHUNK_SLOTS;

	spin_lock(&slots->lock);
	while (nr--)
		__defpager_slots_unuse(slots, i, bit++);
	spin_unlock(&slots->lock);
}
