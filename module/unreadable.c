// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots that were found unreadable.
 *
 * A page that could not be read is an error for everybody from then on: it must
 * not come back by a device that reads something else the next time, nor make
 * each access wait for one that takes half a minute to say no.  Only a new
 * content heals it, which gets another slot; freeing a slot ends this.
 *
 * But the slot is kept, and what is in it may be read one day: when it turns
 * out that all of the segment had failed, and it comes back; or when an
 * administrator has the segment drained.  Then all its slots are tried anew.
 *
 * Such pages are few, and so they are what takes memory.  If there is none to
 * remember one, the next access tries to read it again.
 */
#include <linux/xarray.h>

#include "defpager.h"

/* By slot number.  Added and removed by who has the slot. */
DEFINE_XARRAY(defpager_unreadable_slots);

void defpager_unreadable_add(u64 slot)
{
	xa_store(&defpager_unreadable_slots, slot, xa_mk_value(0),
		 GFP_NOWAIT | __GFP_NOWARN);
}

void __defpager_unreadable_remove(u64 slot)
{
	xa_erase(&defpager_unreadable_slots, slot);
}

/* Try all slots of a segment anew, as far as they have been found by now. */
void defpager_unreadable_forget(struct defpager_segment *segment)
{
	unsigned long slot, first = segment->first_slot;
	void *entry;

	xa_for_each_range(&defpager_unreadable_slots, slot, entry, first,
			  first + segment->slots.nr - 1) {
		xa_erase(&defpager_unreadable_slots, slot);
		cond_resched();
	}
}

void defpager_unreadable_exit(void)
{
	xa_destroy(&defpager_unreadable_slots);
}
