/*
 * live_report.h - the properties of a live session: what was expected, and what was found. No privilege.
 */
#ifndef AGENTSH_ADMIN_LIVE_REPORT_H
#define AGENTSH_ADMIN_LIVE_REPORT_H

#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct live_property {
        bool good;
        char group[16], name[96];
        char expected[192], found[256]; /* found: escaped */
};

struct live_report {
        size_t count;
        struct live_property *item;
        bool lost; /* memory ran out: the result says too little */
};

/* `found` may be what an agent wrote, or NULL for nothing at all. */
void live_add(struct live_report *report, bool good, const char *group, const char *name, const char *expected,
              const char *found);

/* Good when both texts are the same but for the width of blanks. */
void live_equal(struct live_report *report, const char *group, const char *name, const char *expected,
                const char *found);

size_t live_report_bad(const struct live_report *report);
/* Whether nothing is bad, nothing was lost and something was looked at. */
bool live_report_good(const struct live_report *report);
void live_report_print(const struct live_report *report, FILE *stream);
void live_report_json(const struct live_report *report, struct json *json, const char *key);
void live_report_done(struct live_report *report);

#define cleanup_live_report __attribute__((cleanup(live_report_done)))

#endif
