/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The requests of <linux/defpager.h>, fuzzed: which errors each may have, as it
 * is documented there, which of its fields it writes, and what must be true of
 * them.
 */
#ifndef FUZZ_REQUESTS_H
#define FUZZ_REQUESTS_H

#include "fuzz_cover.h"
#include "fuzz_rows.h"

struct request {
	const char *name;
	enum kind on;
	unsigned long cmd;
	uint32_t size;
	uint32_t min;
	uint32_t flags;			/* those that are defined */
	struct range out[2];		/* the fields that it writes */
	const int *errnos;		/* besides those that all have */
	bool sys_admin;			/* needs it */
	bool new_fd;			/* makes a descriptor */
	bool fields_may_stay;		/* what it writes may be what was there */
	void (*fill)(const struct call *call, void *arg);
	/* @before, @after: as much as was asked for, the rest zeros */
	void (*check)(const void *before, const void *after);
};

#define OUT(type, first, last)						\
	{ offsetof(struct type, first), END_OF(type, last) }

/* --- What is asked for --------------------------------------------------- */

static inline void fill_nothing(const struct call *call, void *arg)
{
	(void)call;
	(void)arg;
}

static const char *const odd_names[] = {
	"", ".", "..", "a/b", "tab\t", DEFPAGER_DEFAULT_STORE, "with space",
	"\xff\xfe", "defaul", "defaultt",
};

static inline void fill_name(uint8_t byte, char *name)
{
	memset(name, 0, DEFPAGER_NAME_SIZE);
	if (byte < 0x80) {
		sprintf(name, "fuzz-%u", byte % 4);
		return;
	}
	byte -= 0x80;
	if (byte % 16 < 10)
		strcpy(name, odd_names[byte % 16]);
	else if (byte % 16 == 10)
		memset(name, 'n', DEFPAGER_NAME_SIZE - 1);
	else if (byte % 16 == 11)
		memset(name, 'n', DEFPAGER_NAME_SIZE);
	else
		memcpy(name, "x\0y", 4);
}

static inline int pick_store_or_none(uint8_t byte)
{
	return byte ? pick_fd(STORE, byte - 1) : -1;
}

static inline void fill_object_create(const struct call *call, void *arg)
{
	struct defpager_object_create *create = arg;

	create->flags = call->a[0] & 7;
	create->object_size = call->a[1] < 0x80 ?
			      KIB(256) - call->a[1] * 1000 :
			      odd_value(call->a[1] - 0x80, 0);
	create->backing_store = pick_store_or_none(call->a[2]);
	create->seqno = call->a[3] < 0xc0 ? call->a[3] % 4 :
			odd_value(call->a[3] - 0xc0, 0);
	if (!(create->flags & DEFPAGER_OBJECT_SEQNO) && call->a[3] < 0x80)
		create->seqno = 0;
	fill_name(call->a[4], create->name);
	if (call->a[4] < 0x80)
		snprintf(create->name, sizeof(create->name), "fuzzed %u",
			 call->a[4]);
}

static inline void fill_store_open(const struct call *call, void *arg)
{
	struct defpager_backing_store_open *open = arg;

	open->reserved = 0;
	fill_name(call->a[0], open->name);
	if (!call->a[0])
		strcpy(open->name, DEFPAGER_DEFAULT_STORE);
}

static inline void fill_store_create(const struct call *call, void *arg)
{
	struct defpager_backing_store_create *create = arg;

	fill_name(call->a[0], create->name);
	create->flags = call->a[1] & 15;
	create->priority = (int8_t)call->a[2];
	create->reserved = 0;
	create->cluster_bytes = 0;
	if (call->a[3] >= 0x80)
		create->cluster_bytes = odd_value(call->a[3] - 0x80, 0);
	else if (call->a[3])
		create->cluster_bytes = 4096 << call->a[3] % 10;
}

static inline void fill_segment_add(const struct call *call, void *arg)
{
	static const uint32_t records[] = {
		4096, 512, 8192, 1536, 65536, 1, 0, 511, 1U << 30,
		(1U << 30) + 512, UINT32_MAX, 12288,
	};
	struct defpager_segment_add *add = arg;

	add->flags = call->a[0] & 1;
	add->device = pick_fd(DEVICE, call->a[1]);
	add->record_size = records[call->a[2] % 12];
	add->offset = call->a[3] < 0xc0 ? call->a[3] % 8 * 64 :
		      odd_value(call->a[3] - 0xc0, 0);
	add->count = call->a[4] < 0xc0 ? 64U - call->a[4] % 64 :
		     odd_value(call->a[4] - 0xc0, 0);
}

static inline void fill_segment_remove(const struct call *call, void *arg)
{
	struct defpager_segment_remove *removal = arg;

	removal->id = pick_id(call->a[0]);
	removal->target = pick_store_or_none(call->a[1]);
	removal->reserved = 0;
}

static inline void fill_store_delete(const struct call *call, void *arg)
{
	struct defpager_backing_store_delete *delete = arg;

	delete->target = pick_store_or_none(call->a[1]);
	delete->reserved = 0;
}

static inline void fill_alert(const struct call *call, void *arg)
{
	struct defpager_backing_store_alert *alert = arg;

	alert->flags = call->a[0] & 3;
	alert->low_bytes = range_value(call->a[1], call->a[3], 0);
	alert->high_bytes = range_value(call->a[2], call->a[3], MIB(1));
	alert->reserved = 0;
}

static inline void fill_limit(const struct call *call, void *arg)
{
	struct defpager_backing_store_limit *limit = arg;

	limit->flags = call->a[0] & 3;
	limit->object_bytes = limit->flags & DEFPAGER_LIMIT_OBJECT ?
			      range_value(call->a[1], call->a[3], 0) : 0;
	limit->user_bytes = limit->flags & DEFPAGER_LIMIT_USER ?
			    range_value(call->a[2], call->a[3], 0) : 0;
	if (call->a[4] >= 0xc0)
		limit->user_bytes = call->a[2];
}

static inline void fill_objects(const struct call *call, void *arg)
{
	fill_list(call, DEFPAGER_IOC_OBJECTS, arg);
}

static inline void fill_stores(const struct call *call, void *arg)
{
	fill_list(call, DEFPAGER_IOC_BACKING_STORES, arg);
}

static inline void fill_segments(const struct call *call, void *arg)
{
	fill_list(call, DEFPAGER_IOC_SEGMENTS, arg);
}

static inline void fill_pages(const struct call *call, void *arg)
{
	fill_list(call, DEFPAGER_IOC_OBJECT_PAGES, arg);
}

static inline void fill_seal(const struct call *call, void *arg)
{
	struct defpager_object_seal *seal = arg;

	seal->add = call->a[0] < 0x80 ? call->a[0] & 31 : 1U << call->a[0] % 32;
}

static inline void fill_pageout(const struct call *call, void *arg)
{
	struct defpager_object_pageout *pageout = arg;

	pageout->flags = call->a[0] ? call->a[0] & 7 :
			 DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_WAIT;
	pageout->offset = range_value(call->a[1], call->a[3], 0);
	pageout->length = range_value(call->a[2], call->a[3], 0);
}

/* --- What has come --------------------------------------------------------- */

static inline void check_info(const void *before, const void *after)
{
	const struct defpager_info *info = after;

	(void)before;
	promise(!info->features);
	promise(info->page_size == page_size());
	promise(info->max_object_size >= INT64_MAX - page_size());
	promise(info->nr_stores >= 1);
	promise(info->free_bytes <= info->total_bytes);
	promise(info->used_bytes <= info->total_bytes);
	promise(!info->bad_bytes && !info->failing_bytes);
}

static inline void check_object_info(const void *before, const void *after)
{
	(void)before;
	check_object(after);
}

static inline void check_store_info(const void *before, const void *after)
{
	(void)before;
	check_store(after);
}

static inline void check_segment_add(const void *before, const void *after)
{
	const struct defpager_segment_add *add = after;

	(void)before;
	promise(add->id);
	promise(add->usable_bytes && whole_pages(add->usable_bytes));
	promise(add->unused_head < page_size());
	promise(add->unused_tail < page_size());
	promise(add->unused_head + add->usable_bytes + add->unused_tail ==
		add->count * add->record_size);
	keep_id(add->id);
}

static inline void check_segment_remove(const void *before, const void *after)
{
	const struct defpager_segment_remove *removal = after;

	(void)before;
	promise(whole_pages(removal->moved_bytes));
	promise(!removal->error_object && !removal->error_offset);
}

static inline void check_store_delete(const void *before, const void *after)
{
	const struct defpager_backing_store_delete *delete = after;

	(void)before;
	promise(!delete->error_object && !delete->error_offset);
}

static inline void check_alert(const void *before, const void *after)
{
	const struct defpager_backing_store_alert *alert = after;

	(void)before;
	promise(!(alert->fired & ~(DEFPAGER_ALERT_LOW | DEFPAGER_ALERT_HIGH)));
	promise(!alert->reserved);
	promise(whole_pages(alert->free_bytes));
}

static inline void check_limit(const void *before, const void *after)
{
	const struct defpager_backing_store_limit *limit = after;

	(void)before;
	promise(whole_pages(limit->old_object_bytes));
	promise(whole_pages(limit->old_user_bytes));
}

static inline void check_seal(const void *before, const void *after)
{
	const struct defpager_object_seal *old = before, *seal = after;

	promise((seal->seals & old->add) == old->add);
	promise(seal->seals < 32);
}

static inline void check_pageout(const void *before, const void *after)
{
	const struct defpager_object_pageout *pageout = after;

	(void)before;
	promise(whole_pages(pageout->resident_bytes));
	promise(whole_pages(pageout->dirty_bytes));
	promise(pageout->dirty_bytes <= pageout->resident_bytes);
}

/* --- All of them ------------------------------------------------------------ */

#define REQUEST(_on, _name, _type, _last)				\
	.name = #_name, .on = _on, .cmd = DEFPAGER_IOC_##_name,		\
	.size = sizeof(struct _type), .min = END_OF(_type, _last)

#define LISTING(_on, _name, _fill)					\
	REQUEST(_on, _name, defpager_list, count),			\
	.out = { OUT(defpager_list, start, start),			\
		 OUT(defpager_list, count, count) },			\
	.fields_may_stay = true, .fill = _fill

static const struct request requests[] = {
	{ REQUEST(NODE, INFO, defpager_info, read_errors),
	  .out = { OUT(defpager_info, features, failing_bytes) },
	  .errnos = ERRNOS(0),
	  .fill = fill_nothing, .check = check_info },
	{ REQUEST(NODE, OBJECT_CREATE, defpager_object_create, name),
	  .flags = DEFPAGER_OBJECT_SEQNO | DEFPAGER_OBJECT_RESERVE |
		   DEFPAGER_OBJECT_RESIDENT,
	  .out = { OUT(defpager_object_create, fd, fd) },
	  .errnos = ERRNOS(ENOSPC, EDQUOT, EBUSY, EBADF, EINTR, EMFILE, ENODEV),
	  .new_fd = true, .fill = fill_object_create },
	{ LISTING(NODE, OBJECTS, fill_objects), .errnos = ERRNOS(0) },
	{ REQUEST(NODE, BACKING_STORE_OPEN, defpager_backing_store_open, name),
	  .out = { OUT(defpager_backing_store_open, fd, fd) },
	  .errnos = ERRNOS(ENOENT, EMFILE), .sys_admin = true,
	  .new_fd = true, .fill = fill_store_open },
	{ REQUEST(NODE, BACKING_STORE_CREATE, defpager_backing_store_create,
		  name),
	  .flags = DEFPAGER_STORE_EXCLUSIVE | DEFPAGER_STORE_DISCARD |
		   DEFPAGER_STORE_CHECKSUM | DEFPAGER_STORE_ENCRYPT,
	  .out = { OUT(defpager_backing_store_create, fd, fd) },
	  .errnos = ERRNOS(EEXIST, EOPNOTSUPP, EMFILE), .sys_admin = true,
	  .new_fd = true, .fill = fill_store_create },
	{ LISTING(NODE, BACKING_STORES, fill_stores), .errnos = ERRNOS(0) },
	{ REQUEST(STORE, BACKING_STORE_INFO, defpager_backing_store_info, name),
	  .out = { OUT(defpager_backing_store_info, flags, user_limit_bytes) },
	  .errnos = ERRNOS(ENODEV),
	  .fill = fill_nothing, .check = check_store_info },
	{ REQUEST(STORE, SEGMENT_ADD, defpager_segment_add, unused_tail),
	  .flags = DEFPAGER_SEGMENT_DISCARD,
	  .out = { OUT(defpager_segment_add, id, unused_tail) },
	  .errnos = ERRNOS(EBADF, ENOTBLK, EROFS, EOPNOTSUPP, EBUSY, ENODEV),
	  .sys_admin = true,
	  .fill = fill_segment_add, .check = check_segment_add },
	{ LISTING(STORE, SEGMENTS, fill_segments), .errnos = ERRNOS(ENODEV) },
	/* No device here has errors, so there is no EIO. */
	{ REQUEST(STORE, SEGMENT_REMOVE, defpager_segment_remove, error_offset),
	  .out = { OUT(defpager_segment_remove, moved_bytes, error_offset) },
	  .errnos = ERRNOS(ENOENT, ENOSPC, EBUSY, EBADF, EINTR, ENODEV),
	  .sys_admin = true,
	  .fill = fill_segment_remove, .check = check_segment_remove },
	{ REQUEST(STORE, BACKING_STORE_DELETE, defpager_backing_store_delete,
		  error_offset),
	  .out = { OUT(defpager_backing_store_delete, error_object,
		       error_offset) },
	  .errnos = ERRNOS(EBUSY, ENOSPC, EBADF, EINTR, ENODEV),
	  .sys_admin = true,
	  .fill = fill_store_delete, .check = check_store_delete },
	{ REQUEST(STORE, BACKING_STORE_ALERT, defpager_backing_store_alert,
		  free_bytes),
	  .flags = DEFPAGER_ALERT_LOW | DEFPAGER_ALERT_HIGH,
	  .out = { OUT(defpager_backing_store_alert, fired, fired),
		   OUT(defpager_backing_store_alert, free_bytes, free_bytes) },
	  .errnos = ERRNOS(ENODEV), .sys_admin = true,
	  .fill = fill_alert, .check = check_alert },
	{ REQUEST(STORE, BACKING_STORE_LIMIT, defpager_backing_store_limit,
		  old_user_bytes),
	  .flags = DEFPAGER_LIMIT_OBJECT | DEFPAGER_LIMIT_USER,
	  .out = { OUT(defpager_backing_store_limit, old_object_bytes,
		       old_user_bytes) },
	  .errnos = ERRNOS(ENODEV), .sys_admin = true,
	  .fill = fill_limit, .check = check_limit },
	{ REQUEST(OBJECT, OBJECT_INFO, defpager_object_info, name),
	  .out = { OUT(defpager_object_info, flags, name) },
	  .errnos = ERRNOS(0),
	  .fill = fill_nothing, .check = check_object_info },
	{ LISTING(OBJECT, OBJECT_PAGES, fill_pages), .errnos = ERRNOS(0) },
	{ REQUEST(OBJECT, OBJECT_SEAL, defpager_object_seal, seals),
	  .out = { OUT(defpager_object_seal, seals, seals) },
	  .errnos = ERRNOS(EPERM, EBUSY),
	  .fill = fill_seal, .check = check_seal },
	{ REQUEST(OBJECT, OBJECT_PAGEOUT, defpager_object_pageout, dirty_bytes),
	  .flags = DEFPAGER_PAGEOUT_OUT | DEFPAGER_PAGEOUT_IN |
		   DEFPAGER_PAGEOUT_WAIT,
	  .out = { OUT(defpager_object_pageout, resident_bytes, dirty_bytes) },
	  .errnos = ERRNOS(EBADF, EOPNOTSUPP, EINTR),
	  .fill = fill_pageout, .check = check_pageout },
};

#define NR_REQUESTS (sizeof(requests) / sizeof(requests[0]))

#endif /* FUZZ_REQUESTS_H */
