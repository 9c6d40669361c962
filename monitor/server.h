/*
 * server.h - serves one connection of the PAM module: requests in order, then one session.
 */
#ifndef AGENTSH_MONITOR_SERVER_H
#define AGENTSH_MONITOR_SERVER_H

#include "common/error.h"

/*
 * Serve `connection` (owned by the caller) until the PAM handle behind it is done. Returns 0 when all went as the
 * protocol has it, a refusal included; -errno when something was left behind or could not be done. Needs root.
 */
must_check int server_run(int connection, struct error *err);

#endif
