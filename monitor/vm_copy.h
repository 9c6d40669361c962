/*
 * vm_copy.h - a copy of a home's image that ends with its session, while another session's machine has the image. Root.
 */
#ifndef AGENTSH_MONITOR_VM_COPY_H
#define AGENTSH_MONITOR_VM_COPY_H

#include "common/error.h"

/* Leaves in the session's directory that it has its account's home, for those that want a copy. */
must_check int vm_mark_home(const char *session_id, struct error *err);

/*
 * A file without a name in the directory `homes`, its whole size reserved, with the content that `source` has at one
 * moment: the session of `account` that has it stands still meanwhile, for VM_COPY_MS at most. -ENOSPC: the host's disk
 * would have less than a tenth left. -EBUSY: no session says that it has the home, or it does not answer; try again.
 */
#define VM_COPY_MS 3000
must_check int vm_copy_home(const char *account, int homes, int source, int *ret_fd, struct error *err);

#endif
