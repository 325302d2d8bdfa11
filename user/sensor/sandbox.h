// SPDX-License-Identifier: Apache-2.0
// What each process of the sensor may still do once it has begun. The only file that knows
// libseccomp, libcap-ng and Landlock.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct sandbox_stream_opts {
	uid_t uid;
	gid_t gid;
	int spool; /* directory that may be read */
	int own;   /* directory that may be written */
	int inbox; /* directory where files may be made; -1: none */
};

/*
 * The stream process: another user, no capability, no new privileges, few system calls (no exec,
 * no fork, no bpf, no ptrace), and where the kernel has Landlock only the spool, its own
 * directory, the inbox and the system's resolver files.
 */
int sandbox_stream(const struct sandbox_stream_opts *opts);

/*
 * The probe process: keeps CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; no
 * network (no socket but unix ones), no exec, no module, mount, kexec, reboot or ptrace calls.
 */
int sandbox_sensor(void);

/*
 * CAP_SYS_ADMIN for the moment: attaching a uprobe to a database server that starts later needs
 * it (kernel commit "perf: Revert to requiring CAP_SYS_ADMIN for uprobes"). Kept out of the
 * effective set at all other times.
 */
void sandbox_admin(bool on);
