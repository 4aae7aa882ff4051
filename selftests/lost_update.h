/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writers that notice when an update is lost.
 *
 * An object is divided into cells, a page or part of a page each. A cell
 * belongs to one writer, who remembers how often it was updated, and who
 * verifies the cell before each update. Several writers per processor work in
 * an object that is larger than the memory it may take, so that the pages are
 * written out and taken away while others of their pages, or other cells of
 * the same page, are being written to. A page that is freed while its last
 * changes are still on their way (in a TLB, in a page table, with somebody who
 * holds it) comes back as it was before.
 */
#ifndef LOST_UPDATE_H
#define LOST_UPDATE_H

#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>

#include "paging_utils.h"

enum cell_owner {
	OWNER_ALTERNATING,
	OWNER_RANDOM,
};

enum update_way {
	UPDATE_STORE,		/* to the mapping */
	UPDATE_ANY,		/* also write(2) and through get_user_pages() */
};

struct workload {
	struct memory *memory;
	const struct cgroup *cgroup;
	size_t cell_size;
	enum cell_owner owner;
	enum update_way way;
	int nr_processes;
	int nr_threads;		/* in each process */
	bool disturbed;		/* by somebody who makes the kernel reclaim */
	double seconds;
	struct workload_state *state;
};

/* Shared by all writers. */
struct workload_state {
	double deadline;
	volatile int failures;
	uint64_t updates;
	uint32_t counts[];	/* of updates, by cell */
};

struct writer {
	const struct workload *load;
	int number;
	uint64_t seed;
	pthread_t thread;
};

static inline uint64_t cell_count(const struct workload *load)
{
	return load->memory->size / load->cell_size;
}

static inline int cell_owner(const struct workload *load, uint64_t cell)
{
	int nr_writers = load->nr_processes * load->nr_threads;

	if (load->owner == OWNER_RANDOM)
		cell = cell * 0x9e3779b97f4a7c15 >> 33;
	return cell % nr_writers;
}

/* One word in each cache line is looked at: a page is lost as a whole. */
#define CELL_STRIDE (64 / sizeof(uint64_t))

static inline void fill_cell(const struct workload *load,
			     volatile uint64_t *words, uint64_t cell,
			     uint32_t count)
{
	uint64_t i;

	for (i = 0; i < load->cell_size / sizeof(*words); i += CELL_STRIDE)
		words[i] = page_word(cell, count, i);
}

static inline bool verify_cell(const struct workload *load,
			       const volatile uint64_t *words, uint64_t cell,
			       uint32_t count)
{
	uint64_t i, found;

	for (i = 0; i < load->cell_size / sizeof(*words); i += CELL_STRIDE) {
		found = words[i];
		if (found == page_word(cell, count, i))
			continue;
		fprintf(stderr,
			"# page %ju offset %ju: expected update %u (%016jx), found update %u (%016jx)\n",
			cell * load->cell_size / page_size(),
			(cell * load->cell_size + i * sizeof(*words)) %
				page_size(),
			count, page_word(cell, count, i),
			(uint32_t)(found ^ page_word(0, 1, i) ^ 1), found);
		return false;
	}
	return true;
}

/* Everything but a plain store: system calls that get at the page. */
static inline ssize_t write_cell(struct writer *writer, uint64_t *words,
				 uint64_t cell)
{
	const struct memory *memory = writer->load->memory;
	size_t size = writer->load->cell_size;
	struct iovec local = { .iov_base = words, .iov_len = size };
	struct iovec remote = {
		.iov_base = memory->map + cell * size,
		.iov_len = size,
	};

	if (next_random(&writer->seed) % 2)
		return pwrite(memory->fd, words, size, cell * size);
	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
}

static inline void update_by_call(struct writer *writer, uint64_t cell,
				  uint32_t count)
{
	const struct workload *load = writer->load;
	uint64_t words[load->cell_size / sizeof(uint64_t)];
	ssize_t ret;

	memset(words, 0, sizeof(words));
	fill_cell(load, words, cell, count);
	do {
		ret = write_cell(writer, words, cell);
		/* The range may be read-only for the moment. */
	} while (ret < 0 && errno == EFAULT);
	must(ret == (ssize_t)load->cell_size);
}

static inline bool update_cell(struct writer *writer, uint64_t cell)
{
	const struct workload *load = writer->load;
	char *address = load->memory->map + cell * load->cell_size;
	uint32_t *count = &load->state->counts[cell];

	if (!verify_cell(load, (uint64_t *)address, cell, *count))
		return false;
	++*count;
	if (load->way == UPDATE_ANY && next_random(&writer->seed) % 4 == 0)
		update_by_call(writer, cell, *count);
	else
		fill_cell(load, (uint64_t *)address, cell, *count);
	return true;
}

static inline bool work_goes_on(const struct workload *load)
{
	return !load->state->failures && now() < load->state->deadline;
}

static inline void *run_writer(void *arg)
{
	struct writer *writer = arg;
	const struct workload *load = writer->load;
	uint64_t cell, updates = 0;

	while (work_goes_on(load)) {
		cell = next_random(&writer->seed) % cell_count(load);
		if (cell_owner(load, cell) != writer->number)
			continue;
		if (!update_cell(writer, cell)) {
			load->state->failures++;
			break;
		}
		updates++;
	}
	__atomic_add_fetch(&load->state->updates, updates, __ATOMIC_RELAXED);
	return NULL;
}

/*
 * Stores to a range that is read-only for the moment are tried again: the
 * handler only has to come back.
 */
static inline void try_again(int signal)
{
	(void)signal;
	sched_yield();
}

static inline void disturb(const struct workload *load, uint64_t *seed)
{
	const uint64_t size = 64 * page_size();
	char *range = load->memory->map +
		      next_random(seed) % (load->memory->size / size) * size;

	switch (next_random(seed) % 16) {
	case 0:
		write_text("/proc/sys/vm/compact_memory", "1");
		break;
	case 1:
		write_text("/proc/sys/vm/drop_caches", "1");
		break;
	case 2 ... 5:
		must(mprotect(range, size, PROT_READ) == 0);
		must(mprotect(range, size, PROT_READ | PROT_WRITE) == 0);
		break;
	case 6 ... 8:
		must(madvise(range, size, MADV_DONTNEED) == 0);
		break;
	case 9 ... 12:
		must(madvise(range, size, MADV_PAGEOUT) == 0);
		break;
	default:
		cgroup_reclaim(load->cgroup, MIB(1));
		break;
	}
}

static inline void *run_disturber(void *arg)
{
	struct writer *writer = arg;

	while (work_goes_on(writer->load))
		disturb(writer->load, &writer->seed);
	return NULL;
}

/* The process' writers, and the one who disturbs them if it is the first. */
static inline void run_process(const struct workload *load, int process)
{
	int i, nr = load->nr_threads + (load->disturbed && process == 0);
	struct writer writers[nr];

	for (i = 0; i < nr; i++) {
		writers[i] = (struct writer) {
			.load = load,
			.number = process * load->nr_threads + i,
			.seed = 1 + process * 100 + i,
		};
		must(pthread_create(&writers[i].thread, NULL,
				    i < load->nr_threads ? run_writer :
							   run_disturber,
				    &writers[i]) == 0);
	}
	for (i = 0; i < nr; i++)
		must(pthread_join(writers[i].thread, NULL) == 0);
}

static inline bool run_processes(const struct workload *load)
{
	bool ended_well = true;
	int i, status;

	for (i = 1; i < load->nr_processes; i++) {
		pid_t pid = fork();

		must(pid >= 0);
		if (pid == 0) {
			run_process(load, i);
			_exit(0);
		}
	}
	run_process(load, 0);
	for (i = 1; i < load->nr_processes; i++) {
		must(wait(&status) > 0);
		ended_well = ended_well && status == 0;
	}
	return ended_well;
}

/* In the end all cells must be there, also those nobody came by again. */
static inline bool verify_cells(const struct workload *load)
{
	uint64_t cell;
	int bad = 0;

	for (cell = 0; cell < cell_count(load) && bad < 10; cell++) {
		bad += !verify_cell(load,
				    (uint64_t *)(load->memory->map +
						 cell * load->cell_size),
				    cell, load->state->counts[cell]);
	}
	return !bad;
}

/* True if no update was lost and nobody ended before his time. */
static inline bool run_workload(struct workload *load)
{
	struct sigaction action = { .sa_handler = try_again };
	size_t size = sizeof(*load->state) +
		      cell_count(load) * sizeof(load->state->counts[0]);
	struct sigaction saved;
	bool well;

	load->state = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(load->state != MAP_FAILED);
	load->state->deadline = now() + load->seconds;
	must(sigaction(SIGSEGV, &action, &saved) == 0);
	well = run_processes(load);
	must(sigaction(SIGSEGV, &saved, NULL) == 0);
	well = verify_cells(load) && well && !load->state->failures &&
	       load->state->updates;
	fprintf(stderr, "# %ju updates in %g seconds\n", load->state->updates,
	       load->seconds);
	munmap(load->state, size);
	return well;
}

#endif /* LOST_UPDATE_H */
