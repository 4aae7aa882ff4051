// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors of backing stores: their ioctls, poll() and close(). */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ioctl.h"

static struct defpager_store_port *defpager_port(struct defpager_request *request)
{
	return request->on->private_data;
}

/* Does the store exist still?  A hint, for a clear answer. */
int defpager_port_check(struct defpager_store_port *port)
{
	return READ_ONCE(port->store->deleted) ? -ENODEV : 0;
}

static int defpager_store_info_ioctl(struct defpager_request *request,
				     void *data)
{
	struct defpager_backing_store_info *arg = data;
	u32 size = arg->size;
	int ret;

	if (arg->flags)
		return -EINVAL;
	ret = defpager_port_check(defpager_port(request));
	if (ret)
		return ret;
	defpager_store_info(defpager_port(request)->store, arg);
	arg->size = size;
	return 0;
}

static int defpager_segment_add_ioctl(struct defpager_request *request,
				      void *data)
{
	struct defpager_segment_add *arg = data;

	if (arg->flags & ~DEFPAGER_SEGMENT_DISCARD)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* Be sure that the answer can be written before there is one. */
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
					defpager_segment_add, unused_tail)))
		return -EFAULT;
	return defpager_segment_add(defpager_port(request)->store, arg);
}

/* The store to take over, with a reference; or NULL for none. */
static struct defpager_store *defpager_target(struct defpager_request *request,
					      int fd)
{
	struct defpager_store *target;
	int ret = 0;

	if (fd == -1)
		return NULL;
	target = defpager_store_of_fd(fd);
	if (IS_ERR(target))
		return target;
	if (target == defpager_port(request)->store)
		ret = -EINVAL;
	else if (READ_ONCE(target->deleted))
		ret = -ENODEV;
	if (!ret)
		return target;
	defpager_store_put(target);
	return ERR_PTR(ret);
}

/*
 * What was moved, and what could not be, is told also of half a drain.  A signal
 * for which no handler is called is no reason to end one: that goes on, which is
 * to begin anew, after the process was stopped, the machine suspended, or nothing
 * at all.
 */
static int defpager_drain_end(struct defpager_request *request,
			      struct defpager_store *target, int ret)
{
	if (target)
		defpager_store_put(target);
	request->report = ret == -EINTR || ret == -EIO;
	if (ret == -EINTR && signal_pending(current))
		ret = -ERESTARTNOHAND;
	return ret;
}

static int defpager_segment_remove_ioctl(struct defpager_request *request,
					 void *data)
{
	struct defpager_store_port *port = defpager_port(request);
	struct defpager_segment_remove *arg = data;
	struct defpager_store *target;
	int ret;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = defpager_port_check(port);
	if (ret)
		return ret;
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
				defpager_segment_remove, error_offset)))
		return -EFAULT;
	target = defpager_target(request, arg->target);
	if (IS_ERR(target))
		return PTR_ERR(target);
	ret = defpager_segment_drain(port, target, arg);
	return defpager_drain_end(request, target, ret);
}

static int defpager_store_delete_ioctl(struct defpager_request *request,
				       void *data)
{
	struct defpager_store_port *port = defpager_port(request);
	struct defpager_backing_store_delete *arg = data;
	struct defpager_store *target;
	int ret;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
				defpager_backing_store_delete, error_offset)))
		return -EFAULT;
	target = defpager_target(request, arg->target);
	if (IS_ERR(target))
		return PTR_ERR(target);
	ret = defpager_store_delete(port, target, arg);
	return defpager_drain_end(request, target, ret);
}

static int defpager_store_alert_ioctl(struct defpager_request *request,
				      void *data)
{
	struct defpager_backing_store_alert *arg = data;
	int ret;

	if (arg->flags & ~(DEFPAGER_ALERT_LOW | DEFPAGER_ALERT_HIGH) ||
	    arg->reserved || arg->high_bytes < arg->low_bytes)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = defpager_port_check(defpager_port(request));
	if (ret)
		return ret;
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
				defpager_backing_store_alert, free_bytes)))
		return -EFAULT;
	return defpager_alert(defpager_port(request), arg);
}

/* A limit of less than a page would look like none. */
static bool defpager_limit_valid(u64 bytes, bool set)
{
	return set ? !bytes || bytes >= PAGE_SIZE : !bytes;
}

static int defpager_store_limit_ioctl(struct defpager_request *request,
				      void *data)
{
	struct defpager_backing_store_limit *arg = data;

	if (arg->flags & ~(DEFPAGER_LIMIT_OBJECT | DEFPAGER_LIMIT_USER) ||
	    !defpager_limit_valid(arg->object_bytes,
				  arg->flags & DEFPAGER_LIMIT_OBJECT) ||
	    !defpager_limit_valid(arg->user_bytes,
				  arg->flags & DEFPAGER_LIMIT_USER))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* Be sure that the answer can be written before there is one. */
	if (copy_to_user(request->user, arg, DEFPAGER_MIN_SIZE(
				defpager_backing_store_limit, old_user_bytes)))
		return -EFAULT;
	return defpager_limits_set(defpager_port(request)->store, arg);
}

static const struct defpager_ioctl defpager_store_ioctls[] = {
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_INFO,
		       defpager_backing_store_info, name,
		       defpager_store_info_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_SEGMENT_ADD, defpager_segment_add,
		       unused_tail, defpager_segment_add_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_SEGMENTS, defpager_list, count,
		       defpager_segments_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_SEGMENT_REMOVE, defpager_segment_remove,
		       error_offset, defpager_segment_remove_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_DELETE,
		       defpager_backing_store_delete, error_offset,
		       defpager_store_delete_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_ALERT,
		       defpager_backing_store_alert, free_bytes,
		       defpager_store_alert_ioctl),
	DEFPAGER_IOCTL(DEFPAGER_IOC_BACKING_STORE_LIMIT,
		       defpager_backing_store_limit, old_user_bytes,
		       defpager_store_limit_ioctl),
};

static long defpager_store_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	return defpager_ioctl_table(file, defpager_store_ioctls,
				    ARRAY_SIZE(defpager_store_ioctls), cmd,
				    arg);
}

static __poll_t defpager_store_poll(struct file *file, poll_table *wait)
{
	struct defpager_store_port *port = file->private_data;

	poll_wait(file, &port->store->wait, wait);
	if (READ_ONCE(port->store->deleted))
		return EPOLLHUP;
	return defpager_alert_fired(port) ? EPOLLPRI : 0;
}

/* Each close() in a process, not only the last one: ends a drain, see there. */
static int defpager_store_flush(struct file *file, fl_owner_t id)
{
	defpager_drains_close(file->private_data, id);
	return 0;
}

static int defpager_store_release(struct inode *inode, struct file *file)
{
	struct defpager_store_port *port = file->private_data;

	defpager_alert_exit(port);
	defpager_store_put(port->store);
	kfree(port);
	return 0;
}

static const struct file_operations defpager_store_fops = {
	.owner		= THIS_MODULE,
	.poll		= defpager_store_poll,
	.unlocked_ioctl	= defpager_store_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.flush		= defpager_store_flush,
	.release	= defpager_store_release,
};

/* A descriptor's file; takes over the reference to the store, always. */
struct file *defpager_store_file(struct defpager_store *store)
{
	struct defpager_store_port *port;
	struct file *file;

	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port) {
		defpager_store_put(store);
		return ERR_PTR(-ENOMEM);
	}
	port->store = store;
	spin_lock_init(&port->drains_lock);
	INIT_LIST_HEAD(&port->drains);
	defpager_alert_init(port);
	file = anon_inode_getfile("[defpager-store]", &defpager_store_fops,
				  port, O_RDWR);
	if (IS_ERR(file)) {
		defpager_store_put(store);
		kfree(port);
	}
	return file;
}

/* The store of a descriptor, with a reference; or an error pointer. */
struct defpager_store *defpager_store_of_fd(int fd)
{
	struct defpager_store *store = ERR_PTR(-EINVAL);
	struct defpager_store_port *port;
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &defpager_store_fops) {
		port = file->private_data;
		store = port->store;
		refcount_inc(&store->refs);
	}
	fput(file);
	return store;
}
