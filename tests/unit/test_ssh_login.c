/* test_ssh_login.c - an ssh login that does not show that sshd keeps to the login shell is refused. */
#include "monitor/ssh_login.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KEY     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKey"
#define OTHER   "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQOther"
#define AUTH    "publickey " KEY
#define OPTIONS "restrict,pty,command=\"agentsh-session\" "
#define GOOD    OPTIONS KEY " somebody@somewhere\n"

static void admits(const char *auth, const char *keys)
{
        struct error err = ERROR_INIT;

        if (ssh_login_check(auth, keys, &err) < 0)
                fail_msg("\"%s\" with \"%s\": %s", auth, keys, err.text);
}

static void refuses(const char *auth, const char *keys, const char *reason)
{
        struct error err = ERROR_INIT;

        if (ssh_login_check(auth, keys, &err) != -EACCES)
                fail_msg("\"%s\" with \"%s\" was let in", auth, keys);
        if (strstr(err.text, reason) == NULL)
                fail_msg("\"%s\" does not have \"%s\"", err.text, reason);
}

static void logins_by_a_listed_key(void **state)
{
        (void)state;
        admits(AUTH, GOOD);
        admits(AUTH, OPTIONS KEY);
        admits(AUTH, "# a comment\n\n" OPTIONS OTHER "\n \t" OPTIONS "\t" KEY "\t me\r\n");
        admits(AUTH, "Command=\"agentsh-session\",RESTRICT " KEY);
        admits(AUTH, "from=\"10.0.0.0/"
                     "8,!10.1.2.3\",no-pty,restrict,expiry-time=\"20300101\",command=\"agentsh-session\" " KEY);
        admits(AUTH ";password", GOOD);
        admits("password;" AUTH, GOOD);
        admits(AUTH ";publickey " OTHER, GOOD OPTIONS OTHER "\n");
}

static void logins_without_a_key(void **state)
{
        static const char *const others[] = { "",     "password",          "keyboard-interactive/pam",
                                              "none", "gssapi-with-mic u", "hostbased " KEY,
                                              ";;",   "publickey",         "publickey " };

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                refuses(others[i], GOOD, "not by a key");
}

static void keys_from_elsewhere(void **state)
{
        (void)state;
        refuses(AUTH, "", "not in the account's file");
        refuses(AUTH, OPTIONS OTHER "\n", "not in the account's file");
        refuses(AUTH, "# " GOOD, "not in the account's file");
        refuses(AUTH "x", GOOD, "not in the account's file");
        refuses("publickey ssh-ed25519 AAAA", GOOD, "not in the account's file");
        refuses("publickey ssh-ed25519-cert-v01@openssh.com AAAA", GOOD, "not in the account's file");
        refuses(AUTH ";publickey " OTHER, GOOD, "not in the account's file");
        /* A name of a key's inside an option or a comment is no key. */
        refuses(AUTH, OPTIONS OTHER " " KEY "\n", "not in the account's file");
        refuses(AUTH, "command=\" " KEY " \" " OTHER "\n", "not in the account's file");
}

static void keys_that_leave_something_open(void **state)
{
        static const char *const options[] = {
                "",
                "restrict ",
                "restrict,pty ",
                "command=\"agentsh-session\" ",
                "command=\"agentsh-session\",pty ",
                "restrict,command=\"internal-sftp\" ",
                "restrict,command=\"agentsh-session --x\" ",
                OPTIONS "x ",
                "restrict,port-forwarding,command=\"agentsh-session\" ",
                "restrict,agent-forwarding,command=\"agentsh-session\" ",
                "restrict,X11-forwarding,command=\"agentsh-session\" ",
                "restrict,user-rc,command=\"agentsh-session\" ",
                "restrict,permitopen=\"*:*\",command=\"agentsh-session\" ",
                "restrict,tunnel=\"0\",command=\"agentsh-session\" ",
                "restrict,environment=\"LD_PRELOAD=/x\",command=\"agentsh-session\" ",
                "cert-authority,restrict,command=\"agentsh-session\" ",
                "from=\",restrict,command=\\\"agentsh-session\\\"\" ",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
                char keys[512];

                (void)snprintf(keys, sizeof(keys), "%s" KEY "\n", options[i]);
                refuses(AUTH, keys, i == 7 ? "not in the account's file" : "around the login shell");
                /* A second line takes what the first one gave. */
                (void)snprintf(keys, sizeof(keys), GOOD "%s" KEY "\n", options[i]);
                if (i != 7)
                        refuses(AUTH, keys, "around the login shell");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(logins_by_a_listed_key),
                cmocka_unit_test(logins_without_a_key),
                cmocka_unit_test(keys_from_elsewhere),
                cmocka_unit_test(keys_that_leave_something_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
