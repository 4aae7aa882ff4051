/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes in memory: what they are, accesses that may end in SIGBUS, and sending
 * them to storage.
 */
#ifndef MEMORY_UTILS_H
#define MEMORY_UTILS_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "defpager_utils.h"

static sigjmp_buf bus_error;

static inline void on_sigbus(int signal)
{
	(void)signal;
	siglongjmp(bus_error, 1);
}

/* One that nobody expects has to end the process, before and after. */
static inline bool access_is_sigbus(volatile char *address, bool write)
{
	struct sigaction action = { .sa_handler = on_sigbus };
	volatile bool failed = false;
	struct sigaction saved;

	sigaction(SIGBUS, &action, &saved);
	if (sigsetjmp(bus_error, 1))
		failed = true;
	else if (write)
		*address = 1;
	else
		(void)*address;
	sigaction(SIGBUS, &saved, NULL);
	return failed;
}

static inline bool read_is_sigbus(volatile char *address)
{
	return access_is_sigbus(address, false);
}

static inline bool write_is_sigbus(volatile char *address)
{
	return access_is_sigbus(address, true);
}

static inline bool all_bytes(const char *bytes, size_t size, char value)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

/* Reads all pages of a mapping that are in memory, and says whether some are. */
static inline bool touch_resident(volatile char *map, size_t size)
{
	size_t pages = size / page_size();
	unsigned char *resident = malloc(pages);
	bool found = false;

	if (mincore((void *)map, size, resident))
		abort();
	for (size_t i = 0; i < pages; i++) {
		if (resident[i] & 1) {
			(void)map[i * page_size()];
			found = true;
		}
	}
	free(resident);
	return found;
}

/*
 * Has an object paged out until none of it is in memory. MADV_PAGEOUT asks for
 * what is mapped, and unmaps it; pages whose write had to come first are asked
 * for once more. A page may hang in a list of another processor, where reclaim
 * does not see it: to find that is what makes POSIX_FADV_DONTNEED empty these.
 */
static inline bool page_out(int object, char *map, size_t size)
{
	return wait_until(!touch_resident(map, size) ||
			  madvise(map, size, MADV_PAGEOUT) ||
			  posix_fadvise(object, 0, 0, POSIX_FADV_DONTNEED));
}

#endif /* MEMORY_UTILS_H */
