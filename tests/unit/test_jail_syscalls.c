/*
 * test_jail_syscalls.c - how many system calls an agent can reach, counted by a probe inside, in both tiers and under
 * both filters. A rise fails. Root, x86-64.
 */
#include "common/cleanup.h"
#include "tests/lib/jail_facts.h"

#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As libseccomp 2.5 knows them. Raise one only together with a reason in the commit; lower it when there are fewer. */
#define DEFAULT_MAX 283
#define STRICT_MAX  150

static struct jail_lab lab;

static int close_lab(void **state)
{
        (void)state;
        if (lab.directory[0] != '\0')
                jail_lab_close(&lab);
        memset(&lab, 0, sizeof(lab));
        return 0;
}

static char *run_probe(enum policy_tier tier, enum policy_seccomp seccomp)
{
        struct error err = ERROR_INIT;
        char problem[512] = "", *text;

        jail_lab_need_root();
        if (jail_lab_open(&lab, &err) < 0)
                fail_msg("%s", err.text);
        lab.policy.tier = tier;
        lab.policy.seccomp = seccomp;
        if (jail_lab_start(&lab, &err) < 0)
                fail_msg("%s", err.text);
        text = jail_facts_probe(&lab, "probe_syscalls", NULL, NULL, problem, sizeof(problem));
        if (text == NULL)
                fail_msg("%s", problem);
        (void)close_lab(NULL);
        return text;
}

static int count_of(const char *text, const char *key)
{
        char value[32];

        jail_lab_fact(text, key, value, sizeof(value));
        return atoi(value);
}

/* Calls on the list that only a newer libseccomp knows. */
static int newer(void)
{
        return seccomp_syscall_resolve_name("mseal") >= 0;
}

static bool is_reached(const char *text, const char *name)
{
        int number = seccomp_syscall_resolve_name(name);
        char line[64];

        assert_true(number >= 0);
        (void)snprintf(line, sizeof(line), "call %d=reached", number);
        return jail_facts_has_line(text, line);
}

static void check_counts(const char *text, int limit)
{
        static const char *const never[] = { "keyctl", "add_key", "request_key",    "unshare",         "setns",
                                             "mount",  "bpf",     "io_uring_setup", "perf_event_open", "clone3" };
        static const char *const always[] = { "read", "clone", "execve", "socket", "personality", "seccomp" };
        int reached = count_of(text, "reached");

        /* Whatever the process was meant to be, something was counted, and all numbers have one result. */
        assert_true(count_of(text, "numbers") > 350);
        assert_int_equal(count_of(text, "?"), 0);
        assert_int_equal(count_of(text, "numbers"),
                         reached + count_of(text, "EPERM") + count_of(text, "ENOSYS") + count_of(text, "EINVAL"));
        print_message("%d system calls are reached\n", reached);
        if (reached > limit)
                fail_msg("%d system calls are reached, at most %d were", reached, limit);
        for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
                if (is_reached(text, never[i]))
                        fail_msg("%s is reached", never[i]);
        for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
                if (!is_reached(text, always[i]))
                        fail_msg("%s is not reached", always[i]);
}

static void numbers_are_pinned(void **state)
{
        const struct {
                enum policy_seccomp seccomp;
                int limit;
        } kinds[] = { { SECCOMP_DEFAULT, DEFAULT_MAX + newer() }, { SECCOMP_STRICT, STRICT_MAX } };

        (void)state;
#ifndef __x86_64__
        skip();
#endif
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                cleanup_free char *jail = run_probe(TIER_JAIL, kinds[i].seccomp);
                cleanup_free char *chroot = run_probe(TIER_CHROOT, kinds[i].seccomp);

                check_counts(jail, kinds[i].limit);
                assert_string_equal(jail, chroot);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(numbers_are_pinned, close_lab) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
