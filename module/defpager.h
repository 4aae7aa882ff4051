/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The private header of defpager.
 *
 * An object is an inode of a private pseudo-filesystem.  Its resident pages
 * are in the page cache, where reclaim finds them; where each of its other
 * pages is, its map (map.c) tells.  A backing store (store.c) owns segments
 * (segment.c), which are ranges of block devices cut into slots of one page
 * (slot.c).  Pages move between the two in aops.c (in), pageout.c (out) and
 * bio.c (the block layer's side of both).
 *
 * Lock order, outermost first:
 *
 *	inode->i_rwsem			write, setattr
 *	  mapping->invalidate_lock	shared: a page enters the page cache;
 *					exclusive: pages and entries are removed
 *	    folio lock			see below
 *	      store->borrow_lock	what is being discarded; or the pool's
 *	        defpager_populate_lock	making room for slots
 *	          object->promise_lock	its home and its promises
 *	      mapping->i_mmap_rwsem	folio_mkclean()
 *	        i_pages lock		marks
 *	        slots->lock		bitmaps
 *	defpager_objects_lock		list of objects; alone
 *	lock of store->users		or of the pool's; innermost
 *	defpager_alerts_lock		armed alerts; before borrow_lock
 *	defpager_segments_lock		adding and removing segments; before
 *					borrow_lock
 *	defpager_stores_lock		list of stores
 *	  reads of files in sysfs	which both of these wait for
 *
 * The map entry of a page is changed, and looked at by who acts on it, only
 * by the holder of one of these:
 *  - the folio lock of the folio in the page cache at that index,
 *  - PG_writeback of that folio, which truncation waits for,
 *  - mapping->invalidate_lock exclusively and the i_pages lock, with no folio
 *    at that index; the second one, because not all who bring in a page hold
 *    the first one (uprobes do not).
 * Besides, i_rwsem gives the right to promise space for a page that has none,
 * by defpager_map_claim(), which is all that happens to such an entry.
 * Everybody else may look, but takes what is found for a hint.
 */
#ifndef DEFPAGER_H
#define DEFPAGER_H

#undef pr_fmt
#define pr_fmt(fmt) "defpager: " fmt

#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/mempool.h>
#include <linux/mm.h>
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

/* Writes that failed on a segment, and what came of it; see fail.c. */
struct defpager_failures {
	spinlock_t lock;
	bool written;			/* something, since the last of @slots */
	bool gone;			/* the device; it does not come back */
	unsigned int nr;
	u64 slots[DEFPAGER_FAILURES];	/* retired, in a row; from 0 */
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
	u32 id;
	u32 record_size;		/* as added, for listings only */
	u64 offset_bytes;		/* range as added, on @bdev */
	u64 length_bytes;
	sector_t first_sector;		/* of the first slot, on @bdev */
	u64 first_slot;			/* its slot number */
	struct defpager_slots slots;
	struct defpager_failures failures;
	struct delayed_work discard;
	struct list_head gone;		/* while it is being removed */
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
	fl_owner_t closed_by;		/* of the last close(); see drain.c */
	unsigned int closed;		/* times it was */
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

/* In main.c */
u64 defpager_counter_sum(enum defpager_counter counter);
struct kobject *defpager_kobj(void);

/* In ioctl.c */
extern const struct file_operations defpager_fops;
long defpager_object_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg);

/* In slot.c */
int defpager_slots_init(struct defpager_slots *slots, u64 nr, u32 cluster_shift,
			bool discard);
void defpager_slots_exit(struct defpager_slots *slots);
s64 defpager_slots_populate(struct defpager_slots *slots);
bool defpager_slots_take(struct defpager_slots *slots, u64 slot, bool pooled);
u64 defpager_slots_alloc_cluster(struct defpager_slots *slots, pgoff_t index,
				 bool pooled);
u64 defpager_slots_alloc_single(struct defpager_slots *slots, bool pooled);
bool defpager_slots_free(struct defpager_slots *slots, u64 slot, bool pooled);
bool defpager_slots_retire(struct defpager_slots *slots, u64 slot, bool pooled);
void defpager_slots_unretire(struct defpager_slots *slots, u64 slot);
bool defpager_slots_close(struct defpager_slots *slots, u32 why, bool close,
			  struct defpager_capacity *capacity);
u32 defpager_slots_discard_begin(struct defpager_slots *slots, u32 *chunk,
				 u32 max, u64 *slot);
void defpager_slots_discard_end(struct defpager_slots *slots, u64 slot, u32 nr);

/* In segment.c */
extern struct mutex defpager_segments_lock;
extern char defpager_segment_holder;
int defpager_segment_add(struct defpager_store *store,
			 struct defpager_segment_add *arg);
struct defpager_segment *defpager_segment_of(u64 slot);
sector_t defpager_segment_sector(struct defpager_segment *segment, u64 slot);
int defpager_segment_check(struct defpager_store *store, u64 id, u64 *capacity);
struct defpager_segment *defpager_segment_close(struct defpager_store *store,
						u64 id, bool last);
void defpager_segment_reopen(struct defpager_segment *segment);
void defpager_segment_remove(struct defpager_segment *segment);
int defpager_segments_check(struct defpager_store *store);
int defpager_segments_close(struct defpager_store *store);
void defpager_segments_reopen(struct defpager_store *store);
void defpager_segments_remove(struct defpager_store *store);
void defpager_segment_fill_row(struct defpager_segment *segment,
			       struct defpager_segment_info *row);
bool defpager_segment_row(struct defpager_store *store, u64 start,
			  struct defpager_segment_info *row);
void defpager_segments_exit(void);

/* In fail.c */
void defpager_fail_init(struct defpager_segment *segment);
void defpager_fail_stop(struct defpager_segment *segment);
bool defpager_look_gone(struct defpager_segment *segment);
void defpager_write_failed(struct defpager_segment *segment, u64 slot,
			   bool dead);
bool defpager_stranded(struct defpager_object *object, pgoff_t index);

/* Something was written.  Context: any, interrupts included. */
static inline void defpager_write_succeeded(struct defpager_segment *segment)
{
	struct defpager_failures *failures = &segment->failures;

	if (unlikely(READ_ONCE(failures->nr)) && !READ_ONCE(failures->written))
		WRITE_ONCE(failures->written, true);
}

/* Is it taken out of use?  Nothing is written to it then. */
static inline bool defpager_failing(struct defpager_segment *segment)
{
	return READ_ONCE(segment->slots.closed) & DEFPAGER_CLOSED_FAILING;
}

/* In unreadable.c */
extern struct xarray defpager_unreadable_slots;
void defpager_unreadable_add(u64 slot);
void __defpager_unreadable_remove(u64 slot);
void defpager_unreadable_forget(struct defpager_segment *segment);
void defpager_unreadable_exit(void);

/* Was it found that a slot cannot be read?  For who has the slot. */
static inline bool defpager_unreadable(u64 slot)
{
	return unlikely(!xa_empty(&defpager_unreadable_slots)) &&
	       xa_load(&defpager_unreadable_slots, slot);
}

static inline void defpager_unreadable_remove(u64 slot)
{
	if (unlikely(!xa_empty(&defpager_unreadable_slots)))
		__defpager_unreadable_remove(slot);
}

/* In discard.c */
void defpager_discard_init(struct defpager_segment *segment);
void defpager_discard_later(struct defpager_segment *segment);
void defpager_discard_stop(struct defpager_segment *segment);
int defpager_discard_all(struct defpager_segment *segment);

/* In store.c */
extern struct mutex defpager_stores_lock;
extern struct xarray defpager_stores;
extern struct defpager_store *defpager_default_store;
struct defpager_store *
defpager_store_create(const struct defpager_backing_store_create *arg);
int defpager_store_publish(struct defpager_store *store);
struct defpager_store *defpager_store_find(const char *name);
void defpager_store_put(struct defpager_store *store);
int defpager_store_join(struct defpager_store *store);
void defpager_store_leave(struct defpager_store *store);
int defpager_store_usable(struct defpager_store *store);
int defpager_store_close(struct defpager_store *store, bool target);
void defpager_store_reopen(struct defpager_store *store);
void defpager_store_unlist(struct defpager_store *store);
u64 defpager_store_used(struct defpager_store *store);
void defpager_store_info(struct defpager_store *store,
			 struct defpager_backing_store_info *info);
bool defpager_store_row(u64 start, struct defpager_backing_store_info *row);
u64 defpager_store_capacity(struct defpager_store *store);
void defpager_stores_info(struct defpager_info *info);
int __init defpager_stores_init(void);
void defpager_stores_exit(void);

static inline bool defpager_store_exclusive(struct defpager_store *store)
{
	return store->flags & DEFPAGER_STORE_EXCLUSIVE;
}

static inline bool defpager_store_discards(struct defpager_store *store)
{
	return store->flags & DEFPAGER_STORE_DISCARD;
}

/* In protect.c */
int defpager_protect_init(struct defpager_store *store);
void defpager_protect_exit(struct defpager_store *store);
struct page *defpager_protect(struct defpager_store *store,
			      struct folio *folio, gfp_t gfp);
int defpager_unprotect(struct defpager_store *store, struct folio *folio);
void defpager_bounce_free(struct page *page);
int __init defpager_bounces_init(void);
void defpager_bounces_exit(void);

/* Is what is on storage something else than the page, or to be verified? */
static inline bool defpager_protects(struct defpager_store *store)
{
	return store->flags & (DEFPAGER_STORE_CHECKSUM |
			       DEFPAGER_STORE_ENCRYPT);
}

static inline bool defpager_encrypts(struct defpager_store *store)
{
	return store->flags & DEFPAGER_STORE_ENCRYPT;
}

/* In sysfs.c */
extern const struct attribute_group *defpager_groups[];
int defpager_sysfs_add_store(struct defpager_store *store);
void defpager_sysfs_remove_store(struct defpager_store *store);
int defpager_sysfs_add_segment(struct defpager_segment *segment);
void defpager_sysfs_remove_segment(struct defpager_segment *segment);
void __init defpager_sysfs_init(void);
void defpager_sysfs_exit(void);

/* In promise.c */
extern struct mutex defpager_populate_lock;
extern atomic64_t defpager_pool_free;
extern atomic64_t defpager_pool_unpopulated;
int defpager_promise(struct defpager_object *object, u64 nr);
void defpager_unpromise(struct defpager_object *object, u64 nr);
int defpager_promise_check(struct defpager_object *object, u64 nr);
bool defpager_slot_uncount(struct defpager_object *object,
			   struct defpager_store *store);
void defpager_unpromise_stale(struct defpager_store *store);
int defpager_rehome(struct defpager_object *object, struct defpager_store *from,
		    struct defpager_store *to);
u64 defpager_borrow_space(struct defpager_store *store, u64 max);
void defpager_return_space(struct defpager_store *store, u64 nr);
void defpager_lose_slot(struct defpager_store *store, bool pooled);
int defpager_space_add(struct defpager_segment *segment);
bool defpager_space_close(struct defpager_segment *segment, u32 why,
			  bool close);
int defpager_space_withdraw(struct defpager_segment *segment, bool gone);
u64 defpager_space_free_settled(struct defpager_store *store);
void defpager_space_restore(struct defpager_segment *segment);

/* In limit.c */
struct defpager_user *defpager_user_get(struct defpager_store *store,
					kuid_t uid);
void defpager_user_put(struct defpager_user *user);
bool defpager_limit_check(struct defpager_object *object,
			  struct defpager_store *store, u64 nr);
int defpager_limit_look_again(struct defpager_object *object, u64 nr);
bool defpager_user_charge(struct defpager_object *object,
			  struct defpager_store *store, u64 nr);
void defpager_user_uncharge(struct defpager_object *object, u64 nr);
struct defpager_user *defpager_user_move(struct defpager_object *object,
					 struct defpager_user *user, u64 limit);
int defpager_chown(struct defpager_object *object, kuid_t uid);
void defpager_limits_info(struct defpager_store *store, u64 *object_bytes,
			  u64 *user_bytes);
int defpager_limits_set(struct defpager_store *store,
			struct defpager_backing_store_limit *arg);

/* In space.c */
int defpager_space_check_rehome(struct defpager_store *from,
				struct defpager_store *to, u64 capacity);
u64 defpager_space_free(struct defpager_store *store);
u64 defpager_space_free_all(void);

/* In place.c */
extern struct list_head defpager_tiers;
int defpager_place_segment(struct defpager_segment *segment);
void defpager_place_unlink(struct defpager_segment *segment);
void defpager_place_forget(struct defpager_segment *segment);
void defpager_tiers_exit(void);
u64 defpager_slot_alloc(struct defpager_object *object, pgoff_t index,
			u64 hint);
u64 defpager_slot_beside(struct defpager_object *object, u64 slot, pgoff_t at,
			 pgoff_t index);
u64 defpager_slot_alloc_other(struct defpager_object *object, pgoff_t index,
			      struct defpager_segment *avoid);
bool defpager_slot_move(struct defpager_object *object, u64 slot);
void defpager_slot_free(struct defpager_object *object, u64 slot);
void defpager_slot_retire(struct defpager_object *object, u64 slot, bool dead);
struct defpager_store *defpager_pool_first(void);
unsigned int defpager_cluster_shift(struct defpager_object *object);

/* In drain.c */
int defpager_segment_drain(struct defpager_store_port *port,
			   struct defpager_store *target,
			   struct defpager_segment_remove *arg);
int defpager_store_delete(struct defpager_store_port *port,
			  struct defpager_store *target,
			  struct defpager_backing_store_delete *arg);

/* In pages.c */
bool defpager_page_range(struct defpager_object *object, u64 start,
			 struct defpager_page_range *row);

/* In alert.c */
extern atomic_t defpager_alerts_armed;
void defpager_alert_look_later(void);
void defpager_alert(struct defpager_store_port *port,
		    struct defpager_backing_store_alert *arg);
bool defpager_alert_fired(struct defpager_store_port *port);
void defpager_alert_init(struct defpager_store_port *port);
void defpager_alert_exit(struct defpager_store_port *port);
void defpager_alerts_exit(void);

/* The free space of some store has changed. */
static inline void defpager_alert_check(void)
{
	/* The change before the look: who has just armed one sees the change. */
	smp_mb__after_atomic();
	if (unlikely(atomic_read(&defpager_alerts_armed)))
		defpager_alert_look_later();
}

/* In map.c */
int __init defpager_map_init_cache(void);
void defpager_map_exit_cache(void);
void defpager_map_init(struct defpager_map *map);
int defpager_map_prepare(struct defpager_map *map, pgoff_t index, gfp_t gfp);
u64 defpager_map_get(struct defpager_map *map, pgoff_t index);
void defpager_map_set(struct defpager_map *map, pgoff_t index, u64 entry);
void defpager_map_set_sum(struct defpager_map *map, pgoff_t index, u32 sum);
u32 defpager_map_sum(struct defpager_map *map, pgoff_t index);
u64 defpager_map_neighbour(struct defpager_object *object, pgoff_t index);
pgoff_t defpager_map_next(struct defpager_map *map, pgoff_t index, pgoff_t last,
			  bool touched);
pgoff_t defpager_map_find(struct defpager_map *map, pgoff_t index,
			  bool (*match)(u64 entry, void *data), void *data);
bool defpager_map_claim(struct defpager_map *map, pgoff_t index);
u64 defpager_map_claim_range(struct defpager_map *map, pgoff_t index,
			     pgoff_t last);
u64 defpager_map_untouched(struct defpager_map *map, pgoff_t index,
			   pgoff_t last);
void defpager_map_take(struct defpager_map *map, pgoff_t index, unsigned int nr,
		       u64 entry, struct defpager_taken *taken);
void defpager_map_destroy(struct defpager_object *object);

/* In object.c */
int __init defpager_objects_init(void);
void defpager_objects_exit(void);
void defpager_mount_put(void);
struct file *defpager_object_file(struct defpager_store *store, loff_t size,
				  u32 flags, const char *name);
struct defpager_object *defpager_object_get_next(u64 id);
bool defpager_object_alone(struct defpager_object *object);
void defpager_object_put(struct defpager_object *object);
void defpager_object_fill_info(struct defpager_object *object,
			       struct defpager_object_info *info);
bool defpager_object_row(u64 start, struct defpager_object_info *row);
u64 defpager_nr_objects(void);

/* In file.c */
extern const struct file_operations defpager_object_fops;
extern const struct inode_operations defpager_object_iops;
int defpager_zero_gap(struct inode *inode, loff_t pos);

/* In fallocate.c */
struct folio *defpager_edge_folio(struct inode *inode, loff_t pos);
int defpager_zero_edge(struct inode *inode, struct folio *folio, loff_t pos,
		       loff_t end);
void defpager_forget(struct defpager_object *object, pgoff_t index,
		     pgoff_t last, u64 entry);
long defpager_fallocate(struct file *file, int mode, loff_t offset, loff_t len);

/* In seal.c */
int defpager_object_seal(struct file *file, u32 add);
int defpager_seal_check_mmap(struct defpager_object *object,
			     struct vm_area_struct *vma);

/* In range.c */
int defpager_range_move(struct file *file,
			struct defpager_object_pageout *arg);
void defpager_drain_lru(struct file *file, pgoff_t index);
int defpager_fadvise(struct file *file, loff_t offset, loff_t len, int advice);

/* In aops.c */
extern const struct address_space_operations defpager_aops;
extern const struct vm_operations_struct defpager_vm_ops;
struct folio *defpager_get_folio(struct defpager_object *object, pgoff_t index,
				 gfp_t gfp, bool overwrite);
struct folio *defpager_add_folio(struct defpager_object *object, pgoff_t index,
				 gfp_t gfp);
void defpager_folio_overwritten(struct defpager_object *object,
				struct folio *folio);
bool defpager_cached(struct defpager_object *object, pgoff_t index);

/* In readahead.c */
void defpager_read_in(struct vm_fault *vmf, struct defpager_object *object);
void defpager_read_on(struct vm_fault *vmf, struct defpager_object *object,
		      struct folio *folio);
void defpager_read_range(struct defpager_object *object, pgoff_t first,
			 unsigned int nr);

/* In pageout.c */
int __init defpager_pageout_init(void);
void defpager_pageout_exit(void);
void defpager_pageout_start(struct defpager_object *object);
void defpager_pageout_stop(struct defpager_object *object);
void defpager_want(struct defpager_object *object, struct folio *folio,
		   gfp_t gfp);
void defpager_pageout_ask(struct defpager_object *object, struct folio *folio);
void defpager_pageout_kick(struct defpager_object *object);
void defpager_pageout_keep_up(struct defpager_object *object);
void defpager_writeback_begin(struct folio *folio);
void defpager_writeback_end(struct folio *folio);
void defpager_writeback_progress(unsigned int nr);
void defpager_wait_progress(void);
extern wait_queue_head_t defpager_progress_wait;

/*
 * Wait for something that page-out makes true, if not at once; -ERESTARTSYS on
 * a signal.
 */
#define defpager_wait_for(condition)					\
	wait_event_interruptible_timeout(defpager_progress_wait, condition, \
					 HZ / 10)

/* In bio.c */
int __init defpager_bio_init(void);
void defpager_bio_exit(void);
void defpager_io_init(struct defpager_io *io, blk_opf_t opf,
		      unsigned int expected);
void defpager_io_add(struct defpager_io *io, struct folio *folio, u64 slot);
void defpager_io_submit(struct defpager_io *io);
int defpager_page_sync(struct defpager_segment *segment, u64 slot,
		       struct page *page, blk_opf_t opf);

/* In bio_error.c */
extern struct workqueue_struct *defpager_error_wq;
int defpager_read_sync(struct folio *folio, u64 slot);

#endif /* DEFPAGER_H */
