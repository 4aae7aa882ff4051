// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other homes for objects: what moves with them, and what their old ones keep until
 * their pages have followed.
 *
 * The counters, and what they mean, are those of promise.c.
 */
#include <linux/slab.h>

#include "defpager.h"
#include "promise.h"

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
