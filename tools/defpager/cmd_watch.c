// SPDX-License-Identifier: GPL-2.0-only
/* defpager watch */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "rows.h"

#define DEFAULT_TOP 10

/* In the order of the values below. */
static const struct column columns[] = {
	{ "time_ms", COLUMN_NUMBER, NULL },
	{ "time", COLUMN_TEXT, "TIME" },
	{ "interval_ms", COLUMN_NUMBER, NULL },
	{ "out_bytes_per_second", COLUMN_BYTES, "OUT/s" },
	{ "writes_per_second", COLUMN_NUMBER, "WRITES/s" },
	{ "write_bytes", COLUMN_BYTES, "EACH" },
	{ "in_bytes_per_second", COLUMN_BYTES, "IN/s" },
	{ "reads_per_second", COLUMN_NUMBER, "READS/s" },
	{ "read_bytes", COLUMN_BYTES, "EACH" },
	{ "zero_pages_per_second", COLUMN_NUMBER, "ZERO/s" },
	{ "clean_drops_per_second", COLUMN_NUMBER, "CLEAN/s" },
	{ "write_errors", COLUMN_NUMBER, NULL },
	{ "read_errors", COLUMN_NUMBER, NULL },
	{ "errors", COLUMN_NUMBER, "ERRORS" },
	{ "total_bytes", COLUMN_BYTES, "SPACE" },
	{ "free_bytes", COLUMN_BYTES, "FREE" },
	{ "reserved_bytes", COLUMN_BYTES, "RESERVED" },
	{ "used_bytes", COLUMN_BYTES, "USED" },
	{ "nr_objects", COLUMN_NUMBER, "OBJECTS" },
	{ }
};

static const struct option options[] = {
	TABLE_OPTIONS,
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "top", required_argument, NULL, OPT_TOP },
	{ }
};

struct watch {
	struct table_options table;
	uint64_t interval_ms;
	uint64_t count;		/* 0: for ever */
	uint64_t top;		/* objects to show, 0 for what fits */
	bool screen;
	int pager;
};

static bool parse_interval(const char *text, uint64_t *ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end != text && !*end && seconds >= 0.1 && seconds <= 86400) {
		*ms = seconds * 1000;
		return true;
	}
	complain("--interval %s: must be a number of seconds from 0.1 to 86400",
		 text);
	return false;
}

static bool parse_positive(const char *name, const char *text,
			   uint64_t *number)
{
	if (parse_number(text, number) && *number)
		return true;
	complain("%s %s: must be a number above 0", name, text);
	return false;
}

static bool take(int option, void *context)
{
	struct watch *watch = context;

	switch (option) {
	case OPT_COUNT:
		return parse_positive("--count", optarg, &watch->count);
	case OPT_INTERVAL:
		return parse_interval(optarg, &watch->interval_ms);
	case OPT_TOP:
		return parse_positive("--top", optarg, &watch->top);
	default:
		return table_take(option, &watch->table);
	}
}

/* --- the totals --- */

struct sample {
	uint64_t ms;
	struct defpager_info info;
};

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static uint64_t each(uint64_t sum, uint64_t number)
{
	return number ? sum / number : 0;
}

static const char *time_of_day(void)
{
	static char text[16];
	time_t now = time(NULL);

	strftime(text, sizeof(text), "%T", localtime(&now));
	return text;
}

enum { NR_TOTALS = sizeof(columns) / sizeof(columns[0]) - 1 };

/* What happened from one sample to the next, and how things are at the latter. */
static void compute_totals(const struct sample *before,
			   const struct sample *after,
			   union value totals[NR_TOTALS])
{
	const struct defpager_info *old = &before->info, *new = &after->info;
	uint64_t ms = after->ms > before->ms ? after->ms - before->ms : 1;
	uint64_t out = (new->pages_out - old->pages_out) * new->page_size;
	uint64_t in = (new->pages_in - old->pages_in) * new->page_size;
	uint64_t writes = new->writes - old->writes;
	uint64_t reads = new->reads - old->reads;
	uint64_t write_errors = new->write_errors - old->write_errors;
	uint64_t read_errors = new->read_errors - old->read_errors;
	const union value values[] = {
		{ .number = clock_ms(CLOCK_REALTIME) },
		{ .text = time_of_day() },
		{ .number = ms },
		{ .number = out * 1000 / ms },
		{ .number = writes * 1000 / ms },
		{ .number = each(out, writes) },
		{ .number = in * 1000 / ms },
		{ .number = reads * 1000 / ms },
		{ .number = each(in, reads) },
		{ .number = (new->zero_pages - old->zero_pages) * 1000 / ms },
		{ .number = (new->clean_drops - old->clean_drops) * 1000 / ms },
		{ .number = write_errors },
		{ .number = read_errors },
		{ .number = write_errors + read_errors },
		{ .number = new->total_bytes },
		{ .number = new->free_bytes },
		{ .number = new->reserved_bytes },
		{ .number = new->used_bytes },
		{ .number = new->nr_objects },
	};

	_Static_assert(sizeof(values) == NR_TOTALS * sizeof(*totals),
		       "a value for each column");
	memcpy(totals, values, sizeof(values));
}

/* --- objects by use --- */

struct objects {
	struct defpager_object_info *rows;
	size_t count;
	size_t room;
};

static int collect_object(const struct defpager_object_info *object,
			  void *context)
{
	struct objects *objects = context;

	if (objects->count == objects->room) {
		objects->room = objects->room ? 2 * objects->room : 64;
		objects->rows = reallocarray(objects->rows, objects->room,
					     sizeof(*object));
		if (!objects->rows)
			die_no_memory();
	}
	objects->rows[objects->count++] = *object;
	return 0;
}

/* The most space first; of equal ones, the oldest. */
static int by_use(const void *a, const void *b)
{
	const struct defpager_object_info *x = a, *y = b;

	if (x->reserved_bytes != y->reserved_bytes)
		return x->reserved_bytes < y->reserved_bytes ? 1 : -1;
	return x->id < y->id ? -1 : 1;
}

/* NULL after a message, as for stores. */
static struct table *top_objects(const struct watch *watch, uint64_t top)
{
	struct objects objects = { };
	struct table *table = NULL;
	int ret = libdefpager_objects(watch->pager, collect_object, &objects);

	if (ret < 0) {
		explain(OP_OBJECTS, LIBDEFPAGER_DEVICE, ret);
	} else {
		table = table_create("objects", object_columns, &watch->table);
		qsort(objects.rows, objects.count, sizeof(objects.rows[0]),
		      by_use);
		for (size_t i = 0; i < objects.count && i < top; i++)
			add_object_row(&objects.rows[i], table);
	}
	free(objects.rows);
	return table;
}

static struct table *all_stores(const struct watch *watch)
{
	struct table *table = table_create("stores", store_columns,
					   &watch->table);
	int ret = libdefpager_backing_stores(watch->pager, add_store_row,
					     table);

	if (ret >= 0)
		return table;
	explain(OP_BACKING_STORES, LIBDEFPAGER_DEVICE, ret);
	table_destroy(table);
	return NULL;
}

/* --- ways to show it --- */

/* Objects fit into what the rest leaves of the screen. */
static uint64_t objects_that_fit(const struct defpager_info *info)
{
	/* The totals, and two lists with their headings, are apart by a line. */
	uint64_t others = 1 + 2 + 1 + 1 + info->nr_stores + 1 + 1;
	struct winsize window = { .ws_row = 24 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
	return window.ws_row > others + 1 ? window.ws_row - others - 1 : 0;
}

static void print_screen(const struct watch *watch, const union value *totals,
			 struct table *stores, struct table *objects)
{
	printf("\033[H\033[Jdefpager watch, every %g s; ^C ends it\n",
	       watch->interval_ms / 1000.0);
	table_print_headings(columns);
	table_print_line(columns, totals, &watch->table);
	putchar('\n');
	table_print(stores);
	putchar('\n');
	table_print(objects);
}

static void print_json(const struct watch *watch, const union value *totals,
		       struct table *stores, struct table *objects)
{
	struct table *table = table_create("watch", columns, &watch->table);

	table_add(table, totals);
	putchar('{');
	table_print_member(table);
	putchar(',');
	table_print_member(stores);
	putchar(',');
	table_print_member(objects);
	puts("}");
	table_destroy(table);
}

static bool print_all(const struct watch *watch, const struct sample *now,
		      const union value *totals)
{
	uint64_t top = watch->top;
	struct table *stores = all_stores(watch);
	struct table *objects;

	if (!top)
		top = watch->screen ? objects_that_fit(&now->info)
				    : DEFAULT_TOP;
	objects = stores ? top_objects(watch, top) : NULL;
	if (objects && watch->screen)
		print_screen(watch, totals, stores, objects);
	else if (objects)
		print_json(watch, totals, stores, objects);
	if (objects)
		table_destroy(objects);
	if (stores)
		table_destroy(stores);
	return objects;
}

static bool print_sample(const struct watch *watch,
			 const struct sample *before,
			 const struct sample *now)
{
	union value totals[NR_TOTALS];

	compute_totals(before, now, totals);
	if (watch->screen || watch->table.json)
		return print_all(watch, now, totals);
	table_print_line(columns, totals, &watch->table);
	return true;
}

/* --- all of it --- */

static void sleep_until(uint64_t ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL))
		;
}

static bool take_sample(const struct watch *watch, struct sample *sample)
{
	int ret;

	sample->info = (struct defpager_info) { .size = sizeof(sample->info) };
	sample->ms = clock_ms(CLOCK_MONOTONIC);
	ret = libdefpager_info(watch->pager, &sample->info);
	if (ret < 0)
		explain(OP_INFO, LIBDEFPAGER_DEVICE, ret);
	return ret >= 0;
}

static bool watch_pager(const struct watch *watch)
{
	struct sample samples[2];
	uint64_t next;

	if (!take_sample(watch, &samples[0]))
		return false;
	if (!watch->screen && !watch->table.json && !watch->table.noheadings)
		table_print_headings(columns);
	next = samples[0].ms;
	for (uint64_t i = 1; !watch->count || i <= watch->count; i++) {
		struct sample *now = &samples[i % 2];

		next += watch->interval_ms;
		sleep_until(next);
		/* What was missed, while stopped for example, is not made up. */
		if (clock_ms(CLOCK_MONOTONIC) >= next + watch->interval_ms)
			next = clock_ms(CLOCK_MONOTONIC);
		if (!take_sample(watch, now) ||
		    !print_sample(watch, &samples[(i - 1) % 2], now))
			return false;
		/* What is behind a pipe wants to see it; if nobody is, end. */
		if (fflush(stdout))
			return false;
	}
	return true;
}

static int run_watch(int argc, char **argv)
{
	struct watch watch = { .interval_ms = 1000 };
	int status;
	bool done;

	if (!parse_options(&cmd_watch, argc, argv, options, take, &watch,
			   &status) ||
	    !no_operand(&cmd_watch, argc, argv, &status))
		return status;
	/* A sample is written at once: others read while it is made. */
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	watch.screen = isatty(STDOUT_FILENO) && !watch.table.json;
	watch.pager = pager_open();
	if (watch.pager < 0)
		return STATUS_FAILED;
	done = watch_pager(&watch);
	close(watch.pager);
	return done ? STATUS_OK : STATUS_FAILED;
}

const struct command cmd_watch = {
	.name = "watch",
	.summary = "show what is going on, again and again",
	.usage = "watch [--interval SECONDS] [--count N] [--top N] [--json]\n"
		 "                [--bytes] [--noheadings]",
	.help =
	"On a terminal, shows rates, backing stores, and the objects which hold the\n"
	"most space. Otherwise prints a line for each interval, or, with --json, all\n"
	"of that as an object on a line.\n"
	"\n"
	"  --interval SECONDS  time between two samples (default: 1)\n"
	"  --count N           end after N samples (default: go on)\n"
	"  --top N             how many objects (default: what fits, or 10)\n"
	TABLE_HELP,
	.run = run_watch,
};
