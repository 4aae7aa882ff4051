// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: copy in, check the shape, call, copy out, install descriptors.
 * What each does is documented in uapi/linux/defpager.h.
 */
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "ioctl.h"

/* Whole pages, since mmap() refuses a page that is not wholly below. */
#define DEFPAGER_MAX_OBJECT_SIZE	(MAX_LFS_FILESIZE & PAGE_MASK)

/* One open of /dev/defpager. */
struct defpager_port {
	wait_queue_head_t wait;		/* its lock is for the next two */
	u64 next_seqno;			/* the lowest number not used */
	bool busy;			/* the one below is being carried out */
};

/* A descriptor for a file that a handler has made; takes over the file. */
int defpager_request_fd(struct defpager_request *request, struct file *file)
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
	if ((!ret || request.report) &&
	    copy_to_user(user, &arg, min_t(size_t, size, ioctl->size)))
		ret = -EFAULT;
	defpager_request_end(&request, ret);
	return ret;
}

long defpager_ioctl_table(struct file *file, const struct defpager_ioctl *table,
			  size_t nr, unsigned int cmd, unsigned long arg)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (table[i].cmd == cmd)
			return defpager_ioctl_call(file, &table[i],
						   (void __user *)arg);
	return -ENOTTY;
}

/* A name that was copied in: terminated, and nothing hidden behind its end. */
int defpager_check_terminated(const char *name)
{
	size_t len = strnlen(name, DEFPAGER_NAME_SIZE);

	if (len == DEFPAGER_NAME_SIZE ||
	    memchr_inv(name + len, 0, DEFPAGER_NAME_SIZE - len))
		return -EINVAL;
	return 0;
}

/* A name to be shown in a line of text, as a path. */
int defpager_check_name(const char *name)
{
	int ret = defpager_check_terminated(name);

	for (; !ret && *name; name++)
		if (iscntrl(*name) || *name == '/')
			ret = -EINVAL;
	return ret;
}

/* The name of a store is also that of a directory in sysfs. */
static int defpager_check_store_name(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	return defpager_check_name(name);
}

static int defpager_info_ioctl(struct defpager_request *request, void *data)
{
	struct defpager_info *info = data;
	u32 size = info->size;

	if (info->flags)
		return -EINVAL;
	memset(info, 0, sizeof(*info));
	info->size = size;
	defpager_stores_info(info);
	info->max_object_size = DEFPAGER_MAX_OBJECT_SIZE;
	info->page_size = PAGE_SIZE;
	info->nr_objects = defpager_nr_objects();
	info->pages_out = defpager_counter_sum(DEFPAGER_PAGES_OUT);
	info->pages_in = defpager_counter_sum(DEFPAGER_PAGES_IN);
	info->writes = defpager_counter_sum(DEFPAGER_WRITES);
	info->reads = defpager_counter_sum(DEFPAGER_READS);
	info->zero_pages = defpager_counter_sum(DEFPAGER_ZERO_PAGES);
	info->clean_drops = defpager_counter_sum(DEFPAGER_CLEAN_DROPS);
	info->write_errors = defpager_counter_sum(DEFPAGER_WRITE_ERRORS);
	info->read_errors = defpager_counter_sum(DEFPAGER_READ_ERRORS);
	info->checksum_errors = defpager_counter_sum(DEFPAGER_CHECKSUM_ERRORS);
	return 0;
}

/* Everything about a request but its turn. */
static int defpager_object_create(struct defpager_request *request,
				  struct defpager_object_create *arg)
{
	u32 flags = arg->flags & ~DEFPAGER_OBJECT_SEQNO;
	struct defpager_store *store = NULL;
	struct file *file;
	int ret;

	if (flags & ~(DEFPAGER_OBJECT_RESERVE | DEFPAGER_OBJECT_RESIDENT))
		return -EINVAL;
	/* What is resident-only is promised no space, by no store. */
	if (flags & DEFPAGER_OBJECT_RESIDENT &&
	    (flags & DEFPAGER_OBJECT_RESERVE || arg->backing_store != -1))
		return -EINVAL;
	if (!(arg->flags & DEFPAGER_OBJECT_SEQNO) && arg->seqno)
		return -EINVAL;
	if (!arg->object_size || arg->object_size > DEFPAGER_MAX_OBJECT_SIZE)
		return -EINVAL;
	ret = defpager_check_name(arg->name);
	if (ret)
		return ret;
	if (arg->backing_store != -1) {
		store = defpager_store_of_fd(arg->backing_store);
		if (IS_ERR(store))
			return PTR_ERR(store);
	}
	file = defpager_object_file(store, arg->object_size, flags, arg->name);
	if (store)
		defpager_store_put(store);
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

/* Hand out a descriptor of a store; takes over the reference to it. */
static int defpager_store_fd(struct defpager_request *request,
			     struct defpager_store *store)
{
	struct file *file = defpager_store_file(store);

	if (IS_ERR(file))
		return PTR_ERR(file);
	return defpager_request_fd(request, file);
}

static int defpager_store_open_ioctl(struct defpager_request *request,
				     void *data)
{
	struct defpager_backing_store_open *arg = data;
	struct defpager_store *store;
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
	ret = defpager_store_fd(request, store);
	if (ret < 0)
		return ret;
	arg->fd = ret;
	return 0;
}

static int defpager_store_create_ioctl(struct defpager_request *request,
				       void *data)
{
	struct defpager_backing_store_create *arg = data;
	struct defpager_store *store;
	int ret;

	if (arg->reserved ||
	    arg->flags & ~(DEFPAGER_STORE_EXCLUSIVE | DEFPAGER_STORE_DISCARD |
			   DEFPAGER_STORE_CHECKSUM | DEFPAGER_STORE_ENCRYPT))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = defpager_check_store_name(arg->name);
	if (ret)
		return ret;
	/* Be sure that the answer can be written before there is one. */
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
					defpager_backing_store_create, name)))
		return -EFAULT;
	store = defpager_store_create(arg);
	if (IS_ERR(store))
		return PTR_ERR(store);
	ret = defpager_store_fd(request, store);
	if (ret < 0)
		return ret;
	arg->fd = ret;
	/* The last: whoever finds it may use it at once. */
	return defpager_store_publish(store);
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

static int defpager_object_seal_ioctl(struct defpager_request *request,
				      void *data)
{
	struct defpager_object_seal *arg = data;
	struct file *file = request->on;
	int ret = 0;

	if (arg->flags)
		return -EINVAL;
	/* Be sure that the answer can be written before there is one. */
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
					defpager_object_seal, seals)))
		return -EFAULT;
	if (arg->add)
		ret = defpager_object_seal(file, arg->add);
	arg->seals = READ_ONCE(defpager_object(file_inode(file))->seals);
	return ret;
}

static int defpager_object_pageout_ioctl(struct defpager_request *request,
					 void *data)
{
	return defpager_range_move(request->on, data);
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
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_CREATE,
		       defpager_backing_store_create, name,
		       defpager_store_create_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORES, defpager_list, count,
		       defpager_stores_ioctl),
};

static const struct defpager_ioctl defpager_object_ioctls[] = {
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECT_INFO, defpager_object_info, name,
		       defpager_object_info_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECT_PAGES, defpager_list, count,
		       defpager_pages_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECT_SEAL, defpager_object_seal, seals,
		       defpager_object_seal_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_OBJECT_PAGEOUT, defpager_object_pageout,
		       dirty_bytes, defpager_object_pageout_ioctl),
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

long defpager_object_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg)
{
	return defpager_ioctl_table(file, defpager_object_ioctls,
				    ARRAY_SIZE(defpager_object_ioctls), cmd,
				    arg);
}
