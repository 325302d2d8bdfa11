// links: tests/kernel/support/check.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Probes that outlive who loaded them. A process that stands for the sensor is killed while
// programs start; another takes over: of each process that lived before, between and after, fork,
// exec and exit are told once. Who is of another configuration begins anew, who finds files that
// are not the sensor's leaves them, an orderly end leaves nothing.
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "lib/arena.h"
#include "lib/log.h"
#include "lib/record.h"
#include "sensor/pins.h"
#include "sensor/probe.h"

#define CHILDREN 400
#define TOLD_MAX 65536

enum { FORK, EXEC, EXIT, KINDS };

/* In memory that outlives the sensor, as its spool does. */
struct told {
	uint32_t n; /* put away */
	bool ready, taken_over;
	double seconds;
	struct {
		pid_t pid;
		uint32_t kind;
	} at[TOLD_MAX];
	pid_t children[CHILDREN];
	uint32_t n_children;
};

static struct {
	struct told *told;
	uint32_t made; /* not put away yet, behind those */
	struct arena *arena;
	char directory[64];
} t;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void note(const Rollcall__Task *task, uint32_t kind)
{
	if (t.made == TOLD_MAX)
		return;
	t.told->at[t.made].pid = (pid_t)task->tgid;
	t.told->at[t.made++].kind = kind;
}

static void on_record(void *ctx, const void *record, size_t size)
{
	Rollcall__Event *ev;
	unsigned truncated;

	(void)ctx;
	if (record_decode(t.arena, record, size, &ev, &truncated) == 0) {
		if (ev->kind_case == ROLLCALL__EVENT__KIND_FORK)
			note(ev->fork->task, FORK);
		if (ev->kind_case == ROLLCALL__EVENT__KIND_EXEC)
			note(ev->exec->task, EXEC);
		if (ev->kind_case == ROLLCALL__EVENT__KIND_EXIT)
			note(ev->exit->task, EXIT);
	}
	arena_reset(t.arena);
}

static void put_away(void *ctx)
{
	(void)ctx;
	__atomic_store_n(&t.told->n, t.made, __ATOMIC_RELEASE);
}

static struct probe_opts opts_of(const char *identity)
{
	return (struct probe_opts){
		.record = on_record,
		.flush = put_away,
		.own = true,
		.pins = t.directory,
		.identity = identity,
	};
}

static volatile sig_atomic_t stopping;

static void on_term(int signo)
{
	(void)signo;
	stopping = 1;
}

static int sensor(const char *identity)
{
	struct probe_opts opts = opts_of(identity);
	struct probe *probe;
	double begin = now();

	signal(SIGTERM, on_term);
	t.made = t.told->n;
	if (probe_new(&opts, &probe) < 0)
		return 1;
	t.told->taken_over = probe_taken_over(probe);
	t.told->seconds = now() - begin;
	__atomic_store_n(&t.told->ready, true, __ATOMIC_RELEASE);
	while (!stopping) {
		probe_consume(probe);
		sleep_ms(1);
	}
	probe_consume(probe);
	probe_freep(&probe);
	return 0;
}

/* Starts it and waits until its probes look. */
static pid_t sensor_start(const char *test, const char *identity)
{
	pid_t pid;

	t.told->ready = false;
	pid = fork();
	if (pid == 0)
		_exit(sensor(identity));
	for (int i = 0; i < 60000 && !t.told->ready && kill(pid, 0) == 0; i++)
		sleep_ms(5);
	check(test, "starts", t.told->ready);
	printf("%s: %s in %.3f s\n", test, t.told->taken_over ? "taken over" : "loaded",
	       t.told->seconds);
	return pid;
}

static int sensor_end(pid_t pid, int signo)
{
	int status = 0;

	kill(pid, signo);
	waitpid(pid, &status, 0);
	return status;
}

static void child_run(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	t.told->children[t.told->n_children++] = pid;
	waitpid(pid, NULL, 0);
}

static unsigned times_told(pid_t pid, uint32_t kind)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < t.told->n; i++)
		n += t.told->at[i].pid == pid && t.told->at[i].kind == kind;
	return n;
}

static void wait_told(pid_t pid)
{
	for (int i = 0; i < 10000 && !times_told(pid, EXIT); i++)
		sleep_ms(1);
}

static unsigned entries(const char *directory)
{
	char command[256];
	unsigned n = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ls %s 2>/dev/null | wc -l", directory);
	f = popen(command, "re");
	if (!f || fscanf(f, "%u", &n) != 1)
		n = 9999;
	if (f)
		pclose(f);
	return n;
}

/* The one set that is there. */
static void set_path(const char *file, char path[PATH_MAX])
{
	char command[128], name[80] = "";
	FILE *f;

	snprintf(command, sizeof(command), "ls %s | grep -v new", t.directory);
	f = popen(command, "re");
	if (!f || fscanf(f, "%79s", name) != 1)
		*name = '\0';
	if (f)
		pclose(f);
	snprintf(path, PATH_MAX, "%s/%s/%s", t.directory, name, file);
}

static uint32_t link_id(int fd)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) < 0 ? 0 : info.id;
}

/* Of the set's exec program; 0: there is none. */
static uint32_t exec_link(void)
{
	char path[PATH_MAX];
	int fd;
	uint32_t id;

	set_path("link_exec__tp_btf", path);
	fd = bpf_obj_get(path);
	id = fd < 0 ? 0 : link_id(fd);
	if (fd >= 0)
		close(fd);
	return id;
}

/* The kernel takes a link away when the last who had it is done with it. */
static bool link_lives(uint32_t id)
{
	for (int i = 0; i < 200; i++) {
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			return false;
		close(fd);
		sleep_ms(10);
	}
	return true;
}

static void killed(void)
{
	pid_t pid = sensor_start("first", "a"), load;
	uint32_t link, seen;
	int status;

	check("first", "took nothing over", !t.told->taken_over);
	check_number("first", "one set", entries(t.directory), 1);
	link = exec_link();
	check("first", "its link is there", link != 0);
	t.told->n_children = 0;
	load = fork();
	if (load == 0) {
		while (t.told->n_children < CHILDREN - 1)
			child_run();
		_exit(0);
	}
	for (int i = 0; i < 10000 && t.told->n_children < CHILDREN / 4; i++)
		sleep_ms(1);
	status = sensor_end(pid, SIGKILL);
	seen = t.told->n_children;
	check("killed", "by SIGKILL", WIFSIGNALED(status));
	waitpid(load, NULL, 0);
	check("killed", "some came before, some after",
	      seen >= CHILDREN / 4 && seen < CHILDREN - 1);
	pid = sensor_start("second", "a");
	check("second", "took over", t.told->taken_over);
	check_number("second", "the same link", exec_link(), link);
	child_run();
	wait_told(t.told->children[CHILDREN - 1]);
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		static const char *const names[] = {"fork", "exec", "exit"};
		unsigned never = 0, twice = 0;

		for (unsigned i = 0; i < CHILDREN; i++) {
			unsigned n = times_told(t.told->children[i], kind);

			never += n == 0;
			twice += n > 1;
		}
		check_number(names[kind], "never told", never, 0);
		check_number(names[kind], "told twice", twice, 0);
	}
	check_number("second", "ends in order", (uint64_t)sensor_end(pid, SIGTERM), 0);
	check("second", "its link is gone", !link_lives(link));
	check("second", "its directory is gone", access(t.directory, F_OK) < 0);
}

static void other_build(void)
{
	uint32_t link;
	pid_t pid;

	sensor_end(sensor_start("old build", "a"), SIGKILL);
	link = exec_link();
	pid = sensor_start("other build", "b");
	check("other build", "took nothing over", !t.told->taken_over);
	check_number("other build", "one set", entries(t.directory), 1);
	check("other build", "has a link", exec_link() != 0 && exec_link() != link);
	check("other build", "the old link is gone", !link_lives(link));
	/* Kept for the next. */
	sensor_end(pid, SIGKILL);
}

/* A link that is nothing of the sensor's, on a harmless program. */
static int foreign_link(void)
{
	static const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
						{.code = BPF_JMP | BPF_EXIT}};
	int prog = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "foreign", "GPL", insns, 2, NULL);

	return prog < 0 ? prog : bpf_raw_tracepoint_open("sched_switch", prog);
}

static void hostile(void)
{
	int foreign = foreign_link();
	uint32_t id = link_id(foreign), link = exec_link();
	char path[PATH_MAX], other[PATH_MAX];
	pid_t pid;

	check("hostile", "a link of somebody", id != 0 && link != 0);
	set_path("link_exec__tp_btf", path);
	set_path("somebodys", other);
	check_number("hostile", "the pin is exchanged", (uint64_t)unlink(path), 0);
	check_number("hostile", "for another's", (uint64_t)bpf_obj_pin(foreign, path), 0);
	check_number("hostile", "and one beside", (uint64_t)bpf_obj_pin(foreign, other), 0);
	close(foreign);
	t.told->n_children = 0;
	pid = sensor_start("hostile", "b");
	check("hostile", "is not taken over", !t.told->taken_over);
	check("hostile", "the sensor's own is gone", !link_lives(link));
	check("hostile", "somebody's lives on", access(other, F_OK) == 0 && link_lives(id));
	child_run();
	wait_told(t.told->children[0]);
	check_number("hostile", "exec is told", times_told(t.told->children[0], EXEC), 1);
	check_number("hostile", "ends in order", (uint64_t)sensor_end(pid, SIGTERM), 0);
	check_number("hostile", "nothing but somebody's is left", entries(t.directory), 1);
	unlink(path);
	unlink(other);
	*strrchr(other, '/') = '\0';
	rmdir(other);
}

/* Nobody else may have a directory where pins are. */
static void directory_refused(void)
{
	struct pins *pins = NULL, *more = NULL;

	mkdir(t.directory, 0700);
	chmod(t.directory, 0777);
	check_number("others may write", "error", (uint64_t)-pins_open(t.directory, &pins), EPERM);
	chmod(t.directory, 0700);
	check_number("root's alone", "error", (uint64_t)-pins_open(t.directory, &pins), 0);
	check_number("another sensor has it", "error", (uint64_t)-pins_open(t.directory, &more),
		     EAGAIN);
	pins_close(pins);
	pins_freep(&pins);
	check_number("elsewhere", "error", (uint64_t)-pins_open("/tmp/pins", &pins), EINVAL);
	check("root's alone", "is removed", access(t.directory, F_OK) < 0);
}

int main(void)
{
	struct pins *pins = NULL;

	log_open("takeover", LOG_LEVEL_WARN);
	t.arena = arena_new(64 * 1024);
	t.told = mmap(NULL, sizeof(*t.told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	snprintf(t.directory, sizeof(t.directory), "/sys/fs/bpf/rollcall/test-%d", (int)getpid());
	if (pins_open(t.directory, &pins) < 0) {
		fprintf(stderr, "takeover: no BPF file system\n");
		return 1;
	}
	pins_freep(&pins);
	killed();
	other_build();
	hostile();
	directory_refused();
	arena_freep(&t.arena);
	return check_close();
}
