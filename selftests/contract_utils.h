/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of an object's contract as a file share: stores of a known
 * size, objects confined to them, and the requests on an object.
 */
#ifndef CONTRACT_UTILS_H
#define CONTRACT_UTILS_H

#include "defpager_utils.h"

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* A store with one segment, whose space only objects confined to it get. */
static inline int private_store(int pager, uint64_t bytes)
{
	char name[DEFPAGER_NAME_SIZE];
	static int nr;
	int store, ret;

	snprintf(name, sizeof(name), "test-%d-%d", getpid(), nr++);
	store = store_create(pager, name, 0, 0, DEFPAGER_STORE_EXCLUSIVE);
	if (store < 0)
		return store;
	ret = store_grow(store, bytes);
	return ret ? ret : store;
}

/* Deletes a store, with its segments, and closes the descriptor. */
static inline int private_store_delete(int store)
{
	int ret;

	/* Its objects are gone soon after the last descriptor is closed. */
	wait_until((ret = store_delete(store, -1)) != -EBUSY);
	close(store);
	return ret;
}

static inline uint64_t store_free(int store)
{
	struct defpager_backing_store_info info;

	return store_info(store, &info) ? UINT64_MAX : info.free_bytes;
}

static inline uint64_t store_used(int store)
{
	struct defpager_backing_store_info info;

	return store_info(store, &info) ? UINT64_MAX : info.used_bytes;
}

/* @store: a store's descriptor or -1 */
static inline int object_create_with(int pager, int store,
				     uint64_t object_size, uint32_t flags)
{
	struct defpager_object_create create = object_request(object_size);
	int ret;

	create.backing_store = store;
	create.flags = flags;
	ret = defpager_ioctl(pager, DEFPAGER_IOC_OBJECT_CREATE, &create);
	return ret ? ret : create.fd;
}

static inline uint64_t object_reserved(int object)
{
	struct defpager_object_info info;

	return object_info(object, &info) ? UINT64_MAX : info.reserved_bytes;
}

static inline uint64_t object_resident(int object)
{
	struct defpager_object_info info;

	return object_info(object, &info) ? UINT64_MAX : info.resident_bytes;
}

static inline uint64_t object_stored(int object)
{
	struct defpager_object_info info;

	return object_info(object, &info) ? UINT64_MAX : info.stored_bytes;
}

static inline int object_pageout(int object, uint32_t flags, uint64_t offset,
				 uint64_t length,
				 struct defpager_object_pageout *arg)
{
	memset(arg, POISON, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->flags = flags;
	arg->offset = offset;
	arg->length = length;
	return defpager_ioctl(object, DEFPAGER_IOC_OBJECT_PAGEOUT, arg);
}

/* Has a range paged out; false if some of it stays in memory. */
static inline bool object_out(int object, uint64_t offset, uint64_t length)
{
	struct defpager_object_pageout arg = { .resident_bytes = 1 };

	return wait_until(object_pageout(object, DEFPAGER_PAGEOUT_OUT |
					 DEFPAGER_PAGEOUT_WAIT, offset, length,
					 &arg) || !arg.resident_bytes) &&
	       !arg.resident_bytes;
}

/* Adds seals, and tells which there are then. */
static inline int object_seal(int object, uint32_t add, uint32_t *seals)
{
	struct defpager_object_seal arg;
	int ret;

	memset(&arg, POISON, sizeof(arg));
	arg.size = sizeof(arg);
	arg.flags = 0;
	arg.add = add;
	ret = defpager_ioctl(object, DEFPAGER_IOC_OBJECT_SEAL, &arg);
	if (seals)
		*seals = arg.seals;
	return ret;
}

#endif /* CONTRACT_UTILS_H */
