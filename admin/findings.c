/* findings.c - collects and shows findings. No privilege. */
#include "admin/findings.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void finding_add(struct findings *findings, enum severity severity, const char *check, const char *fmt, ...)
{
        struct finding *grown = reallocarray(findings->item, findings->count + 1, sizeof(*grown));
        struct finding *finding;
        char text[sizeof(grown->text)];
        va_list arguments;

        if (grown == NULL) {
                findings->lost = true;
                return;
        }
        findings->item = grown;
        finding = &grown[findings->count++];
        *finding = (struct finding){ .severity = severity };
        (void)snprintf(finding->check, sizeof(finding->check), "%s", check);
        va_start(arguments, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, arguments);
        va_end(arguments);
        escape_text(finding->text, sizeof(finding->text), text);
}

void finding_remedy(struct findings *findings, const char *fmt, ...)
{
        char text[sizeof(findings->item->remedy)];
        va_list arguments;

        if (findings->count == 0 || findings->lost)
                return;
        va_start(arguments, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, arguments);
        va_end(arguments);
        escape_text(findings->item[findings->count - 1].remedy, sizeof(findings->item->remedy), text);
}

void findings_give(struct findings *findings, size_t first, const char *account)
{
        for (size_t i = first; i < findings->count; i++)
                (void)snprintf(findings->item[i].account, sizeof(findings->item[i].account), "%s", account);
}

void findings_repeat(struct findings *findings, size_t first, size_t last, const char *account)
{
        for (size_t i = first; i < last; i++) {
                struct finding copy = findings->item[i];

                if (copy.severity < FINDING_WARNING)
                        continue;
                finding_add(findings, copy.severity, copy.check, "%s", copy.text);
                if (findings->lost)
                        return;
                findings->item[findings->count - 1] = copy;
                findings->item[findings->count - 1].repeated = true;
                findings_give(findings, findings->count - 1, account);
        }
}

const char *severity_name(enum severity severity)
{
        static const char *const NAMES[] = { "ok", "note", "warning", "bad" };

        return NAMES[severity];
}

size_t findings_count(const struct findings *findings, enum severity severity)
{
        size_t count = 0;

        for (size_t i = 0; i < findings->count; i++)
                if (findings->item[i].severity == severity && !findings->item[i].repeated)
                        count++;
        return count;
}

size_t findings_count_of(const struct findings *findings, enum severity severity, const char *account)
{
        size_t count = 0;

        for (size_t i = 0; i < findings->count; i++)
                if (findings->item[i].severity == severity && strcmp(findings->item[i].account, account) == 0)
                        count++;
        return count;
}

void findings_print(const struct findings *findings, FILE *stream)
{
        for (size_t i = 0; i < findings->count; i++) {
                const struct finding *finding = &findings->item[i];

                if (finding->repeated)
                        continue;
                (void)fprintf(stream, "%-7s  %-8s  %s\n", severity_name(finding->severity), finding->check,
                              finding->text);
                if (finding->remedy[0] != '\0')
                        (void)fprintf(stream, "%-7s  %-8s    remedy: %s\n", "", "", finding->remedy);
        }
}

void findings_print_counts(const struct findings *findings, FILE *stream)
{
        (void)fprintf(stream, "\n%zu bad, %zu warnings, %zu notes, %zu ok\n", findings_count(findings, FINDING_BAD),
                      findings_count(findings, FINDING_WARNING), findings_count(findings, FINDING_NOTE),
                      findings_count(findings, FINDING_OK));
        if (findings->lost)
                (void)fputs("Memory ran out: there may be more.\n", stream);
}

void findings_json(const struct findings *findings, struct json *json, const char *key)
{
        json_begin_array(json, key);
        for (size_t i = 0; i < findings->count; i++) {
                const struct finding *finding = &findings->item[i];

                if (finding->repeated)
                        continue;
                json_begin_object(json, NULL);
                json_string(json, "severity", severity_name(finding->severity));
                json_string(json, "check", finding->check);
                json_string(json, "account", finding->account[0] != '\0' ? finding->account : NULL);
                json_string(json, "text", finding->text);
                json_string(json, "remedy", finding->remedy[0] != '\0' ? finding->remedy : NULL);
                json_end_object(json);
        }
        json_end_array(json);
}

void findings_done(struct findings *findings)
{
        free(findings->item);
        *findings = (struct findings){ 0 };
}
