/*
 * steps.h - a change to the system that is made whole or not at all: numbered steps, each beside its undoing.
 */
#ifndef AGENTSH_ADMIN_STEPS_H
#define AGENTSH_ADMIN_STEPS_H

#include "common/error.h"

#include <stddef.h>

struct account_plan;

struct step {
        const char *name;
        /* Make the change. On failure nothing of this step is left. */
        int (*apply)(struct account_plan *plan, struct error *err);
        /* Undo a change that was made. NULL: there is nothing to undo. */
        int (*undo)(struct account_plan *plan, struct error *err);
};

/*
 * Apply all steps in order with SIGINT, SIGTERM, SIGHUP and SIGQUIT held back. When one fails, those before it are
 * undone in reverse order, *err is the failure, and each step that cannot be undone is reported on stderr with what
 * is left.
 */
must_check int steps_run(const struct step *steps, size_t count, struct account_plan *plan, struct error *err);

#endif
