/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that take their time: a faulty one (see there) whose reads or writes are
 * late. What is waiting ends at once when that is over.
 */
#ifndef SLOW_UTILS_H
#define SLOW_UTILS_H

#include <linux/falloc.h>

#include "faulty_utils.h"

/* How long they take, in milliseconds, up to FOR_EVER. */
static inline void slow_set(const struct faulty *slow, int reads, int writes)
{
	FILE *table = faulty_table(slow, "load");

	fprintf(table, "0 %ju delay " FAULTY_DISK " %ju %d " FAULTY_DISK
		" %ju %d\n", slow->sectors, slow->first, reads, slow->first,
		writes);
	must(pclose(table) == 0);
	/* What is waiting is sent on its way by the first of these. */
	must(shell("dmsetup suspend %s && dmsetup resume %s", slow->name,
		   slow->name));
}

static inline const char *slow_missing(void)
{
	const char *missing = faulty_missing();

	if (missing)
		return missing;
	shell("modprobe -q dm-delay");
	if (!shell("dmsetup targets | grep -q ^delay"))
		return "the kernel has no dm-delay";
	return NULL;
}

/* A store of one's own, which discards, with a segment on a device that is not slow yet. */
static inline int slow_store_new(struct stores *stores, struct faulty *device,
				 uint64_t *segment)
{
	int store = store_new(stores, "slow", 0, 0,
			      DEFPAGER_STORE_EXCLUSIVE | DEFPAGER_STORE_DISCARD);

	*device = faulty_new("slow", 0, MIB(8));
	slow_set(device, 0, 0);
	*segment = segment_on(store, device);
	return store;
}

/* Pages of it are brought in one by one. */
static inline struct memory slow_memory_create(struct stores *stores, int store,
					       uint64_t pages)
{
	struct memory memory = memory_create_in(stores->pager, store,
						PAGES(pages));

	must(madvise(memory.map, memory.size, MADV_RANDOM) == 0);
	return memory;
}

/* A write, or what counts as one, has got as far as the device. */
static inline bool device_is_writing(const struct faulty *slow)
{
	return shell("dmsetup status %s | grep -q 'delay [0-9]* [1-9]'",
		     slow->name);
}

/*
 * From here on the device discards what was stored of an object, of a store that
 * has this done, and does not get done.
 */
static inline bool discard_hangs(const struct faulty *slow,
				 const struct memory *memory)
{
	slow_set(slow, 0, FOR_EVER);
	return !fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE |
			  FALLOC_FL_KEEP_SIZE, 0, memory->size) &&
	       wait_until(device_is_writing(slow));
}

/* Asks for an alert, and with it how much is free, which may take time. */
static inline int alert_arm(int store)
{
	struct defpager_backing_store_alert alert = {
		.size = sizeof(alert),
		.flags = DEFPAGER_ALERT_LOW,
		.low_bytes = page_size(),
		.high_bytes = page_size(),
	};

	return defpager_ioctl(store, DEFPAGER_IOC_BACKING_STORE_ALERT, &alert);
}

#endif /* SLOW_UTILS_H */
