// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-out: writing the folios that reclaim wants back.
 *
 * Reclaim asks by calling ->release_folio, which marks the folio wanted (the
 * TOWRITE mark of the page cache) and kicks the object's worker.  The worker
 * takes the wanted folios in the order of their index, gives each a slot and
 * writes them in bios as large as the slots allow.  When a write ends,
 * PG_reclaim moves the folio to where reclaim looks first, and there it is
 * found clean.
 *
 * Why not write from ->release_folio: reclaim unmaps its folios in a batch and
 * flushes TLBs for all of them after we were called, so that another CPU may
 * still write to the folio without a fault and without a mark.  The flush is
 * done before the batch goes back to the LRU.  Hence the rule the worker must
 * not break: a folio without PG_lru is not written.  Folios skipped for that,
 * or because somebody holds their lock or a reference, keep their mark and are
 * retried soon.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "defpager.h"

/* Folios taken from the page cache at a time. */
#define DEFPAGER_BATCH		64

/*
 * Passes that found only folios that cannot be written yet: the first ones are
 * repeated after a moment, the others after a tick; then the folios are let
 * go, to be asked for again.
 */
#define DEFPAGER_FAST_RETRIES	8
#define DEFPAGER_MAX_RETRIES	100

/*
 * When direct reclaim has to wait: with this many pages in flight, or folios
 * of an object wanted; and what it waits for at most.
 */
#define DEFPAGER_MANY_IN_FLIGHT	256
#define DEFPAGER_MANY_WANTED	64
#define DEFPAGER_PROGRESS	32

/* While a pass waits for an isolated folio, it looks this often. */
#define DEFPAGER_POLL_USECS	50

struct defpager_pageout {
	struct defpager_object *object;
	struct defpager_io io;
	pgoff_t last_index;		/* of the last folio given a slot */
	u64 last_slot;			/* DEFPAGER_NO_SLOT: none yet */
	unsigned int written;		/* folios written, or found zero */
	unsigned int skipped;		/* folios to be retried */
	unsigned int polls;		/* left for isolated folios */
	bool give_up;			/* on folios to be retried */
};

static struct workqueue_struct *defpager_pageout_wq;

/* Pages whose write has begun and has ended; wrap-around does no harm. */
static atomic_long_t defpager_begun = ATOMIC_LONG_INIT(0);
static atomic_long_t defpager_ended = ATOMIC_LONG_INIT(0);
DECLARE_WAIT_QUEUE_HEAD(defpager_progress_wait);

static long defpager_in_flight(void)
{
	return atomic_long_read(&defpager_begun) -
	       atomic_long_read(&defpager_ended);
}

void defpager_writeback_begin(struct folio *folio)
{
	atomic_long_add(folio_nr_pages(folio), &defpager_begun);
	/*
	 * If somebody has mapped it since reclaim asked, it is no longer a
	 * candidate for the next scan.
	 */
	if (!folio_mapped(folio))
		folio_set_reclaim(folio);
	folio_start_writeback(folio);
}

/* The caller reports the pages to defpager_writeback_progress() afterwards. */
void defpager_writeback_end(struct folio *folio)
{
	folio_end_writeback(folio);
}

void defpager_writeback_progress(unsigned int nr)
{
	atomic_long_add(nr, &defpager_ended);
	if (wq_has_sleeper(&defpager_progress_wait))
		wake_up_all(&defpager_progress_wait);
}

/*
 * Let a direct reclaimer wait for some writes to end, or for the worker to
 * have had its turn.  Otherwise it looks at all there is a few hundred times
 * while the worker's CPU is busy elsewhere, and calls for the OOM killer.
 *
 * Never kswapd, whose work nobody else does, nor who may be needed for a write
 * to end.  The wait is bounded, since we are called with a folio locked.  And
 * there is one in a tick only: a reclaimer has a batch of folios isolated,
 * which cannot be written before it has come to the end of the batch.
 */
static void defpager_throttle(struct defpager_object *object, gfp_t gfp)
{
	unsigned int passes = READ_ONCE(object->pageout_passes);
	long ended = atomic_long_read(&defpager_ended);

	if (current_is_kswapd() || !(gfp & __GFP_FS) || !(gfp & __GFP_IO) ||
	    !time_after(jiffies, READ_ONCE(object->throttled)))
		return;
	wait_event_timeout(defpager_progress_wait,
			   READ_ONCE(object->pageout_passes) != passes ||
			   atomic_long_read(&defpager_ended) - ended >=
			   DEFPAGER_PROGRESS, HZ / 50);
	WRITE_ONCE(object->throttled, jiffies);
}

/* For who is out of memory: until some page is clean, or a moment. */
void defpager_wait_progress(void)
{
	long ended = atomic_long_read(&defpager_ended);

	wait_event_timeout(defpager_progress_wait,
			   atomic_long_read(&defpager_ended) != ended, 2);
}

static void defpager_mark_wanted(struct defpager_object *object,
				 struct folio *folio)
{
	struct address_space *mapping = object->inode.i_mapping;

	xa_lock_irq(&mapping->i_pages);
	__xa_set_mark(&mapping->i_pages, folio->index, PAGECACHE_TAG_TOWRITE);
	xa_unlock_irq(&mapping->i_pages);
	atomic_inc(&object->wanted);
}

/**
 * defpager_pageout_ask() - have a dirty folio written some time
 * @object: the object it belongs to
 * @folio: a folio, locked and in the page cache
 *
 * Nothing happens before defpager_pageout_kick().
 */
void defpager_pageout_ask(struct defpager_object *object, struct folio *folio)
{
	if (!xa_get_mark(&folio->mapping->i_pages, folio->index,
			 PAGECACHE_TAG_TOWRITE))
		defpager_mark_wanted(object, folio);
}

/**
 * defpager_pageout_keep_up() - wait for page-out of an object that is asked to
 *	write more than it can
 * @object: the object
 *
 * Context: sleeps, up to a second; a signal ends it.
 */
void defpager_pageout_keep_up(struct defpager_object *object)
{
	wait_event_interruptible_timeout(defpager_progress_wait,
		atomic_read(&object->wanted) < DEFPAGER_MANY_IN_FLIGHT &&
		defpager_in_flight() < 2 * DEFPAGER_MANY_IN_FLIGHT, HZ);
}

/* Must be nearly free when the worker is queued already. */
void defpager_pageout_kick(struct defpager_object *object)
{
	/*
	 * The mark before the look at the work; the worker stops being pending
	 * before it looks at the marks.  One of us sees the other.
	 */
	smp_mb(); /* see above */
	if (!delayed_work_pending(&object->pageout))
		queue_delayed_work(defpager_pageout_wq, &object->pageout, 0);
	else if (READ_ONCE(object->pageout_retries) >= DEFPAGER_FAST_RETRIES)
		mod_delayed_work(defpager_pageout_wq, &object->pageout, 0);
}

/**
 * defpager_want() - have a dirty folio written, because reclaim wants it
 * @object: the object it belongs to
 * @folio: a folio, locked and in the page cache
 * @gfp: what the reclaimer may do
 *
 * Context: reclaim; may sleep a little if @gfp allows I/O.
 */
void defpager_want(struct defpager_object *object, struct folio *folio,
		   gfp_t gfp)
{
	/* Has reclaim come round faster than we write? */
	bool again = xa_get_mark(&folio->mapping->i_pages, folio->index,
				 PAGECACHE_TAG_TOWRITE);

	defpager_count(DEFPAGER_PAGEOUT_CALLS, folio_nr_pages(folio));
	if (!again)
		defpager_mark_wanted(object, folio);
	defpager_pageout_kick(object);
	if (again || atomic_read(&object->wanted) >= DEFPAGER_MANY_WANTED ||
	    defpager_in_flight() >= DEFPAGER_MANY_IN_FLIGHT)
		defpager_throttle(object, gfp);
}

/* Take up to DEFPAGER_BATCH wanted folios from @index on, with a reference. */
static unsigned int defpager_gather(struct address_space *mapping,
				    pgoff_t *index, struct folio **folios)
{
	XA_STATE(xas, &mapping->i_pages, *index);
	struct folio *folio;
	unsigned int nr = 0;

	xas_lock_irq(&xas);
	xas_for_each_marked(&xas, folio, ULONG_MAX, PAGECACHE_TAG_TOWRITE) {
		xas_clear_mark(&xas, PAGECACHE_TAG_TOWRITE);
		if (xa_is_value(folio))
			continue;
		/* Reclaim and migration freeze references under this lock. */
		folio_get(folio);
		folios[nr++] = folio;
		*index = folio_next_index(folio);
		if (nr == DEFPAGER_BATCH)
			break;
	}
	xas_unlock_irq(&xas);
	return nr;
}

bool defpager_folio_zero(struct folio *folio)
{
	unsigned long i;
	bool zero = true;
	void *addr;

	for (i = 0; zero && i < folio_nr_pages(folio); i++) {
		addr = kmap_local_folio(folio, i << PAGE_SHIFT);
		zero = !memchr_inv(addr, 0, PAGE_SIZE);
		kunmap_local(addr);
	}
	return zero;
}

/* Zeros need no storage: only the promise of space is kept. */
static void defpager_pageout_zero(struct defpager_object *object,
				  struct folio *folio)
{
	u64 entry = defpager_map_get(&object->map, folio->index);

	if (defpager_entry_is_slot(entry)) {
		defpager_map_set(&object->map, folio->index,
				 DEFPAGER_ENTRY_RESERVED);
		defpager_slot_free(object, entry);
	} else {
		defpager_count(DEFPAGER_PAGES_INIT, folio_nr_pages(folio));
	}
	defpager_count(DEFPAGER_ZERO_PAGES, folio_nr_pages(folio));
	/* A write that is over at once, for what its end does to the LRU. */
	defpager_writeback_begin(folio);
	folio_unlock(folio);
	defpager_writeback_end(folio);
	defpager_writeback_progress(folio_nr_pages(folio));
}

/* A slot for a page that has none, or had better have another one. */
static u64 defpager_pageout_new_slot(struct defpager_pageout *pageout,
				     pgoff_t index)
{
	struct defpager_object *object = pageout->object;
	u64 hint = DEFPAGER_NO_SLOT;

	/* Most likely: a run goes out. */
	if (pageout->last_slot != DEFPAGER_NO_SLOT &&
	    pageout->last_index + 1 == index)
		hint = defpager_slot_beside(object, pageout->last_slot,
					    pageout->last_index, index);
	if (hint == DEFPAGER_NO_SLOT)
		hint = defpager_map_neighbour(object, index);
	return defpager_slot_alloc(object, index, hint);
}

/* The slot to write a folio to. */
static u64 defpager_pageout_slot(struct defpager_pageout *pageout,
				 struct folio *folio)
{
	struct defpager_object *object = pageout->object;
	pgoff_t index = folio->index;
	u64 old = defpager_map_get(&object->map, index);
	u64 slot = old;

	if (!defpager_entry_is_slot(old) || defpager_slot_move(object, old)) {
		slot = defpager_pageout_new_slot(pageout, index);
		/* Nothing is written to where everything fails. */
		if (slot == DEFPAGER_NO_SLOT && defpager_entry_is_slot(old) &&
		    !defpager_failing(defpager_segment_of(old)))
			slot = old;
	}
	if (slot == DEFPAGER_NO_SLOT)
		return slot;
	if (slot != old && defpager_entry_is_slot(old)) {
		/* What it holds is out of date: memory has the page. */
		defpager_map_set(&object->map, index, DEFPAGER_ENTRY_RESERVED);
		defpager_slot_free(object, old);
	} else if (slot != old) {
		defpager_count(DEFPAGER_PAGES_INIT, folio_nr_pages(folio));
		defpager_count(DEFPAGER_PAGES_INIT_WRITES,
			       folio_nr_pages(folio));
	}
	if (slot != old)
		defpager_map_set(&object->map, index, slot);
	pageout->last_index = index;
	pageout->last_slot = slot;
	return slot;
}

/*
 * Take its mark off a folio, make its mappings read-only and collect what they
 * know.
 *
 * The mark goes first, and only if it was seen.  Who zaps a dirty entry of a
 * page table sets it, and another CPU may write by a TLB entry until that is
 * flushed, which happens before the lock of the page table is given back.
 * folio_mkclean() takes that lock.  So a mark that was there before is of
 * somebody whose flush it has waited for, and any later one stays.
 *
 * Whoever has a reference besides the page cache, the mappings and us may have
 * got it from a writable mapping before that, and write without leaving a
 * mark: a device that it was pinned for, or another CPU by a TLB entry for
 * which a flush is pending (before 6.2 unmapping drops the mapping first,
 * then flushes, then drops the reference).
 *
 * Return: whether nobody can write to it any more but by a fault or with its
 * lock, or marks it again; @dirty: whether it has to be written.  If not, the
 * mark is back.
 */
static bool defpager_pageout_protect(struct folio *folio, bool *dirty)
{
	int references, mappings;

	*dirty = folio_test_clear_dirty(folio);
	if (folio_test_checked(folio)) {
		*dirty = true;
		folio_clear_checked(folio);
	}
	smp_mb(); /* the marks before the page tables */
	if (folio_mkclean(folio))
		*dirty = true;
	/*
	 * Virtual machines set this one behind our back, when they map the page
	 * or when that ends; either way they may write for some time yet.
	 */
	if (folio_test_clear_dirty(folio)) {
		*dirty = true;
		folio_set_checked(folio);
	}
	smp_mb(); /* the page tables before the references, and the content */
	mappings = folio_mapcount(folio);
	smp_rmb(); /* before the references: fork() adds some without the lock */
	references = folio_ref_count(folio);
	smp_rmb(); /* and after them: mappings may go */
	mappings = min(mappings, folio_mapcount(folio));
	if (references <= folio_nr_pages(folio) + mappings + 1)
		return true;
	if (*dirty)
		folio_set_checked(folio);
	return false;
}

/*
 * A folio that is locked, protected and dirty.  Who writes from now on sets its
 * mark again, or a page table's dirty bit.
 */
static void defpager_pageout_locked(struct defpager_pageout *pageout,
				    struct folio *folio)
{
	u64 slot;

	if (defpager_folio_zero(folio)) {
		pageout->written++;
		defpager_pageout_zero(pageout->object, folio);
		return;
	}
	slot = defpager_pageout_slot(pageout, folio);
	if (slot == DEFPAGER_NO_SLOT) {
		folio_set_checked(folio);
		folio_unlock(folio);
		return;
	}
	pageout->written++;
	defpager_writeback_begin(folio);
	folio_unlock(folio);
	defpager_io_add(&pageout->io, folio, slot);
}

/*
 * A reclaimer that has nothing but wanted folios isolates them again and again,
 * and they are on the LRU in between for a moment only.  Once a pass has had no
 * success, wait for that moment with the folio locked: reclaim passes over it,
 * and cannot unmap it any more.
 */
static bool defpager_pageout_on_lru(struct defpager_pageout *pageout,
				    struct folio *folio)
{
	unsigned int polls = DIV_ROUND_UP(pageout->polls, 4);

	while (!folio_test_lru(folio)) {
		if (!polls)
			return false;
		polls--;
		pageout->polls--;
		defpager_io_submit(&pageout->io);
		usleep_range(DEFPAGER_POLL_USECS, 2 * DEFPAGER_POLL_USECS);
	}
	return true;
}

/* Return: false if the folio has to be tried again. */
static bool defpager_pageout_folio(struct defpager_pageout *pageout,
				   struct folio *folio)
{
	bool dirty;

	/* Never wait: it may be locked for a slow read. */
	if (!folio_trylock(folio))
		return false;
	if (folio->mapping != pageout->object->inode.i_mapping ||
	    folio_test_writeback(folio) || folio_test_hwpoison(folio) ||
	    folio_maybe_dma_pinned(folio)) {
		folio_unlock(folio);
		return true;
	}
	if (!defpager_pageout_on_lru(pageout, folio)) {
		folio_unlock(folio);
		return false;
	}
	/*
	 * Nobody unmaps it any more now that we have the lock, and who did so
	 * has flushed TLBs before setting PG_lru: what we read is the last
	 * that was written without a mark.
	 */
	smp_rmb();
	if (!defpager_pageout_protect(folio, &dirty)) {
		folio_unlock(folio);
		return false;
	}
	if (dirty)
		defpager_pageout_locked(pageout, folio);
	else
		folio_unlock(folio);
	return true;
}

static void defpager_pageout_retry(struct defpager_pageout *pageout,
				   struct folio *folio)
{
	pageout->skipped++;
	/* If it has left the page cache by now, the mark is a stray one. */
	if (!pageout->give_up)
		defpager_mark_wanted(pageout->object, folio);
}

/* Go once through all wanted folios. */
static void defpager_pageout_pass(struct defpager_pageout *pageout)
{
	struct address_space *mapping = pageout->object->inode.i_mapping;
	struct folio *folios[DEFPAGER_BATCH];
	struct blk_plug plug;
	unsigned int i, nr;
	pgoff_t index = 0;

	/* Before any mark goes, whose lock pairs with defpager_out_marks(). */
	WRITE_ONCE(pageout->object->pageout_passing, true);
	blk_start_plug(&plug);
	do {
		nr = defpager_gather(mapping, &index, folios);
		atomic_sub(nr, &pageout->object->wanted);
		pageout->io.expected = nr;
		for (i = 0; i < nr; i++) {
			if (!defpager_pageout_folio(pageout, folios[i]))
				defpager_pageout_retry(pageout, folios[i]);
			folio_put(folios[i]);
		}
		cond_resched();
	} while (nr == DEFPAGER_BATCH);
	defpager_io_submit(&pageout->io);
	blk_finish_plug(&plug);
}

/*
 * Tell those who wait for the worker to have had its turn; @left: that some of
 * the folios are wanted again.
 */
static void defpager_pageout_pass_end(struct defpager_object *object, bool left)
{
	/* Marks that went with truncated folios were counted, too. */
	if (!mapping_tagged(object->inode.i_mapping, PAGECACHE_TAG_TOWRITE))
		atomic_set(&object->wanted, 0);
	WRITE_ONCE(object->pageout_left, left);
	/* What was left before that a pass has ended: defpager_out_pass(). */
	smp_store_release(&object->pageout_passes, object->pageout_passes + 1);
	smp_store_release(&object->pageout_passing, false); /* likewise */
	if (wq_has_sleeper(&defpager_progress_wait))
		wake_up_all(&defpager_progress_wait);
}

/* Some folios could not be written yet: come back, sooner or later. */
static void defpager_pageout_again(struct defpager_object *object,
				   unsigned int written)
{
	unsigned int retries = written ? 0 : object->pageout_retries + 1;
	unsigned long delay = 0;

	if (retries < DEFPAGER_FAST_RETRIES)
		usleep_range(50, 100);
	else
		delay = 1;
	WRITE_ONCE(object->pageout_retries, retries);
	queue_delayed_work(defpager_pageout_wq, &object->pageout, delay);
}

static void defpager_pageout_work(struct work_struct *work)
{
	struct defpager_object *object = container_of(to_delayed_work(work),
						      struct defpager_object,
						      pageout);
	struct defpager_pageout pageout = {
		.object = object,
		.last_slot = DEFPAGER_NO_SLOT,
		.give_up = object->pageout_retries >= DEFPAGER_MAX_RETRIES,
	};
	unsigned int noreclaim = memalloc_noreclaim_save();
	bool left;

	if (object->pageout_retries)
		pageout.polls = jiffies_to_usecs(2) / DEFPAGER_POLL_USECS;
	defpager_io_init(&pageout.io, REQ_OP_WRITE | REQ_SWAP, DEFPAGER_BATCH);
	defpager_pageout_pass(&pageout);
	memalloc_noreclaim_restore(noreclaim);
	left = pageout.skipped && !pageout.give_up;
	defpager_pageout_pass_end(object, left);

	if (left)
		defpager_pageout_again(object, pageout.written);
	else
		WRITE_ONCE(object->pageout_retries, 0);
}

void defpager_pageout_start(struct defpager_object *object)
{
	INIT_DELAYED_WORK(&object->pageout, defpager_pageout_work);
	object->pageout_retries = 0;
	object->pageout_passes = 0;
	object->pageout_passing = false;
	object->pageout_left = false;
	atomic_set(&object->wanted, 0);
	object->throttled = jiffies;
}

/* The page cache of the object is empty: nobody wants a folio any more. */
void defpager_pageout_stop(struct defpager_object *object)
{
	cancel_delayed_work_sync(&object->pageout);
}

int __init defpager_pageout_init(void)
{
	defpager_pageout_wq = alloc_workqueue("defpager_pageout",
					      WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return defpager_pageout_wq ? 0 : -ENOMEM;
}

void defpager_pageout_exit(void)
{
	destroy_workqueue(defpager_pageout_wq);
}
