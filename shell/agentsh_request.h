/*
 * agentsh_request.h - agentsh's side of the attach protocol up to STARTED. Treats init as hostile. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_REQUEST_H
#define AGENTSH_SHELL_AGENTSH_REQUEST_H

#include "common/error.h"
#include "shell/agentsh_inside.h"
#include "shell/agentsh_invocation.h"
#include "shell/agentsh_stdio.h"
#include "shell/agentsh_tty.h"

/* The isolation may still be under construction when a request is made. */
#define REQUEST_WAIT_MS 60000
#define REMOTE_WAIT_MS  600000 /* a machine may have to be made first */
#define REMOTE_QUIET_MS 3000   /* after which the user is told so */

/*
 * Ask for a channel: command, the variables that match `patterns`, the passed streams, and for a pty the settings and
 * the size of the terminal outside. -E2BIG for a command that does not fit. Where a terminal is wanted in a remote
 * session, inside->stream becomes our end of a socket pair that stands for it (owned by the caller).
 */
must_check int request_send(struct inside *inside, const struct invocation *invocation, const struct stdio *stdio,
                            const struct tty *tty, const char *patterns, char *const *environment, struct error *err);

/*
 * Wait for the answer. Unless the session is remote, inside->stream becomes the pty's master (owned by the caller,
 * close-on-exec, non-blocking) when one was asked for; an fd that is no pty master, too many or too few are -EPROTO. A
 * refusal is -ECONNREFUSED with the text that came.
 */
must_check int request_wait(struct inside *inside, const struct stdio *stdio, int timeout_ms, struct error *err);

#endif
