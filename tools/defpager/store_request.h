/* SPDX-License-Identifier: GPL-2.0-only */
/* A backing store that is to be created, or limited. */
#ifndef DEFPAGER_STORE_REQUEST_H
#define DEFPAGER_STORE_REQUEST_H

#include "defpager.h"

/* All of these say what is wrong before they return false. */
bool parse_priority(const char *name, const char *text, __s32 *priority);
bool parse_cluster_size(const char *name, const char *text, __u32 *bytes);
bool parse_limit(const char *name, const char *text, __u64 *bytes);

/*
 * Create the store, which needs no name in the struct yet, and report it.
 * The subject is what messages call it.
 */
bool store_create(const char *subject, const char *name,
		  struct defpager_backing_store_create *create);

/* Set limits of a store, and print them all; the subject likewise. */
bool store_limit(const char *subject, const char *name,
		 struct defpager_backing_store_limit *limit);

#endif /* DEFPAGER_STORE_REQUEST_H */
