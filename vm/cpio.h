/*
 * cpio.h - writes an archive of the format newc, as the kernel unpacks it as its first root. No privilege.
 */
#ifndef AGENTSH_VM_CPIO_H
#define AGENTSH_VM_CPIO_H

#include "common/error.h"

#include <stdint.h>
#include <sys/types.h>

struct cpio {
        int fd; /* not owned; written from where it stands */
        uint32_t inode;
        uint64_t written;
};

/* Everything belongs to root and has the time 0, so that the same input gives the same bytes. */
must_check int cpio_add_directory(struct cpio *cpio, const char *name, mode_t mode, struct error *err);
must_check int cpio_add_device(struct cpio *cpio, const char *name, mode_t mode, unsigned major, unsigned minor,
                               struct error *err);
must_check int cpio_add_text(struct cpio *cpio, const char *name, mode_t mode, const char *text, struct error *err);
must_check int cpio_add_file(struct cpio *cpio, const char *name, mode_t mode, int fd, struct error *err);
must_check int cpio_finish(struct cpio *cpio, struct error *err);

#endif
