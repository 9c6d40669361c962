/*
 * privilege.h - what the monitor gives up once the isolation stands.
 */
#ifndef AGENTSH_MONITOR_PRIVILEGE_H
#define AGENTSH_MONITOR_PRIVILEGE_H

#include "common/error.h"

/*
 * Keep CAP_KILL alone, in the permitted and effective sets, with an empty bounding and ambient set, and prove that
 * nothing else can be had back. The process stays uid 0: that is what owns cgroups and the runtime directory.
 */
must_check int privilege_reduce(struct error *err);

#endif
