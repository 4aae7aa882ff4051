// SPDX-License-Identifier: GPL-2.0-only
/* Listings: rows of one kind, some of them with each ioctl. */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "ioctl.h"

#define DEFPAGER_MAX_ROW	4096

/* A row of a listing; each kind begins with its size. */
union defpager_row {
	u32 size;
	struct defpager_object_info object;
	struct defpager_segment_info segment;
	struct defpager_backing_store_info store;
	struct defpager_page_range range;
};

/*
 * Finds the row with the lowest id not below *@id, and sets *@id to where the
 * next one may begin.
 */
typedef bool (*defpager_row_fn)(struct file *on, u64 *id,
				union defpager_row *row);

static bool defpager_next_object(struct file *on, u64 *id,
				 union defpager_row *row)
{
	if (!defpager_object_row(*id, &row->object))
		return false;
	*id = row->object.id + 1;
	return true;
}

static bool defpager_next_segment(struct file *on, u64 *id,
				  union defpager_row *row)
{
	struct defpager_store_port *port = on->private_data;

	if (!defpager_segment_row(port->store, *id, &row->segment))
		return false;
	*id = row->segment.id + 1;
	return true;
}

static bool defpager_next_store(struct file *on, u64 *id,
				union defpager_row *row)
{
	if (!defpager_store_row(*id, &row->store))
		return false;
	*id = row->store.id + 1;
	return true;
}

static bool defpager_next_range(struct file *on, u64 *id,
				union defpager_row *row)
{
	if (!defpager_page_range(defpager_object(file_inode(on)), *id,
				 &row->range))
		return false;
	*id = row->range.offset + row->range.length;
	return true;
}

static int defpager_copy_row(const struct defpager_list *list, u32 nr,
			     union defpager_row *row, u32 size)
{
	char __user *user = u64_to_user_ptr(list->rows) +
			    (u64)nr * list->row_size;

	row->size = min(size, list->row_size);
	if (copy_to_user(user, row, row->size) ||
	    clear_user(user + row->size, list->row_size - row->size))
		return -EFAULT;
	return 0;
}

static int defpager_list(struct file *on, struct defpager_list *list,
			 u32 size, u32 min_size, defpager_row_fn next)
{
	union defpager_row row;
	u64 id = list->start;
	u32 nr = 0;
	int ret;

	if (list->flags || list->row_size < min_size ||
	    list->row_size > DEFPAGER_MAX_ROW)
		return -EINVAL;
	while (nr < list->count && next(on, &id, &row)) {
		ret = defpager_copy_row(list, nr++, &row, size);
		if (ret)
			return ret;
		list->start = id;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	list->count = nr;
	return 0;
}

int defpager_objects_ioctl(struct defpager_request *request, void *data)
{
	return defpager_list(request->on, data,
			     sizeof(struct defpager_object_info),
			     DEFPAGER_MIN_SIZE(defpager_object_info, name),
			     defpager_next_object);
}

int defpager_segments_ioctl(struct defpager_request *request, void *data)
{
	int ret = defpager_port_check(request->on->private_data);

	if (ret)
		return ret;
	return defpager_list(request->on, data,
			     sizeof(struct defpager_segment_info),
			     DEFPAGER_MIN_SIZE(defpager_segment_info, pages_in),
			     defpager_next_segment);
}

int defpager_stores_ioctl(struct defpager_request *request, void *data)
{
	return defpager_list(request->on, data,
			     sizeof(struct defpager_backing_store_info),
			     DEFPAGER_MIN_SIZE(defpager_backing_store_info,
					       name),
			     defpager_next_store);
}

int defpager_pages_ioctl(struct defpager_request *request, void *data)
{
	return defpager_list(request->on, data,
			     sizeof(struct defpager_page_range),
			     DEFPAGER_MIN_SIZE(defpager_page_range,
					       device_offset),
			     defpager_next_range);
}
