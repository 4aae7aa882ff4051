/* SPDX-License-Identifier: GPL-2.0-only */
/* What promise.c, rehome.c and capacity.c have of each other. */
#ifndef DEFPAGER_PROMISE_H
#define DEFPAGER_PROMISE_H

#include "defpager.h"

/* In promise.c */
bool defpager_take(atomic64_t *free, s64 nr);
void defpager_give_promise(struct defpager_store *store, u64 nr);
struct rw_semaphore *defpager_borrow_lock(struct defpager_store *store);
struct defpager_store *defpager_home(struct defpager_object *object);

/* In capacity.c */
int defpager_populate_for(struct defpager_store *store, s64 nr);
s64 defpager_pool_lacks(struct defpager_store *store);
bool defpager_pool_covers(struct defpager_store *from, s64 back, s64 more);

#endif /* DEFPAGER_PROMISE_H */
