/* SPDX-License-Identifier: GPL-2.0-only */
/* Makes one fuzzed request, and judges what came of it. */
#ifndef FUZZ_RUN_H
#define FUZZ_RUN_H

#include "fuzz_requests.h"

/* What can be told in advance: an error that it must have, 0, or any error. */
#define SOME_ERROR 1

static inline int expected_of_fd(const struct request *request, int fd)
{
	enum kind kind = kind_of(fd);

	if (kind == request->on)
		return 0;
	if (kind == NO_KIND)
		return -EBADF;
	return kind == NODE || kind == STORE || kind == OBJECT ? -ENOTTY :
								 SOME_ERROR;
}

static inline int expected_of_size(const struct arg *arg)
{
	if (arg->accessible < sizeof(arg->claimed))
		return -EFAULT;
	if (arg->claimed < arg->min)
		return -EINVAL;
	if (arg->claimed > 4096)
		return -E2BIG;
	/* The tail comes first, and may end before that is found. */
	if (arg->accessible < arg->claimed)
		return arg->tail_is_zero ? -EFAULT : SOME_ERROR;
	return arg->tail_is_zero ? 0 : -E2BIG;
}

/* What the struct says, with zeros for what it does not. */
static inline void arg_read(const struct arg *arg, const void *from, void *to)
{
	uint32_t length = arg->claimed < arg->known ? arg->claimed : arg->known;

	memset(to, 0, arg->known);
	memcpy(to, from, length);
}

static inline int expected(const struct request *request, int fd,
			   const struct arg *arg)
{
	struct { uint32_t size, flags; } head;
	int ret = expected_of_fd(request, fd);

	/* What is in a mapping, others may have changed. */
	if (ret || arg->place == IN_MAPPING)
		return ret;
	ret = expected_of_size(arg);
	if (ret)
		return ret;
	memcpy(&head, arg->image, sizeof(head));
	if (head.flags & ~request->flags)
		return SOME_ERROR;
	if (arg->place == READ_ONLY || arg->place == HALF_READ_ONLY)
		return SOME_ERROR;
	return 0;
}

/* May memory be the reason? */
static inline bool may_fault(const struct request *request,
			     const struct arg *arg)
{
	struct defpager_list list;

	if (arg->place == READ_ONLY || arg->place == HALF_READ_ONLY ||
	    arg->place == IN_MAPPING)
		return true;
	if (arg->accessible < arg->claimed)
		return true;
	if (request->size != sizeof(list) || !request->fields_may_stay)
		return false;
	memcpy(&list, arg->image, sizeof(list));
	return (uint64_t)list.count * list.row_size > rows_available;
}

static inline bool may_fail(const struct request *request,
			    const struct arg *arg, int fd, int error)
{
	/* Of the wrong kind: what others say is not ours. */
	if (expected_of_fd(request, fd) == SOME_ERROR)
		return true;
	switch (error) {
	case EINVAL:
	case ENOMEM:
		return true;
	case EFAULT:
		return may_fault(request, arg);
	case ENOTTY:
		return expected_of_fd(request, fd) == -ENOTTY;
	case EBADF:
		if (expected_of_fd(request, fd) == -EBADF)
			return true;
		break;
	case E2BIG:
		return arg->claimed > arg->known || arg->place == IN_MAPPING;
	case EPERM:
		if (request->sys_admin)
			return !privileged;
		break;
	case EINTR:
		if (!interruptible)
			return false;
		break;
	}
	if (request->sys_admin && !privileged)
		return false;
	return is_one_of(error, request->errnos);
}

/* A request which failed may have written these, by exception. */
static inline const struct range *written_by_failure(const struct request *request,
						     const struct arg *arg,
						     int ret)
{
	bool drain = request->cmd == DEFPAGER_IOC_SEGMENT_REMOVE ||
		     request->cmd == DEFPAGER_IOC_BACKING_STORE_DELETE;

	if (drain && (ret == -EINTR || ret == -EIO))
		return request->out;
	/* The kernel finds out when it has written half of it. */
	if (ret == -EFAULT && arg->place == HALF_READ_ONLY)
		return request->out;
	return NULL;
}

/* What it was asked for is in the image; the answer, in memory. */
static inline void judge_answer(const struct request *request,
				const struct arg *arg, int ret)
{
	unsigned char before[1024], after[1024];
	bool known = arg->place != IN_MAPPING;

	if (request->fields_may_stay) {
		/* Where rows were to go is known if it did not say so, too. */
		memcpy(before, arg->image, arg->known);
		if (!ret && known)
			arg_read(arg, arg->address, after);
		if (known)
			check_rows(request->cmd, (void *)before,
				   ret ? NULL : (void *)after, ret);
		return;
	}
	if (ret || !known)
		return;
	arg_check_written(request->name, arg, request->out);
	if (!request->check)
		return;
	arg_read(arg, arg->image, before);
	arg_read(arg, arg->address, after);
	request->check(before, after);
}

/* The number that it got is the lowest, and nobody else got one. */
static inline void judge_fds(const struct request *request,
			     const struct arg *arg, int lowest, int ret)
{
	int fd = lowest_fd(), said;

	if (ret || !request->new_fd) {
		if (fd != lowest)
			failed("%s returned %d and left a descriptor",
			       request->name, ret);
		return;
	}
	if (fd == lowest)
		failed("%s made no descriptor", request->name);
	if (fcntl(lowest, F_GETFD) != FD_CLOEXEC)
		failed("%s made a descriptor that is inherited", request->name);
	if (arg->place != IN_MAPPING) {
		memcpy(&said, arg->address + request->out[0].from, sizeof(said));
		if (said != lowest)
			failed("%s said %d and made %d", request->name, said,
			       lowest);
	}
	keep_fd(request->cmd == DEFPAGER_IOC_OBJECT_CREATE ? OBJECT : STORE,
		lowest);
}

static inline void judge(const struct request *request, struct arg *arg, int fd,
			 int ret)
{
	int expect = expected(request, fd, arg);

	if (expect && !ret)
		failed("%s succeeded in spite of itself (%d)", request->name,
		       expect);
	if (expect < 0 && ret != expect)
		failed("%s returned %d instead of %d", request->name, ret,
		       expect);
	if (ret && !may_fail(request, arg, fd, -ret))
		failed("%s returned %d, which is not documented (%s)",
		       request->name, ret, strerror(-ret));
	if (!ret && request->sys_admin && !privileged)
		failed("%s succeeded without privileges", request->name);
	arg_check_unchanged(request->name, arg, ret ?
			    written_by_failure(request, arg, ret) :
			    request->out, ret);
	judge_answer(request, arg, ret);
}

/* Builds it, but for the listing's address of rows: that stays right. */
static inline void arg_fill(struct arg *arg, const struct request *request,
			    const struct call *call)
{
	struct defpager_list list;

	arg->known = request->size;
	arg->min = request->min;
	memset(arg->image, POISON, sizeof(arg->image));
	memset(arg->image + 4, 0, 4);
	request->fill(call, arg->image);
	memcpy(&list, arg->image, sizeof(list));
	arg_spoil(arg, call);
	if (request->fields_may_stay)
		memcpy(arg->image + offsetof(struct defpager_list, rows),
		       &list.rows, sizeof(list.rows));
	arg_place(arg, call);
}

/*
 * A request that waits for its turn may do so for ever. Others are interrupted
 * if the call says so.
 */
static inline unsigned int request_timer(const struct request *request,
					 const struct call *call,
					 const struct arg *arg)
{
	bool waits = request->cmd == DEFPAGER_IOC_OBJECT_CREATE &&
		     (arg->image[4] & DEFPAGER_OBJECT_SEQNO ||
		      arg->place == IN_MAPPING);

	if (call->a[9])
		return call->a[9] * 300;
	return waits ? 20000 : 0;
}

/* --- What a request that fails leaves as it was ------------------------------ */

struct state {
	uint64_t nr_stores;
	uint64_t nr_segments;
	uint64_t nr_objects;
	uint64_t of_fd[2];		/* limits of a store, seals of an object */
};

static inline struct state state_now(int fd)
{
	struct defpager_object_seal seal = { .size = sizeof(seal) };
	struct defpager_backing_store_info store;
	struct defpager_info info;
	struct state state;

	memset(&state, 0, sizeof(state));
	must(pager_info(own_node, &info) == 0);
	state.nr_stores = info.nr_stores;
	state.nr_segments = info.nr_segments;
	state.nr_objects = info.nr_objects;
	if (kind_of(fd) == OBJECT &&
	    !defpager_ioctl(fd, DEFPAGER_IOC_OBJECT_SEAL, &seal))
		state.of_fd[0] = seal.seals;
	if (kind_of(fd) == STORE && !store_info(fd, &store)) {
		state.of_fd[0] = store.object_limit_bytes;
		state.of_fd[1] = store.user_limit_bytes;
	}
	return state;
}

static inline void judge_state(const struct request *request, int fd, int ret,
			       const struct state *before)
{
	struct state after;

	if (!ret || nr_children || is_grandchild)
		return;
	/* Some of its segments may be gone. */
	if (request->cmd == DEFPAGER_IOC_BACKING_STORE_DELETE && ret == -EINTR)
		return;
	after = state_now(fd);
	if (memcmp(before, &after, sizeof(after)))
		failed("%s returned %d, and changed something: stores %ju to %ju, segments %ju to %ju, objects %ju to %ju, seals or limits %#jx/%#jx to %#jx/%#jx",
		       request->name, ret, before->nr_stores, after.nr_stores,
		       before->nr_segments, after.nr_segments,
		       before->nr_objects, after.nr_objects, before->of_fd[0],
		       before->of_fd[1], after.of_fd[0], after.of_fd[1]);
}

static inline int run_request(const struct request *request,
			      const struct call *call)
{
	int fd = pick_fd(request->on, call->fd), lowest = lowest_fd(), ret;
	bool no_fd = request->new_fd && call->a[8] & 1;
	struct state before = state_now(fd);
	static struct arg arg;

	arg_fill(&arg, request, call);
	arg_put(&arg);
	if (no_fd)
		limit_fds(lowest);
	interrupt_after(request_timer(request, call, &arg));
	cover_call();
	ret = defpager_ioctl(fd, request->cmd, arg.address);
	cover_look();
	if (no_fd)
		limit_fds(MAX_FDS);
	judge(request, &arg, fd, ret);
	judge_fds(request, &arg, lowest, ret);
	interrupt_after(0);
	arg_remove(&arg);
	judge_state(request, fd, ret, &before);
	if (no_fd && !ret)
		failed("%s found a descriptor where there was none",
		       request->name);
	return ret;
}

#endif /* FUZZ_RUN_H */
