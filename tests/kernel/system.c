// links: tests/kernel/support/*.c user/sensor/{probe,probe_map,probe_pins,probe_report,probe_server,host,pins,uprobe,uprobe_ahead,discover,choice,guard,ladder,syscall,trial,kernel_types,verify,sandbox,elf,proctab,*_offsets}.c
// SPDX-License-Identifier: Apache-2.0
// Modules, kexec, sysctls, the clock, io_uring: each triggered for real as far as this kernel can
// be changed without harm (a module that does nothing, where there is one in /modules; a host name
// in a namespace; the clock set to what it is), each field checked.
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/kexec.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kernel/support/check.h"
#include "kernel/support/ends.h"
#include "kernel/support/way.h"
#include "kernel/support/witness.h"

#define MODULE ROLLCALL__EVENT__KIND_MODULE_LOAD
#define KEXEC  ROLLCALL__EVENT__KIND_KEXEC
#define SYSCTL ROLLCALL__EVENT__KIND_SYSCTL
#define CLOCK  ROLLCALL__EVENT__KIND_CLOCK_SET
#define URING  ROLLCALL__EVENT__KIND_IO_URING_SETUP
#define NSEC   1000000000ll

static char file[96]; /* a module, or something that is none */

/* What a call said goes to the parent by the exit status. */
static int answer(long ret)
{
	return ret < 0 ? errno : 0;
}

static bool last_rung(const char *event)
{
	return strstr(witness_hook(event), "sys_exit") != NULL;
}

static const Rollcall__Event *run(Rollcall__Event__KindCase kind, const char *name, int (*go)(void),
				  unsigned n, pid_t *ret_pid, int *ret_errno)
{
	const Rollcall__Event *ev;
	int status;

	*ret_pid = witness_run(go, &status);
	*ret_errno = status >> 8;
	ev = n ? witness_wait(kind, *ret_pid, n) : NULL;
	check(name, "event", !n || ev);
	check_number(name, "events", witness_count(kind, *ret_pid), n);
	return ev;
}

/* ---- modules ---- */

static int module_file(void)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), r = answer(syscall(SYS_finit_module, fd, "", 0));

	syscall(SYS_delete_module, "dummy", 0);
	return r;
}

static int module_memory(void)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), r;
	struct stat st = {};
	void *p;

	if (fstat(fd, &st))
		return 255;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	r = answer(syscall(SYS_init_module, p, st.st_size, ""));
	syscall(SYS_delete_module, "dummy", 0);
	return r;
}

/* One that came with this kernel; else this program, which is none: the attempt is refused. */
static bool module_find(void)
{
	struct utsname u;

	uname(&u);
	snprintf(file, sizeof(file), "/modules/%s.ko", u.release);
	if (access(file, R_OK) == 0)
		return true;
	snprintf(file, sizeof(file), "/proc/self/exe");
	return false;
}

static void module_check(const char *name, int (*go)(void), bool from_file)
{
	bool real = module_find(), last = last_rung("module_load");
	const Rollcall__Event *ev;
	char path[4096];
	int error;
	pid_t pid;

	if (!last && !real) {
		printf("%s: there is no module to load: not tried\n", name);
		return;
	}
	if (!realpath(file, path))
		path[0] = '\0';
	ev = run(MODULE, name, go, 1, &pid, &error);
	check(name, "loaded, or refused", real ? error == 0 : error != 0);
	ends_coverage("module_load", name, witness_hook("module_load"), ev);
	if (!ev)
		return;
	ends_check_task(name, ev->module_load->task, pid);
	check_string(name, "name", ev->module_load->name, last ? "" : "dummy");
	check_string(name, "path", ev->module_load->path, from_file ? path : "");
	check_number(name, "error", ev->module_load->error, (uint64_t)error);
}

/* ---- kexec ---- */

static int kexec_memory(void)
{
	return answer(syscall(SYS_kexec_load, 0, 0, NULL, 0)); /* forgets an image, if any */
}

static int kexec_file(void)
{
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);

	return answer(syscall(SYS_kexec_file_load, fd, -1, 0, NULL, KEXEC_FILE_NO_INITRAMFS));
}

static void kexec_check(const char *name, int (*go)(void), const char *from)
{
	bool last = last_rung("kexec");
	const Rollcall__Event *ev;
	char path[4096] = "";
	int error;
	pid_t pid;

	if (*from && !realpath(from, path))
		check(name, "path", false);
	ev = run(KEXEC, name, go, 1, &pid, &error);
	ends_coverage("kexec", name, witness_hook("kexec"), ev);
	if (!ev)
		return;
	ends_check_task(name, ev->kexec->task, pid);
	check_string(name, "path", ev->kexec->path, path);
	check_number(name, "error", ev->kexec->error, last ? (uint64_t)error : 0);
}

/* ---- sysctls ---- */

static int write_to(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value);
}

static int sysctl_plain(void)
{
	return unshare(CLONE_NEWUTS) || write_to("/proc/sys/kernel/hostname", "elsewhere\n");
}
static int sysctl_relative(void)
{
	return unshare(CLONE_NEWUTS) || chdir("/proc/sys/kernel") || write_to("hostname", "other");
}
static int sysctl_silent(void)
{
	return write_to("/proc/self/comm", "other\n") ||
	       open("/proc/sys/kernel/hostname", O_RDONLY) < 0 ||
	       !write_to("/proc/sys/kernel/version", "none");
}

static void sysctl_check(const char *name, int (*go)(void), const char *value)
{
	const Rollcall__Event *ev;
	int error;
	pid_t pid;

	ev = run(SYSCTL, name, go, *value ? 1 : 0, &pid, &error);
	check_number(name, "child", (uint64_t)error, 0);
	if (*value)
		ends_coverage("sysctl", name, witness_hook("file_write"), ev);
	if (!ev)
		return;
	ends_check_task(name, ev->sysctl->task, pid);
	check_string(name, "path", ev->sysctl->path, "/proc/sys/kernel/hostname");
	check_string(name, "value", ev->sysctl->value, value);
}

/* ---- the clock ---- */

static struct timespec when = {1700000000, 42}; /* never set: the caller may not */

static int settime_denied(void)
{
	return setuid(65534) ? 255 : answer(clock_settime(CLOCK_REALTIME, &when));
}
static int settimeofday_denied(void)
{
	struct timeval tv = {when.tv_sec, 7};

	return setuid(65534) ? 255 : answer(settimeofday(&tv, NULL));
}
static int settimeofday_now(void)
{
	struct timeval tv;

	return gettimeofday(&tv, NULL) || settimeofday(&tv, NULL);
}
static int settime_now(void)
{
	return clock_gettime(CLOCK_REALTIME, &when) || clock_settime(CLOCK_REALTIME, &when);
}
static int step_denied(void)
{
	struct timex tx = {.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {-2, 500000000}};

	return setuid(65534) ? 255 : answer(adjtimex(&tx));
}
static int clock_silent(void)
{
	struct timex tx = {.modes = 0};

	return adjtimex(&tx) < 0 || !clock_settime(CLOCK_MONOTONIC, &when);
}

static void clock_check(const char *name, int (*go)(void), const char *hook, int64_t to,
			int64_t step, int error_wanted)
{
	const Rollcall__Event *ev;
	int error;
	pid_t pid;

	ev = run(CLOCK, name, go, 1, &pid, &error);
	check_number(name, "child", (uint64_t)error, (uint64_t)error_wanted);
	ends_coverage("clock_set", name, witness_hook(hook), ev);
	if (!ev)
		return;
	check_number(name, "tgid", ev->clock_set->task->tgid, (uint64_t)pid);
	check_number(name, "uid", ev->clock_set->task->uid, error ? 65534 : getuid());
	check(name, "start time", ev->clock_set->task->start_time);
	if (to >= 0)
		check_number(name, "to", (uint64_t)ev->clock_set->to, (uint64_t)to);
	else /* about now */
		check(name, "to",
		      llabs(ev->clock_set->to - (int64_t)time(NULL) * NSEC) < 60 * NSEC);
	check_number(name, "step", (uint64_t)ev->clock_set->step, (uint64_t)step);
	check_number(name, "error", ev->clock_set->error, (uint64_t)error_wanted);
}

static void clocks_check(void)
{
	int error;
	pid_t pid;

	if (last_rung("clock_set")) {
		clock_check("clock_settime", settime_denied, "clock_set",
			    when.tv_sec * NSEC + when.tv_nsec, 0, EPERM);
		clock_check("settimeofday", settimeofday_denied, "clock_set",
			    when.tv_sec * NSEC + 7000, 0, EPERM);
	} else {
		clock_check("clock_settime", settime_now, "clock_set", -1, 0, 0);
		clock_check("settimeofday", settimeofday_now, "clock_set", -1, 0, 0);
	}
	clock_check("adjtimex, ADJ_SETOFFSET", step_denied, "clock_step", 0, -2 * NSEC + 500000000,
		    EPERM);
	run(CLOCK, "another clock, and a look", clock_silent, 0, &pid, &error);
}

/* ---- io_uring ---- */

static int uring_make(void)
{
	struct io_uring_params p = {.flags = IORING_SETUP_CLAMP};

	return answer(syscall(SYS_io_uring_setup, 5, &p));
}

static void uring_check(void)
{
	const Rollcall__Event *ev;
	int error;
	pid_t pid;

	if (!way_has_uring())
		return;
	ev = run(URING, "io_uring_setup", uring_make, 1, &pid, &error);
	check_number("io_uring_setup", "child", (uint64_t)error, 0);
	ends_coverage("io_uring_setup", "io_uring_setup", witness_hook("io_uring_setup"), ev);
	if (!ev)
		return;
	ends_check_task("io_uring_setup", ev->io_uring_setup->task, pid);
	check_number("io_uring_setup", "entries", ev->io_uring_setup->entries, 8);
	check_number("io_uring_setup", "flags", ev->io_uring_setup->flags, IORING_SETUP_CLAMP);
}

int main(void)
{
	if (!witness_open("system"))
		return 1;
	module_check("finit_module", module_file, true);
	module_check("init_module", module_memory, false);
	kexec_check("kexec_load", kexec_memory, "");
	kexec_check("kexec_file_load", kexec_file, "/bin/true");
	sysctl_check("write", sysctl_plain, "elsewhere");
	sysctl_check("write, relative", sysctl_relative, "other");
	sysctl_check("no sysctl", sysctl_silent, "");
	clocks_check();
	uring_check();
	return witness_close();
}
