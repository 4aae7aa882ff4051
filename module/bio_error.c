// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens when the block layer reports an error.
 *
 *  - The bio goes to a worker, which has process context and may take its
 *    time, and each folio of it is tried again alone.  So an error concerns
 *    the pages it concerns, and not their neighbours in the same request.
 *  - A slot that cannot be written is retired, and its page gets another one,
 *    wherever it is the turn; then on other segments, if there are any.  If a
 *    few of them cannot be written either, or there is none, the page is dirty
 *    again and stays in memory, where reclaim asks for it some time later.
 *  - A page that cannot be read, or is not what was written, is left not
 *    uptodate, and is an error for whoever wants it: see unreadable.c.
 *
 * When it is the segment that fails rather than a slot is decided in fail.c.
 * Nothing is tried again on one that does, so that a device which takes long to
 * fail does so a few times only.  Each bio has a work of its own: as long as
 * there are not DEFPAGER_ERROR_WORKERS of them, those of other devices do not
 * wait for it.  Reads do not make a segment fail, and may take long one by one,
 * so that they have workers of their own; and so has the probe that brings a
 * segment back.  Nobody else waits either, because a page whose first write has
 * failed is no longer counted among those in flight.
 */
#include <linux/blkdev.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>

#include "bio.h"

/* Slots tried for a page before it is left in memory. */
#define DEFPAGER_WRITE_TRIES	8

/* Bios dealt with at a time. */
#define DEFPAGER_ERROR_WORKERS	DEFPAGER_FAILURES_MORE

static struct workqueue_struct *defpager_write_error_wq;
static struct workqueue_struct *defpager_read_error_wq;
struct workqueue_struct *defpager_probe_wq;

/* Does an error mean that the device does not, or cannot be made to, answer? */
static bool defpager_error_dead(int ret)
{
	return ret == -ENODEV || ret == -ETIMEDOUT || ret == -ENOLINK;
}

/* --- writing -------------------------------------------------------------- */

/* Return: 0; -ECANCELED if that was not the device's fault; or another error. */
static int defpager_write_sync(struct folio *folio, u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);
	struct page *page;
	int ret;

	page = defpager_protect(segment->store, folio, GFP_NOIO);
	if (IS_ERR(page))
		return -ECANCELED;
	defpager_io_count(segment, REQ_OP_WRITE, 1);
	ret = defpager_page_sync(segment, slot, page, REQ_OP_WRITE | REQ_SYNC);
	if (page != folio_page(folio, 0))
		defpager_bounce_free(page);
	if (!ret)
		defpager_write_succeeded(segment);
	return ret;
}

/* For a page whose write failed: alone, to the same slot. */
static int defpager_write_alone(struct folio *folio, u64 slot)
{
	if (defpager_failing(defpager_segment_of(slot)))
		return -EIO;
	return defpager_write_sync(folio, slot);
}

static void defpager_write_error(struct defpager_segment *segment, u64 slot)
{
	defpager_count(DEFPAGER_WRITE_ERRORS, 1);
	atomic64_inc(&segment->write_errors);
	pr_err_ratelimited("%pg: cannot write sector %llu\n", segment->bdev,
			   (u64)defpager_segment_sector(segment, slot));
}

/* It was not the slot's fault. */
static bool defpager_write_no_fault(int ret)
{
	return ret == -ECANCELED || ret == -ENOMEM;
}

/*
 * Give up a slot that could not be written.
 * Return: its segment, which may be gone.
 */
static struct defpager_segment *
defpager_write_give_up(struct defpager_object *object, pgoff_t index, u64 slot,
		       int ret)
{
	struct defpager_segment *segment = defpager_segment_of(slot);

	if (!defpager_write_no_fault(ret))
		defpager_write_error(segment, slot);
	/* Never from slot to slot: who looks in between may see neither. */
	defpager_map_set(&object->map, index, DEFPAGER_ENTRY_RESERVED);
	if (defpager_write_no_fault(ret) || defpager_failing(segment))
		defpager_slot_free(object, slot);
	else
		defpager_slot_retire(object, slot, defpager_error_dead(ret));
	return segment;
}

/* Another slot, for a page that so many could not be written of. */
static u64 defpager_write_elsewhere(struct defpager_object *object,
				    pgoff_t index, unsigned int tries,
				    struct defpager_segment *avoid)
{
	u64 slot = DEFPAGER_NO_SLOT;

	if (tries == DEFPAGER_WRITE_TRIES)
		return slot;
	if (tries > 1)
		slot = defpager_slot_alloc_other(object, index, avoid);
	if (slot == DEFPAGER_NO_SLOT)
		slot = defpager_slot_alloc(object, index, DEFPAGER_NO_SLOT);
	return slot;
}

/*
 * A folio whose write failed, with PG_writeback still set.  @ret is not 0 if it
 * is hopeless to try it alone.
 */
static void defpager_write_again(struct folio *folio, u64 slot, int ret)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);
	struct defpager_segment *segment;
	pgoff_t index = folio->index;
	unsigned int tries = 0;

	if (!ret)
		ret = defpager_write_alone(folio, slot);
	while (ret) {
		segment = defpager_write_give_up(object, index, slot, ret);
		slot = DEFPAGER_NO_SLOT;
		if (ret != -ECANCELED)
			slot = defpager_write_elsewhere(object, index, ++tries,
							segment);
		if (slot == DEFPAGER_NO_SLOT)
			break;
		ret = defpager_write_sync(folio, slot);
	}
	/* If memory has the only copy, say so before reclaim looks. */
	if (slot == DEFPAGER_NO_SLOT)
		folio_set_checked(folio);
	else if (tries)
		defpager_map_set(&object->map, index, slot);
	defpager_writeback_end(folio);
}

/* --- reading -------------------------------------------------------------- */

static void defpager_read_error(struct defpager_segment *segment, u64 slot,
				bool changed)
{
	defpager_count(DEFPAGER_READ_ERRORS, 1);
	atomic64_inc(&segment->read_errors);
	if (changed) {
		defpager_count(DEFPAGER_CHECKSUM_ERRORS, 1);
		atomic64_inc(&segment->checksum_errors);
	}
	pr_err_ratelimited("%pg: %s sector %llu\n", segment->bdev,
			   changed ? "not what was written:" : "cannot read",
			   (u64)defpager_segment_sector(segment, slot));
}

/* @folio is uptodate afterwards, or it is an error. */
static int defpager_read_try(struct folio *folio, u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);
	int ret;

	defpager_io_count(segment, REQ_OP_READ, 1);
	ret = defpager_page_sync(segment, slot, folio_page(folio, 0),
				 REQ_OP_READ | REQ_SYNC);
	if (!ret && defpager_protects(segment->store))
		ret = defpager_unprotect(segment->store, folio);
	if (!ret)
		folio_mark_uptodate(folio);
	return ret;
}

/*
 * Reading a locked folio has failed in the end.  That is so for good if it is
 * the page's fault, as far as one can tell.
 */
static void defpager_read_give_up(u64 slot, int ret)
{
	struct defpager_segment *segment = defpager_segment_of(slot);

	defpager_read_error(segment, slot, ret == -EBADMSG);
	if (!defpager_look_gone(segment) && !defpager_failing(segment) &&
	    !defpager_error_dead(ret) && ret != -ENOMEM)
		defpager_unreadable_add(slot);
}

/* Once more, alone: it may have been a neighbour, or the path. */
static int defpager_read_alone(struct folio *folio, u64 slot, int ret)
{
	if (!ret)
		ret = defpager_read_try(folio, slot);
	if (ret)
		defpager_read_give_up(slot, ret);
	return ret;
}

/**
 * defpager_read_again() - deal with a folio whose read failed
 * @folio: the folio, still locked
 * @slot: its slot
 * @ret: not 0 if it is hopeless to try it alone
 *
 * Context: sleeps.
 */
void defpager_read_again(struct folio *folio, u64 slot, int ret)
{
	defpager_read_alone(folio, slot, ret);
	folio_unlock(folio);
}

/* Read a locked folio, and wait. */
int defpager_read_sync(struct folio *folio, u64 slot)
{
	int ret;

	if (defpager_unreadable(slot))
		return -EIO;
	ret = defpager_read_try(folio, slot);
	if (!ret)
		return 0;
	ret = defpager_error_dead(ret) ? ret : 0;
	return defpager_read_alone(folio, slot, ret) ? -EIO : 0;
}

/* --- both ----------------------------------------------------------------- */

static void defpager_bio_again(struct work_struct *work)
{
	struct defpager_bio *dbio = container_of(work, struct defpager_bio,
						 work);
	unsigned int noreclaim = memalloc_noreclaim_save();
	int ret = blk_status_to_errno(dbio->bio.bi_status);
	bool write = op_is_write(bio_op(&dbio->bio));
	u64 slot = dbio->slot;
	struct folio_iter fi;
	struct folio *folio;

	if (!defpager_error_dead(ret))
		ret = 0;
	bio_for_each_folio_all(fi, &dbio->bio) {
		folio = defpager_bio_folio(&dbio->bio, fi.folio);
		if (write)
			defpager_write_again(folio, slot++, ret);
		else
			defpager_read_again(folio, slot++, ret);
	}
	defpager_bio_done(&dbio->bio);
	memalloc_noreclaim_restore(noreclaim);
}

/* From here the bio, and its reference, belong to the worker. */
void defpager_bio_failed(struct bio *bio)
{
	struct defpager_bio *dbio = defpager_bio_of(bio);

	INIT_WORK(&dbio->work, defpager_bio_again);
	queue_work(op_is_write(bio_op(bio)) ? defpager_write_error_wq :
					      defpager_read_error_wq,
		   &dbio->work);
}

int __init defpager_bio_error_init(void)
{
	unsigned int flags = WQ_MEM_RECLAIM | WQ_UNBOUND;

	defpager_write_error_wq = alloc_workqueue("defpager_write_error", flags,
						  DEFPAGER_ERROR_WORKERS);
	if (!defpager_write_error_wq)
		return -ENOMEM;
	defpager_read_error_wq = alloc_workqueue("defpager_read_error", flags,
						 DEFPAGER_ERROR_WORKERS);
	if (!defpager_read_error_wq)
		goto err_write;
	defpager_probe_wq = alloc_workqueue("defpager_probe", flags, 0);
	if (!defpager_probe_wq)
		goto err_read;
	return 0;

err_read:
	destroy_workqueue(defpager_read_error_wq);
err_write:
	destroy_workqueue(defpager_write_error_wq);
	return -ENOMEM;
}

void defpager_bio_error_exit(void)
{
	destroy_workqueue(defpager_probe_wq);
	destroy_workqueue(defpager_read_error_wq);
	destroy_workqueue(defpager_write_error_wq);
}
