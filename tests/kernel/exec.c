// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Executes programs in every way an attacker would, and checks each field of the Exec event and
// of the process that other events are attributed to.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"

#define KIND_EXIT ROLLCALL__EVENT__KIND_EXIT
#define KIND_EXEC ROLLCALL__EVENT__KIND_EXEC
#define KIND_FORK ROLLCALL__EVENT__KIND_FORK
#define ARGS_MAX  32768
#define ARGS_KEPT 4096 /* of them in the process table */
#define PROGRAM	  "/usr/bin/true"
#define DEEP	  130 /* components below the scratch directory */
#define SHOWN	  128 /* of a path */
#define MEMFD	  "/memfd:payload (deleted)"
#define CGROUP	  "rollcall-test.service"

static struct {
	char dir[64], cwd[4096];
	char cgroup_v2[128], cgroup_v1[128]; /* directories of CGROUP */
	char own_cgroup[256];		     /* name of the one this test runs in; empty: none */
	char fit[ARGS_MAX - 5];		     /* the longest argument that fits behind "true" */
	char fill[2 * ARGS_MAX];	     /* one that does not; */
	char shown[ARGS_MAX - 4];	     /* as much of it as does */
	char shell[4096], script[128], gone[128], program[128];
	char deep[1024], deep_cwd[1024], too_deep[1024], too_deep_cwd[1024];
	uint64_t program_size, caps;
} t;

/* What the event must say. What is absent is PROGRAM, or as for the test itself. */
struct want {
	const char *exe, *cwd;
	const char *cgroup; /* directory of CGROUP */
	const char *comm;   /* empty: kernels differ */
	const char *args[5];
	uint32_t uid, gid;
	bool deleted, args_truncated, path_truncated, session;
	bool own_file; /* is t.program, by another name */
};

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", t.dir, name);
	return path[i];
}

/* ---- ways to execute; each runs in a child of its own ---- */

static int go_plain(void)
{
	return chdir(t.dir) || execl("/bin/true", "an argument", "", "two words", "z", NULL);
}

static int go_script(void)
{
	return execl(at("script"), "ignored", "x", NULL);
}

static int go_no_args(void)
{
	char *none[] = {NULL};

	return execv(PROGRAM, none);
}

/* A copy of the program in a file that has no name any more. */
static int go_unnamed(int fd)
{
	char *argv[] = {(char[]){"unnamed"}, NULL}, *envp[] = {NULL};
	char buf[4096];
	int from = open(PROGRAM, O_RDONLY | O_CLOEXEC), program;
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			return 1;
	/* A file that is open for writing is busy. */
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	program = open(buf, O_RDONLY | O_CLOEXEC);
	close(fd);
	return fexecve(program, argv, envp);
}

static int go_deleted(void)
{
	int fd = open(at("gone"), O_RDWR | O_CREAT | O_CLOEXEC, 0700);

	return unlink(at("gone")) || go_unnamed(fd);
}

static int go_memfd(void)
{
	return go_unnamed(memfd_create("payload", MFD_CLOEXEC));
}

static int go_user(void)
{
	return setgid(12345) || setuid(65534) || execl(PROGRAM, "true", NULL);
}

static int go_session(void)
{
	return setsid() < 0 || execl(PROGRAM, "true", NULL);
}

static int go_cgroup(const char *cgroup)
{
	char path[160], pid[16];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	snprintf(pid, sizeof(pid), "%d", getpid());
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return write(fd, pid, strlen(pid)) < 0 || execl(PROGRAM, "true", NULL);
}

static int go_cgroup_v2(void)
{
	return go_cgroup(t.cgroup_v2);
}

static int go_cgroup_v1(void)
{
	return go_cgroup(t.cgroup_v1);
}

static int go_chroot(void)
{
	return chroot("/usr") || chdir("/lib") || execl("/bin/true", "true", NULL);
}

static int go_args_fit(void)
{
	return execl(PROGRAM, "true", t.fit, NULL);
}

static int go_args_long(void)
{
	return execl(PROGRAM, "true", t.fill, NULL);
}

static int go_down(int levels)
{
	if (chdir(t.dir) || chdir("deep"))
		return 1;
	for (int i = 0; i < levels; i++)
		if (chdir("d"))
			return 1;
	return execl("./true", "true", NULL);
}

static int go_deep(void)
{
	return go_down(100);
}

static int go_too_deep(void)
{
	return go_down(DEEP);
}

static void *thread_exec(void *arg)
{
	(void)arg;
	execl(PROGRAM, "true", "thread", NULL);
	return NULL;
}

static int go_thread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread_exec, NULL) || pthread_join(id, NULL) || 1;
}

static int go_vfork(void)
{
	int status = 1;
	pid_t pid = vfork();

	if (!pid)
		_exit(execl(PROGRAM, "true", "vfork", NULL));
	return waitpid(pid, &status, 0) != pid || status;
}

/* The first process of a pid namespace: 1 to itself, to us a child like any. */
static int go_namespace(void)
{
	int status = 1;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (!pid)
		_exit(getpid() != 1 || execl(PROGRAM, "true", "inside", NULL));
	return waitpid(pid, &status, 0) != pid || status;
}

/* clang-format off */
static const struct {
	const char *name;
	int (*go)(void);
	struct want want;
} ways[] = {
	{ "plain", go_plain,
	  { .cwd = t.dir, .args = { "an argument", "", "two words", "z" } } },
	{ "script", go_script,
	  { .exe = t.shell, .comm = "script", .args = { "/bin/sh", "-e", t.script, "x" } } },
	{ "no arguments", go_no_args,
	  { .args = { "" } } },
	{ "deleted", go_deleted,
	  { .exe = t.gone, .comm = "", .deleted = true, .args = { "unnamed" } } },
	{ "memfd", go_memfd,
	  { .exe = MEMFD, .comm = "", .deleted = true, .args = { "unnamed" } } },
	{ "another user", go_user,
	  { .uid = 65534, .gid = 12345 } },
	{ "session leader", go_session,
	  { .session = true } },
	{ "cgroup", go_cgroup_v2,
	  { .cgroup = t.cgroup_v2 } },
	{ "cgroup v1", go_cgroup_v1,
	  { .cgroup = t.cgroup_v1 } },
	{ "chroot", go_chroot,
	  { .cwd = "/usr/lib" } },
	{ "arguments that just fit", go_args_fit,
	  { .args = { "true", t.fit } } },
	{ "arguments that do not fit", go_args_long,
	  { .args = { "true", t.shown }, .args_truncated = true } },
	{ "deep", go_deep,
	  { .exe = t.deep, .cwd = t.deep_cwd, .own_file = true } },
	{ "too deep", go_too_deep,
	  { .exe = t.too_deep, .cwd = t.too_deep_cwd, .own_file = true, .path_truncated = true } },
	{ "thread", go_thread,
	  { .args = { "true", "thread" } } },
};
/* clang-format on */

/* ---- what the events must say ---- */

static void args_check(const char *name, const Rollcall__Exec *e, const Rollcall__Process *p,
		       const struct want *want)
{
	static char bytes[2 * ARGS_MAX];
	const char *const *args = want->args[0] ? want->args : (const char *const[5]){"true"};
	uint64_t len = 0, n = 0;

	for (; args[n]; n++)
		len += (uint64_t)sprintf(bytes + len, "%s", args[n]) + 1;
	len -= want->args_truncated; /* the last NUL */
	check_number(name, "length of args", e->args.len, len);
	check(name, "args", e->args.len == len && memcmp(e->args.data, bytes, len) == 0);
	check_number(name, "args_truncated", e->args_truncated, want->args_truncated);
	check_number(name, "process args_truncated", p->args_truncated,
		     want->args_truncated || len > ARGS_KEPT);
	check_number(name, "number of process args", p->n_args, n);
	for (uint64_t i = 0, room = ARGS_KEPT; i < n && i < p->n_args; i++) {
		snprintf(bytes, sizeof(bytes), "%.*s", (int)room, args[i]);
		check_string(name, "process arg", p->args[i], bytes);
		room -= strlen(bytes) + (room > strlen(bytes));
	}
}

static void task_check(const char *name, const Rollcall__Event *ev, const Rollcall__Task *born,
		       const struct want *want)
{
	const Rollcall__Task *task = ev->exec->task;
	uint64_t caps = (uint64_t)task->cap_effective_hi << 32 | task->cap_effective_lo;

	check_number(name, "tid", task->tid, task->tgid);
	check_number(name, "ppid", task->ppid, (uint64_t)getpid());
	check_number(name, "uid", task->uid, want->uid);
	check_number(name, "gid", task->gid, want->gid);
	check_number(name, "capabilities", caps, want->uid ? 0 : t.caps);
	check_number(name, "start_time", task->start_time, born->start_time);
	check(name, "time", ev->time > task->start_time);
	check_number(name, "sid", ev->exec->sid, want->session ? task->tgid : (uint32_t)getsid(0));
}

/* The inode must be what stat(2) says, unless the file is gone. */
static void inode_check(const char *name, const Rollcall__Exec *e, const struct want *want)
{
	const char *path = want->own_file ? t.program : want->exe ? want->exe : PROGRAM;
	struct stat st = {};

	check_number(name, "exe_nlink", e->exe_nlink > 0, !want->deleted);
	check(name, "size", e->exe_inode->size == t.program_size || want->exe);
	check(name, "a regular file", S_ISREG(e->exe_inode->mode));
	if (want->deleted)
		return;
	check(name, "stat", stat(path, &st) == 0);
	check_number(name, "ino", e->exe_inode->ino, st.st_ino);
	check_number(name, "dev", e->exe_inode->dev, major(st.st_dev) << 20 | minor(st.st_dev));
	check_number(name, "mode", e->exe_inode->mode, st.st_mode);
	check_number(name, "size", e->exe_inode->size, (uint64_t)st.st_size);
}

static void process_check(const char *name, const Rollcall__Exec *e, const Rollcall__Process *p,
			  const struct want *want)
{
	struct passwd *pw = getpwuid(want->uid);
	char id[64];

	snprintf(id, sizeof(id), "77777777%08x%016llx", e->task->tgid,
		 (unsigned long long)e->task->start_time);
	check_string(name, "process id", p->id, id);
	check_number(name, "process pid", p->pid, e->task->tgid);
	check_number(name, "process start", p->start_time, e->task->start_time);
	check_string(name, "process exe", p->exe, e->exe);
	check_string(name, "process cwd", p->cwd, e->cwd);
	check_string(name, "process unit", p->unit, e->cgroup);
	check_number(name, "process uid", p->uid, want->uid);
	check_string(name, "process user", p->user, pw ? pw->pw_name : "65534");
	check_number(name, "process inode", p->exe_inode, e->exe_inode->ino);
	check_number(name, "process deleted", p->exe_deleted, want->deleted);
	check_number(name, "process path_truncated", p->path_truncated, want->path_truncated);
	check_number(name, "parent", p->parent ? p->parent->pid : 0, (uint64_t)getpid());
}

static void exec_check(const char *name, pid_t pid, const struct want *want)
{
	const Rollcall__Event *ev = witness_event(KIND_EXEC, pid, 0);
	const Rollcall__Event *born = witness_event(KIND_FORK, pid, 0);
	const Rollcall__Exec *e;
	struct stat cgroup = {};

	check_number(name, "exec events", witness_count(KIND_EXEC, pid), 1);
	check_number(name, "exit events", witness_count(KIND_EXIT, pid), 1);
	check(name, "process", ev && ev->process && born);
	if (!ev || !ev->process || !born)
		return;
	e = ev->exec;
	check_string(name, "exe", e->exe, want->exe ? want->exe : PROGRAM);
	check_string(name, "cwd", e->cwd, want->cwd ? want->cwd : t.cwd);
	if (!want->comm || *want->comm)
		check_string(name, "comm", e->comm, want->comm ? want->comm : "true");
	check_string(name, "cgroup", e->cgroup, want->cgroup ? CGROUP : t.own_cgroup);
	if (want->cgroup && stat(want->cgroup, &cgroup) == 0)
		check_number(name, "cgroup_id", e->cgroup_id, cgroup.st_ino);
	check_number(name, "path_truncated", e->path_truncated, want->path_truncated);
	task_check(name, ev, born->fork->task, want);
	inode_check(name, e, want);
	args_check(name, e, ev->process, want);
	process_check(name, e, ev->process, want);
}

static void ways_check(void)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		int status = -1;
		pid_t pid = witness_run(ways[i].go, &status);

		check_number(ways[i].name, "status of the child", status, 0);
		exec_check(ways[i].name, pid, &ways[i].want);
	}
}

/* A grandchild executes: found by its parent. */
static void grandchild_check(const char *name, int (*go)(void), const char *arg)
{
	int status = -1;
	pid_t pid = witness_run(go, &status);
	const Rollcall__Event *ev = NULL;

	check_number(name, "status of the child", status, 0);
	for (pid_t other = 1; other < 1 << 22 && !ev; other++) {
		const Rollcall__Event *born = witness_event(KIND_FORK, other, 0);

		if (born && born->fork->parent_tgid == (uint32_t)pid)
			ev = witness_event(KIND_EXEC, other, 0);
	}
	check(name, "exec event", ev != NULL);
	if (!ev)
		return;
	check_number(name, "ppid", ev->exec->task->ppid, (uint64_t)pid);
	check_string(name, "exe", ev->exec->exe, PROGRAM);
	check_string(name, "last argument", ev->process->args[ev->process->n_args - 1], arg);
	check_string(name, "lineage", witness_lineage(ev->process), "true exec exec");
}

/* ---- the process that ran before ---- */

static int input[2], started[2]; /* pipes: what it reads; closed when it has executed */

static int go_seed(void)
{
	return dup2(input[0], 0) || close(input[1]) || chdir(t.dir) || setgid(12345) ||
	       setuid(65534) || execl("/bin/cat", "cat", "-u", "--", NULL);
}

static void seed_check(pid_t pid)
{
	const Rollcall__Process *p = witness_process(pid);
	struct stat st = {};

	check("seed", "process", p != NULL);
	if (!p)
		return;
	check_string("seed", "exe", p->exe, "/usr/bin/cat");
	check_string("seed", "cwd", p->cwd, t.dir);
	check_string("seed", "unit", p->unit, t.own_cgroup);
	check_number("seed", "uid", p->uid, 65534);
	check_number("seed", "number of args", p->n_args, 3);
	check_string("seed", "last argument", p->n_args == 3 ? p->args[2] : NULL, "--");
	check_number("seed", "args_truncated", p->args_truncated, false);
	check_number("seed", "inode", p->exe_inode, stat("/bin/cat", &st) ? 0 : st.st_ino);
	check_number("seed", "deleted", p->exe_deleted, false);
	check_string("seed", "lineage", witness_lineage(p), "cat exec");
}

/* ---- the stage ---- */

/* Own effective capabilities, as the children have them. */
static uint64_t caps_read(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	if (f)
		fclose(f);
	return caps;
}

/* The leaf this test is in: of cgroup v2, else of systemd's v1, else of a controller. True: v2. */
static bool own_cgroup_read(void)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512];
	int best = 0;

	while (f && fgets(line, sizeof(line), f)) {
		const char *leaf = strrchr(line, '/') + 1;
		int len = (int)strcspn(leaf, "\n"), rank = 1;

		if (strncmp(line, "0::", 3) == 0)
			rank = 3;
		else if (strstr(line, ":name=systemd:"))
			rank = 2;
		if (!len || rank <= best)
			continue;
		best = rank;
		snprintf(t.own_cgroup, sizeof(t.own_cgroup), "%.*s", len, leaf);
	}
	if (f)
		fclose(f);
	return best == 3;
}

/*
 * A unit's cgroup in v2 (alone, or beside v1); and in systemd's v1 hierarchy where there is one,
 * which says something only to whom v2 does not.
 */
static int cgroups_make(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup",
					    "/sys/fs/cgroup/systemd"};
	bool v2 = own_cgroup_read();

	for (unsigned i = 0; i < 3; i++) {
		char path[160];

		snprintf(path, sizeof(path), "%s/cgroup.procs", roots[i]);
		if (access(path, F_OK))
			continue;
		if (i < 2)
			sprintf(t.cgroup_v2, "%s/" CGROUP, roots[i]);
		if (i < 2 || !v2)
			sprintf(t.cgroup_v1, "%s/" CGROUP, roots[i]);
	}
	for (const char *const *c = (const char *[]){t.cgroup_v2, t.cgroup_v1, NULL}; *c; c++)
		if (mkdir(*c, 0755) && errno != EEXIST)
			return -errno;
	return 0;
}

static int deep_make(void)
{
	char *deep = t.deep, *too_deep = t.too_deep;

	deep += sprintf(deep, "%s/deep", t.dir);
	for (int i = 1; i <= DEEP; i++) {
		if (mkdir("d", 0700) || chdir("d"))
			return -errno;
		if (i <= 100)
			deep += sprintf(deep, "/d");
		if (i < SHOWN)
			too_deep += sprintf(too_deep, "/d");
		if ((i == 100 || i == DEEP) && link(t.program, "true"))
			return -errno;
	}
	strcpy(t.deep_cwd, t.deep);
	strcpy(deep, "/true");
	strcpy(stpcpy(t.too_deep_cwd, t.too_deep), "/d");
	strcpy(too_deep, "/true");
	return 0;
}

static int stage_make(void)
{
	char command[512];
	struct stat st;
	int r;

	strcpy(t.dir, "/tmp/exec.XXXXXX");
	if (!mkdtemp(t.dir) || !getcwd(t.cwd, sizeof(t.cwd)) || stat(PROGRAM, &st))
		return -errno;
	t.program_size = (uint64_t)st.st_size;
	t.caps = caps_read();
	memset(t.fit, 'f', sizeof(t.fit) - 1);
	memset(t.fill, 'f', sizeof(t.fill) - 1);
	memset(t.shown, 'f', sizeof(t.shown) - 1);
	strcpy(t.script, at("script"));
	strcpy(t.gone, at("gone"));
	strcpy(t.program, at("program"));
	if (!realpath("/bin/sh", t.shell))
		return -errno;
	snprintf(command, sizeof(command),
		 "chmod 755 %s && cd %s && printf '#!/bin/sh -e\nexit 0\n' >script &&"
		 " chmod +x script && cp " PROGRAM " program && mkdir deep",
		 t.dir, t.dir);
	if (system(command) || chdir(at("deep")))
		return -EIO;
	r = deep_make();
	if (r == 0)
		r = cgroups_make();
	return chdir(t.cwd) ? -errno : r;
}

static void stage_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	if (system(command))
		perror(t.dir);
	if (rmdir(t.cgroup_v2) || (strcmp(t.cgroup_v1, t.cgroup_v2) && rmdir(t.cgroup_v1)))
		perror(CGROUP);
}

int main(void)
{
	int r = stage_make();
	pid_t seed;
	char eof;

	if (r < 0 || pipe(input) || pipe2(started, O_CLOEXEC)) {
		fprintf(stderr, "exec: cannot start: %s\n", strerror(-r));
		return 1;
	}
	seed = witness_fork(go_seed);
	close(started[1]);
	check("seed", "executed", read(started[0], &eof, 1) == 0);
	if (!witness_open("exec"))
		return 1;
	seed_check(seed);
	ways_check();
	grandchild_check("vfork", go_vfork, "vfork");
	grandchild_check("pid namespace", go_namespace, "inside");
	close(input[1]);
	waitpid(seed, NULL, 0);
	stage_remove();
	return witness_close();
}
