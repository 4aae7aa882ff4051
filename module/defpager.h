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
 *	      store->populate_lock	making room for slots
 *	      mapping->i_mmap_rwsem	folio_mkclean()
 *	        i_pages lock		marks
 *	        slots->lock		bitmaps
 *	defpager_objects_lock		list of objects; alone
 *	defpager_segments_lock		adding segments; before populate_lock
 *
 * The map entry of a page is changed, and looked at by who acts on it, only
 * by the holder of one of these:
 *  - the folio lock of the folio in the page cache at that index,
 *  - PG_writeback of that folio, which truncation waits for,
 *  - mapping->invalidate_lock exclusively, with no folio at that index.
 * Everybody else may look, but takes what is found for a hint.
 */
#ifndef DEFPAGER_H
#define DEFPAGER_H

#undef pr_fmt
#define pr_fmt(fmt) "defpager: " fmt

#include <linux/bio.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/percpu.h>
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

/*
 * Which slots of a segment are free.  Bitmaps are kept per chunk of slots and
 * are allocated when space is promised, never at page-out.
 */
#define DEFPAGER_CHUNK_SLOTS	(PAGE_SIZE * BITS_PER_BYTE)
#define DEFPAGER_NO_SLOT	(~0ULL)

struct defpager_slot_chunk {
	unsigned long *bitmap;		/* set: in use, bad or not there */
	u32 free;			/* clear bits */
	u32 cluster_hint;		/* no cluster below is wholly free */
};

struct defpager_slots {
	spinlock_t lock;		/* all below but the first three */
	u64 nr;				/* constant: slots there are */
	u32 nr_chunks;			/* constant */
	u32 cluster_shift;		/* constant: log2 of pages a cluster */
	struct defpager_slot_chunk *chunks;
	u32 populated_chunks;		/* those with a bitmap: the first ones */
	u32 cluster_chunk;		/* no chunk below has a free cluster */
	u32 single_chunk;		/* no chunk below has a free slot */
	u64 used;			/* slots that hold a page */
	u64 bad;			/* slots retired */
};

/*
 * A segment is a range of one block device.  Segments are added under
 * defpager_segments_lock and live until the module goes: nothing here takes
 * a reference to one.
 */
struct defpager_segment {
	struct list_head list;		/* of all segments, ascending id */
	struct list_head store_list;	/* RCU, of the store's segments */
	struct defpager_store *store;
	struct file *bdev_file;		/* our exclusive open of the device */
	struct block_device *bdev;
	u64 id;
	u64 offset_bytes;		/* range as added, on @bdev */
	u64 length_bytes;
	u32 record_size;		/* as added, for listings only */
	sector_t first_sector;		/* of the first slot, on @bdev */
	u64 first_slot;			/* its slot number */
	struct defpager_slots slots;
	atomic64_t pages_out;
	atomic64_t pages_in;
};

/*
 * A backing store.  Reservations keep page-out from finding it full:
 * reserved <= capacity, where every page that an object holds has one
 * reservation, whether it has a slot or not; and every reserved slot has its
 * bitmap (populated >= reserved).
 */
struct defpager_store {
	u64 id;
	s32 priority;
	u32 cluster_shift;		/* log2 of pages in a cluster */
	struct list_head segments;	/* RCU; added to under segments_lock */
	struct defpager_segment __rcu *next; /* where the next cluster goes */
	unsigned int nr_segments;
	atomic64_t capacity;		/* slots there are, bad ones excluded */
	atomic64_t reserved;		/* slots promised */
	atomic64_t populated;		/* good slots that have a bitmap */
	atomic64_t bad;			/* slots retired */
	struct mutex populate_lock;
	char name[DEFPAGER_NAME_SIZE];
};

/*
 * A memory object.  It is there for as long as its inode is: that is until
 * the last descriptor and the last mapping are gone.
 */
struct defpager_object {
	struct inode inode;
	struct defpager_store *store;
	bool confined;			/* to @store, by its descriptor */
	u32 id;				/* index in defpager_objects */
	loff_t max_size;		/* bytes; i_size never exceeds it */
	struct defpager_map map;
	struct delayed_work pageout;	/* writes what reclaim wants written */
	unsigned int pageout_retries;	/* passes without a success; @pageout */
	unsigned int pageout_passes;	/* passes ended; written by @pageout */
	atomic_t wanted;		/* folios marked wanted, about */
	unsigned long throttled;	/* jiffies when a reclaimer had waited */
	char name[DEFPAGER_NAME_SIZE];
};

static inline struct defpager_object *defpager_object(struct inode *inode)
{
	return container_of(inode, struct defpager_object, inode);
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
	DEFPAGER_NR_COUNTERS
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

/* In ioctl.c */
extern const struct file_operations defpager_fops;
extern const struct file_operations defpager_store_fops;
long defpager_object_ioctl(struct file *file, unsigned int cmd,
			   unsigned long arg);

/* In slot.c */
int defpager_slots_init(struct defpager_slots *slots, u64 nr,
			u32 cluster_shift);
void defpager_slots_exit(struct defpager_slots *slots);
u64 defpager_slots_populate(struct defpager_slots *slots);
bool defpager_slots_take(struct defpager_slots *slots, u64 slot);
u64 defpager_slots_alloc_cluster(struct defpager_slots *slots,
				 unsigned int offset);
u64 defpager_slots_alloc_single(struct defpager_slots *slots);
void defpager_slots_free(struct defpager_slots *slots, u64 slot);
void defpager_slots_retire(struct defpager_slots *slots, u64 slot);

/* In segment.c */
extern struct mutex defpager_segments_lock;
extern char defpager_segment_holder;
int defpager_segment_add(struct defpager_store *store,
			 struct defpager_segment_add *arg);
struct defpager_segment *defpager_segment_of(u64 slot);
sector_t defpager_segment_sector(struct defpager_segment *segment, u64 slot);
bool defpager_segment_row(struct defpager_store *store, u64 start,
			  struct defpager_segment_info *row);
void defpager_segments_exit(void);

/* In store.c */
extern struct defpager_store defpager_default_store;
struct defpager_store *defpager_store_find(const char *name);
int defpager_store_reserve(struct defpager_store *store, unsigned long nr);
void defpager_store_unreserve(struct defpager_store *store, unsigned long nr);
bool defpager_store_full(struct defpager_store *store);
u64 defpager_slot_alloc(struct defpager_store *store, pgoff_t index, u64 hint);
void defpager_slot_free(u64 slot);
void defpager_slot_retire(u64 slot);
void defpager_store_info(struct defpager_store *store,
			 struct defpager_backing_store_info *info);

/* In map.c */
int __init defpager_map_init_cache(void);
void defpager_map_exit_cache(void);
void defpager_map_init(struct defpager_map *map);
int defpager_map_prepare(struct defpager_map *map, pgoff_t index, gfp_t gfp);
u64 defpager_map_get(struct defpager_map *map, pgoff_t index);
void defpager_map_set(struct defpager_map *map, pgoff_t index, u64 entry);
u64 defpager_map_neighbour(struct defpager_map *map, pgoff_t index,
			   unsigned int cluster_shift);
pgoff_t defpager_map_next(struct defpager_map *map, pgoff_t index, pgoff_t last,
			  bool touched);
void defpager_map_clear(struct defpager_map *map, struct defpager_store *store,
			pgoff_t first, bool destroy);

/* In object.c */
int __init defpager_objects_init(void);
void defpager_objects_exit(void);
void defpager_mount_put(void);
struct file *defpager_object_file(struct defpager_store *store, bool confined,
				  loff_t size, const char *name);
void defpager_object_fill_info(struct defpager_object *object,
			       struct defpager_object_info *info);
bool defpager_object_row(u64 start, struct defpager_object_info *row);
u64 defpager_nr_objects(void);

/* In file.c */
extern const struct file_operations defpager_object_fops;
extern const struct inode_operations defpager_object_iops;

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
void defpager_read_on(struct vm_fault *vmf, struct defpager_object *object);

/* In pageout.c */
int __init defpager_pageout_init(void);
void defpager_pageout_exit(void);
void defpager_pageout_start(struct defpager_object *object);
void defpager_pageout_stop(struct defpager_object *object);
void defpager_want(struct defpager_object *object, struct folio *folio,
		   gfp_t gfp);
void defpager_writeback_begin(struct folio *folio);
void defpager_writeback_end(struct folio *folio);
void defpager_writeback_progress(unsigned int nr);
void defpager_wait_progress(void);

/* In bio.c */
int __init defpager_bio_init(void);
void defpager_bio_exit(void);
void defpager_io_init(struct defpager_io *io, blk_opf_t opf,
		      unsigned int expected);
void defpager_io_add(struct defpager_io *io, struct folio *folio, u64 slot);
void defpager_io_submit(struct defpager_io *io);
int defpager_read_sync(struct folio *folio, u64 slot);

#endif /* DEFPAGER_H */
