/* SPDX-License-Identifier: GPL-2.0-only */
/* io_uring by its system calls: one request at a time. */
#ifndef URING_UTILS_H
#define URING_UTILS_H

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct uring {
	int fd;
	char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	size_t sqes_size;
	struct io_uring_params params;
};

static inline int uring_open(struct uring *ring)
{
	struct io_uring_params *params = &ring->params;
	size_t sq_size, cq_size;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 4, params);
	if (ring->fd < 0)
		return -errno;
	sq_size = params->sq_off.array + params->sq_entries * sizeof(uint32_t);
	cq_size = params->cq_off.cqes +
		  params->cq_entries * sizeof(struct io_uring_cqe);
	ring->rings_size = sq_size > cq_size ? sq_size : cq_size;
	ring->sqes_size = params->sq_entries * sizeof(struct io_uring_sqe);
	ring->rings = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_POPULATE, ring->fd,
			   IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, ring->sqes_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -errno;
	return 0;
}

static inline void uring_close(struct uring *ring)
{
	munmap(ring->sqes, ring->sqes_size);
	munmap(ring->rings, ring->rings_size);
	close(ring->fd);
}

static inline uint32_t *uring_word(struct uring *ring, uint32_t offset)
{
	return (uint32_t *)(ring->rings + offset);
}

/* Hands in a request; it may have ended when this returns, or not. */
static inline int uring_submit(struct uring *ring, uint8_t opcode, int fd,
			       const void *buffer, uint32_t length,
			       uint64_t offset)
{
	uint32_t *tail = uring_word(ring, ring->params.sq_off.tail);
	uint32_t *array = uring_word(ring, ring->params.sq_off.array);
	uint32_t index = *tail & (ring->params.sq_entries - 1);
	struct io_uring_sqe *sqe = &ring->sqes[index];

	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = opcode;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buffer;
	sqe->len = length;
	sqe->off = offset;
	array[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1 ?
	       0 : -errno;
}

/* The result of the next request that ends. */
static inline int uring_wait(struct uring *ring)
{
	uint32_t *head = uring_word(ring, ring->params.cq_off.head);
	uint32_t *tail = uring_word(ring, ring->params.cq_off.tail);
	struct io_uring_cqe *cqes =
		(void *)(ring->rings + ring->params.cq_off.cqes);
	int result;

	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) == *head)
		if (syscall(SYS_io_uring_enter, ring->fd, 0, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0 &&
		    errno != EINTR)
			return -errno;
	result = cqes[*head & (ring->params.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result;
}

static inline int uring_do(struct uring *ring, uint8_t opcode, int fd,
			   const void *buffer, uint32_t length, uint64_t offset)
{
	int ret = uring_submit(ring, opcode, fd, buffer, length, offset);

	return ret ? ret : uring_wait(ring);
}

/* For IORING_OP_READ_FIXED and IORING_OP_WRITE_FIXED. */
static inline int uring_register(struct uring *ring, void *buffer,
				 size_t length)
{
	struct iovec iov = { buffer, length };

	return syscall(SYS_io_uring_register, ring->fd,
		       IORING_REGISTER_BUFFERS, &iov, 1) ? -errno : 0;
}

static inline int uring_unregister(struct uring *ring)
{
	return syscall(SYS_io_uring_register, ring->fd,
		       IORING_UNREGISTER_BUFFERS, NULL, 0) ? -errno : 0;
}

#endif /* URING_UTILS_H */
