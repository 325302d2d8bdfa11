// SPDX-License-Identifier: Apache-2.0
// Ways into the kernel other than the C library's: the calls of 32-bit programs, io_uring. Used by
// tests that try every way.
#pragma once

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Does this kernel have them? */
bool way_has_i386(void);
bool way_has_uring(void);

/* A call as a 32-bit program makes it (int 0x80): its result, negative errno. */
long way_i386(long nr, const long args[6]);

/* The same through i386's socketcall(2), `call` as linux/net.h numbers it. */
long way_socketcall(long call, const long args[6]);

/* Memory that a 32-bit program can point to: a copy of `data`, or zeroed. Never freed. */
long way_low(const void *data, size_t size);

/* One operation, waited for: its result, negative errno. */
long way_uring(const struct io_uring_sqe *sqe);
