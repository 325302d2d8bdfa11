// SPDX-License-Identifier: Apache-2.0
// Reads, holds and writes the resolved file. The only file that uses the JSON library. Written
// by `rollcall setup database`, read by the sensor's watch.c. The reader is strict: a file of
// another format, with a wrong type or over the limits is refused as a whole, because half a
// watch set would look like a whole one.
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clean.h"
#include "lib/resolved.h"

#define FORMAT 1

static void jsonp(json_t **j)
{
	json_decref(*j);
}

struct resolved *resolved_new(void)
{
	return calloc(1, sizeof(struct resolved));
}

static void table_fini(struct resolved_table *t)
{
	for (size_t i = 0; i < t->n_relations; i++) {
		free(t->relations[i].kind);
		free(t->relations[i].schema);
		free(t->relations[i].name);
	}
	for (size_t i = 0; i < t->n_columns; i++)
		free(t->columns[i].name);
	for (size_t i = 0; i < t->n_files; i++) {
		free(t->files[i].path);
		free(t->files[i].kind);
	}
	free(t->relations);
	free(t->columns);
	free(t->files);
	free(t->watch);
}

struct resolved *resolved_free(struct resolved *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_servers; i++) {
		free(r->servers[i].version);
		free(r->servers[i].datadir);
		free(r->servers[i].exe);
		free(r->servers[i].socket);
	}
	for (size_t i = 0; i < r->n_tables; i++)
		table_fini(&r->tables[i]);
	free(r->servers);
	free(r->tables);
	free(r->time);
	free(r);
	return NULL;
}

void resolved_freep(struct resolved **r)
{
	resolved_free(*r);
}

/* One more zeroed element at the end of an array; *n counts it. NULL: out of memory or full. */
static void *array_add(void *array, size_t *n, size_t size, size_t max, int *ret_error)
{
	void **p = array;
	char *grown;

	*ret_error = *n >= max ? -E2BIG : -ENOMEM;
	if (*n >= max)
		return NULL;
	grown = reallocarray(*p, *n + 1, size);
	if (!grown)
		return NULL;
	*p = grown;
	memset(grown + *n * size, 0, size);
	return grown + (*n)++ * size;
}

static int copy_text(char **to, const char *from)
{
	*to = strdup(from ? from : "");
	return *to ? 0 : -ENOMEM;
}

int resolved_add_server(struct resolved *r, const struct resolved_server *server)
{
	int e;
	struct resolved_server *s =
		array_add(&r->servers, &r->n_servers, sizeof(*s), RESOLVED_TABLES_MAX, &e);

	if (!s)
		return e;
	s->system = server->system;
	s->exe_ino = server->exe_ino;
	s->exe_dev = server->exe_dev;
	if (copy_text(&s->version, server->version) || copy_text(&s->datadir, server->datadir) ||
	    copy_text(&s->exe, server->exe) || copy_text(&s->socket, server->socket))
		return -ENOMEM;
	return 0;
}

int resolved_add_table(struct resolved *r, const char *watch, size_t server)
{
	struct watchname name;
	struct resolved_table *t;
	const char *why;
	int e;

	if (server >= r->n_servers || watchname_parse(watch, &name, &why))
		return -EINVAL;
	t = array_add(&r->tables, &r->n_tables, sizeof(*t), RESOLVED_TABLES_MAX, &e);
	if (!t)
		return e;
	t->name = name;
	t->server = server;
	return copy_text(&t->watch, watch);
}

int resolved_add_relation(struct resolved_table *t, const struct resolved_relation *relation)
{
	int e;
	struct resolved_relation *r =
		array_add(&t->relations, &t->n_relations, sizeof(*r), RESOLVED_ITEMS_MAX, &e);

	if (!r)
		return e;
	r->oid = relation->oid;
	if (copy_text(&r->kind, relation->kind) || copy_text(&r->schema, relation->schema) ||
	    copy_text(&r->name, relation->name))
		return -ENOMEM;
	return 0;
}

int resolved_add_column(struct resolved_table *t, uint32_t number, const char *name)
{
	int e;
	struct resolved_column *c =
		array_add(&t->columns, &t->n_columns, sizeof(*c), RESOLVED_ITEMS_MAX, &e);

	if (!c)
		return e;
	c->number = number;
	return copy_text(&c->name, name);
}

int resolved_add_file(struct resolved_table *t, const struct resolved_file *file)
{
	int e;
	struct resolved_file *f =
		array_add(&t->files, &t->n_files, sizeof(*f), RESOLVED_ITEMS_MAX, &e);

	if (!f)
		return e;
	f->ino = file->ino;
	f->dev = file->dev;
	if (copy_text(&f->path, file->path) || copy_text(&f->kind, file->kind))
		return -ENOMEM;
	return 0;
}

/* ---- reading ---- */

/* A 64-bit number is kept as JSON integer; one above INT64_MAX cannot occur (inode, rows). */
#define SERVER_FORM   "{s:s, s:s, s:s, s:s, s:s, s:I, s:I !}"
#define TABLE_FORM    "{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o !}"
#define RELATION_FORM "{s:I, s:s, s:s, s:s !}"
#define COLUMN_FORM   "{s:I, s:s !}"
#define FILE_FORM     "{s:s, s:s, s:I, s:I !}"

static int u32_of(json_int_t v, uint32_t *ret_value)
{
	if (v < 0 || v > UINT32_MAX)
		return -EBADMSG;
	*ret_value = (uint32_t)v;
	return 0;
}

static int server_read(struct resolved *r, json_t *j, json_error_t *err)
{
	struct resolved_server s = {};
	char *system;
	json_int_t dev, ino;

	if (json_unpack_ex(j, err, 0, SERVER_FORM, "system", &system, "version", &s.version,
			   "datadir", &s.datadir, "exe", &s.exe, "socket", &s.socket, "exe_dev",
			   &dev, "exe_ino", &ino))
		return -EBADMSG;
	s.system = watchname_system(system, strlen(system));
	if (!s.system || ino < 0 || u32_of(dev, &s.exe_dev))
		return -EBADMSG;
	s.exe_ino = (uint64_t)ino;
	return resolved_add_server(r, &s);
}

static int relation_read(struct resolved_table *t, json_t *j, json_error_t *err)
{
	struct resolved_relation rel = {};
	json_int_t oid;

	if (json_unpack_ex(j, err, 0, RELATION_FORM, "oid", &oid, "kind", &rel.kind, "schema",
			   &rel.schema, "name", &rel.name) ||
	    u32_of(oid, &rel.oid))
		return -EBADMSG;
	return resolved_add_relation(t, &rel);
}

static int column_read(struct resolved_table *t, json_t *j, json_error_t *err)
{
	json_int_t number;
	uint32_t n;
	char *name;

	if (json_unpack_ex(j, err, 0, COLUMN_FORM, "number", &number, "name", &name) ||
	    u32_of(number, &n))
		return -EBADMSG;
	return resolved_add_column(t, n, name);
}

static int file_read(struct resolved_table *t, json_t *j, json_error_t *err)
{
	struct resolved_file f = {};
	json_int_t dev, ino;

	if (json_unpack_ex(j, err, 0, FILE_FORM, "path", &f.path, "kind", &f.kind, "dev", &dev,
			   "ino", &ino) ||
	    ino < 0 || u32_of(dev, &f.dev))
		return -EBADMSG;
	f.ino = (uint64_t)ino;
	return resolved_add_file(t, &f);
}

static int items_read(struct resolved_table *t, json_t *array, json_error_t *err,
		      int (*read)(struct resolved_table *, json_t *, json_error_t *))
{
	if (!json_is_array(array))
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(array); i++) {
		int r = read(t, json_array_get(array, i), err);

		if (r)
			return r;
	}
	return 0;
}

static int table_read(struct resolved *r, json_t *j, json_error_t *err)
{
	json_t *relations, *columns, *files;
	json_int_t server, oid, rows, pages;
	struct resolved_table *t;
	char *watch;
	int e;

	if (json_unpack_ex(j, err, 0, TABLE_FORM, "watch", &watch, "server", &server,
			   "database_oid", &oid, "rows", &rows, "pages", &pages, "relations",
			   &relations, "columns", &columns, "files", &files) ||
	    server < 0 || rows < 0 || pages < 0)
		return -EBADMSG;
	e = resolved_add_table(r, watch, (size_t)server);
	if (e)
		return e == -EINVAL ? -EBADMSG : e;
	t = &r->tables[r->n_tables - 1];
	t->rows = (uint64_t)rows;
	t->pages = (uint64_t)pages;
	e = u32_of(oid, &t->database_oid);
	e = e ? e : items_read(t, relations, err, relation_read);
	e = e ? e : items_read(t, columns, err, column_read);
	return e ? e : items_read(t, files, err, file_read);
}

static int root_read(struct resolved *r, json_t *root, json_error_t *err)
{
	json_t *servers, *tables;
	json_int_t format;
	char *time;
	int e = 0;

	if (json_unpack_ex(root, err, 0, "{s:I, s:s, s:o, s:o !}", "format", &format, "time", &time,
			   "servers", &servers, "tables", &tables))
		return -EBADMSG;
	if (format != FORMAT || !json_is_array(servers) || !json_is_array(tables))
		return -EBADMSG;
	if (copy_text(&r->time, time))
		return -ENOMEM;
	for (size_t i = 0; !e && i < json_array_size(servers); i++)
		e = server_read(r, json_array_get(servers, i), err);
	for (size_t i = 0; !e && i < json_array_size(tables); i++)
		e = table_read(r, json_array_get(tables, i), err);
	return e;
}

int resolved_parse(const char *text, size_t n, struct resolved **ret_resolved, char *ret_why,
		   size_t len)
{
	_cleanup_(resolved_freep) struct resolved *r = resolved_new();
	json_error_t err = {};
	_cleanup_(jsonp) json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &err);
	int e;

	if (!r)
		return -ENOMEM;
	e = root ? root_read(r, root, &err) : -EBADMSG;
	if (e) {
		snprintf(ret_why, len, "%s", *err.text ? err.text : "a value is out of range");
		if (err.line > 0)
			snprintf(ret_why, len, "%d:%d: %s", err.line, err.column, err.text);
		return e;
	}
	*ret_resolved = take_ptr(r);
	return 0;
}

int resolved_read(const char *path, struct resolved **ret_resolved, char *ret_why, size_t len)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	size_t n = 0;

	snprintf(ret_why, len, "cannot be read");
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > RESOLVED_FILE_MAX) {
		snprintf(ret_why, len, "not a regular file of at most 16 MiB");
		return -EBADMSG;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);

		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	return resolved_parse(text, n, ret_resolved, ret_why, len);
}

/* ---- writing ---- */

static json_t *table_json(const struct resolved_table *t)
{
	json_t *relations = json_array(), *columns = json_array(), *files = json_array();

	for (size_t i = 0; i < t->n_relations; i++) {
		const struct resolved_relation *rel = &t->relations[i];

		json_array_append_new(relations,
				      json_pack("{s:I, s:s, s:s, s:s}", "oid", (json_int_t)rel->oid,
						"kind", rel->kind, "schema", rel->schema, "name",
						rel->name));
	}
	for (size_t i = 0; i < t->n_columns; i++)
		json_array_append_new(columns, json_pack("{s:I, s:s}", "number",
							 (json_int_t)t->columns[i].number, "name",
							 t->columns[i].name));
	for (size_t i = 0; i < t->n_files; i++) {
		const struct resolved_file *f = &t->files[i];

		json_array_append_new(files, json_pack("{s:s, s:s, s:I, s:I}", "path", f->path,
						       "kind", f->kind, "dev", (json_int_t)f->dev,
						       "ino", (json_int_t)f->ino));
	}
	/* An item that is not UTF-8 is refused by json_pack() and would be missing. */
	if (json_array_size(relations) != t->n_relations ||
	    json_array_size(columns) != t->n_columns || json_array_size(files) != t->n_files) {
		json_decref(relations);
		json_decref(columns);
		json_decref(files);
		return NULL;
	}
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "watch", t->watch, "server",
			 (json_int_t)t->server, "database_oid", (json_int_t)t->database_oid, "rows",
			 (json_int_t)t->rows, "pages", (json_int_t)t->pages, "relations", relations,
			 "columns", columns, "files", files);
}

char *resolved_text(const struct resolved *r)
{
	json_t *servers = json_array(), *tables = json_array();
	_cleanup_(jsonp) json_t *root = NULL;

	for (size_t i = 0; i < r->n_servers; i++) {
		const struct resolved_server *s = &r->servers[i];

		json_array_append_new(
			servers, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "system",
					   watchname_system_text(s->system), "version", s->version,
					   "datadir", s->datadir, "exe", s->exe, "socket",
					   s->socket, "exe_dev", (json_int_t)s->exe_dev, "exe_ino",
					   (json_int_t)s->exe_ino));
	}
	for (size_t i = 0; i < r->n_tables; i++)
		json_array_append_new(tables, table_json(&r->tables[i]));
	root = json_pack("{s:i, s:s, s:o, s:o}", "format", FORMAT, "time", r->time ? r->time : "",
			 "servers", servers, "tables", tables);
	if (!root || json_array_size(servers) != r->n_servers ||
	    json_array_size(tables) != r->n_tables)
		return NULL;
	return json_dumps(root, JSON_INDENT(2));
}

int resolved_write(const struct resolved *r, const char *path)
{
	_cleanup_(freep) char *text = resolved_text(r);
	_cleanup_(freep) char *temporary = NULL;
	_cleanup_(fclosep) FILE *out = NULL;
	int fd;

	if (!text || asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	/* O_EXCL after unlink: never write through a link that somebody left there. */
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		return -ENOMEM;
	}
	if (fprintf(out, "%s\n", text) < 0 || fflush(out) || fchmod(fd, 0640) || fsync(fd) ||
	    rename(temporary, path)) {
		int e = -errno;

		unlink(temporary);
		return e;
	}
	return 0;
}

/* ---- lookups ---- */

bool resolved_same_system(Rollcall__System a, Rollcall__System b)
{
	return (a == ROLLCALL__SYSTEM__postgresql) == (b == ROLLCALL__SYSTEM__postgresql);
}

const struct resolved_table *resolved_by_oid(const struct resolved *r, const char *database,
					     uint32_t oid, size_t *pos)
{
	while (oid && *pos < r->n_tables) {
		const struct resolved_table *t = &r->tables[(*pos)++];

		/* Object ids are per database. */
		if (strcmp(t->name.database, database))
			continue;
		for (size_t i = 0; i < t->n_relations; i++)
			if (t->relations[i].oid == oid)
				return t;
	}
	return NULL;
}

const struct resolved_table *resolved_by_name(const struct resolved *r, Rollcall__System system,
					      const char *database, const char *schema,
					      const char *name, size_t *pos)
{
	bool postgresql = system == ROLLCALL__SYSTEM__postgresql;

	while (*pos < r->n_tables) {
		const struct resolved_table *t = &r->tables[(*pos)++];

		if (!resolved_same_system(t->name.system, system) ||
		    (postgresql && strcmp(t->name.database, database)))
			continue;
		for (size_t i = 0; i < t->n_relations; i++) {
			const struct resolved_relation *rel = &t->relations[i];
			const char *in = postgresql ? schema : database;

			if (!strcmp(rel->name, name) && (!*in || !strcmp(rel->schema, in)))
				return t;
		}
	}
	return NULL;
}

int resolved_inodes(const struct resolved *r, resolved_inode_fn fn, void *arg)
{
	for (size_t i = 0; i < r->n_tables; i++)
		for (size_t k = 0; k < r->tables[i].n_files; k++) {
			int e = fn(&r->tables[i], &r->tables[i].files[k], arg);

			if (e)
				return e;
		}
	return 0;
}
