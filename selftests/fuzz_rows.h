/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of fuzzed listings: where they are to go, and what has come. */
#ifndef FUZZ_ROWS_H
#define FUZZ_ROWS_H

#include "fuzz_arg.h"

/* Room for rows, and a page behind it that nobody can access. */
#define ROWS_BYTES (4 * 4096)

static unsigned char *rows;

/* Of the listing that is being made. */
static uint64_t rows_available;	/* bytes from where they are to go */
static bool rows_checked;	/* they are in this memory, so look at it */

static inline void rows_init(void)
{
	if (rows)
		return;
	rows = mmap(NULL, ROWS_BYTES + 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(rows != MAP_FAILED);
	must(mprotect(rows + ROWS_BYTES, 4096, PROT_NONE) == 0);
}

static inline uint64_t rows_place(const struct call *call, uint64_t wanted)
{
	uint64_t address = (uintptr_t)rows;
	uint64_t end = address + ROWS_BYTES;

	rows_checked = true;
	memset(rows, POISON, ROWS_BYTES);
	switch (call->a[3] % 8) {
	case 2:
		if (wanted < ROWS_BYTES)
			address = end - wanted;
		break;
	case 3:
		address = end - call->a[4] * 5;
		break;
	case 4:
		address += 1 + call->a[4] % 7;
		break;
	case 5:
		address = (uintptr_t)arg_nowhere(call->a[4]);
		rows_checked = false;
		break;
	case 6:
		address = (uintptr_t)map_slot(call->a[4]);
		rows_checked = false;
		break;
	}
	rows_available = rows_checked ? end - address : 0;
	return address;
}

static inline uint32_t row_min(unsigned long cmd)
{
	switch (cmd) {
	case DEFPAGER_IOC_OBJECTS:
		return END_OF(defpager_object_info, name);
	case DEFPAGER_IOC_SEGMENTS:
		return END_OF(defpager_segment_info, pages_in);
	case DEFPAGER_IOC_BACKING_STORES:
		return END_OF(defpager_backing_store_info, name);
	default:
		return END_OF(defpager_page_range, device_offset);
	}
}

static inline void fill_list(const struct call *call, unsigned long cmd,
			     struct defpager_list *list)
{
	const uint32_t sizes[] = {
		known_row_size(cmd), known_row_size(cmd), row_min(cmd),
		row_min(cmd) - 1, known_row_size(cmd) + 8, 4096, 4097, 0,
		UINT32_MAX,
	};
	const uint32_t counts[] = { 4, 1, 2, 3, 0, 16, 255, UINT32_MAX };

	list->start = range_value(call->a[0], call->a[5], 0);
	if (call->a[5] & 1)
		list->start = call->a[0];
	list->row_size = sizes[call->a[1] % (sizeof(sizes) / sizeof(sizes[0]))];
	list->count = counts[call->a[2] % 8];
	list->rows = rows_place(call, (uint64_t)list->count * list->row_size);
}

/* --- What must be true of a row ------------------------------------------- */

static inline bool name_is_fine(const char *name)
{
	size_t length = strnlen(name, DEFPAGER_NAME_SIZE);

	for (size_t i = length; i < DEFPAGER_NAME_SIZE; i++)
		if (name[i])
			return false;
	return length < DEFPAGER_NAME_SIZE;
}

static inline bool whole_pages(uint64_t bytes)
{
	return !(bytes % page_size());
}

#define promise(condition)						\
	do {								\
		if (!(condition))					\
			failed("not so: %s", #condition);		\
	} while (0)

static inline void check_object(const struct defpager_object_info *info)
{
	promise(!(info->flags & ~(DEFPAGER_OBJECT_RESERVE |
				  DEFPAGER_OBJECT_RESIDENT)));
	promise(info->object_size);
	promise(info->current_size <= info->object_size);
	promise(whole_pages(info->resident_bytes));
	promise(whole_pages(info->stored_bytes));
	promise(whole_pages(info->reserved_bytes));
	promise(info->confined <= 1);
	promise(name_is_fine(info->name));
	promise(name_is_fine(info->backing_store));
	if (info->flags & DEFPAGER_OBJECT_RESIDENT) {
		promise(!info->backing_store[0]);
		promise(!info->stored_bytes);
		promise(!info->reserved_bytes);
		promise(!info->confined);
	} else {
		promise(info->backing_store[0]);
	}
}

static inline void check_store(const struct defpager_backing_store_info *info)
{
	promise(info->flags <= (DEFPAGER_STORE_EXCLUSIVE |
				DEFPAGER_STORE_DISCARD |
				DEFPAGER_STORE_CHECKSUM |
				DEFPAGER_STORE_ENCRYPT));
	promise(info->id);
	promise(info->cluster_bytes >= page_size());
	promise(info->cluster_bytes <= DEFPAGER_MAX_CLUSTER_SIZE);
	promise(!(info->cluster_bytes & (info->cluster_bytes - 1)));
	promise(whole_pages(info->total_bytes));
	promise(info->free_bytes <= info->total_bytes);
	promise(info->reserved_bytes <= info->total_bytes);
	promise(!info->bad_bytes);
	promise(!info->failing_bytes);
	promise(!info->write_errors);
	promise(!info->read_errors);
	promise(info->name[0] && name_is_fine(info->name));
	promise(whole_pages(info->object_limit_bytes));
	promise(whole_pages(info->user_limit_bytes));
}

static inline void check_segment(const struct defpager_segment_info *row)
{
	promise(row->state <= DEFPAGER_SEGMENT_DRAINING);
	promise(row->record_size);
	promise(!row->reserved);
	promise(row->total_bytes && row->total_bytes <= row->length_bytes);
	promise(whole_pages(row->total_bytes));
	promise(row->used_bytes <= row->total_bytes);
	/* There is more in a row that is not of the first version. */
	if (row->size == sizeof(*row))
		promise(row->free_bytes == row->total_bytes - row->used_bytes);
	promise(!row->bad_bytes);
	promise(!row->write_errors);
	promise(!row->read_errors);
	promise(!row->checksum_errors);
}

static inline void check_pages(const struct defpager_page_range *row)
{
	promise(row->flags <= (DEFPAGER_PAGE_RESIDENT | DEFPAGER_PAGE_DIRTY |
			       DEFPAGER_PAGE_STORED));
	promise(whole_pages(row->offset));
	promise(row->length && whole_pages(row->length));
	promise(whole_pages(row->device_offset));
	if (!(row->flags & DEFPAGER_PAGE_STORED)) {
		promise(!row->segment);
		promise(!row->device_offset);
	}
}

/* As it came; @start: what may be first in it. Returns what may be next. */
static inline uint64_t check_row(unsigned long cmd, const unsigned char *at,
				 uint32_t row_size, uint64_t start)
{
	union {
		struct { uint32_t size, flags; uint64_t id; };
		struct defpager_object_info object;
		struct defpager_backing_store_info store;
		struct defpager_segment_info segment;
		struct defpager_page_range pages;
	} row = { .size = 0 };
	uint32_t size = known_row_size(cmd);

	if (size > row_size)
		size = row_size;
	memcpy(&row, at, size);
	promise(row.size == size);
	for (uint32_t i = size; i < row_size; i++)
		promise(!at[i]);
	switch (cmd) {
	case DEFPAGER_IOC_OBJECTS:
		check_object(&row.object);
		break;
	case DEFPAGER_IOC_BACKING_STORES:
		check_store(&row.store);
		break;
	case DEFPAGER_IOC_SEGMENTS:
		check_segment(&row.segment);
		break;
	default:
		check_pages(&row.pages);
		/* The first page may be one that the start is in. */
		promise(row.pages.offset + page_size() > start);
		return row.pages.offset + row.pages.length;
	}
	promise(row.id >= start);
	return row.id + 1;
}

static inline bool is_poison(const unsigned char *from, const unsigned char *to)
{
	for (; from < to; from++)
		if (*from != POISON)
			return false;
	return true;
}

/* @list: as it was asked for; @answer: as it came, or NULL if it failed */
static inline void check_rows(unsigned long cmd,
			      const struct defpager_list *list,
			      const struct defpager_list *answer, int ret)
{
	unsigned char *at = (void *)(uintptr_t)list->rows;
	uint64_t start = list->start;

	if (answer)
		promise(answer->count <= list->count);
	/* Where they went, others may write; and where it failed, some came. */
	if (!rows_checked || ret == -EFAULT)
		return;
	promise(is_poison(rows, at));
	for (uint32_t i = 0; answer && i < answer->count; i++) {
		start = check_row(cmd, at, list->row_size, start);
		at += list->row_size;
	}
	if (answer)
		promise(answer->start == start);
	promise(is_poison(at, rows + ROWS_BYTES));
}

#endif /* FUZZ_ROWS_H */
