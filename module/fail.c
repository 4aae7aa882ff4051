// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments that fail: when one is taken out of use, and how it comes back.
 *
 * A slot that cannot be written is retired.  When that has happened to
 * DEFPAGER_FAILURES slots and nothing could be written to the segment in
 * between, or the device does not answer, then it is not the slots.  When it
 * has happened to more than a sixteenth of all slots, a few good ones in
 * between are no comfort.  In either case the segment is closed as failing:
 * pages get no slot on it, and nothing is written to it any more, not even to
 * slots that pages have.  They can still be read.
 *
 * A path may come back, or a thin pool get space.  So while a segment fails,
 * one of the slots that were the last to fail is written every few seconds; they
 * belong to no page.  If that succeeds the segment is used again, and so are
 * those of them that can be written now.  The others stay bad.
 *
 * A device that was pulled out does not come back, nor does a medium that was
 * exchanged: what is in the drive now is somebody else's.  What is on it is
 * lost, so what memory has of it is the only copy: defpager_stranded().
 */
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "defpager.h"
#include "trace.h"

/* Seconds between two looks at a failing segment: they double up to the last. */
#define DEFPAGER_PROBE_FIRST	1
#define DEFPAGER_PROBE_LAST	16

/* One bad slot in so many is too much. */
#define DEFPAGER_BAD_SHARE	16

static bool defpager_too_many_bad(struct defpager_segment *segment)
{
	u64 bad = READ_ONCE(segment->slots.bad), nr = segment->slots.nr;

	return bad == nr ||
	       bad > max_t(u64, nr / DEFPAGER_BAD_SHARE, DEFPAGER_FAILURES);
}

static void defpager_probe_later(struct defpager_segment *segment)
{
	struct defpager_failures *failures = &segment->failures;

	if (READ_ONCE(failures->gone))
		return;
	queue_delayed_work(defpager_probe_wq, &failures->probe,
			   failures->delay * HZ);
}

/* For people: why it does not come back, or nothing. */
static const char *defpager_why_gone(struct defpager_segment *segment)
{
	if (test_bit(GD_DEAD, &segment->bdev->bd_disk->state))
		return ": the device is gone";
	if (defpager_medium_changed(segment))
		return ": its medium is not the same as before";
	return "";
}

/* Context: any but interrupts. */
static void defpager_fail(struct defpager_segment *segment)
{
	if (!defpager_space_close(segment, DEFPAGER_CLOSED_FAILING, true))
		return;
	pr_warn("%pg: segment %u fails and is not written to any more%s\n",
		segment->bdev, segment->id, defpager_why_gone(segment));
	trace_defpager_segment_fail(segment);
	/* The probe is not running: it would have to have opened it. */
	segment->failures.delay = DEFPAGER_PROBE_FIRST;
	defpager_probe_later(segment);
}

/**
 * defpager_look_gone() - have a segment fail for good if its device is gone
 * @segment: the segment
 *
 * Context: any but interrupts; the caller has a slot of it, or the RCU read
 *	lock.
 * Return: whether it is.
 */
bool defpager_look_gone(struct defpager_segment *segment)
{
	struct defpager_failures *failures = &segment->failures;

	if (likely(!defpager_device_gone(segment)))
		return false;
	WRITE_ONCE(failures->gone, true);
	defpager_fail(segment);
	return true;
}

/**
 * defpager_write_failed() - a slot was retired, since it could not be written
 * @segment: its segment
 * @slot: the slot, counted from 0
 * @dead: the device does not even answer
 *
 * Context: any but interrupts; RCU read lock held.
 */
void defpager_write_failed(struct defpager_segment *segment, u64 slot,
			   bool dead)
{
	struct defpager_failures *failures = &segment->failures;
	bool many;

	spin_lock(&failures->lock);
	/*
	 * The earlier ones were bad, but the segment worked since.  Not if it
	 * is closed: some slot has to be left to try.
	 */
	if (failures->written && !defpager_failing(segment))
		failures->nr = 0;
	WRITE_ONCE(failures->written, false);
	if (failures->nr < ARRAY_SIZE(failures->slots)) {
		failures->slots[failures->nr] = slot;
		WRITE_ONCE(failures->nr, failures->nr + 1);
	}
	many = failures->nr >= DEFPAGER_FAILURES;
	spin_unlock(&failures->lock);

	if (!defpager_look_gone(segment) &&
	    (dead || many || defpager_too_many_bad(segment)))
		defpager_fail(segment);
}

/**
 * defpager_stranded() - is what a segment has on a device that is gone?
 * @segment: the segment
 *
 * Reclaim asks this of each clean folio's.  That no I/O has failed yet says
 * nothing: writing may have ended just before the device went.
 */
bool defpager_stranded(struct defpager_segment *segment)
{
	return READ_ONCE(segment->failures.gone) || defpager_look_gone(segment);
}

/* --- coming back ---------------------------------------------------------- */

/* Try one of the slots that failed, or all of them once one has succeeded. */
static bool defpager_probe_slot(struct defpager_segment *segment,
				unsigned int i)
{
	struct defpager_failures *failures = &segment->failures;
	u64 slot = DEFPAGER_NO_SLOT;
	bool written;

	spin_lock(&failures->lock);
	if (i < failures->nr)
		slot = failures->slots[i];
	spin_unlock(&failures->lock);
	/* It is nobody's as long as only we say that it is good. */
	if (slot == DEFPAGER_NO_SLOT ||
	    defpager_page_sync(segment, segment->first_slot + slot,
			       ZERO_PAGE(0), REQ_OP_WRITE | REQ_SYNC))
		return false;

	spin_lock(&failures->lock);
	/* Writes that were on their way may have failed since. */
	written = i < failures->nr && failures->slots[i] == slot;
	if (written) {
		WRITE_ONCE(failures->nr, failures->nr - 1);
		failures->slots[i] = failures->slots[failures->nr];
	}
	spin_unlock(&failures->lock);
	if (written)
		defpager_slots_unretire(&segment->slots, slot);
	return written;
}

static bool defpager_probe(struct defpager_segment *segment)
{
	struct defpager_failures *failures = &segment->failures;
	unsigned int i, nr = READ_ONCE(failures->nr);

	/*
	 * There has been a recovery between the last failure and its closing the
	 * segment: nothing but its device being gone speaks against it any more.
	 */
	if (!nr)
		return !defpager_device_gone(segment);
	if (!defpager_probe_slot(segment, failures->turn++ % nr))
		return false;
	/* Each takes the place of one that is tried: from the end. */
	for (i = nr - 1; i--;)
		defpager_probe_slot(segment, i);
	/* If no other is left to try, the next one that fails tells. */
	return !READ_ONCE(failures->nr) || !defpager_too_many_bad(segment);
}

/* What is wrong with some of its slots turns out soon enough. */
static void defpager_recover(struct defpager_segment *segment)
{
	struct defpager_failures *failures = &segment->failures;

	spin_lock(&failures->lock);
	WRITE_ONCE(failures->nr, 0);
	WRITE_ONCE(failures->written, false);
	spin_unlock(&failures->lock);
	/* Before it can fail again. */
	pr_info("%pg: segment %u can be written to again\n", segment->bdev,
		segment->id);
	trace_defpager_segment_recover(segment);
	/* It was not the pages' fault, either, that they could not be read. */
	defpager_unreadable_forget(segment);
	defpager_space_close(segment, DEFPAGER_CLOSED_FAILING, false);
	/* It may have gone since it was written to. */
	defpager_look_gone(segment);
}

static void defpager_probe_work(struct work_struct *work)
{
	struct defpager_failures *failures =
		container_of(to_delayed_work(work), struct defpager_failures,
			     probe);
	struct defpager_segment *segment =
		container_of(failures, struct defpager_segment, failures);
	unsigned int noreclaim = memalloc_noreclaim_save();

	if (defpager_probe(segment)) {
		defpager_recover(segment);
	} else if (!defpager_look_gone(segment)) {
		failures->delay = min(2 * failures->delay,
				      (unsigned int)DEFPAGER_PROBE_LAST);
		defpager_probe_later(segment);
	}
	memalloc_noreclaim_restore(noreclaim);
}

/* --- coming and going ----------------------------------------------------- */

void defpager_fail_init(struct defpager_segment *segment)
{
	spin_lock_init(&segment->failures.lock);
	INIT_DELAYED_WORK(&segment->failures.probe, defpager_probe_work);
}

/* The segment is going: nothing is written to it any more, nor fails. */
void defpager_fail_stop(struct defpager_segment *segment)
{
	cancel_delayed_work_sync(&segment->failures.probe);
}
