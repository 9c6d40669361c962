/*
 * probe.h - what this host can do, for `agentsh-monitor --probe` and through it for `agentshctl doctor`.
 */
#ifndef AGENTSH_MONITOR_PROBE_H
#define AGENTSH_MONITOR_PROBE_H

#include <stdio.h>

/* Print one line "ok|note|fail<TAB>check<TAB>text" per check. Returns whether the default tier can run. Needs root. */
int probe_print(FILE *stream);

#endif
