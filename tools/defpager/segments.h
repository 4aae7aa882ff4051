/* SPDX-License-Identifier: GPL-2.0-only */
/* Segments of all backing stores, which the pager lists store by store. */
#ifndef DEFPAGER_SEGMENTS_H
#define DEFPAGER_SEGMENTS_H

#include "defpager.h"

/*
 * Call "row" for each segment of the store, or of all if that is NULL, until it
 * returns other than 0, which is returned.  Negative, after a message, if
 * something fails.
 */
int each_segment(const char *store,
		 int (*row)(const struct defpager_segment_info *segment,
			    const char *store, void *context),
		 void *context);

struct found_segment {
	struct defpager_segment_info segment;
	char store[DEFPAGER_NAME_SIZE];
};

/*
 * The segment of this id, or the only one on the device of this path.  False,
 * after a message, if there is none.
 */
bool find_segment(const char *text, struct found_segment *found);

#endif /* DEFPAGER_SEGMENTS_H */
