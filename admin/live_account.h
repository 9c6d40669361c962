/*
 * live_account.h - whose session is to be opened, and by which PAM service. Needs root.
 */
#ifndef AGENTSH_ADMIN_LIVE_ACCOUNT_H
#define AGENTSH_ADMIN_LIVE_ACCOUNT_H

#include "admin/accounts.h"
#include "policy/policy.h"

/* -ENOENT: there is no such account. -EPERM: it is no agent, or root. */
must_check int live_find_agent(const char *name, struct account *ret, struct error *err);

/* Its policy, as a login would load it. -EINVAL with the first of the reasons when it is not valid. */
must_check int live_load_policy(const char *name, struct policy *ret, struct error *err);

/* The way that root itself would take, if the policy has it; else the first that it has. */
const char *live_pick_service(const struct policy *policy);

#endif
