// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints: what happens is told, as it happened.
 *
 * Needs two disks, /dev/vda and /dev/vdb, which are overwritten; the second one, to
 * fail, behind the device mapper.
 */

#include "faulty_utils.h"

#include "kselftest_harness.h"

#define TIMEOUT 180
#define TRACING "/sys/kernel/tracing"
#define EVENTS TRACING "/events/defpager"
#define OBJECT_PAGES 64

/* --- Reading the trace --------------------------------------------------- */

/* What is told since the last call of this is told no more. */
static void trace_clear(void)
{
	int fd = open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	must(fd >= 0);
	close(fd);
}

/*
 * Calls see() with what each event of this name says, in their order. Returns how
 * many there are.
 */
static int trace_each(const char *name,
		      void (*see)(const char *text, void *arg), void *arg)
{
	FILE *file = fopen(TRACING "/trace", "re");
	char key[64], *line = NULL, *text;
	size_t size = 0;
	int nr = 0;

	must(file);
	snprintf(key, sizeof(key), ": %s: ", name);
	while (getline(&line, &size, file) > 0) {
		text = strstr(line, key);
		if (!text)
			continue;
		text += strlen(key);
		text[strcspn(text, "\n")] = '\0';
		nr++;
		if (see)
			see(text, arg);
	}
	free(line);
	fclose(file);
	return nr;
}

struct search {
	const char *text;
	int found;
};

static void see_text(const char *text, void *arg)
{
	struct search *search = arg;

	search->found += !strcmp(text, search->text);
	if (strcmp(text, search->text))
		fprintf(stderr, "# \"%s\", expected \"%s\"\n", text,
			search->text);
}

/* Whether there is one event of this name, and it says just this. */
__attribute__((format(printf, 2, 3))) static bool
trace_says(const char *name, const char *format, ...)
{
	struct search search = { .found = 0 };
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	search.text = text;
	return trace_each(name, see_text, &search) == 1 && search.found == 1;
}

/* --- The tests ----------------------------------------------------------- */

FIXTURE(trace)
{
	struct stores stores;
	int store;
};

FIXTURE_SETUP(trace)
{
	if (access(EVENTS, F_OK))
		SKIP(_exit(KSFT_SKIPPED), "there is no tracing");
	self->stores = stores_open();
	ASSERT_EQ(0, stores_clear(&self->stores));
	self->store = store_new(&self->stores, "traced", 0, 0,
				DEFPAGER_STORE_EXCLUSIVE);
	ASSERT_EQ(0, write_text(EVENTS "/enable", "1"));
	trace_clear();
}

FIXTURE_TEARDOWN(trace)
{
	EXPECT_EQ(0, write_text(EVENTS "/enable", "0"));
	EXPECT_EQ(0, stores_clear(&self->stores));
	close(self->store);
	stores_close(&self->stores);
}

/* A segment, as events describe it. */
static const char *describe(int store, uint64_t id, char text[128])
{
	struct defpager_segment_info row = segment_state(store, id);

	snprintf(text, 128, "segment=%ju dev=%u:%u offset=%ju pages=%ju",
		 (uintmax_t)id, row.major, row.minor,
		 (uintmax_t)row.offset_bytes,
		 (uintmax_t)(row.total_bytes / page_size()));
	return text;
}

TEST_F_TIMEOUT(trace, segments_and_objects_come_and_go, TIMEOUT)
{
	struct memory memory;
	char text[128];
	uint64_t id, object;

	segment_new(&self->stores, self->store, MIB(1));
	trace_clear();
	id = segment_new(&self->stores, self->store, MIB(1));
	describe(self->store, id, text);
	EXPECT_TRUE(trace_says("defpager_segment_add", "%s", text));
	memory = memory_create_in(self->stores.pager, self->store, MIB(1));
	object = memory_info(&memory).id;
	EXPECT_TRUE(trace_says("defpager_object_create",
			       "object=%ju size=%ju resident=0 stored=0",
			       (uintmax_t)object, (uintmax_t)memory.size));
	fill(&memory, 0, 5, 1);
	EXPECT_EQ(0, trace_each("defpager_object_destroy", NULL, NULL));
	memory_destroy(&memory);
	EXPECT_TRUE(trace_says("defpager_object_destroy",
			       "object=%ju size=%ju resident=5 stored=0",
			       (uintmax_t)object, (uintmax_t)MIB(1)));
	EXPECT_EQ(0, trace_each("defpager_segment_remove", NULL, NULL));
	ASSERT_EQ(0, segment_remove(self->store, id, -1));
	EXPECT_TRUE(trace_says("defpager_segment_remove", "%s", text));
}

/* Requests to devices, added up. */
struct requests {
	const struct memory *memory;
	uint64_t id;			/* of the object */
	uint64_t segment;		/* and where it begins */
	uint64_t offset;
	uint64_t pages;
	bool well;
};

/* Where an event says that pages are, the listing says so, too. */
static void see_request(const char *text, void *arg)
{
	struct requests *requests = arg;
	unsigned long long object, index, segment, slot;
	struct defpager_page_range row;
	unsigned int pages, i;

	must(sscanf(text, "object=%llu index=%llu pages=%u segment=%llu slot=%llu",
		    &object, &index, &pages, &segment, &slot) == 5);
	requests->well &= object == requests->id &&
			  segment == requests->segment;
	for (i = 0; i < pages; i++) {
		row = page_place(requests->memory, index + i);
		requests->well &= agree("place", row.device_offset,
					requests->offset + PAGES(slot + i));
	}
	requests->pages += pages;
}

TEST_F_TIMEOUT(trace, requests_to_devices_are_told, TIMEOUT)
{
	struct memory memory = memory_create_in(self->stores.pager, self->store,
						PAGES(OBJECT_PAGES));
	uint64_t id = segment_new(&self->stores, self->store, MIB(1));
	struct requests out = {
		.memory = &memory,
		.id = memory_info(&memory).id,
		.segment = id,
		.offset = segment_state(self->store, id).offset_bytes,
		.well = true,
	}, in = out;
	struct defpager_info before = totals(self->stores.pager), after;
	uint64_t nr;

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	after = totals(self->stores.pager);
	nr = trace_each("defpager_pageout", see_request, &out);
	EXPECT_TRUE(out.well);
	EXPECT_EQ(after.writes - before.writes, nr);
	EXPECT_EQ(after.pages_out - before.pages_out, out.pages);
	EXPECT_LE(OBJECT_PAGES, out.pages);
	EXPECT_EQ(0, trace_each("defpager_pagein", NULL, NULL));

	EXPECT_TRUE(verify_all(&memory, 1));
	after = totals(self->stores.pager);
	nr = trace_each("defpager_pagein", see_request, &in);
	EXPECT_TRUE(in.well);
	EXPECT_EQ(after.reads - before.reads, nr);
	EXPECT_EQ(after.pages_in - before.pages_in, in.pages);
	EXPECT_EQ(OBJECT_PAGES, in.pages);
	memory_destroy(&memory);
}

struct moves {
	uint64_t object;
	uint64_t store;
	unsigned long long index;
	unsigned long long moved;
	bool well;
};

/* It goes through the object, and counts. */
static void see_move(const char *text, void *arg)
{
	unsigned long long object, store, index, moved;
	struct moves *moves = arg;

	must(sscanf(text, "object=%llu store=%llu index=%llu moved=%llu",
		    &object, &store, &index, &moved) == 4);
	moves->well &= object == moves->object && store == moves->store &&
		       index >= moves->index && moved >= moves->moved;
	moves->index = index;
	moves->moved = moved;
}

TEST_F_TIMEOUT(trace, progress_of_a_drain_is_told, TIMEOUT)
{
	struct memory memory = memory_create_in(self->stores.pager, self->store,
						PAGES(OBJECT_PAGES));
	uint64_t id = segment_new(&self->stores, self->store, MIB(1));
	struct moves moves = {
		.object = memory_info(&memory).id,
		.store = store_state(self->store).id,
		.well = true,
	};

	fill_all(&memory, 1);
	ASSERT_TRUE(evict(&memory));
	segment_new(&self->stores, self->store, MIB(1));
	ASSERT_EQ(0, segment_remove(self->store, id, -1));
	EXPECT_LE(1, trace_each("defpager_drain", see_move, &moves));
	EXPECT_TRUE(moves.well);
	EXPECT_EQ(OBJECT_PAGES, moves.index);
	EXPECT_EQ(OBJECT_PAGES, moves.moved);
	memory_destroy(&memory);
}

TEST_F_TIMEOUT(trace, failing_segments_are_told, TIMEOUT)
{
	const char *missing = faulty_missing();
	struct faulty faulty;
	struct memory memory;
	char text[128];
	uint64_t id;

	if (missing)
		SKIP(return, "%s", missing);
	faulty = faulty_new("traced", 0, MIB(1));
	id = segment_on(self->store, &faulty);
	describe(self->store, id, text);
	memory = memory_create_in(self->stores.pager, self->store,
				  PAGES(OBJECT_PAGES));
	fill_all(&memory, 1);
	faulty_break(&faulty);
	EXPECT_EQ(0, trace_each("defpager_segment_fail", NULL, NULL));
	EXPECT_TRUE(pageout_fails(self->store, id, &memory));
	EXPECT_TRUE(trace_says("defpager_segment_fail", "%s", text));
	EXPECT_EQ(0, trace_each("defpager_segment_recover", NULL, NULL));
	faulty_heal(&faulty);
	EXPECT_TRUE(recovers(self->store, id));
	EXPECT_TRUE(wait_until(trace_says("defpager_segment_recover", "%s",
					  text)));
	EXPECT_TRUE(verify_all(&memory, 1));
	memory_destroy(&memory);
	ASSERT_EQ(0, segment_remove(self->store, id, -1));
	faulty_remove(&faulty);
}

/* Who adds a tracepoint has to add a test here. */
TEST_F(trace, there_are_no_other_events)
{
	DIR *dir = opendir(EVENTS);
	struct dirent *entry;
	int nr = 0;

	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir)))
		nr += !strncmp(entry->d_name, "defpager_", 9);
	closedir(dir);
	EXPECT_EQ(9, nr);
}

TEST_HARNESS_MAIN
