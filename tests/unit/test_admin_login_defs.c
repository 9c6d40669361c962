/* test_admin_login_defs.c - login.defs and subuid, hostile lines included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/login_defs.h"

#include <stdlib.h>
#include <string.h>

static void test_login_defs(void **state)
{
        (void)state;
        assert_int_equal(login_defs_parse("", "UID_MIN", 7), 7);
        assert_int_equal(login_defs_parse("UID_MIN 1000\n", "UID_MIN", 7), 1000);
        assert_int_equal(login_defs_parse("  UID_MIN\t\t 500", "UID_MIN", 7), 500);
        assert_int_equal(login_defs_parse("#UID_MIN 500\n", "UID_MIN", 7), 7);
        assert_int_equal(login_defs_parse("SYS_UID_MIN 100\nUID_MIN_X 3\n", "UID_MIN", 7), 7);
        assert_int_equal(login_defs_parse("UID_MIN 1\nUID_MIN 2\n", "UID_MIN", 7), 2);
        assert_int_equal(login_defs_parse("UID_MIN 5x\n", "UID_MIN", 7), 7);
        assert_int_equal(login_defs_parse("UID_MIN -5\nUID_MIN\nUID_MIN ", "UID_MIN", 7), 7);
        assert_int_equal(login_defs_parse("UID_MIN 99999999999999999999\n", "UID_MIN", 7), 7);
}

static void test_subid(void **state)
{
        struct subid_range range = { 1, 1 };

        (void)state;
        assert_true(subid_parse("agent01:100000:65536\n", "agent01", 1001, &range));
        assert_int_equal(range.start, 100000);
        assert_int_equal(range.count, 65536);
        assert_true(subid_parse("a:1:2\n1001:200000:10", "agent01", 1001, &range));
        assert_int_equal(range.start, 200000);
        assert_true(subid_parse("agent01:100000:10\nagent01:300000:65536\nagent01:500000:9\n", "agent01", 1, &range));
        assert_int_equal(range.start, 300000);
}

static void test_subid_refused(void **state)
{
        static const char *const TEXTS[] = {
                "",
                "agent01",
                "agent01:",
                "agent01:1",
                "agent01::",
                "agent01:0:65536\n",
                "agent01:100000:0\n",
                "agent01:-1:65536\n",
                "agent01:4294967000:65536\n",
                "agent01:18446744073709551615:65536\n",
                "agent01:100000:65536:1\n",
                "agent01 :100000:65536\n",
                "agent011:100000:65536\n",
                "xagent01:100000:65536\n",
                "#agent01:100000:65536\n",
                ":::\n\n:",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
                struct subid_range range = { 77, 77 };

                assert_false(subid_parse(TEXTS[i], "agent01", 1001, &range));
                assert_int_equal(range.start, 77);
        }
}

static void test_subid_long_line_is_passed_over(void **state)
{
        struct subid_range range;
        char text[2000];

        (void)state;
        memset(text, 'x', 1500);
        (void)strcpy(text + 1500, ":1:1\nagent01:100000:65536\n");
        assert_true(subid_parse(text, "agent01", 1001, &range));
        assert_int_equal(range.start, 100000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_login_defs),
                cmocka_unit_test(test_subid),
                cmocka_unit_test(test_subid_refused),
                cmocka_unit_test(test_subid_long_line_is_passed_over),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
