// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages through a memory object in several ways and says how long each took.
 *
 * Runs in a guest whose clock counts instructions (tools/bench/bench), once
 * for each backend. Every page carries a stamp of its number and of how often
 * it was written, at both ends; each visit checks it. A visit is some fifteen
 * instructions, so that what is measured is the paging.
 *
 * Prints a line of key=value pairs for each phase. The exit status is 0, or 1
 * if anything could not be done, or 3 if a page had the wrong contents.
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MIB (1024UL * 1024)
#define RESIDENT_PAGES (32 * MIB / PAGE_SIZE)
#define PAGED_PAGES (256 * MIB / PAGE_SIZE)
#define LIMIT "67108864"
#define CGROUP "/sys/fs/cgroup/bench"

#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define RANDOM_VISITS 65536
#define NR_PROCESSES 4
#define EXIT_MISMATCH 3

/* The object that is being visited. */
static const struct backend *backend;
static int object;
static uint64_t *memory;
static size_t nr_pages;

/* How often each page was written, and a random order of the pages. */
static uint32_t *generation;
static uint32_t *shuffled;

/* Shared with the processes of the last phase. */
static struct shared {
	_Atomic uint64_t mismatches;
	_Atomic uint64_t end[NR_PROCESSES];
} *shared;

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

/* xorshift64*, by Marsaglia and Vigna; not seeded, all runs are the same. */
static uint64_t random_state = 88172645463325252;

static uint32_t random_below(uint32_t limit)
{
	uint64_t x = random_state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	random_state = x;
	return ((x * UINT64_C(2685821657736338717)) >> 32) * limit >> 32;
}

/* Never 0, which is what a lost page would read as. */
static inline uint64_t stamp(size_t page)
{
	return (page + 1) * UINT64_C(0x9e3779b97f4a7c15) + generation[page];
}

static void complain(size_t page, const volatile uint64_t *words)
{
	if (atomic_fetch_add(&shared->mismatches, 1) < 5)
		warnx("%s: page %zu holds %#" PRIx64 " ... %#" PRIx64
		      ", not %#" PRIx64, backend->name, page, words[0],
		      words[WORDS - 1], stamp(page));
}

static inline void visit_read(size_t page)
{
	const volatile uint64_t *words = memory + page * WORDS;

	if (words[0] != stamp(page) || words[WORDS - 1] != stamp(page))
		complain(page, words);
}

static inline void visit_write(size_t page)
{
	volatile uint64_t *words = memory + page * WORDS;

	generation[page]++;
	words[0] = stamp(page);
	words[WORDS - 1] = stamp(page);
}

static void map_object(void)
{
	memory = mmap(NULL, nr_pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED, object, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
}

static void unmap_object(void)
{
	if (munmap(memory, nr_pages * PAGE_SIZE))
		err(1, "munmap");
}

static void create_object(size_t pages)
{
	nr_pages = pages;
	memset(generation, 0, PAGED_PAGES * sizeof(*generation));
	object = backend->create(pages * PAGE_SIZE);
	map_object();
}

/*
 * The phases. Each returns the number of visits.
 */

static size_t write_all(void)
{
	for (size_t page = 0; page < nr_pages; page++)
		visit_write(page);
	return nr_pages;
}

static size_t read_forward(void)
{
	for (size_t page = 0; page < nr_pages; page++)
		visit_read(page);
	return nr_pages;
}

static size_t read_backward(void)
{
	for (size_t page = nr_pages; page--;)
		visit_read(page);
	return nr_pages;
}

/* Includes the page faults of a mapping that has no page tables yet. */
static size_t map_again(void)
{
	map_object();
	return read_forward();
}

static size_t random_read(void)
{
	for (size_t i = 0; i < RANDOM_VISITS; i++)
		visit_read(random_below(nr_pages));
	return RANDOM_VISITS;
}

static size_t random_write(void)
{
	for (size_t i = 0; i < RANDOM_VISITS; i++) {
		size_t page = random_below(nr_pages);

		visit_read(page);
		visit_write(page);
	}
	return RANDOM_VISITS;
}

/*
 * Nine of ten visits go to a fifth of the pages, which would fit in the limit.
 * They are all over the object: popular records are seldom neighbours.
 */
static size_t skewed_read(void)
{
	const size_t popular = nr_pages / 5;

	for (size_t i = 0; i < RANDOM_VISITS; i++) {
		size_t rank = random_below(10) ?
			random_below(popular) :
			popular + random_below(nr_pages - popular);

		visit_read(shuffled[rank]);
	}
	return RANDOM_VISITS;
}

/* Does not return. */
static void child_main(int number, int start)
{
	char byte;

	random_state += number + 1;
	for (int i = 0; i < 16; i++)
		random_below(1);
	if (read(start, &byte, 1) != 0)
		_exit(1);
	for (size_t i = 0; i < RANDOM_VISITS / NR_PROCESSES; i++)
		visit_read(random_below(nr_pages));
	shared->end[number] = now();
	_exit(0);
}

/* They were forked, but wait for the gate to close. */
static int gate;
static pid_t children[NR_PROCESSES];

static void start_processes(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		err(1, "pipe");
	for (int i = 0; i < NR_PROCESSES; i++) {
		children[i] = fork();
		if (children[i] < 0)
			err(1, "fork");
		if (children[i] == 0) {
			close(ends[1]);
			child_main(i, ends[0]);
		}
	}
	close(ends[0]);
	gate = ends[1];
}

static size_t processes_read(void)
{
	int status;

	close(gate);
	for (int i = 0; i < NR_PROCESSES; i++) {
		if (waitpid(children[i], &status, 0) < 0)
			err(1, "waitpid");
		if (status)
			errx(1, "a process ended with status %#x", status);
	}
	return RANDOM_VISITS;
}

static size_t destroy(void)
{
	size_t pages = nr_pages;

	unmap_object();
	close(object);
	backend->wait_gone();
	return pages;
}

static void warm_up(void)
{
	skewed_read();
}

static const struct phase {
	const char *name;
	void (*prepare)(void);
	size_t (*run)(void);
	size_t dirtied;
} resident_phases[] = {
	{ "resident-touch", NULL, write_all, RESIDENT_PAGES },
	{ "resident-remap", unmap_object, map_again, 0 },
}, paged_phases[] = {
	{ "write-all", NULL, write_all, PAGED_PAGES },
	{ "forward", NULL, read_forward, 0 },
	{ "backward", NULL, read_backward, 0 },
	{ "random-read", NULL, random_read, 0 },
	{ "random-write", NULL, random_write, RANDOM_VISITS },
	{ "skewed", warm_up, skewed_read, 0 },
	{ "processes", start_processes, processes_read, 0 },
	{ "destroy", NULL, destroy, 0 },
};

#define NR_RESIDENT (sizeof(resident_phases) / sizeof(resident_phases[0]))
#define NR_PAGED (sizeof(paged_phases) / sizeof(paged_phases[0]))

/*
 * Running one.
 */

static const char *device = "/dev/nullb0";
static const char *profiled;
static const char *last;

/*
 * No-ops whose displacement tools/bench/profile_plugin.c looks for. Only a
 * profiled phase runs them, so they have to be apart from each other and not
 * inlined: the plug-in sees code that is translated, and acts when it is run.
 */
static __attribute__((noinline)) void profile_begin(void)
{
	asm volatile(".byte 0x0f, 0x1f, 0x80; .long 0x5ebad001" ::: "memory");
}

static __attribute__((noinline)) void profile_end(void)
{
	asm volatile(".byte 0x0f, 0x1f, 0x80; .long 0x5ebad002" ::: "memory");
}

/* The processes end at different times, and their exit is not of interest. */
static uint64_t end_of_phase(const struct phase *phase)
{
	uint64_t end = 0;

	if (phase->run != processes_read)
		return now();
	for (int i = 0; i < NR_PROCESSES; i++) {
		if (shared->end[i] > end)
			end = shared->end[i];
	}
	return end;
}

static void report(const char *name, size_t visits, size_t dirtied,
		   uint64_t time, const struct counters *diff)
{
	printf("row=%s backend=%s visits=%zu dirtied=%zu ns=%" PRIu64
	       " reads=%" PRIu64 " pages_in=%" PRIu64 " writes=%" PRIu64
	       " pages_out=%" PRIu64 " said_in=%" PRIu64 " said_out=%" PRIu64
	       " major_faults=%" PRIu64 " mismatches=%" PRIu64 "\n",
	       name, backend->name, visits, dirtied, time, diff->reads, diff->pages_in, diff->writes, diff->pages_out,
	       diff->said_in, diff->said_out, diff->major_faults,
	       atomic_load(&shared->mismatches));
	fflush(stdout);
}

static size_t run_phase(const struct phase *phase)
{
	bool profile = profiled && strcmp(profiled, phase->name) == 0;
	struct counters before, after, diff;
	uint64_t begin, end;
	size_t visits;

	if (phase->prepare)
		phase->prepare();
	counters_read(backend, device, &before);
	if (profile)
		profile_begin();
	begin = now();
	visits = phase->run();
	end = end_of_phase(phase);
	if (profile)
		profile_end();
	counters_read(backend, device, &after);
	diff = counters_diff(&before, &after);
	report(phase->name, visits, phase->dirtied, end - begin, &diff);
	return visits;
}

/*
 * Each phase needs what those before it leave behind. The total, with what is
 * between the phases, tells how much was written of what was made dirty.
 * Returns false after the last wanted phase.
 */
static bool run_phases(const char *total, const struct phase *phases,
		       size_t count)
{
	struct counters before, after, diff;
	size_t visits = 0, dirtied = 0;
	uint64_t begin = now();
	bool more = true;

	counters_read(backend, device, &before);
	for (size_t i = 0; i < count && more; i++) {
		visits += run_phase(&phases[i]);
		dirtied += phases[i].dirtied;
		more = !last || strcmp(last, phases[i].name) != 0;
	}
	counters_read(backend, device, &after);
	diff = counters_diff(&before, &after);
	report(total, visits, dirtied, now() - begin, &diff);
	return more;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static void run_resident(void)
{
	create_object(RESIDENT_PAGES);
	if (!run_phases("resident-total", resident_phases, NR_RESIDENT))
		exit(shared->mismatches ? EXIT_MISMATCH : 0);
	destroy();
}

static void run_paged(void)
{
	write_file(CGROUP "/memory.max", LIMIT);
	write_file(CGROUP "/cgroup.procs", "0");
	create_object(PAGED_PAGES);
	run_phases("total", paged_phases, NR_PAGED);
}

static void *allocate(size_t size)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (address == MAP_FAILED)
		err(1, "mmap");
	return address;
}

/* Fisher and Yates. */
static void shuffle(void)
{
	for (uint32_t i = 0; i < PAGED_PAGES; i++) {
		uint32_t j = random_below(i + 1);

		shuffled[i] = shuffled[j];
		shuffled[j] = i;
	}
}

/*
 * What the workload itself needs is made before it enters the cgroup, and
 * locked: its own paging is not to be measured.
 */
static void set_up(void)
{
	shared = allocate(sizeof(*shared));
	generation = allocate(PAGED_PAGES * sizeof(*generation));
	shuffled = allocate(PAGED_PAGES * sizeof(*shuffled));
	shuffle();
	if (mlockall(MCL_CURRENT))
		err(1, "mlockall");
	backend->setup(device);
}

static void usage(void)
{
	fputs("usage: bench_workload [--device PATH] [--profile PHASE] "
	      "[--last PHASE] BACKEND\n", stderr);
	exit(2);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "last", required_argument, NULL, 'l' },
		{ "profile", required_argument, NULL, 'p' },
		{ }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd')
			device = optarg;
		else if (option == 'l')
			last = optarg;
		else if (option == 'p')
			profiled = optarg;
		else
			usage();
	}
	if (optind + 1 != argc || !strchr(device, '/'))
		usage();
	backend = backend_find(argv[optind]);
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	set_up();
	run_resident();
	run_paged();
	return shared->mismatches ? EXIT_MISMATCH : 0;
}
