// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory objects as files: read, write, seek, map, resize, and what the
 * descriptor tells of itself.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>
#include <linux/splice.h>
#include <linux/swap.h>
#include <linux/uio.h>

#include "defpager.h"

/* Bytes from @pos on that are untouched (or touched), at most @len. */
static size_t defpager_extent(struct defpager_object *object, loff_t pos,
			      size_t len, bool touched)
{
	pgoff_t last = (pos + len - 1) >> PAGE_SHIFT;
	pgoff_t end = defpager_map_next(&object->map, pos >> PAGE_SHIFT, last,
					!touched);

	if (end > last)
		return len;
	return max(((loff_t)end << PAGE_SHIFT) - pos, (loff_t)0);
}

/* Read of holes at a time: nothing there waits, and so sees a signal. */
#define DEFPAGER_READ_HOLE	SZ_1M

/* A page that nobody touched is not brought into memory to read zeros. */
static ssize_t defpager_read_hole(struct kiocb *iocb, struct iov_iter *to,
				  size_t len)
{
	size_t done = iov_iter_zero(min_t(size_t, len, DEFPAGER_READ_HOLE), to);

	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	iocb->ki_pos += done;
	return done ? done : -EFAULT;
}

static ssize_t defpager_read_pages(struct kiocb *iocb, struct iov_iter *to,
				   size_t len)
{
	size_t rest = iov_iter_count(to) - len;
	ssize_t ret;

	iov_iter_truncate(to, len);
	ret = filemap_read(iocb, to, 0);
	iov_iter_reexpand(to, iov_iter_count(to) + rest);
	return ret;
}

/*
 * Space is wanted only for what has become a hole since it was looked at, or is
 * behind the end by now.
 */
static bool defpager_is_hole_now(ssize_t ret)
{
	return ret == -ENOSPC || ret == -EDQUOT;
}

/*
 * Splicing takes pages from the page cache, and would put those there that
 * nobody has touched: those are read instead.
 */
static ssize_t defpager_splice_read(struct file *file, loff_t *pos,
				    struct pipe_inode_info *pipe, size_t len,
				    unsigned int flags)
{
	struct defpager_object *object = defpager_object(file_inode(file));
	size_t hole, data;
	ssize_t ret = 0;

	if (!len)
		return 0;
	len = min_t(size_t, len, MAX_RW_COUNT);
	do {
		hole = defpager_extent(object, *pos, len, false);
		if (hole)
			return copy_splice_read(file, pos, pipe, hole, flags);
		data = defpager_extent(object, *pos, len, true);
		if (data)
			ret = filemap_splice_read(file, pos, pipe, data, flags);
		/* If it was touched a moment ago: look again. */
	} while (!data || defpager_is_hole_now(ret));
	return ret;
}

static ssize_t defpager_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct defpager_object *object = defpager_object(inode);
	ssize_t ret = 0, done = 0;
	size_t len, hole;

	while (iov_iter_count(to)) {
		loff_t size = i_size_read(inode);

		if (iocb->ki_pos >= size)
			break;
		len = min_t(u64, iov_iter_count(to), size - iocb->ki_pos);
		hole = defpager_extent(object, iocb->ki_pos, len, false);
		if (hole) {
			ret = defpager_read_hole(iocb, to, hole);
		} else {
			len = defpager_extent(object, iocb->ki_pos, len, true);
			/* It was touched a moment ago: look again. */
			if (!len)
				continue;
			ret = defpager_read_pages(iocb, to, len);
			if (defpager_is_hole_now(ret)) {
				ret = 0;
				continue;
			}
		}
		if (ret <= 0)
			break;
		done += ret;
	}
	return done ? done : ret;
}

/*
 * Copy into one page.  Return: bytes copied; 0 to try again; an error.
 *
 * The source may be a mapping of the very page: it is made present before the
 * folio is locked, and not faulted in while it is.
 */
static ssize_t defpager_write_page(struct defpager_object *object, loff_t pos,
				   struct iov_iter *from, bool *partial)
{
	size_t offset = offset_in_page(pos);
	size_t len = min(PAGE_SIZE - offset, iov_iter_count(from));
	bool overwrite = len == PAGE_SIZE && !*partial;
	struct address_space *mapping = object->inode.i_mapping;
	struct folio *folio;
	size_t copied;

	if (object->seals & DEFPAGER_SEAL_GROW &&
	    pos + len > i_size_read(&object->inode))
		return -EPERM;
	if (fault_in_iov_iter_readable(from, len) == len)
		return -EFAULT;
	folio = defpager_get_folio(object, pos >> PAGE_SHIFT,
				   mapping_gfp_mask(mapping), overwrite);
	if (IS_ERR(folio))
		return PTR_ERR(folio);
	copied = copy_folio_from_iter_atomic(folio,
					     offset_in_folio(folio, pos), len,
					     from);
	if (!folio_test_uptodate(folio)) {
		if (copied == len) {
			defpager_folio_overwritten(object, folio);
		} else {
			/* Not all of it was there: next time read it first. */
			iov_iter_revert(from, copied);
			copied = 0;
			*partial = true;
		}
	}
	flush_dcache_folio(folio);
	if (copied)
		folio_mark_dirty(folio);
	folio_unlock(folio);
	folio_mark_accessed(folio);
	folio_put(folio);
	return copied;
}

static ssize_t defpager_write_pages(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret = 0, done = 0;
	bool partial = false;

	while (iov_iter_count(from)) {
		ret = defpager_write_page(defpager_object(inode), iocb->ki_pos,
					  from, &partial);
		if (ret < 0)
			break;
		if (ret)
			partial = false;
		iocb->ki_pos += ret;
		done += ret;
		if (iocb->ki_pos > i_size_read(inode))
			i_size_write(inode, iocb->ki_pos);
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		cond_resched();
	}
	return done ? done : ret;
}

/*
 * What lies behind the end of the object in its last page is not content, but
 * mappings reach it.  It is made zero before it becomes content, and what is
 * cut off is kept from coming back.
 */
static int defpager_resize(struct inode *inode, loff_t size)
{
	struct defpager_object *object = defpager_object(inode);
	loff_t old = i_size_read(inode);
	struct folio *tail;
	int ret;

	if ((size < old && object->seals & DEFPAGER_SEAL_SHRINK) ||
	    (size > old && object->seals & DEFPAGER_SEAL_GROW))
		return -EPERM;
	if (size > old) {
		ret = defpager_zero_gap(inode, size);
		if (!ret)
			truncate_setsize(inode, size);
		return ret;
	}
	/* The page stays while we have a reference: nothing fails later. */
	tail = defpager_edge_folio(inode, size);
	if (IS_ERR(tail))
		return PTR_ERR(tail);
	filemap_invalidate_lock(inode->i_mapping);
	truncate_setsize(inode, size);
	/* Also what was promised behind the end. */
	defpager_forget(object, DIV_ROUND_UP_ULL(size, PAGE_SIZE),
			(object->max_size - 1) >> PAGE_SHIFT,
			DEFPAGER_ENTRY_NONE);
	filemap_invalidate_unlock(inode->i_mapping);
	/* What is cut off is zeroed again before it can become content. */
	defpager_zero_edge(inode, tail, size, round_up(size, PAGE_SIZE));
	return 0;
}

/*
 * What is skipped between the end and a write behind it, or a larger size,
 * reads as zero.
 */
int defpager_zero_gap(struct inode *inode, loff_t pos)
{
	loff_t size = i_size_read(inode);
	struct folio *tail;

	if (pos <= size)
		return 0;
	tail = defpager_edge_folio(inode, size);
	if (IS_ERR(tail))
		return PTR_ERR(tail);
	return defpager_zero_edge(inode, tail, size,
				  round_up(size, PAGE_SIZE));
}

static ssize_t defpager_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct defpager_object *object = defpager_object(inode);
	ssize_t ret;

	inode_lock(inode);
	ret = generic_write_checks(iocb, from);
	if (ret <= 0)
		goto out;
	ret = -EFBIG;
	if (iocb->ki_pos >= object->max_size)
		goto out;
	/* Not even the gap may change. */
	ret = -EPERM;
	if (object->seals & (DEFPAGER_SEAL_WRITE | DEFPAGER_SEAL_FUTURE_WRITE) ||
	    (object->seals & DEFPAGER_SEAL_GROW &&
	     iocb->ki_pos >= i_size_read(inode)))
		goto out;
	iov_iter_truncate(from, object->max_size - iocb->ki_pos);
	ret = defpager_zero_gap(inode, iocb->ki_pos);
	if (!ret)
		ret = file_remove_privs(iocb->ki_filp);
	if (!ret)
		ret = defpager_write_pages(iocb, from);
	if (ret > 0)
		compat_inode_touch(inode);
out:
	inode_unlock(inode);
	return ret;
}

static loff_t defpager_seek_extent(struct file *file, loff_t offset, bool data)
{
	struct inode *inode = file_inode(file);
	struct defpager_object *object = defpager_object(inode);
	loff_t size = i_size_read(inode);
	pgoff_t last, index;

	if (offset < 0 || offset >= size)
		return -ENXIO;
	last = (size - 1) >> PAGE_SHIFT;
	index = defpager_map_next(&object->map, offset >> PAGE_SHIFT, last,
				  data);
	if (index > last && data)
		return -ENXIO;
	if (index > last)
		offset = size;
	else
		offset = max(offset, (loff_t)index << PAGE_SHIFT);
	return vfs_setpos(file, offset, inode->i_sb->s_maxbytes);
}

static loff_t defpager_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek_size(file, offset, whence,
						inode->i_sb->s_maxbytes,
						i_size_read(inode));
	inode_lock_shared(inode);
	ret = defpager_seek_extent(file, offset, whence == SEEK_DATA);
	inode_unlock_shared(inode);
	return ret;
}

static int defpager_mmap(struct file *file, struct vm_area_struct *vma)
{
	int ret = defpager_seal_check_mmap(defpager_object(file_inode(file)),
					   vma);

	if (ret)
		return ret;
	file_accessed(file);
	vma->vm_ops = &defpager_vm_ops;
	/* Where readahead of this mapping stands, see readahead.c. */
	vma->vm_private_data = NULL;
	return 0;
}

/* There is nothing that could persist, so everything has. */
static int defpager_fsync(struct file *file, loff_t start, loff_t end,
			  int datasync)
{
	return 0;
}

static void defpager_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct defpager_object_info info;

	defpager_object_fill_info(defpager_object(file_inode(file)), &info);
	seq_printf(m, "defpager-id:\t%llu\n", info.id);
	seq_printf(m, "defpager-name:\t%s\n", info.name);
	seq_printf(m, "defpager-store:\t%s\n", info.backing_store);
	seq_printf(m, "defpager-size:\t%llu\n", info.object_size);
	seq_printf(m, "defpager-resident:\t%llu\n", info.resident_bytes);
	seq_printf(m, "defpager-stored:\t%llu\n", info.stored_bytes);
	seq_printf(m, "defpager-reserved:\t%llu\n", info.reserved_bytes);
	seq_printf(m, "defpager-seals:\t%#x\n",
		   READ_ONCE(defpager_object(file_inode(file))->seals));
}

/* The file that an object was created with gives back the mount. */
static int defpager_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		defpager_mount_put();
	return 0;
}

const struct file_operations defpager_object_fops = {
	.owner		= THIS_MODULE,
	.llseek		= defpager_llseek,
	.read_iter	= defpager_read_iter,
	.write_iter	= defpager_write_iter,
	.splice_read	= defpager_splice_read,
	.splice_write	= iter_file_splice_write,
	.mmap		= defpager_mmap,
	.fsync		= defpager_fsync,
	.fallocate	= defpager_fallocate,
	.fadvise	= defpager_fadvise,
	.release	= defpager_release,
	.unlocked_ioctl	= defpager_object_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= defpager_show_fdinfo,
};

static int defpager_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			    struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int ret;

	ret = setattr_prepare(idmap, dentry, attr);
	if (ret)
		return ret;
	if (attr->ia_valid & ATTR_SIZE) {
		if (attr->ia_size > defpager_object(inode)->max_size)
			return -EFBIG;
		ret = defpager_resize(inode, attr->ia_size);
		if (ret)
			return ret;
	}
	if (attr->ia_valid & ATTR_UID)
		ret = defpager_chown(defpager_object(inode),
				     from_vfsuid(idmap, i_user_ns(inode),
						 attr->ia_vfsuid));
	if (!ret)
		setattr_copy(idmap, inode, attr);
	return ret;
}

static int defpager_getattr(struct mnt_idmap *idmap, const struct path *path,
			    struct kstat *stat, u32 request_mask,
			    unsigned int query_flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct defpager_object *object = defpager_object(inode);

	compat_fillattr(idmap, request_mask, inode, stat);
	/* A resident-only object is promised nothing, but takes memory. */
	stat->blocks = max_t(u64, READ_ONCE(object->promised),
			     atomic_long_read(&object->map.reserved)) <<
		       (PAGE_SHIFT - SECTOR_SHIFT);
	return 0;
}

const struct inode_operations defpager_object_iops = {
	.setattr	= defpager_setattr,
	.getattr	= defpager_getattr,
};
