// SPDX-License-Identifier: GPL-2.0-only
/*
 * Promises of space: who may fill how many slots.
 *
 * A page has a slot promised before it enters the page cache.  Therefore
 * page-out always finds one, and the only one who is ever told that a store is
 * full is who touches a page for the first time.
 *
 * An object confined to a store is promised slots by that store, its home.
 * Objects of the pager, the pool, are promised slots by all stores together
 * that are not exclusive; in which of them a page finds its slot turns out at
 * page-out.  With the slots that a store's open segments have a bitmap for, bad
 * ones excluded, as its capacity:
 *
 *	store->free = capacity - promised - slots that the pool uses there
 *	pool free   = sum of (capacity - promised) - promised to the pool
 *
 * where the sum is of all stores not exclusive.  Neither may become negative
 * by a promise.  Then page-out of a confined page finds a slot in its home,
 * because the pool leaves as many alone as are promised; and page-out of a
 * page of the pool finds a store whose free is positive, takes one from it,
 * and so a slot there.  Both are single atomic variables: no lock is shared by
 * those who touch pages.
 *
 * Slots get their bitmap, and with it become capacity, when those there are
 * have all been promised.  So nothing needs memory at page-out.
 *
 * When an object moves to another home, it is promised all of its pages there
 * at once.  A slot it still has in the old one, a stale slot, keeps a promise
 * of the old home, which is given back when the slot is freed.  If the object
 * returns before that, the slot is one of its home's again, with that promise.
 *
 * When a slot goes bad, or a segment is closed because it is to be removed or
 * is failing, capacity shrinks.  Removal makes sure that nothing gets negative.
 * Failures cannot: then some pages find no slot at page-out and stay in memory,
 * and nothing is promised until they are covered.  But objects that move away
 * from a store which lacks what it has promised are not kept from it by that.
 *
 * A segment may begin to fail at any time, and page-out that finds it failing
 * can wait for nobody.  So what a segment contributes is looked up together
 * with whether it is closed, under the lock of its slots, and accounted for
 * afterwards: these are sums, and the order matters only where two of them are
 * compared.
 */
#include <linux/rculist.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "defpager.h"

/* Segments given one more chunk of bitmaps at a time. */
#define DEFPAGER_POPULATE_ROUND	64

/* Who gives slots their bitmaps, closes a segment, or gives objects away. */
DEFINE_MUTEX(defpager_populate_lock);

/*
 * Who has space that he is going to give back, to discard it, holds this shared;
 * or the store's own one, if that is exclusive.  Nobody is told that there is no
 * space on account of that: who holds it exclusively sees what there really is.
 */
static DECLARE_RWSEM(defpager_pool_borrow_lock);

/* See the top of this file; and slots of its stores that have no bitmap. */
atomic64_t defpager_pool_free = ATOMIC64_INIT(0);
atomic64_t defpager_pool_unpopulated = ATOMIC64_INIT(0);

/* What is given back always is. */
static bool defpager_take(atomic64_t *free, s64 nr)
{
	s64 old = atomic64_read(free);

	do {
		if (nr > 0 && old < nr)
			return false;
	} while (!atomic64_try_cmpxchg(free, &old, old - nr));
	return true;
}

/*
 * Take slots that are promised to nobody, of a store, or of the pool if it is
 * NULL.  Return: whether there were so many.
 */
static bool defpager_take_space(struct defpager_store *store, u64 nr)
{
	if (!store)
		return defpager_take(&defpager_pool_free, nr);
	if (!defpager_take(&store->free, nr))
		return false;
	if (defpager_store_exclusive(store) ||
	    defpager_take(&defpager_pool_free, nr))
		return true;
	atomic64_add(nr, &store->free);
	return false;
}

static void defpager_give_space(struct defpager_store *store, u64 nr)
{
	if (store)
		atomic64_add(nr, &store->free);
	if (!store || !defpager_store_exclusive(store))
		atomic64_add(nr, &defpager_pool_free);
	defpager_alert_check();
}

/* Within it comes defpager_populate_lock, for whose sake nobody waits long. */
static struct rw_semaphore *defpager_borrow_lock(struct defpager_store *store)
{
	return store && defpager_store_exclusive(store) ?
		&store->borrow_lock : &defpager_pool_borrow_lock;
}

/**
 * defpager_borrow_space() - take slots for a while, unless they are needed
 * @store: a store
 * @max: how many at most
 *
 * Return: how many; until defpager_return_space(), if that is not 0.
 */
u64 defpager_borrow_space(struct defpager_store *store, u64 max)
{
	u64 nr = max;

	down_read(defpager_borrow_lock(store));
	while (nr && !defpager_take_space(store, nr))
		nr /= 2;
	if (nr)
		atomic64_add(nr, &store->borrowed);
	else
		up_read(defpager_borrow_lock(store));
	return nr;
}

void defpager_return_space(struct defpager_store *store, u64 nr)
{
	atomic64_sub(nr, &store->borrowed);
	defpager_give_space(store, nr);
	up_read(defpager_borrow_lock(store));
}

/**
 * defpager_borrow_pause() - have nobody borrow space that a store may promise
 * @store: a store, or NULL for the pool
 *
 * Who has borrowed some may be waiting for a device.
 *
 * Return: 0, until defpager_borrow_resume(); -EINTR to who is being killed.
 */
int defpager_borrow_pause(struct defpager_store *store)
{
	return down_write_killable(defpager_borrow_lock(store));
}

void defpager_borrow_resume(struct defpager_store *store)
{
	up_write(defpager_borrow_lock(store));
}

static bool defpager_take_promise(struct defpager_store *store, u64 nr)
{
	bool taken = defpager_take_space(store, nr);

	if (taken && store)
		atomic64_add(nr, &store->promised);
	return taken;
}

static void defpager_give_promise(struct defpager_store *store, u64 nr)
{
	if (store)
		atomic64_sub(nr, &store->promised);
	defpager_give_space(store, nr);
}

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
static int defpager_populate_for(struct defpager_store *store, s64 nr)
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

static struct defpager_store *defpager_home(struct defpager_object *object)
{
	return rcu_dereference_protected(object->store,
				lockdep_is_held(&object->promise_lock));
}

static int __defpager_promise_fast(struct defpager_object *object, u64 nr)
{
	struct defpager_store *store = defpager_home(object);

	if (!defpager_limit_check(object, store, nr))
		return -EDQUOT;
	if (!defpager_take_promise(store, nr))
		return -ENOSPC;
	/* The last, see limit.c. */
	if (!defpager_user_charge(object, store, nr)) {
		defpager_give_promise(store, nr);
		return -EDQUOT;
	}
	WRITE_ONCE(object->promised, object->promised + nr);
	return 0;
}

static int defpager_promise_fast(struct defpager_object *object, u64 nr)
{
	int ret;

	/* The home stays the same while it makes the promise. */
	spin_lock(&object->promise_lock);
	ret = __defpager_promise_fast(object, nr);
	spin_unlock(&object->promise_lock);
	return ret;
}

static bool defpager_too_few(atomic64_t *free, atomic64_t *unpopulated, u64 nr)
{
	return atomic64_read(free) + atomic64_read(unpopulated) < (s64)nr;
}

/* Is there no room for a promise of @nr slots, whatever gets a bitmap? */
static bool defpager_no_room(struct defpager_store *store, u64 nr)
{
	if (store && defpager_too_few(&store->free, &store->unpopulated, nr))
		return true;
	return (!store || !defpager_store_exclusive(store)) &&
	       defpager_too_few(&defpager_pool_free,
				&defpager_pool_unpopulated, nr);
}

static int __defpager_promise_slow(struct defpager_object *object, u64 nr)
{
	struct defpager_store *store;
	bool again = true;
	int ret = 0;

	mutex_lock(&defpager_populate_lock);
	/* Homes change with this lock held only. */
	store = rcu_dereference_protected(object->store,
				lockdep_is_held(&defpager_populate_lock));
	while (again) {
		ret = defpager_promise_fast(object, nr);
		/* No memory for the bitmaps of what is not enough anyhow. */
		again = ret == -ENOSPC && !defpager_no_room(store, nr);
		if (again) {
			ret = defpager_populate_for(store, nr);
			again = !ret;
		}
		/* Of much there is much to do. */
		if (again && fatal_signal_pending(current)) {
			ret = -EINTR;
			again = false;
		}
	}
	mutex_unlock(&defpager_populate_lock);
	return ret;
}

/*
 * From here nobody has borrowed space of the object's home, nor will.  Who has may
 * wait for a device.
 *
 * Return: the home, or NULL for the pool; or -EINTR, to who is being killed.
 */
static struct defpager_store *
defpager_borrow_stop(struct defpager_object *object)
{
	struct defpager_store *store;

	spin_lock(&object->promise_lock);
	store = defpager_home(object);
	if (store)
		refcount_inc(&store->refs);
	spin_unlock(&object->promise_lock);
	if (!defpager_borrow_pause(store))
		return store;
	if (store)
		defpager_store_put(store);
	return ERR_PTR(-EINTR);
}

static void defpager_borrow_go_on(struct defpager_store *store)
{
	defpager_borrow_resume(store);
	if (store)
		defpager_store_put(store);
}

static int defpager_promise_slow(struct defpager_object *object, u64 nr)
{
	struct defpager_store *store;
	bool moved = true;
	int ret;

	ret = __defpager_promise_slow(object, nr);
	while (ret == -ENOSPC && moved) {
		store = defpager_borrow_stop(object);
		if (IS_ERR(store))
			return PTR_ERR(store);
		ret = __defpager_promise_slow(object, nr);
		moved = store != rcu_access_pointer(object->store);
		defpager_borrow_go_on(store);
	}
	return ret;
}

/**
 * defpager_promise() - promise space for pages of an object
 * @object: the object
 * @nr: how many
 *
 * Context: sleeps; may be called with a folio locked.
 * Return: 0; -ENOSPC if there is no room; -EDQUOT if a limit is reached;
 *	-ENOMEM; -EINTR to who is being killed.
 */
int defpager_promise(struct defpager_object *object, u64 nr)
{
	int ret = defpager_promise_fast(object, nr);

	if (ret == -ENOSPC)
		ret = defpager_promise_slow(object, nr);
	defpager_alert_check();
	return ret;
}

/* Take back what an object was promised and has no use for. */
void defpager_unpromise(struct defpager_object *object, u64 nr)
{
	spin_lock(&object->promise_lock);
	WRITE_ONCE(object->promised, object->promised - nr);
	defpager_user_uncharge(object, nr);
	defpager_give_promise(defpager_home(object), nr);
	spin_unlock(&object->promise_lock);
}

static int __defpager_promise_check(struct defpager_object *object, u64 nr)
{
	struct defpager_store *store;
	int ret = 0;

	rcu_read_lock();
	store = rcu_dereference(object->store);
	if (!defpager_limit_check(object, store, nr))
		ret = -EDQUOT;
	else if (defpager_no_room(store, nr))
		ret = -ENOSPC;
	rcu_read_unlock();
	return ret;
}

/**
 * defpager_promise_check() - would a promise fail?
 * @object: the object that wants it
 * @nr: for how many pages
 *
 * For who can avoid work.
 *
 * Context: sleeps.
 * Return: -ENOSPC if there is not as much space; -EDQUOT if a limit is in the
 *	way; -EINTR to who is being killed; 0 says nothing.
 */
int defpager_promise_check(struct defpager_object *object, u64 nr)
{
	int ret = __defpager_promise_check(object, nr);
	struct defpager_store *store;
	bool moved = true;

	/* Not if somebody has just taken what he is going to give back. */
	while (ret == -ENOSPC && moved) {
		store = defpager_borrow_stop(object);
		if (IS_ERR(store))
			return PTR_ERR(store);
		mutex_lock(&defpager_populate_lock);
		ret = __defpager_promise_check(object, nr);
		moved = store != rcu_access_pointer(object->store);
		mutex_unlock(&defpager_populate_lock);
		defpager_borrow_go_on(store);
	}
	return ret == -EDQUOT ? defpager_limit_look_again(object, nr) : ret;
}

/* --- other homes ---------------------------------------------------------- */

static struct defpager_stale *
defpager_stale_find(struct defpager_object *object,
		    struct defpager_store *store)
{
	struct defpager_stale *stale;

	lockdep_assert_held(&object->promise_lock);
	list_for_each_entry(stale, &object->stale, list)
		if (stale->store == store)
			return stale;
	return NULL;
}

static void defpager_stale_forget(struct defpager_stale *stale)
{
	list_del(&stale->list);
	kfree(stale);
}

/* Its slots in the store that has been its home are stale from here on. */
static void defpager_stale_begin(struct defpager_object *object,
				 struct defpager_store *from,
				 struct defpager_stale **spare)
{
	struct defpager_stale *stale = *spare;

	/* Without a slot there is no use for it, and nobody to free it. */
	if (!object->home_slots)
		return;
	*spare = NULL;
	stale->store = from;
	stale->slots = object->home_slots;
	list_add(&stale->list, &object->stale);
	atomic64_add(stale->slots, &from->stale);
}

/*
 * What a store of the pool has promised and has not got, because segments fail, is
 * nothing that others could have: what it lacks, the pool does not.
 */
static s64 defpager_pool_lacks(struct defpager_store *store)
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
static bool defpager_pool_covers(struct defpager_store *from, s64 back, s64 more)
{
	s64 lacks = defpager_pool_lacks(from);
	s64 free;

	smp_rmb(); /* the pool loses before the store does: defpager_account() */
	free = atomic64_read(&defpager_pool_free) + more;
	smp_rmb(); /* and gains after it */
	lacks = min_t(s64, lacks, defpager_pool_lacks(from));
	return free >= clamp_t(s64, back, 0, lacks) - lacks;
}

/*
 * Take @nr slots of @to, for what gives back @back slots to @from: of the pool, only
 * the difference.  All may be negative, see below.
 */
static bool defpager_take_moving(struct defpager_store *from, s64 back,
				 struct defpager_store *to, s64 nr)
{
	s64 used = clamp_t(s64, back, 0, defpager_pool_lacks(from));
	s64 pooled = 0;

	if (!defpager_store_exclusive(to))
		pooled += nr;
	if (!defpager_store_exclusive(from))
		pooled -= back;
	if (!defpager_take(&to->free, nr))
		return false;
	/* What there may be too little of is taken first, and given last. */
	atomic64_sub(max_t(s64, pooled, 0), &defpager_pool_free);
	smp_mb__after_atomic(); /* before the look at both */
	if (!defpager_store_exclusive(to) && pooled + used > 0 &&
	    !defpager_pool_covers(from, back, max_t(s64, -pooled, 0))) {
		atomic64_add(max_t(s64, pooled, 0), &defpager_pool_free);
		atomic64_add(nr, &to->free);
		return false;
	}
	atomic64_add(nr, &to->promised);
	atomic64_sub(back, &from->promised);
	atomic64_add(back, &from->free);
	atomic64_sub(min_t(s64, pooled, 0), &defpager_pool_free);
	defpager_alert_check();
	return true;
}

/*
 * -ENOSPC: @to has not got @nr slots to promise.  An object may have more slots
 * than pages for a moment, so that numbers may be negative.
 */
static int __defpager_rehome(struct defpager_object *object,
			     struct defpager_store *from,
			     struct defpager_store *to,
			     struct defpager_user **user,
			     struct defpager_stale **spare, s64 *nr)
{
	struct defpager_stale *back = defpager_stale_find(object, to);
	u64 back_slots = back ? back->slots : 0;

	if (defpager_home(object) != from)
		return -EAGAIN;
	/* What it left behind there has a promise already. */
	*nr = object->promised - back_slots;
	if (!defpager_take_moving(from, object->promised - object->home_slots,
				  to, *nr))
		return -ENOSPC;
	if (back)
		defpager_stale_forget(back);
	atomic64_sub(back_slots, &to->stale);
	rcu_assign_pointer(object->store, to);
	defpager_stale_begin(object, from, spare);
	*user = defpager_user_move(object, *user, 0);
	object->home_slots = back_slots;
	return 0;
}

/**
 * defpager_rehome() - give a confined object another home
 * @object: the object, of which the caller has a reference
 * @from: the home it has, if it has not changed
 * @to: the store; the object takes over what defpager_store_join() gave
 *
 * Return: 0, and the object has left @from; -EAGAIN if that was not its home;
 *	-ENOSPC if @to has no room; -ENOMEM; -EINTR to who is being killed.
 */
int defpager_rehome(struct defpager_object *object, struct defpager_store *from,
		    struct defpager_store *to)
{
	struct defpager_stale *spare = kmalloc(sizeof(*spare),
					       GFP_KERNEL_ACCOUNT);
	struct defpager_user *user;
	bool again = true;
	int ret = 0;
	s64 nr;

	if (!spare)
		return -ENOMEM;
	ret = defpager_borrow_pause(to);
	if (ret) {
		kfree(spare);
		return ret;
	}
	mutex_lock(&defpager_populate_lock);
	/* Its owner, too, changes with this lock held only. */
	user = defpager_user_get(to, object->inode.i_uid);
	if (!user) {
		ret = -ENOMEM;
		again = false;
	}
	while (again) {
		spin_lock(&object->promise_lock);
		ret = __defpager_rehome(object, from, to, &user, &spare, &nr);
		spin_unlock(&object->promise_lock);
		again = ret == -ENOSPC;
		if (again) {
			ret = defpager_populate_for(to, nr);
			again = !ret;
		}
	}
	mutex_unlock(&defpager_populate_lock);
	defpager_borrow_resume(to);
	kfree(spare);
	/* The one that is not charged any more, or would have been. */
	if (user)
		defpager_user_put(user);
	if (!ret)
		defpager_store_leave(from);
	return ret;
}

/*
 * A slot of a confined object is about to be freed.
 * Return: whether it is a stale one: see defpager_unpromise_stale().
 */
bool defpager_slot_uncount(struct defpager_object *object,
			   struct defpager_store *store)
{
	struct defpager_stale *stale;

	if (store == defpager_home(object)) {
		object->home_slots--;
		return false;
	}
	stale = defpager_stale_find(object, store);
	if (!WARN_ON_ONCE(!stale) && !--stale->slots)
		defpager_stale_forget(stale);
	return true;
}

/* A stale slot was freed, or is in no use any more. */
void defpager_unpromise_stale(struct defpager_store *store)
{
	defpager_give_promise(store, 1);
	if (atomic64_dec_and_test(&store->stale) &&
	    wq_has_sleeper(&store->wait))
		wake_up_all(&store->wait);
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
