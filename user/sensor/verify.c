// SPDX-License-Identifier: Apache-2.0
// libbpf has the kernel verify one program after the other, which is most of a start, and the
// kernel verifies as many at once as there are processors. So what libbpf loads is put off until it
// comes to the last program, and then all are loaded, each thread taking the largest that is left.
#include "sensor/verify.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "sensor/choice.h"

#define THREADS_MAX 8

typedef int (*load_fn)(enum bpf_prog_type, const char *, const char *, const struct bpf_insn *,
		       size_t, const struct bpf_prog_load_opts *);

/* What a program is loaded with; all of it libbpf's, as long as the object is being loaded. */
struct job {
	enum bpf_prog_type type;
	const char *name, *license;
	const struct bpf_insn *insns;
	size_t n_insns;
	struct bpf_prog_load_opts opts;
	int fd; /* or negative errno */
};

struct verify {
	load_fn load; /* libbpf's own */
	struct job jobs[PROGRAMS_MAX];
	unsigned n, wanted;
	atomic_uint next;
};

/* Of the object that is being loaded. libbpf calls without a word of it: there is no other place.
 */
static struct verify *current;

static load_fn load_own(void)
{
	load_fn fn;

	*(void **)&fn = dlsym(RTLD_NEXT, "bpf_prog_load");
	return fn;
}

static void job_run(const struct verify *v, struct job *j)
{
	j->fd = v->load(j->type, j->name, j->license, j->insns, j->n_insns, &j->opts);
	if (j->fd < 0)
		j->fd = -errno;
}

static void *jobs_run(void *verify)
{
	struct verify *v = verify;
	unsigned i;

	while ((i = atomic_fetch_add(&v->next, 1)) < v->n)
		job_run(v, &v->jobs[i]);
	return NULL;
}

static int larger_first(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	return x->n_insns < y->n_insns ? 1 : x->n_insns > y->n_insns ? -1 : 0;
}

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < THREADS_MAX ? (unsigned)n : THREADS_MAX;
}

/* By as many threads as there can be, this one among them. 0, or the first negative errno. */
static int jobs_share(struct verify *v)
{
	unsigned n = processors(), started = 0;
	pthread_t threads[THREADS_MAX];
	sigset_t all, old;

	qsort(v->jobs + 1, v->n - 1, sizeof(v->jobs[0]), larger_first);
	atomic_init(&v->next, 1);
	/* Signals are for the thread that has the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (started + 1 < n && pthread_create(&threads[started], NULL, jobs_run, v) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	jobs_run(v);
	while (started)
		pthread_join(threads[--started], NULL);
	for (unsigned i = 0; i < v->n; i++)
		if (v->jobs[i].fd < 0)
			return v->jobs[i].fd;
	return 0;
}

/* Another version of libbpf may have more to say, which we do not. */
static struct bpf_prog_load_opts opts_copy(const struct bpf_prog_load_opts *opts)
{
	struct bpf_prog_load_opts copy = {};

	memcpy(&copy, opts, opts->sz < sizeof(copy) ? opts->sz : sizeof(copy));
	copy.sz = opts->sz < sizeof(copy) ? opts->sz : sizeof(copy);
	return copy;
}

/* Until the last, libbpf has the first of them to hold in each one's place. */
static int put_off(struct verify *v, const struct job *j)
{
	int r = 0;

	v->jobs[v->n] = *j;
	if (v->n == 0)
		job_run(v, &v->jobs[0]);
	if (v->jobs[0].fd >= 0 && ++v->n == v->wanted)
		r = jobs_share(v);
	if (r == 0)
		r = v->jobs[0].fd;
	if (r >= 0)
		return fcntl(v->jobs[0].fd, F_DUPFD_CLOEXEC, 0);
	errno = -r;
	return -1;
}

/*
 * libbpf's own: it calls it by its dynamic symbol, for which the program's goes before the
 * library's. It tries features of the kernel with programs that have no types, and what was refused
 * again for the kernel's reasons: those are none of the object's.
 */
int bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
		  const struct bpf_insn *insns, size_t n_insns,
		  const struct bpf_prog_load_opts *opts)
{
	struct verify *v = current;
	load_fn load = v ? v->load : load_own();

	if (!load) {
		errno = ENOSYS;
		return -1;
	}
	if (v && v->n < v->wanted && name && opts && opts->func_info_cnt && !opts->log_level)
		return put_off(
			v, &(struct job){type, name, license, insns, n_insns, opts_copy(opts), -1});
	return load(type, name, license, insns, n_insns, opts);
}

static struct job *job_of(struct verify *v, const char *program)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->jobs[i].fd >= 0 && strcmp(v->jobs[i].name, program) == 0)
			return &v->jobs[i];
	return NULL;
}

/* What libbpf loaded itself, where it is bound otherwise, is a program, too. */
static void programs_take(struct verify *v, struct bpf_object *obj, int *ret_fds)
{
	struct bpf_program *prog;
	unsigned i = 0;

	bpf_object__for_each_program(prog, obj) {
		struct job *j = job_of(v, bpf_program__name(prog));
		int fd = bpf_program__fd(prog);

		ret_fds[i++] = j ? take_fd(j->fd) : fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
		bpf_program__unload(prog);
	}
}

static unsigned programs_wanted(struct bpf_object *obj)
{
	struct bpf_program *prog;
	unsigned n = 0;

	bpf_object__for_each_program(prog, obj)
		n += bpf_program__autoload(prog);
	return n;
}

int verify_object(struct bpf_object *obj, int *ret_fds)
{
	_cleanup_(freep) struct verify *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->load = load_own();
	v->wanted = programs_wanted(obj);
	if (v->wanted > PROGRAMS_MAX)
		return -E2BIG;
	current = v;
	r = bpf_object__load(obj);
	current = NULL;
	for (unsigned i = 0; i < v->n && r == 0; i++)
		r = v->jobs[i].fd < 0 ? v->jobs[i].fd : 0;
	if (r == 0)
		programs_take(v, obj, ret_fds);
	for (unsigned i = 0; i < v->n; i++)
		closep(&v->jobs[i].fd);
	return r;
}
