/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading kernel memory by plain loads, which cost a tenth of a helper that reads: of a pointer
 * that came from anywhere, where the kernel can be told its type (since 6.4), else by the helper.
 *
 * A pointer that the verifier trusts is best told anew, too: kernels 6.3 to 6.18 look for the names
 * of fields they trust through all of their types, at each pointer that is loaded from a trusted
 * one. That is a millisecond each, and was half of our start. What only reads needs no trust; what
 * is passed on to a helper does.
 */
#pragma once

#include "kernel.h"

/*
 * Since 6.2; no more than a move. bpftool 7.1 links what several objects call when one alone of
 * them, the first (process.bpf.c), declares it as the kernel's.
 */
#ifndef PLAIN_KSYM
#define PLAIN_KSYM
#endif
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) PLAIN_KSYM __weak;

struct bpf_iter_num { /* since 6.4 */
} __attribute__((preserve_access_index));

/* The verifier knows the answer, and never sees the other branch. */
#define PLAIN_KNOWN() bpf_core_type_exists(struct bpf_iter_num)

/* `p` with its own type, which is a struct of the kernel's and not const. */
#define PLAIN(p) ((typeof(p))bpf_rdonly_cast(p, bpf_core_type_id_kernel(typeof(*(p)))))

/* As BPF_CORE_READ(). */
#define PLAIN_READ(src, a, ...)                                                                    \
	({                                                                                         \
		typeof(src) __src = (src);                                                         \
		___type(__src, a, ##__VA_ARGS__) __read;                                           \
		if (PLAIN_KNOWN())                                                                 \
			__read = ___arrow(PLAIN(__src), a, ##__VA_ARGS__);                         \
		else                                                                               \
			BPF_CORE_READ_INTO(&__read, __src, a, ##__VA_ARGS__);                      \
		__read;                                                                            \
	})

/* The pointer that is at an address: of an array's element, whose type is no struct's. */
static __always_inline void *plain_pointer(const void *at)
{
	struct hlist_head *holder = (void *)at; /* which is one pointer */

	return PLAIN_READ(holder, first);
}

/* For several loads from a task that a hook or bpf_get_current_task_btf() gives. */
static __always_inline struct task_struct *plain_task(struct task_struct *task)
{
	return PLAIN_KNOWN() ? PLAIN(task) : task;
}

static __always_inline struct task_struct *plain_current(void)
{
	return plain_task(bpf_get_current_task_btf());
}
