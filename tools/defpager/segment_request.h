/* SPDX-License-Identifier: GPL-2.0-only */
/* A segment that is to be added, and what has to be looked at first. */
#ifndef DEFPAGER_SEGMENT_REQUEST_H
#define DEFPAGER_SEGMENT_REQUEST_H

#include <sys/types.h>

#include "defpager.h"

struct segment_request {
	const char *path;
	const char *name;	/* what messages call it: the path, at least */
	const char *store;
	const char *how_to_force;	/* for messages, too */
	bool force;
	bool discard;
	bool have_offset;
	bool have_count;
	uint64_t record_size;	/* bytes, 0 for that of the device */
	uint64_t offset;	/* records */
	uint64_t count;		/* records */
	/* Set by segment_request_open(). */
	dev_t device_number;
	uint64_t start;		/* bytes */
	uint64_t length;	/* bytes */
};

/*
 * All of these say what is wrong before they return a negative value, or false.
 *
 * Open the device, and find out which bytes of it are meant.
 */
int segment_request_open(struct segment_request *request);

/*
 * Whether the range, and the device as a whole, carry nothing that libblkid
 * knows; or the request is forced.
 */
bool segment_request_is_free(int device, const struct segment_request *request);

/* Add it to its store, and report what there is of it. */
bool segment_request_add(int device, const struct segment_request *request);

/* The settings that have to be numbers; "name" is what messages call them. */
bool parse_records(const char *name, const char *text, uint64_t *records);
bool parse_record_size(const char *name, const char *text, uint64_t *bytes);

#endif /* DEFPAGER_SEGMENT_REQUEST_H */
