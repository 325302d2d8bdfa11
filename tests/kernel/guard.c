// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Signals to, looks into the memory of, and BPF objects of what is guarded: done for real by
// another process in every way, each field checked. What guarded processes do among themselves, and
// what is done to others, must stay silent.
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define SIGNAL ROLLCALL__EVENT__KIND_SIGNAL
#define ACCESS ROLLCALL__EVENT__KIND_PROCESS_ACCESS
#define BPF    ROLLCALL__EVENT__KIND_BPF_ACCESS
#define SENSOR ROLLCALL__GUARDED__sensor
#define SERVER ROLLCALL__GUARDED__database

static pid_t target; /* waits for signals */
static char word[16] = "memory";

static int wait_forever(void)
{
	for (;;)
		pause();
	return 0;
}

static void guard(pid_t pid, uint32_t as)
{
	uint32_t tgid = (uint32_t)pid;

	check("guard", "map", witness_watch("guarded_task", &tgid, &as) == 0);
}

/* ---- signals ---- */

static int by_kill(void)
{
	return kill(target, SIGSTOP);
}
static int by_tgkill(void)
{
	return (int)syscall(SYS_tgkill, target, target, SIGCONT);
}
static int by_queue(void)
{
	return sigqueue(target, SIGTERM, (union sigval){0});
}
static int by_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	return (int)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}
static int by_i386(void)
{
	return (int)way_i386(37, (long[6]){target, SIGQUIT});
}
static int by_kill_usr1(void)
{
	return kill(target, SIGUSR1);
}
static int by_kill_0(void)
{
	return kill(target, 0);
}

static bool always(void)
{
	return true;
}

static const struct signal_test {
	const char *name;
	int (*go)(void);
	bool (*possible)(void);
	uint32_t as;
	int number, code;
	bool told;
} signals[] = {
	{"kill", by_kill, always, SENSOR, SIGSTOP, SI_USER, true},
	{"tgkill", by_tgkill, always, SENSOR, SIGCONT, SI_TKILL, true},
	{"sigqueue", by_queue, always, SENSOR, SIGTERM, SI_QUEUE, true},
	{"pidfd_send_signal", by_pidfd, always, SENSOR, SIGKILL, SI_USER, true},
	{"kill, 32-bit", by_i386, way_has_i386, SENSOR, SIGQUIT, SI_USER, true},
	{"kill, any to the sensor", by_kill_usr1, always, SENSOR, SIGUSR1, SI_USER, true},
	{"kill, to a database server", by_kill, always, SERVER, SIGSTOP, SI_USER, true},
	{"kill, a server's daily signal", by_kill_usr1, always, SERVER, 0, 0, false},
	{"kill, nobody guarded", by_kill, always, 0, 0, 0, false},
	{"kill, only asked", by_kill_0, always, SENSOR, 0, 0, false},
};

static void target_end(void)
{
	uint32_t tgid = (uint32_t)target;

	witness_unwatch("guarded_task", &tgid);
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}

static void signal_run(const struct signal_test *t)
{
	const Rollcall__Signal *s;
	const Rollcall__Event *ev;
	int status;
	pid_t pid;

	target = witness_fork(wait_forever);
	if (t->as)
		guard(target, t->as);
	pid = witness_run(t->go, &status);
	check_number(t->name, "child", (uint64_t)status, 0);
	ev = t->told ? witness_wait(SIGNAL, pid, 1) : NULL;
	s = ev ? ev->signal : NULL;
	check_number(t->name, "events", witness_count(SIGNAL, pid), t->told);
	if (t->told)
		ends_coverage("signal", t->name, witness_hook("signal"), s);
	if (s) {
		ends_check_task(t->name, s->task, pid);
		check_number(t->name, "target", s->target_tgid, (uint64_t)target);
		check_number(t->name, "guarded", s->target, t->as);
		check_number(t->name, "number", s->number, (uint64_t)t->number);
		check_number(t->name, "code", (uint64_t)(int64_t)s->code,
			     (uint64_t)(int64_t)t->code);
	}
	target_end();
}

/* ---- memory ---- */

static struct iovec here = {word, sizeof(word)};

static int by_attach(void)
{
	return (int)ptrace(PTRACE_ATTACH, target, NULL, NULL);
}
static int by_seize(void)
{
	return (int)ptrace(PTRACE_SEIZE, target, NULL, NULL);
}
static int by_readv(void)
{
	struct iovec there = here;

	return process_vm_readv(target, &here, 1, &there, 1, 0) != sizeof(word);
}
static int by_writev(void)
{
	struct iovec there = here;

	return process_vm_writev(target, &here, 1, &there, 1, 0) != sizeof(word);
}
static int by_mem(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", target);
	return open(path, O_RDONLY) < 0;
}
static int by_maps(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", target);
	return open(path, O_RDONLY) < 0;
}

static int by_attach_i386(void)
{
	return (int)way_i386(26, (long[6]){PTRACE_ATTACH, target, 0, 0});
}
static int by_getfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	return (int)syscall(SYS_pidfd_getfd, fd, 2, 0) < 0;
}

/* Of a server, by its number: a child (a backend), a thread. */
static pid_t *part;

static void *thread_wait(void *arg)
{
	*part = (pid_t)syscall(SYS_gettid);
	wait_forever();
	return arg;
}

static int with_child(void)
{
	pid_t pid = fork();

	if (pid)
		*part = pid;
	return wait_forever();
}

static int with_thread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread_wait, NULL) || wait_forever();
}

static const struct access_test {
	const char *name;
	int (*go)(void);
	uint32_t as;
	unsigned n; /* events at least: a hook may be asked twice for one call */
	int (*server)(void);
} accesses[] = {
	{"ptrace, attach", by_attach, SENSOR, 1, wait_forever},
	{"ptrace, seize", by_seize, SERVER, 1, wait_forever},
	{"ptrace, 32-bit", by_attach_i386, SENSOR, 1, wait_forever},
	{"process_vm_readv", by_readv, SERVER, 1, wait_forever},
	{"process_vm_writev", by_writev, SERVER, 1, wait_forever},
	{"/proc/PID/mem", by_mem, SERVER, 1, wait_forever},
	{"pidfd_getfd", by_getfd, SENSOR, 1, wait_forever},
	{"ptrace, a server's child", by_attach, SERVER, 1, with_child},
	{"process_vm_readv, a server's child", by_readv, SERVER, 1, with_child},
	{"/proc/PID/mem, a server's child", by_mem, SERVER, 1, with_child},
	{"ptrace, a server's thread", by_seize, SERVER, 1, with_thread},
	{"process_vm_readv, a server's thread", by_readv, SERVER, 1, with_thread},
	{"/proc/TID/mem, a server's thread", by_mem, SERVER, 1, with_thread},
	{"/proc/PID/maps", by_maps, SERVER, 0, wait_forever},
	{"nobody guarded", by_attach, 0, 0, wait_forever},
};

static void access_check(const struct access_test *t, const Rollcall__ProcessAccess *e, pid_t pid,
			 pid_t tgid)
{
	ends_check_task(t->name, e->task, pid);
	check_number(t->name, "target", e->target_tgid, (uint64_t)tgid);
	check_number(t->name, "guarded", e->target, t->as);
}

static void access_run(const struct access_test *t)
{
	const Rollcall__Event *ev;
	pid_t pid, server, tgid;
	int status;

	*part = 0;
	target = tgid = server = witness_fork(t->server);
	if (t->as)
		guard(server, t->as);
	while (t->server != wait_forever && !*(volatile pid_t *)part)
		usleep(1000);
	if (t->server != wait_forever)
		target = *part;
	if (t->server == with_child)
		tgid = *part;
	pid = witness_run(t->go, &status);
	check_number(t->name, "child", (uint64_t)status, 0);
	ev = t->n ? witness_wait(ACCESS, pid, 1) : NULL;
	check(t->name, "events", t->n ? ev != NULL : witness_count(ACCESS, pid) == 0);
	if (t->n)
		ends_coverage("process_access", t->name, witness_hook("process_access"), ev);
	if (ev)
		access_check(t, ev->process_access, pid, tgid);
	if (t->server == with_child)
		kill(target, SIGKILL);
	target = server;
	target_end();
}

/* ---- BPF objects ---- */

static uint32_t object_ids[4]; /* by what they are; 0: another's */

static int open_map(void)
{
	return bpf_map_get_fd_by_id(object_ids[1]) < 0;
}
static int open_program(void)
{
	return bpf_prog_get_fd_by_id(object_ids[2]) < 0;
}
static int open_link(void)
{
	return bpf_link_get_fd_by_id(object_ids[3]) < 0;
}

/* By a name in the BPF file system, which the sensor gave. */
static char pins[64];

static int open_pin(const char *kind)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", pins, kind);
	return bpf_obj_get(path) < 0;
}
static int open_map_pin(void)
{
	return open_pin("map");
}
static int open_program_pin(void)
{
	return open_pin("program");
}
static int open_link_pin(void)
{
	return open_pin("link");
}

/* By descriptors that it inherited; each is refused, and told. */
static int map_update(void)
{
	uint32_t key = 0;
	uint64_t value = 0;

	return bpf_map_update_elem(witness_map("syscall_shapes"), &key, &value, 0) != -EPERM;
}
static int map_delete(void)
{
	uint32_t key = 0;

	return bpf_map_delete_elem(witness_map("syscall_exits"), &key) != -EPERM;
}
static int map_delete_batch(void)
{
	uint32_t key = 0, n = 1;

	return bpf_map_delete_batch(witness_map("syscall_exits"), &key, &n, NULL) == 0;
}
static int map_pin(void)
{
	return bpf_obj_pin(witness_map("syscall_exits"), "/tmp/no such directory/pin") != -ENOENT;
}
static int link_detach(void)
{
	int fd = bpf_link_get_fd_by_id(object_ids[3]);

	return fd < 0 || bpf_link_detach(fd) != -EOPNOTSUPP;
}
static int map_lookup(void)
{
	struct {
		uint32_t object, id;
	} key;

	return witness_next("guarded_object", NULL, &key) != 0;
}
static int make_map(void)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 4, 1, NULL);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return 1;
	return bpf_map_get_fd_by_id(info.id) < 0 ||
	       bpf_map_update_elem(fd, &(uint32_t){0}, &(uint32_t){1}, 0) != 0;
}

static const struct object_test {
	const char *name;
	int (*go)(void);
	Rollcall__BpfObject object;
	const char *map; /* whose id it is; NULL: as found */
	uint32_t command, error;
	unsigned before; /* events of what had to be done first */
} objects[] = {
	{"map by id", open_map, ROLLCALL__BPF_OBJECT__map, NULL, BPF_MAP_GET_FD_BY_ID, 0, 0},
	{"program by id", open_program, ROLLCALL__BPF_OBJECT__program, NULL, BPF_PROG_GET_FD_BY_ID,
	 0, 0},
	{"link by id", open_link, ROLLCALL__BPF_OBJECT__link, NULL, BPF_LINK_GET_FD_BY_ID, 0, 0},
	{"map by name", open_map_pin, ROLLCALL__BPF_OBJECT__map, NULL, BPF_OBJ_GET, 0, 0},
	{"program by name", open_program_pin, ROLLCALL__BPF_OBJECT__program, NULL, BPF_OBJ_GET, 0,
	 0},
	{"link by name", open_link_pin, ROLLCALL__BPF_OBJECT__link, NULL, BPF_OBJ_GET, 0, 0},
	{"map, update", map_update, ROLLCALL__BPF_OBJECT__map, "syscall_shapes",
	 BPF_MAP_UPDATE_ELEM, EPERM, 0},
	{"map, delete", map_delete, ROLLCALL__BPF_OBJECT__map, "syscall_exits", BPF_MAP_DELETE_ELEM,
	 EPERM, 0},
	{"map, delete by batch", map_delete_batch, ROLLCALL__BPF_OBJECT__map, "syscall_exits",
	 BPF_MAP_DELETE_BATCH, EPERM, 0},
	{"map, pin", map_pin, ROLLCALL__BPF_OBJECT__map, "syscall_exits", BPF_OBJ_PIN, ENOENT, 0},
	{"link, detach", link_detach, ROLLCALL__BPF_OBJECT__link, NULL, BPF_LINK_DETACH, EOPNOTSUPP,
	 1},
	{"map, read", map_lookup, 0, NULL, 0, 0, 0},
	{"a map of its own", make_map, 0, NULL, 0, 0, 0},
};

static uint32_t object_id(const struct object_test *t)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	if (!t->map)
		return object_ids[t->object];
	check(t->name, "info", !bpf_obj_get_info_by_fd(witness_map(t->map), &info, &size));
	return info.id;
}

/* Any one of each kind: the first that the sensor has. */
static void objects_find(void)
{
	struct {
		uint32_t object, id;
	} key, next;
	void *at = NULL;

	while (witness_next("guarded_object", at, &next) == 0) {
		if (next.object < 4)
			object_ids[next.object] = next.id;
		key = next;
		at = &key;
	}
	check("objects", "a map, a program, a link",
	      object_ids[1] && object_ids[2] && object_ids[3]);
}

static void pin(const char *kind, int fd)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", pins, kind);
	check_number("pin", kind, (uint64_t)bpf_obj_pin(fd, path), 0);
	close(fd);
}

static void objects_pin(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) == 0 && fs.f_type != BPF_FS_MAGIC)
		mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700");
	snprintf(pins, sizeof(pins), "/sys/fs/bpf/guard-%d", (int)getpid());
	check_number("pin", "directory", (uint64_t)mkdir(pins, 0700), 0);
	pin("map", bpf_map_get_fd_by_id(object_ids[1]));
	pin("program", bpf_prog_get_fd_by_id(object_ids[2]));
	pin("link", bpf_link_get_fd_by_id(object_ids[3]));
}

static void objects_unpin(void)
{
	static const char *const kinds[] = {"map", "program", "link"};
	char path[96];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", pins, kinds[i]);
		unlink(path);
	}
	check_number("pin", "directory is removed", (uint64_t)rmdir(pins), 0);
}

static void object_run(const struct object_test *t)
{
	bool behind = strstr(witness_hook("bpf_access"), "sys_exit") != NULL;
	unsigned n = t->object ? t->before + 1 : 0;
	const Rollcall__Event *ev;
	int status;
	pid_t pid = witness_run(t->go, &status);

	check_number(t->name, "child", (uint64_t)status, 0);
	ev = n ? witness_wait(BPF, pid, n) : NULL;
	check_number(t->name, "events", witness_count(BPF, pid), n);
	if (t->object)
		ends_coverage("bpf_access", t->name, witness_hook("bpf_access"), ev);
	if (!ev)
		return;
	ends_check_task(t->name, ev->bpf_access->task, pid);
	check_number(t->name, "command", ev->bpf_access->command, t->command);
	check_number(t->name, "object", ev->bpf_access->object, t->object);
	check_number(t->name, "id", ev->bpf_access->object_id, object_id(t));
	check_number(t->name, "error", ev->bpf_access->error, behind ? t->error : 0);
}

/* The sensor's own look is no foreign one; nor is a guarded process's signal to itself. */
static void own_check(void)
{
	const Rollcall__Event *ev;

	guard(getpid(), SENSOR);
	witness_reset();
	check("own", "opens a map", !open_map());
	check("own", "signal", kill(getpid(), 0) == 0 && raise(SIGCHLD) == 0);
	witness_settle();
	ev = witness_any(BPF);
	check("own", "silent", !ev || ev->bpf_access->task->tgid != (uint32_t)getpid());
	check_number("own", "signals", witness_count(SIGNAL, getpid()), 0);
}

int main(void)
{
	part = mmap(NULL, sizeof(*part), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (part == MAP_FAILED || !witness_open("guard"))
		return 1;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (signals[i].possible())
			signal_run(&signals[i]);
	for (size_t i = 0; i < sizeof(accesses) / sizeof(*accesses); i++)
		if (accesses[i].go != by_attach_i386 || way_has_i386())
			access_run(&accesses[i]);
	objects_find();
	objects_pin();
	for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++)
		object_run(&objects[i]);
	objects_unpin();
	own_check();
	return witness_close();
}
