// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much may still be promised, for who wants to know and not to have it.
 *
 * The counters, and what they mean, are those of promise.c.  They are read one
 * after the other, so the sums are exact only when nothing is going on.  What is
 * being discarded counts as free: it comes back by itself.
 */
#include "defpager.h"

/* RCU read lock held. */
static s64 defpager_pool_borrowed(void)
{
	struct defpager_store *store;
	unsigned long id;
	s64 nr = 0;

	xa_for_each(&defpager_stores, id, store)
		if (!defpager_store_exclusive(store))
			nr += atomic64_read(&store->borrowed);
	return nr;
}

/**
 * defpager_space_check_rehome() - would what one store promised fit elsewhere?
 * @from: a store
 * @to: where its objects are to move, not NULL
 * @capacity: slots that @from is going to lose besides
 *
 * A check in advance: others may be quicker.
 *
 * Return: 0 or -ENOSPC.
 */
int defpager_space_check_rehome(struct defpager_store *from,
				struct defpager_store *to, u64 capacity)
{
	s64 promised = atomic64_read(&from->promised);
	/* Objects that have left it have promises elsewhere. */
	s64 moving = promised - atomic64_read(&from->stale);
	s64 pool = atomic64_read(&defpager_pool_free) +
		   atomic64_read(&defpager_pool_unpopulated);

	if (atomic64_read(&to->free) + atomic64_read(&to->unpopulated) +
	    atomic64_read(&to->borrowed) < moving)
		return -ENOSPC;
	rcu_read_lock();
	pool += defpager_pool_borrowed();
	rcu_read_unlock();
	if (!defpager_store_exclusive(from))
		pool += promised - capacity;
	if (!defpager_store_exclusive(to))
		pool -= moving;
	return pool < 0 ? -ENOSPC : 0;
}

/**
 * defpager_space_free_all() - slots of all stores that are promised to nobody
 *
 * The sum of what defpager_space_free() says of each, without the effort.
 *
 * Context: RCU read lock held.
 */
u64 defpager_space_free_all(void)
{
	s64 free = max_t(s64, atomic64_read(&defpager_pool_free), 0) +
		   atomic64_read(&defpager_pool_unpopulated);
	struct defpager_store *store;
	unsigned long id;

	xa_for_each(&defpager_stores, id, store) {
		free += atomic64_read(&store->borrowed);
		if (defpager_store_exclusive(store))
			free += max_t(s64, atomic64_read(&store->free), 0) +
				atomic64_read(&store->unpopulated);
	}
	return free;
}

/**
 * defpager_space_free() - slots of each store that are promised to nobody
 * @store: the store asked for
 *
 * What the pool was promised and has no slot yet is taken for used where it
 * would go if it were paged out now.  So the sum of all stores is right.
 *
 * Context: RCU read lock held.
 */
u64 defpager_space_free(struct defpager_store *store)
{
	s64 free = atomic64_read(&store->free);
	struct defpager_store *other;
	s64 unlocated, above = 0;
	unsigned long id;

	if (!defpager_store_exclusive(store)) {
		/* What stores have free that the pool does not: it may want it. */
		unlocated = -atomic64_read(&defpager_pool_free);
		xa_for_each(&defpager_stores, id, other) {
			s64 nr = other == store ?
				 free : atomic64_read(&other->free);

			if (defpager_store_exclusive(other))
				continue;
			unlocated += nr;
			if (other->priority > store->priority ||
			    (other->priority == store->priority &&
			     other->id < store->id))
				above += nr;
		}
		unlocated -= above;
		free -= clamp(unlocated, (s64)0, max_t(s64, free, 0));
	}
	free += atomic64_read(&store->unpopulated) +
		atomic64_read(&store->borrowed);
	return max_t(s64, free, 0);
}
