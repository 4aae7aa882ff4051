/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the workload (bench_workload.c) needs from the two ways to hold its
 * pages (backend.c): a memory object, and how much paging it caused.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096UL

/**
 * struct counters - paging since boot
 * @reads: read requests that reached the device
 * @pages_in: pages in them
 * @writes: write requests that reached the device
 * @pages_out: pages in them
 * @said_in: pages read, as the pager itself counts them
 * @said_out: pages written, likewise
 * @major_faults: faults that waited for I/O
 *
 * The first four are counted by the block layer, the same way for every
 * backend: those are compared. What the pagers say is checked against them.
 */
struct counters {
	uint64_t reads;
	uint64_t pages_in;
	uint64_t writes;
	uint64_t pages_out;
	uint64_t said_in;
	uint64_t said_out;
	uint64_t major_faults;
};

/**
 * struct backend - a way to hold pages
 * @name: what to call it
 * @setup: done once, before anything is created
 * @create: returns a descriptor of a new memory object of @size bytes
 * @wait_gone: returns once the storage of destroyed objects is free again
 * @count: adds what the pager itself counts
 *
 * None of them returns if it fails.
 */
struct backend {
	const char *name;
	void (*setup)(const char *device);
	int (*create)(size_t size);
	void (*wait_gone)(void);
	void (*count)(struct counters *counters);
};

const struct backend *backend_find(const char *name);
void counters_read(const struct backend *backend, const char *device,
		   struct counters *counters);
struct counters counters_diff(const struct counters *from,
			      const struct counters *to);

#endif /* BENCH_H */
