/*
 * doctor.h - the groups of checks of `agentshctl doctor`. Each adds its findings and changes nothing. Needs root.
 */
#ifndef AGENTSH_ADMIN_DOCTOR_H
#define AGENTSH_ADMIN_DOCTOR_H

#include "admin/accounts.h"
#include "admin/findings.h"
#include "policy/policy.h"

/* Kernel features and switches. `nested`: an account's policy lets it make user namespaces. */
void doctor_kernel(struct findings *findings, bool nested);

/* What agentsh-monitor says of cgroups and tiers, also for each policy's limits; the control socket. */
void doctor_monitor(struct findings *findings, const struct account_list *agents);

/* The policy of an account, when it is valid. */
bool doctor_load_policy(const char *account, struct policy *ret);

/* Which tier each account's logins get and why, and whether this host can run it. */
void doctor_tier(struct findings *findings, const struct account_list *agents);

/* The module, and the stack of every service that can log in. */
void doctor_pam(struct findings *findings);

/* The egress guard: loaded, in step with the accounts, and refusing when it is tried. */
void doctor_guard(struct findings *findings, const struct account_list *agents);

/* What sshd makes of its configuration for each agent. */
void doctor_sshd(struct findings *findings, const struct account_list *agents);

/* The user database: shell, groups, passwords; policies without an account. */
void doctor_accounts(struct findings *findings, const struct account_list *agents);

/* Homes, keys, crontabs, linger: what lies in files. */
void doctor_files(struct findings *findings, const struct account_list *agents);

/* Each account's tier and what is open for it, from the findings: a table, or the member "accounts". */
void doctor_print_summary(const struct findings *findings, const struct account_list *agents);
void doctor_json_summary(const struct findings *findings, const struct account_list *agents, struct json *json);

#endif
