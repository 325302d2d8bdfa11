// SPDX-License-Identifier: Apache-2.0
// libbpf reads all of the kernel's types for each object that it loads, by pages and into two
// buffers, and goes through them for each of our structs, name by name. Here they are read once,
// and what nobody asks for has no name: no type, number or place of a text changes, so that types
// of modules, which count on them, are what they were.
#include "sensor/kernel_types.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clean.h"

#define TYPES "/sys/kernel/btf/vmlinux"

/* What libbpf is given next. It calls without a word of for whom: there is no other place. */
static struct btf *left;

/* Since 6.16 they can be looked at where they are. */
static struct btf *types_mapped(void)
{
	_cleanup_(closep) int fd = open(TYPES, O_RDONLY | O_CLOEXEC);
	struct btf *types;
	struct stat st;
	void *at;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > UINT32_MAX)
		return NULL;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return NULL;
	types = btf__new(at, (uint32_t)st.st_size);
	munmap(at, (size_t)st.st_size);
	return types;
}

static struct btf *types_new(void)
{
	struct btf *types = types_mapped();

	return types ? types : btf__parse(TYPES, NULL);
}

/* ---- names ---- */

/* A power of two; a type that is not found in them for want of room keeps its name. */
#define NAMES 4096

struct names {
	struct name {
		const char *text;
		size_t size;
	} slots[NAMES];
	unsigned n;
};

/* libbpf takes "inode___6_6" for another form of "inode". */
static size_t name_size(const char *text)
{
	const char *form = strstr(text, "___");

	return form && form != text ? (size_t)(form - text) : strlen(text);
}

/* Its slot, or the empty one where it would be. */
static struct name *name_slot(struct names *names, const char *text, size_t size)
{
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619;
	for (;; hash++) {
		struct name *slot = &names->slots[hash % NAMES];

		if (!slot->text || (slot->size == size && memcmp(slot->text, text, size) == 0))
			return slot;
	}
}

static int names_take(struct names *names, const struct btf *types)
{
	for (uint32_t i = 1; i < btf__type_cnt(types); i++) {
		const char *text = btf__name_by_offset(types, btf__type_by_id(types, i)->name_off);
		size_t size = text ? name_size(text) : 0;
		struct name *slot = size ? name_slot(names, text, size) : NULL;

		if (!slot || slot->text)
			continue;
		if (++names->n == NAMES / 2)
			return -E2BIG;
		*slot = (struct name){text, size};
	}
	return 0;
}

/* libbpf compares every name of these with each of ours. */
static bool is_compared(const struct btf_type *t)
{
	return t->name_off && (btf_is_composite(t) || btf_is_any_enum(t));
}

/* What nobody looks for is not to be compared. Nobody else has these types yet. */
static void names_keep(struct names *names, struct btf *types)
{
	for (uint32_t i = 1; i < btf__type_cnt(types); i++) {
		struct btf_type *t = (struct btf_type *)(uintptr_t)btf__type_by_id(types, i);
		const char *text = is_compared(t) ? btf__name_by_offset(types, t->name_off) : NULL;

		if (text && !name_slot(names, text, name_size(text))->text)
			t->name_off = 0;
	}
}

int kernel_types_read(const struct bpf_object *obj, struct btf **ret)
{
	_cleanup_(freep) struct names *names = calloc(1, sizeof(*names));
	struct btf *types = names ? types_new() : NULL;

	if (!types)
		return names ? -errno : -ENOMEM;
	if (names_take(names, bpf_object__btf(obj)) == 0)
		names_keep(names, types);
	*ret = types;
	return 0;
}

void kernel_types_leave(struct btf *types)
{
	btf__free(left);
	left = types;
}

/*
 * libbpf's own: it calls it by its dynamic symbol, for which the program's goes before the
 * library's, and frees what it gets. Where it is bound otherwise, it reads them as it would.
 */
struct btf *btf__load_vmlinux_btf(void)
{
	return left ? take_ptr(left) : types_new();
}
