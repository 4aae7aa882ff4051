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

/* The next rows of a listing: 0, or a negative errno; list->count has how many. */
int lib_list(int fd, unsigned long request, struct defpager_list *list,
	     void *rows, size_t row_size);

/*
 * Defines a function that passes each row of a listing to the caller's, until
 * that returns other than 0.  It is the type of the rows that makes it one of
 * its own.
 */
#define LIB_DEFINE_LISTING(name, row_type, request)			\
LIBEXPORT int name(int fd,						\
		   int (*row)(const struct row_type *info,		\
			      void *context),				\
		   void *context)					\
{									\
	struct defpager_list list = { .size = sizeof(list) };		\
	struct row_type rows[LIB_LIST_ROWS];				\
	int ret;							\
									\
	do {								\
		ret = lib_list(fd, request, &list, rows,		\
			       sizeof(rows[0]));			\
		for (__u32 i = 0; !ret && i < list.count; i++)		\
			ret = row(&rows[i], context);			\
	} while (!ret && list.count == LIB_LIST_ROWS);			\
	return ret;							\
}

#endif /* LIB_PRIVATE_H */
