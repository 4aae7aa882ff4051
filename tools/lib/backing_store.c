// SPDX-License-Identifier: GPL-2.0-only
/* Backing stores and their segments. */
#include <errno.h>
#include <string.h>

#include "lib_private.h"

LIBEXPORT int libdefpager_backing_store_open(int pager, const char *name)
{
	struct defpager_backing_store_open arg = { .size = sizeof(arg) };
	int ret;

	if (!name)
		name = DEFPAGER_DEFAULT_STORE;
	if (strlen(name) >= sizeof(arg.name))
		return -ENAMETOOLONG;
	strcpy(arg.name, name);

	ret = lib_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_OPEN, &arg);
	return ret < 0 ? ret : arg.fd;
}

LIBEXPORT int
libdefpager_backing_store_info(int backing_store,
			       struct defpager_backing_store_info *info)
{
	return lib_ioctl(backing_store, DEFPAGER_IOC_BACKING_STORE_INFO, info);
}

LIBEXPORT int
libdefpager_backing_store_create(int pager,
				 struct defpager_backing_store_create *create)
{
	int ret = lib_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_CREATE, create);

	return ret < 0 ? ret : create->fd;
}

LIBEXPORT int
libdefpager_backing_store_delete(int backing_store,
				 struct defpager_backing_store_delete *request)
{
	return lib_ioctl(backing_store, DEFPAGER_IOC_BACKING_STORE_DELETE,
			 request);
}

LIBEXPORT int
libdefpager_backing_store_alert(int backing_store,
				struct defpager_backing_store_alert *alert)
{
	return lib_ioctl(backing_store, DEFPAGER_IOC_BACKING_STORE_ALERT,
			 alert);
}

LIBEXPORT int
libdefpager_backing_store_limit(int backing_store,
				struct defpager_backing_store_limit *limit)
{
	return lib_ioctl(backing_store, DEFPAGER_IOC_BACKING_STORE_LIMIT,
			 limit);
}

LIB_DEFINE_LISTING(libdefpager_backing_stores, defpager_backing_store_info,
		   DEFPAGER_IOC_BACKING_STORES)

LIBEXPORT int libdefpager_segment_add(int backing_store,
				      struct defpager_segment_add *add)
{
	return lib_ioctl(backing_store, DEFPAGER_IOC_SEGMENT_ADD, add);
}

LIBEXPORT int libdefpager_segment_remove(int backing_store,
					 struct defpager_segment_remove *request)
{
	return lib_ioctl(backing_store, DEFPAGER_IOC_SEGMENT_REMOVE, request);
}

LIB_DEFINE_LISTING(libdefpager_segments, defpager_segment_info,
		   DEFPAGER_IOC_SEGMENTS)
