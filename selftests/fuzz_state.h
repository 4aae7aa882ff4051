/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the calls of a fuzzed sequence work on: descriptors of all kinds, memory
 * that is there, or not, or only in part, and values worth trying.
 *
 * A sequence is carried out by a process of its own, so that all of this goes
 * with it. It may have children, which work on copies.
 */
#ifndef FUZZ_STATE_H
#define FUZZ_STATE_H

#include <stdarg.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "paging_utils.h"

/* --- Sequences ---------------------------------------------------------- */

/*
 * A call, encoded. Zero is the most ordinary choice, everywhere. What the
 * arguments mean is the operation's.
 */
struct call {
	uint8_t op;		/* modulo the number of operations */
	uint8_t fd;		/* see pick_fd() */
	uint8_t place;		/* of the struct: see fuzz_arg.h */
	uint8_t size;		/* of the struct, likewise */
	uint8_t corrupt;	/* the byte of it that is overwritten, or 0 */
	uint8_t value;		/* with this */
	uint8_t a[10];
};

#define MAX_CALLS 24

struct program {
	unsigned int nr;
	struct call calls[MAX_CALLS];
};

/* --- What processes have in common -------------------------------------- */

#define NR_ERRNOS 134
#define MAX_OPERATIONS 64

/* As much of the module's code as is looked at. */
#define MAX_CODE MIB(4)

struct fuzz_shared {
	unsigned int progress;		/* calls that have begun */
	unsigned int failures;
	unsigned int news;		/* what no sequence has had before */
	unsigned int nr_places;
	uint32_t outcomes[MAX_OPERATIONS][NR_ERRNOS];
	uint8_t places[MAX_CODE / 8];	/* see fuzz_cover.h */
};

static struct fuzz_shared *shared;

/* Of this process. */
static bool privileged;
static unsigned int at_call;
static bool is_grandchild;
static unsigned int nr_children;	/* that it has now */
static int own_node = -1;		/* not in the pool: always open */

/* A promise was not kept: says which, and ends the sequence. */
__attribute__((format(printf, 1, 2), noreturn))
static void failed(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "# call %u%s: ", at_call,
		is_grandchild ? ", in a child" : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	__atomic_add_fetch(&shared->failures, 1, __ATOMIC_SEQ_CST);
	_exit(1);
}

/* --- Values ------------------------------------------------------------- */

static const uint64_t odd_values[] = {
	0, 1, 2, 3, 511, 512, 4095, 4096, 4097, 8191, 8192, 65536, 131072,
	KIB(256) - 1, KIB(256), KIB(256) + 1, MIB(1) - 4096, MIB(1), MIB(2),
	MIB(2) + 1, GIB(1), INT32_MAX, 1ULL << 31, UINT32_MAX, 1ULL << 32,
	1ULL << 40, 1ULL << 52, INT64_MAX - 4095, INT64_MAX, 1ULL << 63,
	UINT64_MAX - 4095, UINT64_MAX - 1, UINT64_MAX,
};

/* The value that a byte stands for; 0 is the @ordinary one. */
static inline uint64_t odd_value(uint8_t byte, uint64_t ordinary)
{
	size_t count = sizeof(odd_values) / sizeof(odd_values[0]);

	return byte ? odd_values[(byte - 1) % count] : ordinary;
}

/* An offset or length: mostly within a small object, now and then odd. */
static inline uint64_t range_value(uint8_t byte, uint8_t fine, uint64_t ordinary)
{
	uint64_t value;

	if (!byte)
		return ordinary;
	if (byte >= 0xc0)
		return odd_value(byte - 0xc0, 0);
	value = (uint64_t)byte * 2048;
	return fine ? value + fine % 5 - 2 : value;
}

/* --- Descriptors -------------------------------------------------------- */

enum kind { NODE, STORE, OBJECT, DEVICE, OTHER, NR_KINDS, NO_KIND };

#define NR_SLOTS 6

static int fds[NR_KINDS][NR_SLOTS];
static unsigned int next_slot[NR_KINDS];
static int last_closed;

static inline void fds_init(void)
{
	memset(fds, 0xff, sizeof(fds));
	last_closed = -1;
}

static inline enum kind kind_of(int fd)
{
	if (fd < 0)
		return NO_KIND;
	for (int kind = 0; kind < NR_KINDS; kind++)
		for (int slot = 0; slot < NR_SLOTS; slot++)
			if (fds[kind][slot] == fd)
				return kind;
	return NO_KIND;
}

static inline void forget_fd(int fd)
{
	for (int kind = 0; kind < NR_KINDS; kind++)
		for (int slot = 0; slot < NR_SLOTS; slot++)
			if (fds[kind][slot] == fd)
				fds[kind][slot] = -1;
	last_closed = fd;
	if (close(fd))
		failed("close(): %s", strerror(errno));
}

/* Keeps it in the pool, in place of another one if there is no room. */
static inline void keep_fd(enum kind kind, int fd)
{
	unsigned int slot;

	for (slot = 0; slot < NR_SLOTS; slot++)
		if (fds[kind][slot] < 0)
			break;
	if (slot == NR_SLOTS) {
		slot = next_slot[kind]++ % NR_SLOTS;
		forget_fd(fds[kind][slot]);
	}
	fds[kind][slot] = fd;
}

static inline int fd_of_slot(enum kind kind, unsigned int slot)
{
	for (unsigned int i = 0; i < NR_SLOTS; i++)
		if (fds[kind][(slot + i) % NR_SLOTS] >= 0)
			return fds[kind][(slot + i) % NR_SLOTS];
	return -1;
}

/* From here on a byte stands for something else than what is asked for. */
#define WRONG_FD 0xd0

static inline int pick_fd(enum kind kind, uint8_t byte)
{
	unsigned int wrong = byte - WRONG_FD;

	if (byte < WRONG_FD)
		return fd_of_slot(kind, byte);
	switch (wrong % 8) {
	case 5:
		return last_closed;
	case 6:
		return 9999;
	case 7:
		return -1;
	default:
		return fd_of_slot(wrong % 8, wrong / 8);
	}
}

/*
 * For calls which might change what is on a device: what is there belongs to the
 * segments on it.
 */
static inline int pick_file(uint8_t byte)
{
	int fd = pick_fd(OBJECT, byte);

	return kind_of(fd) == DEVICE ? fd_of_slot(OTHER, byte) : fd;
}

/* The number that the next descriptor gets. */
static inline int lowest_fd(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD, 0);

	must(fd >= 0);
	close(fd);
	return fd;
}

static inline void limit_fds(int nr)
{
	struct rlimit limit;

	must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = nr;
	must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

#define MAX_FDS 1000

/* --- Segments ----------------------------------------------------------- */

#define NR_IDS 8

static uint64_t segment_ids[NR_IDS];
static unsigned int nr_segment_ids;

static inline void keep_id(uint64_t id)
{
	segment_ids[nr_segment_ids++ % NR_IDS] = id;
}

/* 0: the last one that was added; or if there is none, the first there was. */
static inline uint64_t pick_id(uint8_t byte)
{
	if (byte >= 0xc0)
		return odd_value(byte - 0xc0, 0);
	return segment_ids[(nr_segment_ids + NR_IDS - 1 - byte) % NR_IDS];
}

/* --- Memory ------------------------------------------------------------- */

/* Where objects are mapped: so much for each of a few. */
#define MAP_SLOTS 4
#define MAP_BYTES KIB(256)

static char *maps;

static inline char *map_slot(uint8_t byte)
{
	return maps + byte % MAP_SLOTS * MAP_BYTES;
}

static inline void unmap(char *address, size_t length)
{
	must(mmap(address, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		  MAP_NORESERVE | MAP_FIXED, -1, 0) == address);
}

static inline void maps_init(void)
{
	maps = mmap(NULL, MAP_SLOTS * MAP_BYTES, PROT_NONE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	must(maps != MAP_FAILED);
}

/* Bytes to write, and room to read to. */
#define DATA_BYTES KIB(64)

static char data[DATA_BYTES];

/* --- Interruptions ------------------------------------------------------ */

static bool interruptible;

static inline void interrupted(int signal)
{
	(void)signal;
}

/*
 * A signal after so many microseconds, and others until this is called with 0:
 * the first one might come before the call begins to wait.
 */
static inline void interrupt_after(unsigned int microseconds)
{
	const struct itimerval timer = {
		.it_interval.tv_usec = microseconds ? 20000 : 0,
		.it_value.tv_usec = microseconds,
	};
	struct sigaction action = { .sa_handler = interrupted };

	if (!microseconds && !interruptible)
		return;
	must(sigaction(SIGALRM, &action, NULL) == 0);
	must(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	interruptible = microseconds;
}

/* --- Errors ------------------------------------------------------------- */

/* A list of those that may occur, which ends with 0. */
#define ERRNOS(...) ((const int[]){ __VA_ARGS__, 0 })

static inline bool is_one_of(int error, const int *errnos)
{
	while (*errnos && *errnos != error)
		errnos++;
	return *errnos;
}

#endif /* FUZZ_STATE_H */
