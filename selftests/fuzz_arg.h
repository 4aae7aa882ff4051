/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The struct of a fuzzed request: at addresses of all kinds, of all sizes, with
 * a byte in it that does not belong there; and whether a request has written
 * anything that it should not have.
 */
#ifndef FUZZ_ARG_H
#define FUZZ_ARG_H

#include "fuzz_state.h"

/*
 * Two pages to write to, one that nobody can access, another one to write to,
 * and two to read only while a request is going on.
 */
#define ARENA_PAGES 6
#define ARENA_BYTES (ARENA_PAGES * 4096)

/* Where it cannot be accessed, and where it can only be read. */
#define HOLE 2
#define FIXED 4

static unsigned char *arena;
static unsigned char arena_before[ARENA_BYTES];

enum place {
	IN_MIDDLE,		/* everything is as it should be */
	AT_END,			/* nothing can be accessed behind it */
	CUT,			/* nor can part of it */
	NOWHERE,
	READ_ONLY,
	UNALIGNED,
	HALF_READ_ONLY,
	IN_MAPPING,		/* of an object, maybe */
	NR_PLACES,
};

enum size {
	EXACT,
	FIRST_VERSION,
	BETWEEN,		/* some version between that and this one */
	TOO_SHORT,
	LONGER,			/* with zeros in what is not known */
	A_PAGE,			/* likewise */
	LONGER_NOT_ZERO,
	TOO_LONG,
	NR_SIZES,
};

struct range {
	uint32_t from;
	uint32_t to;
};

/* A struct, as it is going to be found by the request. */
struct arg {
	unsigned char *address;
	enum place place;
	uint32_t claimed;	/* what it says that its size is */
	uint32_t known;		/* by the header that we have */
	uint32_t min;		/* what there was in the first version */
	uint32_t accessible;	/* bytes of it, or UINT32_MAX */
	bool tail_is_zero;
	unsigned char image[2 * 4096];
};

static inline void arena_init(void)
{
	if (!arena) {
		arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(arena != MAP_FAILED);
		memset(arena, POISON, ARENA_BYTES);
	}
	must(mprotect(arena + HOLE * 4096, 4096, PROT_NONE) == 0);
}

static inline void arena_protect(bool protect)
{
	must(mprotect(arena + FIXED * 4096, (ARENA_PAGES - FIXED) * 4096,
		      protect ? PROT_READ : PROT_READ | PROT_WRITE) == 0);
}

/* Fills @out with what is in all pages that can be accessed. */
static inline void arena_copy(unsigned char *out)
{
	const size_t hole = HOLE * 4096, behind = hole + 4096;

	memcpy(out, arena, hole);
	memcpy(out + behind, arena + behind, ARENA_BYTES - behind);
}

static inline bool arena_is(const unsigned char *before)
{
	const size_t hole = HOLE * 4096, behind = hole + 4096;

	return !memcmp(before, arena, hole) &&
	       !memcmp(before + behind, arena + behind, ARENA_BYTES - behind);
}

static inline uint32_t arg_claim(struct arg *arg, enum size size, uint8_t value)
{
	switch (size) {
	case FIRST_VERSION:
		return arg->min;
	case BETWEEN:
		return arg->min + value % (arg->known - arg->min + 1);
	case TOO_SHORT:
		return value % arg->min;
	case LONGER:
	case LONGER_NOT_ZERO:
		return arg->known + 1 + value;
	case A_PAGE:
		return 4096;
	case TOO_LONG:
		return (uint32_t[]){ 4097, 8192, 1U << 31, UINT32_MAX }[value % 4];
	default:
		return arg->known;
	}
}

/* The size; what is behind the struct; and the byte that is corrupted. */
static inline void arg_spoil(struct arg *arg, const struct call *call)
{
	enum size size = call->size % NR_SIZES;
	uint32_t end;

	arg->claimed = arg_claim(arg, size, call->value);
	memcpy(arg->image, &arg->claimed, sizeof(arg->claimed));
	end = arg->claimed > 4096 ? 4096 : arg->claimed;
	arg->tail_is_zero = true;
	if (end > arg->known) {
		memset(arg->image + arg->known, 0, end - arg->known);
		if (size == LONGER_NOT_ZERO) {
			end = arg->known + call->value % (end - arg->known);
			arg->image[end] = 1;
			arg->tail_is_zero = false;
		}
	}
	if (call->corrupt)
		arg->image[4 + (call->corrupt - 1) % (arg->known - 4)] =
			call->value;
}

static inline unsigned char *arg_nowhere(uint8_t value)
{
	const uint64_t addresses[] = {
		0, (uintptr_t)arena + HOLE * 4096 + 64, 8, -4096ULL,
		1ULL << 63, 0xffffffff81000000, (1ULL << 47) - 4,
	};
	size_t count = sizeof(addresses) / sizeof(addresses[0]);

	return (unsigned char *)(uintptr_t)addresses[value % count];
}

/* What the request is going to access, or try to. */
static inline uint32_t arg_extent(const struct arg *arg)
{
	if (arg->claimed > 4096 || arg->claimed < arg->known)
		return arg->known;
	return arg->claimed;
}

/* Decides where it is, but does not put it there. */
static inline void arg_place(struct arg *arg, const struct call *call)
{
	unsigned char *hole = arena + HOLE * 4096;
	uint32_t extent = arg_extent(arg);
	uint32_t used = arg->claimed < extent ? arg->claimed : extent;

	arg->place = call->place % NR_PLACES;
	arg->accessible = UINT32_MAX;
	switch (arg->place) {
	case AT_END:
		arg->address = hole - (used ? used : 4);
		arg->accessible = hole - arg->address;
		break;
	case CUT:
		arg->accessible = used ? call->value % used : 0;
		arg->address = hole - arg->accessible;
		break;
	case NOWHERE:
		arg->address = arg_nowhere(call->value);
		arg->accessible = 0;
		break;
	case READ_ONLY:
		arg->address = arena + FIXED * 4096 + 512;
		break;
	case UNALIGNED:
		arg->address = arena + 1024 + 1 + call->value % 7;
		break;
	case HALF_READ_ONLY:
		/* What is written reaches into what can only be read. */
		if (used > arg->known)
			used = arg->known;
		arg->address = arena + FIXED * 4096 - 1;
		if (used > 2)
			arg->address -= call->value % (used - 1);
		break;
	case IN_MAPPING:
		arg->address = (void *)(map_slot(call->value) + 4096 -
					call->value);
		break;
	default:
		arg->address = arena + 1024;
		break;
	}
}

static sigjmp_buf on_bad_access;

static inline void bad_access(int signal)
{
	siglongjmp(on_bad_access, signal);
}

/* Copies to memory which may not be there; returns the signal that came, or 0. */
static inline int copy_carefully(void *to, const void *from, size_t length)
{
	struct sigaction action = { .sa_handler = bad_access };
	struct sigaction bus, segv;
	int signal;

	must(sigaction(SIGBUS, &action, &bus) == 0);
	must(sigaction(SIGSEGV, &action, &segv) == 0);
	signal = sigsetjmp(on_bad_access, 1);
	if (!signal)
		memcpy(to, from, length);
	must(sigaction(SIGBUS, &bus, NULL) == 0);
	must(sigaction(SIGSEGV, &segv, NULL) == 0);
	return signal;
}

/* Puts it there, and remembers how everything looks. */
static inline void arg_put(struct arg *arg)
{
	uint32_t length = arg_extent(arg);

	if (length > arg->accessible)
		length = arg->accessible;
	if (arg->place == IN_MAPPING)
		copy_carefully(arg->address, arg->image, length);
	else if (length)
		memcpy(arg->address, arg->image, length);
	arena_copy(arena_before);
	if (arg->place == READ_ONLY || arg->place == HALF_READ_ONLY)
		arena_protect(true);
}

/* Makes everything poison again. */
static inline void arg_remove(struct arg *arg)
{
	const size_t behind = (HOLE + 1) * 4096;

	if (arg->place == READ_ONLY || arg->place == HALF_READ_ONLY)
		arena_protect(false);
	memset(arena, POISON, HOLE * 4096);
	memset(arena + behind, POISON, ARENA_BYTES - behind);
}

/* The part of a range that the request was given room for. */
static inline struct range arg_clip(const struct arg *arg, struct range range)
{
	if (range.to > arg->claimed)
		range.to = arg->claimed;
	if (range.from > range.to)
		range.from = range.to;
	return range;
}

/* Nothing has changed but, maybe, these ranges of the struct. */
static inline void arg_check_unchanged(const char *name, struct arg *arg,
				       const struct range *out, int ret)
{
	struct range range;
	unsigned char *at;

	for (int i = 0; out && i < 2 && arg->place != IN_MAPPING; i++) {
		range = arg_clip(arg, out[i]);
		at = arg->address + range.from;
		memcpy(arena_before + (at - arena), at, range.to - range.from);
	}
	if (arena_is(arena_before))
		return;
	for (size_t i = 0; i < ARENA_BYTES; i++)
		if (i / 4096 != HOLE && arena[i] != arena_before[i])
			failed("%s returned %d and changed byte %td of its struct (%#x to %#x)",
			       name, ret, arena + i - arg->address,
			       arena_before[i], arena[i]);
}

/* No word of the ranges is as it was before. */
static inline void arg_check_written(const char *name, const struct arg *arg,
				     const struct range *out)
{
	static const unsigned char poison[4] = { POISON, POISON, POISON,
						 POISON };
	struct range range;

	for (int i = 0; i < 2 && arg->place != IN_MAPPING; i++) {
		range = arg_clip(arg, out[i]);
		for (uint32_t at = range.from; at + 4 <= range.to; at += 4)
			if (!memcmp(arg->address + at, poison, 4))
				failed("%s did not write byte %u of its struct",
				       name, at);
	}
}

#endif /* FUZZ_ARG_H */
