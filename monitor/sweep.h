/*
 * sweep.h - removes what sessions left whose monitor was killed: processes, cgroups, runtime directories.
 */
#ifndef AGENTSH_MONITOR_SWEEP_H
#define AGENTSH_MONITOR_SWEEP_H

#include "common/error.h"

/* Sessions whose monitor lives are not touched. Goes on through failures; the first one is returned. Needs root. */
must_check int sweep_run(struct error *err);

#endif
