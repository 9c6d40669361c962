/*
 * doctor_live.h - `agentshctl doctor --live NAME`. Needs root.
 */
#ifndef AGENTSH_ADMIN_DOCTOR_LIVE_H
#define AGENTSH_ADMIN_DOCTOR_LIVE_H

#include <stdbool.h>

/* Open a session of the account, test it from inside and outside, print the result. Returns an exit status. */
int doctor_live(const char *name, bool as_json);

#endif
