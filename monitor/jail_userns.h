/*
 * jail_userns.h - the monitor's side of the user namespace: its id maps.
 */
#ifndef AGENTSH_MONITOR_JAIL_USERNS_H
#define AGENTSH_MONITOR_JAIL_USERNS_H

#include "common/error.h"
#include "monitor/jail.h"

#include <sys/types.h>

/*
 * Write the maps of process `pid` (an unreaped child in a new user namespace): the agent's id to itself and nothing
 * else, or under fake_root 0 to the agent and 1..65535 to its subordinate range. Needs CAP_SETUID and CAP_SETGID.
 */
must_check int userns_write_maps(const struct jail *jail, pid_t pid, struct error *err);

#endif
