// SPDX-License-Identifier: GPL-2.0-only
/* Requests to the pager as a whole. */
#include <errno.h>
#include <fcntl.h>

#include "lib_private.h"

LIBEXPORT int libdefpager_open(void)
{
	int fd = open(LIBDEFPAGER_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

LIBEXPORT int libdefpager_info(int pager, struct defpager_info *info)
{
	return lib_ioctl(pager, DEFPAGER_IOC_INFO, info);
}
