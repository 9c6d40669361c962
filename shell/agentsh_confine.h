/*
 * agentsh_confine.h - what the login shell may still do while it relays: a seccomp allow list. Needs no capability.
 */
#ifndef AGENTSH_SHELL_AGENTSH_CONFINE_H
#define AGENTSH_SHELL_AGENTSH_CONFINE_H

#include "common/error.h"

#include <linux/filter.h>
#include <stddef.h>

#define CONFINE_LENGTH_MAX 128

/*
 * Write the filter for a process with this pid to `ret` (CONFINE_LENGTH_MAX elements) and return its length. All that
 * is not on the list kills the process. fds can neither be opened, sent nor received (no sendmsg, no recvmsg), signals
 * go to the process itself only, and of ioctls only terminal settings and sizes pass: not TIOCSTI, not TIOCLINUX.
 */
size_t confine_build(struct sock_filter *ret, unsigned pid);

/* no_new_privs and the filter, for good. (Nothing in a build for the sanitizers, whose runtime needs more calls.) */
must_check int confine_enter(struct error *err);

#endif
