// SPDX-License-Identifier: GPL-2.0-only
/*
 * Print how many thousand times per second this machine's time stamp counter
 * ticks. An emulated processor shows its guest the same counter, and a guest's
 * own measurement at boot is easily disturbed: here, a look at the clock only
 * counts when nothing came between it and the look at the counter.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct look {
	int64_t ns;
	uint64_t ticks;
};

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* The quickest of many is the one which was not interrupted. */
static struct look look(void)
{
	int64_t quickest = INT64_MAX;
	struct look best = { 0 };

	for (int i = 0; i < 1000; i++) {
		int64_t before = now();
		uint64_t ticks = __rdtsc();
		int64_t after = now();

		if (after - before < quickest) {
			quickest = after - before;
			best.ns = before + quickest / 2;
			best.ticks = ticks;
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct look first = look(), last;

	nanosleep(&pause, NULL);
	last = look();
	printf("%.0f\n", (last.ticks - first.ticks) * 1e6 /
			 (last.ns - first.ns));
	return 0;
}
