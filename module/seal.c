// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seals: what nobody may do to an object any more.
 *
 * The meaning is memfd's.  Seals are only added, under i_rwsem, which writing,
 * resizing and fallocate() hold while they look at them.  ->mmap does not hold
 * it.  A seal against writing needs that no shared mapping can be written to,
 * none that exists and none that is coming:
 *
 *	mapping_deny_writable()			mapping_map_writable()
 *	  fails if a mapping counts		  fails while denied
 *	sets the seal				->mmap looks at the seal
 *	mapping_allow_writable()		counts if it may be written to
 *
 * So a mapping that did not see the seal was counted, and one that was not
 * sees it.  memfd leaves writing denied.  Here it is allowed again once the
 * seal is there, because mapping_map_writable() would refuse every shared
 * mapping made through a descriptor open for writing, even those for reading:
 * the kernel knows to look at a memfd's seals before, but not at ours.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "defpager.h"

#define DEFPAGER_ALL_SEALS	(DEFPAGER_SEAL_SEAL | DEFPAGER_SEAL_SHRINK | \
				 DEFPAGER_SEAL_GROW | DEFPAGER_SEAL_WRITE | \
				 DEFPAGER_SEAL_FUTURE_WRITE)

/*
 * Waits for those who hold pages: each twice as long as the one before, 0.6
 * seconds in all.  memfd does not wait as long, but has no page-out worker
 * that holds pages for a moment.
 */
#define DEFPAGER_SEAL_WAITS	6

/* The first page from @index on that somebody has a reference of. */
static pgoff_t defpager_held(struct address_space *mapping, pgoff_t index)
{
	XA_STATE(xas, &mapping->i_pages, index);
	unsigned int tick = 0;
	struct folio *folio;

	xas_lock_irq(&xas);
	xas_for_each(&xas, folio, ULONG_MAX) {
		if (!xa_is_value(folio) && defpager_folio_held(folio))
			break;
		if (++tick % XA_CHECK_SCHED)
			continue;
		xas_pause(&xas);
		xas_unlock_irq(&xas);
		cond_resched();
		xas_lock_irq(&xas);
	}
	index = folio ? folio->index : ULONG_MAX;
	xas_unlock_irq(&xas);
	return index;
}

/*
 * Wait until nobody has a reference which is from before writable mappings were
 * denied, and might still be used to write.  There come no new ones of this
 * kind, so that each page is looked at until it has none, once.
 */
static int defpager_wait_for_holders(struct file *file)
{
	struct address_space *mapping = file->f_mapping;
	unsigned int waits = 0;
	pgoff_t index = 0;

	while ((index = defpager_held(mapping, index)) != ULONG_MAX) {
		if (waits > DEFPAGER_SEAL_WAITS)
			return -EBUSY;
		/* Most likely it is in a list of some CPU. */
		defpager_drain_lru(file, index);
		if (waits && schedule_timeout_killable((HZ << waits) / 200))
			return -EBUSY;
		waits++;
	}
	return 0;
}

static int defpager_seal_write(struct file *file, u32 add)
{
	struct defpager_object *object = defpager_object(file_inode(file));
	int ret = mapping_deny_writable(file->f_mapping);

	if (ret)
		return ret;
	ret = defpager_wait_for_holders(file);
	if (!ret)
		WRITE_ONCE(object->seals, object->seals | add);
	smp_mb__before_atomic(); /* the seal before mappings are possible */
	mapping_allow_writable(file->f_mapping);
	return ret;
}

/**
 * defpager_object_seal() - add seals to an object
 * @file: a descriptor of it
 * @add: enum defpager_seals, not 0
 *
 * Context: sleeps.
 * Return: 0 or a negative errno, see &struct defpager_object_seal.
 */
int defpager_object_seal(struct file *file, u32 add)
{
	struct inode *inode = file_inode(file);
	struct defpager_object *object = defpager_object(inode);
	int ret = 0;

	if (add & ~DEFPAGER_ALL_SEALS)
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	inode_lock(inode);
	if (object->seals & DEFPAGER_SEAL_SEAL)
		ret = -EPERM;
	else if (add & ~object->seals & DEFPAGER_SEAL_WRITE)
		ret = defpager_seal_write(file, add);
	else
		WRITE_ONCE(object->seals, object->seals | add);
	inode_unlock(inode);
	return ret;
}

/* Called by ->mmap: what is shared may be read, and not made writable. */
int defpager_seal_check_mmap(struct defpager_object *object,
			     struct vm_area_struct *vma)
{
	if (!(READ_ONCE(object->seals) &
	      (DEFPAGER_SEAL_WRITE | DEFPAGER_SEAL_FUTURE_WRITE)) ||
	    !(vma->vm_flags & VM_SHARED))
		return 0;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE);
	return 0;
}
