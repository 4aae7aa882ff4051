// SPDX-License-Identifier: GPL-2.0-only
/*
 * The block layer's side of page-out and page-in.
 *
 * What happens on an error is in bio_error.c.
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
#include <linux/pagemap.h>
#include <linux/percpu-refcount.h>
#include <linux/rcupdate.h>

#include "bio.h"
#include "trace.h"

/*
 * Who reads may have bios that are not on their way yet, and reclaim memory for
 * the next page meanwhile, for which page-out needs bios: it has others.
 */
static struct bio_set defpager_read_bioset;
static struct bio_set defpager_write_bioset;
static struct workqueue_struct *defpager_unprotect_wq;

/* One reference for each bio, and one until the module is unloaded. */
static struct percpu_ref defpager_bios;
static DECLARE_COMPLETION(defpager_bios_gone);

/*
 * The last thing that is done for a bio.  From here on the module may be about
 * to be unloaded: return, and neither sleep nor take a lock that may.
 */
void defpager_bio_done(struct bio *bio)
{
	bio_put(bio);
	percpu_ref_put(&defpager_bios);
}

/* The folio of a page that was written.  If that is a bounce page, it goes. */
struct folio *defpager_bio_folio(struct bio *bio, struct folio *folio)
{
	struct page *page = folio_page(folio, 0);

	if (!op_is_write(bio_op(bio)) ||
	    !defpager_encrypts(defpager_bio_of(bio)->segment->store))
		return folio;
	folio = (struct folio *)page_private(page);
	defpager_bounce_free(page);
	return folio;
}

/*
 * Has I/O that succeeded gone to the wrong place?  What was written to a device
 * that is gone now is lost as well; what was read is not.
 */
static bool defpager_io_in_vain(struct defpager_segment *segment, blk_opf_t opf)
{
	return op_is_write(opf) ? defpager_device_gone(segment) :
				  defpager_medium_changed(segment);
}

/* One page, and wait. */
int defpager_page_sync(struct defpager_segment *segment, u64 slot,
		       struct page *page, blk_opf_t opf)
{
	struct bio_vec bvec;
	struct bio bio;
	int ret;

	if (unlikely(defpager_device_gone(segment)))
		return -ENODEV;
	bio_init(&bio, segment->bdev, &bvec, 1, opf);
	bio.bi_iter.bi_sector = defpager_segment_sector(segment, slot);
	__bio_add_page(&bio, page, PAGE_SIZE, 0);
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	if (!ret && unlikely(defpager_io_in_vain(segment, opf)))
		ret = -ENODEV;
	return ret;
}

/* Before the folios are let go: the segment may be removed then. */
static void defpager_bio_landed(struct bio *bio)
{
	struct defpager_bio *dbio = defpager_bio_of(bio);

	if (!bio->bi_status &&
	    unlikely(defpager_io_in_vain(dbio->segment, bio->bi_opf)))
		bio->bi_status = BLK_STS_OFFLINE;
	atomic64_sub(dbio->pages, &dbio->segment->in_flight);
}

static void defpager_write_end_io(struct bio *bio)
{
	struct folio_iter fi;
	unsigned int nr = 0;

	defpager_bio_landed(bio);
	if (bio->bi_status) {
		/* They may take long, and nobody is to wait for that. */
		defpager_writeback_progress(defpager_bio_of(bio)->pages);
		defpager_bio_failed(bio);
		return;
	}
	defpager_write_succeeded(defpager_bio_of(bio)->segment);
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
						 work);
	struct defpager_store *store = dbio->segment->store;
	u64 slot = dbio->slot;
	struct folio_iter fi;

	bio_for_each_folio_all(fi, &dbio->bio) {
		/* Alone, once more: it may have been the path. */
		if (defpager_unprotect(store, fi.folio)) {
			defpager_read_again(fi.folio, slot, 0);
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
		INIT_WORK(&defpager_bio_of(bio)->work, defpager_unprotect_work);
		queue_work(defpager_unprotect_wq, &defpager_bio_of(bio)->work);
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
void defpager_io_count(struct defpager_segment *segment, blk_opf_t opf,
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
	if (unlikely(defpager_device_gone(segment))) {
		bio->bi_status = BLK_STS_OFFLINE;
		bio_endio(bio);
	} else {
		submit_bio(bio);
	}
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
			       op_is_write(io->opf) ? &defpager_write_bioset :
						      &defpager_read_bioset);
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

static void defpager_bios_release(struct percpu_ref *ref)
{
	complete(&defpager_bios_gone);
}

static int __init defpager_bioset_init(struct bio_set *set)
{
	return bioset_init(set, BIO_POOL_SIZE,
			   offsetof(struct defpager_bio, bio),
			   BIOSET_NEED_BVECS);
}

static int __init defpager_biosets_init(void)
{
	int ret = defpager_bioset_init(&defpager_read_bioset);

	if (ret)
		return ret;
	ret = defpager_bioset_init(&defpager_write_bioset);
	if (ret)
		bioset_exit(&defpager_read_bioset);
	return ret;
}

int __init defpager_bio_init(void)
{
	int ret;

	ret = percpu_ref_init(&defpager_bios, defpager_bios_release, 0,
			      GFP_KERNEL);
	if (ret)
		return ret;
	ret = defpager_bio_error_init();
	if (ret)
		goto err_bios;
	ret = -ENOMEM;
	defpager_unprotect_wq = alloc_workqueue("defpager_unprotect",
						WQ_MEM_RECLAIM | WQ_UNBOUND |
						WQ_HIGHPRI, 0);
	if (!defpager_unprotect_wq)
		goto err_error;
	ret = defpager_biosets_init();
	if (ret)
		goto err_unprotect_wq;
	return 0;

err_unprotect_wq:
	destroy_workqueue(defpager_unprotect_wq);
err_error:
	defpager_bio_error_exit();
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
	defpager_bio_error_exit();
	bioset_exit(&defpager_write_bioset);
	bioset_exit(&defpager_read_bioset);
	percpu_ref_exit(&defpager_bios);
}
