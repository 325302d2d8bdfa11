/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The environment that a program begins with: only variables that decide what code it loads and
 * runs, where its history goes, and who came in. Other names and values stay in the process: they
 * are where secrets are. Used by exec.
 */
#pragma once

#include "tail.h"
#include "text.h"

#define ENV_MAX	      4096 /* of all that is told */
#define ENV_SHOWN     256  /* of one, with its NUL */
#define ENV_VARS_MAX  2048 /* looked at */
#define ENV_VAR_SIZE  4096 /* read at once; a longer one is read in several steps */
#define ENV_NAME_SIZE 16

struct env_walk {
	__u64 at, end;
	__u32 inside;  /* the piece that comes is the rest of a variable */
	__u32 partial; /* something is missing */
	__u8 var[ENV_VAR_SIZE] __attribute__((aligned(8)));
};

/* Names, and beginnings of names; NUL-padded. */
static const char env_names[][ENV_NAME_SIZE] __attribute__((aligned(8))) = {
	"LD_",		 "PATH=",	   "GCONV_PATH=",     "GLIBC_TUNABLES=", "BASH_ENV=",
	"ENV=",		 "BASH_FUNC_",	   "PROMPT_COMMAND=", "HISTFILE=",	 "HISTSIZE=",
	"PYTHONPATH=",	 "PYTHONSTARTUP=", "PERL5LIB=",	      "PERL5OPT=",	 "RUBYOPT=",
	"NODE_OPTIONS=", "JAVA_TOOL_OPTI", "_JAVA_OPTIONS=",  "SSH_CONNECTION=", "SUDO_USER=",
};
#define ENV_NAMES (sizeof(env_names) / sizeof(env_names[0]))

/* One of 64, by a name's first two letters. */
static __always_inline __u64 env_bit(const char *name)
{
	return 1ull << ((name[0] * 5 + name[1]) & 63);
}

/*
 * It is asked of every variable: first whether any name begins so, then eight bytes at a time. What
 * is known of the names is constants in code. To the verifier by itself, as path_walk() is.
 */
__noinline int env_wanted(const struct env_walk *w)
{
	const __u64 *var;
	__u64 begins = 0;

	if (!w)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < ENV_NAMES; i++)
		begins |= env_bit(env_names[i]);
	if (!(begins & env_bit((const char *)w->var)))
		return 0;
	var = (const __u64 *)w->var;
#pragma unroll
	for (__u32 i = 0; i < ENV_NAMES; i++) {
		const __u64 *name = (const __u64 *)env_names[i];

		if (!((var[0] ^ name[0]) & text_mask(name[0])) &&
		    !((var[1] ^ name[1]) & text_mask(name[1])))
			return 1;
	}
	return 0;
}

/* `n` bytes of a variable with its NUL, or as much of it as was read; the rest is in `more`. */
static __always_inline void env_keep(struct env_walk *w, const struct tail *t,
				     struct record_slice *slice, __u32 n)
{
	__u32 off = tail_off(t), cut = n;

	slice->orig += n;
	if (cut > ENV_SHOWN) {
		cut = ENV_SHOWN;
		w->var[ENV_SHOWN - 1] = '\0';
		w->partial = true;
	}
	if (slice->len + cut > ENV_MAX) {
		w->partial = true;
		return;
	}
	bpf_probe_read_kernel(t->record + off, cut, w->var);
	slice->len += cut;
	*t->off = off + cut;
}

/* One variable, or a piece of a long one. 1: no more of them. */
static __always_inline long env_step(struct env_walk *w, const struct tail *t,
				     struct record_slice *slice)
{
	bool inside = w->inside;
	long n;

	if (w->at >= w->end)
		return 1;
	n = bpf_probe_read_user_str(w->var, sizeof(w->var), (void *)w->at);
	if (n < 0) { /* a page that is not in memory */
		emit_unread(LANE_CRIT, KIND_exec);
		w->partial = true;
		return 1;
	}
	if (!n) /* as older kernels count an empty one */
		n = 1;
	/* Cut by the buffer's end: its last byte is not the variable's. */
	w->inside = n == ENV_VAR_SIZE && w->at + n < w->end;
	w->at += w->inside ? n - 1 : n;
	if (!inside && env_wanted(w))
		env_keep(w, t, slice, n);
	return 0;
}
