/* test_agentsh_environment.c - only what the patterns name goes in, and never more than fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/attach.h"
#include "shell/agentsh_environment.h"

#include <stdlib.h>
#include <string.h>

static bool matches(const char *patterns, const char *name)
{
        return environment_matches(patterns, name, strlen(name));
}

static size_t filter(const char *patterns, const char *const *variables, char *ret, size_t max)
{
        return environment_filter(patterns, (char *const *)(uintptr_t)variables, ret, max);
}

static void patterns(void **state)
{
        (void)state;
        assert_true(matches("TERM\nLC_*\n", "TERM"));
        assert_true(matches("TERM\nLC_*\n", "LC_ALL"));
        assert_true(matches("TERM\nLC_*", "LC_"));
        assert_false(matches("TERM\nLC_*\n", "LC"));
        assert_false(matches("TERM\nLC_*\n", "TERMINFO"));
        assert_false(matches("TERM\nLC_*\n", "TER"));
        assert_false(matches("", "TERM"));
        assert_false(matches("\n\n\n", "TERM"));
        assert_false(matches("\n\n\n", ""));
        assert_true(matches("\n\nTERM", "TERM"));
        assert_true(matches("*", "ANYTHING"));
        assert_false(matches("A*B", "AxB"));
        assert_false(matches(" TERM", "TERM"));
}

static void filtering(void **state)
{
        const char *const variables[] = {
                "TERM=xterm", "SECRET=x", "LC_ALL=C",  "LC_x-y=1",          "=LC_", "LC_", "LC_\xc3=1",
                "LC_A==",     "9LC_=1",   "LC_N=a\nb", "AGENTSH_SOCKET=/x", NULL,
        };
        char result[256];
        size_t size = filter("TERM\nLC_*\nAGENTSH_*\n", variables, result, sizeof(result));
        static const char expected[] = "TERM=xterm\0LC_ALL=C\0LC_A==\0LC_N=a\nb";

        (void)state;
        assert_int_equal(size, sizeof(expected));
        assert_memory_equal(result, expected, size);
}

static void sizes(void **state)
{
        char *value = malloc(ENVIRONMENT_VALUE_MAX + 2);
        const char *variables[] = { "A=1", value, "B=2", NULL };
        char *result = malloc(ENVIRONMENT_TOTAL_MAX);

        (void)state;
        memset(value, 'x', ENVIRONMENT_VALUE_MAX + 1);
        memcpy(value, "X=", 2);
        value[ENVIRONMENT_VALUE_MAX - 1] = '\0';
        assert_int_equal(filter("*", variables, result, ENVIRONMENT_TOTAL_MAX), ENVIRONMENT_VALUE_MAX + 8);
        value[ENVIRONMENT_VALUE_MAX - 1] = 'x';
        value[ENVIRONMENT_VALUE_MAX] = '\0';
        assert_int_equal(filter("*", variables, result, ENVIRONMENT_TOTAL_MAX), 8);
        assert_int_equal(filter("*", variables, result, 7), 4);
        assert_int_equal(filter("*", variables, result, 3), 0);
        assert_int_equal(filter("*", variables, result, 0), 0);
        free(value);
        free(result);
}

static void what_is_sent_is_accepted(void **state)
{
        const char *variables[4 * ATTACH_STRINGS_MAX + 1] = { NULL };
        char *message = calloc(1, ATTACH_MESSAGE_MAX);
        struct attach_request header = { .magic = ATTACH_MAGIC, .kind = ATTACH_REQUEST, .command_size = 1 };
        struct attach_parts parts;

        (void)state;
        for (size_t i = 0; i < 4 * ATTACH_STRINGS_MAX; i++)
                variables[i] = "V=1";
        header.environment_size = (uint32_t)filter("V", variables, message + sizeof(header) + 1, ENVIRONMENT_TOTAL_MAX);
        assert_int_equal(header.environment_size, 4 * (ATTACH_STRINGS_MAX - 1));
        memcpy(message, &header, sizeof(header));
        assert_int_equal(attach_parse_request(message, sizeof(header) + 1 + header.environment_size, 0, &parts, NULL),
                         0);
        free(message);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(patterns),
                cmocka_unit_test(filtering),
                cmocka_unit_test(sizes),
                cmocka_unit_test(what_is_sent_is_accepted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
