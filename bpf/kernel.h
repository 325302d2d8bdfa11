/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel fields that Rollcall reads: nothing else. Offsets are relocated at load time from
 * the running kernel's BTF (CO-RE), so a struct lists only the members that are used. This is
 * the reviewable list of our dependencies on the kernel.
 */
#pragma once

#include <stdbool.h>

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The helpers that read kernel memory want it; every family has it from here. */
static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual BSD/GPL";

#define AF_UNIX	 1
#define AF_INET	 2
#define AF_INET6 10

#define PROC_SUPER_MAGIC 0x9fa0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

/* Two u32 before 6.3, one u64 since: read as eight bytes. */
typedef struct {
	__u64 val;
} kernel_cap_t;

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct user_namespace {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct time_namespace {
	struct ns_common ns;
};

/* Pointers are NULL, or fields not there, for kinds that the kernel was built without. */
struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct time_namespace *time_ns;
	struct time_namespace *time_ns_for_children;
	struct cgroup_namespace *cgroup_ns;
};

struct group_info {
	int ngroups;
	kgid_t gid[0];
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
	unsigned int securebits;
	kernel_cap_t cap_inheritable;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
	kernel_cap_t cap_bset;
	kernel_cap_t cap_ambient;
	struct user_namespace *user_ns;
	struct group_info *group_info;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4]; /* by PIDTYPE_* */
	struct upid numbers[1];
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	__u16 i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	__u32 i_rdev;
	__u32 i_generation;
	long long i_size;
	void *i_private;
	long long i_mtime_sec; /* these since 6.11 */
	long long i_ctime_sec;
	__u32 i_mtime_nsec;
	__u32 i_ctime_nsec;
};

struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};

struct inode___6_6 {
	struct timespec64 i_mtime;
	struct timespec64 __i_ctime;
};

struct inode___6_1 {
	struct timespec64 i_mtime;
	struct timespec64 i_ctime;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
	unsigned int f_flags;
	unsigned int f_mode;
};

/* References to an open file: counted from 1 before 6.13, from 0 since. */
struct file___count {
	struct {
		long counter;
	} f_count;
};

struct file___ref {
	struct {
		struct {
			long counter;
		} refcnt;
	} f_ref;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long start_code;
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long env_start;
	unsigned long env_end;
};

struct kernfs_node {
	const char *name;
	__u64 id;
};

struct list_head {
	struct list_head *next;
};

struct cgroup_root {
	char name[64]; /* of a v1 hierarchy that has one: "systemd" */
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

/* A task's place in one hierarchy. */
struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct list_head cgrp_link;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* cgroup v2 */
	struct list_head cgrp_links;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads not yet in do_exit() */
	unsigned int flags;
	int group_exit_code;
	struct pid *pids[4]; /* PIDTYPE_PID, TGID, PGID, SID */
};

struct task_struct {
	__u64 start_boottime;
	struct mm_struct *mm;
	int pid;
	int tgid;
	unsigned int flags;
	unsigned long atomic_flags;
	int exit_code;
	char comm[16];
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct cred *cred;	/* in use; differs while a service overrides it */
	struct cred *real_cred; /* the task's own */
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct hlist_node pid_links[4]; /* by PIDTYPE_* */
};

/* x86 only: 32-bit system calls have TS_COMPAT set here. */
struct thread_info___x86 {
	__u32 status;
};

struct task_struct___x86 {
	struct thread_info___x86 thread_info;
};

struct linux_binprm {
	unsigned int secureexec : 1;
	const char *filename;
	const char *interp;
};

struct in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	__u16 skc_family;
	unsigned char skc_state;
	unsigned long skc_flags;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

typedef enum { SS_UNCONNECTED = 1 /* while connect(2) has not sent, too */ } socket_state;

struct socket {
	socket_state state;
	struct file *file; /* NULL: the kernel's own */
	struct sock *sk;
};

typedef struct {
	int owned; /* by a process, in a system call */
} socket_lock_t;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket *sk_socket;
	int sk_err;
	__u16 sk_protocol;
	__u16 sk_type;
	__u32 sk_max_ack_backlog;
	struct pid *sk_peer_pid;
	struct cred *sk_peer_cred;
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_sock {
	__u64 bytes_acked;
	__u64 bytes_received;
	__u32 snd_una;
	__u32 write_seq;
};

struct sockaddr_un {
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[];
};

struct unix_sock {
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

struct sk_buff {
	struct sock *sk;
	unsigned int len;
	unsigned int data_len; /* of it, what is in pages */
	__be16 protocol;
	__u16 network_header;
	unsigned char *head;
	unsigned char *data;
};

struct kernel_siginfo {
	int si_code;
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct module {
	char name[56];
	unsigned long taints;
};

/* A request of io_uring begins with what its operation needs. */
struct io_cqe {
	int res;
};

struct io_kiocb {
	__u8 opcode;
	struct io_cqe cqe;
};

struct open_how {
	__u64 flags;
};

struct io_open {
	struct open_how how;
};

struct io_close {
	int fd;
};

struct bpf_map {
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	__u32 id;
};

struct __kernel_timex {
	unsigned int modes;
	struct {
		long long tv_sec;
		long long tv_usec;
	} time;
};

enum kernel_load_data_id { LOADING_KEXEC_IMAGE = 3 };
enum kernel_read_file_id { READING_KEXEC_IMAGE = 3 };

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop
