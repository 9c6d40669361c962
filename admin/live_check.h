/*
 * live_check.h - compares a live session with what its policy promises. Each adds its properties to the report.
 */
#ifndef AGENTSH_ADMIN_LIVE_CHECK_H
#define AGENTSH_ADMIN_LIVE_CHECK_H

#include "admin/accounts.h"
#include "admin/live_facts.h"
#include "admin/live_report.h"
#include "common/session_state.h"
#include "policy/policy.h"

struct live_check {
        const struct account *account;
        const struct policy *policy;
        const struct session_state *state;
        const struct live_facts *facts;
        struct live_report *report;
};

/* What the probe says of itself: ids, capabilities, filters, signals, limits. */
void live_check_identity(const struct live_check *check);

/* What it sees: mounts, processes, network, fds, devices, accounts, hidden places. */
void live_check_mounts(const struct live_check *check);
void live_check_view(const struct live_check *check);

/* What it tried, against probe/attempts.def. */
void live_check_attempts(const struct live_check *check);

/* What the host sees of the session's processes, whatever they say themselves; while the session lives. Root. */
void live_check_outside(const struct live_check *check);

/* The policy's limits, as the kernel has them for the session's control groups; while it lives. Root. */
void live_check_limits(const struct live_check *check);

#endif
