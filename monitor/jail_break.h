/*
 * jail_break.h - in a build with FAULTS=1, takes single properties of a finished view away again, so that the self-test
 * and the probes can show that they notice. Nothing of it is in the programs that are installed.
 */
#ifndef AGENTSH_MONITOR_JAIL_BREAK_H
#define AGENTSH_MONITOR_JAIL_BREAK_H

#include "common/error.h"

/* What AGENTSH_OMIT has of "nosuid of PATH", "mask of PATH" and so on (fault_switches.def), behind step `step`. */
#ifdef AGENTSH_FAULTS
must_check int jail_break(const char *step, struct error *err);
#else
#define jail_break(step, err) 0
#endif

#endif
