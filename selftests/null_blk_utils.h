/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks in memory that are as slow as is wanted, or can discard: null_blk.
 */
#ifndef NULL_BLK_UTILS_H
#define NULL_BLK_UTILS_H

#include "paging_utils.h"

#define NULL_BLK_CONFIG "/sys/kernel/config/nullb"

struct null_blk {
	char name[16];
	int fd;
};

static inline void null_blk_path(const struct null_blk *disk, const char *file,
				 char path[128])
{
	snprintf(path, 128, NULL_BLK_CONFIG "/%s/%s", disk->name, file);
}

static inline int null_blk_set(const struct null_blk *disk, const char *name,
			       uint64_t value)
{
	char path[128];

	null_blk_path(disk, name, path);
	return write_text(path, "%ju", (uintmax_t)value);
}

/* False if this machine cannot make such disks. */
static inline bool null_blk_works(void)
{
	return !access(NULL_BLK_CONFIG, F_OK) ||
	       (!system("modprobe -q null_blk nr_devices=0") &&
		!access(NULL_BLK_CONFIG, F_OK));
}

/* A disk that keeps what is written; it is there from null_blk_start() on. */
static inline struct null_blk null_blk_new(const char *name, uint64_t bytes)
{
	struct null_blk disk = { .fd = -1 };
	char path[128];

	snprintf(disk.name, sizeof(disk.name), "%s", name);
	null_blk_path(&disk, "", path);
	/* One that a failed test has left. */
	rmdir(path);
	must(mkdir(path, 0755) == 0);
	must(null_blk_set(&disk, "size", bytes >> 20) == 0);
	must(null_blk_set(&disk, "memory_backed", 1) == 0);
	return disk;
}

static inline void null_blk_start(struct null_blk *disk)
{
	char path[32];

	must(null_blk_set(disk, "power", 1) == 0);
	snprintf(path, sizeof(path), "/dev/%s", disk->name);
	/* A manager of device nodes may be at work. */
	must(wait_until((disk->fd = open(path, O_RDWR | O_CLOEXEC)) >= 0));
}

static inline void null_blk_destroy(struct null_blk *disk)
{
	char path[128];

	if (disk->fd >= 0)
		close(disk->fd);
	null_blk_path(disk, "", path);
	must(rmdir(path) == 0);
}

#endif /* NULL_BLK_UTILS_H */
