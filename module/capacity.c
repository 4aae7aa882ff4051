// SPDX-License-Identifier: GPL-2.0-only
/*
 * What there is to be promised: slots come with segments and their bitmaps, and go
 * with segments that fail or are removed.
 *
 * The counters, and what they mean, are those of promise.c.
 */
#include <linux/rculist.h>
#include <linux/rwsem.h>

#include "defpager.h"
#include "promise.h"

/* Segments given one more chunk of bitmaps at a time. */
#define DEFPAGER_POPULATE_ROUND	64

/* Who gives slots their bitmaps, closes a segment, or gives objects away. */
DEFINE_MUTEX(defpager_populate_lock);

/*
 * The capacity of a store has changed by @nr, @pooled of it used by the pool.
 *
 * The pool loses first, and gains last: see defpager_pool_covers().
 */
static void defpager_account(struct defpager_store *store, s64 nr, s64 pooled,
			     s64 unpopulated)
{
	s64 shared = defpager_store_exclusive(store) ? 0 : nr;

	atomic64_add(min_t(s64, shared, 0), &defpager_pool_free);
	smp_mb__after_atomic(); /* see above */
	atomic64_add(nr - pooled, &store->free);
	smp_mb__after_atomic(); /* likewise */
	atomic64_add(max_t(s64, shared, 0), &defpager_pool_free);
	atomic64_add(unpopulated, &store->unpopulated);
	if (!defpager_store_exclusive(store))
		atomic64_add(unpopulated, &defpager_pool_unpopulated);
	defpager_alert_check();
}

static s64 defpager_populate_segment(struct defpager_segment *segment)
{
	s64 nr = defpager_slots_populate(&segment->slots);

	if (nr > 0)
		defpager_account(segment->store, nr, 0, -nr);
	return nr;
}

/* An open segment that has slots without a bitmap: that with fewest bitmaps. */
static struct defpager_segment *
defpager_unpopulated(struct defpager_stripe *stripe)
{
	struct defpager_segment *best = NULL;
	struct defpager_place *place;

	list_for_each_entry_rcu(place, &stripe->places, list) {
		struct defpager_slots *slots = &place->segment->slots;

		if (READ_ONCE(slots->closed) ||
		    slots->populated_chunks == slots->nr_chunks)
			continue;
		if (!best ||
		    slots->populated_chunks < best->slots.populated_chunks)
			best = place->segment;
	}
	return best;
}

/* As above, in a store or in the highest tier of the pool that has any. */
static struct defpager_segment *
defpager_unpopulated_of(struct defpager_store *store)
{
	struct defpager_segment *segment = NULL;
	struct defpager_tier *tier;

	rcu_read_lock();
	if (store) {
		segment = defpager_unpopulated(&store->stripe);
	} else {
		list_for_each_entry_rcu(tier, &defpager_tiers, list) {
			segment = defpager_unpopulated(&tier->stripe);
			if (segment)
				break;
		}
	}
	rcu_read_unlock();
	/* Without the lock we hold it is not closed to be removed. */
	return segment;
}

/*
 * Give a chunk of bitmaps to all segments of a stripe that have equally few,
 * so that they go on being used in turn.
 * Return: how many slots, 0 if there are no more, or -ENOMEM.
 */
static s64 defpager_populate(struct defpager_store *store)
{
	struct defpager_segment *segment = defpager_unpopulated_of(store);
	u32 chunks, nr = 0;
	s64 ret, sum = 0;

	lockdep_assert_held(&defpager_populate_lock);
	if (!segment)
		return 0;
	chunks = segment->slots.populated_chunks;
	do {
		ret = defpager_populate_segment(segment);
		if (ret < 0)
			return sum ? sum : ret;
		sum += ret;
		segment = defpager_unpopulated_of(store);
		/* No sum: it has begun to fail, and is not found any more. */
	} while (segment && ++nr < DEFPAGER_POPULATE_ROUND &&
		 (!sum || segment->slots.populated_chunks == chunks));
	return sum;
}

/* More bitmaps where it is them that a promise of @nr slots lacks. */
int defpager_populate_for(struct defpager_store *store, s64 nr)
{
	s64 ret = 0;

	if (store && atomic64_read(&store->free) < nr)
		ret = defpager_populate(store);
	else if (!store || !defpager_store_exclusive(store))
		ret = defpager_populate(NULL);
	if (ret > 0)
		return 0;
	return ret ? ret : -ENOSPC;
}

/*
 * What a store of the pool has promised and has not got, because segments fail, is
 * nothing that others could have: what it lacks, the pool does not.
 */
s64 defpager_pool_lacks(struct defpager_store *store)
{
	return !store || defpager_store_exclusive(store) ?
	       0 : max_t(s64, -atomic64_read(&store->free), 0);
}

/*
 * Has the pool what it has promised, but for what @from lacks?  It is about to get
 * @more, and @from @back, which is of use to nobody else as far as it lacks that.
 *
 * Segments may fail, or be well again, at any moment; then it is taken to have less.
 */
bool defpager_pool_covers(struct defpager_store *from, s64 back, s64 more)
{
	s64 lacks = defpager_pool_lacks(from);
	s64 free;

	smp_rmb(); /* the pool loses before the store does: defpager_account() */
	free = atomic64_read(&defpager_pool_free) + more;
	smp_rmb(); /* and gains after it */
	lacks = min_t(s64, lacks, defpager_pool_lacks(from));
	return free >= clamp_t(s64, back, 0, lacks) - lacks;
}

/* --- slots that come and go ----------------------------------------------- */

/* A slot became bad: @pooled if the pool used it, else who was promised it. */
void defpager_lose_slot(struct defpager_store *store, bool pooled)
{
	defpager_account(store, -1, -pooled, 0);
}

/**
 * defpager_space_add() - make the slots of a new segment available
 * @segment: the segment, in its stripes already
 *
 * Context: sleeps.
 * Return: 0; -ENOMEM if it has none, nor will.
 */
int defpager_space_add(struct defpager_segment *segment)
{
	s64 ret;

	mutex_lock(&defpager_populate_lock);
	defpager_account(segment->store, 0, 0, segment->slots.nr);
	/* Something of each at once: they are used in turn from the start. */
	ret = defpager_populate_segment(segment);
	/*
	 * Who had the lock before us may have found the segment in its stripe:
	 * it has slots then, and they may be promised by now, or even in use.
	 */
	if (segment->slots.populated_chunks)
		ret = 0;
	if (ret < 0)
		defpager_space_close(segment, DEFPAGER_CLOSED_REMOVAL, true);
	mutex_unlock(&defpager_populate_lock);
	return min_t(s64, ret, 0);
}

/**
 * defpager_space_close() - have a reason not to use a segment, or have it no
 *	more
 * @segment: the segment
 * @why: enum defpager_closed; removal with defpager_populate_lock held
 * @close: which of the two
 *
 * Context: any but interrupts.
 * Return: whether that is any news.
 */
bool defpager_space_close(struct defpager_segment *segment, u32 why, bool close)
{
	struct defpager_capacity capacity;
	s64 sign = close ? -1 : 1;
	bool news;

	news = defpager_slots_close(&segment->slots, why, close, &capacity);
	defpager_account(segment->store, sign * capacity.good,
			 sign * capacity.pooled, sign * capacity.unpopulated);
	return news;
}

/*
 * Give slots bitmaps until nothing is promised that there is not.  @from: a store
 * that pages leave, whatever that lacks; or NULL.
 */
static int defpager_cover(struct defpager_store *store, bool gone,
			  struct defpager_store *from)
{
	bool exclusive = defpager_store_exclusive(store);
	int ret = 0;

	while (!ret && !gone && atomic64_read(&store->free) < 0)
		ret = defpager_populate_for(store, 0);
	while (!ret && !exclusive && !defpager_pool_covers(from, 0, 0))
		ret = defpager_populate_for(NULL, 0);
	return ret;
}

/**
 * defpager_space_withdraw() - close a segment to remove it, if nothing promised
 *	needs it
 * @segment: a segment that nobody is removing
 * @gone: its store is being deleted: that has promised nothing any more
 *
 * Context: sleeps; nobody has borrowed of its store: defpager_borrow_pause().
 * Return: 0; -ENOSPC; -ENOMEM.
 */
int defpager_space_withdraw(struct defpager_segment *segment, bool gone)
{
	int ret;

	lockdep_assert_held_write(defpager_borrow_lock(segment->store));
	mutex_lock(&defpager_populate_lock);
	defpager_space_close(segment, DEFPAGER_CLOSED_REMOVAL, true);
	ret = defpager_cover(segment->store, gone, NULL);
	if (ret)
		defpager_space_close(segment, DEFPAGER_CLOSED_REMOVAL, false);
	mutex_unlock(&defpager_populate_lock);
	return ret;
}

/**
 * defpager_space_recover() - is there still a place for all that is promised?
 * @store: by a store, and the pool unless it is exclusive
 * @gone: the store is being deleted: that has promised nothing any more
 * @from: the store that pages leave: what that has promised and lacks is no part
 *	of what the pool has to have
 *
 * For who takes pages their places away, because there are others: segments may
 * fail meanwhile.
 *
 * Context: sleeps.
 * Return: 0; -ENOSPC; -ENOMEM; -EINTR to who is being killed.
 */
int defpager_space_recover(struct defpager_store *store, bool gone,
			   struct defpager_store *from)
{
	int ret;

	if (likely((gone || atomic64_read(&store->free) >= 0) &&
		   (defpager_store_exclusive(store) ||
		    atomic64_read(&defpager_pool_free) >= 0)))
		return 0;
	/* Not if it is just being discarded, or taken away on trial. */
	ret = defpager_borrow_pause(store);
	if (ret)
		return ret;
	mutex_lock(&defpager_populate_lock);
	ret = defpager_cover(store, gone, from);
	mutex_unlock(&defpager_populate_lock);
	defpager_borrow_resume(store);
	return ret;
}

/* A segment is not to be removed after all. */
void defpager_space_restore(struct defpager_segment *segment)
{
	mutex_lock(&defpager_populate_lock);
	defpager_space_close(segment, DEFPAGER_CLOSED_REMOVAL, false);
	mutex_unlock(&defpager_populate_lock);
}

/**
 * defpager_space_free_settled() - what defpager_space_free() says, but not while
 *	slots are being given bitmaps or discarded, or a removal that may be
 *	refused is tried
 * @store: the store asked for
 * @free: out: slots
 *
 * For who is told once, and of nothing that is over the next moment.
 *
 * Context: sleeps, as long as a device takes to discard.
 * Return: 0; -EINTR to who is being killed.
 */
int defpager_space_free_settled(struct defpager_store *store, u64 *free)
{
	int ret = defpager_borrow_pause(store);

	if (ret)
		return ret;
	mutex_lock(&defpager_populate_lock);
	rcu_read_lock();
	*free = defpager_space_free(store);
	rcu_read_unlock();
	mutex_unlock(&defpager_populate_lock);
	defpager_borrow_resume(store);
	return 0;
}
