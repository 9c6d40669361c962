/* test_init_config.c - the monitor's settings, and the environment made of them and of the client's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shell/init_config.h"
#include "shell/init_environment.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct init_config good(void)
{
        struct init_config config = { .magic = STATUS_MAGIC,
                                      .uid = 1000,
                                      .user = "agent01",
                                      .home = "/home/agent01",
                                      .shell = "/bin/bash",
                                      .environment_size = 14 };

        memcpy(config.environment, "PATH=/bin\0A=1", 14);
        return config;
}

static int check(const struct init_config *config)
{
        struct error err = ERROR_INIT;
        int r = init_config_check(config, sizeof(*config), &err);

        assert_int_equal(r, -err.number);
        return r;
}

static void settings(void **state)
{
        struct init_config config = good();

        (void)state;
        assert_int_equal(check(&config), 0);
        assert_int_equal(init_config_check(&config, sizeof(config) - 1, NULL), -EPROTO);
        config.magic = 0;
        assert_int_equal(check(&config), -EPROTO);
        config = good();
        memset(config.shell, '/', sizeof(config.shell));
        assert_int_equal(check(&config), -EBADMSG);
        config = good();
        config.home[0] = '\0';
        assert_int_equal(check(&config), -EBADMSG);
        config = good();
        memset(config.user, 'x', sizeof(config.user));
        assert_int_equal(check(&config), -EBADMSG);
}

static void settings_with_a_bad_environment(void **state)
{
        struct init_config config = good();

        (void)state;
        config.environment_size = 13;
        assert_int_equal(check(&config), -EBADMSG);
        config.environment_size = INIT_ENVIRONMENT_MAX + 1;
        assert_int_equal(check(&config), -EBADMSG);
        config.environment_size = UINT32_MAX;
        assert_int_equal(check(&config), -EBADMSG);
        config = good();
        config.environment[4] = 'x';
        assert_int_equal(check(&config), -EBADMSG);
        config = good();
        memset(config.environment, '=', sizeof(config.environment));
        config.environment_size = INIT_ENVIRONMENT_MAX;
        assert_int_equal(check(&config), -EBADMSG);
        config.environment[INIT_ENVIRONMENT_MAX - 1] = '\0';
        assert_int_equal(check(&config), 0);
        config.environment_size = 0;
        assert_int_equal(check(&config), 0);
}

static void monitor_that_hangs_up(void **state)
{
        struct init_config config;
        int pair[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        assert_int_equal(close(pair[1]), 0);
        assert_true(init_config_receive(pair[0], &config, NULL) < 0);
        (void)close(pair[0]);
}

static void expect(const char **variables, const char *const *wanted)
{
        for (; *wanted != NULL; wanted++, variables++) {
                assert_non_null(*variables);
                assert_string_equal(*variables, *wanted);
        }
        assert_null(*variables);
}

static void environment(void **state)
{
        static const char client[] = "PATH=/evil\0A=2\0TERM=xterm\0SSH_TTY=/dev/pts/9\0TERM=vt100\0AB=3";
        static const char *const wanted[] = { "PATH=/bin", "A=1", "TERM=xterm", "AB=3", NULL };
        static const char remote[] = "SSH_CONNECTION=1";
        static const char *const wanted_remote[] = { "PATH=/bin", "A=1", "SSH_CONNECTION=1", "SSH_TTY=/dev/pts/0",
                                                     NULL };
        const struct init_config config = good();
        struct attach_parts parts = { .header = { .environment_size = sizeof(client) }, .environment = client };
        const char *variables[INIT_VARIABLES_MAX];

        (void)state;
        init_environment(&config, &parts, "SSH_TTY=/dev/pts/0", variables);
        expect(variables, wanted);
        parts = (struct attach_parts){ .header = { .environment_size = sizeof(remote) }, .environment = remote };
        init_environment(&config, &parts, "SSH_TTY=/dev/pts/0", variables);
        expect(variables, wanted_remote);
        init_environment(&config, &parts, NULL, variables);
        assert_null(variables[3]);
}

static void later_settings_win(void **state)
{
        static const char *const wanted[] = { "PATH=/opt/bin", "A=1", NULL };
        struct init_config config = good();
        struct attach_parts parts = { .header = { .environment_size = 0 } };
        const char *variables[INIT_VARIABLES_MAX];

        (void)state;
        memcpy(config.environment + 14, "PATH=/opt/bin", 14);
        config.environment_size += 14;
        init_environment(&config, &parts, NULL, variables);
        expect(variables, wanted);
}

static void terminal_of_the_policy_wins(void **state)
{
        static const char remote[] = "SSH_CONNECTION=1";
        static const char *const wanted[] = { "PATH=/bin", "A=1", "SSH_TTY=/x", "SSH_CONNECTION=1", NULL };
        struct init_config config = good();
        struct attach_parts parts = { .header = { .environment_size = sizeof(remote) }, .environment = remote };
        const char *variables[INIT_VARIABLES_MAX];

        (void)state;
        memcpy(config.environment + config.environment_size, "SSH_TTY=/x", 11);
        config.environment_size += 11;
        init_environment(&config, &parts, "SSH_TTY=/dev/pts/0", variables);
        expect(variables, wanted);
}

static void largest_environment(void **state)
{
        struct init_config config = good();
        static char client[3 * (ATTACH_STRINGS_MAX - 1)];
        struct attach_parts parts = { .header = { .environment_size = sizeof(client) }, .environment = client };
        const char *variables[INIT_VARIABLES_MAX + 1] = { NULL };
        size_t count = 0;

        (void)state;
        for (size_t at = 0; at < sizeof(client); at += 3)
                memcpy(client + at, "B=", 3);
        for (size_t i = 0; i < INIT_ENVIRONMENT_MAX / 4; i++) {
                const char name[] = { (char)('a' + i % 26), (char)('0' + i / 26), '=', '\0' };

                memcpy(config.environment + 4 * i, name, 4);
        }
        config.environment_size = INIT_ENVIRONMENT_MAX;
        variables[INIT_VARIABLES_MAX] = "guard";
        init_environment(&config, &parts, "SSH_TTY=x", variables);
        while (variables[count] != NULL)
                count++;
        assert_int_equal(count, INIT_ENVIRONMENT_MAX / 4 + 1);
        assert_string_equal(variables[INIT_VARIABLES_MAX], "guard");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings),
                cmocka_unit_test(settings_with_a_bad_environment),
                cmocka_unit_test(monitor_that_hangs_up),
                cmocka_unit_test(environment),
                cmocka_unit_test(later_settings_win),
                cmocka_unit_test(terminal_of_the_policy_wins),
                cmocka_unit_test(largest_environment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
