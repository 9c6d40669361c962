/*
 * init_serve.h - process 1's loop: clients, children and the monitor, none of which can keep it waiting. Agent uid.
 */
#ifndef AGENTSH_SHELL_INIT_SERVE_H
#define AGENTSH_SHELL_INIT_SERVE_H

#include "common/status.h"

#include "common/error.h"

/*
 * Serve channels until the monitor is gone (EOF at status_fd), then kill them and return 0. Takes the settings, which
 * the monitor sends first, and reports STATUS_UP. SIGCHLD must be blocked; `listen_fd` is made non-blocking. The fds
 * stay the caller's.
 */
must_check int init_serve(int status_fd, int listen_fd, struct error *err);

#endif
