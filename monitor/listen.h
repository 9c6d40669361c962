/*
 * listen.h - where systemd does not run: accepts on the control socket and forks one monitor per connection.
 */
#ifndef AGENTSH_MONITOR_LISTEN_H
#define AGENTSH_MONITOR_LISTEN_H

#include "common/error.h"

/*
 * Listen at `socket_path` until SIGTERM or SIGINT. Sessions that are open then go on: their monitors do not need this
 * process. When a monitor was killed, what it left is swept. Needs root.
 */
must_check int listen_run(const char *socket_path, struct error *err);

#endif
