/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels defpager builds for.  The other files
 * are written for the newest one; each entry below names the API and the
 * release that changed it, and goes when the kernels before that release do.
 */
#ifndef DEFPAGER_COMPAT_H
#define DEFPAGER_COMPAT_H

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/uio.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "defpager needs Linux 6.1 or later"
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0) && \
	LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
/*
 * From 6.7 on, a mapping that may be written to is counted after ->mmap has
 * looked at the seals, which it must not be, see seal.c.  6.12 put that right,
 * and nothing between these two has ever been tried.
 */
#error "defpager does not know this kernel: use 6.1 to 6.5, or 6.12 or later"
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
/* 6.3: ->setattr and its helpers take a mnt_idmap, not a user_namespace. */
#define mnt_idmap user_namespace

/* 6.3: the flags of a mapping are changed through helpers. */
static inline void compat_vm_flags_clear(struct vm_area_struct *vma,
					 vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#define vm_flags_clear compat_vm_flags_clear
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
/* 6.4: __filemap_get_folio() returns an error pointer, never NULL. */
static inline struct folio *
compat_filemap_get_folio(struct address_space *mapping, pgoff_t index,
			 int fgp_flags, gfp_t gfp)
{
	struct folio *folio;

	folio = __filemap_get_folio(mapping, index, fgp_flags, gfp);
	if (folio)
		return folio;
	return ERR_PTR(fgp_flags & FGP_CREAT ? -ENOMEM : -ENOENT);
}
#define __filemap_get_folio compat_filemap_get_folio
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* 6.5: splicing from the page cache got a function of its own. */
#define filemap_splice_read generic_file_splice_read
#define copy_splice_read generic_file_splice_read
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
/* 6.6: the three times of an inode are set through helpers. */
static inline struct timespec64 compat_inode_init_ts(struct inode *inode)
{
	struct timespec64 now = current_time(inode);

	inode->i_atime = now;
	inode->i_mtime = now;
	inode->i_ctime = now;
	return now;
}
#define simple_inode_init_ts compat_inode_init_ts

static inline void compat_inode_touch(struct inode *inode)
{
	inode->i_mtime = current_time(inode);
	inode->i_ctime = inode->i_mtime;
}

/* 6.6: generic_fillattr() is told what is asked for. */
#define compat_fillattr(idmap, mask, inode, stat) \
	generic_fillattr(idmap, inode, stat)
#else
#define compat_fillattr generic_fillattr

static inline void compat_inode_touch(struct inode *inode)
{
	inode_set_mtime_to_ts(inode, inode_set_ctime_current(inode));
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
/* 6.7: copying from an iterator into the page cache takes a folio. */
static inline size_t compat_copy_folio_from_iter(struct folio *folio,
						 size_t offset, size_t bytes,
						 struct iov_iter *from)
{
	struct page *page = folio_page(folio, offset >> PAGE_SHIFT);

	return copy_page_from_iter_atomic(page, offset_in_page(offset), bytes,
					  from);
}
#define copy_folio_from_iter_atomic compat_copy_folio_from_iter
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
/* 6.8: ->error_remove_page() became ->error_remove_folio(). */
#define generic_error_remove_folio(mapping, folio) \
	generic_error_remove_page(mapping, folio_page(folio, 0))
#define DEFINE_COMPAT_ERROR_REMOVE_FOLIO(name)				\
	static int compat_##name(struct address_space *mapping,		\
				 struct page *page)			\
	{								\
		return name(mapping, page_folio(page));			\
	}
#define COMPAT_ERROR_REMOVE_FOLIO(name) .error_remove_page = compat_##name
#else
#define DEFINE_COMPAT_ERROR_REMOVE_FOLIO(name)
#define COMPAT_ERROR_REMOVE_FOLIO(name) .error_remove_folio = name
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
/* 6.5: the mode and the holder of a block device are told apart. */
#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE
static inline struct block_device *compat_bdev_get(dev_t dev, fmode_t mode,
						   void *holder)
{
	return blkdev_get_by_dev(dev, mode | FMODE_EXCL, holder);
}

static inline void compat_bdev_put(struct block_device *bdev, void *holder)
{
	blkdev_put(bdev, FMODE_READ | FMODE_WRITE | FMODE_EXCL);
}
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define compat_bdev_get(dev, mode, holder) \
	blkdev_get_by_dev(dev, mode, holder, NULL)
#define compat_bdev_put(bdev, holder)	blkdev_put(bdev, holder)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
/*
 * 6.9: a block device is opened as a file.  Before, the struct file pointer
 * here is a struct block_device pointer in disguise, which nobody but these
 * three looks at.
 */
#define bdev_file_open_by_dev(dev, mode, holder, hops) \
	((struct file *)compat_bdev_get(dev, mode, holder))
#define file_bdev(file)		((struct block_device *)(file))
#define bdev_fput(file) \
	compat_bdev_put(file_bdev(file), &defpager_segment_holder)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
/* 6.10: bdev_fput() gives up the claim at once, fput() a little later. */
#define bdev_fput(file)		fput(file)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
/* 6.10: a block device has its mapping instead of its inode. */
#define bd_mapping bd_inode->i_mapping

/* 6.10: folio_mapcount() is inline; before, it was not exported. */
static inline int compat_folio_mapcount(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(folio_test_large(folio), folio);
	return page_mapcount(folio_page(folio, 0));
}
#define folio_mapcount compat_folio_mapcount
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
/* 6.18: generic_delete_inode() was renamed. */
#define inode_just_drop generic_delete_inode
#endif

#endif /* DEFPAGER_COMPAT_H */
