/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of libdefpager share and nobody else sees. */
#ifndef LIB_PRIVATE_H
#define LIB_PRIVATE_H

#include <stddef.h>

#include <libdefpager.h>

/*
 * Everything is compiled with hidden visibility: what is forgotten here is
 * missing, which shows, where the reverse would become an interface unnoticed.
 */
#define LIBEXPORT __attribute__((visibility("default")))

/* An ioctl that reports as the library does: 0 or more, or a negative errno. */
int lib_ioctl(int fd, unsigned long request, void *arg);

/*
 * Rows of one call of a listing.  A listing is walked in as many calls as it
 * takes, and rows of a later kernel may be longer, so this is about the stack.
 */
#define LIB_LIST_ROWS 32

/*
 * Walk a listing: rows of row_size bytes, of which the array "rows" has
 * LIB_LIST_ROWS, are passed to "each" until it returns other than 0.
 */
int lib_list(int fd, unsigned long request, void *rows, size_t row_size,
	     int (*each)(const void *row, void *context), void *context);

#endif /* LIB_PRIVATE_H */
