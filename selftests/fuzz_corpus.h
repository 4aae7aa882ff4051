/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sequences that fuzzing begins with, those that turned out to be of
 * interest, and how new ones are made of them.
 */
#ifndef FUZZ_CORPUS_H
#define FUZZ_CORPUS_H

#include "fuzz_program.h"

#define C(_op, ...) { .op = OP_##_op, ##__VA_ARGS__ }
#define PROGRAM(...) {							\
	.nr = sizeof((struct call[]){ __VA_ARGS__ }) /			\
	      sizeof(struct call),					\
	.calls = { __VA_ARGS__ } }

/*
 * A sequence finds a descriptor of the pager and one of the store "default",
 * the first of their kind; and in that store, a segment with room for 256
 * pages. Together these make each request succeed.
 */
static const struct program seeds[] = {
	PROGRAM(C(INFO), C(STORES), C(STORE_INFO), C(SEGMENTS), C(OBJECTS),
		C(OBJECT_CREATE), C(OBJECT_INFO), C(PAGES), C(POLL),
		C(FDINFO, .a = { 2 }), C(UNKNOWN, .a = { 0, 9 }),
		C(OBJECTS, .a = { 0, 2, 1 }), C(STORE_OPEN),
		C(STORES, .a = { 0, 5 }), C(SEGMENTS, .a = { 0, 4 })),
	/* Pages out and in. */
	PROGRAM(C(OBJECT_CREATE), C(PWRITE, .a = { 20 }),
		C(PWRITE, .a = { 9, 60, 1 }), C(PAGES), C(PAGEOUT),
		C(OBJECT_INFO), C(PAGES), C(PAGEOUT, .a = { 6 }), C(PREAD),
		C(PAGEOUT), C(MMAP), C(TOUCH, .a = { 0, 0, 0, 1 }), C(TOUCH),
		C(MADVISE), C(PAGEOUT, .a = { 1 }), C(FALLOCATE, .a = { 2 }),
		C(FTRUNCATE, .a = { 5 }), C(FTRUNCATE, .a = { 30 }), C(SEGMENTS)),
	/* A store of its own, with what is confined to it; removed, deleted. */
	PROGRAM(C(STORE_CREATE), C(SEGMENT_ADD, .fd = 1, .a = { 0, 1 }),
		C(OBJECT_CREATE, .a = { 0, 0, 2 }), C(PWRITE, .a = { 33 }),
		C(PAGEOUT), C(STORE_INFO, .fd = 1), C(SEGMENTS, .fd = 1),
		C(SEGMENT_REMOVE, .fd = 1),
		C(SEGMENT_REMOVE, .fd = 1, .a = { 0, 1 }), C(PREAD),
		C(STORE_DELETE, .fd = 1), C(STORE_INFO, .fd = 1),
		C(OBJECT_INFO), C(STORES)),
	/* All there is for sums, keys and discard; two segments, odd records. */
	PROGRAM(C(STORE_CREATE, .a = { 1, 15, 3 }),
		C(SEGMENT_ADD, .fd = 1, .a = { 1, 1, 1 }),
		C(SEGMENT_ADD, .fd = 1, .a = { 0, 1, 3, 3 }),
		C(OBJECT_CREATE, .a = { 2, 0, 2 }), C(PWRITE, .a = { 60 }),
		C(PAGEOUT), C(PREAD, .a = { 60 }), C(FALLOCATE, .a = { 3 }),
		C(SEGMENT_REMOVE, .fd = 1, .a = { 1 }), C(PAGEOUT),
		C(SEGMENT_REMOVE, .fd = 1), C(CLOSE, .a = { 2 }),
		C(STORE_DELETE, .fd = 1, .a = { 0, 1 })),
	/* Limits, and who is charged. */
	PROGRAM(C(STORE_CREATE), C(SEGMENT_ADD, .fd = 1, .a = { 0, 1 }),
		C(LIMIT, .fd = 1, .a = { 3, 8, 12 }),
		C(OBJECT_CREATE, .a = { 0, 0, 2 }), C(PWRITE, .a = { 33 }),
		C(FALLOCATE), C(FALLOCATE, .a = { 0, 16, 16 }),
		C(OBJECT_CREATE, .a = { 2, 0, 2 }), C(FCHOWN, .a = { 1, 1 }),
		C(LIMIT, .fd = 1, .a = { 3 }), C(LIMIT), C(STORE_INFO, .fd = 1)),
	/* Alerts. */
	PROGRAM(C(ALERT, .a = { 3, 0, 0 }), C(POLL),
		C(ALERT, .a = { 3, 0xc0, 0xff }), C(POLL), C(OBJECT_CREATE),
		C(PWRITE, .a = { 20 }), C(POLL), C(ALERT), C(DUP, .a = { 1 }),
		C(ALERT, .fd = 1, .a = { 1, 0x80, 0x90 }), C(FALLOCATE),
		C(CLOSE, .fd = 1, .a = { 1 })),
	/* Seals. */
	PROGRAM(C(OBJECT_CREATE), C(PWRITE), C(SEAL), C(MMAP),
		C(SEAL, .a = { 8 }), C(MUNMAP), C(SEAL, .a = { 6 }),
		C(FTRUNCATE), C(SEAL, .a = { 8 }), C(PWRITE), C(MMAP),
		C(MMAP, .a = { 0, 1 }), C(SEAL, .a = { 1 }),
		C(SEAL, .a = { 16 }), C(REOPEN, .a = { 1 }), C(REOPEN),
		C(SEAL, .a = { 0x80 }), C(FALLOCATE, .a = { 2 })),
	/* Turns. */
	PROGRAM(C(OPEN_NODE), C(OBJECT_CREATE, .a = { 1 }),
		C(OBJECT_CREATE, .a = { 1, 0, 0, 1 }), C(FORK, .a = { 1 }),
		C(OBJECT_CREATE, .a = { 1, 0, 0, 3 }), C(OBJECT_CREATE),
		C(OBJECT_CREATE, .a = { 1, 0, 0, 2 }),
		C(OBJECT_CREATE, .a = { 1, 0, 0, 2 }), C(OBJECTS)),
	/* What stays in memory. */
	PROGRAM(C(OBJECT_CREATE, .a = { 4 }), C(PWRITE, .a = { 20 }),
		C(PAGEOUT), C(OBJECT_INFO), C(PAGES), C(FALLOCATE),
		C(FALLOCATE, .a = { 3 }), C(FALLOCATE, .a = { 2 }), C(MMAP),
		C(TOUCH), C(MLOCK), C(MADVISE, .a = { 0, 0, 0, 4 }),
		C(OBJECT_CREATE, .a = { 6 }), C(FCHOWN, .a = { 1 })),
	/* Others write, while pages go and come and their store is deleted. */
	PROGRAM(C(STORE_CREATE), C(SEGMENT_ADD, .fd = 1, .a = { 0, 1 }),
		C(OBJECT_CREATE, .a = { 0, 0, 2 }), C(MMAP), C(TOUCH),
		C(FORK, .a = { 5 }), C(TOUCH), C(PAGEOUT), C(PWRITE),
		C(FALLOCATE, .a = { 2 }), C(PAGEOUT, .a = { 6 }), C(TOUCH),
		C(PAGEOUT), C(STORE_DELETE, .fd = 1, .a = { 0, 1 }), C(TOUCH),
		C(PAGEOUT), C(OBJECT_INFO)),
	/* The common segment goes, as another comes. */
	PROGRAM(C(SEGMENT_REMOVE), C(SEGMENT_ADD, .a = { 0, 2, 0, 0, 0 }),
		C(SEGMENT_REMOVE, .a = { 1 }), C(SEGMENTS),
		C(SEGMENT_REMOVE, .a = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 9 })),
	/* The struct in an object, and rows there, too. */
	PROGRAM(C(OBJECT_CREATE), C(MMAP), C(TOUCH), C(INFO, .place = IN_MAPPING),
		C(PAGEOUT, .place = IN_MAPPING),
		C(PAGES, .a = { 0, 0, 0, 6 }), C(SPLICE), C(SPLICE, .a = { 0, 0,
		0, 1 }), C(MSYNC), C(MPROTECT, .a = { 0, 0, 0, 1 }),
		C(INFO, .place = IN_MAPPING), C(MINCORE), C(WRITE), C(READ),
		C(LSEEK, .a = { 3 }), C(LSEEK, .a = { 4 }), C(FADVISE),
		C(FSYNC), C(FSTAT, .a = { 2 }), C(MMAP_ODD)),
	/* What cannot succeed. */
	PROGRAM(C(INFO, .size = TOO_SHORT), C(OBJECT_CREATE, .place = CUT),
		C(STORE_CREATE, .size = LONGER_NOT_ZERO),
		C(STORE_CREATE, .place = READ_ONLY),
		C(STORE_OPEN, .size = TOO_LONG),
		C(OBJECT_CREATE, .place = HALF_READ_ONLY, .value = 20),
		C(SEGMENT_ADD, .a = { 0, 1 }, .corrupt = 4, .value = 1),
		C(OBJECT_CREATE, .a = { [8] = 1 }), C(STORE_OPEN, .fd = 0xd1),
		C(OBJECTS, .a = { 0, 0, 0, 5 }), C(STORE_OPEN, .a = { 1 }),
		C(STORE_CREATE, .a = { 0x85 }), C(SEGMENT_ADD, .a = { 0, 3 }),
		C(SEGMENT_ADD, .a = { 0, 4 }), C(SEGMENT_ADD, .a = { 0, 0xd4 }),
		C(SEGMENT_REMOVE, .a = { 0xc1 }), C(STORE_DELETE),
		C(OBJECT_CREATE, .a = { 0, 0, 0xd9 }),
		C(SEGMENT_ADD, .a = { 0, 1, 6 }), C(SEAL, .fd = 0xd0)),
	PROGRAM(C(STORES, .size = TOO_LONG), C(SEGMENTS, .a = { 0, 3 }),
		C(ALERT, .a = { 1, 0x90, 1 }), C(LIMIT, .a = { 1, 1 }),
		C(OBJECT_CREATE), C(OBJECT_INFO, .corrupt = 1, .value = 1),
		C(PAGES, .place = NOWHERE), C(SEAL, .place = READ_ONLY,
		.a = { 4 }), C(LIMIT, .place = READ_ONLY, .a = { 1, 8 })),
};

#define NR_SEEDS (sizeof(seeds) / sizeof(seeds[0]))

/* --- The corpus ------------------------------------------------------------------- */

#define MAX_CORPUS 512

static struct program corpus[MAX_CORPUS];
static unsigned int nr_corpus;
static uint64_t random_state;

static inline uint64_t below(uint64_t limit)
{
	return next_random(&random_state) % limit;
}

static inline bool one_in(unsigned int n)
{
	return below(n) == 0;
}

static inline void corpus_init(uint64_t seed)
{
	random_state = seed * 1000003 + 1;
	for (int i = 0; i < 8; i++)
		next_random(&random_state);
	memcpy(corpus, seeds, sizeof(seeds));
	nr_corpus = NR_SEEDS;
}

/* If there is no room, in place of another one that was not there at first. */
static inline void corpus_add(const struct program *program)
{
	unsigned int at = nr_corpus;

	if (nr_corpus < MAX_CORPUS)
		nr_corpus++;
	else
		at = NR_SEEDS + below(MAX_CORPUS - NR_SEEDS);
	corpus[at] = *program;
}

/* --- New sequences ------------------------------------------------------------------ */

static inline uint8_t random_argument(void)
{
	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return below(8);
	case 2:
		return 0xc0 + below(0x40);
	default:
		return below(256);
	}
}

/* Requests more often than other calls, and most of them of the right shape. */
static inline struct call random_call(void)
{
	struct call call;

	memset(&call, 0, sizeof(call));
	call.op = one_in(3) ? below(NR_OPERATIONS) : below(NR_REQUESTS);
	call.fd = one_in(12) ? WRONG_FD + below(48) : below(NR_SLOTS);
	call.value = below(256);
	if (one_in(6))
		call.place = below(NR_PLACES);
	if (one_in(6))
		call.size = below(NR_SIZES);
	if (one_in(12))
		call.corrupt = 1 + below(255);
	for (size_t i = 0; i < sizeof(call.a); i++)
		if (!one_in(3))
			call.a[i] = random_argument();
	/* No descriptor left, and signals, are rather for exceptions. */
	if (!one_in(8))
		call.a[8] = 0;
	if (!one_in(4))
		call.a[9] = 0;
	return call;
}

static inline void insert_call(struct program *program, struct call call)
{
	unsigned int at = below(program->nr + 1);

	if (program->nr == MAX_CALLS)
		program->nr--;
	if (at > program->nr)
		at = program->nr;
	memmove(&program->calls[at + 1], &program->calls[at],
		(program->nr - at) * sizeof(call));
	program->calls[at] = call;
	program->nr++;
}

static inline void remove_call(struct program *program)
{
	unsigned int at = below(program->nr);

	if (program->nr == 1)
		return;
	program->nr--;
	memmove(&program->calls[at], &program->calls[at + 1],
		(program->nr - at) * sizeof(program->calls[0]));
}

/* Its end is another one's. */
static inline void splice_program(struct program *program)
{
	const struct program *other = &corpus[below(nr_corpus)];
	unsigned int to = below(program->nr) + 1, from = below(other->nr);

	while (to < MAX_CALLS && from < other->nr)
		program->calls[to++] = other->calls[from++];
	program->nr = to;
}

static inline void change_argument(struct call *call)
{
	switch (below(8)) {
	case 0:
		call->fd = one_in(4) ? WRONG_FD + below(48) : below(NR_SLOTS);
		break;
	case 1:
		call->place = below(NR_PLACES);
		call->value = below(256);
		break;
	case 2:
		call->size = below(NR_SIZES);
		call->value = below(256);
		break;
	case 3:
		call->corrupt = below(256);
		call->value = below(256);
		break;
	default:
		call->a[below(sizeof(call->a))] = random_argument();
		break;
	}
}

static inline struct program mutated_program(void)
{
	struct program program = corpus[below(nr_corpus)];
	unsigned int changes = 1 + below(4);

	while (changes--) {
		switch (below(8)) {
		case 0:
		case 1:
			insert_call(&program, random_call());
			break;
		case 2:
			remove_call(&program);
			break;
		case 3:
			splice_program(&program);
			break;
		case 4:
			/* Once more, later or earlier. */
			insert_call(&program, program.calls[below(program.nr)]);
			break;
		default:
			change_argument(&program.calls[below(program.nr)]);
			break;
		}
	}
	return program;
}

#endif /* FUZZ_CORPUS_H */
