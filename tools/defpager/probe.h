/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEFPAGER_PROBE_H
#define DEFPAGER_PROBE_H

#include <stdint.h>

/*
 * Look for a file system, RAID, swap or other signature, or a partition table,
 * as they would be found if the range, in bytes, were a device of its own.
 *
 * Returns 0 and *found, allocated, a description or NULL if there is none; or
 * a negative errno value if the device could not be examined.
 */
int probe_range(int device, uint64_t offset, uint64_t length, char **found);

#endif /* DEFPAGER_PROBE_H */
