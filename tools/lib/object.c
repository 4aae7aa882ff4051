// SPDX-License-Identifier: GPL-2.0-only
/* Memory objects. */
#include "lib_private.h"

LIBEXPORT int libdefpager_object_create(int pager,
					struct defpager_object_create *create)
{
	int ret = lib_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, create);

	return ret < 0 ? ret : create->fd;
}

LIBEXPORT int libdefpager_object_info(int object,
				      struct defpager_object_info *info)
{
	return lib_ioctl(object, DEFPAGER_IOC_OBJECT_INFO, info);
}

LIBEXPORT int libdefpager_object_seal(int object,
				      struct defpager_object_seal *seal)
{
	return lib_ioctl(object, DEFPAGER_IOC_OBJECT_SEAL, seal);
}

LIBEXPORT int libdefpager_object_pageout(int object,
					 struct defpager_object_pageout *pageout)
{
	return lib_ioctl(object, DEFPAGER_IOC_OBJECT_PAGEOUT, pageout);
}

LIB_DEFINE_LISTING(libdefpager_objects, defpager_object_info,
		   DEFPAGER_IOC_OBJECTS)

LIB_DEFINE_LISTING(libdefpager_object_pages, defpager_page_range,
		   DEFPAGER_IOC_OBJECT_PAGES)
