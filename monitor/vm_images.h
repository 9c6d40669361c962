/*
 * vm_images.h - the files that a session's machine is given: memory and home; for the root: root_image.h. Root.
 */
#ifndef AGENTSH_MONITOR_VM_IMAGES_H
#define AGENTSH_MONITOR_VM_IMAGES_H

#include "common/error.h"
#include "policy/policy.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * A memory file with the template's content that nobody can change any more: QEMU 7.2 opens it for writing, and a shared
 * mapping that could write is refused by the seals. Holes stay holes.
 */
must_check int vm_copy_memory(int ram_fd, int *ret_fd, struct error *err);

/*
 * The account's home image, open for reading and writing, made when it is missing, and locked: the lock belongs to the
 * open file, so QEMU holds it for as long as it runs. While another session has it: a copy (*ret_copy) where the policy
 * gives one, else -EBUSY. The host never mounts it.
 */
must_check int vm_open_home(const struct policy *policy, uid_t uid, gid_t gid, int *ret_fd, bool *ret_copy,
                            struct error *err);

#endif
