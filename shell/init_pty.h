/*
 * init_pty.h - a channel's terminal, from the isolation's own devpts. Agent uid, inside.
 */
#ifndef AGENTSH_SHELL_INIT_PTY_H
#define AGENTSH_SHELL_INIT_PTY_H

#include "common/attach.h"

struct init_pty {
        int master, slave; /* owned, close-on-exec; -EBADF: none */
        char ssh_tty[32];  /* "SSH_TTY=/dev/pts/0" */
};

#define INIT_PTY_NONE                                            \
        {                                                        \
                .master = -EBADF, .slave = -EBADF, .ssh_tty = "" \
        }

/* A new pty with the size and the settings of the request. The slave is opened through the master, never by name. */
must_check int init_pty_open(const struct attach_request *request, struct init_pty *ret, struct error *err);

void init_pty_done(struct init_pty *pty);

#endif
