/* test_admin_policy_edit.c - one key of a policy's text is set, and nothing else changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/policy_edit.h"

#include <stdlib.h>
#include <string.h>

static void expect(const char *text, const char *wanted)
{
        struct error err = ERROR_INIT;
        char *edited = NULL;

        assert_int_equal(policy_edit_set(text, strlen(text), "account", "risk", "high", &edited, &err), 0);
        assert_string_equal(edited, wanted);
        free(edited);
}

static void test_in_its_place(void **state)
{
        (void)state;
        expect("[account]\nrisk = normal\n", "[account]\nrisk = high\n");
        expect("# a\n\n[account]\n; b\n  risk=normal  \ntier = jail\n# c\n",
               "# a\n\n[account]\n; b\nrisk = high\ntier = jail\n# c\n");
        expect("[limits]\nmemory = 1G\n[ account ]\nrisk = normal",
               "[limits]\nmemory = 1G\n[ account ]\nrisk = high\n");
        expect("[account]\n# risk = normal\nrisk = high\n", "[account]\n# risk = normal\nrisk = high\n");
}

static void test_behind_the_heading(void **state)
{
        (void)state;
        expect("[account]\n", "[account]\nrisk = high\n");
        expect("[account]", "[account]\nrisk = high\n");
        expect("# a\n[account]\ntier = jail\n[limits]\nmemory = 1G\n",
               "# a\n[account]\nrisk = high\ntier = jail\n[limits]\nmemory = 1G\n");
}

static void test_a_new_section(void **state)
{
        (void)state;
        expect("", "\n[account]\nrisk = high\n");
        expect("# nothing", "# nothing\n\n[account]\nrisk = high\n");
        expect("[limits]\nmemory = 1G\n", "[limits]\nmemory = 1G\n\n[account]\nrisk = high\n");
}

static void test_what_is_no_policy(void **state)
{
        static const char *const texts[] = { "risk = normal\n", "[account\n", "[account]\nrisk\n",
                                             "[account]\nrisk = normal\nrisk = high\n" };
        struct error err = ERROR_INIT;
        char *edited = NULL;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_true(policy_edit_set(texts[i], strlen(texts[i]), "account", "risk", "high", &edited, &err) < 0);
        assert_true(policy_edit_set("[account]\n\0x", 12, "account", "risk", "high", &edited, &err) < 0);
        assert_null(edited);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_in_its_place),
                                            cmocka_unit_test(test_behind_the_heading),
                                            cmocka_unit_test(test_a_new_section),
                                            cmocka_unit_test(test_what_is_no_policy) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
