/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is: slots, segments, stores, objects and their maps.  What is done
 * with them, and under which locks, is in defpager.h.
 */
#ifndef DEFPAGER_TYPES_H
#define DEFPAGER_TYPES_H

#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <linux/defpager.h>

#include "compat.h"

/*
 * A slot number names one page of storage among all segments of all stores.
 * Segments get their numbers in granules, so that one xa_load() finds the
 * segment of a slot.  40 bits of slot numbers are 4 PiB.
 */
#define DEFPAGER_SLOT_BITS	40
#define DEFPAGER_GRANULE_SHIFT	18
#define DEFPAGER_NR_GRANULES	(1UL << (DEFPAGER_SLOT_BITS - \
					 DEFPAGER_GRANULE_SHIFT))

/*
 * What the map says of a page, in 40 bits.  Slot numbers begin at
 * DEFPAGER_ENTRY_SLOT: granule 0 is given to no segment.
 */
enum defpager_entry {
	DEFPAGER_ENTRY_NONE	= 0,	/* never touched: reads as zero */
	/* Space promised, no slot: the page is in memory, or was all zero. */
	DEFPAGER_ENTRY_RESERVED	= 1,
	DEFPAGER_ENTRY_LOST	= 2,	/* space promised, content lost */
	DEFPAGER_ENTRY_SLOT	= 1 << DEFPAGER_GRANULE_SHIFT,
};

static inline bool defpager_entry_is_slot(u64 entry)
{
	return entry >= DEFPAGER_ENTRY_SLOT;
}

/* Pages that a map leaf describes: those of one huge page. */
#define DEFPAGER_LEAF_SHIFT	9
#define DEFPAGER_LEAF_PAGES	(1U << DEFPAGER_LEAF_SHIFT)

struct defpager_map {
	struct xarray leaves;		/* index >> LEAF_SHIFT to leaf */
	atomic_long_t reserved;		/* entries that are not NONE */
	atomic_long_t stored;		/* entries that are slots */
};

/* Entries changed at a time by defpager_map_take(). */
#define DEFPAGER_TAKE		64

struct defpager_taken {
	unsigned int nr_pages;		/* that had been touched */
	unsigned int nr_slots;
	u64 slots[DEFPAGER_TAKE];
};

/*
 * Which slots of a segment are free.  Bitmaps are kept per chunk of slots and
 * are allocated when space is promised, never at page-out.
 */
#define DEFPAGER_CHUNK_SLOTS	(PAGE_SIZE * BITS_PER_BYTE)
#define DEFPAGER_NO_SLOT	(~0ULL)

/* Why no slot of a segment is allocated; bits. */
enum defpager_closed {
	DEFPAGER_CLOSED_REMOVAL	= 1 << 0, /* who set it is draining it */
	DEFPAGER_CLOSED_FAILING	= 1 << 1, /* nor written to: see fail.c */
};

/* What closing a segment takes away, in slots. */
struct defpager_capacity {
	s64 good;			/* with a bitmap, and not bad */
	s64 pooled;			/* those of them that the pool uses */
	s64 unpopulated;		/* without a bitmap */
};

struct defpager_slot_chunk {
	unsigned long *bitmap;		/* set: in use, bad or not there */
	unsigned long *discard;		/* set: free, to be discarded; or NULL */
	u32 free;			/* clear bits of @bitmap */
	u32 to_discard;			/* set bits of @discard */
	u32 cluster_hint;		/* no cluster below is wholly free */
};

struct defpager_slots {
	spinlock_t lock;		/* all below but the constant ones */
	u64 nr;				/* constant: slots there are */
	u32 nr_chunks;			/* constant */
	u32 cluster_shift;		/* constant: log2 of pages a cluster */
	bool discard;			/* constant: keep discard bitmaps */
	u32 closed;			/* enum defpager_closed; 0: open */
	struct defpager_slot_chunk *chunks;
	u32 populated_chunks;		/* those with a bitmap: the first ones */
	u32 cluster_chunk;		/* no chunk below has a free cluster */
	u32 single_chunk;		/* no chunk below has a free slot */
	u64 populated;			/* slots that have a bitmap */
	u64 free;			/* those of them that are free */
	u64 used;			/* slots that hold a page */
	u64 pooled;			/* those of them that the pool uses */
	u64 bad;			/* slots retired */
};

/*
 * Segments that are used in turn, a cluster on each.  Changed under
 * defpager_segments_lock, read under RCU.
 */
struct defpager_stripe {
	struct list_head places;
	struct defpager_place __rcu *next; /* where the next cluster goes */
};

/* A segment's membership in a stripe. */
struct defpager_place {
	struct list_head list;
	struct defpager_segment *segment;
};

/*
 * The stores of one priority that objects of the pager may use: one stripe
 * of all their segments.
 */
struct defpager_tier {
	struct list_head list;		/* RCU: descending priority */
	s32 priority;
	u32 cluster_shift;		/* the largest there has been in it */
	struct defpager_stripe stripe;
	struct rcu_head rcu;
};

/* Slots whose writes fail in a row before a segment is taken out of use. */
#define DEFPAGER_FAILURES	16
/* As many may be under way when that is noticed, in as many workers. */
#define DEFPAGER_FAILURES_MORE	32

/* Writes that failed on a segment, and what came of it; see fail.c. */
struct defpager_failures {
	spinlock_t lock;
	bool written;			/* something, since the last of @slots */
	bool gone;			/* the device; it does not come back */
	unsigned int nr;
	u64 slots[DEFPAGER_FAILURES + DEFPAGER_FAILURES_MORE];
					/* retired, in a row; from 0 */
	unsigned int turn;		/* of them; the probe's, as is @delay */
	unsigned int delay;		/* seconds */
	struct delayed_work probe;
};

/*
 * A segment is a range of one block device.  Who has a slot of it, or the RCU
 * read lock, or defpager_segments_lock, may look at it: removing one waits for
 * all slots to be free, and for a grace period.
 */
struct defpager_segment {
	struct defpager_place in_store;	/* of the store's stripe */
	struct defpager_place in_tier;	/* of its tier's, if not exclusive */
	struct defpager_store *store;
	struct file *bdev_file;		/* our exclusive open of the device */
	struct block_device *bdev;
	u64 diskseq;			/* of the medium it was added with */
	u32 id;
	u32 record_size;		/* as added, for listings only */
	u64 offset_bytes;		/* range as added, on @bdev */
	u64 length_bytes;
	sector_t first_sector;		/* of the first slot, on @bdev */
	u64 first_slot;			/* its slot number */
	struct defpager_slots slots;
	struct defpager_failures failures;
	struct delayed_work discard;
	struct list_head list;		/* while it comes, or goes */
	struct defpager_dir *dir;	/* in sysfs, while it is in use */
	atomic64_t pages_out;
	atomic64_t pages_in;
	atomic64_t in_flight;		/* pages on their way, either way */
	atomic64_t write_errors;
	atomic64_t read_errors;
	atomic64_t checksum_errors;
	atomic64_t discarded;		/* slots */
};

/* What may be promised, in pages, or 0: any amount; see limit.c. */
struct defpager_limits {
	u64 object;			/* to one object */
	u64 user;			/* to all objects of one user */
};

/*
 * A backing store.  What may be promised, and what that has to do with slots,
 * is said in promise.c.
 *
 * References: one while it is listed, one of each descriptor, and one of each
 * object that has it for its home.  Segments have none: a store that has some
 * is listed.
 */
struct defpager_store {
	refcount_t refs;
	u32 id;
	u32 flags;			/* enum defpager_backing_store_flags */
	s32 priority;
	u32 cluster_shift;		/* log2 of pages in a cluster */
	bool closing;			/* being deleted: nothing is added */
	bool deleted;			/* both: defpager_stores_lock */
	struct defpager_stripe stripe;	/* all of its segments */
	unsigned int nr_segments;	/* defpager_segments_lock */
	atomic_t nr_objects;		/* confined to it */
	atomic64_t free;		/* slots that may be promised */
	atomic64_t unpopulated;		/* slots that have no bitmap yet */
	atomic64_t borrowed;		/* slots taken to be discarded */
	struct rw_semaphore borrow_lock; /* for promise.c, if exclusive */
	struct mutex alert_lock;	/* measuring, and what follows from it */
	atomic64_t promised;		/* slots promised to confined objects */
	atomic64_t stale;		/* those of them that are stale slots */
	struct defpager_limits limits;	/* changed: defpager_stores_lock */
	struct xarray users;		/* who has an object; limit.c */
	wait_queue_head_t wait;		/* something drained, fired or left */
	struct crypto_shash *sum;	/* these three: protect.c, or NULL */
	struct crypto_skcipher *cipher;
	mempool_t *requests;
	struct defpager_dir *dir;	/* in sysfs, while it is listed */
	struct rcu_head rcu;
	char name[DEFPAGER_NAME_SIZE];
};

/* Slots that an object still has in a store that has been its home. */
struct defpager_stale {
	struct list_head list;		/* of the object's */
	struct defpager_store *store;	/* stays for as long as it has slots */
	u64 slots;
};

/* One open descriptor of a store. */
struct defpager_store_port {
	struct defpager_store *store;
	spinlock_t drains_lock;
	struct list_head drains;	/* that go on by it; see drain.c */
	struct list_head alert;		/* all below: defpager_alerts_lock */
	u64 low;			/* pages */
	u64 high;			/* pages */
	u32 armed;			/* enum defpager_alert_flags */
	u32 fired;
	bool was_low;
};

/*
 * A memory object.  It is there for as long as its inode is: that is until
 * the last descriptor and the last mapping are gone.
 */
struct defpager_object {
	struct inode inode;
	spinlock_t promise_lock;	/* the next five */
	struct defpager_store __rcu *store; /* its home, with a reference */
	struct defpager_user __rcu *user; /* charged for the next; limit.c */
	u64 promised;			/* pages that it was promised */
	u64 home_slots;			/* slots it has in its home, if confined */
	struct list_head stale;		/* and in homes that it had */
	bool confined;			/* to @store, by its descriptor */
	u32 flags;			/* enum defpager_object_flags */
	u32 seals;			/* changed under i_rwsem */
	u32 id;				/* index in defpager_objects */
	u64 nonce;			/* that no other object ever had */
	loff_t max_size;		/* bytes; i_size never exceeds it */
	struct defpager_map map;
	struct delayed_work pageout;	/* writes what reclaim wants written */
	unsigned int pageout_retries;	/* passes without a success; @pageout */
	unsigned int pageout_passes;	/* passes ended; written by @pageout */
	bool pageout_passing;		/* a pass goes on; likewise */
	bool pageout_left;		/* the last one has left some; likewise */
	atomic_t wanted;		/* folios marked wanted, about */
	unsigned long throttled;	/* jiffies when a reclaimer had waited */
	char name[DEFPAGER_NAME_SIZE];
};

static inline struct defpager_object *defpager_object(struct inode *inode)
{
	return container_of(inode, struct defpager_object, inode);
}

/*
 * The pages up to the end, the last of which may be there in part.  They do not
 * become fewer while the invalidate_lock or i_rwsem is held.
 */
static inline pgoff_t defpager_object_pages(struct defpager_object *object)
{
	return DIV_ROUND_UP_ULL(i_size_read(&object->inode), PAGE_SIZE);
}

/* Requests are counted by log2 of their pages: up to 4 GiB of 4 KiB pages. */
#define DEFPAGER_REQUEST_SIZES	20

/* Are its pages promised no space when they are touched? */
static inline bool defpager_object_prepaid(struct defpager_object *object)
{
	return object->flags & (DEFPAGER_OBJECT_RESERVE |
				DEFPAGER_OBJECT_RESIDENT);
}

static inline bool defpager_object_resident(struct defpager_object *object)
{
	return object->flags & DEFPAGER_OBJECT_RESIDENT;
}

/* Has somebody besides the page cache and the mappings a reference? */
static inline bool defpager_folio_held(struct folio *folio)
{
	return folio_ref_count(folio) !=
	       folio_nr_pages(folio) + folio_mapcount(folio);
}

/* Totals since the module was loaded; one set per CPU, summed when read. */
enum defpager_counter {
	DEFPAGER_PAGES_OUT,
	DEFPAGER_PAGES_IN,
	DEFPAGER_WRITES,
	DEFPAGER_READS,
	DEFPAGER_ZERO_PAGES,
	DEFPAGER_CLEAN_DROPS,
	DEFPAGER_WRITE_ERRORS,
	DEFPAGER_READ_ERRORS,
	DEFPAGER_CHECKSUM_ERRORS,
	DEFPAGER_PAGEOUT_CALLS,
	DEFPAGER_PAGEIN_CALLS,
	DEFPAGER_PAGES_UNAVAIL,
	DEFPAGER_PAGES_INIT,
	DEFPAGER_PAGES_INIT_WRITES,
	DEFPAGER_WRITE_SIZES,		/* the first of so many */
	DEFPAGER_READ_SIZES = DEFPAGER_WRITE_SIZES + DEFPAGER_REQUEST_SIZES,
	DEFPAGER_NR_COUNTERS = DEFPAGER_READ_SIZES + DEFPAGER_REQUEST_SIZES
};

struct defpager_counters {
	u64 value[DEFPAGER_NR_COUNTERS];
};

DECLARE_PER_CPU(struct defpager_counters, defpager_counters);

static inline void defpager_count(enum defpager_counter counter, u64 nr)
{
	this_cpu_add(defpager_counters.value[counter], nr);
}

/*
 * A stream of folios on its way to or from storage.  Folios that are next to
 * each other on a segment travel in one bio.  Initialise with
 * defpager_io_init().
 */
struct defpager_io {
	blk_opf_t opf;
	unsigned int expected;		/* folios still to come, a guess */
	struct defpager_segment *segment; /* of @bio */
	struct bio *bio;		/* being filled, or NULL */
	u64 next_slot;			/* the slot right behind @bio */
};

#endif /* DEFPAGER_TYPES_H */
