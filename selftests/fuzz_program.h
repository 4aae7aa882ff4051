/* SPDX-License-Identifier: GPL-2.0-only */
/* Carries out a fuzzed sequence of calls. */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include "fuzz_files.h"

/* The first are those of requests[], in the same order. */
enum operation_number {
	OP_INFO, OP_OBJECT_CREATE, OP_OBJECTS, OP_STORE_OPEN, OP_STORE_CREATE,
	OP_STORES, OP_STORE_INFO, OP_SEGMENT_ADD, OP_SEGMENTS,
	OP_SEGMENT_REMOVE, OP_STORE_DELETE, OP_ALERT, OP_LIMIT, OP_OBJECT_INFO,
	OP_PAGES, OP_SEAL, OP_PAGEOUT,
	OP_UNKNOWN, OP_PWRITE, OP_PREAD, OP_WRITE, OP_READ, OP_LSEEK, OP_SPLICE,
	OP_FTRUNCATE, OP_FALLOCATE, OP_FADVISE, OP_FSYNC, OP_FCHOWN, OP_MMAP,
	OP_MMAP_ODD, OP_MUNMAP, OP_TOUCH, OP_MADVISE, OP_MPROTECT, OP_MLOCK,
	OP_MSYNC, OP_MINCORE, OP_CLOSE, OP_DUP, OP_OPEN_NODE, OP_REOPEN,
	OP_FSTAT, OP_FDINFO, OP_POLL, OP_FORK, NR_OPERATIONS,
};

struct operation {
	const char *name;
	long (*run)(const struct call *call);
	bool any_file;		/* may be of another kind: then any error goes */
	const int *errnos;
};

/* What all calls on an object may have. */
#define FILE_ERRNOS EBADF, EINVAL, ENOMEM

static const struct operation plain_operations[] = {
	{ "ioctl", call_unknown, false,
	  ERRNOS(ENOTTY) },
	{ "pwrite", call_pwrite, true,
	  ERRNOS(FILE_ERRNOS, EFAULT, EFBIG, ENOSPC, EDQUOT, EPERM) },
	{ "pread", call_pread, true,
	  ERRNOS(FILE_ERRNOS, EFAULT, EOVERFLOW) },
	{ "write", call_write, true,
	  ERRNOS(FILE_ERRNOS, EFAULT, EFBIG, ENOSPC, EDQUOT, EPERM) },
	{ "read", call_read, true,
	  ERRNOS(FILE_ERRNOS, EFAULT) },
	{ "lseek", call_lseek, true,
	  ERRNOS(FILE_ERRNOS, ENXIO, EOVERFLOW) },
	{ "splice", call_splice, true,
	  ERRNOS(FILE_ERRNOS, EAGAIN, EFBIG, ENOSPC, EDQUOT, EPERM,
		 EOVERFLOW) },
	{ "ftruncate", call_ftruncate, true,
	  ERRNOS(FILE_ERRNOS, EFBIG, EPERM) },
	{ "fallocate", call_fallocate, true,
	  ERRNOS(FILE_ERRNOS, EOPNOTSUPP, EFBIG, ENOSPC, EDQUOT, EPERM,
		 ENODEV) },
	{ "posix_fadvise", call_fadvise, true,
	  ERRNOS(FILE_ERRNOS) },
	{ "fsync", call_fsync, true,
	  ERRNOS(FILE_ERRNOS) },
	{ "fchown", call_fchown, true,
	  ERRNOS(EPERM, EDQUOT, EBADF, ENOMEM) },
	{ "mmap", call_mmap, true,
	  ERRNOS(FILE_ERRNOS, EACCES, EPERM, ENODEV, EAGAIN, EOPNOTSUPP,
		 EOVERFLOW) },
	{ "mmap of an odd size", call_mmap_odd, true,
	  ERRNOS(FILE_ERRNOS, EACCES, EPERM, ENODEV, EOVERFLOW) },
	{ "munmap", call_munmap, false,
	  ERRNOS(0) },
	{ "touch", call_touch, false,
	  ERRNOS(EFAULT) },
	{ "madvise", call_madvise, false,
	  ERRNOS(EINVAL, ENOMEM, EFAULT, EACCES, EPERM, EBUSY, EAGAIN, EBADF,
		 EOPNOTSUPP, EIO) },
	{ "mprotect", call_mprotect, false,
	  ERRNOS(EACCES, ENOMEM) },
	{ "mlock", call_mlock, false,
	  ERRNOS(EAGAIN, ENOMEM, EPERM) },
	{ "msync", call_msync, false,
	  ERRNOS(EINVAL, ENOMEM, EBUSY) },
	{ "mincore", call_mincore, false,
	  ERRNOS(ENOMEM) },
	{ "close", call_close, false,
	  ERRNOS(0) },
	{ "dup", call_dup, false,
	  ERRNOS(0) },
	{ "open of the node", call_open_node, false,
	  ERRNOS(EACCES) },
	{ "open of an object", call_reopen, false,
	  ERRNOS(EACCES, EPERM, EINVAL, ENOMEM) },
	{ "fstat", call_fstat, false,
	  ERRNOS(EBADF) },
	{ "fdinfo", call_fdinfo, false,
	  ERRNOS(EACCES) },
	{ "poll", call_poll, false,
	  ERRNOS(0) },
	/* Of its own kind. */
	{ "fork", NULL, false,
	  ERRNOS(0) },
};

_Static_assert(NR_REQUESTS + sizeof(plain_operations) /
	       sizeof(plain_operations[0]) == NR_OPERATIONS,
	       "an operation is missing");
_Static_assert(NR_OPERATIONS <= MAX_OPERATIONS, "too many of them");

static inline const char *operation_name(unsigned int op)
{
	return op < NR_REQUESTS ? requests[op].name :
				  plain_operations[op - NR_REQUESTS].name;
}

/* What has not come of any call of this kind before is worth to be kept. */
static inline void count_outcome(unsigned int op, long ret)
{
	unsigned int error = ret < 0 && -ret < NR_ERRNOS ? -ret : 0;

	if (!__atomic_fetch_add(&shared->outcomes[op][error], 1,
				__ATOMIC_RELAXED))
		__atomic_add_fetch(&shared->news, 1, __ATOMIC_RELAXED);
}

/* What others say is not ours, nor what the kernel does with our other files. */
static inline bool is_judged(const struct operation *operation,
			     const struct call *call)
{
	return !operation->any_file || kind_of(pick_file(call->fd)) == OBJECT;
}

static inline long run_plain(const struct operation *operation,
			     const struct call *call)
{
	bool judged = is_judged(operation, call);
	long ret;

	cover_call();
	ret = operation->run(call);
	cover_look();
	if (ret < 0 && judged && !is_one_of(-ret, operation->errnos))
		failed("%s returned %ld, which it should not (%s)",
		       operation->name, ret, strerror(-ret));
	return ret;
}

static inline void run_call(const struct call *call)
{
	unsigned int op = call->op % NR_OPERATIONS;
	long ret;

	if (op < NR_REQUESTS)
		ret = run_request(&requests[op], call);
	else
		ret = run_plain(&plain_operations[op - NR_REQUESTS], call);
	count_outcome(op, ret);
}

/* --- Children ------------------------------------------------------------------ */

/* Some that have ended, or all, which is waited for. */
static inline void reap(bool all)
{
	int status;
	pid_t pid;

	while (nr_children) {
		pid = waitpid(-1, &status, all ? 0 : WNOHANG);
		must(pid >= 0);
		if (!pid)
			return;
		nr_children--;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			failed("a child ended with status %#x", status);
	}
}

/*
 * Some of the calls that follow are a child's, while we go on behind them.
 * Returns how many.
 */
static inline unsigned int fork_off(const struct program *program,
				    unsigned int at)
{
	unsigned int nr = 1 + program->calls[at].a[0] % 6;
	pid_t pid;

	if (nr > program->nr - at - 1)
		nr = program->nr - at - 1;
	if (is_grandchild || !nr)
		return 0;
	pid = fork();
	must(pid >= 0);
	count_outcome(OP_FORK, 0);
	if (pid) {
		nr_children++;
		return nr;
	}
	is_grandchild = true;
	nr_children = 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = at + 1; i <= at + nr; i++) {
		at_call = i;
		if (program->calls[i].op % NR_OPERATIONS != OP_FORK)
			run_call(&program->calls[i]);
	}
	_exit(0);
}

/* --- What is left ---------------------------------------------------------------- */

/*
 * An object of which everything is taken away holds nothing any more, and is
 * promised nothing but what it was at its creation.
 */
static inline void empty_object(int fd)
{
	struct defpager_object_info info;
	uint64_t promised = 0;

	/* It is sealed, or the descriptor is for reading only. */
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      INT64_MAX))
		return;
	must(object_info(fd, &info) == 0);
	if (info.flags & DEFPAGER_OBJECT_RESERVE)
		promised = (info.object_size + 4095) / 4096 * 4096;
	promise(!info.stored_bytes);
	promise(info.reserved_bytes == promised);
	promise(list_rows(fd, DEFPAGER_IOC_OBJECT_PAGES, &(uint64_t){ 0 },
			  data, sizeof(struct defpager_page_range), 1) == 0);
}

static inline void empty_objects(void)
{
	for (int slot = 0; slot < NR_SLOTS; slot++)
		if (fds[OBJECT][slot] >= 0)
			empty_object(fds[OBJECT][slot]);
}

static inline void run_program(const struct program *program)
{
	for (unsigned int i = 0; i < program->nr; i++) {
		at_call = i;
		__atomic_add_fetch(&shared->progress, 1, __ATOMIC_RELAXED);
		if (program->calls[i].op % NR_OPERATIONS == OP_FORK)
			i += fork_off(program, i);
		else
			run_call(&program->calls[i]);
		reap(false);
	}
	at_call = program->nr;
	reap(true);
	empty_objects();
}

/* --- Programs as text -------------------------------------------------------------- */

static inline void print_program(const struct program *program)
{
	const uint8_t *bytes = (const uint8_t *)program->calls;

	printf("# DEFPAGER_TEST_PROGRAM=");
	for (size_t i = 0; i < program->nr * sizeof(program->calls[0]); i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static inline void explain_program(const struct program *program)
{
	const struct call *call;

	for (unsigned int i = 0; i < program->nr; i++) {
		call = &program->calls[i];
		printf("# call %u: %s fd %u place %u size %u corrupt %u:%u args",
		       i, operation_name(call->op % NR_OPERATIONS), call->fd,
		       call->place % NR_PLACES, call->size % NR_SIZES,
		       call->corrupt, call->value);
		for (size_t j = 0; j < sizeof(call->a); j++)
			printf(" %u", call->a[j]);
		printf("\n");
	}
}

static inline bool parse_program(const char *text, struct program *program)
{
	uint8_t *bytes = (uint8_t *)program->calls;
	size_t length = strlen(text) / 2;
	unsigned int byte;

	memset(program, 0, sizeof(*program));
	if (!length || length > sizeof(program->calls) ||
	    length % sizeof(program->calls[0]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = byte;
	}
	program->nr = length / sizeof(program->calls[0]);
	return true;
}

#endif /* FUZZ_PROGRAM_H */
