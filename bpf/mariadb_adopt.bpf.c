// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MariaDB's sessions that were opened before the sensor, from the server's own list: whose they
 * are is not on the wire any more. Run once, when the taps are in place: read from another
 * process's memory, which costs the server nothing. The list changes while it is read; what is
 * taken for a THD has to say so itself.
 */
#include "mariadb.h"

#define ADOPT_MAX    16384 /* as my_sessions holds */
#define ILINK_NEXT   16	   /* of a list's link: a virtual destructor, prev, next (sql/sql_list.h) */
#define LIST_LAST    8	   /* of base_ilist: first, then the link that ends it */
#define NET_COMPRESS 0x84  /* of struct st_net, part of the plugin interface (mysql_com.h) */
#define NET_THD	     0x88
#define ADOPT_STRING 64

struct my_adoption {
	struct task_struct *task;
	struct db_binary *binary;
	struct db_scratch *scratch;
	__u64 at, last;
};

static __always_inline __u64 adopt_read(struct my_adoption *a, __u64 from)
{
	__u64 value = 0;

	bpf_copy_from_user_task(&value, sizeof(value), (void *)from, a->task, 0);
	return value;
}

/* Text that the server keeps at *ptr, of at most 63 bytes: its length. */
static __always_inline __u32 adopt_string(struct my_adoption *a, __u8 *dst, __u64 at)
{
	__u64 text = adopt_read(a, at);
	__u32 n;

	if (!text || bpf_copy_from_user_task(dst, ADOPT_STRING, (void *)text, a->task, 0))
		return 0;
	for (n = 0; n < ADOPT_STRING - 1; n++)
		if (!dst[n])
			break;
	return n;
}

static __always_inline void adopt_introduce(struct my_adoption *a, __u64 thd, struct sock *sk,
					    __u64 conn)
{
	struct rec_db_conn *c = (void *)a->scratch->record;
	__u32 size = sizeof(*c), n;
	__u64 ctx = adopt_read(a, thd + a->binary->thd_security_ctx);

	__builtin_memset(c, 0, sizeof(*c));
	task_fill(&c->task, a->task);
	c->conn = conn;
	c->system = System_mariadb;
	c->adopted = 1;
	sock_fill(&c->socket, sk);
	db_slice(&c->startup, size, 0, 0);
	n = adopt_string(a, a->scratch->record + size, ctx + a->binary->security_ctx_user);
	db_slice(&c->user, size, n, n);
	n = adopt_string(a, a->scratch->record + size + ADOPT_STRING, thd + a->binary->thd_db);
	db_slice(&c->database, size + ADOPT_STRING, n, n);
	db_slice(&c->title, size, 0, 0);
	emit(LANE_CRIT, c, size + 2 * ADOPT_STRING, KIND_db_conn, false);
}

static __always_inline struct sock *adopt_socket(struct my_adoption *a, __u64 thd)
{
	__u64 vio = adopt_read(a, thd + a->binary->thd_vio);
	struct file *file;
	int fd = -1;

	if (!vio || bpf_copy_from_user_task(&fd, sizeof(fd), (void *)vio, a->task, 0))
		return NULL;
	file = task_file(a->task, fd);
	return file ? sock_of_file(file) : NULL;
}

/* Where the session is in its command is not known: what it answers counts in bytes. */
static __always_inline void adopt_thd(struct my_adoption *a, __u64 thd)
{
	struct sock *sk = adopt_socket(a, thd);
	struct my_key key = {(__u64)sk, PLAIN_READ(a->task, tgid)};
	struct my_session fresh = {};

	if (!sk)
		return;
	fresh.conn = bpf_ktime_get_boot_ns();
	fresh.adopted = 1;
	fresh.phase = MY_LOST;
	fresh.client.phase = MY_CLIENT_LOST;
	fresh.compressed = (__u8)adopt_read(a, thd + a->binary->thd_vio + NET_COMPRESS);
	if (!bpf_map_update_elem(&my_sessions, &key, &fresh, BPF_NOEXIST))
		adopt_introduce(a, thd, sk, fresh.conn);
}

/* 1: that was the last. */
static long adopt_step(__u64 i, struct my_adoption *a)
{
	__u64 thd = a->at;

	if (!a->task || !a->binary || !a->scratch || !thd || thd == a->last)
		return 1;
	a->at = adopt_read(a, thd + ILINK_NEXT);
	if (adopt_read(a, thd + a->binary->thd_vio + NET_THD) == thd)
		adopt_thd(a, thd);
	return 0;
}

SEC("?iter.s/task")
int mysql_sessions__iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct my_adoption a = {.task = task};
	struct db_server *server;
	__u64 list;
	__u32 key;

	if (!task || PLAIN_READ(task, pid) != PLAIN_READ(task, tgid))
		return 0;
	key = PLAIN_READ(task, tgid);
	server = bpf_map_lookup_elem(&db_servers, &key);
	if (!server || server->system != System_mariadb)
		return 0;
	key = server->binary;
	a.binary = bpf_map_lookup_elem(&db_binaries, &key);
	if (!a.binary || !a.binary->server_threads)
		return 0;
	a.scratch = db_scratch_claim();
	if (!a.scratch)
		return 0;
	list = PLAIN_READ(task, mm, start_code) + a.binary->server_threads;
	a.at = adopt_read(&a, list);
	a.last = list + LIST_LAST;
	bpf_loop(ADOPT_MAX, adopt_step, &a, 0);
	db_scratch_release(a.scratch);
	return 0;
}
