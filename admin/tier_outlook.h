/*
 * tier_outlook.h - what a login of an account would get: asked of the monitor, whose own code decides it at a login.
 */
#ifndef AGENTSH_ADMIN_TIER_OUTLOOK_H
#define AGENTSH_ADMIN_TIER_OUTLOOK_H

#include "common/error.h"
#include "policy/policy.h"

#include <stdbool.h>

struct tier_outlook {
        char tier[16];
        char why[96];       /* "risk = high beats tier = jail" */
        bool refused;       /* this host cannot run it */
        char reason[512];   /* refused: why */
        char remedy[512];   /* refused: what to do, as findings.h has it */
        char root[256];     /* tier vm, not refused: whether the image of its root is there; "" for other tiers */
        char template[256]; /* tier vm, not refused: whether its template is there; "" for other tiers */
};

/*
 * `account` is the name of a policy file, which may be a draft's; `shown` is what texts call it. Runs the monitor's
 * --probe. Needs root.
 */
must_check int tier_outlook_read(const char *account, const char *shown, const struct policy *policy,
                                 struct tier_outlook *ret, struct error *err);

#endif
