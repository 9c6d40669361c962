/* policy_report.c - policy issues as text and JSON. No privilege. */
#include "admin/policy_report.h"

#include <errno.h>
#include <string.h>

#define LINE_MAX_ISSUE 512

void policy_report_print(const struct policy_report *report, FILE *stream)
{
        for (size_t i = 0; i < report->count; i++) {
                char line[LINE_MAX_ISSUE];

                policy_issue_format(&report->issues[i], line, sizeof(line));
                (void)fprintf(stream, "%s: %s\n", report->issues[i].warning ? "warning" : "error", line);
        }
        if (report->more > 0)
                (void)fprintf(stream, "and %zu more\n", report->more);
}

void policy_report_json(const struct policy_report *report, struct json *json, const char *key)
{
        json_begin_array(json, key);
        for (size_t i = 0; i < report->count; i++) {
                const struct policy_issue *issue = &report->issues[i];

                json_begin_object(json, NULL);
                json_string(json, "severity", issue->warning ? "warning" : "error");
                json_string(json, "file", issue->file);
                json_number(json, "line", issue->line);
                json_string(json, "text", issue->text);
                json_end_object(json);
        }
        json_end_array(json);
}

void policy_report_first(const struct policy_report *report, char *ret, size_t size)
{
        ret[0] = '\0';
        for (size_t i = 0; i < report->count; i++) {
                if (report->issues[i].warning)
                        continue;
                policy_issue_format(&report->issues[i], ret, size);
                return;
        }
}

int policy_report_join(const struct policy_report *report, const char *prefix, struct error *err)
{
        char first[LINE_MAX_ISSUE];

        policy_report_first(report, first, sizeof(first));
        if (report->errors > 1)
                return error_text(err, EINVAL, "%s: %s (and %zu more)", prefix, first, report->errors - 1);
        return error_text(err, EINVAL, "%s: %s", prefix, first);
}

int policy_report_load(int config_fd, const char *account, struct policy *ret, struct policy_report *report,
                       struct policy_origin *origins)
{
        struct error err = ERROR_INIT;
        int r;

        *report = (struct policy_report){ 0 };
        r = policy_load(config_fd, account, ret, report, origins, &err);
        if (r == 0)
                return 0;
        if (report->errors == 0) {
                size_t at = report->count < POLICY_ISSUES_MAX ? report->count++ : POLICY_ISSUES_MAX - 1;
                struct policy_issue *issue = &report->issues[at];

                *issue = (struct policy_issue){ 0 };
                (void)snprintf(issue->file, sizeof(issue->file), "accounts/%s.ini", account);
                (void)snprintf(issue->text, sizeof(issue->text), "%.*s", (int)sizeof(issue->text) - 1, err.text);
                report->errors = 1;
        }
        return -EINVAL;
}
