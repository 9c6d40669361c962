/*
 * host_policy.h - policies that no session asks for: for what --probe, --probe-account and --make look at. Root.
 */
#ifndef AGENTSH_MONITOR_HOST_POLICY_H
#define AGENTSH_MONITOR_HOST_POLICY_H

#include "common/error.h"
#include "policy/policy.h"

/* The policy of an account of this host. */
must_check int host_policy_load(const char *account, struct policy *ret, struct error *err);

/* A policy of built-in defaults, as an empty account file gives it. */
must_check int host_policy_default(struct policy *ret, struct error *err);

#endif
