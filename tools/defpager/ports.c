// SPDX-License-Identifier: GPL-2.0-only
/* The descriptors that commands begin with. */
#include <unistd.h>

#include "defpager.h"

int pager_open(void)
{
	int pager = libdefpager_open();

	if (pager < 0)
		explain(OP_PAGER_OPEN, LIBDEFPAGER_DEVICE, pager);
	return pager;
}

int backing_store_open(const char *name)
{
	int pager = pager_open();
	int store;

	if (pager < 0)
		return pager;
	store = libdefpager_backing_store_open(pager, name);
	if (store < 0)
		explain(OP_BACKING_STORE_OPEN, name, store);
	/* The store's descriptor does not depend on it. */
	close(pager);
	return store;
}
