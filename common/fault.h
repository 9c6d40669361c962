/*
 * fault.h - lets a test make a step of a session's set-up fail, or leave a protection out. Compiled away but in a
 * build with FAULTS=1.
 *
 *   r = FAULT_POINT("mount proc") ? error_errno(err, EIO, "...") : mount_proc(err);
 *   if (OMIT_POINT("bounding set"))
 *           return 0;
 *
 * The environment variables AGENTSH_FAULT and AGENTSH_OMIT of the program name what fails, and what is silently left
 * out to prove that a test notices: each a list with commas, since two protections may stand for each other. Names are
 * those of the steps, and those in fault_switches.def of what is no step of its own.
 */
#ifndef AGENTSH_COMMON_FAULT_H
#define AGENTSH_COMMON_FAULT_H

#include <stdbool.h>

#ifdef AGENTSH_FAULTS
#include <stdio.h>
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

static inline bool fault_omits(const char *what, const char *name)
{
        char text[128];

        (void)snprintf(text, sizeof(text), "%s %s", what, name);
        return fault_named("AGENTSH_OMIT", text);
}
#define FAULT_POINT(step)         fault_named("AGENTSH_FAULT", step)
#define OMIT_POINT(step)          fault_named("AGENTSH_OMIT", step)
#define OMIT_POINT_OF(what, name) fault_omits(what, name)
#else
#define FAULT_POINT(step)         false
#define OMIT_POINT(step)          false
#define OMIT_POINT_OF(what, name) false
#endif

#endif
