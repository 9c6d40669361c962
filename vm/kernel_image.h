/*
 * kernel_image.h - the kernel of a template. QEMU's microvm starts an uncompressed ELF through its PVH note; what
 * distributions ship is a bzImage, which carries that ELF compressed.
 */
#ifndef AGENTSH_VM_KERNEL_IMAGE_H
#define AGENTSH_VM_KERNEL_IMAGE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kernel_packing { KERNEL_PLAIN, KERNEL_GZIP, KERNEL_XZ, KERNEL_LZMA, KERNEL_LZ4, KERNEL_ZSTD };

/* Where the ELF lies in an image, and how it is packed. */
struct kernel_payload {
        uint64_t offset, size;
        enum kernel_packing packing;
};

/* From the first `size` bytes (at least KERNEL_HEAD of them, or the whole file) of an image of file_size bytes. Pure. */
#define KERNEL_HEAD 0x10000
must_check int kernel_find_payload(const unsigned char *head, size_t size, uint64_t file_size,
                                   struct kernel_payload *ret, struct error *err);

/* Whether an ELF has the note by which PVH starts it. Pure; `data` is the whole file. */
bool kernel_has_pvh(const unsigned char *data, size_t size);

/* Write the uncompressed ELF of the kernel in image_fd to out_fd, an empty file. `path` is for error texts. */
must_check int kernel_unpack(int image_fd, int out_fd, const char *path, struct error *err);

#endif
