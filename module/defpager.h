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
 *	store->alert_lock		how much is free, and who is told; before
 *					borrow_lock
 *	  defpager_alerts_lock		armed alerts
 *	defpager_segments_lock		adding and removing segments; after
 *					borrow_lock, before populate_lock
 *	defpager_stores_lock		list of stores
 *	  reads of files in sysfs	which both of these wait for
 *	defpager_mount_lock		mounting; before s_umount
 *	  defpager_super_lock		the superblock; innermost
 *	port->drains_lock		who drains by a descriptor; innermost
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

#include "types.h"

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

/* In segment_add.c */
extern char defpager_segment_holder;
int defpager_segment_add(struct defpager_store *store,
			 struct defpager_segment_add *arg);

/* In segment.c */
extern struct mutex defpager_segments_lock;
extern struct xarray defpager_segments;
void defpager_segment_destroy(struct defpager_segment *segment);
int defpager_segment_publish(struct defpager_segment *segment);
struct defpager_segment *defpager_segment_of(u64 slot);
sector_t defpager_segment_sector(struct defpager_segment *segment, u64 slot);
int defpager_segment_check(struct defpager_store *store, u64 id, u64 *capacity);
struct defpager_segment *defpager_segment_close(struct defpager_store *store,
						u64 id, bool last);
void defpager_segment_reopen(struct defpager_segment *segment);
void defpager_segment_remove(struct defpager_segment *segment);
void defpager_segments_try_anew(struct defpager_store *store);
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

/*
 * Is the medium another one, as far as the block layer has noticed?  What was
 * read from one that is gone is good all the same.  Context: any.
 */
static inline bool defpager_medium_changed(struct defpager_segment *segment)
{
	return READ_ONCE(segment->bdev->bd_disk->diskseq) != segment->diskseq;
}

/*
 * Is the device gone, or its medium another one?  The block layer knows before
 * any I/O has failed.  Context: any.
 */
static inline bool defpager_device_gone(struct defpager_segment *segment)
{
	return test_bit(GD_DEAD, &segment->bdev->bd_disk->state) ||
	       defpager_medium_changed(segment);
}

bool defpager_look_gone(struct defpager_segment *segment);
void defpager_write_failed(struct defpager_segment *segment, u64 slot,
			   bool dead);
bool defpager_stranded(struct defpager_segment *segment);

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
bool defpager_differs(struct defpager_segment *segment, struct folio *folio);
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
extern atomic64_t defpager_pool_free;
extern atomic64_t defpager_pool_unpopulated;
int defpager_promise(struct defpager_object *object, u64 nr);
void defpager_unpromise(struct defpager_object *object, u64 nr);
int defpager_promise_check(struct defpager_object *object, u64 nr);
u64 defpager_borrow_space(struct defpager_store *store, u64 max);
void defpager_return_space(struct defpager_store *store, u64 nr);
int defpager_borrow_pause(struct defpager_store *store);
void defpager_borrow_resume(struct defpager_store *store);

/* In rehome.c */
int defpager_rehome(struct defpager_object *object, struct defpager_store *from,
		    struct defpager_store *to);
bool defpager_slot_uncount(struct defpager_object *object,
			   struct defpager_store *store);
void defpager_unpromise_stale(struct defpager_store *store);

/* In capacity.c */
extern struct mutex defpager_populate_lock;
void defpager_lose_slot(struct defpager_store *store, bool pooled);
int defpager_space_add(struct defpager_segment *segment);
bool defpager_space_close(struct defpager_segment *segment, u32 why,
			  bool close);
int defpager_space_withdraw(struct defpager_segment *segment, bool gone);
int defpager_space_recover(struct defpager_store *store, bool gone,
			   struct defpager_store *from);
int defpager_space_free_settled(struct defpager_store *store, u64 *free);
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
void defpager_drains_close(struct defpager_store_port *port, fl_owner_t owner);

/* In pages.c */
bool defpager_page_range(struct defpager_object *object, u64 start,
			 struct defpager_page_range *row);

/* In alert.c */
extern atomic_t defpager_alerts_armed;
void defpager_alert_look_later(void);
int defpager_alert(struct defpager_store_port *port,
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
int defpager_map_prepare(struct defpager_object *object, pgoff_t index);
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
bool defpager_folio_zero(struct folio *folio);
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
extern struct workqueue_struct *defpager_probe_wq;
int defpager_read_sync(struct folio *folio, u64 slot);

#endif /* DEFPAGER_H */
