// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which slot a page gets that is going out, and which it must leave.
 *
 * Pages of a confined object go to the segments of its home, in turn.  Those
 * of the pool go to the tier of highest priority that has room.
 *
 * Nothing here waits or allocates memory: it is all page-out needs of stores.
 */
#include <linux/rculist.h>
#include <linux/slab.h>

#include "defpager.h"

/* Descending priority; RCU, changed under defpager_segments_lock. */
LIST_HEAD(defpager_tiers);

/* The largest of their clusters: log2 of pages. */
static unsigned int defpager_pool_cluster_shift;

/* What kind of slot is wanted. */
struct defpager_wish {
	pgoff_t index;			/* of the page in its object */
	bool pooled;			/* for the pool */
	struct defpager_segment *avoid;	/* none of this one; or NULL */
};

/* --- stripes ----------------------------------------------------------- */

static struct defpager_place *
defpager_stripe_first(struct defpager_stripe *stripe)
{
	struct defpager_place *place = rcu_dereference(stripe->next);

	if (place)
		return place;
	return list_first_or_null_rcu(&stripe->places, struct defpager_place,
				      list);
}

/* The next cluster goes to whoever comes behind @place. */
static void defpager_stripe_turn(struct defpager_stripe *stripe,
				 struct defpager_place *place)
{
	/* Two at once may skip one's turn: no harm. */
	rcu_assign_pointer(stripe->next,
			   list_next_or_null_rcu(&stripe->places, &place->list,
						 struct defpager_place, list));
}

/* A slot of the pool is one that the store has promised to nobody. */
static bool defpager_pool_begin(struct defpager_segment *segment, bool pooled)
{
	return !pooled || atomic64_dec_if_positive(&segment->store->free) >= 0;
}

static void defpager_pool_cancel(struct defpager_segment *segment, bool pooled)
{
	if (pooled)
		atomic64_inc(&segment->store->free);
}

/* Without its lock, and without taking for a moment what is needed elsewhere. */
static bool defpager_segment_may_have(struct defpager_slots *slots, bool single)
{
	if (!READ_ONCE(slots->free) || READ_ONCE(slots->closed))
		return false;
	return single || READ_ONCE(slots->cluster_chunk) <
			 READ_ONCE(slots->populated_chunks);
}

static u64 defpager_segment_alloc(struct defpager_segment *segment,
				  const struct defpager_wish *wish, bool single)
{
	struct defpager_slots *slots = &segment->slots;
	u64 slot;

	if (segment == wish->avoid || !defpager_segment_may_have(slots, single) ||
	    !defpager_pool_begin(segment, wish->pooled))
		return DEFPAGER_NO_SLOT;
	if (single)
		slot = defpager_slots_alloc_single(slots, wish->pooled);
	else
		slot = defpager_slots_alloc_cluster(slots, wish->index,
						    wish->pooled);
	if (slot == DEFPAGER_NO_SLOT) {
		defpager_pool_cancel(segment, wish->pooled);
		return slot;
	}
	return segment->first_slot + slot;
}

/* All segments once, beginning with the one whose turn it is. */
static u64 defpager_stripe_try(struct defpager_stripe *stripe,
			       const struct defpager_wish *wish, bool single)
{
	struct defpager_place *first = defpager_stripe_first(stripe);
	struct defpager_place *place = first;
	u64 slot;

	if (!first)
		return DEFPAGER_NO_SLOT;
	list_for_each_entry_from_rcu(place, &stripe->places, list) {
		slot = defpager_segment_alloc(place->segment, wish, single);
		if (slot != DEFPAGER_NO_SLOT)
			goto found;
	}
	/* If @first is being removed, it is not met again: then all of them. */
	list_for_each_entry_rcu(place, &stripe->places, list) {
		if (place == first)
			break;
		slot = defpager_segment_alloc(place->segment, wish, single);
		if (slot != DEFPAGER_NO_SLOT)
			goto found;
	}
	return DEFPAGER_NO_SLOT;

found:
	defpager_stripe_turn(stripe, place);
	return slot;
}

/* A slot in a cluster that is free; where there is none left, any. */
static u64 defpager_stripe_alloc(struct defpager_stripe *stripe,
				 const struct defpager_wish *wish)
{
	u64 slot = defpager_stripe_try(stripe, wish, false);

	if (slot == DEFPAGER_NO_SLOT)
		slot = defpager_stripe_try(stripe, wish, true);
	return slot;
}

/* --- changing them ------------------------------------------------------ */

static void defpager_place_add(struct defpager_place *place,
			       struct defpager_segment *segment,
			       struct defpager_stripe *stripe)
{
	place->segment = segment;
	list_add_tail_rcu(&place->list, &stripe->places);
}

static struct defpager_tier *defpager_tier_find(s32 priority,
						struct list_head **before)
{
	struct defpager_tier *tier;

	*before = &defpager_tiers;
	list_for_each_entry(tier, &defpager_tiers, list) {
		if (tier->priority == priority)
			return tier;
		if (tier->priority < priority) {
			*before = &tier->list;
			break;
		}
	}
	return NULL;
}

static struct defpager_tier *defpager_tier_get(s32 priority)
{
	struct list_head *before;
	struct defpager_tier *tier = defpager_tier_find(priority, &before);

	if (tier)
		return tier;
	tier = kzalloc(sizeof(*tier), GFP_KERNEL_ACCOUNT);
	if (!tier)
		return NULL;
	tier->priority = priority;
	INIT_LIST_HEAD(&tier->stripe.places);
	list_add_tail_rcu(&tier->list, before);
	return tier;
}

static void defpager_tiers_changed(void)
{
	struct defpager_tier *tier;
	unsigned int shift = 0;

	lockdep_assert_held(&defpager_segments_lock);
	list_for_each_entry(tier, &defpager_tiers, list)
		shift = max(shift, tier->cluster_shift);
	WRITE_ONCE(defpager_pool_cluster_shift, shift);
}

/* From here pages may be put onto the segment. */
int defpager_place_segment(struct defpager_segment *segment)
{
	struct defpager_store *store = segment->store;
	struct defpager_tier *tier;

	lockdep_assert_held(&defpager_segments_lock);
	if (!defpager_store_exclusive(store)) {
		tier = defpager_tier_get(store->priority);
		if (!tier)
			return -ENOMEM;
		defpager_place_add(&segment->in_tier, segment, &tier->stripe);
		tier->cluster_shift = max(tier->cluster_shift,
					  store->cluster_shift);
		defpager_tiers_changed();
	}
	defpager_place_add(&segment->in_store, segment, &store->stripe);
	return 0;
}

static struct defpager_tier *
defpager_tier_of(struct defpager_segment *segment)
{
	struct list_head *before;

	if (defpager_store_exclusive(segment->store))
		return NULL;
	return defpager_tier_find(segment->store->priority, &before);
}

/**
 * defpager_place_unlink() - take a segment out of its stripes
 * @segment: the segment
 *
 * A grace period afterwards nobody finds it there any more, but it may have its
 * turn still: see defpager_place_forget().
 */
void defpager_place_unlink(struct defpager_segment *segment)
{
	lockdep_assert_held(&defpager_segments_lock);
	list_del_rcu(&segment->in_store.list);
	if (!defpager_store_exclusive(segment->store))
		list_del_rcu(&segment->in_tier.list);
}

static void defpager_turn_forget(struct defpager_place *place,
				 struct defpager_stripe *stripe)
{
	cmpxchg((struct defpager_place __force **)&stripe->next, place, NULL);
}

/* Take its turn away.  After another grace period nobody looks at it. */
void defpager_place_forget(struct defpager_segment *segment)
{
	struct defpager_tier *tier = defpager_tier_of(segment);

	lockdep_assert_held(&defpager_segments_lock);
	defpager_turn_forget(&segment->in_store, &segment->store->stripe);
	if (!tier)
		return;
	defpager_turn_forget(&segment->in_tier, &tier->stripe);
	if (list_empty(&tier->stripe.places)) {
		list_del_rcu(&tier->list);
		kfree_rcu(tier, rcu);
		defpager_tiers_changed();
	}
}

void defpager_tiers_exit(void)
{
	struct defpager_tier *tier, *next;

	list_for_each_entry_safe(tier, next, &defpager_tiers, list)
		kfree(tier);
}

/* --- slots for pages ---------------------------------------------------- */

static bool defpager_belongs(struct defpager_object *object,
			     struct defpager_segment *segment)
{
	if (!object->confined)
		return !defpager_store_exclusive(segment->store);
	return segment->store == rcu_access_pointer(object->store);
}

/* Is there room, as far as one sees at once, in a tier of higher priority? */
static bool defpager_room_above(s32 priority)
{
	struct defpager_place *place;
	struct defpager_tier *tier;

	list_for_each_entry_rcu(tier, &defpager_tiers, list) {
		if (tier->priority <= priority)
			break;
		place = defpager_stripe_first(&tier->stripe);
		if (place && atomic64_read(&place->segment->store->free) > 0 &&
		    !READ_ONCE(place->segment->slots.closed))
			return true;
	}
	return false;
}

/* May a page get a slot of this segment, and is there no better one? */
static bool defpager_placed_well(struct defpager_object *object,
				 struct defpager_segment *segment)
{
	return !READ_ONCE(segment->slots.closed) &&
	       defpager_belongs(object, segment) &&
	       (object->confined ||
		!defpager_room_above(segment->store->priority));
}

/**
 * defpager_slot_beside() - the slot in line with that of a neighbour
 * @object: the object
 * @slot: a slot that a page of it has, or had a moment ago
 * @at: the index of that page
 * @index: the index of a page that needs a slot
 *
 * Return: a slot, which may be in use or not exist; DEFPAGER_NO_SLOT if the two
 *	pages belong into different clusters of the segment, or the page onto
 *	another segment.
 */
u64 defpager_slot_beside(struct defpager_object *object, u64 slot, pgoff_t at,
			 pgoff_t index)
{
	struct defpager_segment *segment;
	u64 beside = DEFPAGER_NO_SLOT;

	rcu_read_lock();
	segment = defpager_segment_of(slot);
	if (segment && !((at ^ index) >> segment->slots.cluster_shift) &&
	    defpager_placed_well(object, segment))
		beside = slot + index - at;
	rcu_read_unlock();
	return beside;
}

/**
 * defpager_slot_move() - should a page get another slot when it is written?
 * @object: its object
 * @slot: a slot it has
 */
bool defpager_slot_move(struct defpager_object *object, u64 slot)
{
	bool well;

	rcu_read_lock();
	well = defpager_placed_well(object, defpager_segment_of(slot));
	rcu_read_unlock();
	return !well;
}

static u64 defpager_slot_take_hint(struct defpager_object *object, u64 hint)
{
	struct defpager_segment *segment;

	if (hint == DEFPAGER_NO_SLOT)
		return hint;
	/* It may point behind its segment's end, into another's or none. */
	segment = defpager_segment_of(hint);
	if (!segment || !defpager_placed_well(object, segment) ||
	    !defpager_pool_begin(segment, !object->confined))
		return DEFPAGER_NO_SLOT;
	if (defpager_slots_take(&segment->slots, hint - segment->first_slot,
				!object->confined))
		return hint;
	defpager_pool_cancel(segment, !object->confined);
	return DEFPAGER_NO_SLOT;
}

static u64 defpager_slot_alloc_confined(struct defpager_object *object,
					const struct defpager_wish *wish,
					u64 hint)
{
	struct defpager_store *store;
	u64 slot;

	/* It is counted as one of its home's before the home may change. */
	spin_lock(&object->promise_lock);
	slot = defpager_slot_take_hint(object, hint);
	if (slot == DEFPAGER_NO_SLOT) {
		store = rcu_dereference_protected(object->store,
				lockdep_is_held(&object->promise_lock));
		slot = defpager_stripe_alloc(&store->stripe, wish);
	}
	object->home_slots += slot != DEFPAGER_NO_SLOT;
	spin_unlock(&object->promise_lock);
	return slot;
}

static u64 defpager_slot_alloc_pooled(struct defpager_object *object,
				      const struct defpager_wish *wish,
				      u64 hint)
{
	u64 slot = defpager_slot_take_hint(object, hint);
	struct defpager_tier *tier;

	if (slot != DEFPAGER_NO_SLOT)
		return slot;
	list_for_each_entry_rcu(tier, &defpager_tiers, list) {
		slot = defpager_stripe_alloc(&tier->stripe, wish);
		if (slot != DEFPAGER_NO_SLOT)
			break;
	}
	return slot;
}

static u64 __defpager_slot_alloc(struct defpager_object *object, pgoff_t index,
				 u64 hint, struct defpager_segment *avoid)
{
	struct defpager_wish wish = {
		.index = index,
		.pooled = !object->confined,
		.avoid = avoid,
	};
	u64 slot;

	rcu_read_lock();
	if (object->confined)
		slot = defpager_slot_alloc_confined(object, &wish, hint);
	else
		slot = defpager_slot_alloc_pooled(object, &wish, hint);
	rcu_read_unlock();
	/* What each store has free depends on where pages of the pool are. */
	if (wish.pooled && slot != DEFPAGER_NO_SLOT)
		defpager_alert_check();
	return slot;
}

/**
 * defpager_slot_alloc() - find a slot for a page that is going out
 * @object: its object, which was promised one
 * @index: page index in the object
 * @hint: the slot it had best have, DEFPAGER_NO_SLOT if it is all the same
 *
 * Context: any but interrupts; allocates no memory.
 * Return: a slot number.  DEFPAGER_NO_SLOT only if slots went bad or segments
 *	failed meanwhile, or for a moment while a segment is being closed.
 */
u64 defpager_slot_alloc(struct defpager_object *object, pgoff_t index, u64 hint)
{
	return __defpager_slot_alloc(object, index, hint, NULL);
}

/* The same without a hint, and not on @avoid, which may be gone by now. */
u64 defpager_slot_alloc_other(struct defpager_object *object, pgoff_t index,
			      struct defpager_segment *avoid)
{
	return __defpager_slot_alloc(object, index, DEFPAGER_NO_SLOT, avoid);
}

/* What happens to a slot that a confined object has no use for any more. */
static void defpager_slot_end_confined(struct defpager_object *object,
				       struct defpager_segment *segment,
				       u64 slot, bool retire)
{
	struct defpager_store *store = segment->store;
	bool stale, open;

	spin_lock(&object->promise_lock);
	stale = defpager_slot_uncount(object, store);
	if (retire)
		open = defpager_slots_retire(&segment->slots, slot, false);
	else
		open = defpager_slots_free(&segment->slots, slot, false);
	spin_unlock(&object->promise_lock);

	if (retire && open)
		defpager_lose_slot(store, false);
	if (stale)
		defpager_unpromise_stale(store);
}

/* Who waits for a closed segment to be empty; what waits to be discarded. */
static void defpager_slot_ended(struct defpager_segment *segment)
{
	struct defpager_slots *slots = &segment->slots;

	u32 closed = READ_ONCE(slots->closed);

	if (slots->discard && !closed)
		defpager_discard_later(segment);
	if (closed & DEFPAGER_CLOSED_REMOVAL &&
	    wq_has_sleeper(&segment->store->wait))
		wake_up_all(&segment->store->wait);
}

/* @slot is counted from 0. */
static void defpager_slot_end(struct defpager_object *object,
			      struct defpager_segment *segment, u64 slot,
			      bool retire)
{
	struct defpager_slots *slots = &segment->slots;
	bool open;

	defpager_unreadable_remove(segment->first_slot + slot);
	if (object->confined) {
		defpager_slot_end_confined(object, segment, slot, retire);
	} else if (retire) {
		open = defpager_slots_retire(slots, slot, true);
		if (open)
			defpager_lose_slot(segment->store, true);
	} else {
		open = defpager_slots_free(slots, slot, true);
		if (open)
			atomic64_inc(&segment->store->free);
		defpager_alert_check();
	}
	defpager_slot_ended(segment);
}

/* The page whose slot it was has none any more, and keeps its promise. */
void defpager_slot_free(struct defpager_object *object, u64 slot)
{
	struct defpager_segment *segment;

	/* Once it is empty, the segment may be on the point of being removed. */
	rcu_read_lock();
	segment = defpager_segment_of(slot);
	defpager_slot_end(object, segment, slot - segment->first_slot, false);
	rcu_read_unlock();
}

/**
 * defpager_slot_retire() - never use a slot again, because writing it failed
 * @object: the object of the page that has it
 * @slot: a slot number, allocated
 * @dead: the device does not even answer
 *
 * The page keeps its promise.  If that makes more promises than there are
 * slots, some page finds no slot at page-out and stays in memory.  It may have
 * been the last straw for the segment: see defpager_write_failed().
 */
void defpager_slot_retire(struct defpager_object *object, u64 slot, bool dead)
{
	struct defpager_segment *segment;

	rcu_read_lock(); /* see above */
	segment = defpager_segment_of(slot);
	slot -= segment->first_slot;
	defpager_slot_end(object, segment, slot, true);
	defpager_write_failed(segment, slot, dead);
	rcu_read_unlock();
}

/* The store that pages of the pool go to first, or NULL.  Context: RCU. */
struct defpager_store *defpager_pool_first(void)
{
	struct defpager_place *place = NULL;
	struct defpager_tier *tier;

	tier = list_first_or_null_rcu(&defpager_tiers, struct defpager_tier,
				      list);
	if (tier)
		place = defpager_stripe_first(&tier->stripe);
	return place ? place->segment->store : NULL;
}

/* log2 of the pages that may have to be neighbours on storage. */
unsigned int defpager_cluster_shift(struct defpager_object *object)
{
	struct defpager_store *store;
	unsigned int shift;

	rcu_read_lock();
	store = rcu_dereference(object->store);
	shift = store ? store->cluster_shift :
			READ_ONCE(defpager_pool_cluster_shift);
	rcu_read_unlock();
	return shift;
}
