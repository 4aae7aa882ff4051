/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file, defpager.conf(5). */
#ifndef DEFPAGER_CONFIG_H
#define DEFPAGER_CONFIG_H

#include "segment_request.h"

struct config_store {
	char *location;		/* FILE:LINE: NAME, for messages */
	char *name;
	struct defpager_backing_store_create create;
	struct defpager_backing_store_limit limit;
	bool failed;		/* it is not there as the file wants it */
};

struct config_segment {
	struct segment_request request;	/* its name is its location */
	unsigned int line;
};

struct config {
	struct config_store *stores;
	struct config_segment *segments;
	size_t nr_stores;
	size_t nr_segments;
};

/* False after messages, each with the line that it is about. */
bool config_read(const char *path, struct config *config);

#endif /* DEFPAGER_CONFIG_H */
