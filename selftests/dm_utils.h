/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that can be stopped: a device-mapper device which passes all on to
 * another one, until it is suspended. Then I/O waits in it until it is resumed.
 * Needs the kernel module dm-mod.
 */
#ifndef DM_UTILS_H
#define DM_UTILS_H

#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "defpager_utils.h"

struct dm_request {
	struct dm_ioctl io;
	struct dm_target_spec target;
	char params[64];
};

static inline int dm_request(const char *name, unsigned long cmd,
			     uint32_t flags, struct dm_request *request)
{
	int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	int ret;

	if (control < 0)
		return -errno;
	request->io.version[0] = DM_VERSION_MAJOR;
	request->io.data_size = sizeof(*request);
	request->io.data_start = offsetof(struct dm_request, target);
	request->io.flags = flags;
	snprintf(request->io.name, sizeof(request->io.name), "%s", name);
	ret = ioctl(control, cmd, request) ? -errno : 0;
	close(control);
	return ret;
}

/* Let I/O wait, or go on. */
static inline int dm_suspend(const char *name, bool suspend)
{
	struct dm_request request = { };

	return dm_request(name, DM_DEV_SUSPEND,
			  suspend ? DM_SUSPEND_FLAG : 0, &request);
}

static inline int dm_remove(const char *name)
{
	struct dm_request request = { };

	return dm_request(name, DM_DEV_REMOVE, 0, &request);
}

/* A device of this name over a block device: a descriptor of it. */
static inline int dm_create(const char *name, int device, uint64_t bytes)
{
	struct dm_request request = { };
	char path[32];
	struct stat st;
	int ret, fd;

	if (fstat(device, &st))
		return -errno;
	ret = dm_request(name, DM_DEV_CREATE, 0, &request);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "/dev/dm-%u", minor(request.io.dev));

	memset(&request, 0, sizeof(request));
	request.io.target_count = 1;
	request.target.length = bytes / 512;
	strcpy(request.target.target_type, "linear");
	snprintf(request.params, sizeof(request.params), "%u:%u 0",
		 major(st.st_rdev), minor(st.st_rdev));
	ret = dm_request(name, DM_TABLE_LOAD, 0, &request);
	if (!ret)
		ret = dm_suspend(name, false);
	if (ret) {
		dm_remove(name);
		return ret;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Is a thread of this process waiting for something that no signal ends? */
static inline bool in_disk_sleep(pid_t tid)
{
	char path[64], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	fclose(file);
	return state == 'D';
}

#endif /* DM_UTILS_H */
