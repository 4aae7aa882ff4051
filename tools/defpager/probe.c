// SPDX-License-Identifier: GPL-2.0-only
/* What a device carries already, as libblkid sees it. */
#include <blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "defpager.h"
#include "probe.h"

static const char *lookup(blkid_probe probe, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) ? NULL
								   : value;
}

/* What the last probing function found, allocated. */
static char *describe(blkid_probe probe)
{
	const char *table = lookup(probe, "PTTYPE");
	const char *type = lookup(probe, "TYPE");
	const char *usage = lookup(probe, "USAGE");
	const char *label = lookup(probe, "LABEL");
	/* Whoever wrote it is not to write to the terminal. */
	char safe[4 * 256] = "";
	char *text;
	int ret;

	if (label)
		blkid_encode_string(label, safe, sizeof(safe));
	if (type)
		ret = asprintf(&text, "%s %s%s%s%s", type,
			       usage && !strcmp(usage, "filesystem")
				       ? "file system" : "signature",
			       label ? " labelled \"" : "",
			       safe, label ? "\"" : "");
	else
		ret = asprintf(&text, "%s partition table",
			       table ? table : "unknown");
	if (ret < 0)
		die_no_memory();
	return text;
}

int probe_range(int device, uint64_t offset, uint64_t length, char **found)
{
	blkid_probe probe = blkid_new_probe();
	int ret;

	if (!probe)
		die_no_memory();
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
						 BLKID_SUBLKS_USAGE |
						 BLKID_SUBLKS_LABEL);
	errno = 0;
	ret = blkid_probe_set_device(probe, device, offset, length);
	/* The first one is enough; that there may be more is no less reason. */
	if (!ret)
		ret = blkid_do_probe(probe);

	*found = ret == 0 ? describe(probe) : NULL;
	if (ret < 0)
		ret = errno ? -errno : -EIO;
	else
		ret = 0;
	blkid_free_probe(probe);
	return ret;
}
