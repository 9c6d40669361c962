/*
 * fuzz_policy.c - the policy loader against itself and against iniparser.
 *
 * Whatever the strict scan accepts, iniparser must read alike; whatever the loader accepts must, written out key by
 * key, load again to the very same policy.
 */
#include "policy/load.h"
#include "tests/fuzz/mutate.h"

#include <errno.h>
#include <stdio.h>

/* Values of every type, right and nearly right; the keys themselves come from the table. */
static const char *const values[] = {
        "yes",
        "no",
        "Yes",
        "0",
        "1",
        "-1",
        "007",
        "8",
        "0x10",
        "1.5",
        "0.05",
        "1.2345",
        "16M",
        "64k",
        "1T",
        "1 M",
        "99999999999G",
        "18446744073709551616",
        "12h",
        "1h30m",
        "30m1h",
        "5d",
        "1s2s",
        "2030-02-29",
        "2028-02-29",
        "never",
        "2026-13-01",
        "chroot",
        "jail",
        "vm",
        "host",
        "host:",
        "dir:/x",
        "readonly",
        "persistent",
        "ephemeral",
        "none",
        "allow",
        "strict",
        "default",
        "coder",
        "../coder",
        "sshd su-l",
        "sudo",
        "sshd sshd",
        "/bin/bash",
        "bin/bash",
        "/a/../b",
        "/a//b",
        "A* B",
        "LC_* TERM",
        "A=1 B=2",
        "A=\\ b",
        "A=",
        "=1",
        "A B=1",
        "\"quoted\"",
        "'x'",
        "x # y",
        "x ; y",
        "a\\\n b",
        "\xef\xbb\xbf",
        "\t",
        " ",
        "\r",
        "=",
        ":",
        "[",
        "]",
        "\n",
        ";c\n",
        "#c\n",
        "[bind x]\n",
        "[ limits ]\n",
        "[LIMITS]\n",
        "nokey\n",
        "x = y\n",
};

/* The table's key number `index` as a section and an assignment whose value follows, or is its default. */
static size_t insert_key(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        struct policy_key_info info;
        char line[512];
        unsigned state = seed;
        size_t at = mutate_line_start(data, mutate_random(&state) % (size + 1));
        int length;

        policy_key_describe(mutate_random(&state) % policy_key_count(), &info);
        length = snprintf(line, sizeof(line), "%s%s%s%s%s%s%s\n", mutate_random(&state) % 2 == 0 ? "[" : "; [",
                          info.section, "]\n", info.key, mutate_random(&state) % 8 == 0 ? "=" : " = ",
                          mutate_random(&state) % 8 == 0 ? "\"" : "",
                          values[mutate_random(&state) % MUTATE_COUNT(values)]);
        if (length < 0 || (size_t)length >= sizeof(line))
                return size;
        return mutate_splice(data, size, max, at, 0, line, (size_t)length);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        if (seed % 3 == 0)
                return insert_key(data, size, max, seed / 3);
        return mutate_text(data, size, max, seed / 3, values, MUTATE_COUNT(values));
}

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
