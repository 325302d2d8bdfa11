// SPDX-License-Identifier: Apache-2.0
// What a sensor does with files.web_roots and processes.watch, by hand: one inode, one mark.
#include "kernel/support/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "kernel/support/check.h"
#include "kernel/support/witness.h"

/* As in bpf/interest.h. */
struct inode_key {
	uint64_t ino;
	uint32_t dev, pad;
};

struct tree_name {
	uint32_t bits;
	char bytes[248];
};

static char dir[] = "/tmp/rollcall_tree.XXXXXX";

const char *tree_at(const char *name)
{
	static char path[8][4200];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void watch(const char *map, const char *name, uint32_t marks)
{
	struct tree_name text = {};
	struct inode_key key = {};
	struct stat st = {};

	check(name, "is there", stat(tree_at(name), &st) == 0);
	key.ino = st.st_ino;
	key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	check(name, "watched", witness_watch(map, &key, &marks) == 0);
	if (strcmp(map, "watched_tree") != 0)
		return;
	snprintf(text.bytes, sizeof(text.bytes), "%s/", tree_at(name));
	text.bits = (uint32_t)(8 * strlen(text.bytes));
	check(name, "watched by name", witness_watch("watched_name", &text, &marks) == 0);
}

void tree_fill(const char *test)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && rm -rf www/* other/* secret/* && mkdir www/sub other/dir &&"
		 " echo one >www/a && echo two >www/sub/b && echo three >other/c &&"
		 " echo four >secret/key && chmod 644 www/a www/sub/b other/c",
		 dir);
	check(test, "the tree is made", system(command) == 0);
}

bool tree_open(const char *name)
{
	char command[256];

	umask(022);
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return false;
	snprintf(command, sizeof(command),
		 "cd %s && mkdir www other secret && cp /bin/sh sh && echo old >www/.old &&"
		 " echo old >secret/.old",
		 dir);
	check(name, "directories", system(command) == 0);
	if (!witness_open(name))
		return false;
	tree_fill(name);
	watch("watched_tree", "www", TREE_WEB_ROOT);
	watch("watched_tree", "secret", TREE_SECRET);
	watch("watched_exe", "sh", TREE_LINEAGE);
	return true;
}

int tree_close(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	check("end", "the directory is removed", system(command) == 0);
	return witness_close();
}

void tree_inode_check(const char *test, const Rollcall__Inode *inode, const struct stat *want)
{
	check_number(test, "inode", inode->ino, want->st_ino);
	check_number(test, "device", inode->dev, major(want->st_dev) << 20 | minor(want->st_dev));
	check_number(test, "mode", inode->mode, want->st_mode);
	if (!S_ISDIR(want->st_mode)) /* theirs is the file system's affair */
		check_number(test, "size", inode->size, (uint64_t)want->st_size);
}
