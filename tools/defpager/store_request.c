// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store_request.h"
#include "table.h"

bool parse_priority(const char *name, const char *text, __s32 *priority)
{
	bool negative = *text == '-';
	uint64_t number;

	if (parse_number(text + negative, &number) &&
	    number <= (uint64_t)INT32_MAX + negative) {
		*priority = negative ? -number : number;
		return true;
	}
	complain("%s %s: must be a whole number from -2147483648 to 2147483647",
		 name, text);
	return false;
}

bool parse_cluster_size(const char *name, const char *text, __u32 *bytes)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	uint64_t size;

	if (parse_size(text, &size) && size >= page_size &&
	    size <= DEFPAGER_MAX_CLUSTER_SIZE && !(size & (size - 1))) {
		*bytes = size;
		return true;
	}
	complain("%s %s: must be a power of two from a page, %d, to 2M", name,
		 text, (int)page_size);
	return false;
}

bool parse_limit(const char *name, const char *text, __u64 *bytes)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);
	uint64_t size;

	if (!strcmp(text, "none")) {
		*bytes = 0;
		return true;
	}
	if (parse_size(text, &size) && size >= page_size) {
		*bytes = size;
		return true;
	}
	complain("%s %s: must be a size from a page, %d, or \"none\"", name,
		 text, (int)page_size);
	return false;
}

bool store_create(const char *subject, const char *name,
		  struct defpager_backing_store_create *create)
{
	int pager, store;

	if (strlen(name) >= sizeof(create->name)) {
		explain(OP_BACKING_STORE_CREATE, subject, -ENAMETOOLONG);
		return false;
	}
	strcpy(create->name, name);
	pager = pager_open();
	if (pager < 0)
		return false;
	store = libdefpager_backing_store_create(pager, create);
	close(pager);
	if (store < 0) {
		explain(OP_BACKING_STORE_CREATE, subject, store);
		return false;
	}
	close(store);
	printf("backing store %s created\n", name);
	return true;
}

static const char *limit_text(uint64_t bytes)
{
	return bytes ? human_size(bytes) : "none";
}

static void print_limit(const char *store, const char *of, uint64_t old,
			bool set, uint64_t new)
{
	printf("backing store %s: limit of %s ", store, of);
	if (set) {
		/* The kernel, too, leaves out what is no whole page. */
		new &= -(uint64_t)sysconf(_SC_PAGESIZE);
		printf("%s, was ", limit_text(new));
	}
	/* The text is overwritten by the next one. */
	printf("%s\n", limit_text(old));
}

bool store_limit(const char *subject, const char *name,
		 struct defpager_backing_store_limit *limit)
{
	int store = backing_store_open(name);
	int ret;

	if (store < 0)
		return false;
	ret = libdefpager_backing_store_limit(store, limit);
	close(store);
	if (ret) {
		explain(OP_BACKING_STORE_LIMIT, subject, ret);
		return false;
	}
	print_limit(name, "an object", limit->old_object_bytes,
		    limit->flags & DEFPAGER_LIMIT_OBJECT, limit->object_bytes);
	print_limit(name, "a user", limit->old_user_bytes,
		    limit->flags & DEFPAGER_LIMIT_USER, limit->user_bytes);
	return true;
}
