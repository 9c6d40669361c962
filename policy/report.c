/* report.c - collects issues in a fixed table. Pure. */
#include "policy/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void add(struct policy_report *report, bool warning, struct place place, const char *fmt, va_list ap)
        __attribute__((format(printf, 4, 0)));

static void add(struct policy_report *report, bool warning, struct place place, const char *fmt, va_list ap)
{
        char raw[sizeof(report->issues[0].text)];
        struct policy_issue *issue;

        if (!warning)
                report->errors++;
        if (report->count == POLICY_ISSUES_MAX) {
                report->more++;
                return;
        }
        issue = &report->issues[report->count++];
        issue->warning = warning;
        issue->line = place.line;
        escape_text(issue->file, sizeof(issue->file), place.file);
        if (vsnprintf(raw, sizeof(raw), fmt, ap) < 0)
                raw[0] = '\0';
        escape_text(issue->text, sizeof(issue->text), raw);
}

void report_error(struct policy_report *report, struct place place, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        add(report, false, place, fmt, ap);
        va_end(ap);
}

void report_warning(struct policy_report *report, struct place place, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        add(report, true, place, fmt, ap);
        va_end(ap);
}

int report_verdict(const struct policy_report *report, struct error *err)
{
        char text[ERROR_TEXT_MAX];

        if (report->errors == 0)
                return 0;
        for (size_t i = 0; i < report->count; i++) {
                if (report->issues[i].warning)
                        continue;
                policy_issue_format(&report->issues[i], text, sizeof(text));
                if (report->errors == 1)
                        return error_text(err, EINVAL, "%s", text);
                return error_text(err, EINVAL, "%s (and %zu more)", text, report->errors - 1);
        }
        return error_text(err, EINVAL, "the policy has %zu errors", report->errors);
}

void policy_issue_format(const struct policy_issue *issue, char *ret, size_t size)
{
        if (issue->line == 0)
                (void)snprintf(ret, size, "%s: %s", issue->file, issue->text);
        else
                (void)snprintf(ret, size, "%s:%u: %s", issue->file, issue->line, issue->text);
}
