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

/* The caller's function and its context, on the way through lib_list(). */
struct object_row {
	int (*row)(const struct defpager_object_info *info, void *context);
	void *context;
};

static int pass_object_row(const void *row, void *context)
{
	const struct object_row *to = context;

	return to->row(row, to->context);
}

LIBEXPORT int
libdefpager_objects(int pager,
		    int (*row)(const struct defpager_object_info *info,
			       void *context),
		    void *context)
{
	struct defpager_object_info rows[LIB_LIST_ROWS];
	struct object_row to = { .row = row, .context = context };

	return lib_list(pager, DEFPAGER_IOC_OBJECTS, rows, sizeof(rows[0]),
			pass_object_row, &to);
}
