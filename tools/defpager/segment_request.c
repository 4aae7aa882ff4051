// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "probe.h"
#include "segment_request.h"
#include "segments.h"
#include "table.h"

bool parse_records(const char *name, const char *text, uint64_t *records)
{
	if (parse_number(text, records))
		return true;
	complain("%s %s: must be a number of records, without a suffix", name,
		 text);
	return false;
}

bool parse_record_size(const char *name, const char *text, uint64_t *bytes)
{
	if (parse_size(text, bytes) && *bytes > 0 &&
	    *bytes <= DEFPAGER_MAX_RECORD_SIZE)
		return true;
	complain("%s %s: must be a number of bytes from 1 to 1G", name, text);
	return false;
}

/* A descriptor, or negative after a message. */
static int open_device(struct segment_request *request)
{
	const char *path = request->path;
	struct stat st;
	int device;

	/* Looked at first: to open something else could have effects. */
	if (stat(path, &st) < 0) {
		explain(OP_DEVICE_OPEN, request->name, -errno);
		return -1;
	}
	if (!S_ISBLK(st.st_mode)) {
		explain(OP_DEVICE_OPEN, request->name, -ENOTBLK);
		return -1;
	}
	/* Not O_EXCL: the claim would be in the way of the pager's own. */
	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		explain(OP_DEVICE_OPEN, request->name, -errno);
	/* Not what the path led to before: udev may have moved it. */
	else if (!fstat(device, &st))
		request->device_number = st.st_rdev;
	return device;
}

/* The range in bytes; false, with a message, if there is no such range. */
static bool set_range(struct segment_request *request, uint64_t size)
{
	uint64_t records = size / request->record_size;
	uint64_t end;

	if (!request->have_count)
		request->count = records - (request->offset < records
						    ? request->offset
						    : records);
	if (!request->count) {
		complain("%s: there is no record to take; the device has %"
			 PRIu64 " records of %" PRIu64 " bytes",
			 request->name, records, request->record_size);
		return false;
	}
	if (__builtin_add_overflow(request->offset, request->count, &end) ||
	    end > records) {
		complain("%s: the range goes beyond the device, which has %"
			 PRIu64 " records of %" PRIu64 " bytes",
			 request->name, records, request->record_size);
		return false;
	}
	request->start = request->offset * request->record_size;
	request->length = request->count * request->record_size;
	return true;
}

/*
 * The pager checks all this again.  But it can only say EINVAL, and the range
 * has to be known before anybody can look what it holds.
 */
static bool size_up(int device, struct segment_request *request)
{
	uint64_t size;
	int block;

	if (ioctl(device, BLKGETSIZE64, &size) < 0 ||
	    ioctl(device, BLKSSZGET, &block) < 0) {
		explain(OP_DEVICE_OPEN, request->name, -errno);
		return false;
	}
	if (!request->record_size)
		request->record_size = block;
	if (request->record_size % block) {
		complain("%s: the record size must be a multiple of the "
			 "device's logical block size, %d",
			 request->name, block);
		return false;
	}
	return set_range(request, size);
}

int segment_request_open(struct segment_request *request)
{
	int device = open_device(request);

	if (device >= 0 && !size_up(device, request)) {
		close(device);
		return -1;
	}
	return device;
}

static int is_on_device(const struct defpager_segment_info *segment,
			const char *store, void *context)
{
	const struct segment_request *request = context;

	(void)store;
	return request->device_number == makedev(segment->major, segment->minor);
}

/* By somebody else than the pager: beside its own segments it adds others. */
static bool in_use(const struct segment_request *request)
{
	int fd;

	if (each_segment(NULL, is_on_device, (void *)request) > 0)
		return false;
	fd = open(request->path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

/* Complains and is true if part of the device carries something. */
static bool carries_data(int device, const struct segment_request *request,
			 const char *part, uint64_t start, uint64_t length)
{
	char *found;
	int ret = probe_range(device, start, length, &found);

	if (ret < 0) {
		complain("%s: cannot look what %s carries: %s; %s skips this",
			 request->name, part, strerror(-ret),
			 request->how_to_force);
		return true;
	}
	if (!found)
		return false;
	/* Of no use to suggest force if it then fails all the same. */
	if (in_use(request))
		explain(OP_SEGMENT_ADD, request->name, -EBUSY);
	else
		complain("%s: %s carries: %s; use another one, or, if nobody "
			 "needs that, %s to have it overwritten",
			 request->name, part, found, request->how_to_force);
	free(found);
	return true;
}

/*
 * A signature of the whole device counts even if it is outside of the range:
 * the range is then part of a file system, or of a partition.
 */
bool segment_request_is_free(int device, const struct segment_request *request)
{
	if (request->force)
		return true;
	if (carries_data(device, request, "the device", 0, 0))
		return false;
	return !(request->have_offset || request->have_count) ||
	       !carries_data(device, request, "the range", request->start,
			     request->length);
}

static void report(const struct segment_request *request,
		   const struct defpager_segment_add *add)
{
	printf("segment %" PRIu64 ": %s of %s added to backing store %s\n",
	       (uint64_t)add->id, human_size(add->usable_bytes),
	       request->path, request->store);
	if (add->unused_head || add->unused_tail)
		printf("not used, because pages lie at multiples of their "
		       "size: %" PRIu64 " bytes at the start, %" PRIu64
		       " at the end\n", (uint64_t)add->unused_head,
		       (uint64_t)add->unused_tail);
}

bool segment_request_add(int device, const struct segment_request *request)
{
	struct defpager_segment_add add = {
		.size = sizeof(add),
		.flags = request->discard ? DEFPAGER_SEGMENT_DISCARD : 0,
		.device = device,
		.record_size = request->record_size,
		.offset = request->offset,
		.count = request->count,
	};
	int store, ret;

	store = backing_store_open(request->store);
	if (store < 0)
		return false;
	ret = libdefpager_segment_add(store, &add);
	close(store);
	if (ret < 0) {
		explain(OP_SEGMENT_ADD, request->name, ret);
		return false;
	}
	report(request, &add);
	return true;
}
