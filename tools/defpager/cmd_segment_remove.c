// SPDX-License-Identifier: GPL-2.0-only
/* defpager segment-remove */
#include <inttypes.h>

#include "drain.h"
#include "segments.h"
#include "table.h"

static int request_remove(struct drain *drain, int store, int target)
{
	struct defpager_segment_remove request = {
		.size = sizeof(request),
		.id = drain->segment,
		.target = target,
	};
	int ret = libdefpager_segment_remove(store, &request);

	drain->moved_bytes = request.moved_bytes;
	drain->error_object = request.error_object;
	drain->error_offset = request.error_offset;
	return ret;
}

static int run_segment_remove(int argc, char **argv)
{
	struct drain drain = {
		.operation = OP_SEGMENT_REMOVE,
		.request = request_remove,
	};
	struct found_segment found;
	char subject[32];
	const char *text;
	int status;

	text = drain_parse(&cmd_segment_remove, argc, argv, "segment", &drain,
			   &status);
	if (!text)
		return status;
	if (!find_segment(text, &found))
		return STATUS_FAILED;
	drain.store = found.store;
	drain.segment = found.segment.id;
	snprintf(subject, sizeof(subject), "segment %" PRIu64, drain.segment);
	drain.subject = subject;
	if (!drain_run(&drain))
		return STATUS_FAILED;
	printf("%s removed from backing store %s; %s moved to other segments\n",
	       subject, found.store, human_size(drain.moved_bytes));
	return STATUS_OK;
}

const struct command cmd_segment_remove = {
	.name = "segment-remove",
	.summary = "take a segment back, after its pages have moved",
	.usage = "segment-remove [--target STORE] SEGMENT",
	.help =
	"Moves all pages of a segment to others, which takes its time, and then\n"
	"gives the device back. SEGMENT is an id, as defpager segments lists it, or\n"
	"the device, if there is one segment on it. Meanwhile objects can be used.\n"
	"An interruption (^C) leaves the segment in use, with fewer pages. Needs\n"
	"to be run as root.\n"
	"\n"
	DRAIN_HELP,
	.run = run_segment_remove,
};
