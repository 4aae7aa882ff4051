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
#include <linux/rwsem.h>

#include "defpager.h"
#include "promise.h"

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
bool defpager_take(atomic64_t *free, s64 nr)
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
struct rw_semaphore *defpager_borrow_lock(struct defpager_store *store)
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

void defpager_give_promise(struct defpager_store *store, u64 nr)
{
	if (store)
		atomic64_sub(nr, &store->promised);
	defpager_give_space(store, nr);
}

struct defpager_store *defpager_home(struct defpager_object *object)
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
