/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of limits share. */
#ifndef LIMIT_UTILS_H
#define LIMIT_UTILS_H

#include <linux/falloc.h>

#include "contract_utils.h"
#include "paging_utils.h"

#define SPACE	1024		/* pages of a store, more than most limits */

#define PUNCH	(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static inline uint64_t pages(uint64_t nr)
{
	return nr * page_size();
}

static inline void limit_object(int store, uint64_t bytes)
{
	must(!store_limit(store, DEFPAGER_LIMIT_OBJECT, bytes, 0, NULL));
}

static inline void limit_user(int store, uint64_t bytes)
{
	must(!store_limit(store, DEFPAGER_LIMIT_USER, 0, bytes, NULL));
}

/* 0, or what the errno is. */
static inline int reserve(int fd, uint64_t first, uint64_t nr)
{
	return fallocate(fd, 0, pages(first), pages(nr)) ? errno : 0;
}

static inline int punch(int fd, uint64_t first, uint64_t nr)
{
	return fallocate(fd, PUNCH, pages(first), pages(nr)) ? errno : 0;
}

static inline int write_page(int fd, uint64_t page)
{
	return pwrite(fd, "limit", 5, pages(page)) == 5 ? 0 : errno;
}

/* How many pages can be written, until it is EDQUOT. */
static inline uint64_t write_until_limit(int fd, uint64_t nr)
{
	uint64_t page;
	int error = 0;

	for (page = 0; page < nr && !error; page += !error)
		error = write_page(fd, page);
	must(!error || error == EDQUOT);
	return page;
}

static inline bool has_no_object(int store)
{
	struct defpager_backing_store_info info;

	must(!store_info(store, &info));
	return !info.nr_objects;
}

/* Whether a user is charged with so many pages, no more and no fewer. */
static inline bool is_charged(int pager, int store, int where, uint64_t nr)
{
	int fd = object_create_with(pager, where, pages(4), 0);
	bool well;

	must(fd >= 0);
	limit_user(store, pages(nr + 1));
	well = reserve(fd, 0, 2) == EDQUOT && !write_page(fd, 0) &&
	       write_page(fd, 1) == EDQUOT;
	limit_user(store, 0);
	close(fd);
	return well;
}

#endif /* LIMIT_UTILS_H */
