/*
 * report.h - collects what is wrong with policy files. No allocation, no output.
 */
#ifndef AGENTSH_POLICY_REPORT_H
#define AGENTSH_POLICY_REPORT_H

#include "policy/policy.h"

#include <stdbool.h>

/* A place in a file; line 0 is the file as a whole. */
struct place {
        const char *file;
        unsigned line;
};

/* Add an issue. Control characters and bytes beyond ASCII are escaped; what is too long is cut. */
void report_error(struct policy_report *report, struct place place, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
void report_warning(struct policy_report *report, struct place place, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/*
 * The end of a load: 0 without errors, else -EINVAL and the first error, with the number of further ones, in *err.
 */
must_check int report_verdict(const struct policy_report *report, struct error *err);

#endif
