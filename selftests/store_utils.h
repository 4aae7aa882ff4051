/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of backing stores share: stores on parts of a disk, objects in
 * them, where pages are, and whether all accounts agree.
 *
 * As in paging_utils.h, what cannot fail ends the process.
 */
#ifndef STORE_UTILS_H
#define STORE_UTILS_H

#include "paging_utils.h"

#define PAGES(n) ((uint64_t)(n) * page_size())

/* The pager, and a disk that is given away piece by piece. */
struct stores {
	int pager;
	int disk;
	uint64_t next;		/* first byte that has not been given away */
};

static inline int store_of_name(struct stores *stores, const char *name)
{
	int store = store_open(stores->pager, name);

	must(store >= 0);
	return store;
}

static inline int store_new(struct stores *stores, const char *name,
			    int priority, uint32_t cluster_bytes,
			    uint32_t flags)
{
	int store = store_create(stores->pager, name, priority, cluster_bytes,
				 flags);

	must(store >= 0);
	return store;
}

/* The next piece of the disk, aligned as it may be useful. */
static inline uint64_t disk_piece(struct stores *stores, uint64_t bytes)
{
	uint64_t offset = stores->next;

	stores->next += bytes;
	return offset;
}

/* Returns the segment's id. */
static inline uint64_t segment_at(int store, int device, uint64_t offset,
				  uint64_t bytes)
{
	struct defpager_segment_add add;

	add = segment_range(device, offset / 512, bytes / 512, 512);
	must(defpager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add) == 0);
	return add.id;
}

/* On the first bytes of a device. */
static inline uint64_t segment_on_path(int store, const char *path,
				       uint64_t bytes)
{
	int device = open(path, O_RDWR | O_CLOEXEC);
	uint64_t id;

	must(device >= 0);
	id = segment_at(store, device, 0, bytes);
	close(device);
	return id;
}

static inline uint64_t segment_new(struct stores *stores, int store,
				   uint64_t bytes)
{
	return segment_at(store, stores->disk, disk_piece(stores, bytes),
			  bytes);
}

/* A store with one segment. */
static inline int store_with_space(struct stores *stores, const char *name,
				   int priority, uint32_t flags, uint64_t bytes)
{
	int store = store_new(stores, name, priority, 0, flags);

	segment_new(stores, store, bytes);
	return store;
}

static inline struct defpager_backing_store_info store_state(int store)
{
	struct defpager_backing_store_info info;

	must(store_info(store, &info) == 0);
	return info;
}

static inline struct defpager_segment_info segment_state(int store, uint64_t id)
{
	struct defpager_segment_info row;

	must(list_find(store, DEFPAGER_IOC_SEGMENTS, id, &row, sizeof(row)) ==
	     0);
	return row;
}

static inline bool segment_is_there(int store, uint64_t id)
{
	struct defpager_segment_info row;
	int ret;

	ret = list_find(store, DEFPAGER_IOC_SEGMENTS, id, &row, sizeof(row));
	must(!ret || ret == -ENOENT);
	return !ret;
}

/* Removes what tests have made, but for objects: those are closed. */
static inline int stores_clear(struct stores *stores)
{
	int store = store_of_name(stores, DEFPAGER_DEFAULT_STORE), ret;
	struct defpager_segment_info row;
	uint64_t start = 0;

	ret = stores_delete_all(stores->pager);
	while (!ret && list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, &row,
				 sizeof(row), 1) == 1)
		ret = segment_remove(store, row.id, -1);
	close(store);
	stores->next = 0;
	return ret;
}

static inline struct stores stores_open(void)
{
	struct stores stores = {
		.pager = pager_open(),
		.disk = open("/dev/vda", O_RDWR | O_CLOEXEC),
	};

	must(stores.pager >= 0 && stores.disk >= 0);
	return stores;
}

static inline void stores_close(struct stores *stores)
{
	close(stores->disk);
	close(stores->pager);
}

/* --- Objects in stores ------------------------------------------------- */

/* @store -1: an object of the pager. */
static inline int object_create_in(int pager, int store, uint64_t size)
{
	struct defpager_object_create create = object_request(size);
	int ret;

	create.backing_store = store;
	ret = defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &create);
	return ret ? ret : create.fd;
}

static inline struct memory memory_create_in(int pager, int store, uint64_t size)
{
	struct memory memory = {
		.fd = object_create_in(pager, store, size),
		.size = size,
	};

	must(memory.fd >= 0);
	memory.map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			  memory.fd, 0);
	must(memory.map != MAP_FAILED);
	return memory;
}

/* How many pages from the first on can be touched. */
static inline uint64_t touch_all(const struct memory *memory)
{
	uint64_t page;

	for (page = 0; page < memory_pages(memory); page++)
		if (pwrite(memory->fd, &(char){ 1 }, 1, PAGES(page)) != 1)
			break;
	must(page == memory_pages(memory) || errno == ENOSPC);
	return page;
}

/* Where a page is: a row of that page only, without flags if nowhere. */
static inline struct defpager_page_range page_place(const struct memory *memory,
						    uint64_t page)
{
	struct defpager_page_range row = { .offset = UINT64_MAX };

	must(list_rows(memory->fd, DEFPAGER_IOC_OBJECT_PAGES,
		       &(uint64_t){ PAGES(page) }, &row, sizeof(row), 1) >= 0);
	if (row.offset != PAGES(page))
		memset(&row, 0, sizeof(row));
	row.length = page_size();
	return row;
}

/* Bytes of an object in a segment, or in any with id 0. */
static inline uint64_t stored_in(const struct memory *memory, uint64_t segment)
{
	struct defpager_page_range rows[16];
	uint64_t start = 0, bytes = 0;
	int i, count;

	do {
		count = list_rows(memory->fd, DEFPAGER_IOC_OBJECT_PAGES, &start,
				  rows, sizeof(rows[0]), 16);
		must(count >= 0);
		for (i = 0; i < count; i++)
			if (rows[i].flags & DEFPAGER_PAGE_STORED &&
			    (!segment || rows[i].segment == segment))
				bytes += rows[i].length;
	} while (count == 16);
	return bytes;
}

/* Pages in a segment that are right behind the one before. */
static inline uint64_t contiguous_in(const struct memory *memory,
				     uint64_t segment)
{
	struct defpager_page_range row, last = { .flags = 0 };
	uint64_t page, nr = 0;

	for (page = 0; page < memory_pages(memory); page++) {
		row = page_place(memory, page);
		nr += row.flags & last.flags & DEFPAGER_PAGE_STORED &&
		      row.segment == segment && last.segment == segment &&
		      row.device_offset == last.device_offset + page_size();
		last = row;
	}
	return nr;
}

/* --- Whether all accounts agree ----------------------------------------- */

/* While it may be that something is still going on. */
static bool disagreement_is_quiet;

static inline bool agree(const char *what, uint64_t a, uint64_t b)
{
	if (a != b && !disagreement_is_quiet)
		fprintf(stderr, "# %s: %ju is not %ju\n", what, (uintmax_t)a,
			(uintmax_t)b);
	return a == b;
}

static inline bool segments_agree(struct stores *stores,
				  const struct defpager_backing_store_info *info)
{
	int store = store_of_name(stores, info->name);
	struct defpager_backing_store_info sum = { .size = 0 };
	struct defpager_segment_info row;
	uint64_t start = 0, free = 0;
	bool well = true;

	while (list_rows(store, DEFPAGER_IOC_SEGMENTS, &start, &row,
			 sizeof(row), 1) == 1) {
		sum.nr_segments++;
		sum.total_bytes += row.total_bytes;
		sum.used_bytes += row.used_bytes;
		sum.bad_bytes += row.bad_bytes;
		free += row.free_bytes;
		well &= agree("in flight", 0, row.in_flight_bytes);
		well &= agree("a segment's total", row.total_bytes,
			      row.free_bytes + row.used_bytes + row.bad_bytes);
	}
	close(store);
	well &= agree("segments", info->nr_segments, sum.nr_segments);
	well &= agree("total of segments", info->total_bytes, sum.total_bytes);
	well &= agree("used of segments", info->used_bytes, sum.used_bytes);
	well &= agree("bad of segments", info->bad_bytes, sum.bad_bytes);
	well &= agree("a store's total", info->total_bytes,
		      info->free_bytes + info->reserved_bytes +
			      info->bad_bytes + info->failing_bytes);
	well &= agree("used but not reserved", 0,
		      info->used_bytes > info->reserved_bytes +
						 info->failing_bytes);
	well &= agree("confined but not reserved", 0,
		      info->confined_bytes > info->reserved_bytes);
	if (!well && !disagreement_is_quiet)
		fprintf(stderr, "# in store %s\n", info->name);
	return well;
}

/* @name: of the objects confined to a store; NULL for all objects. */
static inline struct defpager_object_info objects_sum(struct stores *stores,
						      const char *name)
{
	struct defpager_object_info sum = { .size = 0 }, row;
	uint64_t start = 0;

	while (list_rows(stores->pager, DEFPAGER_IOC_OBJECTS, &start, &row,
			 sizeof(row), 1) == 1) {
		if (name && (!row.confined || strcmp(row.backing_store, name)))
			continue;
		sum.confined++;
		sum.stored_bytes += row.stored_bytes;
		sum.reserved_bytes += row.reserved_bytes;
	}
	return sum;
}

/* If nothing is going on. */
static inline bool accounts_agree_now(struct stores *stores)
{
	struct defpager_info info = totals(stores->pager), sum = { .size = 0 };
	struct defpager_backing_store_info row;
	struct defpager_object_info objects;
	uint64_t start = 0;
	bool well = true;

	while (list_rows(stores->pager, DEFPAGER_IOC_BACKING_STORES, &start,
			 &row, sizeof(row), 1) == 1) {
		well &= segments_agree(stores, &row);
		objects = objects_sum(stores, row.name);
		well &= agree("confined objects", row.nr_objects,
			      objects.confined);
		well &= agree("confined space", row.confined_bytes,
			      objects.reserved_bytes);
		sum.nr_stores++;
		sum.nr_segments += row.nr_segments;
		sum.total_bytes += row.total_bytes;
		sum.free_bytes += row.free_bytes;
		sum.reserved_bytes += row.reserved_bytes;
		sum.used_bytes += row.used_bytes;
		sum.bad_bytes += row.bad_bytes;
		sum.failing_bytes += row.failing_bytes;
	}
	well &= agree("stores", info.nr_stores, sum.nr_stores);
	well &= agree("segments of stores", info.nr_segments, sum.nr_segments);
	well &= agree("total of stores", info.total_bytes, sum.total_bytes);
	well &= agree("free of stores", info.free_bytes, sum.free_bytes);
	well &= agree("reserved of stores", info.reserved_bytes,
		      sum.reserved_bytes);
	well &= agree("used of stores", info.used_bytes, sum.used_bytes);
	well &= agree("bad of stores", info.bad_bytes, sum.bad_bytes);
	well &= agree("failing of stores", info.failing_bytes,
		      sum.failing_bytes);
	well &= agree("the pager's total", info.total_bytes,
		      info.free_bytes + info.reserved_bytes + info.bad_bytes +
			      info.failing_bytes);
	objects = objects_sum(stores, NULL);
	well &= agree("objects", info.nr_objects, objects.confined);
	well &= agree("space of objects", info.reserved_bytes,
		      objects.reserved_bytes);
	well &= agree("stored of objects", info.used_bytes,
		      objects.stored_bytes);
	return well;
}

/*
 * Everything that is a sum of other things, when all promises are covered and no
 * object has left a store but for its pages. The last pages may still be on their
 * way out, which makes the sums disagree for as long as that takes, and no longer.
 */
static inline bool accounts_agree(struct stores *stores)
{
	bool well;

	disagreement_is_quiet = true;
	well = wait_until(accounts_agree_now(stores));
	disagreement_is_quiet = false;
	return well || accounts_agree_now(stores);
}

#endif /* STORE_UTILS_H */
