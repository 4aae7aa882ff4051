/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files with ioctls share; see ioctl.c. */
#ifndef DEFPAGER_IOCTL_H
#define DEFPAGER_IOCTL_H

#include <linux/build_bug.h>
#include <linux/stddef.h>

#include "defpager.h"

/* The size that each struct had in its first version. */
#define DEFPAGER_MIN_SIZE(type, last)	offsetofend(struct type, last)

/*
 * A request being carried out.  A handler that makes a file leaves it here,
 * and the descriptor in its struct; it is installed once nothing can fail.
 */
struct defpager_request {
	struct file *on;
	struct file *new_file;
	int new_fd;
	bool report;			/* output fields are set on failure */
	void __user *user;
};

union defpager_ioctl_arg {
	struct defpager_info info;
	struct defpager_object_create object_create;
	struct defpager_object_info object_info;
	struct defpager_object_seal object_seal;
	struct defpager_object_pageout object_pageout;
	struct defpager_list list;
	struct defpager_backing_store_open store_open;
	struct defpager_backing_store_create store_create;
	struct defpager_backing_store_info store_info;
	struct defpager_backing_store_alert store_alert;
	struct defpager_backing_store_limit store_limit;
	struct defpager_backing_store_delete store_delete;
	struct defpager_segment_add segment_add;
	struct defpager_segment_remove segment_remove;
};

struct defpager_ioctl {
	unsigned int cmd;
	size_t size;			/* of the struct, as we know it */
	size_t min_size;		/* as it was in its first version */
	int (*handler)(struct defpager_request *request, void *arg);
};

#define DEFPAGER_IOCTL(_cmd, _type, _last, _handler) {			\
	.cmd = _cmd,							\
	.size = sizeof(struct _type) +					\
		BUILD_BUG_ON_ZERO(sizeof(struct _type) >		\
				  sizeof(union defpager_ioctl_arg)),	\
	.min_size = DEFPAGER_MIN_SIZE(_type, _last),			\
	.handler = _handler,						\
}

/* In ioctl.c */
long defpager_ioctl_table(struct file *file, const struct defpager_ioctl *table,
			  size_t nr, unsigned int cmd, unsigned long arg);
int defpager_request_fd(struct defpager_request *request, struct file *file);
int defpager_check_terminated(const char *name);
int defpager_check_name(const char *name);

/* In ioctl_store.c */
struct file *defpager_store_file(struct defpager_store *store);
struct defpager_store *defpager_store_of_fd(int fd);
int defpager_port_check(struct defpager_store_port *port);

/* In ioctl_list.c */
int defpager_objects_ioctl(struct defpager_request *request, void *data);
int defpager_stores_ioctl(struct defpager_request *request, void *data);
int defpager_segments_ioctl(struct defpager_request *request, void *data);
int defpager_pages_ioctl(struct defpager_request *request, void *data);

#endif /* DEFPAGER_IOCTL_H */
