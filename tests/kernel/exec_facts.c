// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// What an Exec event tells beside the program: script and interpreter, environment of interest,
// the file's age and names, who gains privileges, which thread called, in which namespaces.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/execute.h"
#include "kernel/support/witness.h"

#define KIND_EXEC ROLLCALL__EVENT__KIND_EXEC
#define KIND_CRED ROLLCALL__EVENT__KIND_CRED_CHANGE
#define PROGRAM	  "/usr/bin/true"
#define LONG	  5000 /* bytes of a variable that is read in two steps */
#define MANY	  3000 /* variables; more than are looked at */
#define SECOND	  1000000000ull
#define CAP_CHOWN 0x1

static char dir[64], shell[4096];

/* Told by children. */
static struct shared {
	pid_t thread;
	char ns[10][64];
} * shared;

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

/* ---- scripts ---- */

static int script_absolute(void)
{
	return execl(at("script"), "x", NULL);
}

static int script_relative(void)
{
	return chdir(dir) || execl("./script", "x", NULL);
}

static int script_from_root(void)
{
	return chdir("/") || execl(at("script") + 1, "x", NULL);
}

static int script_link(void)
{
	return execl(at("link"), "x", NULL);
}

static int script_nested(void)
{
	return execl(at("nested"), "x", NULL);
}

static int script_fexecve(void)
{
	char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL};

	return fexecve(open(at("link"), O_RDONLY), argv, envp);
}

static int script_execveat(void)
{
	char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL};

	return (int)syscall(SYS_execveat, open(dir, O_PATH), "script", argv, envp, 0);
}

static int script_memfd(void)
{
	static const char text[] = "#!/bin/sh -e\nexit 0\n";
	char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL};
	int fd = memfd_create("hidden", 0);

	return write(fd, text, sizeof(text) - 1) < 0 || fexecve(fd, argv, envp);
}

static int no_script(void)
{
	return execl(PROGRAM, "x", NULL);
}

static const struct {
	const char *name;
	int (*go)(void);
	const char *script; /* in the scratch directory, or absolute */
	const char *interpreter;
} scripts[] = {
	{"script by absolute path", script_absolute, "script", "/bin/sh"},
	{"script by relative path", script_relative, "./script", "/bin/sh"},
	{"script relative to /", script_from_root, "script", "/bin/sh"},
	{"script through a symlink", script_link, "link", "/bin/sh"},
	{"script run by a script", script_nested, "nested", "/bin/sh"},
	{"script by fexecve", script_fexecve, "script", "/bin/sh"},
	{"script by execveat", script_execveat, "script", "/bin/sh"},
	{"script in a memfd", script_memfd, "/memfd:hidden (deleted)", "/bin/sh"},
	{"no script", no_script, "", ""},
};

static void scripts_check(void)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		const char *name = scripts[i].name, *want = scripts[i].script;
		const Rollcall__Exec *e = execute_run(name, scripts[i].go);

		if (!e)
			continue;
		check_string(name, "script", e->script, *want && *want != '/' ? at(want) : want);
		check_string(name, "interpreter", e->interpreter, scripts[i].interpreter);
		check_string(name, "exe", e->exe, *want ? shell : PROGRAM);
		check_number(name, "path_truncated", e->path_truncated, false);
	}
}

/* ---- the environment ---- */

static char long_path[400], long_cut[256], tricky[LONG];
static char *many[MANY + 1];

static char *env_mixed[] = {(char *)"SECRET=1",
			    (char *)"LD_PRELOAD=/tmp/x.so",
			    (char *)"ALD_PRELOAD=no",
			    (char *)"LD",
			    (char *)"",
			    (char *)"PATH=/tmp:/bin",
			    (char *)"PATHS=no",
			    (char *)"HISTFILE=/dev/null",
			    (char *)"LD_AUDIT=a",
			    (char *)"LD_LIBRARY_PATH=",
			    (char *)"_JAVA_OPTIONS=-agentpath:x",
			    NULL};
static char *env_none[] = {NULL};
static char *env_long[] = {long_path, (char *)"ENV=/x", NULL};
static char *env_tricky[] = {tricky, (char *)"PATH=/bin", NULL};

static const struct {
	const char *name;
	char **env;
	const char *want[8];
	bool truncated;
} envs[] = {
	{"environment, mixed",
	 env_mixed,
	 {"LD_PRELOAD=/tmp/x.so", "PATH=/tmp:/bin", "HISTFILE=/dev/null", "LD_AUDIT=a",
	  "LD_LIBRARY_PATH=", "_JAVA_OPTIONS=-agentpath:x"},
	 false},
	{"environment, empty", env_none, {NULL}, false},
	{"environment, a long value", env_long, {long_cut, "ENV=/x"}, true},
	{"environment, a name inside a value", env_tricky, {"PATH=/bin"}, false},
	{"environment, too many variables", many, {NULL}, true},
};
static char **env_now;

static int go_env(void)
{
	char *argv[] = {(char[]){"true"}, NULL};

	close(2); /* or the loader says what it thinks of LD_PRELOAD */
	return execve(PROGRAM, argv, env_now);
}

static void envs_make(void)
{
	memset(long_path, 'p', sizeof(long_path) - 1);
	memcpy(long_path, "PATH=", 5);
	memcpy(long_cut, long_path, sizeof(long_cut) - 1);
	/* The second piece of it begins with what looks like a variable. */
	memset(tricky, 't', sizeof(tricky) - 1);
	memcpy(tricky + 4095, "LD_PRELOAD=no", 13);
	for (int i = 0; i < MANY; i++)
		many[i] = (char *)"A=1";
	many[MANY - 1] = (char *)"LD_PRELOAD=behind";
}

static void envs_check(void)
{
	for (size_t i = 0; i < sizeof(envs) / sizeof(*envs); i++) {
		const char *name = envs[i].name;
		const Rollcall__Exec *e;
		char bytes[4096];
		size_t len = 0;

		env_now = envs[i].env;
		e = execute_run(name, go_env);
		for (const char *const *v = envs[i].want; *v; v++)
			len += (size_t)sprintf(bytes + len, "%s", *v) + 1;
		check_number(name, "length", e ? e->env.len : ~0u, len);
		check(name, "env", e && e->env.len == len && !memcmp(e->env.data, bytes, len));
		check_number(name, "env_truncated", e ? e->env_truncated : 9, envs[i].truncated);
	}
}

/* ---- the file ---- */

static int go_file(void)
{
	return execl(at("program"), "true", NULL);
}

/* One of its two names is gone when it executes. */
static int go_unlinked(void)
{
	char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL};
	int fd = open(at("second"), O_RDONLY | O_CLOEXEC);

	return unlink(at("second")) || fexecve(fd, argv, envp);
}

static int go_memfd(void)
{
	char *argv[] = {(char[]){"x"}, NULL}, *envp[] = {NULL}, buf[4096];
	int from = open(PROGRAM, O_RDONLY | O_CLOEXEC), to = memfd_create("m", MFD_CLOEXEC);
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			return 1;
	return fexecve(to, argv, envp);
}

/* A file of that name is none. */
static int go_like_memfd(void)
{
	return execl(at("memfd:x"), "true", NULL);
}

static void file_check(void)
{
	const Rollcall__Exec *e = execute_run("file with one name", go_file);
	struct stat st = {};

	check("file", "stat", stat(at("program"), &st) == 0);
	if (e) {
		check_number("file", "ctime", e->exe_ctime,
			     (uint64_t)st.st_ctim.tv_sec * SECOND + (uint64_t)st.st_ctim.tv_nsec);
		check("file", "flags", !e->exe_memfd && !e->exe_unlinked && e->exe_nlink == 1);
	}
	check("unlinked", "link", link(at("program"), at("second")) == 0);
	e = execute_run("file with its name removed", go_unlinked);
	if (e) {
		check("unlinked", "flags", !e->exe_memfd && e->exe_unlinked);
		check_number("unlinked", "nlink", e->exe_nlink, 1);
	}
	e = execute_run("memfd", go_memfd);
	check("memfd", "flags", e && e->exe_memfd && e->exe_unlinked && !e->exe_nlink);
	check("like a memfd", "rename", rename(at("program"), at("memfd:x")) == 0);
	e = execute_run("file named as a memfd", go_like_memfd);
	check("like a memfd", "flags", e && !e->exe_memfd && !e->exe_unlinked);
	check("like a memfd", "rename", rename(at("memfd:x"), at("program")) == 0);
}

/* ---- who ---- */

static int go_setuid(void)
{
	return setgid(12345) || setuid(65534) || execl(at("setuid"), "x", NULL);
}

static int go_capable(void)
{
	return setgid(12345) || setuid(65534) || execl(at("capable"), "x", NULL);
}

static void privileges_check(void)
{
	const Rollcall__Exec *e = execute_run("setuid file", go_setuid);
	const Rollcall__Event *ev;
	struct statvfs fs = {};

	check("setuid", "the scratch directory honours it",
	      statvfs(dir, &fs) == 0 && !(fs.f_flag & ST_NOSUID));
	if (!e)
		return;
	check_number("setuid", "secure", e->secure, true);
	check_number("setuid", "uid", e->cred->uid, 65534);
	check_number("setuid", "euid", e->cred->euid, 0);
	check_number("setuid", "suid", e->cred->suid, 0);
	check_number("setuid", "egid", e->cred->egid, 12345);
	/* setgid, setuid, exec. */
	ev = witness_event(KIND_CRED, (pid_t)e->task->tgid, 2);
	check("setuid", "cred_change",
	      ev && ev->cred_change->before->euid == 65534 && ev->cred_change->after->euid == 0);
	check_number("setuid", "call", ev ? ev->cred_change->call : 0, SYS_execve);
	check_number("setuid", "cred_change events", witness_count(KIND_CRED, (pid_t)e->task->tgid),
		     3);
	e = execute_run("file with capabilities", go_capable);
	if (!e)
		return;
	check_number("capable", "secure", e->secure, true);
	check_number("capable", "euid", e->cred->euid, 65534);
	check_number("capable", "effective", e->cred->cap_effective, CAP_CHOWN);
	check_number("capable", "permitted", e->cred->cap_permitted, CAP_CHOWN);
	e = execute_run("root, plain file", go_file);
	check_number("plain", "secure", e ? e->secure : 9, false);
	check_number("plain", "cred_change events",
		     e ? witness_count(KIND_CRED, (pid_t)e->task->tgid) : 9, 0);
}

/* ---- which thread, which namespaces ---- */

static const char *const ns_names[] = {"mnt",
				       "pid",
				       "net",
				       "user",
				       "uts",
				       "ipc",
				       "cgroup",
				       "time",
				       "pid_for_children",
				       "time_for_children"};

static int go_tell(void)
{
	char path[64];

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", ns_names[i]);
		memset(shared->ns[i], 0, sizeof(shared->ns[i]));
		if (readlink(path, shared->ns[i], sizeof(shared->ns[i]) - 1) < 0 && errno != ENOENT)
			return 1;
	}
	return execl(PROGRAM, "true", NULL);
}

static int go_tell_apart(void)
{
	return syscall(SYS_unshare, 0x0c020000) /* mnt, uts, ipc */ || go_tell();
}

static void namespaces_check(const char *name, int (*go)(void))
{
	const Rollcall__Exec *e = execute_run(name, go);
	const Rollcall__Namespaces *n = e ? e->namespaces : NULL;
	uint32_t got[10];

	check(name, "namespaces", n != NULL);
	if (!n)
		return;
	memcpy(got,
	       (uint32_t[]){n->mnt, n->pid, n->net, n->user, n->uts, n->ipc, n->cgroup, n->time,
			    n->pid_for_children, n->time_for_children},
	       sizeof(got));
	for (int i = 0; i < 10; i++) {
		const char *open_bracket = strchr(shared->ns[i], '[');

		check_number(name, ns_names[i], got[i],
			     open_bracket ? strtoul(open_bracket + 1, NULL, 10) : 0);
	}
}

static void *thread_exec(void *arg)
{
	shared->thread = (pid_t)syscall(SYS_gettid);
	execl(PROGRAM, "true", NULL);
	return arg;
}

static int go_thread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread_exec, NULL) || pthread_join(id, NULL) || 1;
}

static void thread_check(void)
{
	const Rollcall__Exec *e = execute_run("exec in a thread", go_thread);

	check_number("thread", "caller", e ? e->caller : 0, (uint64_t)shared->thread);
	check("thread", "tid", e && e->task->tid == e->task->tgid && e->caller != e->task->tid);
	e = execute_run("exec in the first thread", no_script);
	check("first thread", "caller", e && e->caller == e->task->tgid);
}

/* ---- the stage ---- */

static int stage_make(void)
{
	/* A file's capabilities, version 2: permitted CAP_CHOWN, and effective from the start. */
	static const uint32_t caps[] = {0x02000001, CAP_CHOWN, 0, 0, 0};
	char command[1024];

	strcpy(dir, "/tmp/facts.XXXXXX");
	if (!mkdtemp(dir) || !realpath("/bin/sh", shell))
		return -errno;
	snprintf(command, sizeof(command),
		 "cd %s && chmod 755 . && printf '#!/bin/sh -e\nexit 0\n' >script &&"
		 " printf '#!%s/script\n' >nested && chmod +x script nested && ln -s script link &&"
		 " for f in program setuid capable; do cp " PROGRAM
		 " $f; done && chmod 4755 setuid",
		 dir, dir);
	if (system(command) ||
	    setxattr(at("capable"), "security.capability", caps, sizeof(caps), 0))
		return -EIO;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	envs_make();
	return shared == MAP_FAILED ? -errno : 0;
}

int main(void)
{
	char command[128];
	int r = stage_make();

	if (r < 0 || !witness_open("exec_facts")) {
		fprintf(stderr, "exec_facts: cannot start: %s\n", strerror(-r));
		return 1;
	}
	scripts_check();
	envs_check();
	file_check();
	privileges_check();
	namespaces_check("namespaces", go_tell);
	namespaces_check("namespaces of its own", go_tell_apart);
	thread_check();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command))
		perror(dir);
	return witness_close();
}
