/*
 * fuzz_policy.c - the policy loader against itself and against iniparser.
 *
 * Whatever the strict scan accepts, iniparser must read alike; whatever the loader accepts must, written out key by
 * key, load again to the very same policy.
 */
#include "policy/load.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_report(const struct policy_report *report, int r)
{
        if ((r == -EINVAL) != (report->errors > 0))
                abort();
        for (size_t i = 0; i < report->count; i++) {
                if (report->issues[i].text[0] == '\0' || strncmp(report->issues[i].text, "iniparser ", 10) == 0)
                        abort();
                for (const char *c = report->issues[i].text; *c != '\0'; c++)
                        if (*c < 0x20 || *c == 0x7f)
                                abort();
        }
}

static size_t write_out(const struct policy *policy, char *ret, size_t size)
{
        const char *section = "";
        char value[8192];
        size_t used = 0;

        for (size_t i = 0; i < policy_key_count(); i++) {
                struct policy_key_info info;

                policy_key_describe(i, &info);
                if (!info.supported)
                        continue;
                if (strcmp(section, info.section) != 0)
                        used += (size_t)snprintf(ret + used, size - used, "[%s]\n", info.section);
                section = info.section;
                policy_key_format(policy, i, value, sizeof(value));
                used += (size_t)snprintf(ret + used, size - used, "%s=%s\n", info.key, value);
        }
        return used;
}

/* Bytes behind a shorter later list may differ; compare what counts. */
static int same(const struct policy *a, const struct policy *b)
{
        char left[32768], right[32768];
        size_t left_size = write_out(a, left, sizeof(left)), right_size = write_out(b, right, sizeof(right));

        return left_size == right_size && memcmp(left, right, left_size) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct policy policy, again;
        static struct policy_report report, second;
        static char text[32768];
        struct error err = ERROR_INIT;
        int r = policy_load_text((const char *)data, size, "fuzz", "agent01", &policy, &report, &err);

        if (r != 0 && r != -EINVAL)
                abort();
        check_report(&report, r);
        if (r != 0)
                return 0;
        r = policy_load_text(text, write_out(&policy, text, sizeof(text)), "again", "agent01", &again, &second, &err);
        if (r != 0 || !same(&policy, &again) || policy.memory != again.memory || policy.cpus != again.cpus ||
            policy.expires != again.expires || policy.session_time != again.session_time)
                abort();
        return 0;
}
