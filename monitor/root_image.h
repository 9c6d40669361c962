/*
 * root_image.h - the root of a virtual machine, as [root] source names it: an image of root's own, or one that is made
 * of this host or of a directory when it is first needed. Root; for making one, what root_view.h names.
 */
#ifndef AGENTSH_MONITOR_ROOT_IMAGE_H
#define AGENTSH_MONITOR_ROOT_IMAGE_H

#include "common/error.h"
#include "policy/policy.h"
#include "vm/store.h"

#include <stddef.h>

/*
 * The image, open for reading, made when there is none for the source's present state; the caller owns *ret_fd, and
 * whoever holds it keeps the image from being removed. Making one removes those of former states that nobody uses.
 */
must_check int root_image_open(const struct policy *policy, const struct vm_progress *progress, int *ret_fd,
                               struct error *err);

/*
 * Whether a login finds its image: 1, or 0 when it would have to be made; with a sentence about it in `ret`. An error
 * when it could not be made either.
 */
must_check int root_image_describe(const struct policy *policy, char *ret, size_t size, struct error *err);

#endif
