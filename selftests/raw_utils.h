/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is really on a device: the bytes of the file in memory that a loop device
 * is made over.
 */
#ifndef RAW_UTILS_H
#define RAW_UTILS_H

#include "store_utils.h"

/* What no page of a test has in it. */
#define RAW_GENERATION 77

static inline void raw_fill(int file, uint64_t pages)
{
	char *buffer = calloc(1, page_size());
	uint64_t page;

	must(buffer);
	for (page = 0; page < pages; page++) {
		fill_page(buffer, page, RAW_GENERATION);
		must(pwrite(file, buffer, page_size(), PAGES(page)) ==
		     (ssize_t)page_size());
	}
	free(buffer);
}

/* Whether bytes of the device are what raw_fill() wrote, or zero. */
static inline bool raw_is(int file, uint64_t from, uint64_t to,
			  uint32_t generation)
{
	unsigned char *found = calloc(1, page_size());
	unsigned char *expected = calloc(1, page_size());
	uint64_t page, i;
	bool well = true;

	must(found && expected);
	for (page = from / page_size(); well && PAGES(page) < to; page++) {
		fill_page(expected, page, generation);
		must(pread(file, found, page_size(), PAGES(page)) ==
		     (ssize_t)page_size());
		for (i = 0; well && i < page_size(); i++)
			if (PAGES(page) + i >= from && PAGES(page) + i < to)
				well = found[i] == expected[i];
		if (!well)
			fprintf(stderr, "# byte %ju of the device is %x\n",
				(uintmax_t)(PAGES(page) + i - 1), found[i - 1]);
	}
	free(expected);
	free(found);
	return well;
}

#endif /* RAW_UTILS_H */
