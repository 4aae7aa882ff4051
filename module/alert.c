// SPDX-License-Identifier: GPL-2.0-only
/*
 * Space alerts: telling who waits that the free space of a store has fallen
 * below a mark, or risen above another.
 *
 * Whoever takes space or gives it back, in a fault for instance, only sees to
 * it that a work looks at all armed alerts a tick later; while none is armed
 * they do not even that.
 *
 * To find out how much there is may take as long as a device takes to discard.
 * That is done store by store, with a lock of the store's: what is told is true
 * of one moment after the other.  Those who close a descriptor, or have to do
 * with another store, do not wait; but the work does, and with it all alerts.
 */
#include <linux/kobject.h>
#include <linux/workqueue.h>

#include "defpager.h"

/* Descriptors with an alert that is armed; and what is theirs in their port. */
static DEFINE_MUTEX(defpager_alerts_lock);
static LIST_HEAD(defpager_alerts);

/* How many there are. */
atomic_t defpager_alerts_armed = ATOMIC_INIT(0);

/* Without a daemon for them uevents go nowhere, and that is all right. */
static void defpager_alert_broadcast(struct defpager_store *store,
				     const char *what, u64 free)
{
	char alert[32], name[16 + DEFPAGER_NAME_SIZE], bytes[48];
	char *env[4] = { alert, name, bytes };

	snprintf(alert, sizeof(alert), "DEFPAGER_ALERT=%s", what);
	snprintf(name, sizeof(name), "DEFPAGER_STORE=%s", store->name);
	snprintf(bytes, sizeof(bytes), "DEFPAGER_FREE_BYTES=%llu",
		 free << PAGE_SHIFT);
	kobject_uevent_env(defpager_kobj(), KOBJ_CHANGE, env);
}

static void defpager_alert_fire(struct defpager_store_port *port, u32 event,
				u64 free)
{
	port->fired |= event;
	port->armed &= ~event;
	wake_up_all(&port->store->wait);
	defpager_alert_broadcast(port->store, event == DEFPAGER_ALERT_LOW ?
				 "low" : "high", free);
}

static void defpager_alert_disarm(struct defpager_store_port *port)
{
	if (list_empty(&port->alert))
		return;
	list_del_init(&port->alert);
	atomic_dec(&defpager_alerts_armed);
}

/* @free: what there was of its store a moment ago */
static void defpager_alert_look(struct defpager_store_port *port, u64 free)
{
	lockdep_assert_held(&defpager_alerts_lock);
	if (free < port->low) {
		port->was_low = true;
		if (port->armed & DEFPAGER_ALERT_LOW)
			defpager_alert_fire(port, DEFPAGER_ALERT_LOW, free);
	} else if (free >= port->high && port->was_low) {
		port->was_low = false;
		if (port->armed & DEFPAGER_ALERT_HIGH)
			defpager_alert_fire(port, DEFPAGER_ALERT_HIGH, free);
	}
	if (!port->armed)
		defpager_alert_disarm(port);
}

/* The first store from @id on with an alert that is armed, and a reference. */
static struct defpager_store *defpager_alert_store(u64 id)
{
	struct defpager_store *store = NULL;
	struct defpager_store_port *port;

	mutex_lock(&defpager_alerts_lock);
	list_for_each_entry(port, &defpager_alerts, alert)
		if (port->store->id >= id &&
		    (!store || port->store->id < store->id))
			store = port->store;
	if (store)
		refcount_inc(&store->refs);
	mutex_unlock(&defpager_alerts_lock);
	return store;
}

static void defpager_alerts_look(struct defpager_store *store)
{
	struct defpager_store_port *port, *next;
	u64 free;

	mutex_lock(&store->alert_lock);
	if (!defpager_space_free_settled(store, &free)) {
		mutex_lock(&defpager_alerts_lock);
		list_for_each_entry_safe(port, next, &defpager_alerts, alert)
			if (port->store == store)
				defpager_alert_look(port, free);
		mutex_unlock(&defpager_alerts_lock);
	}
	mutex_unlock(&store->alert_lock);
}

static void defpager_alert_work_fn(struct work_struct *work)
{
	struct defpager_store *store;
	u64 id = 0;

	while ((store = defpager_alert_store(id))) {
		id = (u64)store->id + 1;
		defpager_alerts_look(store);
		defpager_store_put(store);
	}
}

static DECLARE_DELAYED_WORK(defpager_alert_work, defpager_alert_work_fn);

/* Context: any but interrupts. */
void defpager_alert_look_later(void)
{
	if (!delayed_work_pending(&defpager_alert_work))
		schedule_delayed_work(&defpager_alert_work, 1);
}

/* A mark in part of a page is one at its end: space comes in whole ones. */
static u64 defpager_alert_mark(u64 bytes)
{
	/* DIV_ROUND_UP_ULL() would make none of the largest. */
	return (bytes >> PAGE_SHIFT) + !!(bytes & ~PAGE_MASK);
}

/* @free: what there is of its store */
static void defpager_alert_arm(struct defpager_store_port *port,
			       struct defpager_backing_store_alert *arg,
			       u64 free)
{
	mutex_lock(&defpager_alerts_lock);
	defpager_alert_disarm(port);
	arg->fired = port->fired;
	port->fired = 0;
	port->low = defpager_alert_mark(arg->low_bytes);
	port->high = defpager_alert_mark(arg->high_bytes);
	port->armed = arg->flags;
	arg->free_bytes = free << PAGE_SHIFT;
	if (port->armed) {
		list_add_tail(&port->alert, &defpager_alerts);
		/* What changes from here on has the work look. */
		atomic_inc(&defpager_alerts_armed);
		smp_mb__after_atomic(); /* pairs with defpager_alert_check() */
		defpager_alert_look(port, free);
		/* And so has what has changed since we looked. */
		if (port->armed)
			defpager_alert_look_later();
	}
	mutex_unlock(&defpager_alerts_lock);
}

/**
 * defpager_alert() - arm the alert of a descriptor, and take what has fired
 * @port: the descriptor
 * @arg: the request, checked
 *
 * Return: 0; -EINTR to who is being killed, and nothing has changed.
 */
int defpager_alert(struct defpager_store_port *port,
		   struct defpager_backing_store_alert *arg)
{
	struct defpager_store *store = port->store;
	u64 free;
	int ret;

	ret = mutex_lock_killable(&store->alert_lock);
	if (ret)
		return ret;
	ret = defpager_space_free_settled(store, &free);
	if (!ret)
		defpager_alert_arm(port, arg, free);
	mutex_unlock(&store->alert_lock);
	return ret;
}

bool defpager_alert_fired(struct defpager_store_port *port)
{
	return READ_ONCE(port->fired);
}

void defpager_alert_init(struct defpager_store_port *port)
{
	INIT_LIST_HEAD(&port->alert);
}

/* The descriptor is gone. */
void defpager_alert_exit(struct defpager_store_port *port)
{
	mutex_lock(&defpager_alerts_lock);
	defpager_alert_disarm(port);
	mutex_unlock(&defpager_alerts_lock);
}

/* No descriptor is left. */
void defpager_alerts_exit(void)
{
	cancel_delayed_work_sync(&defpager_alert_work);
}
