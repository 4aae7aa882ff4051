// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store_request.h"

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
