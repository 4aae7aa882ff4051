// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of a store: how much one object, and all objects of one user, may be
 * promised.
 *
 * What counts is what counts for the space of the store, see promise.c: a page
 * is charged before it may become dirty.  So page-out never fails by a limit,
 * and lowering one takes nothing from anybody.
 *
 * What is promised to objects confined to a store counts with that store, and
 * is limited by its limits.  What is promised to objects of the pager counts
 * with the pool, apart from all of them, and is limited by the limits of the
 * store that always exists.
 *
 * The user is the owner of the object, who created it or whom it was given by
 * chown(), whoever touches the page.  For each store, or the pool, and each
 * user who has an object there is a record of what is charged.  Objects point
 * to theirs: records are allocated when an object is created, or moves, and
 * never when a page is touched.  It is kept up to date without a limit, since
 * there may be one later.
 *
 * Charging a user is the last thing that a promise depends on.  So nothing is
 * ever charged that is given back because something else failed, and nobody is
 * refused on account of that.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/uidgid.h>

#include "defpager.h"

/* What a user's objects in one store, or in the pool, were promised. */
struct defpager_user {
	struct xarray *users;		/* where it is, by user id */
	kuid_t uid;
	unsigned long objects;		/* that point to it; lock of @users */
	atomic64_t promised;		/* pages */
	struct rcu_head rcu;
};

/* Users of the pool; those of a store are in the store. */
static DEFINE_XARRAY(defpager_pool_users);

static struct defpager_limits *defpager_limits(struct defpager_store *store)
{
	return store ? &store->limits : &defpager_default_store->limits;
}

/**
 * defpager_user_get() - count an object of a user
 * @store: the store it is confined to, or NULL for the pool; stays while the
 *	record does
 * @uid: the user
 *
 * Context: sleeps, but neither for I/O nor in a control group that is full:
 *	defpager_populate_lock may be held.  There are as many as there are users
 *	with objects, which are on an account.
 * Return: the record, until defpager_user_put(); or NULL if there is no memory.
 */
struct defpager_user *defpager_user_get(struct defpager_store *store,
					kuid_t uid)
{
	struct xarray *users = store ? &store->users : &defpager_pool_users;
	struct defpager_user *user, *old;

	user = kzalloc(sizeof(*user), GFP_NOIO);
	if (!user)
		return NULL;
	user->users = users;
	user->uid = uid;
	xa_lock(users);
	/* With the lock held again where it had to be let go for memory. */
	old = __xa_cmpxchg(users, __kuid_val(uid), NULL, user, GFP_NOIO);
	if (old) {
		kfree(user);
		user = xa_is_err(old) ? NULL : old;
	}
	if (user)
		user->objects++;
	xa_unlock(users);
	return user;
}

/* An object has gone, or moved: what it was promised is charged no more. */
void defpager_user_put(struct defpager_user *user)
{
	struct xarray *users = user->users;
	bool last;

	xa_lock(users);
	last = !--user->objects;
	if (last)
		__xa_erase(users, __kuid_val(user->uid));
	xa_unlock(users);
	if (!last)
		return;
	WARN_ON_ONCE(atomic64_read(&user->promised));
	/* Somebody may still look at it: defpager_limit_check(). */
	kfree_rcu(user, rcu);
}

static bool defpager_exceeds(u64 used, u64 nr, u64 limit)
{
	return limit && (used > limit || nr > limit - used);
}

/**
 * defpager_limit_check() - may an object be promised more?
 * @object: the object
 * @store: its home, or NULL
 * @nr: pages
 *
 * Context: its promise_lock, or the RCU read lock, held.
 * Return: whether there is no limit against it now.  With its promise_lock held
 *	that of objects stays so; that of its user may be reached by others.
 */
bool defpager_limit_check(struct defpager_object *object,
			  struct defpager_store *store, u64 nr)
{
	struct defpager_user *user = rcu_dereference_check(object->user,
				lockdep_is_held(&object->promise_lock));
	struct defpager_limits *limits = defpager_limits(store);

	return !defpager_exceeds(READ_ONCE(object->promised), nr,
				 READ_ONCE(limits->object)) &&
	       !defpager_exceeds(atomic64_read(&user->promised), nr,
				 READ_ONCE(limits->user));
}

/* As it may be charged; without the lock it may have been between two homes. */
int defpager_limit_look_again(struct defpager_object *object, u64 nr)
{
	struct defpager_store *store;
	bool within;

	spin_lock(&object->promise_lock);
	store = rcu_dereference_protected(object->store,
				lockdep_is_held(&object->promise_lock));
	within = defpager_limit_check(object, store, nr);
	spin_unlock(&object->promise_lock);
	return within ? 0 : -EDQUOT;
}

static struct defpager_user *defpager_user(struct defpager_object *object)
{
	return rcu_dereference_protected(object->user,
				lockdep_is_held(&object->promise_lock));
}

static bool defpager_charge(struct defpager_user *user, u64 nr, u64 limit)
{
	s64 old;

	if (!limit) {
		atomic64_add(nr, &user->promised);
		return true;
	}
	old = atomic64_read(&user->promised);
	do {
		if (defpager_exceeds(old, nr, limit))
			return false;
	} while (!atomic64_try_cmpxchg(&user->promised, &old, old + nr));
	return true;
}

/**
 * defpager_user_charge() - charge an object's user, within the limit
 * @object: the object, its promise_lock held
 * @store: its home, or NULL
 * @nr: pages
 *
 * Return: whether it was within the limit.
 */
bool defpager_user_charge(struct defpager_object *object,
			  struct defpager_store *store, u64 nr)
{
	return defpager_charge(defpager_user(object), nr,
			       READ_ONCE(defpager_limits(store)->user));
}

/* The object's promise_lock is held. */
void defpager_user_uncharge(struct defpager_object *object, u64 nr)
{
	atomic64_sub(nr, &defpager_user(object)->promised);
}

/**
 * defpager_user_move() - charge another user with what an object was promised
 * @object: the object, its promise_lock held
 * @user: who is charged from here on; may be the one who is already
 * @limit: of that user, or 0
 *
 * Return: whose record the object has no longer, for defpager_user_put() when
 *	the lock is given back; NULL if the limit was exceeded, as never by 0.
 */
struct defpager_user *defpager_user_move(struct defpager_object *object,
					 struct defpager_user *user, u64 limit)
{
	struct defpager_user *old = defpager_user(object);

	/* For a moment he would be charged twice, and refused something else. */
	if (user == old)
		return old;
	if (!defpager_charge(user, object->promised, limit))
		return NULL;
	atomic64_sub(object->promised, &old->promised);
	rcu_assign_pointer(object->user, user);
	return old;
}

/* With defpager_populate_lock held: the home does not change, and is there. */
static int __defpager_chown(struct defpager_object *object, kuid_t uid)
{
	struct defpager_store *store = rcu_dereference_protected(object->store,
				lockdep_is_held(&defpager_populate_lock));
	/* As quotas have it: it is not only who may do anything that comes here. */
	u64 limit = capable(CAP_SYS_RESOURCE) ? 0 :
		    READ_ONCE(defpager_limits(store)->user);
	struct defpager_user *user = defpager_user_get(store, uid), *old;

	if (!user)
		return -ENOMEM;
	spin_lock(&object->promise_lock);
	old = defpager_user_move(object, user, limit);
	spin_unlock(&object->promise_lock);
	if (old)
		object->inode.i_uid = uid;
	/* While the object is in the store, in which the record is. */
	defpager_user_put(old ? old : user);
	return old ? 0 : -EDQUOT;
}

/**
 * defpager_chown() - give an object another owner, who is charged for it
 * @object: the object
 * @uid: the owner
 *
 * Context: sleeps.
 * Return: 0; -ENOMEM; -EDQUOT if he would exceed his limit, and the caller may
 *	not have him do so.
 */
int defpager_chown(struct defpager_object *object, kuid_t uid)
{
	int ret;

	/* It is promised nothing. */
	if (defpager_object_resident(object))
		return 0;
	mutex_lock(&defpager_populate_lock);
	ret = __defpager_chown(object, uid);
	mutex_unlock(&defpager_populate_lock);
	return ret;
}

/* --- what the limits are -------------------------------------------------- */

/* Also what is listed; without a lock, the two are read one after the other. */
void defpager_limits_info(struct defpager_store *store, u64 *object_bytes,
			  u64 *user_bytes)
{
	*object_bytes = READ_ONCE(store->limits.object) << PAGE_SHIFT;
	*user_bytes = READ_ONCE(store->limits.user) << PAGE_SHIFT;
}

/**
 * defpager_limits_set() - set limits of a store
 * @store: the store
 * @arg: the request, which is valid; out: what the limits were
 *
 * Return: 0 or -ENODEV.
 */
int defpager_limits_set(struct defpager_store *store,
			struct defpager_backing_store_limit *arg)
{
	int ret = 0;

	mutex_lock(&defpager_stores_lock);
	if (store->deleted) {
		ret = -ENODEV;
	} else {
		defpager_limits_info(store, &arg->old_object_bytes,
				     &arg->old_user_bytes);
		if (arg->flags & DEFPAGER_LIMIT_OBJECT)
			WRITE_ONCE(store->limits.object,
				   arg->object_bytes >> PAGE_SHIFT);
		if (arg->flags & DEFPAGER_LIMIT_USER)
			WRITE_ONCE(store->limits.user,
				   arg->user_bytes >> PAGE_SHIFT);
	}
	mutex_unlock(&defpager_stores_lock);
	return ret;
}
