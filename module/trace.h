/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: events/defpager in tracefs. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM defpager

#if !defined(DEFPAGER_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DEFPAGER_TRACE_H

#include <linux/tracepoint.h>

#include "defpager.h"

DECLARE_EVENT_CLASS(defpager_segment,
	TP_PROTO(struct defpager_segment *segment),
	TP_ARGS(segment),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(dev_t, dev)
		__field(u64, offset)
		__field(u64, pages)
	),
	TP_fast_assign(
		__entry->id = segment->id;
		__entry->dev = segment->bdev->bd_dev;
		__entry->offset = segment->offset_bytes;
		__entry->pages = segment->slots.nr;
	),
	TP_printk("segment=%llu dev=%d:%d offset=%llu pages=%llu",
		  __entry->id, MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->offset, __entry->pages)
);

DEFINE_EVENT(defpager_segment, defpager_segment_add,
	TP_PROTO(struct defpager_segment *segment),
	TP_ARGS(segment)
);

DEFINE_EVENT(defpager_segment, defpager_segment_remove,
	TP_PROTO(struct defpager_segment *segment),
	TP_ARGS(segment)
);

/* It is not written to any more, or again. */
DEFINE_EVENT(defpager_segment, defpager_segment_fail,
	TP_PROTO(struct defpager_segment *segment),
	TP_ARGS(segment)
);

DEFINE_EVENT(defpager_segment, defpager_segment_recover,
	TP_PROTO(struct defpager_segment *segment),
	TP_ARGS(segment)
);

/* Pages of one object that were moved away, the last one below @index. */
TRACE_EVENT(defpager_drain,
	TP_PROTO(struct defpager_object *object, struct defpager_store *store,
		 pgoff_t index, u64 moved),
	TP_ARGS(object, store, index, moved),
	TP_STRUCT__entry(
		__field(u32, object)
		__field(u32, store)
		__field(pgoff_t, index)
		__field(u64, moved)
	),
	TP_fast_assign(
		__entry->object = object->id;
		__entry->store = store->id;
		__entry->index = index;
		__entry->moved = moved;
	),
	TP_printk("object=%u store=%u index=%lu moved=%llu",
		  __entry->object, __entry->store, __entry->index,
		  __entry->moved)
);

DECLARE_EVENT_CLASS(defpager_object,
	TP_PROTO(struct defpager_object *object),
	TP_ARGS(object),
	TP_STRUCT__entry(
		__field(u32, id)
		__field(loff_t, size)
		__field(unsigned long, resident)
		__field(long, stored)
	),
	TP_fast_assign(
		__entry->id = object->id;
		__entry->size = object->max_size;
		__entry->resident = object->inode.i_mapping->nrpages;
		__entry->stored = atomic_long_read(&object->map.stored);
	),
	TP_printk("object=%u size=%lld resident=%lu stored=%ld",
		  __entry->id, __entry->size, __entry->resident,
		  __entry->stored)
);

DEFINE_EVENT(defpager_object, defpager_object_create,
	TP_PROTO(struct defpager_object *object),
	TP_ARGS(object)
);

DEFINE_EVENT(defpager_object, defpager_object_destroy,
	TP_PROTO(struct defpager_object *object),
	TP_ARGS(object)
);

/* One bio on its way to, or from, a segment. */
DECLARE_EVENT_CLASS(defpager_io,
	TP_PROTO(u64 object, pgoff_t index, unsigned int pages,
		 struct defpager_segment *segment, u64 slot),
	TP_ARGS(object, index, pages, segment, slot),
	TP_STRUCT__entry(
		__field(u64, object)
		__field(pgoff_t, index)
		__field(unsigned int, pages)
		__field(u64, segment)
		__field(u64, slot)
	),
	TP_fast_assign(
		__entry->object = object;
		__entry->index = index;
		__entry->pages = pages;
		__entry->segment = segment->id;
		__entry->slot = slot - segment->first_slot;
	),
	TP_printk("object=%llu index=%lu pages=%u segment=%llu slot=%llu",
		  __entry->object, __entry->index, __entry->pages,
		  __entry->segment, __entry->slot)
);

DEFINE_EVENT(defpager_io, defpager_pageout,
	TP_PROTO(u64 object, pgoff_t index, unsigned int pages,
		 struct defpager_segment *segment, u64 slot),
	TP_ARGS(object, index, pages, segment, slot)
);

DEFINE_EVENT(defpager_io, defpager_pagein,
	TP_PROTO(u64 object, pgoff_t index, unsigned int pages,
		 struct defpager_segment *segment, u64 slot),
	TP_ARGS(object, index, pages, segment, slot)
);

#endif /* DEFPAGER_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
