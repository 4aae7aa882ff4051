// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block layer's side of page-out and page-in.
 *
 * What happens on an error:
 *
 *  - The bio goes to a worker, which has process context and may take its
 *    time, and each folio of it is tried again alone.  So an error concerns
 *    the pages it concerns, and not their neighbours in the same request.
 *  - A page that cannot be written gets another slot, and the bad one is
 *    retired.  If a few others cannot be written either, it stays dirty in
 *    memory, where reclaim asks for it again some day.
 *  - A page that cannot be read, or is not what was written, is left not
 *    uptodate, and is an error for whoever wants it, each time.
 *
 * Until its I/O has ended, a folio being written has PG_writeback and one
 * being read is locked; either keeps truncation, and so the end of its object,
 * away, and gives the right to change its map entry.  After that, neither
 * folio nor object may be looked at.
 *
 * So an object may be gone while the end of its last bio is still being
 * handled, and nothing else keeps the module.  Hence bios are counted, and
 * unloading waits for them; see defpager_bio_exit().
 */
#include <linux/bio.h>
#include <linux/completion.h>
#include <linux/llist.h>
#include <linux/pagemap.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include "defpager.h"
#include "trace.h"

/* Slots tried for a page before it is left in memory. */
#define DEFPAGER_WRITE_TRIES	4

struct defpager_bio {
	struct llist_node failed;
	struct defpager_segment *segment;
	u64 slot;			/* of the first folio */
	pgoff_t index;			/* likewise */
	unsigned long object;		/* likewise: inode number */
	unsigned int pages;
	struct work_struct unprotect;	/* of what was read */
	struct bio bio;			/* last: its vectors follow */
};

static struct bio_set defpager_bioset;
static struct workqueue_struct *defpager_error_wq;
static struct workqueue_struct *defpager_unprotect_wq;
static LLIST_HEAD(defpager_failed_bios);

/* One reference for each bio, and one until the module is unloaded. */
static struct percpu_ref defpager_bios;
static DECLARE_COMPLETION(defpager_bios_gone);

static struct defpager_bio *defpager_bio_of(struct bio *bio)
{
	return container_of(bio, struct defpager_bio, bio);
}

/*
 * The last thing that is done for a bio.  From here on the module may be about
 * to be unloaded: return, and neither sleep nor take a lock that may.
 */
static void defpager_bio_done(struct bio *bio)
{
	bio_put(bio);
	percpu_ref_put(&defpager_bios);
}

/* The folio of a page that was written.  If that is a bounce page, it goes. */
static struct folio *defpager_bio_folio(struct bio *bio, struct folio *folio)
{
	struct page *page = folio_page(folio, 0);

	if (!op_is_write(bio_op(bio)) ||
	    !defpager_encrypts(defpager_bio_of(bio)->segment->store))
		return folio;
	folio = (struct folio *)page_private(page);
	defpager_bounce_free(page);
	return folio;
}

/* One page, and wait. */
static int defpager_page_sync(struct defpager_segment *segment, u64 slot,
			      struct page *page, blk_opf_t opf)
{
	struct bio_vec bvec;
	struct bio bio;
	int ret;

	bio_init(&bio, segment->bdev, &bvec, 1, opf);
	bio.bi_iter.bi_sector = defpager_segment_sector(segment, slot);
	__bio_add_page(&bio, page, PAGE_SIZE, 0);
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return ret;
}

static int defpager_write_sync(struct folio *folio, u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);
	struct page *page;
	int ret;

	page = defpager_protect(segment->store, folio, GFP_NOIO);
	if (IS_ERR(page))
		return PTR_ERR(page);
	ret = defpager_page_sync(segment, slot, page, REQ_OP_WRITE);
	if (page != folio_page(folio, 0))
		defpager_bounce_free(page);
	if (ret) {
		defpager_count(DEFPAGER_WRITE_ERRORS, 1);
		atomic64_inc(&segment->write_errors);
		pr_err_ratelimited("%pg: cannot write sector %llu\n",
				   segment->bdev,
				   (u64)defpager_segment_sector(segment, slot));
	}
	return ret;
}

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
static int __defpager_read_sync(struct folio *folio, u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);
	int ret;

	ret = defpager_page_sync(segment, slot, folio_page(folio, 0),
				 REQ_OP_READ);
	if (!ret && defpager_protects(segment->store))
		ret = defpager_unprotect(segment->store, folio);
	if (ret) {
		defpager_read_error(segment, slot, ret == -EBADMSG);
		return -EIO;
	}
	folio_mark_uptodate(folio);
	return 0;
}

/*
 * A folio whose write failed, with PG_writeback still set.
 *
 * That a slot is bad, and not the device, its path or what lies beneath, is
 * known only when another slot can be written.  Otherwise all of them stay in
 * use, so that a store comes back with its device.
 */
static void defpager_write_again(struct folio *folio, u64 slot)
{
	struct defpager_object *object = defpager_object(folio->mapping->host);
	u64 failed[DEFPAGER_WRITE_TRIES];
	unsigned int i, nr = 0;

	while (slot != DEFPAGER_NO_SLOT &&
	       defpager_write_sync(folio, slot)) {
		failed[nr++] = slot;
		slot = nr == DEFPAGER_WRITE_TRIES ? DEFPAGER_NO_SLOT :
		       defpager_slot_alloc(object, folio->index,
					   DEFPAGER_NO_SLOT);
	}
	/* If memory has the only copy, say so before reclaim looks. */
	if (slot == DEFPAGER_NO_SLOT)
		folio_set_checked(folio);
	/* Never from slot to slot: who looks in between may see neither. */
	if (nr)
		defpager_map_set(&object->map, folio->index,
				 DEFPAGER_ENTRY_RESERVED);
	if (nr && slot != DEFPAGER_NO_SLOT)
		defpager_map_set(&object->map, folio->index, slot);
	for (i = 0; i < nr; i++)
		if (slot == DEFPAGER_NO_SLOT)
			defpager_slot_free(object, failed[i]);
		else
			defpager_slot_retire(object, failed[i]);
	defpager_writeback_end(folio);
}

/* A folio whose read failed, still locked. */
static void defpager_read_again(struct folio *folio, u64 slot)
{
	__defpager_read_sync(folio, slot);
	folio_unlock(folio);
}

static void defpager_bio_again(struct bio *bio)
{
	bool write = op_is_write(bio_op(bio));
	u64 slot = defpager_bio_of(bio)->slot;
	struct folio_iter fi;
	unsigned int nr = 0;

	bio_for_each_folio_all(fi, bio) {
		unsigned long pages = fi.length >> PAGE_SHIFT;

		if (write)
			defpager_write_again(defpager_bio_folio(bio, fi.folio),
					     slot);
		else
			defpager_read_again(fi.folio, slot);
		slot += pages;
		nr += pages;
	}
	if (write)
		defpager_writeback_progress(nr);
	defpager_bio_done(bio);
}

static void defpager_error_work_fn(struct work_struct *work)
{
	unsigned int noreclaim = memalloc_noreclaim_save();
	struct defpager_bio *dbio, *next;

	llist_for_each_entry_safe(dbio, next,
				  llist_del_all(&defpager_failed_bios), failed)
		defpager_bio_again(&dbio->bio);
	memalloc_noreclaim_restore(noreclaim);
}

static DECLARE_WORK(defpager_error_work, defpager_error_work_fn);

/* Before the folios are let go: the segment may be removed then. */
static void defpager_bio_landed(struct bio *bio)
{
	struct defpager_bio *dbio = defpager_bio_of(bio);

	atomic64_sub(dbio->pages, &dbio->segment->in_flight);
}

/* From here the bio, and its reference, belong to the worker. */
static void defpager_bio_failed(struct bio *bio)
{
	llist_add(&defpager_bio_of(bio)->failed, &defpager_failed_bios);
	queue_work(defpager_error_wq, &defpager_error_work);
}

static void defpager_write_end_io(struct bio *bio)
{
	struct folio_iter fi;
	unsigned int nr = 0;

	defpager_bio_landed(bio);
	if (bio->bi_status) {
		defpager_bio_failed(bio);
		return;
	}
	bio_for_each_folio_all(fi, bio) {
		nr += fi.length >> PAGE_SHIFT;
		defpager_writeback_end(defpager_bio_folio(bio, fi.folio));
	}
	defpager_writeback_progress(nr);
	defpager_bio_done(bio);
}

/* Verify and decrypt, outside of interrupts, what was read. */
static void defpager_unprotect_work(struct work_struct *work)
{
	struct defpager_bio *dbio = container_of(work, struct defpager_bio,
						 unprotect);
	struct defpager_store *store = dbio->segment->store;
	u64 slot = dbio->slot;
	struct folio_iter fi;

	bio_for_each_folio_all(fi, &dbio->bio) {
		/* Alone, once more: it may have been the path. */
		if (defpager_unprotect(store, fi.folio)) {
			defpager_read_again(fi.folio, slot);
		} else {
			folio_mark_uptodate(fi.folio);
			folio_unlock(fi.folio);
		}
		slot++;
	}
	defpager_bio_done(&dbio->bio);
}

static void defpager_read_end_io(struct bio *bio)
{
	struct folio_iter fi;

	defpager_bio_landed(bio);
	if (bio->bi_status) {
		defpager_bio_failed(bio);
		return;
	}
	if (defpager_protects(defpager_bio_of(bio)->segment->store)) {
		INIT_WORK(&defpager_bio_of(bio)->unprotect,
			  defpager_unprotect_work);
		queue_work(defpager_unprotect_wq,
			   &defpager_bio_of(bio)->unprotect);
		return;
	}
	bio_for_each_folio_all(fi, bio) {
		folio_mark_uptodate(fi.folio);
		folio_unlock(fi.folio);
	}
	defpager_bio_done(bio);
}

/* @expected: how many folios are likely to come, to size the bios. */
void defpager_io_init(struct defpager_io *io, blk_opf_t opf,
		      unsigned int expected)
{
	*io = (struct defpager_io) { .opf = opf, .expected = expected };
}

/* A request that is about to be made. */
static void defpager_io_count(struct defpager_segment *segment, blk_opf_t opf,
			      unsigned int pages)
{
	unsigned int size = min(ilog2(pages), DEFPAGER_REQUEST_SIZES - 1);

	if (op_is_write(opf)) {
		defpager_count(DEFPAGER_WRITES, 1);
		defpager_count(DEFPAGER_PAGES_OUT, pages);
		defpager_count(DEFPAGER_WRITE_SIZES + size, 1);
		atomic64_add(pages, &segment->pages_out);
	} else {
		defpager_count(DEFPAGER_READS, 1);
		defpager_count(DEFPAGER_PAGES_IN, pages);
		defpager_count(DEFPAGER_READ_SIZES + size, 1);
		atomic64_add(pages, &segment->pages_in);
	}
}

void defpager_io_submit(struct defpager_io *io)
{
	struct bio *bio = io->bio;
	struct defpager_segment *segment = io->segment;
	struct defpager_bio *dbio;
	unsigned int pages;

	if (!bio)
		return;
	io->bio = NULL;
	dbio = defpager_bio_of(bio);
	pages = bio->bi_iter.bi_size >> PAGE_SHIFT;
	dbio->pages = pages;
	defpager_io_count(segment, io->opf, pages);
	if (op_is_write(io->opf))
		trace_defpager_pageout(dbio->object, dbio->index, pages,
				       segment, dbio->slot);
	else
		trace_defpager_pagein(dbio->object, dbio->index, pages,
				      segment, dbio->slot);
	atomic64_add(pages, &segment->in_flight);
	submit_bio(bio);
}

static bool defpager_io_append(struct defpager_io *io,
			       struct defpager_segment *segment,
			       struct page *page, u64 slot)
{
	if (!io->bio || slot != io->next_slot || segment != io->segment)
		return false;
	return bio_add_page(io->bio, page, PAGE_SIZE, 0) == PAGE_SIZE;
}

static void defpager_io_start(struct defpager_io *io,
			      struct defpager_segment *segment,
			      struct page *page, u64 slot)
{
	unsigned short vecs = clamp(io->expected, 1U, (unsigned int)BIO_MAX_VECS);
	struct bio *bio;

	/* From a mempool: waits for bios in flight if it must, never fails. */
	bio = bio_alloc_bioset(segment->bdev, vecs, io->opf, GFP_NOIO,
			       &defpager_bioset);
	percpu_ref_get(&defpager_bios);
	bio->bi_iter.bi_sector = defpager_segment_sector(segment, slot);
	bio->bi_end_io = op_is_write(io->opf) ? defpager_write_end_io :
						defpager_read_end_io;
	__bio_add_page(bio, page, PAGE_SIZE, 0);
	defpager_bio_of(bio)->segment = segment;
	defpager_bio_of(bio)->slot = slot;
	io->segment = segment;
	io->bio = bio;
}

/* What to write for a folio, or where to read it to. */
static struct page *defpager_io_page(struct defpager_io *io,
				     struct defpager_store *store,
				     struct folio *folio)
{
	struct page *page = folio_page(folio, 0);

	if (!op_is_write(io->opf) || !defpager_protects(store))
		return page;
	page = defpager_protect(store, folio, GFP_NOWAIT | __GFP_NOWARN);
	if (page != ERR_PTR(-ENOMEM))
		return page;
	/* Before waiting for bounce pages let those go that we have. */
	defpager_io_submit(io);
	return defpager_protect(store, folio, GFP_NOIO);
}

/* A folio cannot even be prepared to be written: it stays as it was. */
static void defpager_io_refuse(struct folio *folio)
{
	folio_set_checked(folio);
	defpager_writeback_end(folio);
	defpager_writeback_progress(folio_nr_pages(folio));
}

/**
 * defpager_io_add() - start the I/O of a folio
 * @io: a stream
 * @folio: of one page; to write: with PG_writeback set; to read: locked
 * @slot: where to
 *
 * From here @folio belongs to the I/O.  It is on its way after the next
 * defpager_io_submit() at the latest.
 */
void defpager_io_add(struct defpager_io *io, struct folio *folio, u64 slot)
{
	struct defpager_segment *segment = defpager_segment_of(slot);
	struct page *page = defpager_io_page(io, segment->store, folio);

	if (IS_ERR(page)) {
		defpager_io_refuse(folio);
		return;
	}
	if (!defpager_io_append(io, segment, page, slot)) {
		defpager_io_submit(io);
		defpager_io_start(io, segment, page, slot);
		defpager_bio_of(io->bio)->object = folio->mapping->host->i_ino;
		defpager_bio_of(io->bio)->index = folio->index;
	}
	io->next_slot = slot + 1;
	io->expected -= min(io->expected, 1U);
}

/* Read a locked folio, and wait. */
int defpager_read_sync(struct folio *folio, u64 slot)
{
	defpager_io_count(defpager_segment_of(slot), REQ_OP_READ,
			  folio_nr_pages(folio));
	return __defpager_read_sync(folio, slot);
}

static void defpager_bios_release(struct percpu_ref *ref)
{
	complete(&defpager_bios_gone);
}

int __init defpager_bio_init(void)
{
	int ret;

	ret = percpu_ref_init(&defpager_bios, defpager_bios_release, 0,
			      GFP_KERNEL);
	if (ret)
		return ret;
	ret = -ENOMEM;
	defpager_error_wq = alloc_workqueue("defpager_error",
					    WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!defpager_error_wq)
		goto err_bios;
	defpager_unprotect_wq = alloc_workqueue("defpager_unprotect",
						WQ_MEM_RECLAIM | WQ_UNBOUND |
						WQ_HIGHPRI, 0);
	if (!defpager_unprotect_wq)
		goto err_wq;
	ret = bioset_init(&defpager_bioset, BIO_POOL_SIZE,
			  offsetof(struct defpager_bio, bio),
			  BIOSET_NEED_BVECS);
	if (ret)
		goto err_unprotect_wq;
	return 0;

err_unprotect_wq:
	destroy_workqueue(defpager_unprotect_wq);
err_wq:
	destroy_workqueue(defpager_error_wq);
err_bios:
	percpu_ref_exit(&defpager_bios);
	return ret;
}

/*
 * No folio is in flight, but the ends of bios may be being handled, which is
 * to run this module's code.  Once all bios are gone, what is left of that is
 * the way out of end_io: from the last percpu_ref_put(), or from queue_work(),
 * if the error worker has taken the bio over.  Nothing there gives up the
 * processor, all locks being raw ones.
 *
 * Who calls end_io is not ours to choose, and holds nothing for it: a driver
 * may complete bios in a thread of its own (dm-crypt, loop), and closing the
 * device or freezing its queue waits for requests, but not for what bio-based
 * drivers do.  So wait for the way out itself, before anything is destroyed:
 *
 *  - In an interrupt, or with preemption disabled, it is over after a grace
 *    period of RCU.
 *  - In a thread it may be preempted, which RCU is content with.  It is over
 *    when the thread gives up the processor by itself, and a grace period of
 *    tasks RCU is for this to have happened to all threads.
 *
 * A kernel without tasks RCU, where the second is the same as the first, is one
 * without preemption, or one that has neither ftrace, kprobes nor BPF.  There a
 * thread is missed which is preempted at the very end and gets no processor
 * for the length of a grace period.
 */
void defpager_bio_exit(void)
{
	percpu_ref_kill(&defpager_bios);
	wait_for_completion(&defpager_bios_gone);
	synchronize_rcu();
	synchronize_rcu_tasks();
	destroy_workqueue(defpager_unprotect_wq);
	destroy_workqueue(defpager_error_wq);
	bioset_exit(&defpager_bioset);
	percpu_ref_exit(&defpager_bios);
}
