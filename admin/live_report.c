/* live_report.c - collects and shows the properties of a live session. No privilege. */
#include "admin/live_report.h"

#include "common/error.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

void live_add(struct live_report *report, bool good, const char *group, const char *name, const char *expected,
              const char *found)
{
        struct live_property *grown = reallocarray(report->item, report->count + 1, sizeof(*grown));
        struct live_property *property;

        if (grown == NULL) {
                report->lost = true;
                return;
        }
        report->item = grown;
        property = &grown[report->count++];
        *property = (struct live_property){ .good = good };
        (void)snprintf(property->group, sizeof(property->group), "%s", group);
        escape_text(property->name, sizeof(property->name), name);
        escape_text(property->expected, sizeof(property->expected), expected);
        escape_text(property->found, sizeof(property->found), found != NULL ? found : "nothing, or more than one");
}

static bool same_words(const char *a, const char *b)
{
        for (;;) {
                size_t length;

                a += strspn(a, BLANKS);
                b += strspn(b, BLANKS);
                length = strcspn(a, BLANKS);
                if (length != strcspn(b, BLANKS) || strncmp(a, b, length) != 0)
                        return false;
                if (length == 0)
                        return true;
                a += length;
                b += length;
        }
}

void live_equal(struct live_report *report, const char *group, const char *name, const char *expected,
                const char *found)
{
        live_add(report, found != NULL && same_words(expected, found), group, name, expected, found);
}

size_t live_report_bad(const struct live_report *report)
{
        size_t bad = 0;

        for (size_t i = 0; i < report->count; i++)
                bad += !report->item[i].good;
        return bad;
}

bool live_report_good(const struct live_report *report)
{
        return report->count > 0 && !report->lost && live_report_bad(report) == 0;
}

void live_report_print(const struct live_report *report, FILE *stream)
{
        for (size_t i = 0; i < report->count; i++) {
                const struct live_property *property = &report->item[i];

                if (property->good)
                        (void)fprintf(stream, "ok   %-10s  %s: %s\n", property->group, property->name, property->found);
                else
                        (void)fprintf(stream, "bad  %-10s  %s: expected %s, found %s\n", property->group,
                                      property->name, property->expected, property->found);
        }
        (void)fprintf(stream, "\n%zu properties, %zu bad\n", report->count, live_report_bad(report));
        if (report->lost)
                (void)fputs("Memory ran out: not everything was looked at.\n", stream);
}

void live_report_json(const struct live_report *report, struct json *json, const char *key)
{
        json_begin_array(json, key);
        for (size_t i = 0; i < report->count; i++) {
                json_begin_object(json, NULL);
                json_bool(json, "good", report->item[i].good);
                json_string(json, "group", report->item[i].group);
                json_string(json, "property", report->item[i].name);
                json_string(json, "expected", report->item[i].expected);
                json_string(json, "found", report->item[i].found);
                json_end_object(json);
        }
        json_end_array(json);
}

void live_report_done(struct live_report *report)
{
        free(report->item);
        *report = (struct live_report){ 0 };
}
