// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which slots of a segment are free.  Slots are numbered from 0 here, and
 * nothing is known of what they hold or where they are.
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

int defpager_slots_init(struct defpager_slots *slots, u64 nr, u32 cluster_shift)
{
	memset(slots, 0, sizeof(*slots));
	spin_lock_init(&slots->lock);
	slots->nr = nr;
	slots->cluster_shift = cluster_shift;
	slots->nr_chunks = DIV_ROUND_UP_ULL(nr, DEFPAGER_CHUNK_SLOTS);
	slots->chunks = kvcalloc(slots->nr_chunks, sizeof(*slots->chunks),
				 GFP_KERNEL_ACCOUNT);
	return slots->chunks ? 0 : -ENOMEM;
}

void defpager_slots_exit(struct defpager_slots *slots)
{
	u32 i;

	for (i = 0; i < slots->populated_chunks; i++)
		free_page((unsigned long)slots->chunks[i].bitmap);
	kvfree(slots->chunks);
}

/**
 * defpager_slots_populate() - give one more chunk of slots its bitmap
 * @slots: the slots of a segment
 *
 * Context: sleeps; callers are serialised by store->populate_lock.
 * Return: the number of slots that can be allocated now and could not before,
 *	0 if there are no more or there is no memory.
 */
u64 defpager_slots_populate(struct defpager_slots *slots)
{
	u32 i = slots->populated_chunks;
	struct defpager_slot_chunk *chunk;
	unsigned long *bitmap;
	u32 nr;

	if (i == slots->nr_chunks)
		return 0;
	bitmap = (unsigned long *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!bitmap)
		return 0;
	nr = defpager_chunk_slots(slots, i);
	bitmap_set(bitmap, nr, DEFPAGER_CHUNK_SLOTS - nr);

	spin_lock(&slots->lock);
	chunk = &slots->chunks[i];
	chunk->bitmap = bitmap;
	chunk->free = nr;
	chunk->cluster_hint = 0;
	slots->populated_chunks++;
	spin_unlock(&slots->lock);
	return nr;
}

static void __defpager_slots_use(struct defpager_slots *slots,
				 struct defpager_slot_chunk *chunk, u32 bit)
{
	lockdep_assert_held(&slots->lock);
	__set_bit(bit, chunk->bitmap);
	chunk->free--;
	slots->used++;
}

/**
 * defpager_slots_take() - allocate one certain slot if it is free
 * @slots: the slots of a segment
 * @slot: the slot wanted; any number, even one that does not exist
 *
 * Return: whether it was free and is the caller's now.
 */
bool defpager_slots_take(struct defpager_slots *slots, u64 slot)
{
	struct defpager_slot_chunk *chunk;
	u32 bit = slot % DEFPAGER_CHUNK_SLOTS;
	bool taken = false;

	if (slot >= slots->nr)
		return false;
	spin_lock(&slots->lock);
	if (slot / DEFPAGER_CHUNK_SLOTS < slots->populated_chunks) {
		chunk = &slots->chunks[slot / DEFPAGER_CHUNK_SLOTS];
		taken = !test_bit(bit, chunk->bitmap);
		if (taken)
			__defpager_slots_use(slots, chunk, bit);
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
 * @offset: place in the cluster, less than its number of pages
 *
 * Return: the slot, or DEFPAGER_NO_SLOT if no cluster is wholly free.
 */
u64 defpager_slots_alloc_cluster(struct defpager_slots *slots,
				 unsigned int offset)
{
	u64 slot = DEFPAGER_NO_SLOT;
	u32 i, first;

	spin_lock(&slots->lock);
	for (i = slots->cluster_chunk; i < slots->populated_chunks; i++) {
		first = defpager_chunk_cluster(slots, &slots->chunks[i]);
		if (first < DEFPAGER_CHUNK_SLOTS) {
			__defpager_slots_use(slots, &slots->chunks[i],
					     first + offset);
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
 *
 * Return: the slot, or DEFPAGER_NO_SLOT if none is free.
 */
u64 defpager_slots_alloc_single(struct defpager_slots *slots)
{
	struct defpager_slot_chunk *chunk;
	u64 slot = DEFPAGER_NO_SLOT;
	u32 i, bit;

	spin_lock(&slots->lock);
	for (i = slots->single_chunk; i < slots->populated_chunks; i++) {
		chunk = &slots->chunks[i];
		if (!chunk->free)
			continue;
		bit = find_first_zero_bit(chunk->bitmap, DEFPAGER_CHUNK_SLOTS);
		__defpager_slots_use(slots, chunk, bit);
		slot = (u64)i * DEFPAGER_CHUNK_SLOTS + bit;
		break;
	}
	slots->single_chunk = i;
	spin_unlock(&slots->lock);
	return slot;
}

void defpager_slots_free(struct defpager_slots *slots, u64 slot)
{
	u32 i = slot / DEFPAGER_CHUNK_SLOTS;
	u32 bit = slot % DEFPAGER_CHUNK_SLOTS;
	u32 pages = 1U << slots->cluster_shift;
	struct defpager_slot_chunk *chunk = &slots->chunks[i];

	spin_lock(&slots->lock);
	WARN_ON_ONCE(!__test_and_clear_bit(bit, chunk->bitmap));
	chunk->free++;
	slots->used--;
	slots->single_chunk = min(slots->single_chunk, i);
	if (defpager_cluster_free(chunk, round_down(bit, pages), pages)) {
		chunk->cluster_hint = min(chunk->cluster_hint,
					  bit >> slots->cluster_shift);
		slots->cluster_chunk = min(slots->cluster_chunk, i);
	}
	spin_unlock(&slots->lock);
}

/* Give a slot up for good: it stays set in the bitmap, but holds nothing. */
void defpager_slots_retire(struct defpager_slots *slots, u64 slot)
{
	spin_lock(&slots->lock);
	slots->used--;
	slots->bad++;
	spin_unlock(&slots->lock);
}
