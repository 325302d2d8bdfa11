// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * MariaDB's sessions that are encrypted or compressed, by the functions of the server that have
 * their bytes in clear, and only theirs: each call is a breakpoint. vio_ssl_write() sends all or
 * breaks the connection, as does what follows my_compress(): rows of the last chunk are sure only
 * once a later one was sent (safe_rows).
 *
 * And the end of any session, once: vio_close(), where the socket is still the session's.
 */
#include "mariadb.h"

/* The first field of a Vio is its socket (include/violite.h). */
static __always_inline struct my_key my_key_of_vio(const void *vio)
{
	int fd = -1;

	bpf_probe_read_user(&fd, sizeof(fd), vio);
	return my_key_of(db_socket(fd));
}

/* A session of which this is the first call above TLS goes on there, with the login. */
static __always_inline void my_above_tls(struct my_session *s)
{
	if (s->tls)
		return;
	s->tls = 1;
	s->client.have = 0;
	s->client.left = 0;
	if (s->client.phase == MY_CLIENT_AUTH)
		s->client.phase = MY_CLIENT_LOGIN;
}

SEC("?uprobe/vio_ssl_read")
int BPF_KPROBE(mysql_tls_read__uprobe, const void *vio, __u64 ptr, __u64 asked)
{
	struct my_key key = my_key_of_vio(vio);
	struct my_session *s = bpf_map_lookup_elem(&my_sessions, &key);

	if (s) {
		my_above_tls(s);
		my_client_peek(s, ptr, asked);
	}
	my_calling(&key, ptr, asked);
	return 0;
}

static __always_inline struct my_session *my_called(struct my_call **ret_call)
{
	*ret_call = bpf_task_storage_get(&my_calls, bpf_get_current_task_btf(), NULL, 0);
	return *ret_call ? bpf_map_lookup_elem(&my_sessions, &(*ret_call)->session) : NULL;
}

/* vio_ssl_write(vio, buffer, size). The session that sends so. */
static __always_inline struct my_session *my_encrypts(const void *vio)
{
	struct my_key key = my_key_of_vio(vio);
	struct my_session *s = bpf_map_lookup_elem(&my_sessions, &key);

	if (!s || s->compressed)
		return NULL;
	my_above_tls(s);
	return s;
}

/* my_compress(buffer, &size, ...). */
static __always_inline struct my_session *my_compresses(const void *size, __u64 *ret_n)
{
	struct my_call *call;
	struct my_session *s = my_called(&call);

	if (!s || !s->compressed || bpf_probe_read_user(ret_n, sizeof(*ret_n), size))
		return NULL;
	return s;
}

SEC("?uprobe/vio_ssl_write,my_compress")
int BPF_KPROBE(mysql_write__uprobe, const void *first, const void *second, __u64 third)
{
	enum { ENCRYPTS, COMPRESSES } function = db_function(ctx);
	struct my_session *s =
		function == ENCRYPTS ? my_encrypts(first) : my_compresses(second, &third);

	if (!s)
		return 0;
	s->tap = Tap_uprobe;
	my_sends(s, (__u64)(function == ENCRYPTS ? second : first), third);
	return 0;
}

SEC("?uprobe/my_uncompress")
int BPF_KPROBE(mysql_uncompress__uprobe, __u64 ptr, __u64 packed, __u64 size)
{
	struct my_call *call;
	struct my_session *s = my_called(&call);

	if (s && s->compressed)
		my_calling(&call->session, ptr, size);
	return 0;
}

/* vio_ssl_read() returns how many bytes it read; my_uncompress(), which writes that to where it was
 * told, whether it failed. 0: none. */
static __always_inline __u64 my_bytes_read(const struct my_session *s, const struct my_call *call,
					   bool uncompressed, long ret)
{
	__u64 n = 0;

	if (s->compressed != uncompressed)
		return 0;
	if (!uncompressed)
		return ret > 0 ? ret : 0;
	if (!call->ptr || ret & 0xff)
		return 0;
	return bpf_probe_read_user(&n, sizeof(n), (void *)call->size) ? 0 : n;
}

SEC("?uretprobe/vio_ssl_read,my_uncompress")
int BPF_KRETPROBE(mysql_read__uretprobe, long ret)
{
	bool uncompressed = db_function(ctx);
	struct my_call *call;
	struct my_session *s = my_called(&call);
	__u64 n = s ? my_bytes_read(s, call, uncompressed, ret) : 0;

	if (s && n)
		my_receives(s, call->ptr, uncompressed ? 0 : call->size, n);
	return 0;
}

/* By COM_QUIT, a broken socket, a timeout or KILL. */
SEC("?uprobe/vio_close")
int BPF_KPROBE(mysql_close__uprobe, const void *vio)
{
	struct my_key key = my_key_of_vio(vio);
	struct my_session *s = bpf_map_lookup_elem(&my_sessions, &key);
	struct db_scratch *scratch = s ? db_scratch_claim() : NULL;

	if (scratch) {
		my_emit_close(s, scratch);
		db_scratch_release(scratch);
	}
	if (s)
		bpf_map_delete_elem(&my_sessions, &key);
	return 0;
}
