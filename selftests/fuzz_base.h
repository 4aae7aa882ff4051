/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fuzzed sequences work on that is not theirs: a store with a segment, an
 * object that somebody else has, and devices; and whether all of that is, after
 * each, as it was before.
 */
#ifndef FUZZ_BASE_H
#define FUZZ_BASE_H

#include "store_utils.h"

/*
 * In the pool of a sequence: one with the base's segment on its first half, one
 * of blocks of 512 bytes and one of 4096, the second one open for reading only,
 * and one that is read-only.
 */
#define NR_DEVICES 5
#define DEVICE_BYTES MIB(1)
#define OTHERS_PAGES 16

struct base {
	struct stores stores;	/* the pager; there is no disk */
	bool privileged;
	const char *store;	/* the name of the one that a sequence is given */
	int store_fd;
	int devices[NR_DEVICES];
	int spare;		/* a device that sequences do not have */
	uint64_t segment;	/* id of the segment of the store */
	struct memory others;	/* of the pager; sequences cannot reach it */
	unsigned int nr_stores;
	struct defpager_backing_store_info rows[2];
	struct defpager_info info;
};

static inline uint64_t base_add(struct base *base, int device)
{
	return segment_at(base->store_fd, device, 0, DEVICE_BYTES);
}

static inline void base_unlimit(struct base *base)
{
	must(store_limit(base->store_fd, DEFPAGER_LIMIT_OBJECT |
			 DEFPAGER_LIMIT_USER, 0, 0, NULL) == 0);
}

static inline void base_devices(struct base *base)
{
	char path[PATH_MAX];

	base->devices[0] = loop_create(2 * DEVICE_BYTES, 512, 0);
	base->devices[1] = loop_create(DEVICE_BYTES, 512, 0);
	base->devices[2] = loop_create(DEVICE_BYTES, 4096, 0);
	must(base->devices[1] >= 0);
	base->devices[3] = open(fd_path(base->devices[1], path),
				O_RDONLY | O_CLOEXEC);
	base->devices[4] = loop_create(DEVICE_BYTES, 512, LO_FLAGS_READ_ONLY);
	base->spare = loop_create(DEVICE_BYTES, 512, 0);
	for (int i = 0; i < NR_DEVICES; i++)
		must(base->devices[i] >= 0);
	must(base->spare >= 0);
}

/* Rows of all stores, up to two; returns how many there are. */
static inline unsigned int base_stores(struct base *base,
				       struct defpager_backing_store_info *rows)
{
	struct defpager_backing_store_info row;
	uint64_t start = 0;
	unsigned int nr = 0;

	while (list_rows(base->stores.pager, DEFPAGER_IOC_BACKING_STORES,
			 &start, &row, sizeof(row), 1) == 1)
		if (nr++ < 2)
			rows[nr - 1] = row;
	return nr;
}

/*
 * With privileges, sequences are given the default store, of which they may do
 * away with all. Without, a store of its own, which limits what they can take.
 */
static inline void base_create(struct base *base, bool as_root)
{
	int home;

	memset(base, 0, sizeof(*base));
	base->stores.pager = pager_open();
	base->stores.disk = -1;
	must(base->stores.pager >= 0);
	must(stores_clear(&base->stores) == 0);
	base->privileged = as_root;
	base->store = DEFPAGER_DEFAULT_STORE;
	base->store_fd = store_of_name(&base->stores, base->store);
	base_unlimit(base);
	base_devices(base);
	base->segment = base_add(base, base->devices[0]);
	base->others = memory_create(base->stores.pager, PAGES(OTHERS_PAGES));
	fill_all(&base->others, 1);
	if (!as_root) {
		base->store = "fuzz-home";
		home = store_new(&base->stores, base->store, 0, 0, 0);
		segment_at(home, base->spare, 0, DEVICE_BYTES);
		must(store_limit(home, DEFPAGER_LIMIT_OBJECT |
				 DEFPAGER_LIMIT_USER, KIB(256), KIB(512),
				 NULL) == 0);
		close(home);
	}
	base->nr_stores = base_stores(base, base->rows);
	base->info = totals(base->stores.pager);
}

static inline void base_destroy(struct base *base)
{
	if (base->others.map)
		memory_destroy(&base->others);
	if (!base->store)
		return;
	must(wait_until(!totals(base->stores.pager).nr_objects));
	must(stores_clear(&base->stores) == 0);
	close(base->store_fd);
	close(base->stores.pager);
	close(base->spare);
	for (int i = 0; i < NR_DEVICES; i++)
		close(base->devices[i]);
}

/* --- Putting it in order --------------------------------------------------- */

/* Deletes what a sequence has left behind; by its name, it is not the base's. */
static inline bool base_delete_stores(struct base *base)
{
	struct defpager_backing_store_info row;
	uint64_t start = 0;
	int store, ret;

	while (list_rows(base->stores.pager, DEFPAGER_IOC_BACKING_STORES,
			 &start, &row, sizeof(row), 1) == 1) {
		if (!strcmp(row.name, DEFPAGER_DEFAULT_STORE) ||
		    !strcmp(row.name, base->store))
			continue;
		store = store_of_name(&base->stores, row.name);
		ret = store_delete(store, -1);
		close(store);
		if (!ret)
			continue;
		fprintf(stderr, "# store %s cannot be deleted: %s\n", row.name,
			strerror(-ret));
		return false;
	}
	return true;
}

/* Removes all segments of the default store but this one. */
static inline bool base_remove_but(struct base *base, uint64_t id)
{
	struct defpager_segment_info row;
	uint64_t start = 0;
	int ret;

	while (list_rows(base->store_fd, DEFPAGER_IOC_SEGMENTS, &start, &row,
			 sizeof(row), 1) == 1) {
		if (row.id == id)
			continue;
		ret = segment_remove(base->store_fd, row.id, -1);
		if (!ret)
			continue;
		fprintf(stderr, "# segment %ju cannot be removed: %s\n",
			(uintmax_t)row.id, strerror(-ret));
		return false;
	}
	return true;
}

/*
 * The segment may have gone, and something else be where it was. What is
 * promised has to have a place all the time, also while stores are deleted.
 */
static inline bool base_tidy_segments(struct base *base)
{
	uint64_t id;

	if (segment_is_there(base->store_fd, base->segment))
		return base_delete_stores(base) &&
		       base_remove_but(base, base->segment);
	id = base_add(base, base->spare);
	if (!base_delete_stores(base) || !base_remove_but(base, id))
		return false;
	base->segment = base_add(base, base->devices[0]);
	return base_remove_but(base, base->segment);
}

static inline bool base_tidy(struct base *base)
{
	if (!wait_until(totals(base->stores.pager).nr_objects == 1)) {
		fprintf(stderr, "# objects have stayed behind\n");
		return false;
	}
	if (!base->privileged)
		return true;
	base_unlimit(base);
	return base_tidy_segments(base);
}

/* --- Whether it is as it was ------------------------------------------------- */

static inline bool base_store_is(const struct defpager_backing_store_info *a,
				 const struct defpager_backing_store_info *b)
{
	return a->id == b->id && !strcmp(a->name, b->name) &&
	       a->flags == b->flags && a->nr_segments == b->nr_segments &&
	       a->cluster_bytes == b->cluster_bytes &&
	       a->priority == b->priority &&
	       a->total_bytes == b->total_bytes &&
	       a->free_bytes == b->free_bytes &&
	       a->nr_objects == b->nr_objects &&
	       a->object_limit_bytes == b->object_limit_bytes &&
	       a->user_limit_bytes == b->user_limit_bytes;
}

static inline bool base_stores_are(struct base *base)
{
	struct defpager_backing_store_info rows[2];

	if (base_stores(base, rows) != base->nr_stores)
		return false;
	for (unsigned int i = 0; i < base->nr_stores; i++)
		if (!base_store_is(&rows[i], &base->rows[i]))
			return false;
	return true;
}

/* No segment is left on it: it can be claimed by others. */
static inline bool base_device_is_free(int device)
{
	char path[PATH_MAX];
	int fd = open(fd_path(device, path), O_RDWR | O_EXCL | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "# %s: %s\n", path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static inline bool base_devices_are_free(struct base *base)
{
	return base_device_is_free(base->devices[1]) &&
	       base_device_is_free(base->devices[2]) &&
	       (!base->privileged || base_device_is_free(base->spare));
}

/* What is being freed by workers takes them a moment. */
static inline bool base_accounts_agree(struct base *base)
{
	for (int tries = 0; tries < 50; tries++) {
		if (totals(base->stores.pager).free_bytes ==
		    base->info.free_bytes && accounts_agree(&base->stores))
			return true;
		sleep_ms(100);
	}
	fprintf(stderr, "# %ju bytes are free, there were %ju\n",
		(uintmax_t)totals(base->stores.pager).free_bytes,
		(uintmax_t)base->info.free_bytes);
	return false;
}

/* Read back from wherever it is by now. */
static inline bool base_others_are(struct base *base)
{
	struct defpager_object_pageout out = {
		.size = sizeof(out),
		.flags = DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_WAIT,
	};

	if (!verify_all(&base->others, 1))
		return false;
	/* So that the next one finds it there. */
	must(defpager_ioctl(base->others.fd, DEFPAGER_IOC_OBJECT_PAGEOUT,
			    &out) == 0);
	return true;
}

static inline bool base_is_as_before(struct base *base)
{
	if (!base_tidy(base) || !base_accounts_agree(base))
		return false;
	if (!base_stores_are(base)) {
		fprintf(stderr, "# stores are not as they were\n");
		return false;
	}
	return base_devices_are_free(base) && base_others_are(base);
}

#endif /* FUZZ_BASE_H */
