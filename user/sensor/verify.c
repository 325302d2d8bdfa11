// SPDX-License-Identifier: Apache-2.0
// libbpf has the kernel verify one program after the other, which is most of a start, and the
// kernel verifies as many at once as there are processors. So what libbpf loads is put off: threads
// take the largest that is there, while libbpf prepares the next, and at the last it waits for
// them.
#include "sensor/verify.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clean.h"
#include "lib/thread.h"
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
	bool taken;
};

struct verify {
	load_fn load; /* libbpf's own */
	int held;     /* what libbpf has in the place of each program */
	unsigned wanted;
	pthread_t threads[THREADS_MAX];
	unsigned n_threads;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	struct job jobs[PROGRAMS_MAX];
	unsigned n;
	bool whole; /* no more come */
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

static unsigned processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < THREADS_MAX ? (unsigned)n : THREADS_MAX;
}

static struct job *job_largest(struct verify *v)
{
	struct job *largest = NULL;

	for (unsigned i = 0; i < v->n; i++)
		if (!v->jobs[i].taken && (!largest || v->jobs[i].n_insns > largest->n_insns))
			largest = &v->jobs[i];
	return largest;
}

/* Waits for one; NULL: all are taken. */
static struct job *job_take(struct verify *v)
{
	struct job *j;

	pthread_mutex_lock(&v->lock);
	while (!(j = job_largest(v)) && !v->whole)
		pthread_cond_wait(&v->more, &v->lock);
	if (j)
		j->taken = true;
	pthread_mutex_unlock(&v->lock);
	return j;
}

static void *jobs_run(void *verify)
{
	struct verify *v = verify;
	struct job *j;

	while ((j = job_take(v))) {
		j->fd = v->load(j->type, j->name, j->license, j->insns, j->n_insns, &j->opts);
		if (j->fd < 0)
			j->fd = -errno;
	}
	return NULL;
}

static void jobs_begin(struct verify *v)
{
	for (unsigned i = 1; i < processors(); i++)
		if (thread_start(&v->threads[v->n_threads], jobs_run, v) == 0)
			v->n_threads++;
}

/* Until all that came are verified. */
static void jobs_end(struct verify *v)
{
	pthread_mutex_lock(&v->lock);
	v->whole = true;
	pthread_cond_broadcast(&v->more);
	pthread_mutex_unlock(&v->lock);
	jobs_run(v);
	while (v->n_threads)
		pthread_join(v->threads[--v->n_threads], NULL);
}

/* Another version of libbpf may have more to say, which we do not. */
static struct bpf_prog_load_opts opts_copy(const struct bpf_prog_load_opts *opts)
{
	struct bpf_prog_load_opts copy = {};

	memcpy(&copy, opts, opts->sz < sizeof(copy) ? opts->sz : sizeof(copy));
	copy.sz = opts->sz < sizeof(copy) ? opts->sz : sizeof(copy);
	return copy;
}

/* Does nothing: for libbpf to hold. */
static int held_new(load_fn load)
{
	static const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
						{.code = BPF_JMP | BPF_EXIT}};
	int fd = load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "Dual BSD/GPL", insns,
		      sizeof(insns) / sizeof(insns[0]), NULL);

	return fd < 0 ? -errno : fd;
}

/* What was refused is seen at the end. */
static int put_off(struct verify *v, const struct job *j)
{
	bool last;

	pthread_mutex_lock(&v->lock);
	v->jobs[v->n++] = *j;
	last = v->n == v->wanted;
	pthread_cond_signal(&v->more);
	pthread_mutex_unlock(&v->lock);
	if (last)
		jobs_end(v);
	return fcntl(v->held, F_DUPFD_CLOEXEC, 0);
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
		return put_off(v, &(struct job){type, name, license, insns, n_insns,
						opts_copy(opts), -1, false});
	return load(type, name, license, insns, n_insns, opts);
}

static struct job *job_of(struct verify *v, const char *program)
{
	for (unsigned i = 0; i < v->n; i++)
		if (strcmp(v->jobs[i].name, program) == 0)
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

/* Of what libbpf loaded itself it does not say which was refused. */
static void programs_refused(struct verify *v, struct bpf_object *obj, bool *ret_refused)
{
	struct bpf_program *prog;
	unsigned i = 0;

	bpf_object__for_each_program(prog, obj) {
		struct job *j = job_of(v, bpf_program__name(prog));

		ret_refused[i++] = bpf_program__autoload(prog) && (!j || j->fd < 0);
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

static int jobs_result(const struct verify *v)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->jobs[i].fd < 0)
			return v->jobs[i].fd;
	return 0;
}

static int object_load(struct verify *v, struct bpf_object *obj)
{
	int r;

	v->load = load_own();
	v->wanted = programs_wanted(obj);
	if (v->wanted > PROGRAMS_MAX)
		return -E2BIG;
	if (!v->load)
		return -ENOSYS;
	v->held = held_new(v->load);
	if (v->held < 0)
		return v->held;
	jobs_begin(v);
	current = v;
	r = bpf_object__load(obj);
	current = NULL;
	jobs_end(v);
	return r < 0 ? r : jobs_result(v);
}

int verify_object(struct bpf_object *obj, int *ret_fds, bool *ret_refused)
{
	_cleanup_(freep) struct verify *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->held = -1;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->more, NULL);
	r = object_load(v, obj);
	if (r == 0)
		programs_take(v, obj, ret_fds);
	else
		programs_refused(v, obj, ret_refused);
	for (unsigned i = 0; i < v->n; i++)
		closep(&v->jobs[i].fd);
	closep(&v->held);
	return r;
}
