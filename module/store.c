// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores: how they come, are found and listed, and go.
 *
 * What may be promised of them is in promise.c, and which of their slots a
 * page gets in place.c.
 */
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "defpager.h"

/*
 * All stores by id.  The lock is for changing this, and a store's closing and
 * deleted; who looks for a store holds it or the RCU read lock.
 */
DEFINE_MUTEX(defpager_stores_lock);
DEFINE_XARRAY_ALLOC1(defpager_stores);
static u32 defpager_next_store_id;

/* Set once, before there is any object. */
struct defpager_store *defpager_default_store;

static struct defpager_store *defpager_store_alloc(const char *name,
						   u32 flags, s32 priority,
						   u32 cluster_bytes)
{
	struct defpager_store *store = kzalloc(sizeof(*store),
					       GFP_KERNEL_ACCOUNT);

	if (!store)
		return NULL;
	refcount_set(&store->refs, 1);
	store->flags = flags;
	store->priority = priority;
	store->cluster_shift = ilog2(cluster_bytes) - PAGE_SHIFT;
	INIT_LIST_HEAD(&store->stripe.places);
	init_rwsem(&store->borrow_lock);
	mutex_init(&store->alert_lock);
	xa_init(&store->users);
	init_waitqueue_head(&store->wait);
	strscpy_pad(store->name, name, sizeof(store->name));
	return store;
}

/* The store of a name; defpager_stores_lock is held. */
static struct defpager_store *__defpager_store_find(const char *name)
{
	struct defpager_store *store;
	unsigned long id;

	lockdep_assert_held(&defpager_stores_lock);
	xa_for_each(&defpager_stores, id, store)
		if (!strcmp(name, store->name))
			return store;
	return NULL;
}

/* The store of a name, with a reference, or NULL. */
struct defpager_store *defpager_store_find(const char *name)
{
	struct defpager_store *store;

	mutex_lock(&defpager_stores_lock);
	store = __defpager_store_find(name);
	if (store)
		refcount_inc(&store->refs);
	mutex_unlock(&defpager_stores_lock);
	return store;
}

void defpager_store_put(struct defpager_store *store)
{
	/* Who picks a slot may still look at it. */
	if (!refcount_dec_and_test(&store->refs))
		return;
	/* It has had no slots for long: nobody reads or writes one. */
	defpager_protect_exit(store);
	kfree_rcu(store, rcu);
}

static int __defpager_store_publish(struct defpager_store *store)
{
	int ret;

	lockdep_assert_held(&defpager_stores_lock);
	if (__defpager_store_find(store->name))
		return -EEXIST;
	/* An id, and no store of it yet. */
	ret = xa_alloc_cyclic(&defpager_stores, &store->id, NULL, xa_limit_32b,
			      &defpager_next_store_id, GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		return ret;
	ret = defpager_sysfs_add_store(store);
	if (ret) {
		xa_release(&defpager_stores, store->id);
		return ret;
	}
	refcount_inc(&store->refs);
	/* Its place is there, so this needs no memory. */
	xa_store(&defpager_stores, store->id, store, 0);
	return 0;
}

/* From here it is listed, and others find it.  Return: 0; -EEXIST; -ENOMEM. */
int defpager_store_publish(struct defpager_store *store)
{
	int ret;

	mutex_lock(&defpager_stores_lock);
	ret = __defpager_store_publish(store);
	mutex_unlock(&defpager_stores_lock);
	return ret;
}

/**
 * defpager_store_create() - create a backing store
 * @arg: the request, whose name is valid
 *
 * Return: the store, with a reference, not listed yet; or an error pointer, see
 *	&struct defpager_backing_store_create.
 */
struct defpager_store *
defpager_store_create(const struct defpager_backing_store_create *arg)
{
	u32 cluster = arg->cluster_bytes ?: DEFPAGER_DEFAULT_CLUSTER_SIZE;
	struct defpager_store *store;
	int ret;

	if (!is_power_of_2(cluster) || cluster < PAGE_SIZE ||
	    cluster > DEFPAGER_MAX_CLUSTER_SIZE)
		return ERR_PTR(-EINVAL);
	store = defpager_store_alloc(arg->name, arg->flags, arg->priority,
				     cluster);
	if (!store)
		return ERR_PTR(-ENOMEM);
	ret = defpager_protect_init(store);
	if (ret) {
		kfree(store);
		return ERR_PTR(ret);
	}
	return store;
}

/*
 * An object wants to be confined to a store; its reference is what the caller
 * has one of already.
 */
int defpager_store_join(struct defpager_store *store)
{
	int ret = 0;

	mutex_lock(&defpager_stores_lock);
	if (store->deleted)
		ret = -ENODEV;
	else if (store->closing)
		ret = -EBUSY;
	else
		atomic_inc(&store->nr_objects);
	mutex_unlock(&defpager_stores_lock);
	if (!ret)
		refcount_inc(&store->refs);
	return ret;
}

void defpager_store_leave(struct defpager_store *store)
{
	if (atomic_dec_and_test(&store->nr_objects))
		wake_up_all(&store->wait);
	defpager_store_put(store);
}

/*
 * May something be added to the store?  It stays so while the caller holds
 * defpager_segments_lock: who deletes it takes that lock afterwards.
 */
int defpager_store_usable(struct defpager_store *store)
{
	if (READ_ONCE(store->deleted))
		return -ENODEV;
	return READ_ONCE(store->closing) ? -EBUSY : 0;
}

/**
 * defpager_store_close() - begin to delete a store
 * @store: the store
 * @target: whether its objects have somewhere to go
 *
 * Return: 0 if nothing can be added to it any more; -ENODEV, -EBUSY.
 */
int defpager_store_close(struct defpager_store *store, bool target)
{
	int ret = 0;

	mutex_lock(&defpager_stores_lock);
	if (store->deleted)
		ret = -ENODEV;
	else if (store == defpager_default_store || store->closing ||
		 (!target && atomic_read(&store->nr_objects)))
		ret = -EBUSY;
	else
		WRITE_ONCE(store->closing, true);
	mutex_unlock(&defpager_stores_lock);
	return ret;
}

/* It could not be deleted. */
void defpager_store_reopen(struct defpager_store *store)
{
	mutex_lock(&defpager_stores_lock);
	WRITE_ONCE(store->closing, false);
	mutex_unlock(&defpager_stores_lock);
}

/* It has neither objects nor segments. */
void defpager_store_unlist(struct defpager_store *store)
{
	mutex_lock(&defpager_stores_lock);
	WRITE_ONCE(store->deleted, true);
	/* Before another one may have its name. */
	defpager_sysfs_remove_store(store);
	xa_erase(&defpager_stores, store->id);
	mutex_unlock(&defpager_stores_lock);
	/* For poll(). */
	wake_up_all(&store->wait);
	defpager_store_put(store);
}

/* --- what is told of them ------------------------------------------------ */

static void defpager_store_sum_segments(struct defpager_store *store,
					struct defpager_backing_store_info *info)
{
	struct defpager_segment *segment;
	struct defpager_place *place;
	u64 bad;

	list_for_each_entry_rcu(place, &store->stripe.places, list) {
		segment = place->segment;
		bad = READ_ONCE(segment->slots.bad);
		info->nr_segments++;
		info->total_bytes += segment->slots.nr << PAGE_SHIFT;
		info->used_bytes += READ_ONCE(segment->slots.used) << PAGE_SHIFT;
		info->bad_bytes += bad << PAGE_SHIFT;
		if (defpager_failing(segment))
			info->failing_bytes += (segment->slots.nr - bad) <<
					       PAGE_SHIFT;
		info->pages_out += atomic64_read(&segment->pages_out);
		info->pages_in += atomic64_read(&segment->pages_in);
		info->write_errors += atomic64_read(&segment->write_errors);
		info->read_errors += atomic64_read(&segment->read_errors);
	}
}

/* Slots of a store that hold a page. */
u64 defpager_store_used(struct defpager_store *store)
{
	struct defpager_backing_store_info sum = { .size = sizeof(sum) };

	rcu_read_lock();
	defpager_store_sum_segments(store, &sum);
	rcu_read_unlock();
	return sum.used_bytes >> PAGE_SHIFT;
}

/* Slots that can be used, as long as it stays as it is. */
u64 defpager_store_capacity(struct defpager_store *store)
{
	struct defpager_place *place;
	u64 nr = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(place, &store->stripe.places, list) {
		struct defpager_slots *slots = &place->segment->slots;

		if (!READ_ONCE(slots->closed))
			nr += slots->nr - READ_ONCE(slots->bad);
	}
	rcu_read_unlock();
	return nr;
}

/* All but what concerns the whole pager. */
static void __defpager_store_info(struct defpager_store *store,
				  struct defpager_backing_store_info *info)
{
	u64 good;

	memset(info, 0, sizeof(*info));
	info->flags = store->flags;
	info->id = store->id;
	info->cluster_bytes = PAGE_SIZE << store->cluster_shift;
	info->priority = store->priority;
	strscpy_pad(info->name, store->name, sizeof(info->name));
	info->nr_objects = atomic_read(&store->nr_objects);
	defpager_limits_info(store, &info->object_limit_bytes,
			     &info->user_limit_bytes);
	defpager_store_sum_segments(store, info);
	good = info->total_bytes - info->bad_bytes - info->failing_bytes;
	info->free_bytes = min(defpager_space_free(store) << PAGE_SHIFT, good);
	info->reserved_bytes = good - info->free_bytes;
	info->confined_bytes = max_t(s64, atomic64_read(&store->promised), 0) <<
			       PAGE_SHIFT;
}

void defpager_store_info(struct defpager_store *store,
			 struct defpager_backing_store_info *info)
{
	rcu_read_lock();
	__defpager_store_info(store, info);
	rcu_read_unlock();
	info->pageout_calls = defpager_counter_sum(DEFPAGER_PAGEOUT_CALLS);
	info->pagein_calls = defpager_counter_sum(DEFPAGER_PAGEIN_CALLS);
	info->total_pages_in = defpager_counter_sum(DEFPAGER_PAGES_IN);
	info->total_pages_out = defpager_counter_sum(DEFPAGER_PAGES_OUT);
	info->pages_unavail = defpager_counter_sum(DEFPAGER_PAGES_UNAVAIL);
	info->pages_init = defpager_counter_sum(DEFPAGER_PAGES_INIT);
	info->pages_init_writes =
		defpager_counter_sum(DEFPAGER_PAGES_INIT_WRITES);
}

/* The row of the first store with an id of @start or above. */
bool defpager_store_row(u64 start, struct defpager_backing_store_info *row)
{
	struct defpager_store *store = NULL;
	unsigned long id = start;

	mutex_lock(&defpager_stores_lock);
	if (start <= U32_MAX)
		store = xa_find(&defpager_stores, &id, U32_MAX, XA_PRESENT);
	if (store)
		defpager_store_info(store, row);
	mutex_unlock(&defpager_stores_lock);
	return store;
}

/* Space and numbers of all stores together. */
void defpager_stores_info(struct defpager_info *info)
{
	struct defpager_backing_store_info sum = { .size = sizeof(sum) };
	struct defpager_store *store;
	unsigned long id;
	u64 good;

	rcu_read_lock();
	xa_for_each(&defpager_stores, id, store) {
		defpager_store_sum_segments(store, &sum);
		info->nr_stores++;
	}
	info->nr_segments = sum.nr_segments;
	info->total_bytes = sum.total_bytes;
	info->used_bytes = sum.used_bytes;
	info->bad_bytes = sum.bad_bytes;
	info->failing_bytes = sum.failing_bytes;
	good = sum.total_bytes - sum.bad_bytes - sum.failing_bytes;
	info->free_bytes = min(defpager_space_free_all() << PAGE_SHIFT, good);
	info->reserved_bytes = good - info->free_bytes;
	rcu_read_unlock();
}

int __init defpager_stores_init(void)
{
	struct defpager_store *store;
	int ret;

	store = defpager_store_alloc(DEFPAGER_DEFAULT_STORE, 0, 0,
				     DEFPAGER_DEFAULT_CLUSTER_SIZE);
	if (!store)
		return -ENOMEM;
	ret = defpager_store_publish(store);
	if (!ret)
		defpager_default_store = store;
	defpager_store_put(store);
	return ret;
}

/* There are no objects, descriptors and segments any more. */
void defpager_stores_exit(void)
{
	struct defpager_store *store;
	unsigned long id;

	xa_for_each(&defpager_stores, id, store) {
		defpager_protect_exit(store);
		kfree(store);
	}
	xa_destroy(&defpager_stores);
	/* Stores and tiers that were freed before. */
	rcu_barrier();
}
