// SPDX-License-Identifier: Apache-2.0
// Giving up privileges: capabilities, user, system calls, files.
#include "sensor/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clean.h"

/* ---- system calls ---- */

static void filter_release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* What a single-threaded program needs that reads files and talks over TLS and to a resolver. */
static const char *const stream_calls[] = {
	"read",
	"write",
	"pread64",
	"pwrite64",
	"readv",
	"writev",
	"close",
	"openat",
	"lseek",
	"fstat",
	"newfstatat",
	"statx",
	"stat",
	"lstat",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"getdents64",
	"renameat",
	"renameat2",
	"unlinkat",
	"ftruncate",
	"fsync",
	"fdatasync",
	"fcntl",
	"ioctl",
	"mmap",
	"munmap",
	"mprotect",
	"mremap",
	"brk",
	"madvise",
	"inotify_add_watch",
	"inotify_rm_watch",
	"epoll_wait",
	"epoll_pwait",
	"epoll_ctl",
	"epoll_create1",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"socket",
	"socketpair",
	"connect",
	"bind",
	"getsockopt",
	"setsockopt",
	"getsockname",
	"getpeername",
	"sendto",
	"recvfrom",
	"sendmsg",
	"sendmmsg",
	"recvmsg",
	"recvmmsg",
	"shutdown",
	"pipe2",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"futex",
	"getrandom",
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"getpid",
	"gettid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"uname",
	"sysinfo",
	"prlimit64",
	"getrlimit",
	"restart_syscall",
	"sched_yield",
	"rseq",
	"membarrier",
	"set_robust_list",
	"tgkill",
	"exit",
	"exit_group",
};

/* Calls that an observer never makes, and that an attacker inside it would want. */
static const char *const sensor_denied[] = {
	"execve",	  "execveat",
	"ptrace",	  "process_vm_writev",
	"kexec_load",	  "kexec_file_load",
	"init_module",	  "finit_module",
	"delete_module",  "mount",
	"umount2",	  "move_mount",
	"open_tree",	  "fsopen",
	"pivot_root",	  "chroot",
	"setns",	  "unshare",
	"reboot",	  "swapon",
	"swapoff",	  "settimeofday",
	"clock_settime",  "adjtimex",
	"add_key",	  "keyctl",
	"request_key",	  "userfaultfd",
	"io_uring_setup", "acct",
	"quotactl",
};

static int filter_add(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);
		int r = call == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, action, call, 0);

		/* A call that this architecture lacks needs no rule. */
		if (r < 0 && r != -EDOM)
			return r;
	}
	return 0;
}

static int calls_stream(void)
{
	_cleanup_(filter_release) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? filter_add(ctx, SCMP_ACT_ALLOW, stream_calls,
				 sizeof(stream_calls) / sizeof(*stream_calls))
		    : -ENOMEM;

	return r < 0 ? r : seccomp_load(ctx);
}

static int calls_sensor(void)
{
	_cleanup_(filter_release) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? filter_add(ctx, SCMP_ACT_ERRNO(EPERM), sensor_denied,
				 sizeof(sensor_denied) / sizeof(*sensor_denied))
		    : -ENOMEM;

	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1,
				     SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	return r < 0 ? r : seccomp_load(ctx);
}

/* ---- files (Landlock has no library wrapper) ---- */

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |                             \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define FS_ALL                                                                                     \
	(FS_READ | FS_WRITE | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR |         \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                             \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

static void files_allow(int rules, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr attr = {.allowed_access = access, .parent_fd = fd};

	syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

static int files_stream(const struct sandbox_stream_opts *opts)
{
	/* The resolver's configuration and its plug-ins. */
	static const char *const system[] = {"/etc", "/usr", "/lib", "/lib64",
					     "/run/systemd/resolve"};
	struct landlock_ruleset_attr attr = {.handled_access_fs = FS_ALL};
	_cleanup_(closep) int rules =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	for (size_t i = 0; i < sizeof(system) / sizeof(*system); i++) {
		_cleanup_(closep) int fd = open(system[i], O_PATH | O_CLOEXEC);

		if (fd >= 0)
			files_allow(rules, fd, FS_READ);
	}
	files_allow(rules, opts->spool, FS_READ);
	files_allow(rules, opts->own, FS_READ | FS_WRITE);
	if (opts->inbox >= 0)
		files_allow(rules, opts->inbox, FS_WRITE);
	return syscall(SYS_landlock_restrict_self, rules, 0) < 0 ? -errno : 0;
}

/* ---- the two processes ---- */

/* The kernel forgets the parent-death signal when the user changes. */
static int parent_watch(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ESRCH;
}

int sandbox_stream(const struct sandbox_stream_opts *opts)
{
	pid_t parent = getppid();
	int r;

	capng_clear(CAPNG_SELECT_ALL);
	if (setgroups(0, NULL) < 0 || setresgid(opts->gid, opts->gid, opts->gid) < 0)
		return -errno;
	/* The bounding set first: it needs CAP_SETPCAP, which leaves with the user id. */
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	if (setresuid(opts->uid, opts->uid, opts->uid) < 0)
		return -errno;
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	r = parent_watch(parent);
	if (r < 0)
		return r;
	r = files_stream(opts);
	return r < 0 ? r : calls_stream();
}

int sandbox_sensor(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, CAP_BPF,
		      CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, -1);
	capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_SYS_ADMIN);
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return calls_sensor();
}

void sandbox_admin(bool on)
{
	/* Fails where it is not permitted: the attachment then says so. */
	if (capng_get_caps_process() == 0) {
		capng_update(on ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
		capng_apply(CAPNG_SELECT_CAPS);
	}
}
