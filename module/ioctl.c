// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: copy in, check the shape, call, copy out, install descriptors.
 * What each does is documented in uapi/linux/defpager.h.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "defpager.h"

/* The size that each struct had in its first version. */
#define DEFPAGER_MIN_SIZE(type, last)	offsetofend(struct type, last)

#define DEFPAGER_MAX_ROW	4096

/* Whole pages, since mmap() refuses a page that is not wholly below. */
#define DEFPAGER_MAX_OBJECT_SIZE	(MAX_LFS_FILESIZE & PAGE_MASK)

/* One open of /dev/defpager. */
struct defpager_port {
	wait_queue_head_t wait;		/* its lock is for the next two */
	u64 next_seqno;			/* the lowest number not used */
	bool busy;			/* the one below is being carried out */
};

/*
 * A request being carried out.  A handler that makes a file leaves it here,
 * and the descriptor in its struct; it is installed once nothing can fail.
 */
struct defpager_request {
	struct file *on;
	struct file *new_file;
	int new_fd;
	void __user *user;
};

union defpager_ioctl_arg {
	struct defpager_info info;
	struct defpager_object_create object_create;
	struct defpager_object_info object_info;
	struct defpager_list list;
	struct defpager_backing_store_open store_open;
	struct defpager_backing_store_info store_info;
	struct defpager_segment_add segment_add;
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

static int defpager_request_fd(struct defpager_request *request,
			       struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0) {
		fput(file);
		return fd;
	}
	request->new_file = file;
	request->new_fd = fd;
	return fd;
}

static void defpager_request_end(struct defpager_request *request, long ret)
{
	if (!request->new_file)
		return;
	if (ret) {
		put_unused_fd(request->new_fd);
		fput(request->new_file);
	} else {
		fd_install(request->new_fd, request->new_file);
	}
}

static long defpager_ioctl_call(struct file *file,
				const struct defpager_ioctl *ioctl,
				void __user *user)
{
	struct defpager_request request = { .on = file, .user = user };
	union defpager_ioctl_arg arg;
	u32 size;
	long ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < ioctl->min_size)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, ioctl->size, user, size);
	if (ret)
		return ret;
	ret = ioctl->handler(&request, &arg);
	if (!ret && copy_to_user(user, &arg, min_t(size_t, size, ioctl->size)))
		ret = -EFAULT;
	defpager_request_end(&request, ret);
	return ret;
}

static long defpager_ioctl_table(struct file *file,
				 const struct defpager_ioctl *table, size_t nr,
				 unsigned int cmd, unsigned long arg)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (table[i].cmd == cmd)
			return defpager_ioctl_call(file, &table[i],
						   (void __user *)arg);
	return -ENOTTY;
}

/* A name that was copied in: terminated, and nothing hidden behind its end. */
static int defpager_check_terminated(const char *name)
{
	size_t len = strnlen(name, DEFPAGER_NAME_SIZE);

	if (len == DEFPAGER_NAME_SIZE ||
	    memchr_inv(name + len, 0, DEFPAGER_NAME_SIZE - len))
		return -EINVAL;
	return 0;
}

/* A name to be shown in a line of text, as a path. */
static int defpager_check_name(const char *name)
{
	int ret = defpager_check_terminated(name);

	for (; !ret && *name; name++)
		if (iscntrl(*name) || *name == '/')
			ret = -EINVAL;
	return ret;
}

static int defpager_info_ioctl(struct defpager_request *request, void *data)
{
	struct defpager_info *info = data;
	struct defpager_backing_store_info store;

	if (info->flags)
		return -EINVAL;
	defpager_store_info(&defpager_default_store, &store);
	info->features = 0;
	info->max_object_size = DEFPAGER_MAX_OBJECT_SIZE;
	info->page_size = PAGE_SIZE;
	info->nr_stores = 1;
	info->nr_segments = store.nr_segments;
	info->nr_objects = defpager_nr_objects();
	info->total_bytes = store.total_bytes;
	info->free_bytes = store.free_bytes;
	info->reserved_bytes = store.reserved_bytes;
	info->used_bytes = store.used_bytes;
	info->bad_bytes = store.bad_bytes;
	info->pages_out = defpager_counter_sum(DEFPAGER_PAGES_OUT);
	info->pages_in = defpager_counter_sum(DEFPAGER_PAGES_IN);
	info->writes = defpager_counter_sum(DEFPAGER_WRITES);
	info->reads = defpager_counter_sum(DEFPAGER_READS);
	info->zero_pages = defpager_counter_sum(DEFPAGER_ZERO_PAGES);
	info->clean_drops = defpager_counter_sum(DEFPAGER_CLEAN_DROPS);
	info->write_errors = defpager_counter_sum(DEFPAGER_WRITE_ERRORS);
	info->read_errors = defpager_counter_sum(DEFPAGER_READ_ERRORS);
	return 0;
}

static int defpager_store_of_fd(int fd, struct defpager_store **store)
{
	struct file *file = fget(fd);
	int ret = 0;

	if (!file)
		return -EBADF;
	/* Stores outlive their descriptors. */
	if (file->f_op == &defpager_store_fops)
		*store = file->private_data;
	else
		ret = -EINVAL;
	fput(file);
	return ret;
}

/* Everything about a request but its turn. */
static int defpager_object_create(struct defpager_request *request,
				  struct defpager_object_create *arg)
{
	struct defpager_store *store = &defpager_default_store;
	bool confined = arg->backing_store != -1;
	struct file *file;
	int ret;

	if (arg->flags & ~DEFPAGER_OBJECT_SEQNO)
		return -EINVAL;
	if (!(arg->flags & DEFPAGER_OBJECT_SEQNO) && arg->seqno)
		return -EINVAL;
	if (!arg->object_size || arg->object_size > DEFPAGER_MAX_OBJECT_SIZE)
		return -EINVAL;
	ret = defpager_check_name(arg->name);
	if (ret)
		return ret;
	if (confined) {
		ret = defpager_store_of_fd(arg->backing_store, &store);
		if (ret)
			return ret;
	}
	file = defpager_object_file(store, confined, arg->object_size,
				    arg->name);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = defpager_request_fd(request, file);
	if (ret < 0)
		return ret;
	arg->fd = ret;
	return 0;
}

/* Wait until all requests with a lower number have ended. */
static int defpager_seqno_begin(struct defpager_port *port, u64 seqno)
{
	int ret;

	if (seqno == U64_MAX)
		return -EINVAL;
	spin_lock(&port->wait.lock);
	ret = wait_event_interruptible_locked(port->wait,
			port->next_seqno > seqno ||
			(port->next_seqno == seqno && !port->busy));
	/* Used, before we came or, by another of that number, meanwhile. */
	if (!ret && port->next_seqno > seqno)
		ret = -EINVAL;
	if (!ret) {
		port->next_seqno = seqno + 1;
		port->busy = true;
	}
	spin_unlock(&port->wait.lock);
	return ret;
}

static void defpager_seqno_end(struct defpager_port *port)
{
	spin_lock(&port->wait.lock);
	port->busy = false;
	wake_up_all_locked(&port->wait);
	spin_unlock(&port->wait.lock);
}

static int defpager_object_create_ioctl(struct defpager_request *request,
					void *data)
{
	struct defpager_object_create *arg = data;
	struct defpager_port *port = request->on->private_data;
	int ret;

	if (!(arg->flags & DEFPAGER_OBJECT_SEQNO))
		return defpager_object_create(request, arg);
	ret = defpager_seqno_begin(port, arg->seqno);
	if (ret)
		return ret;
	ret = defpager_object_create(request, arg);
	defpager_seqno_end(port);
	return ret;
}

static int defpager_store_open_ioctl(struct defpager_request *request,
				     void *data)
{
	struct defpager_backing_store_open *arg = data;
	struct defpager_store *store;
	struct file *file;
	int ret;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = defpager_check_terminated(arg->name);
	if (ret)
		return ret;
	store = defpager_store_find(arg->name);
	if (!store)
		return -ENOENT;
	file = anon_inode_getfile("[defpager-store]", &defpager_store_fops,
				  store, O_RDWR);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = defpager_request_fd(request, file);
	if (ret < 0)
		return ret;
	arg->fd = ret;
	return 0;
}

static int defpager_store_info_ioctl(struct defpager_request *request,
				     void *data)
{
	struct defpager_backing_store_info *arg = data;

	if (arg->flags)
		return -EINVAL;
	defpager_store_info(request->on->private_data, arg);
	return 0;
}

static int defpager_segment_add_ioctl(struct defpager_request *request,
				      void *data)
{
	struct defpager_segment_add *arg = data;

	if (arg->flags)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/*
	 * A segment cannot be taken back: be sure that the answer can be
	 * written before there is one.
	 */
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
					defpager_segment_add, unused_tail)))
		return -EFAULT;
	return defpager_segment_add(request->on->private_data, arg);
}

static int defpager_object_info_ioctl(struct defpager_request *request,
				      void *data)
{
	struct defpager_object_info *arg = data;
	u32 size = arg->size;

	if (arg->flags)
		return -EINVAL;
	defpager_object_fill_info(defpager_object(file_inode(request->on)),
				  arg);
	arg->size = size;
	return 0;
}

/* A row of a listing; each kind begins with its size. */
union defpager_row {
	u32 size;
	struct defpager_object_info object;
	struct defpager_segment_info segment;
};

/* Finds the row with the lowest id not below *@id, and sets *@id to its. */
typedef bool (*defpager_row_fn)(struct file *on, u64 *id,
				union defpager_row *row);

static bool defpager_next_object(struct file *on, u64 *id,
				 union defpager_row *row)
{
	if (!defpager_object_row(*id, &row->object))
		return false;
	*id = row->object.id;
	return true;
}

static bool defpager_next_segment(struct file *on, u64 *id,
				  union defpager_row *row)
{
	if (!defpager_segment_row(on->private_data, *id, &row->segment))
		return false;
	*id = row->segment.id;
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
		list->start = ++id;
		cond_resched();
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	list->count = nr;
	return 0;
}

static int defpager_objects_ioctl(struct defpager_request *request, void *data)
{
	return defpager_list(request->on, data,
			     sizeof(struct defpager_object_info),
			     DEFPAGER_MIN_SIZE(defpager_object_info, name),
			     defpager_next_object);
}

static int defpager_segments_ioctl(struct defpager_request *request, void *data)
{
	return defpager_list(request->on, data,
			     sizeof(struct defpager_segment_info),
			     DEFPAGER_MIN_SIZE(defpager_segment_info, pages_in),
			     defpager_next_segment);
}

static const struct defpager_ioctl defpager_port_ioctls[] = {
	DEFPAGER_IOCTL(DEFPAGER_IOC_INFO, defpager_info, read_errors,
		       defpager_info_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECT_CREATE, defpager_object_create,
		       name, defpager_object_create_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECTS, defpager_list, count,
		       defpager_objects_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_OPEN,
		       defpager_backing_store_open, name,
		       defpager_store_open_ioctl),
};

static const struct defpager_ioctl defpager_store_ioctls[] = {
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_INFO,
		       defpager_backing_store_info, name,
		       defpager_store_info_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_SEGMENT_ADD, defpager_segment_add,
		       unused_tail, defpager_segment_add_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_SEGMENTS, defpager_list, count,
		       defpager_segments_ioctl),
};

static const struct defpager_ioctl defpager_object_ioctls[] = {
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECT_INFO, defpager_object_info, name,
		       defpager_object_info_ioctl),
};

static int defpager_open(struct inode *inode, struct file *file)
{
	struct defpager_port *port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);

	if (!port)
		return -ENOMEM;
	init_waitqueue_head(&port->wait);
	file->private_data = port;
	return nonseekable_open(inode, file);
}

static int defpager_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static long defpager_port_ioctl(struct file *file, unsigned int cmd,
				unsigned long arg)
{
	return defpager_ioctl_table(file, defpager_port_ioctls,
				    ARRAY_SIZE(defpager_port_ioctls), cmd, arg);
}

const struct file_operations defpager_fops = {
	.owner		= THIS_MODULE,
	.open		= defpager_open,
	.release	= defpager_release,
	.unlocked_ioctl	= defpager_port_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static long defpager_store_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	return defpager_ioctl_table(file, defpager_store_ioctls,
				    ARRAY_SIZE(defpager_store_ioctls), cmd,
				    arg);
}

const struct file_operations defpager_store_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= defpager_store_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

long defpager_object_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	return defpager_ioctl_table(file, defpager_object_ioctls,
				    ARRAY_SIZE(defpager_object_ioctls), cmd,
				    arg);
}
