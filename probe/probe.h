/*
 * probe.h - what the probes share: facts as lines "key=value", results of attempts as "name=ok" or "name=EPERM".
 */
#ifndef AGENTSH_PROBE_PROBE_H
#define AGENTSH_PROBE_PROBE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A result of -1 stands for errno; anything else is a success. */
static inline void probe_result(const char *name, long result)
{
        const char *word = result < 0 ? strerrorname_np(errno) : "ok";

        (void)printf("%s=%s\n", name, word != NULL ? word : "?");
}

#endif
