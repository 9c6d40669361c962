/* test_jail_subid.c - ranges of subordinate ids: found, or refused with the line that is wrong. */
#include "monitor/jail_subid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int find(const char *text, struct subid_range *ret, struct error *err)
{
        return subid_find_in_text(text, strlen(text), "/etc/subuid", "agent01", 1500, ret, err);
}

static void finds_a_range(void **state)
{
        static const char *const texts[] = {
                "agent01:100000:65536\n",
                "agent01:100000:65535",
                "# comment\n\nother:200000:65536\nagent01:100000:65536\n",
                "1500:100000:65536\n",
                "agent01:300000:1000\nagent01:100000:65536\n",
                "agent01:100000:65536\nother:165536:65536\n",
                "agent011:100000:65536\nagent01:200000:65536\n",
        };
        struct subid_range range;

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct error err = ERROR_INIT;

                assert_int_equal(find(texts[i], &range, &err), 0);
                assert_int_equal(range.first, i == 6 ? 200000 : 100000);
                assert_true(range.count >= SUBID_COUNT);
        }
        assert_int_equal(find("agent01:4294901760:65535\n", &range, NULL), 0);
}

static void refuses(void **state)
{
        static const struct {
                const char *text;
                int result;
                const char *says;
        } cases[] = {
                { "", -ENOENT, "usermod --add-subuids" },
                { "other:100000:65536\n", -ENOENT, "agent01" },
                { "agent01:100000:65534\n", -ENOENT, "65535" },
                { "agent01:0:65536\n", -EINVAL, ":1:" },
                { "agent01:65535:65536\n", -EINVAL, "real accounts" },
                { "agent01:100000:65536\nother:165535:10\n", -EINVAL, ":2:" },
                { "other:0:4294967295\nagent01:100000:65536\n", -EINVAL, "overlaps" },
                { "agent01:4294901761:65535\n", -EINVAL, "beyond" },
                { "agent01:4294967295:4294967295\n", -EINVAL, "beyond" },
                { "agent01:99999999999:65536\n", -EINVAL, ":1:" },
                { "agent01:100000:-1\n", -EINVAL, ":1:" },
                { "agent01:100000\n", -EINVAL, ":1:" },
                { "agent01:100000:65536:7\n", -EINVAL, ":1:" },
                { "agent01: 100000:65536\n", -EINVAL, ":1:" },
                { "agent01:0x10000:65536\n", -EINVAL, ":1:" },
                { ":100000:65536\n", -EINVAL, ":1:" },
                { "agent01:100000:65536\nrubbish\n", -EINVAL, ":2:" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct subid_range range = { 1, 2 };
                struct error err = ERROR_INIT;

                assert_int_equal(find(cases[i].text, &range, &err), cases[i].result);
                if (strstr(err.text, cases[i].says) == NULL)
                        fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
                assert_int_equal(range.first, 1);
        }
}

static void refuses_bytes(void **state)
{
        static const char nul[] = "agent01:100000:65536\0\nx";
        char line[400] = "agent01:100000:";
        struct subid_range range;

        (void)state;
        assert_int_equal(subid_find_in_text(nul, sizeof(nul) - 1, "f", "agent01", 1, &range, NULL), -EINVAL);
        memset(line + strlen(line), '0', sizeof(line) - 1 - strlen("agent01:100000:"));
        assert_int_equal(subid_find_in_text(line, sizeof(line) - 1, "f", "agent01", 1, &range, NULL), -EINVAL);
        /* Not read beyond its size. */
        assert_int_equal(subid_find_in_text("agent01:100000:65536", 15, "f", "agent01", 1, &range, NULL), -EINVAL);
        assert_int_equal(subid_find("/etc/nowhere/subuid", "agent01", 1, &range, NULL), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(finds_a_range),
                cmocka_unit_test(refuses),
                cmocka_unit_test(refuses_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
