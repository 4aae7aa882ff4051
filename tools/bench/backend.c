// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two ways to hold pages: an object of defpager with a segment on the
 * device, and a memfd where the device is the swap. The swap is turned on by
 * the script that starts the workload, since mkswap and swapon do it all; the
 * segment is added here, by ioctl, so that nothing but the module is measured.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/defpager.h>

#include "bench.h"

/* Returns the value in a file of "name value" lines. */
static uint64_t vmstat(const char *name)
{
	char key[64];
	uint64_t value;
	FILE *file = fopen("/proc/vmstat", "re");

	if (!file)
		err(1, "/proc/vmstat");
	while (fscanf(file, "%63s %" SCNu64, key, &value) == 2) {
		if (strcmp(key, name) == 0) {
			fclose(file);
			return value;
		}
	}
	errx(1, "/proc/vmstat does not have %s", name);
}

static void memfd_setup(const char *device)
{
	(void)device;
}

static int memfd_create_object(size_t size)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, size))
		err(1, "memfd of %zu bytes", size);
	return fd;
}

/* The last munmap() or close() does it all. */
static void memfd_wait_gone(void)
{
}

static void memfd_count(struct counters *counters)
{
	counters->said_in = vmstat("pswpin");
	counters->said_out = vmstat("pswpout");
}

static int pager = -1;

static void pager_ioctl(int fd, unsigned long command, void *arg,
			const char *what)
{
	if (ioctl(fd, command, arg))
		err(1, "%s", what);
}

static struct defpager_info pager_info(void)
{
	struct defpager_info info = { .size = sizeof(info) };

	pager_ioctl(pager, DEFPAGER_IOC_INFO, &info, "DEFPAGER_IOC_INFO");
	return info;
}

/* The whole device becomes a segment of the store. */
static void pager_add(int store, const char *device)
{
	struct defpager_segment_add add = {
		.size = sizeof(add),
		.record_size = PAGE_SIZE,
	};
	uint64_t bytes;

	add.device = open(device, O_RDWR | O_CLOEXEC);
	if (add.device < 0 || ioctl(add.device, BLKGETSIZE64, &bytes))
		err(1, "%s", device);
	add.count = bytes / add.record_size;
	pager_ioctl(store, DEFPAGER_IOC_SEGMENT_ADD, &add,
		    "DEFPAGER_IOC_SEGMENT_ADD");
	close(add.device);
}

static void pager_open(void)
{
	pager = open("/dev/defpager", O_RDWR | O_CLOEXEC);
	if (pager < 0)
		err(1, "/dev/defpager");
}

/* Objects of the pager, and its default store. */
static void pager_setup(const char *device)
{
	struct defpager_backing_store_open open_arg = {
		.size = sizeof(open_arg),
		.name = DEFPAGER_DEFAULT_STORE,
	};

	pager_open();
	pager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_OPEN, &open_arg,
		    "DEFPAGER_IOC_BACKING_STORE_OPEN");
	pager_add(open_arg.fd, device);
	close(open_arg.fd);
}

/* Objects confined to a store that protects what it holds. */
static int store = -1;

static void store_setup(const char *device, uint32_t flags)
{
	struct defpager_backing_store_create create = {
		.size = sizeof(create),
		.flags = flags,
		.name = "bench",
	};

	pager_open();
	pager_ioctl(pager, DEFPAGER_IOC_BACKING_STORE_CREATE, &create,
		    "DEFPAGER_IOC_BACKING_STORE_CREATE");
	store = create.fd;
	pager_add(store, device);
}

static void confined_setup(const char *device)
{
	store_setup(device, 0);
}

static void checksum_setup(const char *device)
{
	store_setup(device, DEFPAGER_STORE_CHECKSUM);
}

static void encrypt_setup(const char *device)
{
	store_setup(device, DEFPAGER_STORE_ENCRYPT);
}

static int pager_create_object(size_t size)
{
	struct defpager_object_create create = {
		.size = sizeof(create),
		.object_size = size,
		.backing_store = store,
		.name = "bench",
	};

	pager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &create,
		    "DEFPAGER_IOC_OBJECT_CREATE");
	return create.fd;
}

/* Work that is put off at the last close has to be done all the same. */
static void pager_wait_gone(void)
{
	const struct timespec nap = { .tv_nsec = 1000 };
	struct timespec now, begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (pager_info().reserved_bytes) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - begin.tv_sec > 5)
			errx(1, "%" PRIu64 " bytes are still reserved",
			     (uint64_t)pager_info().reserved_bytes);
		nanosleep(&nap, NULL);
	}
}

static void pager_count(struct counters *counters)
{
	struct defpager_info info = pager_info();

	if (info.read_errors || info.write_errors)
		errx(1, "I/O errors");
	counters->said_in = info.pages_in;
	counters->said_out = info.pages_out;
}

#define PAGER_BACKEND(its_name, its_setup) {				\
	.name = (its_name),						\
	.setup = (its_setup),						\
	.create = pager_create_object,					\
	.wait_gone = pager_wait_gone,					\
	.count = pager_count,						\
}

static const struct backend backends[] = {
	{
		.name = "memfd",
		.setup = memfd_setup,
		.create = memfd_create_object,
		.wait_gone = memfd_wait_gone,
		.count = memfd_count,
	},
	PAGER_BACKEND("defpager", pager_setup),
	PAGER_BACKEND("confined", confined_setup),
	PAGER_BACKEND("checksum", checksum_setup),
	PAGER_BACKEND("encrypt", encrypt_setup),
};

const struct backend *backend_find(const char *name)
{
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	}
	errx(2, "%s: no such backend", name);
}

/* Documentation/block/stat.rst; its sectors are of 512 bytes. */
static void device_count(const char *device, struct counters *counters)
{
	uint64_t sectors_in, sectors_out;
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/block/%s/stat",
		 strrchr(device, '/') + 1);
	file = fopen(path, "re");
	if (!file)
		err(1, "%s", path);
	if (fscanf(file,
		   "%" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64,
		   &counters->reads, &sectors_in, &counters->writes,
		   &sectors_out) != 4)
		errx(1, "%s: unknown format", path);
	fclose(file);
	counters->pages_in = sectors_in / (PAGE_SIZE / 512);
	counters->pages_out = sectors_out / (PAGE_SIZE / 512);
}

void counters_read(const struct backend *backend, const char *device,
		   struct counters *counters)
{
	device_count(device, counters);
	backend->count(counters);
	counters->major_faults = vmstat("pgmajfault");
}

struct counters counters_diff(const struct counters *from,
			      const struct counters *to)
{
	return (struct counters){
		.reads = to->reads - from->reads,
		.pages_in = to->pages_in - from->pages_in,
		.writes = to->writes - from->writes,
		.pages_out = to->pages_out - from->pages_out,
		.said_in = to->said_in - from->said_in,
		.said_out = to->said_out - from->said_out,
		.major_faults = to->major_faults - from->major_faults,
	};
}
