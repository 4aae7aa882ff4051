// SPDX-License-Identifier: GPL-2.0-only
/*
 * The map of an object: what is known of each page that has been touched.
 *
 * An entry takes nine bytes in a leaf of 512, which is allocated before its
 * first page enters the page cache: page-out must not need memory for it.  Four
 * of them are the checksum of what is in the slot, if its store keeps any.
 * Who may change an entry is said in defpager.h.  Because the two halves of an
 * entry are read one after the other, somebody who looks without that right
 * may see an entry that never was; so what is looked up that way is a hint.
 * Leaves are of a SLAB_TYPESAFE_BY_RCU cache for the same readers: what they
 * look into may have become a leaf of another object meanwhile, but a leaf.
 */
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "defpager.h"

struct defpager_leaf {
	u32 low[DEFPAGER_LEAF_PAGES];
	u8 high[DEFPAGER_LEAF_PAGES];
	u32 sum[DEFPAGER_LEAF_PAGES];
};

static struct kmem_cache *defpager_leaf_cache;

int __init defpager_map_init_cache(void)
{
	BUILD_BUG_ON(DEFPAGER_SLOT_BITS != 32 + 8);
	defpager_leaf_cache = kmem_cache_create("defpager_leaf",
				sizeof(struct defpager_leaf), 0,
				SLAB_TYPESAFE_BY_RCU | SLAB_ACCOUNT, NULL);
	return defpager_leaf_cache ? 0 : -ENOMEM;
}

void defpager_map_exit_cache(void)
{
	kmem_cache_destroy(defpager_leaf_cache);
}

void defpager_map_init(struct defpager_map *map)
{
	/* Nodes of the tree are memory of whoever touches pages, as leaves are. */
	xa_init_flags(&map->leaves, XA_FLAGS_ACCOUNT);
	atomic_long_set(&map->reserved, 0);
	atomic_long_set(&map->stored, 0);
}

static u64 defpager_leaf_get(struct defpager_leaf *leaf, pgoff_t index)
{
	unsigned int i = index % DEFPAGER_LEAF_PAGES;
	u32 low;
	u8 high;

	/*
	 * Halves of two different entries may make a number that neither of
	 * them is, but never NONE of two that are not: see below.
	 */
	do {
		low = READ_ONCE(leaf->low[i]);
		smp_rmb();	/* pairs with defpager_leaf_set() */
		high = READ_ONCE(leaf->high[i]);
		smp_rmb();	/* pairs with defpager_leaf_set() */
	} while (READ_ONCE(leaf->low[i]) != low);
	return low | (u64)high << 32;
}

static void defpager_leaf_set(struct defpager_leaf *leaf, pgoff_t index,
			      u64 entry)
{
	unsigned int i = index % DEFPAGER_LEAF_PAGES;

	/* The half that is zero in what is not a slot is the last to be zero. */
	if (defpager_entry_is_slot(entry)) {
		WRITE_ONCE(leaf->high[i], upper_32_bits(entry));
		smp_wmb();	/* pairs with defpager_leaf_get() */
		WRITE_ONCE(leaf->low[i], lower_32_bits(entry));
	} else {
		WRITE_ONCE(leaf->low[i], lower_32_bits(entry));
		smp_wmb();	/* pairs with defpager_leaf_get() */
		WRITE_ONCE(leaf->high[i], upper_32_bits(entry));
	}
}

/**
 * defpager_map_prepare() - make sure that an entry can be set
 * @object: an object
 * @index: page index of the entry
 *
 * It allocates as folios of the object are allocated.  A loop device has those
 * not wait for file systems: one that is on the object may wait for a write to
 * it, which waits for the locks of whoever calls this.
 *
 * Context: sleeps; mapping->invalidate_lock or i_rwsem is held, which keeps
 *	truncation from freeing the leaf again.
 * Return: 0 or -ENOMEM.
 */
int defpager_map_prepare(struct defpager_object *object, pgoff_t index)
{
	gfp_t gfp = mapping_gfp_constraint(object->inode.i_mapping, GFP_KERNEL);
	struct defpager_map *map = &object->map;
	struct defpager_leaf *leaf, *old;

	if (xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT))
		return 0;
	leaf = kmem_cache_zalloc(defpager_leaf_cache, gfp);
	if (!leaf)
		return -ENOMEM;
	old = xa_cmpxchg(&map->leaves, index >> DEFPAGER_LEAF_SHIFT, NULL, leaf,
			 gfp);
	if (old)
		kmem_cache_free(defpager_leaf_cache, leaf);
	return xa_err(old);
}

/* The entry of a page: exact or a hint, see the top of this file. */
u64 defpager_map_get(struct defpager_map *map, pgoff_t index)
{
	u64 entry = DEFPAGER_ENTRY_NONE;
	struct defpager_leaf *leaf;

	rcu_read_lock();
	leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
	if (leaf)
		entry = defpager_leaf_get(leaf, index);
	rcu_read_unlock();
	return entry;
}

static void defpager_map_account(struct defpager_map *map, u64 old, u64 new)
{
	int reserved = (new != DEFPAGER_ENTRY_NONE) -
		       (old != DEFPAGER_ENTRY_NONE);
	int stored = defpager_entry_is_slot(new) - defpager_entry_is_slot(old);

	if (reserved)
		atomic_long_add(reserved, &map->reserved);
	if (stored)
		atomic_long_add(stored, &map->stored);
}

/* Change an entry whose leaf is there; the caller has the right to. */
void defpager_map_set(struct defpager_map *map, pgoff_t index, u64 entry)
{
	struct defpager_leaf *leaf;

	leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
	if (WARN_ON_ONCE(!leaf))
		return;
	defpager_map_account(map, defpager_leaf_get(leaf, index), entry);
	defpager_leaf_set(leaf, index, entry);
}

/*
 * The checksum of what is in a page's slot.  Who acts on the entry may set and
 * look at it, and nobody else.
 */
void defpager_map_set_sum(struct defpager_map *map, pgoff_t index, u32 sum)
{
	struct defpager_leaf *leaf;

	leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
	if (!WARN_ON_ONCE(!leaf))
		leaf->sum[index % DEFPAGER_LEAF_PAGES] = sum;
}

u32 defpager_map_sum(struct defpager_map *map, pgoff_t index)
{
	struct defpager_leaf *leaf;

	leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
	return WARN_ON_ONCE(!leaf) ? 0 : leaf->sum[index % DEFPAGER_LEAF_PAGES];
}

static bool defpager_leaf_claim(struct defpager_map *map,
				struct defpager_leaf *leaf, pgoff_t index)
{
	bool claimed = false;

	xa_lock(&map->leaves);
	if (defpager_leaf_get(leaf, index) == DEFPAGER_ENTRY_NONE) {
		defpager_leaf_set(leaf, index, DEFPAGER_ENTRY_RESERVED);
		claimed = true;
	}
	xa_unlock(&map->leaves);
	if (claimed)
		defpager_map_account(map, DEFPAGER_ENTRY_NONE,
				     DEFPAGER_ENTRY_RESERVED);
	return claimed;
}

/**
 * defpager_map_claim() - note that a page has been promised space
 * @map: the map of an object
 * @index: page index of an entry whose leaf is there
 *
 * Several may do so at once, of whom one succeeds: who touches the page, and
 * fallocate().
 *
 * Return: whether it had not been promised any.
 */
bool defpager_map_claim(struct defpager_map *map, pgoff_t index)
{
	struct defpager_leaf *leaf;

	leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
	if (WARN_ON_ONCE(!leaf))
		return false;
	return defpager_leaf_claim(map, leaf, index);
}

/* The part of a range that a leaf, or its absence, describes. */
static unsigned int defpager_leaf_part(pgoff_t index, pgoff_t last)
{
	return min_t(pgoff_t, last - index + 1,
		     DEFPAGER_LEAF_PAGES - index % DEFPAGER_LEAF_PAGES);
}

/**
 * defpager_map_claim_range() - as defpager_map_claim(), of many pages
 * @map: the map of an object
 * @index: the first of them
 * @last: the last of them
 *
 * Context: sleeps.
 * Return: how many of them had not been promised space.
 */
u64 defpager_map_claim_range(struct defpager_map *map, pgoff_t index,
			     pgoff_t last)
{
	struct defpager_leaf *leaf;
	unsigned int nr;
	u64 claimed = 0;

	for (; index <= last; cond_resched()) {
		nr = defpager_leaf_part(index, last);
		leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
		while (nr--)
			claimed += defpager_leaf_claim(map, leaf, index++);
	}
	return claimed;
}

/**
 * defpager_map_untouched() - count pages that have not been promised space
 * @map: the map of an object
 * @index: the first page of a range
 * @last: the last one
 *
 * Context: sleeps; exact as long as none is promised space, nor forgotten.
 */
u64 defpager_map_untouched(struct defpager_map *map, pgoff_t index,
			   pgoff_t last)
{
	u64 untouched = (u64)last - index + 1;
	struct defpager_leaf *leaf;
	unsigned long nr;

	/* Leaves are not freed as long as the object is there. */
	xa_for_each_range(&map->leaves, nr, leaf, index >> DEFPAGER_LEAF_SHIFT,
			  last >> DEFPAGER_LEAF_SHIFT) {
		unsigned int i;

		index = max(index, (pgoff_t)nr << DEFPAGER_LEAF_SHIFT);
		for (i = defpager_leaf_part(index, last); i; i--)
			untouched -= defpager_leaf_get(leaf, index++) !=
				     DEFPAGER_ENTRY_NONE;
		cond_resched();
	}
	return untouched;
}

/**
 * defpager_map_take() - change entries, and tell what they were
 * @map: the map of an object
 * @index: the first of them
 * @nr: how many there are: no more than DEFPAGER_TAKE, and all of one leaf
 * @entry: what those become that are not NONE
 * @taken: out: what they were
 *
 * Context: any; the caller has the right to change them, see defpager.h.
 */
void defpager_map_take(struct defpager_map *map, pgoff_t index, unsigned int nr,
		       u64 entry, struct defpager_taken *taken)
{
	struct defpager_leaf *leaf;
	u64 old;

	taken->nr_pages = 0;
	taken->nr_slots = 0;
	leaf = xa_load(&map->leaves, index >> DEFPAGER_LEAF_SHIFT);
	if (!leaf)
		return;
	for (; nr--; index++) {
		old = defpager_leaf_get(leaf, index);
		if (old == DEFPAGER_ENTRY_NONE)
			continue;
		taken->nr_pages++;
		if (defpager_entry_is_slot(old))
			taken->slots[taken->nr_slots++] = old;
		defpager_map_account(map, old, entry);
		defpager_leaf_set(leaf, index, entry);
	}
}

/**
 * defpager_map_neighbour() - the slot a page should have next to others
 * @object: the object
 * @index: page index of a page that needs a slot
 *
 * Return: the slot in line with those its neighbours have, which may be in
 *	use or not exist; DEFPAGER_NO_SLOT if no neighbour has one.
 */
u64 defpager_map_neighbour(struct defpager_object *object, pgoff_t index)
{
	unsigned int shift = defpager_cluster_shift(object);
	pgoff_t i, end = round_down(index, 1UL << shift) + (1UL << shift);
	u64 entry, slot = DEFPAGER_NO_SLOT;
	struct defpager_leaf *leaf;

	rcu_read_lock();
	leaf = xa_load(&object->map.leaves, index >> DEFPAGER_LEAF_SHIFT);
	for (i = round_down(index, 1UL << shift); leaf && i < end; i++) {
		entry = defpager_leaf_get(leaf, i);
		if (i != index && defpager_entry_is_slot(entry))
			slot = defpager_slot_beside(object, entry, i, index);
		if (slot != DEFPAGER_NO_SLOT)
			break;
	}
	rcu_read_unlock();
	return slot;
}

/* The first page of a leaf from @index on that is, or is not, touched. */
static pgoff_t defpager_leaf_next(struct defpager_leaf *leaf, pgoff_t index,
				  bool touched)
{
	do {
		u64 entry = defpager_leaf_get(leaf, index);

		if ((entry != DEFPAGER_ENTRY_NONE) == touched)
			break;
	} while (++index % DEFPAGER_LEAF_PAGES);
	return index;
}

/**
 * defpager_map_next() - find the next page that is, or is not, touched
 * @map: the map of an object
 * @index: where to begin
 * @last: where to end
 * @touched: which of the two to look for
 *
 * Context: sleeps, since there may be many.
 * Return: its page index; @last + 1 if there is none up to @last.
 */
pgoff_t defpager_map_next(struct defpager_map *map, pgoff_t index, pgoff_t last,
			  bool touched)
{
	while (index <= last) {
		unsigned long nr = index >> DEFPAGER_LEAF_SHIFT;
		pgoff_t found = index;
		struct defpager_leaf *leaf;

		rcu_read_lock();
		leaf = xa_load(&map->leaves, nr);
		if (!leaf && touched) {
			leaf = xa_find_after(&map->leaves, &nr,
					     last >> DEFPAGER_LEAF_SHIFT,
					     XA_PRESENT);
			index = (pgoff_t)nr << DEFPAGER_LEAF_SHIFT;
			found = index;
		}
		if (leaf)
			found = defpager_leaf_next(leaf, index, touched);
		rcu_read_unlock();
		if (!leaf)
			return touched ? last + 1 : index;
		if (found >> DEFPAGER_LEAF_SHIFT == nr)
			return min(found, last + 1);
		index = found;
		cond_resched();
	}
	return last + 1;
}

/**
 * defpager_map_find() - find the next page whose entry matches
 * @map: the map of an object
 * @index: where to begin
 * @match: called under RCU; decides by an entry, which is a hint
 * @data: handed to it
 *
 * Context: sleeps, since there may be many.
 * Return: its page index, or ULONG_MAX.
 */
pgoff_t defpager_map_find(struct defpager_map *map, pgoff_t index,
			  bool (*match)(u64 entry, void *data), void *data)
{
	unsigned long nr = index >> DEFPAGER_LEAF_SHIFT;
	struct defpager_leaf *leaf;

	while (true) {
		rcu_read_lock();
		leaf = xa_find(&map->leaves, &nr, ULONG_MAX, XA_PRESENT);
		index = max(index, (pgoff_t)nr << DEFPAGER_LEAF_SHIFT);
		for (; leaf && index >> DEFPAGER_LEAF_SHIFT == nr; index++) {
			if (match(defpager_leaf_get(leaf, index), data)) {
				rcu_read_unlock();
				return index;
			}
		}
		rcu_read_unlock();
		if (!leaf)
			return ULONG_MAX;
		nr++;
		cond_resched();
	}
}

static void defpager_leaf_destroy(struct defpager_object *object,
				  struct defpager_leaf *leaf)
{
	pgoff_t i;
	u64 entry;

	for (i = 0; i < DEFPAGER_LEAF_PAGES; i++) {
		entry = defpager_leaf_get(leaf, i);
		if (defpager_entry_is_slot(entry))
			defpager_slot_free(object, entry);
	}
	kmem_cache_free(defpager_leaf_cache, leaf);
}

/**
 * defpager_map_destroy() - free all slots of an object that goes
 * @object: the object, whose page cache is empty
 *
 * What it was promised it still is.
 *
 * Context: sleeps.
 */
void defpager_map_destroy(struct defpager_object *object)
{
	struct defpager_map *map = &object->map;
	struct defpager_leaf *leaf;
	unsigned long nr;

	xa_for_each(&map->leaves, nr, leaf) {
		xa_erase(&map->leaves, nr);
		defpager_leaf_destroy(object, leaf);
		cond_resched();
	}
}
