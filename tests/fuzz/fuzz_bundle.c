// links: user/lib/arena.c user/lib/digest.c user/lib/ed25519.c user/lib/sigma/fileset.c
// SPDX-License-Identifier: Apache-2.0
// Bodies of signed policies, as if their signature was right.
#include "../../user/lib/sigma/bundle.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fileset *files = fileset_new();
	struct body b = {(const char *)data, (const char *)data + size};
	uint8_t signature[ED25519_SIZE];
	uint64_t serial;

	trailer_read((const char *)data, size, signature);
	if (body_read(&b, "f", files, &serial) == 0)
		for (const struct fileset_file *f = fileset_files(files); f; f = f->next)
			if (strlen(f->name) > NAME_MAX || f->size > size)
				__builtin_trap();
	fileset_free(files);
	return 0;
}
