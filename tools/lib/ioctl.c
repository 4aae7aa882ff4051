// SPDX-License-Identifier: GPL-2.0-only
/* The two ways of asking the kernel that all requests go through. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib_private.h"

int lib_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

int lib_list(int fd, unsigned long request, struct defpager_list *list,
	     void *rows, size_t row_size)
{
	list->rows = (uintptr_t)rows;
	list->row_size = row_size;
	list->count = LIB_LIST_ROWS;
	/* The kernel fills what it knows: the rest must not be stale. */
	memset(rows, 0, LIB_LIST_ROWS * row_size);
	return lib_ioctl(fd, request, list);
}
