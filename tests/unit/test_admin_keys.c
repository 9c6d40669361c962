/* test_admin_keys.c - only plain public keys are taken; file names of policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/account_keys.h"
#include "admin/places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGe2AJQxRgTVMhq1bSxdIxS2P8eaEq5mMHoMAEtnQn0u test"

static int check(const char *text, size_t *ret_count)
{
        struct error err = ERROR_INIT;
        int r = keys_check_text(text, strlen(text), ret_count, &err);

        if (r < 0)
                assert_string_not_equal(err.text, "");
        return r;
}

static void test_taken(void **state)
{
        size_t count = 0;

        (void)state;
        if (access("/usr/bin/ssh-keygen", X_OK) < 0)
                skip();
        assert_int_equal(check(KEY "\n", &count), 0);
        assert_int_equal(count, 1);
        assert_int_equal(check("# a comment\n\n" KEY "\n" KEY, &count), 0);
        assert_int_equal(count, 2);
}

static void test_refused(void **state)
{
        static const char *const TEXTS[] = {
                "",
                "\n",
                "# only a comment\n",
                "ssh-ed25519\n",
                "ssh-ed25519 AAAA\n",
                "ssh-ed25519 !!!! x\n",
                KEY "\nssh-rsa AAAA x\n",
                KEY "\r\n",
                "command=\"/bin/sh\" " KEY "\n",
                "restrict " KEY "\n",
                "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n",
                " " KEY "\n",
                KEY "\033[2J\n",
                KEY "\001\n",
                "/etc/passwd\n",
                "-f /etc/shadow\n",
                "cert-authority " KEY "\n",
        };
        size_t count = 77;

        (void)state;
        for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
                assert_true(check(TEXTS[i], &count) < 0);
                assert_int_equal(count, 77);
        }
}

static void test_sizes(void **state)
{
        size_t count = 77, size = KEY_LINE_MAX + 100;
        char *text = calloc(1, size + 1);
        struct error err = ERROR_INIT;

        (void)state;
        memset(text, 'x', size);
        memcpy(text, "ssh-rsa ", 8);
        assert_int_equal(check(text, &count), -EFBIG);
        free(text);
        assert_true(keys_check_text(KEY "\0x", sizeof(KEY "\0x") - 1, &count, &err) < 0);
        assert_int_equal(count, 77);
}

static void test_restrict(void **state)
{
        char *text = NULL;
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(keys_restrict("# ssh-rsa no key\n\n" KEY "\n" KEY, &text, &err), 0);
        assert_string_equal(text, "# ssh-rsa no key\n\nrestrict,pty,command=\"agentsh-session\" " KEY
                                  "\nrestrict,pty,command=\"agentsh-session\" " KEY "\n");
        free(text);
}

static void test_policy_file_names(void **state)
{
        static const char *const BAD[] = { "",
                                           ".ini",
                                           "x",
                                           "x.in",
                                           "X.ini",
                                           "-x.ini",
                                           ".x.ini",
                                           "x.ini.ini~",
                                           "a/b.ini",
                                           "x.ini.new",
                                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.ini" };
        char name[64] = "untouched";

        (void)state;
        for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
                assert_false(places_account_of_file(BAD[i], name));
        assert_string_equal(name, "untouched");
        assert_true(places_account_of_file("agent-01.ini", name));
        assert_string_equal(name, "agent-01");
        assert_true(places_account_of_file("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.ini", name));
        assert_true(places_account_of_file("a.ini", NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_taken),    cmocka_unit_test(test_refused),           cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_restrict), cmocka_unit_test(test_policy_file_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
