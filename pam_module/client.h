/*
 * client.h - the PAM side of common/control.h: one connection to one monitor. Knows nothing of PAM.
 *
 * Changes nothing about the process: no signal, no child, no fd below 3 in use after return, every fd close-on-exec.
 * `deadline` is a time of process_monotonic_ms. -ECONNRESET or -EPIPE: the monitor closed the connection. A refusal
 * of the monitor is -EACCES, with its reason as the whole text.
 */
#ifndef AGENTSH_PAM_MODULE_CLIENT_H
#define AGENTSH_PAM_MODULE_CLIENT_H

#include "common/control.h"

#include <stdint.h>

/* Connect to the listener at `path`, which must be root. Returns the fd, owned by the caller. */
must_check int client_connect(const char *path, uint64_t deadline, struct error *err);

/* May this account log in by this service now? `request`'s kind is not looked at, here and below. */
must_check int client_account(int fd, const struct control_request *request, uint64_t deadline, struct error *err);

/* A session that ends with this process. ret_reply->socket is a normalised path below AGENTSH_SESSIONS_DIR. */
must_check int client_open(int fd, const struct control_request *request, uint64_t deadline,
                           struct control_reply *ret_reply, struct error *err);

/* End the session and wait for its traces to be gone. */
must_check int client_close(int fd, uint64_t deadline, struct error *err);

/* Ask for the end and do not wait at all. */
void client_abandon(int fd);

#endif
