/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail on purpose: one by one, for kernels that can.
 */
#ifndef FAIL_UTILS_H
#define FAIL_UTILS_H

#include "paging_utils.h"

#define DEBUGFS "/sys/kernel/debug"

/*
 * Allocations that fail: all that can, quietly. Not copies from and to user
 * space: no part of the kernel is where they may. The last one comes when
 * there is no way back.
 */
static inline bool can_fail(void)
{
	return !write_text(DEBUGFS "/failslab/ignore-gfp-wait", "N") &&
	       !write_text(DEBUGFS "/failslab/verbose", "0") &&
	       !write_text(DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N") &&
	       !write_text(DEBUGFS "/fail_page_alloc/ignore-gfp-highmem",
			   "N") &&
	       !write_text(DEBUGFS "/fail_page_alloc/min-order", "0") &&
	       !write_text(DEBUGFS "/fail_page_alloc/verbose", "0") &&
	       !write_text(DEBUGFS "/fail_usercopy/require-end", "1");
}

/* Opened in advance: that needs memory. */
static inline int open_fail_nth(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	must(fd >= 0);
	return fd;
}

/* From here the nth allocation of this thread fails. */
static inline void fail_nth(int fd, int nth)
{
	must(dprintf(fd, "%d", nth) > 0);
}

/* Whether there were fewer allocations. */
static inline bool nothing_failed(int fd)
{
	char text[16] = "";

	must(pread(fd, text, sizeof(text) - 1, 0) > 0);
	must(pwrite(fd, "0", 1, 0) == 1);
	return atoi(text) > 0;
}

/* --- Requests to devices ------------------------------------------------- */

/* @kind: "fail_make_request" or "fail_io_timeout". */
static inline int set_failure(const char *kind, const char *name, long value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, name);
	return write_text(path, "%ld", value);
}

static inline bool can_fail_requests(const char *kind)
{
	return !set_failure(kind, "probability", 0) &&
	       !set_failure(kind, "interval", 1) &&
	       !set_failure(kind, "verbose", 0);
}

/*
 * After so many bytes of requests to devices which are to fail, so many requests
 * fail; or none does any more.
 */
static inline void fail_requests(const char *kind, uint64_t after, int times)
{
	must(set_failure(kind, "probability", 0) == 0);
	must(set_failure(kind, "space", after) == 0);
	must(set_failure(kind, "times", times) == 0);
	if (times)
		must(set_failure(kind, "probability", 100) == 0);
}

static inline int failures_left(const char *kind)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/%s/times", kind);
	return read_number(path, "");
}

#endif /* FAIL_UTILS_H */
