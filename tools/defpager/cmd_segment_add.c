// SPDX-License-Identifier: GPL-2.0-only
/* defpager segment-add */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "defpager.h"
#include "probe.h"
#include "table.h"

/* What to add, in the terms of the command line and then in bytes. */
struct request {
	const char *path;
	const char *store;
	bool force;
	bool have_range;	/* not just the whole device */
	bool have_count;
	uint64_t record_size;	/* bytes, 0 for that of the device */
	uint64_t offset;	/* records */
	uint64_t count;		/* records */
	/* Found out by size_up(). */
	uint64_t start;		/* bytes */
	uint64_t length;	/* bytes */
};

enum {
	OPT_COUNT = 256,
	OPT_FORCE,
	OPT_HELP,
	OPT_OFFSET,
	OPT_RECORD_SIZE,
	OPT_STORE,
};

static const struct option options[] = {
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "offset", required_argument, NULL, OPT_OFFSET },
	{ "record-size", required_argument, NULL, OPT_RECORD_SIZE },
	{ "store", required_argument, NULL, OPT_STORE },
	{ }
};

static bool parse_records(const char *name, const char *text,
			  uint64_t *records)
{
	if (parse_number(text, records))
		return true;
	complain("--%s %s: must be a number of records, without a suffix",
		 name, text);
	return false;
}

static bool parse_record_size(const char *text, uint64_t *bytes)
{
	if (parse_size(text, bytes) && *bytes > 0 &&
	    *bytes <= DEFPAGER_MAX_RECORD_SIZE)
		return true;
	complain("--record-size %s: must be a number of bytes from 1 to 1G",
		 text);
	return false;
}

static bool parse_option(int option, struct request *request)
{
	switch (option) {
	case OPT_COUNT:
		request->have_range = true;
		request->have_count = true;
		return parse_records("count", optarg, &request->count);
	case OPT_OFFSET:
		request->have_range = true;
		return parse_records("offset", optarg, &request->offset);
	case OPT_RECORD_SIZE:
		return parse_record_size(optarg, &request->record_size);
	case OPT_FORCE:
		request->force = true;
		return true;
	case OPT_STORE:
		request->store = optarg;
		return true;
	default:
		return false;
	}
}

/* False if there is nothing to add, with the exit status in *status. */
static bool parse(int argc, char **argv, struct request *request, int *status)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == OPT_HELP) {
			*status = command_help(&cmd_segment_add);
			return false;
		}
		if (!parse_option(option, request))
			goto misused;
	}
	if (optind != argc - 1) {
		complain("segment-add wants one device");
		goto misused;
	}
	request->path = argv[optind];
	return true;

misused:
	*status = command_misused(&cmd_segment_add);
	return false;
}

/* A descriptor, or negative after a message. */
static int open_device(const char *path)
{
	struct stat st;
	int device;

	/* Looked at first: to open something else could have effects. */
	if (stat(path, &st) < 0) {
		explain(OP_DEVICE_OPEN, path, -errno);
		return -1;
	}
	if (!S_ISBLK(st.st_mode)) {
		explain(OP_DEVICE_OPEN, path, -ENOTBLK);
		return -1;
	}
	/* Not O_EXCL: the claim would be in the way of the pager's own. */
	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		explain(OP_DEVICE_OPEN, path, -errno);
	return device;
}

/* The range in bytes; false, with a message, if there is no such range. */
static bool set_range(struct request *request, uint64_t size)
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
			 request->path, records, request->record_size);
		return false;
	}
	if (__builtin_add_overflow(request->offset, request->count, &end) ||
	    end > records) {
		complain("%s: the range goes beyond the device, which has %"
			 PRIu64 " records of %" PRIu64 " bytes",
			 request->path, records, request->record_size);
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
static bool size_up(int device, struct request *request)
{
	uint64_t size;
	int block;

	if (ioctl(device, BLKGETSIZE64, &size) < 0 ||
	    ioctl(device, BLKSSZGET, &block) < 0) {
		explain(OP_DEVICE_OPEN, request->path, -errno);
		return false;
	}
	if (!request->record_size)
		request->record_size = block;
	if (request->record_size % block) {
		complain("%s: the record size must be a multiple of the "
			 "device's logical block size, %d",
			 request->path, block);
		return false;
	}
	return set_range(request, size);
}

static bool in_use(const char *path)
{
	int fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

/* Complains and is true if part of the device carries something. */
static bool carries_data(int device, const struct request *request,
			 const char *part, uint64_t start, uint64_t length)
{
	char *found;
	int ret = probe_range(device, start, length, &found);

	if (ret < 0) {
		complain("%s: cannot look what %s carries: %s; --force skips "
			 "this", request->path, part, strerror(-ret));
		return true;
	}
	if (!found)
		return false;
	/* Of no use to suggest --force if it then fails all the same. */
	if (in_use(request->path))
		explain(OP_SEGMENT_ADD, request->path, -EBUSY);
	else
		complain("%s: %s carries: %s; use another one, or --force to "
			 "have it overwritten", request->path, part, found);
	free(found);
	return true;
}

/*
 * A signature of the whole device counts even if it is outside of the range:
 * the range is then part of a file system, or of a partition.
 */
static bool is_free(int device, const struct request *request)
{
	if (request->force)
		return true;
	if (carries_data(device, request, "the device", 0, 0))
		return false;
	return !request->have_range ||
	       !carries_data(device, request, "the range", request->start,
			     request->length);
}

static void report(const struct request *request,
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

static int add_segment(int store, int device, struct request *request)
{
	struct defpager_segment_add add = {
		.size = sizeof(add),
		.device = device,
	};
	int ret;

	if (!size_up(device, request) || !is_free(device, request))
		return STATUS_FAILED;
	add.record_size = request->record_size;
	add.offset = request->offset;
	add.count = request->count;
	ret = libdefpager_segment_add(store, &add);
	if (ret < 0) {
		explain(OP_SEGMENT_ADD, request->path, ret);
		return STATUS_FAILED;
	}
	report(request, &add);
	return STATUS_OK;
}

static int run_segment_add(int argc, char **argv)
{
	struct request request = { .store = DEFPAGER_DEFAULT_STORE };
	int status = STATUS_FAILED;
	int store, device;

	if (!parse(argc, argv, &request, &status))
		return status;
	store = backing_store_open(request.store);
	if (store < 0)
		return STATUS_FAILED;
	device = open_device(request.path);
	if (device >= 0) {
		status = add_segment(store, device, &request);
		close(device);
	}
	close(store);
	return status;
}

const struct command cmd_segment_add = {
	.name = "segment-add",
	.summary = "give a block device, or part of it, to the pager",
	.usage = "segment-add [--store STORE] [--offset N] [--count N]\n"
		 "                [--record-size SIZE] [--force] DEVICE",
	.help =
	"Adds a block device to the space that objects are paged to. What it\n"
	"holds will be overwritten. It belongs to the pager until the module is\n"
	"unloaded. Needs to be run as root.\n"
	"\n"
	"  --store STORE       backing store to add to (default: \"default\")\n"
	"  --offset N          first record to take (default: 0)\n"
	"  --count N           records to take (default: all from --offset on)\n"
	"  --record-size SIZE  bytes in a record, a multiple of the device's\n"
	"                      logical block size (default: that size)\n"
	"  --force             even if the device carries a file system, RAID,\n"
	"                      swap or partition table signature\n"
	"  --help              this text\n",
	.run = run_segment_add,
};
