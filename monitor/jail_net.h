/*
 * jail_net.h - the monitor's side of the network namespace.
 */
#ifndef AGENTSH_MONITOR_JAIL_NET_H
#define AGENTSH_MONITOR_JAIL_NET_H

#include "common/error.h"

/*
 * Make a network namespace with its loopback interface up and nothing else. The calling process is in it for a moment
 * and back in its own when this returns; if it cannot go back, that is an error, and the process is to end.
 * Needs CAP_SYS_ADMIN and CAP_NET_ADMIN.
 */
must_check int net_make_namespace(int *ret_fd, struct error *err);

#endif
