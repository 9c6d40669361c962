/* test_parse.c - strict conversions: what is not exactly right is refused, and *ret is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNTOUCHED 0x5a5a5a5aU
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

typedef int (*number_parser)(const char *text, uint64_t *ret, struct error *err);

struct good {
        const char *text;
        uint64_t value;
};

static void check_good(number_parser parse, const struct good *cases, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct error err = ERROR_INIT;
                uint64_t value = UNTOUCHED;

                if (parse(cases[i].text, &value, &err) != 0)
                        fail_msg("%s: %s", cases[i].text, err.text);
                if (value != cases[i].value)
                        fail_msg("%s: %llu", cases[i].text, (unsigned long long)value);
        }
}

static void check_bad(number_parser parse, const char *const *cases, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                struct error err = ERROR_INIT;
                uint64_t value = UNTOUCHED;
                int r = parse(cases[i], &value, &err);

                if (r != -EINVAL && r != -ERANGE)
                        fail_msg("\"%s\" gave %d", cases[i], r);
                assert_int_equal(value, UNTOUCHED);
                assert_int_equal(err.number, -r);
                assert_true(err.text[0] != '\0');
        }
}

static int parse_any_number(const char *text, uint64_t *ret, struct error *err)
{
        return parse_number(text, 0, UINT64_MAX, ret, err);
}

static void test_number(void **state)
{
        static const struct good good[] = { { "0", 0 }, { "007", 7 }, { "18446744073709551615", UINT64_MAX } };
        static const char *const bad[] = { "",
                                           " 1",
                                           "1 ",
                                           "+1",
                                           "-1",
                                           "0x10",
                                           "1e3",
                                           "1.0",
                                           "18446744073709551616",
                                           "99999999999999999999999",
                                           "1\n",
                                           "\xd9\xa1",
                                           "one" };
        uint64_t value = UNTOUCHED;

        (void)state;
        check_good(parse_any_number, good, COUNT(good));
        check_bad(parse_any_number, bad, COUNT(bad));
        assert_int_equal(parse_number("4", 5, 9, &value, NULL), -ERANGE);
        assert_int_equal(parse_number("10", 5, 9, &value, NULL), -ERANGE);
        assert_int_equal(value, UNTOUCHED);
        assert_int_equal(parse_number("5", 5, 9, &value, NULL), 0);
        assert_int_equal(parse_number("9", 5, 9, &value, NULL), 0);
}

static void test_bool(void **state)
{
        static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off", "0" };
        static const char *const bad[] = { "", "y", "n", "Yes", "TRUE", "yolo", "yes ", " no", "01", "2", "trueish" };

        (void)state;
        for (size_t i = 0; i < COUNT(yes); i++) {
                bool value = false;

                assert_int_equal(parse_bool(yes[i], &value, NULL), 0);
                assert_true(value);
                assert_int_equal(parse_bool(no[i], &value, NULL), 0);
                assert_false(value);
        }
        for (size_t i = 0; i < COUNT(bad); i++) {
                bool value = true;

                assert_int_equal(parse_bool(bad[i], &value, NULL), -EINVAL);
                assert_true(value);
        }
}

static void test_size(void **state)
{
        static const struct good good[] = { { "0", 0 },
                                            { "1", 1 },
                                            { "64M", 67108864 },
                                            { "1K", 1024 },
                                            { "2G", 2147483648 },
                                            { "3T", 3298534883328 },
                                            { "9223372036854775807", INT64_MAX },
                                            { "8388607T", 9223370937343148032 } };
        static const char *const bad[] = { "",
                                           "M",
                                           "64 M",
                                           "64m",
                                           "64MB",
                                           "64Mi",
                                           "-1",
                                           "1.5G",
                                           "1KK",
                                           "1P",
                                           "K1",
                                           "9223372036854775808",
                                           "8388608T",
                                           "18014398509481984K",
                                           "18446744073709551616",
                                           "64M " };

        (void)state;
        check_good(parse_size, good, COUNT(good));
        check_bad(parse_size, bad, COUNT(bad));
}

static void test_duration(void **state)
{
        static const struct good good[] = {
                { "0", 0 },        { "90", 90 },     { "90s", 90 },         { "15m", 900 },
                { "1h30m", 5400 }, { "2d", 172800 }, { "1d1h1m1s", 90061 }, { "4294967295", UINT32_MAX }
        };
        static const char *const bad[] = { "",
                                           "h",
                                           "1h30",
                                           "30m1h",
                                           "1h1h",
                                           "1 h",
                                           "1H",
                                           "-1s",
                                           "1.5h",
                                           "1hm",
                                           "s1",
                                           "4294967296",
                                           "49711d",
                                           "18446744073709551615d",
                                           "99999999999999999999s",
                                           "18446744073709551615s1s",
                                           "1w" };

        (void)state;
        check_good(parse_duration, good, COUNT(good));
        check_bad(parse_duration, bad, COUNT(bad));
}

static void test_milli(void **state)
{
        static const struct good good[] = { { "0", 0 },       { "2", 2000 },  { "0.5", 500 },
                                            { "1.25", 1250 }, { "0.001", 1 }, { "1000000.999", 1000000999 } };
        static const char *const bad[] = { "",   ".",   ".5",    "1.",  "1.0001", "1000001",
                                           "-1", "1,5", "1.5.5", "1e3", "50%",    "99999999999999999999" };

        (void)state;
        check_good(parse_milli, good, COUNT(good));
        check_bad(parse_milli, bad, COUNT(bad));
}

static int parse_date_unsigned(const char *text, uint64_t *ret, struct error *err)
{
        int64_t value;
        int r = parse_date(text, &value, err);

        if (r == 0)
                *ret = (uint64_t)value;
        return r;
}

static void test_date(void **state)
{
        static const struct good good[] = { { "1970-01-01", 86399 },
                                            { "2000-02-29", 951868799 },
                                            { "2026-11-23", 1795478399 },
                                            { "2024-12-31", 1735689599 },
                                            { "9999-12-31", 253402300799 } };
        static const char *const bad[] = { "",           "1969-12-31", "2026-1-1",    "2026-00-10", "2026-13-01",
                                           "2026-02-29", "1900-02-29", "2100-02-29",  "2026-04-31", "2026-01-32",
                                           "2026-01-00", "2026/01/01", "2026-01-01 ", "26-01-0101", "2026-0a-01",
                                           "-026-01-01" };

        (void)state;
        check_good(parse_date_unsigned, good, COUNT(good));
        check_bad(parse_date_unsigned, bad, COUNT(bad));
}

static void test_path(void **state)
{
        static const char *const good[] = { "/", "/a", "/a/b.c/..d/...", "/a b", "/\xc3\xa4" };
        static const char *const bad[] = { "",      "a",      "./a",   "//",      "/a/",  "/a//b", "/.",       "/..",
                                           "/a/..", "/a/./b", "/../a", "/a/../b", "/a\n", "/\x7f", "/a\x1b[0m" };
        char path[4200];

        (void)state;
        for (size_t i = 0; i < COUNT(good); i++)
                if (parse_path(good[i], NULL) != 0)
                        fail_msg("%s", good[i]);
        for (size_t i = 0; i < COUNT(bad); i++)
                if (parse_path(bad[i], NULL) != -EINVAL)
                        fail_msg("%s", bad[i]);
        memset(path, 'a', sizeof(path));
        path[0] = '/';
        path[4095] = '\0';
        assert_int_equal(parse_path(path, NULL), 0);
        path[4095] = 'a';
        path[4096] = '\0';
        assert_int_equal(parse_path(path, NULL), -ENAMETOOLONG);
}

static void test_account_name(void **state)
{
        static const char *const good[] = {
                "a", "_", "agent01", "agent-x", "a.b", "a_b", "a2345678901234567890123456789012"
        };
        static const char *const bad[] = { "",         ".",     "..",  "a.",  "-a",
                                           "0a",       "Agent", "a/b", "a b", "a\n",
                                           "\xc3\xa4", "../a",  "a$",  ".a",  "a2345678901234567890123456789012x" };

        (void)state;
        for (size_t i = 0; i < COUNT(good); i++)
                if (parse_account_name(good[i], NULL) != 0)
                        fail_msg("%s", good[i]);
        for (size_t i = 0; i < COUNT(bad); i++)
                if (parse_account_name(bad[i], NULL) != -EINVAL)
                        fail_msg("%s", bad[i]);
}

static void test_session_id(void **state)
{
        (void)state;
        assert_true(parse_is_session_id("0123456789abcdef"));
        assert_false(parse_is_session_id(""));
        assert_false(parse_is_session_id("0123456789abcde"));
        assert_false(parse_is_session_id("0123456789abcdef0"));
        assert_false(parse_is_session_id("0123456789ABCDEF"));
        assert_false(parse_is_session_id("0123456789abcde/"));
        assert_false(parse_is_session_id("../4567890123456"));
}

static void devices_are_two_numbers(void **state)
{
        static const char *const bad[] = { "", "8", "8:", ":1", "8:1:2", "8:1 ", "-8:1", "8:0x1", "4294967296:1" };
        uint32_t major = 7, minor = 7;

        (void)state;
        assert_int_equal(parse_device("259:3", &major, &minor, NULL), 0);
        assert_int_equal(major, 259);
        assert_int_equal(minor, 3);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(parse_device(bad[i], &major, &minor, NULL), -EINVAL);
        assert_int_equal(major, 259);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_number),     cmocka_unit_test(test_bool),
                cmocka_unit_test(test_size),       cmocka_unit_test(test_duration),
                cmocka_unit_test(test_milli),      cmocka_unit_test(test_date),
                cmocka_unit_test(test_path),       cmocka_unit_test(test_account_name),
                cmocka_unit_test(test_session_id), cmocka_unit_test(devices_are_two_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
