// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "segments.h"

struct segment_walk {
	int pager;
	const char *store;
	int (*row)(const struct defpager_segment_info *segment,
		   const char *store, void *context);
	void *context;
};

static int pass_segment(const struct defpager_segment_info *segment,
			void *context)
{
	const struct segment_walk *walk = context;

	return walk->row(segment, walk->store, walk->context);
}

/* May this store be gone by now?  Only if nobody has asked for it by name. */
static int walk_store(struct segment_walk *walk, const char *name, bool gone)
{
	int store = libdefpager_backing_store_open(walk->pager, name);
	int ret;

	if (store == -ENOENT && gone)
		return 0;
	if (store < 0) {
		explain(OP_BACKING_STORE_OPEN, name, store);
		return store;
	}
	walk->store = name;
	ret = libdefpager_segments(store, pass_segment, walk);
	close(store);
	if (ret == -ENODEV && gone)
		return 0;
	if (ret < 0)
		explain(OP_SEGMENTS, name, ret);
	return ret;
}

/* What the rest of the walk comes to, and whether it has been explained. */
struct store_walk {
	struct segment_walk *segments;
	int ret;
};

static int pass_store(const struct defpager_backing_store_info *store,
		      void *context)
{
	struct store_walk *walk = context;

	walk->ret = walk_store(walk->segments, store->name, true);
	return walk->ret ? 1 : 0;
}

int each_segment(const char *store,
		 int (*row)(const struct defpager_segment_info *segment,
			    const char *store, void *context),
		 void *context)
{
	struct segment_walk walk = { .row = row, .context = context };
	struct store_walk stores = { .segments = &walk };
	int ret;

	walk.pager = pager_open();
	if (walk.pager < 0)
		return walk.pager;
	if (store) {
		ret = walk_store(&walk, store, false);
	} else {
		ret = libdefpager_backing_stores(walk.pager, pass_store,
						 &stores);
		if (ret < 0)
			explain(OP_BACKING_STORES, LIBDEFPAGER_DEVICE, ret);
		else
			ret = stores.ret;
	}
	close(walk.pager);
	return ret;
}

struct search {
	uint64_t id;
	dev_t device;	/* if it is not 0, what counts */
	unsigned int hits;
	struct found_segment *found;
};

static int compare_segment(const struct defpager_segment_info *segment,
			   const char *store, void *context)
{
	struct search *search = context;

	if (search->device ? search->device == makedev(segment->major,
						       segment->minor)
			   : search->id == segment->id) {
		search->hits++;
		search->found->segment = *segment;
		strcpy(search->found->store, store);
	}
	return 0;
}

bool find_segment(const char *text, struct found_segment *found)
{
	struct search search = { .found = found };
	struct stat st;

	if (!parse_number(text, &search.id)) {
		if (stat(text, &st) < 0) {
			explain(OP_DEVICE_OPEN, text, -errno);
			return false;
		}
		if (!S_ISBLK(st.st_mode)) {
			explain(OP_DEVICE_OPEN, text, -ENOTBLK);
			return false;
		}
		search.device = st.st_rdev;
	}
	if (each_segment(NULL, compare_segment, &search) < 0)
		return false;
	if (search.hits == 1)
		return true;
	if (search.hits)
		complain("%s: there are %u segments on it; name the one to "
			 "remove by its id (defpager segments)", text,
			 search.hits);
	else
		complain("%s: there is no such segment (defpager segments)",
			 text);
	return false;
}
