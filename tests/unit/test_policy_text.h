/*
 * test_policy_text.h - for the tests of the policy loader: load a text, expect one error or none.
 */
#ifndef AGENTSH_TESTS_UNIT_TEST_POLICY_TEXT_H
#define AGENTSH_TESTS_UNIT_TEST_POLICY_TEXT_H

#include "policy/load.h"
#include "policy/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct policy policy;
static struct policy_report report;

static inline int load_bytes(const char *text, size_t size)
{
        struct error err = ERROR_INIT;
        int r = policy_load_text(text, size, "a.ini", "agent01", &policy, &report, &err);

        assert_int_equal(r == 0, err.text[0] == '\0');
        return r;
}

static inline int load(const char *text)
{
        return load_bytes(text, strlen(text));
}

/* Exactly this one error. */
static inline void assert_refused_bytes(const char *text, size_t size, const char *expected)
{
        char line[512];
        int r = load_bytes(text, size);

        if (report.count > 0)
                policy_issue_format(&report.issues[0], line, sizeof(line));
        else
                (void)snprintf(line, sizeof(line), "nothing");
        assert_string_equal(line, expected);
        assert_int_equal(r, -EINVAL);
        assert_int_equal(report.errors, 1);
        assert_int_equal(report.count, 1);
}

static inline void assert_refused(const char *text, const char *expected)
{
        assert_refused_bytes(text, strlen(text), expected);
}

static inline void assert_valid(const char *text)
{
        char line[512] = "";
        int r = load(text);

        if (report.count > 0)
                policy_issue_format(&report.issues[0], line, sizeof(line));
        assert_string_equal(line, "");
        assert_int_equal(r, 0);
}

#endif
