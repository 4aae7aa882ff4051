// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draining: taking the pages away from segments that are to be removed.
 *
 * Nothing tells which page a slot belongs to.  So all maps are looked through
 * for slots of the store that are to be given up: those of closed segments, and
 * stale ones, of objects that have got another home.  Each such page is brought
 * into memory, marked dirty and taken its slot; then it is asked to be written,
 * which gives it a slot elsewhere.  This needs no more than the lock of the
 * page's folio, so that everything else goes on, and whenever it ends, each
 * page is in memory or has a slot.
 *
 * Since closed segments give out no slots, one pass is all that is needed,
 * except for pages that were on their way while it came by.  Pages that cannot
 * be read stay where they are, and all others are moved in spite of them: it
 * may be a dying device that they have to leave.
 */
#include <linux/file.h>
#include <linux/kobject.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "defpager.h"
#include "trace.h"

/* Pages moved together; see also DEFPAGER_BATCH. */
#define DEFPAGER_DRAIN_RUN	64

/* Failed writes after which it is pointless to go on. */
#define DEFPAGER_DRAIN_ERRORS	1024

/* How often it is told how far a drain has come. */
#define DEFPAGER_DRAIN_EVENTS	HZ

/* Tenths of a second until objects that are going are taken to stay. */
#define DEFPAGER_CLOSE_TRIES	100

struct defpager_drain {
	struct defpager_store_port *port;
	struct list_head list;		/* port->drains */
	fl_owner_t owner;		/* the process that is waiting */
	bool closed;			/* the descriptor, by that process */
	struct defpager_store *store;
	struct defpager_segment *segment; /* once it is closed; or NULL */
	struct defpager_store *target;	/* where objects move first, or NULL */
	u64 id;				/* the segment's, or 0: all of the store */
	bool closing;			/* it is closed, or all of the store is */
	u64 write_errors;		/* of all stores, at the beginning */
	bool announced;
	unsigned long told;		/* jiffies of the last event */
	u64 moved;			/* pages */
	bool unreadable;		/* some page; the first one: */
	u64 error_object;		/* id */
	u64 error_offset;		/* bytes */
};

static void defpager_drain_begin(struct defpager_drain *drain,
				 struct defpager_store_port *port,
				 struct defpager_store *target, u64 id)
{
	*drain = (struct defpager_drain) {
		.port = port,
		.store = port->store,
		.target = target,
		.owner = current->files,
		.id = id,
		.write_errors = defpager_counter_sum(DEFPAGER_WRITE_ERRORS),
	};
	spin_lock(&port->drains_lock);
	list_add(&drain->list, &port->drains);
	spin_unlock(&port->drains_lock);
}

/**
 * defpager_drains_close() - a descriptor of a store is closed
 * @port: the descriptor
 * @owner: the process that closes it, or a duplicate
 *
 * Ends what that process drains by it.  Others may close their duplicates, e.g.
 * children by exiting.
 */
void defpager_drains_close(struct defpager_store_port *port, fl_owner_t owner)
{
	struct defpager_drain *drain;

	spin_lock(&port->drains_lock);
	list_for_each_entry(drain, &port->drains, list)
		if (drain->owner == owner)
			WRITE_ONCE(drain->closed, true);
	spin_unlock(&port->drains_lock);
	wake_up_all(&port->store->wait);
}

/* --- what is told of it --------------------------------------------------- */

static void defpager_drain_event(struct defpager_drain *drain, const char *what)
{
	char event[32], store[16 + DEFPAGER_NAME_SIZE], moved[48], segment[48];
	char *env[5] = { event, store, moved, drain->id ? segment : NULL };

	snprintf(event, sizeof(event), "DEFPAGER_DRAIN=%s", what);
	snprintf(store, sizeof(store), "DEFPAGER_STORE=%s", drain->store->name);
	snprintf(moved, sizeof(moved), "DEFPAGER_MOVED_BYTES=%llu",
		 drain->moved << PAGE_SHIFT);
	snprintf(segment, sizeof(segment), "DEFPAGER_SEGMENT=%llu", drain->id);
	kobject_uevent_env(defpager_kobj(), KOBJ_CHANGE, env);
	drain->told = jiffies;
}

/* Nothing has been moved yet, and nothing is known that would prevent it. */
static void defpager_drain_announce(struct defpager_drain *drain)
{
	if (drain->announced)
		return;
	drain->announced = true;
	defpager_drain_event(drain, "begin");
}

static void defpager_drain_progress(struct defpager_drain *drain)
{
	if (time_after(jiffies, drain->told + DEFPAGER_DRAIN_EVENTS))
		defpager_drain_event(drain, "progress");
}

/* @ret: how it ended.  One that was refused has not begun. */
static void defpager_drain_end(struct defpager_drain *drain, int ret)
{
	spin_lock(&drain->port->drains_lock);
	list_del(&drain->list);
	spin_unlock(&drain->port->drains_lock);
	if (!drain->announced)
		return;
	if (!ret)
		defpager_drain_event(drain, "end");
	else
		defpager_drain_event(drain, ret == -EINTR ? "interrupted" :
							    "failed");
}

/* --- moving pages --------------------------------------------------------- */

static bool defpager_drain_interrupted(struct defpager_drain *drain)
{
	return signal_pending(current) || READ_ONCE(drain->closed);
}

/*
 * Pages must not lose the place that they have for one that has failed since it
 * was found that there is enough.
 *
 * Return: 0; -EIO, which is not a page's fault; -ENOMEM; -EINTR.
 */
static int defpager_drain_recover(struct defpager_drain *drain,
				  struct defpager_store *store, bool gone)
{
	int ret = defpager_space_recover(store, gone, drain->store);

	return ret == -ENOSPC ? -EIO : ret;
}

static int defpager_drain_check_space(struct defpager_drain *drain)
{
	int ret = 0;

	if (drain->target)
		ret = defpager_drain_recover(drain, drain->target, false);
	if (!ret && drain->closing)
		ret = defpager_drain_recover(drain, drain->store, !drain->id);
	return ret;
}

/*
 * The same for an object that has got another home from an earlier drain, or
 * from one that goes on: its pages follow to that one.
 */
static int defpager_drain_check_home(struct defpager_drain *drain,
				     struct defpager_object *object)
{
	struct defpager_store *home;
	int ret;

	if (!object->confined)
		return 0;
	rcu_read_lock();
	home = rcu_dereference(object->store);
	/*
	 * The pool may want more than there is, but not what a store has promised.
	 * If the home is going, the object has the next one by now.
	 */
	if (home == drain->store || atomic64_read(&home->free) >= 0 ||
	    !refcount_inc_not_zero(&home->refs))
		home = NULL;
	rcu_read_unlock();
	if (!home)
		return 0;
	ret = defpager_drain_recover(drain, home, false);
	defpager_store_put(home);
	return ret;
}

/*
 * Pages that cannot be written elsewhere stay in memory, and all of them may be
 * more than there is.
 */
static int defpager_drain_check(struct defpager_drain *drain,
				struct defpager_object *object)
{
	int ret;

	if (defpager_counter_sum(DEFPAGER_WRITE_ERRORS) -
	    drain->write_errors >= DEFPAGER_DRAIN_ERRORS)
		return -EIO;
	ret = defpager_drain_check_space(drain);
	return ret ?: defpager_drain_check_home(drain, object);
}

struct defpager_drain_of {
	struct defpager_drain *drain;
	struct defpager_object *object;
};

/*
 * Has a page to leave a segment of the store?  Once a single segment is closed,
 * only that one: another one that is being removed, and whatever has become
 * stale since, are the business of who has seen to that, and so are their pages
 * that cannot be read.  Before, stale ones only.
 */
static bool defpager_drain_leaves(struct defpager_drain_of *of,
				  struct defpager_segment *segment)
{
	struct defpager_drain *drain = of->drain;

	if (drain->segment)
		return segment == drain->segment;
	if (!drain->id &&
	    READ_ONCE(segment->slots.closed) & DEFPAGER_CLOSED_REMOVAL)
		return true;
	return of->object->confined &&
	       segment->store != rcu_access_pointer(of->object->store);
}

/* Does a map entry have to change?  A hint, if it was read as one. */
static bool defpager_drain_match(u64 entry, void *data)
{
	struct defpager_drain_of *of = data;
	struct defpager_segment *segment;
	bool match = false;

	if (!defpager_entry_is_slot(entry))
		return false;
	rcu_read_lock();
	segment = defpager_segment_of(entry);
	if (segment && segment->store == of->drain->store)
		match = defpager_drain_leaves(of, segment);
	rcu_read_unlock();
	return match;
}

/*
 * Take its slot away from a page.  The folio is locked and uptodate.
 * Return: 1; 0 if it had none that was to be given up; -EIO.
 */
static int defpager_drain_folio(struct defpager_drain_of *of,
				struct folio *folio)
{
	struct defpager_object *object = of->object;
	u64 entry;

	/* Until it ends, a write may give the page another slot. */
	folio_wait_writeback(folio);
	entry = defpager_map_get(&object->map, folio->index);
	if (!defpager_drain_match(entry, of))
		return 0;
	/* The slot has the only good copy, if the page is clean. */
	if (folio_test_hwpoison(folio))
		return -EIO;
	/* Memory has the only copy now: say so before that is true. */
	folio_set_checked(folio);
	defpager_map_set(&object->map, folio->index, DEFPAGER_ENTRY_RESERVED);
	defpager_slot_free(object, entry);
	defpager_pageout_ask(object, folio);
	return 1;
}

static void defpager_drain_unreadable(struct defpager_drain_of *of,
				      pgoff_t index)
{
	struct defpager_drain *drain = of->drain;

	if (drain->unreadable)
		return;
	drain->unreadable = true;
	drain->error_object = of->object->id;
	drain->error_offset = (u64)index << PAGE_SHIFT;
}

static int defpager_drain_page(struct defpager_drain_of *of, pgoff_t index)
{
	struct defpager_object *object = of->object;
	struct address_space *mapping = object->inode.i_mapping;
	struct folio *folio;
	int ret;

	if (!defpager_drain_match(defpager_map_get(&object->map, index), of))
		return 0;
	/* Nobody is to be killed for this: it can be done another time. */
	folio = defpager_get_folio(object, index, mapping_gfp_mask(mapping) |
				   __GFP_RETRY_MAYFAIL | __GFP_NOWARN, false);
	ret = PTR_ERR_OR_ZERO(folio);
	if (!ret) {
		ret = defpager_drain_folio(of, folio);
		folio_unlock(folio);
		folio_put(folio);
	}
	if (ret == -EIO) {
		defpager_drain_unreadable(of, index);
		return 0;
	}
	if (ret < 0)
		return ret;
	of->drain->moved += ret;
	return 0;
}

/* Pages from @index on that are to be moved, up to a run. */
static unsigned int defpager_drain_run(struct defpager_drain_of *of,
				       pgoff_t index)
{
	unsigned int nr = 1;

	while (nr < DEFPAGER_DRAIN_RUN &&
	       defpager_drain_match(defpager_map_get(&of->object->map,
						     index + nr), of))
		nr++;
	return nr;
}

/*
 * Each page of a device that is slow to fail may take as long as its timeout:
 * who wants to stop this, or the lock, waits for one only.
 */
static int defpager_drain_pages(struct defpager_drain_of *of, pgoff_t index,
				unsigned int nr)
{
	struct defpager_object *object = of->object;
	struct address_space *mapping = object->inode.i_mapping;
	u64 moved = of->drain->moved;
	int ret = 0;

	defpager_read_range(object, index, nr);
	while (!ret && nr-- && !defpager_drain_interrupted(of->drain)) {
		/* Keeps truncation out: what matches is within the size. */
		filemap_invalidate_lock_shared(mapping);
		ret = defpager_drain_page(of, index++);
		filemap_invalidate_unlock_shared(mapping);
	}
	trace_defpager_drain(object, of->drain->store, index,
			     of->drain->moved - moved);
	defpager_pageout_kick(object);
	return ret;
}

static int defpager_drain_object(struct defpager_drain *drain,
				 struct defpager_object *object)
{
	struct defpager_drain_of of = { .drain = drain, .object = object };
	pgoff_t index = 0;
	unsigned int nr;
	int ret;

	while (true) {
		if (defpager_drain_interrupted(drain))
			return -EINTR;
		/* Its pages need not be moved: it goes when we let go of it. */
		if (defpager_object_alone(object))
			return 0;
		index = defpager_map_find(&object->map, index,
					  defpager_drain_match, &of);
		if (index == ULONG_MAX)
			return 0;
		nr = defpager_drain_run(&of, index);
		/* Before something moves, also what an earlier one has left. */
		defpager_drain_announce(drain);
		ret = defpager_drain_pages(&of, index, nr);
		if (ret)
			return ret;
		index += nr;
		/* Writing has to keep up: what is read takes memory. */
		defpager_pageout_keep_up(object);
		defpager_drain_progress(drain);
		ret = defpager_drain_check(drain, object);
		if (ret)
			return ret;
	}
}

/* --- other homes ---------------------------------------------------------- */

static int defpager_rehome_one(struct defpager_object *object,
			       struct defpager_store *from,
			       struct defpager_store *to)
{
	int ret;

	if (rcu_access_pointer(object->store) != from)
		return 0;
	ret = defpager_store_join(to);
	if (ret)
		return ret;
	ret = defpager_rehome(object, from, to);
	if (ret)
		defpager_store_leave(to);
	return ret == -EAGAIN ? 0 : ret;
}

/*
 * Give all objects confined to the store another one for their home.  Stale
 * slots count as promised where they are, until their pages follow.
 */
static int defpager_rehome_all(struct defpager_drain *drain)
{
	struct defpager_object *object;
	u64 id = 0;
	int ret = 0;

	/* Objects that come once the segment is closed stay. */
	if (!drain->target || drain->segment)
		return 0;
	defpager_drain_announce(drain);
	while (!ret) {
		object = defpager_object_get_next(id);
		if (!object)
			break;
		id = (u64)object->id + 1;
		ret = defpager_rehome_one(object, drain->store, drain->target);
		defpager_object_put(object);
		if (!ret && defpager_drain_interrupted(drain))
			ret = -EINTR;
	}
	return ret;
}

/* --- passes, until it is done --------------------------------------------- */

/* Go once through all objects. */
static int defpager_drain_pass(struct defpager_drain *drain)
{
	int ret = defpager_rehome_all(drain);
	struct defpager_object *object;
	u64 id = 0;

	while (!ret) {
		object = defpager_object_get_next(id);
		if (!object)
			break;
		id = (u64)object->id + 1;
		ret = defpager_drain_object(drain, object);
		defpager_object_put(object);
	}
	return ret;
}

/*
 * What was on its way when a pass came by, or belongs to an object that is
 * going, takes a moment: wait, and look again.
 */
static int defpager_drain_until(struct defpager_drain *drain,
				bool (*done)(struct defpager_drain *drain))
{
	int ret;

	while (!done(drain)) {
		ret = defpager_drain_pass(drain);
		if (!ret && drain->unreadable && !done(drain))
			ret = -EIO;
		if (ret)
			return ret;
		wait_event_interruptible_timeout(drain->store->wait,
						 done(drain) ||
						 READ_ONCE(drain->closed),
						 HZ / 10);
		if (!done(drain) && defpager_drain_interrupted(drain))
			return -EINTR;
	}
	return 0;
}

/* Have all pages followed their objects, and given back their promises? */
static bool defpager_drain_no_stale(struct defpager_drain *drain)
{
	return !atomic64_read(&drain->store->stale);
}

/* Has the store promised nothing any more, not even to who is going? */
static bool defpager_drain_no_objects(struct defpager_drain *drain)
{
	return !atomic_read(&drain->store->nr_objects) &&
	       defpager_drain_no_stale(drain);
}

/* Is there nothing left on the closed segments? */
static bool defpager_drain_empty(struct defpager_drain *drain)
{
	if (drain->segment)
		return !READ_ONCE(drain->segment->slots.used);
	return !defpager_store_used(drain->store);
}

/* --- the requests --------------------------------------------------------- */

/* May objects of a store that loses @capacity slots move to @target, if any? */
static int defpager_target_check(struct defpager_store *store,
				 struct defpager_store *target, u64 capacity)
{
	int ret;

	if (!target)
		return 0;
	ret = defpager_store_usable(target);
	if (ret)
		return ret;
	return defpager_space_check_rehome(store, target, capacity);
}

/*
 * Close the segment.  Objects that are going have been given no other home, and
 * have for some time yet what they were promised.
 */
static int defpager_drain_close(struct defpager_drain *drain, u64 id)
{
	struct defpager_store *store = drain->store;
	struct defpager_segment *segment;
	unsigned int tries = 0;
	int ret;

	while (true) {
		segment = defpager_segment_close(store, id, drain->target);
		if (segment != ERR_PTR(-ENOSPC) || !drain->target ||
		    !atomic64_read(&store->promised) ||
		    ++tries == DEFPAGER_CLOSE_TRIES)
			break;
		wait_event_interruptible_timeout(store->wait,
						 READ_ONCE(drain->closed),
						 HZ / 10);
		if (defpager_drain_interrupted(drain))
			return -EINTR;
		ret = defpager_drain_pass(drain);
		if (ret)
			return ret;
	}
	if (IS_ERR(segment))
		return PTR_ERR(segment);
	drain->segment = segment;
	return 0;
}

/* What could not be read before is not there any more, or is found again. */
static int defpager_drain_closing(struct defpager_drain *drain)
{
	defpager_drain_announce(drain);
	drain->closing = true;
	drain->unreadable = false;
	drain->error_object = 0;
	drain->error_offset = 0;
	return defpager_drain_until(drain, defpager_drain_empty);
}

static int __defpager_segment_drain(struct defpager_drain *drain, u64 id)
{
	int ret;

	ret = defpager_drain_close(drain, id);
	if (ret)
		return ret;
	ret = defpager_drain_closing(drain);
	if (!ret)
		ret = defpager_drain_check_space(drain);
	if (ret)
		defpager_segment_reopen(drain->segment);
	else
		defpager_segment_remove(drain->segment);
	return ret;
}

/**
 * defpager_segment_drain() - remove a segment from a store
 * @port: a descriptor of the store
 * @target: where confined objects are to move, or NULL
 * @arg: the request, checked; its output fields are set
 *
 * Return: 0 or a negative errno, see &struct defpager_segment_remove.
 */
int defpager_segment_drain(struct defpager_store_port *port,
			   struct defpager_store *target,
			   struct defpager_segment_remove *arg)
{
	struct defpager_drain drain;
	u64 capacity;
	int ret;

	defpager_drain_begin(&drain, port, target, arg->id);
	ret = defpager_segment_check(port->store, arg->id, &capacity);
	if (!ret)
		ret = defpager_target_check(port->store, target, capacity);
	/* Pages that follow their objects may be on any segment. */
	if (!ret && (target || !defpager_drain_no_stale(&drain)))
		defpager_segments_try_anew(port->store);
	if (!ret)
		ret = defpager_rehome_all(&drain);
	/* Those of an earlier attempt, too: they look like promises here. */
	if (!ret)
		ret = defpager_drain_until(&drain, defpager_drain_no_stale);
	if (!ret)
		ret = __defpager_segment_drain(&drain, arg->id);
	defpager_drain_end(&drain, ret);
	arg->moved_bytes = drain.moved << PAGE_SHIFT;
	arg->error_object = drain.error_object;
	arg->error_offset = drain.error_offset;
	return ret;
}

static int defpager_store_drain(struct defpager_drain *drain)
{
	struct defpager_store *store = drain->store;
	int ret;

	/* Pages that follow their objects do so before segments are closed. */
	defpager_segments_try_anew(store);
	/* First, since what it has promised would count as what must fit. */
	ret = defpager_drain_until(drain, defpager_drain_no_objects);
	if (ret)
		return ret;
	ret = defpager_segments_close(store);
	if (ret)
		return ret;
	ret = defpager_drain_closing(drain);
	if (!ret)
		ret = defpager_drain_check_space(drain);
	if (ret)
		defpager_segments_reopen(store);
	else
		defpager_segments_remove(store);
	return ret;
}

/* Would all that is there fit elsewhere?  Nothing has been done yet. */
static int defpager_store_check(struct defpager_store *store,
				struct defpager_store *target)
{
	int ret = defpager_segments_check(store);

	if (ret)
		return ret;
	return defpager_target_check(store, target,
				     defpager_store_capacity(store));
}

/**
 * defpager_store_delete() - drain and delete a store
 * @port: a descriptor of the store
 * @target: where confined objects are to move, or NULL
 * @arg: the request, checked; its output fields are set
 *
 * Return: 0 or a negative errno, see &struct defpager_backing_store_delete.
 */
int defpager_store_delete(struct defpager_store_port *port,
			  struct defpager_store *target,
			  struct defpager_backing_store_delete *arg)
{
	struct defpager_store *store = port->store;
	struct defpager_drain drain;
	int ret;

	ret = defpager_store_close(store, target);
	if (ret)
		return ret;
	defpager_drain_begin(&drain, port, target, 0);
	ret = defpager_store_check(store, target);
	if (!ret)
		ret = defpager_store_drain(&drain);
	if (ret)
		defpager_store_reopen(store);
	else
		defpager_store_unlist(store);
	defpager_drain_end(&drain, ret);
	arg->error_object = drain.error_object;
	arg->error_offset = drain.error_offset;
	return ret;
}
