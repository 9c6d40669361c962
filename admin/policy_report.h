/*
 * policy_report.h - shows what the policy loader found. No privilege.
 */
#ifndef AGENTSH_ADMIN_POLICY_REPORT_H
#define AGENTSH_ADMIN_POLICY_REPORT_H

#include "common/error.h"
#include "common/json.h"
#include "policy/policy.h"

#include <stdio.h>

/* One line per issue, "error: " or "warning: " in front. */
void policy_report_print(const struct policy_report *report, FILE *stream);

/* The same as a JSON array member `key`. */
void policy_report_json(const struct policy_report *report, struct json *json, const char *key);

/* Fill *err with `prefix`, the first error and how many more there are. Returns -EINVAL. */
int policy_report_join(const struct policy_report *report, const char *prefix, struct error *err);

/* The first error's line, or, with none, "". */
void policy_report_first(const struct policy_report *report, char *ret, size_t size);

/*
 * Load an account's policy for showing: 0 when valid, -EINVAL when not. Whatever fails before the files could be
 * judged (a directory of the wrong owner) becomes an issue of the report too, so that report->errors says it all.
 */
must_check int policy_report_load(int config_fd, const char *account, struct policy *ret, struct policy_report *report,
                                  struct policy_origin *origins);

#endif
