/*
 * init_child.h - a channel's first process, from fork to exec. Agent uid, inside.
 */
#ifndef AGENTSH_SHELL_INIT_CHILD_H
#define AGENTSH_SHELL_INIT_CHILD_H

#include "common/attach.h"
#include "common/status.h"
#include "shell/init_pty.h"

#include <stdbool.h>
#include <sys/types.h>

/* Nothing in it is owned. */
struct init_child {
        const struct init_config *config;
        const struct attach_parts *parts;
        const int *fds; /* the passed streams, in ascending order */
        const struct init_pty *pty;
};

/*
 * Fork it: leader of a session of its own, with the pty (if there is one) as its terminal, the passed streams and the
 * pty's slave as 0 to 2 and no other fd, no signal blocked, umask 022, preferred by the OOM killer, in the home. It
 * then executes the shell. *ret_report (owned by the caller, non-blocking) becomes readable when it has, or has failed.
 */
must_check int init_child_start(const struct init_child *child, pid_t *ret_pid, int *ret_report, struct error *err);

/*
 * What became of it: 0 when it runs its program (or was killed before: its status will say), -errno with the reason
 * when it could not, 1 when that is not known yet.
 */
must_check int init_child_read_report(int report, const struct init_config *config, struct error *err);

#endif
