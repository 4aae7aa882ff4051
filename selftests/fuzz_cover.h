/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which places of the module's code a process has come by, told by kcov: its
 * own system calls only, not what the pager's workers do for it.
 */
#ifndef FUZZ_COVER_H
#define FUZZ_COVER_H

#include <linux/kcov.h>

#include "fuzz_state.h"

/* Of one call. What is more is not told. */
#define MAX_TRACE 65536

struct cover {
	int fd;			/* or -1: this kernel has no kcov */
	volatile uint64_t *trace;	/* [0] is how many follow */
	uint64_t code;		/* where the section .text is */
	uint64_t bytes;		/* of the module */
};

static struct cover cover = { .fd = -1 };

static inline uint64_t module_number(const char *path, int base)
{
	char text[64] = "";
	FILE *file = fopen(path, "re");

	must(file && fgets(text, sizeof(text), file));
	fclose(file);
	return strtoull(text, NULL, base);
}

/* Nothing of this is there in most kernels. */
static inline void cover_open(void)
{
	uint64_t *trace;
	int fd;

	fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	must(ioctl(fd, KCOV_INIT_TRACE, MAX_TRACE) == 0);
	trace = mmap(NULL, MAX_TRACE * sizeof(*trace), PROT_READ | PROT_WRITE,
		     MAP_SHARED, fd, 0);
	must(trace != MAP_FAILED);
	cover.fd = fd;
	cover.trace = trace;
	cover.code = module_number("/sys/module/defpager/sections/.text", 16);
	cover.bytes = module_number("/sys/module/defpager/coresize", 10);
	must(cover.code);
}

static inline void cover_close(void)
{
	if (cover.fd < 0)
		return;
	munmap((void *)cover.trace, MAX_TRACE * sizeof(*cover.trace));
	close(cover.fd);
	cover.fd = -1;
}

/* This process is traced, until it ends; its children are not. */
static inline void cover_begin(void)
{
	if (cover.fd >= 0)
		must(ioctl(cover.fd, KCOV_ENABLE, KCOV_TRACE_PC) == 0);
}

static inline bool covered(uint64_t place)
{
	return shared->places[place / 8] & 1 << place % 8;
}

/* A call begins. */
static inline void cover_call(void)
{
	if (cover.fd >= 0)
		__atomic_store_n(cover.trace, 0, __ATOMIC_RELAXED);
}

/* It has ended. */
static inline void cover_look(void)
{
	uint64_t nr, place;

	if (cover.fd < 0 || is_grandchild)
		return;
	nr = __atomic_load_n(cover.trace, __ATOMIC_RELAXED);
	for (uint64_t i = 1; i <= nr && i < MAX_TRACE; i++) {
		place = cover.trace[i] - cover.code;
		if (place >= cover.bytes || place >= MAX_CODE || covered(place))
			continue;
		shared->places[place / 8] |= 1 << place % 8;
		shared->nr_places++;
		shared->news++;
	}
}

/*
 * All places, as offsets into the section .text, for addr2line and the like;
 * behind what other tests have written there.
 */
static inline void cover_write(const char *path)
{
	FILE *file;

	file = fopen(path, "ae");
	must(file);
	for (uint64_t place = 0; place < MAX_CODE; place++)
		if (covered(place))
			fprintf(file, "%#jx\n", (uintmax_t)place);
	must(fclose(file) == 0);
}

#endif /* FUZZ_COVER_H */
