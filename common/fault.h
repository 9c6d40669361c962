/*
 * fault.h - lets a test make one step of a session's set-up fail. Compiled away but in a build with FAULTS=1.
 *
 *   r = FAULT_POINT("mount proc") ? error_errno(err, EIO, "...") : mount_proc(err);
 *
 * In a FAULTS=1 build the step whose name stands in the environment variable AGENTSH_FAULT of the monitor fails;
 * AGENTSH_OMIT names a step that is silently left out, to prove that a test notices. Both are lists with commas: two
 * protections may stand for each other.
 */
#ifndef AGENTSH_COMMON_FAULT_H
#define AGENTSH_COMMON_FAULT_H

#include <stdbool.h>

#ifdef AGENTSH_FAULTS
#include <stdlib.h>
#include <string.h>

/* Whether the list in `variable` has `name`. */
static inline bool fault_named(const char *variable, const char *name)
{
        const char *list = secure_getenv(variable);
        size_t length = strlen(name);

        while (list != NULL && (strncmp(list, name, length) != 0 || (list[length] != ',' && list[length] != '\0'))) {
                list = strchr(list, ',');
                list = list != NULL ? list + 1 : NULL;
        }
        return list != NULL;
}
#define FAULT_POINT(step) fault_named("AGENTSH_FAULT", step)
#define OMIT_POINT(step)  fault_named("AGENTSH_OMIT", step)
#else
#define FAULT_POINT(step) false
#define OMIT_POINT(step)  false
#endif

#endif
