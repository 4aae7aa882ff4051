// SPDX-License-Identifier: GPL-2.0-only
/*
 * What monitors read, below /sys/class/misc/defpager; each file is described
 * in Documentation/ABI/testing/sysfs-class-misc-defpager.
 *
 * The directory of a store, or of a segment, is an allocation of its own with
 * a pointer to it.  It is made before anybody may use the store or the segment,
 * and removed before that is let go, with defpager_stores_lock or
 * defpager_segments_lock held.  Removing it waits for reads that are going on;
 * after that, files that are still open fail with ENODEV.  So what is shown
 * needs no reference to what it is about, and must not be computed with either
 * of the two locks: RCU is all that it takes.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "defpager.h"

struct defpager_dir {
	struct kobject kobj;
	struct kobject *segments;	/* of a store: where its segments are */
	void *of;			/* the store, or the segment */
};

/* The directory of all stores; or NULL, see defpager_sysfs_init(). */
static struct kobject *defpager_stores_dir;

/* A file of a directory: shows a member of the row that a listing would have. */
struct defpager_attribute {
	struct attribute attr;
	ssize_t (*show)(const void *row, char *buf);
};

#define DEFPAGER_ATTRIBUTE(_kind, _name, _row, _format, ...)		\
static ssize_t defpager_##_kind##_##_name##_show(const void *data,	\
						 char *buf)		\
{									\
	const struct _row *row = data;					\
									\
	return sysfs_emit(buf, _format "\n", __VA_ARGS__);		\
}									\
static struct defpager_attribute defpager_##_kind##_attr_##_name = {	\
	.attr = { .name = #_name, .mode = 0444 },			\
	.show = defpager_##_kind##_##_name##_show,			\
}

static struct defpager_dir *defpager_dir_of(struct kobject *kobj)
{
	return container_of(kobj, struct defpager_dir, kobj);
}

static ssize_t defpager_attribute_show(struct attribute *attr, const void *row,
				       char *buf)
{
	return container_of(attr, struct defpager_attribute, attr)->show(row,
									 buf);
}

static void defpager_dir_release(struct kobject *kobj)
{
	kfree(defpager_dir_of(kobj));
}

/* --- the pager ------------------------------------------------------------ */

#define DEFPAGER_COUNTER(_name, _counter)				\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%llu\n", defpager_counter_sum(_counter)); \
}									\
static DEVICE_ATTR_RO(_name)

#define DEFPAGER_TOTAL(_name)						\
static ssize_t _name##_show(struct device *dev,				\
			    struct device_attribute *attr, char *buf)	\
{									\
	struct defpager_info info = {};					\
									\
	defpager_stores_info(&info);					\
	return sysfs_emit(buf, "%llu\n", (u64)info._name);		\
}									\
static DEVICE_ATTR_RO(_name)

DEFPAGER_TOTAL(nr_stores);
DEFPAGER_TOTAL(nr_segments);
DEFPAGER_TOTAL(total_bytes);
DEFPAGER_TOTAL(free_bytes);
DEFPAGER_TOTAL(reserved_bytes);
DEFPAGER_TOTAL(used_bytes);
DEFPAGER_TOTAL(bad_bytes);
DEFPAGER_TOTAL(failing_bytes);
DEFPAGER_COUNTER(pages_out, DEFPAGER_PAGES_OUT);
DEFPAGER_COUNTER(pages_in, DEFPAGER_PAGES_IN);
DEFPAGER_COUNTER(writes, DEFPAGER_WRITES);
DEFPAGER_COUNTER(reads, DEFPAGER_READS);
DEFPAGER_COUNTER(zero_pages, DEFPAGER_ZERO_PAGES);
DEFPAGER_COUNTER(clean_drops, DEFPAGER_CLEAN_DROPS);
DEFPAGER_COUNTER(write_errors, DEFPAGER_WRITE_ERRORS);
DEFPAGER_COUNTER(read_errors, DEFPAGER_READ_ERRORS);
DEFPAGER_COUNTER(pageout_calls, DEFPAGER_PAGEOUT_CALLS);
DEFPAGER_COUNTER(pagein_calls, DEFPAGER_PAGEIN_CALLS);
DEFPAGER_COUNTER(pages_unavail, DEFPAGER_PAGES_UNAVAIL);
DEFPAGER_COUNTER(pages_init, DEFPAGER_PAGES_INIT);
DEFPAGER_COUNTER(pages_init_writes, DEFPAGER_PAGES_INIT_WRITES);

static ssize_t nr_objects_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", defpager_nr_objects());
}
static DEVICE_ATTR_RO(nr_objects);

/* All sizes there can be, also those that were not seen. */
static ssize_t defpager_sizes_show(enum defpager_counter first, char *buf)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < DEFPAGER_REQUEST_SIZES; i++)
		len += sysfs_emit_at(buf, len, "%lu %llu\n", 1UL << i,
				     defpager_counter_sum(first + i));
	return len;
}

static ssize_t write_sizes_show(struct device *dev,
				struct device_attribute *attr, char *buf)
{
	return defpager_sizes_show(DEFPAGER_WRITE_SIZES, buf);
}
static DEVICE_ATTR_RO(write_sizes);

static ssize_t read_sizes_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return defpager_sizes_show(DEFPAGER_READ_SIZES, buf);
}
static DEVICE_ATTR_RO(read_sizes);

static struct attribute *defpager_attrs[] = {
	&dev_attr_nr_stores.attr,
	&dev_attr_nr_segments.attr,
	&dev_attr_nr_objects.attr,
	&dev_attr_total_bytes.attr,
	&dev_attr_free_bytes.attr,
	&dev_attr_reserved_bytes.attr,
	&dev_attr_used_bytes.attr,
	&dev_attr_bad_bytes.attr,
	&dev_attr_failing_bytes.attr,
	&dev_attr_pages_out.attr,
	&dev_attr_pages_in.attr,
	&dev_attr_writes.attr,
	&dev_attr_reads.attr,
	&dev_attr_write_sizes.attr,
	&dev_attr_read_sizes.attr,
	&dev_attr_zero_pages.attr,
	&dev_attr_clean_drops.attr,
	&dev_attr_write_errors.attr,
	&dev_attr_read_errors.attr,
	&dev_attr_pageout_calls.attr,
	&dev_attr_pagein_calls.attr,
	&dev_attr_pages_unavail.attr,
	&dev_attr_pages_init.attr,
	&dev_attr_pages_init_writes.attr,
	NULL
};

static const struct attribute_group defpager_group = {
	.attrs	= defpager_attrs,
};

/* Of the misc device. */
const struct attribute_group *defpager_groups[] = {
	&defpager_group,
	NULL
};

/* --- stores --------------------------------------------------------------- */

#define DEFPAGER_STORE_VALUE(_name, _format, _value)			\
	DEFPAGER_ATTRIBUTE(store, _name, defpager_backing_store_info,	\
			   _format, _value)
#define DEFPAGER_STORE_NUMBER(_name)					\
	DEFPAGER_STORE_VALUE(_name, "%llu", row->_name)
#define DEFPAGER_STORE_OPTION(_name, _flag)				\
	DEFPAGER_STORE_VALUE(_name, "%d", !!(row->flags & (_flag)))

DEFPAGER_STORE_NUMBER(id);
DEFPAGER_STORE_VALUE(priority, "%d", row->priority);
DEFPAGER_STORE_VALUE(cluster_bytes, "%u", row->cluster_bytes);
DEFPAGER_STORE_OPTION(exclusive, DEFPAGER_STORE_EXCLUSIVE);
DEFPAGER_STORE_OPTION(discard, DEFPAGER_STORE_DISCARD);
DEFPAGER_STORE_OPTION(checksum, DEFPAGER_STORE_CHECKSUM);
DEFPAGER_STORE_OPTION(encrypt, DEFPAGER_STORE_ENCRYPT);
DEFPAGER_STORE_NUMBER(nr_segments);
DEFPAGER_STORE_NUMBER(nr_objects);
DEFPAGER_STORE_NUMBER(total_bytes);
DEFPAGER_STORE_NUMBER(free_bytes);
DEFPAGER_STORE_NUMBER(reserved_bytes);
DEFPAGER_STORE_NUMBER(confined_bytes);
DEFPAGER_STORE_NUMBER(used_bytes);
DEFPAGER_STORE_NUMBER(bad_bytes);
DEFPAGER_STORE_NUMBER(failing_bytes);
DEFPAGER_STORE_NUMBER(object_limit_bytes);
DEFPAGER_STORE_NUMBER(user_limit_bytes);
DEFPAGER_STORE_NUMBER(pages_out);
DEFPAGER_STORE_NUMBER(pages_in);
DEFPAGER_STORE_NUMBER(write_errors);
DEFPAGER_STORE_NUMBER(read_errors);

static struct attribute *defpager_store_attrs[] = {
	&defpager_store_attr_id.attr,
	&defpager_store_attr_priority.attr,
	&defpager_store_attr_cluster_bytes.attr,
	&defpager_store_attr_exclusive.attr,
	&defpager_store_attr_discard.attr,
	&defpager_store_attr_checksum.attr,
	&defpager_store_attr_encrypt.attr,
	&defpager_store_attr_nr_segments.attr,
	&defpager_store_attr_nr_objects.attr,
	&defpager_store_attr_total_bytes.attr,
	&defpager_store_attr_free_bytes.attr,
	&defpager_store_attr_reserved_bytes.attr,
	&defpager_store_attr_confined_bytes.attr,
	&defpager_store_attr_used_bytes.attr,
	&defpager_store_attr_bad_bytes.attr,
	&defpager_store_attr_failing_bytes.attr,
	&defpager_store_attr_object_limit_bytes.attr,
	&defpager_store_attr_user_limit_bytes.attr,
	&defpager_store_attr_pages_out.attr,
	&defpager_store_attr_pages_in.attr,
	&defpager_store_attr_write_errors.attr,
	&defpager_store_attr_read_errors.attr,
	NULL
};
ATTRIBUTE_GROUPS(defpager_store);

static ssize_t defpager_store_show(struct kobject *kobj, struct attribute *attr,
				   char *buf)
{
	struct defpager_backing_store_info row;

	defpager_store_info(defpager_dir_of(kobj)->of, &row);
	return defpager_attribute_show(attr, &row, buf);
}

static const struct sysfs_ops defpager_store_sysfs_ops = {
	.show	= defpager_store_show,
};

static const struct kobj_type defpager_store_ktype = {
	.release	= defpager_dir_release,
	.sysfs_ops	= &defpager_store_sysfs_ops,
	.default_groups	= defpager_store_groups,
};

/* --- segments ------------------------------------------------------------- */

#define DEFPAGER_SEGMENT_VALUE(_name, _format, ...)			\
	DEFPAGER_ATTRIBUTE(segment, _name, defpager_segment_info,	\
			   _format, __VA_ARGS__)
#define DEFPAGER_SEGMENT_NUMBER(_name)					\
	DEFPAGER_SEGMENT_VALUE(_name, "%llu", row->_name)

static const char *defpager_state_name(u32 state)
{
	switch (state) {
	case DEFPAGER_SEGMENT_DRAINING:
		return "draining";
	case DEFPAGER_SEGMENT_FAILING:
		return "failing";
	default:
		return "active";
	}
}

DEFPAGER_SEGMENT_VALUE(state, "%s", defpager_state_name(row->state));
DEFPAGER_SEGMENT_VALUE(device, "%u:%u", row->major, row->minor);
DEFPAGER_SEGMENT_NUMBER(offset_bytes);
DEFPAGER_SEGMENT_NUMBER(length_bytes);
DEFPAGER_SEGMENT_VALUE(record_size, "%u", row->record_size);
DEFPAGER_SEGMENT_NUMBER(total_bytes);
DEFPAGER_SEGMENT_NUMBER(free_bytes);
DEFPAGER_SEGMENT_NUMBER(used_bytes);
DEFPAGER_SEGMENT_NUMBER(bad_bytes);
DEFPAGER_SEGMENT_NUMBER(in_flight_bytes);
DEFPAGER_SEGMENT_NUMBER(discarded_bytes);
DEFPAGER_SEGMENT_NUMBER(pages_out);
DEFPAGER_SEGMENT_NUMBER(pages_in);
DEFPAGER_SEGMENT_NUMBER(write_errors);
DEFPAGER_SEGMENT_NUMBER(read_errors);

static struct attribute *defpager_segment_attrs[] = {
	&defpager_segment_attr_state.attr,
	&defpager_segment_attr_device.attr,
	&defpager_segment_attr_offset_bytes.attr,
	&defpager_segment_attr_length_bytes.attr,
	&defpager_segment_attr_record_size.attr,
	&defpager_segment_attr_total_bytes.attr,
	&defpager_segment_attr_free_bytes.attr,
	&defpager_segment_attr_used_bytes.attr,
	&defpager_segment_attr_bad_bytes.attr,
	&defpager_segment_attr_in_flight_bytes.attr,
	&defpager_segment_attr_discarded_bytes.attr,
	&defpager_segment_attr_pages_out.attr,
	&defpager_segment_attr_pages_in.attr,
	&defpager_segment_attr_write_errors.attr,
	&defpager_segment_attr_read_errors.attr,
	NULL
};
ATTRIBUTE_GROUPS(defpager_segment);

static ssize_t defpager_segment_show(struct kobject *kobj,
				     struct attribute *attr, char *buf)
{
	struct defpager_segment_info row;

	defpager_segment_fill_row(defpager_dir_of(kobj)->of, &row);
	return defpager_attribute_show(attr, &row, buf);
}

static const struct sysfs_ops defpager_segment_sysfs_ops = {
	.show	= defpager_segment_show,
};

static const struct kobj_type defpager_segment_ktype = {
	.release	= defpager_dir_release,
	.sysfs_ops	= &defpager_segment_sysfs_ops,
	.default_groups	= defpager_segment_groups,
};

/* --- coming and going ----------------------------------------------------- */

static struct defpager_dir *defpager_dir_create(const struct kobj_type *ktype,
						struct kobject *parent,
						const char *name, void *of)
{
	struct defpager_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int ret;

	if (!dir)
		return ERR_PTR(-ENOMEM);
	dir->of = of;
	ret = kobject_init_and_add(&dir->kobj, ktype, parent, "%s", name);
	if (ret) {
		kobject_put(&dir->kobj);
		return ERR_PTR(ret);
	}
	return dir;
}

static void defpager_dir_remove(struct kobject *kobj)
{
	/* At once, whoever else has a reference: nobody reads any more. */
	kobject_del(kobj);
	kobject_put(kobj);
}

/**
 * defpager_sysfs_add_store() - make the directory of a store
 * @store: the store, whose name no other has
 *
 * Context: defpager_stores_lock held.
 * Return: 0 or a negative errno.
 */
int defpager_sysfs_add_store(struct defpager_store *store)
{
	struct defpager_dir *dir;

	lockdep_assert_held(&defpager_stores_lock);
	if (!defpager_stores_dir)
		return 0;
	dir = defpager_dir_create(&defpager_store_ktype, defpager_stores_dir,
				  store->name, store);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	dir->segments = kobject_create_and_add("segments", &dir->kobj);
	if (!dir->segments) {
		defpager_dir_remove(&dir->kobj);
		return -ENOMEM;
	}
	store->dir = dir;
	return 0;
}

/* The store has no segments.  Waits for those who read. */
void defpager_sysfs_remove_store(struct defpager_store *store)
{
	struct defpager_dir *dir = store->dir;

	if (!dir)
		return;
	store->dir = NULL;
	defpager_dir_remove(dir->segments);
	defpager_dir_remove(&dir->kobj);
}

/**
 * defpager_sysfs_add_segment() - make the directory of a segment
 * @segment: the segment, which has an id
 *
 * Context: defpager_segments_lock held, which keeps its store.
 * Return: 0 or a negative errno.
 */
int defpager_sysfs_add_segment(struct defpager_segment *segment)
{
	struct defpager_dir *parent = segment->store->dir, *dir;
	char name[12];

	lockdep_assert_held(&defpager_segments_lock);
	if (!parent)
		return 0;
	snprintf(name, sizeof(name), "%u", segment->id);
	dir = defpager_dir_create(&defpager_segment_ktype, parent->segments,
				  name, segment);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	segment->dir = dir;
	return 0;
}

/* Waits for those who read. */
void defpager_sysfs_remove_segment(struct defpager_segment *segment)
{
	struct defpager_dir *dir = segment->dir;

	if (!dir)
		return;
	segment->dir = NULL;
	defpager_dir_remove(&dir->kobj);
}

/**
 * defpager_sysfs_init() - make the directories that are always there
 *
 * The device is known by now, and somebody may have it open; then loading the
 * module cannot fail any more.  So this does not: what has no directory to be
 * in, for lack of memory, is just not shown.
 *
 * Context: defpager_stores_lock held since before the device was known, so that
 *	nobody has got at a store yet.
 */
void __init defpager_sysfs_init(void)
{
	struct defpager_store *store;
	unsigned long id;
	int ret = -ENOMEM;

	defpager_stores_dir = kobject_create_and_add("stores", defpager_kobj());
	if (defpager_stores_dir)
		xa_for_each(&defpager_stores, id, store)
			ret = defpager_sysfs_add_store(store);
	if (ret)
		pr_warn("no stores in sysfs, error %d\n", ret);
}

/* Nobody has a descriptor, so nothing is added or removed any more. */
void defpager_sysfs_exit(void)
{
	struct defpager_store *store;
	struct defpager_place *place;
	unsigned long id;

	xa_for_each(&defpager_stores, id, store) {
		list_for_each_entry(place, &store->stripe.places, list)
			defpager_sysfs_remove_segment(place->segment);
		defpager_sysfs_remove_store(store);
	}
	if (defpager_stores_dir)
		defpager_dir_remove(defpager_stores_dir);
}
