// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adds spare devices to a backing store, one after the other, each time that
 * its space gets short: before a program gets SIGBUS for want of it.
 *
 *	grow_on_alert STORE BYTES DEVICE...
 *
 * BYTES of free space, or KiB, MiB, GiB with K, M, G behind, are short.  They have
 * to be what the programs can use up while this one wakes up and adds a device, which
 * takes some milliseconds.
 * The devices are overwritten when their turn comes, and refused if they carry
 * anything that libblkid knows.  It runs as root, for example as a service.
 */
#include <blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../defpager/defpager.h"

struct spare {
	const char *path;
	int device;
	int claim;	/* exclusive, so that nobody else takes it meanwhile */
	uint64_t size;
	int block;
};

static void __attribute__((noreturn, format(printf, 1, 2)))
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("grow_on_alert: ", stderr);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static bool carries_something(int device)
{
	blkid_probe probe = blkid_new_probe();
	int ret = -1;

	if (probe && !blkid_probe_set_device(probe, device, 0, 0)) {
		blkid_probe_enable_partitions(probe, 1);
		ret = blkid_do_probe(probe);
	}
	blkid_free_probe(probe);
	return ret != 1;
}

static void hold_spare(struct spare *spare, const char *path)
{
	char same[64];

	spare->path = path;
	spare->claim = open(path, O_RDWR | O_EXCL | O_CLOEXEC);
	/* Of what was claimed, whatever the path leads to by now. */
	snprintf(same, sizeof(same), "/proc/self/fd/%d", spare->claim);
	spare->device = spare->claim < 0 ? -1 : open(same, O_RDWR | O_CLOEXEC);
	if (spare->device < 0 ||
	    ioctl(spare->device, BLKGETSIZE64, &spare->size) < 0 ||
	    ioctl(spare->device, BLKSSZGET, &spare->block) < 0)
		fail("%s: %s", path, strerror(errno));
	if (carries_something(spare->device))
		fail("%s: is not empty (wipefs)", path);
}

/* The pager wants the device for itself, so our claim has to end. */
static int add_spare(int store, struct spare *spare)
{
	struct defpager_segment_add add = {
		.size = sizeof(add),
		.device = spare->device,
		.record_size = spare->block,
		.count = spare->size / spare->block,
	};
	int ret;

	close(spare->claim);
	ret = libdefpager_segment_add(store, &add);
	close(spare->device);
	return ret;
}

static void arm(int store, uint64_t low)
{
	struct defpager_backing_store_alert alert = {
		.size = sizeof(alert),
		.flags = DEFPAGER_ALERT_LOW,
		.low_bytes = low,
		.high_bytes = low,
	};
	int ret = libdefpager_backing_store_alert(store, &alert);

	if (ret)
		fail("cannot arm the alert: %s", strerror(-ret));
}

static void wait_for_alert(int store)
{
	struct pollfd alert = { .fd = store, .events = POLLPRI };

	while (poll(&alert, 1, -1) < 0)
		if (errno != EINTR)
			fail("poll: %s", strerror(errno));
	if (alert.revents & POLLHUP)
		fail("the store has been deleted");
}

int main(int argc, char **argv)
{
	int nr_spares = argc - 3;
	struct spare *spares;
	int pager, store;
	uint64_t low;

	if (nr_spares < 1)
		fail("usage: grow_on_alert STORE BYTES DEVICE...");
	if (!parse_size(argv[2], &low))
		fail("%s: is no number of bytes", argv[2]);
	spares = calloc(nr_spares, sizeof(*spares));
	if (!spares)
		fail("out of memory");
	pager = libdefpager_open();
	if (pager < 0)
		fail("%s: %s", LIBDEFPAGER_DEVICE, strerror(-pager));
	store = libdefpager_backing_store_open(pager, argv[1]);
	if (store < 0)
		fail("%s: %s", argv[1], strerror(-store));
	for (int i = 0; i < nr_spares; i++)
		hold_spare(&spares[i], argv[3 + i]);
	/* When space gets short, memory is, too: nothing may be missing then. */
	if (mlockall(MCL_CURRENT))
		fail("mlockall: %s", strerror(errno));

	for (int i = 0; i < nr_spares; i++) {
		int ret;

		/* Fires at once if the last device was not enough. */
		arm(store, low);
		if (!i)
			puts("watching");
		fflush(stdout);
		wait_for_alert(store);
		ret = add_spare(store, &spares[i]);
		printf("%s: %s\n", spares[i].path,
		       ret ? strerror(-ret) : "added");
	}
	puts("there are no more spares");
	return 0;
}
