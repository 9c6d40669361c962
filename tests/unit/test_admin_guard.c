/* test_admin_guard.c - the egress guard's sets of uids, and what nft prints of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "table inet agentsh {\n\tset agents {\n\t\ttype uid\n\t\tflags interval\n"
#define TAIL "\t}\n}\n"

static void add(struct guard_ranges *ranges, uint32_t first, uint32_t last)
{
        struct error err = ERROR_INIT;

        assert_int_equal(guard_ranges_add(ranges, first, last, &err), 0);
}

/* "1-3 7-7": what the ranges are. */
static const char *shown(const struct guard_ranges *ranges)
{
        static char text[256];
        size_t used = 0;

        text[0] = '\0';
        for (size_t i = 0; i < ranges->count; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u-%u", i > 0 ? " " : "",
                                         ranges->range[i].first, ranges->range[i].last);
        return text;
}

static void test_merge(void **state)
{
        static const struct {
                uint32_t input[4][2];
                size_t count;
                const char *merged;
        } CASES[] = {
                { { { 0 } }, 0, "" },
                { { { 5, 5 } }, 1, "5-5" },
                { { { 9, 9 }, { 5, 5 } }, 2, "5-5 9-9" },
                { { { 6, 6 }, { 5, 5 } }, 2, "5-6" },
                { { { 5, 5 }, { 5, 5 }, { 5, 5 } }, 3, "5-5" },
                { { { 1, 100 }, { 5, 7 }, { 100, 101 } }, 3, "1-101" },
                { { { 1, 2 }, { 4, 5 }, { 3, 3 } }, 3, "1-5" },
                { { { UINT32_MAX - 1, UINT32_MAX }, { 0, 0 } }, 2, "0-0 4294967294-4294967295" },
                { { { 0, UINT32_MAX }, { 3, 4 } }, 2, "0-4294967295" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
                cleanup_guard_ranges struct guard_ranges ranges = { 0 };

                for (size_t j = 0; j < CASES[i].count; j++)
                        add(&ranges, CASES[i].input[j][0], CASES[i].input[j][1]);
                guard_ranges_merge(&ranges);
                assert_string_equal(shown(&ranges), CASES[i].merged);
        }
}

static void test_hold_and_equal(void **state)
{
        cleanup_guard_ranges struct guard_ranges one = { 0 }, other = { 0 }, none = { 0 };

        (void)state;
        add(&one, 10, 20);
        add(&one, 30, 30);
        assert_false(guard_ranges_hold(&none, 0));
        assert_true(guard_ranges_hold(&one, 10) && guard_ranges_hold(&one, 20) && guard_ranges_hold(&one, 30));
        assert_false(guard_ranges_hold(&one, 9) || guard_ranges_hold(&one, 21) || guard_ranges_hold(&one, 31));
        assert_true(guard_ranges_equal(&none, &other) && !guard_ranges_equal(&one, &other));
        add(&other, 10, 20);
        assert_false(guard_ranges_equal(&one, &other));
        add(&other, 30, 31);
        assert_false(guard_ranges_equal(&one, &other));
        other.range[1].last = 30;
        assert_true(guard_ranges_equal(&one, &other));
}

static void test_uids(void **state)
{
        static const struct {
                const char *text, *ranges;
        } CASES[] = {
                { HEAD TAIL, "" },
                { HEAD "\t\telements = { 1001 }\n" TAIL, "1001-1001" },
                { HEAD "\t\telements = { 1001, 1004-1005,\n\t\t\t     100000-165535 }\n" TAIL,
                  "1001-1001 1004-1005 100000-165535" },
                { HEAD "\t\telements = { 1001, 1002, 1003 }\n" TAIL, "1001-1003" },
                { "table inet agentsh { set agents { type uid flags interval elements = { 0-4294967294 } } }",
                  "0-4294967294" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
                cleanup_guard_ranges struct guard_ranges ranges = { 0 };
                struct error err = ERROR_INIT;

                assert_int_equal(guard_parse_uids(CASES[i].text, &ranges, &err), 0);
                assert_string_equal(shown(&ranges), CASES[i].ranges);
        }
}

static void test_uids_refused(void **state)
{
        static const char *const CASES[] = {
                "",
                "\n",
                "Error: No such file or directory\n",
                HEAD,
                HEAD "\t}\n",
                HEAD TAIL "x",
                HEAD "\t\tsize 5\n" TAIL,
                HEAD "\t\telements = { }\n" TAIL,
                HEAD "\t\telements = { 1001\n" TAIL,
                HEAD "\t\telements = { 1001, }\n" TAIL,
                HEAD "\t\telements = { 1001 1002 }\n" TAIL,
                HEAD "\t\telements = { , 1001 }\n" TAIL,
                HEAD "\t\telements = { root }\n" TAIL,
                HEAD "\t\telements = { -5 }\n" TAIL,
                HEAD "\t\telements = { 5- }\n" TAIL,
                HEAD "\t\telements = { 7-5 }\n" TAIL,
                HEAD "\t\telements = { 5-7-9 }\n" TAIL,
                HEAD "\t\telements = { 0x10 }\n" TAIL,
                HEAD "\t\telements = { 4294967295 }\n" TAIL,
                HEAD "\t\telements = { 99999999999999999999999999999999999999999999 }\n" TAIL,
                HEAD "\t\telements = { 1001 } }\n" TAIL,
                HEAD "\t\telements = { 1001 }\n" TAIL TAIL,
                "table inet other {\n\tset agents {\n\t\ttype uid\n\t\tflags interval\n" TAIL,
                "table inet agentsh {\n\tset agents {\n\t\ttype uid\n" TAIL,
                "table ip agentsh {\n\tset agents {\n\t\ttype uid\n\t\tflags interval\n" TAIL,
        };

        (void)state;
        for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
                struct guard_ranges ranges = { .count = 77 };
                struct error err = ERROR_INIT;

                assert_int_equal(guard_parse_uids(CASES[i], &ranges, &err), -EBADMSG);
                assert_int_equal(ranges.count, 77);
                assert_non_null(strstr(err.text, "agentshctl"));
        }
}

/* A cut in any place is no list that is shorter. */
static void test_uids_cut(void **state)
{
        static const char TEXT[] = HEAD "\t\telements = { 1001, 1004-1005, 100000-165535 }\n" TAIL;

        (void)state;
        for (size_t length = 0; length + 2 < strlen(TEXT); length++) {
                cleanup_guard_ranges struct guard_ranges ranges = { 0 };
                struct error err = ERROR_INIT;
                char text[sizeof(TEXT)];

                memcpy(text, TEXT, length);
                text[length] = '\0';
                assert_int_equal(guard_parse_uids(text, &ranges, &err), -EBADMSG);
        }
}

static void test_refused(void **state)
{
        static const char *const BAD[] = {
                "",
                "table inet agentsh {\n\tcounter refused {\n\t\tpackets\n",
                "table inet agentsh {\n\tcounter refused {\n\t\tpackets x bytes 5\n\t}\n}\n",
                "table inet agentsh {\n\tcounter refused {\n\t\tpackets -1 bytes 5\n\t}\n}\n",
                "table inet agentsh {\n\tcounter other {\n\t\tpackets 1 bytes 5\n\t}\n}\n",
                "table inet agentsh {\n\tcounter refused {\n\t\tpackets 99999999999999999999 bytes 5\n\t}\n}\n",
        };
        struct error err = ERROR_INIT;
        uint64_t packets = 7;

        (void)state;
        for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
                assert_int_equal(guard_parse_refused(BAD[i], &packets, &err), -EBADMSG);
        assert_int_equal(packets, 7);
        assert_int_equal(
                guard_parse_refused("table inet agentsh {\n\tcounter refused {\n\t\tpackets 59 bytes 3507\n\t}\n}\n",
                                    &packets, &err),
                0);
        assert_int_equal(packets, 59);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_merge),    cmocka_unit_test(test_hold_and_equal),
                cmocka_unit_test(test_uids),     cmocka_unit_test(test_uids_refused),
                cmocka_unit_test(test_uids_cut), cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
