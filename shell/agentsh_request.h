/*
 * agentsh_request.h - agentsh's side of the attach protocol up to STARTED. Treats init as hostile. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_REQUEST_H
#define AGENTSH_SHELL_AGENTSH_REQUEST_H

#include "common/error.h"
#include "shell/agentsh_invocation.h"
#include "shell/agentsh_stdio.h"
#include "shell/agentsh_tty.h"

/* The isolation may still be under construction when a request is made. */
#define REQUEST_WAIT_MS 60000

/*
 * Ask for a channel: command, the variables that match `patterns`, the passed streams, and for a pty the settings and
 * the size of the terminal outside. -E2BIG for a command that does not fit.
 */
must_check int request_send(int socket, const struct invocation *invocation, const struct stdio *stdio,
                            const struct tty *tty, const char *patterns, char *const *environment, struct error *err);

/*
 * Wait for the answer. *ret_master is the pty's master (owned by the caller, close-on-exec, non-blocking) or -1 when
 * none was asked for; an fd that is no pty master, too many or too few are -EPROTO. A refusal is -ECONNREFUSED with
 * the text that came.
 */
must_check int request_wait(int socket, const struct stdio *stdio, int timeout_ms, int *ret_master, struct error *err);

#endif
