// SPDX-License-Identifier: Apache-2.0
// System calls by int 0x80 and by io_uring, without a library.
#include "kernel/support/way.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define I386_GETPID	20
#define I386_SOCKETCALL 102

#if defined(__x86_64__)
static sigjmp_buf fault;

static void on_fault(int signo)
{
	(void)signo;
	siglongjmp(fault, 1);
}

/* A kernel may be built with it and have no gate for it all the same, as where it is a guest. */
static bool i386_answers(void)
{
	struct sigaction act = {.sa_handler = on_fault}, old;
	bool answers = false;

	sigaction(SIGSEGV, &act, &old);
	if (sigsetjmp(fault, 1) == 0)
		answers = way_i386(I386_GETPID, (long[6]){}) == getpid();
	sigaction(SIGSEGV, &old, NULL);
	return answers;
}
#endif

bool way_has_i386(void)
{
	static int known = -1;

#if defined(__x86_64__)
	if (known < 0)
		known = i386_answers();
#endif
	return known > 0;
}

long way_i386(long nr, const long args[6])
{
	long result = -ENOSYS;
#if defined(__x86_64__)
	register long bp_arg = args[5];

	__asm__ volatile("push %%rbp\n\t"
			 "mov %[six], %%rbp\n\t"
			 "int $0x80\n\t"
			 "pop %%rbp"
			 : "=a"(result)
			 : "a"(nr), "b"(args[0]), "c"(args[1]), "d"(args[2]), "S"(args[3]),
			   "D"(args[4]), [six] "r"(bp_arg)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
#else
	(void)nr;
	(void)args;
#endif
	return (int)result;
}

long way_low(const void *data, size_t size)
{
	long p = -1;
#if defined(__x86_64__)
	void *low = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED)
		return -1;
	if (data)
		memcpy(low, data, size);
	p = (long)low;
#else
	(void)data;
	(void)size;
#endif
	return p;
}

long way_socketcall(long call, const long args[6])
{
	uint32_t words[6];

	for (int i = 0; i < 6; i++)
		words[i] = (uint32_t)args[i];
	return way_i386(I386_SOCKETCALL, (long[6]){call, way_low(words, sizeof(words))});
}

struct ring {
	struct io_uring_params params;
	int fd;
	uint8_t *sq, *cq;
	struct io_uring_sqe *sqes;
};

static int ring_open(struct ring *r)
{
	*r = (struct ring){};
	r->fd = (int)syscall(SYS_io_uring_setup, 4, &r->params);
	if (r->fd < 0)
		return -errno;
	r->sq = mmap(NULL, r->params.sq_off.array + 4 * sizeof(uint32_t), PROT_READ | PROT_WRITE,
		     MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->params.cq_off.cqes + 8 * sizeof(struct io_uring_cqe),
		     PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, 4 * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
		       r->fd, IORING_OFF_SQES);
	return r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED ? -ENOMEM : 0;
}

bool way_has_uring(void)
{
	struct io_uring_params params = {};
	int fd = (int)syscall(SYS_io_uring_setup, 4, &params);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

long way_uring(const struct io_uring_sqe *sqe)
{
	_Atomic uint32_t *tail;
	struct io_uring_cqe *cqe;
	struct ring r;
	int e = ring_open(&r);

	if (e < 0)
		return e;
	r.sqes[0] = *sqe;
	((uint32_t *)(void *)(r.sq + r.params.sq_off.array))[0] = 0;
	tail = (_Atomic uint32_t *)(void *)(r.sq + r.params.sq_off.tail);
	atomic_store(tail, 1);
	if (syscall(SYS_io_uring_enter, r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		e = -errno;
	cqe = (struct io_uring_cqe *)(void *)(r.cq + r.params.cq_off.cqes);
	if (e == 0)
		e = cqe->res;
	close(r.fd);
	return e;
}
