// SPDX-License-Identifier: Apache-2.0
// The child drops to the given user before it executes anything, and gets an environment of our
// own: a PGOPTIONS, PGPASSFILE or LD_PRELOAD of the caller must not reach a program that runs as
// the owner of the database. Standard input is a file, so that no pipe can fill up both ways.
#include "cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clean.h"

static int sql_open(const char *sql)
{
	_cleanup_(closep) int fd = memfd_create("sql", MFD_CLOEXEC);
	size_t n = strlen(sql);

	if (fd < 0 || write(fd, sql, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) < 0)
		return errno ? -errno : -EIO;
	return take_fd(fd);
}

static void child(const struct client *c, int in, int out, int err)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin",
					  "LC_ALL=C.UTF-8", "HOME=/nonexistent", NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir("/"))
		_exit(126);
	if (geteuid() == 0 && (setgroups(0, NULL) || setgid(c->gid) || setuid(c->uid)))
		_exit(126);
	execvpe(c->argv[0], (char *const *)(uintptr_t)c->argv, (char *const *)(uintptr_t)env);
	dprintf(2, "the program %s is not installed: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

struct sink {
	int fd;
	char *buf;
	size_t n, max;
};

/* Reads what is there; past `max` it is thrown away. 0 at the end of the stream. */
static ssize_t sink_read(struct sink *s)
{
	char waste[4096];
	ssize_t n = s->n < s->max ? read(s->fd, s->buf + s->n, s->max - s->n)
				  : read(s->fd, waste, sizeof(waste));

	if (n > 0 && s->n < s->max)
		s->n += (size_t)n;
	return n < 0 && errno == EINTR ? 1 : n;
}

static void sinks_drain(struct sink s[2])
{
	while (s[0].fd >= 0 || s[1].fd >= 0) {
		struct pollfd p[2] = {{.fd = s[0].fd, .events = POLLIN},
				      {.fd = s[1].fd, .events = POLLIN}};

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++)
			if (p[i].revents && sink_read(&s[i]) <= 0)
				s[i].fd = -1;
	}
}

/* One row of a line: splits at tabs, undoes \t \n \r \0 \\. */
static int row_parse(char *line, struct client_row *row)
{
	size_t n = 0;
	char *to = line;

	row->field[n++] = to;
	for (char *s = line; *s; s++) {
		if (*s == '\t') {
			*to++ = '\0';
			if (n == CLIENT_FIELDS_MAX)
				return -EBADMSG;
			row->field[n++] = to;
		} else if (*s == '\\' && s[1]) {
			static const char from[] = "tnrbfv", is[] = "\t\n\r\b\f\v";
			const char *p = strchr(from, *++s);

			*to++ = p ? is[p - from] : *s;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
	while (n < CLIENT_FIELDS_MAX)
		row->field[n++] = to;
	return 0;
}

int client_rows(char *text, struct client_result *ret)
{
	char *save = NULL;
	size_t room = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		int r;

		if (ret->n == room) {
			size_t more = room ? room * 2 : 64;
			struct client_row *rows = reallocarray(ret->rows, more, sizeof(*rows));

			if (!rows)
				return -ENOMEM;
			ret->rows = rows;
			room = more;
		}
		r = row_parse(line, &ret->rows[ret->n]);
		if (r)
			return r;
		ret->n++;
	}
	return 0;
}

void client_result_fini(struct client_result *r)
{
	free(r->rows);
	free(r->text);
	r->rows = NULL;
	r->text = NULL;
	r->n = 0;
}

int client_run(const struct client *c, struct client_result *ret)
{
	_cleanup_(closep) int in = sql_open(c->sql);
	_cleanup_(closep) int out_r = -1, out_w = -1, err_r = -1, err_w = -1;
	int out[2], err[2], status;
	pid_t pid;

	*ret = (struct client_result){.text = malloc(CLIENT_OUTPUT_MAX + 1)};
	if (in < 0 || !ret->text)
		return in < 0 ? in : -ENOMEM;
	if (pipe2(out, O_CLOEXEC))
		return -errno;
	out_r = out[0];
	out_w = out[1];
	if (pipe2(err, O_CLOEXEC))
		return -errno;
	err_r = err[0];
	err_w = err[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		child(c, in, out_w, err_w);
	close(take_fd(out_w));
	close(take_fd(err_w));
	struct sink sinks[2] = {{out_r, ret->text, 0, CLIENT_OUTPUT_MAX},
				{err_r, ret->error, 0, sizeof(ret->error) - 1}};

	sinks_drain(sinks);
	ret->text[sinks[0].n] = '\0';
	ret->error[sinks[1].n] = '\0';
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (sinks[0].n == CLIENT_OUTPUT_MAX)
		return -E2BIG;
	if (status)
		return -EACCES;
	return client_rows(ret->text, ret);
}

size_t client_quote(const char *name, char *to)
{
	char *start = to;

	*to++ = '`';
	for (; *name; name++) {
		if (*name == '`')
			*to++ = '`';
		*to++ = *name;
	}
	*to++ = '`';
	*to = '\0';
	return (size_t)(to - start);
}
