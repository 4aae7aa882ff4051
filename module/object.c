// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory objects: inodes of a private pseudo-filesystem, and their lifetimes.
 *
 * The inode owns the pages and the storage, a descriptor is a view of it, and
 * a mapping keeps a descriptor.  When the last one goes, eviction of the inode
 * gives everything back.
 *
 * The filesystem is mounted while objects are being created or held by the
 * descriptor they were created with, not all the time: a mounted superblock
 * has a reference to the module, which could never be unloaded otherwise.  On
 * the other hand that reference is what keeps the module there until the last
 * inode is gone: the one a struct file has is dropped before its dentry is.
 *
 * An object that was opened anew, or by its path only, may outlive the mount.
 * The next mount is of the same superblock: there are not to be as many as there
 * are such descriptors.
 */
#include <linux/backing-dev.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>

#include "defpager.h"
#include "trace.h"

#define DEFPAGER_MAGIC		0x64667067

/* The largest readahead, in pages. */
#define DEFPAGER_READAHEAD	(SZ_256K / PAGE_SIZE)

static struct kmem_cache *defpager_object_cache;

/* Ids are used again some day, these are not. */
static atomic64_t defpager_nonces = ATOMIC64_INIT(0);

/*
 * Gives the filesystem a readahead size and nothing else.  It cannot write
 * back, so no page of ours is ever accounted as dirty or waits for a flusher.
 */
static struct backing_dev_info *defpager_bdi;

/*
 * Objects by id.  The lock keeps an object that was found from going away:
 * eviction takes it to remove the object from here.
 */
static DEFINE_MUTEX(defpager_objects_lock);
static DEFINE_XARRAY_ALLOC(defpager_objects);
static u32 defpager_next_id;
static unsigned long defpager_objects_count;

static struct vfsmount *defpager_mount;
static int defpager_mount_count;
static DEFINE_MUTEX(defpager_mount_lock);

/* That of all objects there are, or NULL.  It may be going. */
static struct super_block *defpager_super;
static DEFINE_SPINLOCK(defpager_super_lock);

static struct inode *defpager_alloc_inode(struct super_block *sb)
{
	struct defpager_object *object;

	object = alloc_inode_sb(sb, defpager_object_cache, GFP_KERNEL);
	if (!object)
		return NULL;
	object->id = 0;
	spin_lock_init(&object->promise_lock);
	RCU_INIT_POINTER(object->store, NULL);
	RCU_INIT_POINTER(object->user, NULL);
	object->promised = 0;
	object->home_slots = 0;
	INIT_LIST_HEAD(&object->stale);
	object->confined = false;
	object->flags = 0;
	object->seals = 0;
	object->name[0] = '\0';
	defpager_map_init(&object->map);
	defpager_pageout_start(object);
	return &object->inode;
}

/* After a grace period: path walks may still look at the inode. */
static void defpager_free_inode(struct inode *inode)
{
	kmem_cache_free(defpager_object_cache, defpager_object(inode));
}

static void defpager_object_unpublish(struct defpager_object *object)
{
	mutex_lock(&defpager_objects_lock);
	if (object->id) {
		xa_erase(&defpager_objects, object->id);
		defpager_objects_count--;
	}
	mutex_unlock(&defpager_objects_lock);
}

static void defpager_evict_inode(struct inode *inode)
{
	struct defpager_object *object = defpager_object(inode);
	struct defpager_user *user;

	if (object->id)
		trace_defpager_object_destroy(object);
	defpager_object_unpublish(object);
	/* Waits for I/O in flight; afterwards nobody can want a folio. */
	truncate_inode_pages_final(&inode->i_data);
	defpager_pageout_stop(object);
	clear_inode(inode);
	defpager_map_destroy(object);
	/* Nobody gives it another home: it is listed no more. */
	user = rcu_access_pointer(object->user);
	if (user) {
		defpager_unpromise(object, object->promised);
		defpager_user_put(user);
	}
	if (object->confined)
		defpager_store_leave(rcu_access_pointer(object->store));
}

static const struct super_operations defpager_super_ops = {
	.alloc_inode	= defpager_alloc_inode,
	.free_inode	= defpager_free_inode,
	.evict_inode	= defpager_evict_inode,
	.drop_inode	= inode_just_drop,
	.statfs		= simple_statfs,
};

/* What /proc/PID/maps and readlink of /proc/PID/fd/N show. */
static char *defpager_dname(struct dentry *dentry, char *buffer, int size)
{
	char name[sizeof("/defpager: (deleted)") + DEFPAGER_NAME_SIZE];
	int len;

	len = scnprintf(name, sizeof(name), "/defpager:%s (deleted)",
			defpager_object(d_inode(dentry))->name) + 1;
	if (len > size)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buffer + size - len, name, len);
}

static const struct dentry_operations defpager_dentry_ops = {
	.d_dname	= defpager_dname,
};

/* With a reference, or NULL. */
static struct super_block *defpager_super_get(void)
{
	struct super_block *sb;

	spin_lock(&defpager_super_lock);
	sb = defpager_super;
	if (sb && !atomic_inc_not_zero(&sb->s_active))
		sb = NULL;
	spin_unlock(&defpager_super_lock);
	return sb;
}

static void defpager_super_set(struct super_block *sb)
{
	spin_lock(&defpager_super_lock);
	defpager_super = sb;
	spin_unlock(&defpager_super_lock);
}

/* Those of pseudo-filesystems, but for how a superblock is had. */
static const struct fs_context_operations *defpager_pseudo_ops;
static struct fs_context_operations defpager_context_ops;

/* The caller wants s_umount held.  defpager_mount_lock. */
static int defpager_get_tree(struct fs_context *fc)
{
	struct super_block *sb = defpager_super_get();
	int ret;

	if (sb) {
		down_write(&sb->s_umount);
		fc->root = dget(sb->s_root);
		return 0;
	}
	ret = defpager_pseudo_ops->get_tree(fc);
	if (!ret)
		defpager_super_set(fc->root->d_sb);
	return ret;
}

/* Before it is freed. */
static void defpager_kill_sb(struct super_block *sb)
{
	spin_lock(&defpager_super_lock);
	if (defpager_super == sb)
		defpager_super = NULL;
	spin_unlock(&defpager_super_lock);
	kill_anon_super(sb);
}

static int defpager_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, DEFPAGER_MAGIC);

	if (!ctx)
		return -ENOMEM;
	defpager_pseudo_ops = fc->ops;
	defpager_context_ops = *fc->ops;
	defpager_context_ops.get_tree = defpager_get_tree;
	fc->ops = &defpager_context_ops;
	ctx->ops = &defpager_super_ops;
	ctx->dops = &defpager_dentry_ops;
	/* As other shared memory, objects may hold code to run. */
	fc->s_iflags &= ~SB_I_NOEXEC;
	return 0;
}

static struct file_system_type defpager_fs_type = {
	.owner		= THIS_MODULE,
	.name		= "defpager",
	.init_fs_context = defpager_init_fs_context,
	.kill_sb	= defpager_kill_sb,
};

static int defpager_mount_get(void)
{
	struct super_block *sb;
	int ret;

	mutex_lock(&defpager_mount_lock);
	ret = simple_pin_fs(&defpager_fs_type, &defpager_mount,
			    &defpager_mount_count);
	if (!ret) {
		/* The superblock puts its bdi when it goes. */
		sb = defpager_mount->mnt_sb;
		if (sb->s_bdi == &noop_backing_dev_info)
			sb->s_bdi = bdi_get(defpager_bdi);
	}
	mutex_unlock(&defpager_mount_lock);
	return ret;
}

/* Called by the release of the file that an object was created with. */
void defpager_mount_put(void)
{
	simple_release_fs(&defpager_mount, &defpager_mount_count);
}

/* @store: as for defpager_object_file(); the object has left it on failure. */
static struct inode *defpager_object_inode(struct defpager_store *store,
					   loff_t size, u32 flags,
					   const char *name)
{
	struct inode *inode = new_inode(defpager_mount->mnt_sb);
	struct defpager_object *object;

	if (!inode) {
		if (store)
			defpager_store_leave(store);
		return ERR_PTR(-ENOMEM);
	}
	object = defpager_object(inode);
	rcu_assign_pointer(object->store, store);
	object->confined = store;
	object->max_size = size;
	object->nonce = atomic64_inc_return(&defpager_nonces);
	object->flags = flags;
	strscpy_pad(object->name, name, sizeof(object->name));

	inode->i_mode = S_IFREG | 0600;
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	/* As with anonymous memory, stores through a mapping leave no time. */
	inode->i_flags |= S_NOATIME | S_NOCMTIME | S_NOQUOTA;
	inode->i_size = size;
	inode->i_op = &defpager_object_iops;
	inode->i_fop = &defpager_object_fops;
	simple_inode_init_ts(inode);
	clear_nlink(inode);
	/*
	 * Open for writing for ever.  Collapsing the pages of files that are
	 * not into huge ones copies the content, but not our mark.
	 */
	atomic_set(&inode->i_writecount, 1);

	inode->i_mapping->a_ops = &defpager_aops;
	if (flags & DEFPAGER_OBJECT_RESIDENT)
		mapping_set_unevictable(inode->i_mapping);
	/* Ask us about every folio, though we attach nothing to them. */
	mapping_set_release_always(inode->i_mapping);
	/* Nobody looks for pages under writeback by their mark. */
	mapping_set_no_writeback_tags(inode->i_mapping);
	return inode;
}

/* Have somebody charged for what the object will be promised, and promise it. */
static int defpager_object_account(struct defpager_object *object)
{
	struct defpager_user *user;

	if (defpager_object_resident(object))
		return 0;
	user = defpager_user_get(rcu_access_pointer(object->store),
				 object->inode.i_uid);
	if (!user)
		return -ENOMEM;
	rcu_assign_pointer(object->user, user);
	if (!(object->flags & DEFPAGER_OBJECT_RESERVE))
		return 0;
	return defpager_promise(object, DIV_ROUND_UP_ULL(object->max_size,
							 PAGE_SIZE));
}

/* From here the object is listed. */
static int defpager_object_publish(struct defpager_object *object)
{
	u32 id;
	int ret;

	mutex_lock(&defpager_objects_lock);
	/* Inode number 1 is the root directory. */
	ret = xa_alloc_cyclic(&defpager_objects, &id, object,
			      XA_LIMIT(2, U32_MAX), &defpager_next_id,
			      GFP_KERNEL_ACCOUNT);
	if (ret >= 0) {
		object->id = id;
		object->inode.i_ino = id;
		defpager_objects_count++;
		ret = 0;
	}
	mutex_unlock(&defpager_objects_lock);
	return ret;
}

/**
 * defpager_object_file() - create a memory object
 * @store: the store it is confined to, which the caller has a reference of; or
 *	NULL: it belongs to the pager
 * @size: its maximum size in bytes, which is valid
 * @flags: DEFPAGER_OBJECT_RESERVE or DEFPAGER_OBJECT_RESIDENT
 * @name: its name, which is valid
 *
 * Return: the file of the object, or an error pointer.
 */
struct file *defpager_object_file(struct defpager_store *store, loff_t size,
				  u32 flags, const char *name)
{
	struct inode *inode;
	struct file *file;
	int ret;

	ret = defpager_mount_get();
	if (ret)
		return ERR_PTR(ret);
	if (store)
		ret = defpager_store_join(store);
	if (ret)
		goto err_mount;
	inode = defpager_object_inode(store, size, flags, name);
	if (IS_ERR(inode)) {
		ret = PTR_ERR(inode);
		goto err_mount;
	}
	ret = defpager_object_account(defpager_object(inode));
	if (!ret)
		ret = defpager_object_publish(defpager_object(inode));
	if (ret)
		goto err_inode;
	file = alloc_file_pseudo(inode, defpager_mount, "defpager",
				 O_RDWR | O_LARGEFILE, &defpager_object_fops);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_inode;
	}
	/* __fput() drops a reference to the module that nobody else took. */
	__module_get(THIS_MODULE);
	file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
	file_ra_state_init(&file->f_ra, inode->i_mapping);
	/* Marks the file whose release gives back the mount. */
	file->private_data = inode;
	trace_defpager_object_create(defpager_object(inode));
	return file;

err_inode:
	iput(inode);
err_mount:
	defpager_mount_put();
	return ERR_PTR(ret);
}

/* The name of the store it is confined to, or of which its pages go to first. */
static void defpager_object_store_name(struct defpager_object *object,
				       char *name, size_t size)
{
	struct defpager_store *store;

	rcu_read_lock();
	store = rcu_dereference(object->store);
	if (!store)
		store = defpager_pool_first();
	strscpy_pad(name, store ? store->name : DEFPAGER_DEFAULT_STORE, size);
	rcu_read_unlock();
}

void defpager_object_fill_info(struct defpager_object *object,
			       struct defpager_object_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->id = object->id;
	info->object_size = object->max_size;
	info->current_size = i_size_read(&object->inode);
	info->resident_bytes = (u64)object->inode.i_mapping->nrpages <<
			       PAGE_SHIFT;
	info->stored_bytes = (u64)atomic_long_read(&object->map.stored) <<
			     PAGE_SHIFT;
	info->reserved_bytes = READ_ONCE(object->promised) << PAGE_SHIFT;
	info->owner = from_kuid_munged(current_user_ns(), object->inode.i_uid);
	info->confined = object->confined;
	info->flags = object->flags;
	if (!defpager_object_resident(object))
		defpager_object_store_name(object, info->backing_store,
					   sizeof(info->backing_store));
	strscpy_pad(info->name, object->name, sizeof(info->name));
}

/* The row of the first object with an id of @start or above. */
bool defpager_object_row(u64 start, struct defpager_object_info *row)
{
	struct defpager_object *object = NULL;
	unsigned long id = start;

	mutex_lock(&defpager_objects_lock);
	if (start <= U32_MAX)
		object = xa_find(&defpager_objects, &id, U32_MAX, XA_PRESENT);
	if (object)
		defpager_object_fill_info(object, row);
	mutex_unlock(&defpager_objects_lock);
	return object;
}

/**
 * defpager_object_get_next() - go through all objects
 * @id: where to begin
 *
 * Return: the first one from there on, to be given back by
 *	defpager_object_put(); or NULL.  One that is going is left out.
 */
struct defpager_object *defpager_object_get_next(u64 id)
{
	struct defpager_object *object = NULL;
	struct super_block *sb = NULL;
	struct inode *inode = NULL;
	unsigned long at = id;

	do {
		/* Not with the lock: it may end the file system. */
		if (sb)
			deactivate_super(sb);
		sb = NULL;
		mutex_lock(&defpager_objects_lock);
		if (id <= U32_MAX)
			object = xa_find(&defpager_objects, &at, U32_MAX,
					 XA_PRESENT);
		/* The file system must not go before the inode. */
		if (object &&
		    atomic_inc_not_zero(&object->inode.i_sb->s_active)) {
			sb = object->inode.i_sb;
			inode = igrab(&object->inode);
		}
		mutex_unlock(&defpager_objects_lock);
		at++;
	} while (object && !inode && at <= U32_MAX);
	if (inode)
		return object;
	if (sb)
		deactivate_super(sb);
	return NULL;
}

/*
 * Has nobody but the caller, who got it by its id, the object any more?  If so,
 * nobody but others who get it by its id will.
 */
bool defpager_object_alone(struct defpager_object *object)
{
	return atomic_read(&object->inode.i_count) == 1;
}

void defpager_object_put(struct defpager_object *object)
{
	struct super_block *sb = object->inode.i_sb;

	iput(&object->inode);
	deactivate_super(sb);
}

u64 defpager_nr_objects(void)
{
	return READ_ONCE(defpager_objects_count);
}

static void defpager_object_init_once(void *data)
{
	struct defpager_object *object = data;

	inode_init_once(&object->inode);
}

int __init defpager_objects_init(void)
{
	defpager_object_cache = kmem_cache_create("defpager_object",
				sizeof(struct defpager_object), 0,
				SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
				defpager_object_init_once);
	if (!defpager_object_cache)
		return -ENOMEM;
	defpager_bdi = bdi_alloc(NUMA_NO_NODE);
	if (!defpager_bdi) {
		kmem_cache_destroy(defpager_object_cache);
		return -ENOMEM;
	}
	defpager_bdi->capabilities = 0;
	defpager_bdi->ra_pages = DEFPAGER_READAHEAD;
	defpager_bdi->io_pages = DEFPAGER_READAHEAD;
	return 0;
}

void defpager_objects_exit(void)
{
	bdi_put(defpager_bdi);
	/* Inodes are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(defpager_object_cache);
	xa_destroy(&defpager_objects);
}
