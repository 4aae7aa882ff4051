/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments that are removed by a thread of its own, while the test looks on.
 */
#ifndef DRAIN_UTILS_H
#define DRAIN_UTILS_H

#include <pthread.h>

#include "store_utils.h"

struct drain {
	pthread_t thread;
	volatile pid_t tid;
	int store;
	struct defpager_segment_remove arg;
	int ret;
	volatile bool done;
};

static inline void *run_drain(void *arg)
{
	struct drain *drain = arg;

	drain->tid = gettid();
	drain->ret = defpager_ioctl(drain->store, DEFPAGER_IOC_SEGMENT_REMOVE,
				    &drain->arg);
	drain->done = true;
	return NULL;
}

static inline void drain_start(struct drain *drain, int store, uint64_t segment,
			       int target)
{
	*drain = (struct drain) {
		.store = store,
		.arg = segment_removal(segment, target),
	};
	must(pthread_create(&drain->thread, NULL, run_drain, drain) == 0);
}

/* Returns what the request returned. */
static inline int drain_end(struct drain *drain)
{
	must(pthread_join(drain->thread, NULL) == 0);
	return drain->ret;
}

/* Whether a drain has moved something, and is not done. */
static inline bool drain_is_under_way(int store, uint64_t segment,
				      uint64_t used_before)
{
	struct defpager_segment_info row = segment_state(store, segment);

	return row.state == DEFPAGER_SEGMENT_DRAINING && row.used_bytes &&
	       row.used_bytes < used_before;
}

#endif /* DRAIN_UTILS_H */
