/* test_agentsh_invocation.c - argv games: each is a login, a command, or a usage error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shell/agentsh_invocation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARGV(...) ((char *const *)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })

static struct invocation must_parse(char *const *argv, const char *original)
{
        struct invocation invocation;
        int argc = 0;

        while (argv[argc] != NULL)
                argc++;
        assert_int_equal(invocation_parse(argc, argv, original, &invocation, NULL), 0);
        return invocation;
}

static void must_refuse(char *const *argv)
{
        struct error err = ERROR_INIT;
        struct invocation invocation;
        int argc = 0;

        while (argv[argc] != NULL)
                argc++;
        assert_int_equal(invocation_parse(argc, argv, "id", &invocation, &err), -EINVAL);
        for (const char *at = err.text; *at != '\0'; at++)
                assert_in_range(*at, 0x20, 0x7e);
}

static void logins(void **state)
{
        (void)state;
        assert_true(must_parse(ARGV("-agentsh"), "ignored").login);
        assert_null(must_parse(ARGV("-agentsh"), "ignored").command);
        assert_true(must_parse(ARGV("agentsh"), NULL).login);
        assert_true(must_parse(ARGV("-"), NULL).login);
        assert_true(must_parse(ARGV("-agentsh", "-c", "id"), NULL).login);
}

static void commands(void **state)
{
        (void)state;
        assert_false(must_parse(ARGV("agentsh", "-c", "id"), "other").login);
        assert_string_equal(must_parse(ARGV("agentsh", "-c", "id"), "other").command, "id");
        assert_string_equal(must_parse(ARGV("agentsh", "-c", ""), NULL).command, "");
        assert_string_equal(must_parse(ARGV("agentsh", "-c", "--help"), NULL).command, "--help");
        assert_string_equal(must_parse(ARGV("agentsh", "-c", "agentsh-session "), "x").command, "agentsh-session ");
        assert_int_equal(must_parse(ARGV("agentsh", "--help"), NULL).kind, INVOCATION_HELP);
        assert_int_equal(must_parse(ARGV("agentsh", "--version"), NULL).kind, INVOCATION_VERSION);
}

static void forced_commands(void **state)
{
        char *const *argv = ARGV("agentsh", "-c", "agentsh-session");
        struct invocation invocation = must_parse(argv, NULL);

        (void)state;
        assert_true(invocation.login && invocation.command == NULL);
        invocation = must_parse(argv, "");
        assert_true(invocation.login && invocation.command == NULL);
        invocation = must_parse(argv, "echo 'a b'\nid");
        assert_false(invocation.login);
        assert_string_equal(invocation.prefix, "");
        assert_string_equal(invocation.command, "echo 'a b'\nid");
        invocation = must_parse(argv, "internal-sftp -l INFO 'x y'\nz");
        assert_non_null(strstr(invocation.prefix, "/sftp-server"));
        assert_string_equal(invocation.command, " -l INFO 'x y'\nz");
        invocation = must_parse(argv, "internal-sftp");
        assert_non_null(strstr(invocation.prefix, "/sftp-server"));
        assert_string_equal(invocation.command, "");
        assert_string_equal(must_parse(argv, "internal-sftpd").prefix, "");
        assert_string_equal(must_parse(argv, "internal-sftp;id").prefix, "");
        assert_string_equal(must_parse(argv, " internal-sftp").prefix, "");
}

static void usage_errors(void **state)
{
        struct invocation invocation;
        char *long_name = malloc(130001);

        (void)state;
        memset(long_name, '\033', 130000);
        long_name[130000] = '\0';
        assert_int_equal(invocation_parse(0, ARGV("x"), NULL, &invocation, NULL), -EINVAL);
        assert_int_equal(invocation_parse(1, (char *[]){ NULL }, NULL, &invocation, NULL), -EINVAL);
        must_refuse(ARGV(""));
        must_refuse(ARGV("", "-c", "id"));
        must_refuse(ARGV("agentsh", "-c"));
        must_refuse(ARGV("agentsh", "-c", "a", "b"));
        must_refuse(ARGV("agentsh", "-c", "-c", "a"));
        must_refuse(ARGV("agentsh", "-x"));
        must_refuse(ARGV("agentsh", ""));
        must_refuse(ARGV("agentsh", "file"));
        must_refuse(ARGV("agentsh", "-l", "id"));
        must_refuse(ARGV("-agentsh", "--rcfile", "x"));
        must_refuse(ARGV("agentsh", long_name));
        free(long_name);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(logins),
                cmocka_unit_test(commands),
                cmocka_unit_test(forced_commands),
                cmocka_unit_test(usage_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
