/*
 * root_view.h - an image of a root file system, for virtual machines: erofs, read-only, shared by their sessions.
 */
#ifndef AGENTSH_MONITOR_ROOT_VIEW_H
#define AGENTSH_MONITOR_ROOT_VIEW_H

#include "common/error.h"
#include "policy/policy.h"

#include <stdint.h>

struct root_wish {
        const char *directory;           /* NULL: what a jail would have as its root on this host */
        const struct policy_texts *omit; /* what stays out, as named inside */
        uint64_t size;                   /* bytes of files at most */
};

/*
 * Write the image to `image_fd`, an empty file of root's. A guest's kernel is hostile and reads all of it, so only what
 * everybody may read on the host goes in, and mkfs.erofs, which reads it, runs with a uid of no account. In a mount
 * namespace of its own; needs CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_CHOWN. -EFBIG when it is more than wish->size.
 */
must_check int root_view_write(const struct root_wish *wish, int image_fd, struct error *err);

#endif
