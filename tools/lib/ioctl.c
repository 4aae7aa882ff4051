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

int lib_list(int fd, unsigned long request, void *rows, size_t row_size,
	     int (*each)(const void *row, void *context), void *context)
{
	struct defpager_list list = {
		.size = sizeof(list),
		.rows = (uintptr_t)rows,
		.row_size = row_size,
	};
	do {
		int ret;

		list.count = LIB_LIST_ROWS;
		/* The kernel fills what it knows: the rest must not be stale. */
		memset(rows, 0, LIB_LIST_ROWS * row_size);
		ret = lib_ioctl(fd, request, &list);
		if (ret < 0)
			return ret;
		for (uint32_t i = 0; i < list.count; i++) {
			ret = each((const char *)rows + i * row_size, context);
			if (ret)
				return ret;
		}
	} while (list.count == LIB_LIST_ROWS);
	return 0;
}
