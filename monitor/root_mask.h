/*
 * root_mask.h - what of a tree must not get into an image, and how much the rest is.
 */
#ifndef AGENTSH_MONITOR_ROOT_MASK_H
#define AGENTSH_MONITOR_ROOT_MASK_H

#include "common/error.h"
#include "policy/policy.h"

#include <stdint.h>

/* What covers something else, on some mount. */
struct root_cover {
        int file_fd, directory_fd; /* empty ones */
};

/* Cover what is at `paths` in the tree `root_fd`. What is not there is left out already. CAP_SYS_ADMIN. */
must_check int root_mask_paths(int root_fd, const struct policy_texts *paths, const struct root_cover *cover,
                               struct error *err);

/*
 * Walk through the tree at `path`, following no link, and cover files and directories that not everybody may read.
 * -EFBIG, with the largest parts in the text, when its files have more than `limit` bytes together. CAP_SYS_ADMIN; the
 * tree must not change meanwhile.
 */
must_check int root_mask_unreadable(const char *path, const struct root_cover *cover, uint64_t limit,
                                    struct error *err);

#endif
