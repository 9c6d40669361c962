/* test_pam_module.c - who is an agent, what an agent is told, and that nothing but a proper answer opens a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/paths.h"
#include "common/process.h"
#include "tests/lib/pam_fixture.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct fake_script good = { .account = ACT_GOOD };

/* Both phases for `user` by `service`: what each returned. */
static void run(struct pam_fixture *fixture, const char *service, const char *user, int *ret_account, int *ret_session)
{
        pam_handle_t *pamh = pam_fixture_handle(fixture, service, user);

        *ret_account = pam_acct_mgmt(pamh, 0);
        *ret_session = pam_open_session(pamh, 0);
        if (*ret_session == PAM_SUCCESS)
                assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        else
                assert_null(pam_getenv(pamh, AGENTSH_SOCKET_VARIABLE));
        assert_int_equal(pam_end(pamh, *ret_session), PAM_SUCCESS);
}

static void expect(struct pam_fixture *fixture, const char *service, const char *user, int verdict)
{
        int account, session;

        run(fixture, service, user, &account, &session);
        if (account != verdict || session != verdict)
                fail_msg("%s by %s: %d and %d instead of %d, \"%s\"", user, service, account, session, verdict,
                         fixture->said);
}

/* Passed over: PAM_IGNORE, no word, no socket touched. */
static void expect_passed(struct pam_fixture *fixture, const char *service, const char *user)
{
        unsigned accepted = fixture->fake.seen->accepted;

        fixture->said[0] = '\0';
        expect(fixture, service, user, PAM_IGNORE);
        assert_string_equal(fixture->said, "");
        assert_int_equal(fixture->fake.seen->accepted, accepted);
}

static void expect_refused(struct pam_fixture *fixture, const char *service, const char *user, const char *text)
{
        fixture->said[0] = '\0';
        expect(fixture, service, user, PAM_PERM_DENIED);
        if (strstr(fixture->said, text) == NULL)
                fail_msg("\"%s\" is not in \"%s\"", text, fixture->said);
        for (const char *c = fixture->said; *c != '\0'; c++)
                assert_true(*c == '\n' || ((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f));
}

static void test_exports(void **state)
{
        static const char *const exported[] = { "pam_sm_acct_mgmt",    "pam_sm_open_session", "pam_sm_close_session",
                                                "pam_sm_authenticate", "pam_sm_setcred",      "pam_sm_chauthtok" };
        char command[512], line[256];
        unsigned count = 0;
        void *module;
        FILE *nm;

        (void)state;
        module = dlopen(pam_fixture_module(), RTLD_NOW | RTLD_LOCAL);
        if (module == NULL)
                fail_msg("%s", dlerror());
        for (size_t i = 0; i < COUNT(exported); i++)
                assert_non_null(dlsym(module, exported[i]));
        assert_int_equal(dlclose(module), 0);
        (void)snprintf(command, sizeof(command), "nm -D --defined-only '%s'", pam_fixture_module());
        nm = popen(command, "re");
        assert_non_null(nm);
        while (fgets(line, sizeof(line), nm) != NULL) {
                assert_non_null(strstr(line, " T pam_sm_"));
                count++;
        }
        if (pclose(nm) != 0)
                skip();
        assert_int_equal(count, COUNT(exported));
}

static void test_people_pass(void **state)
{
        struct pam_fixture fixture;
        char options[256];

        (void)state;
        pam_fixture_start(&fixture, &good);
        pam_fixture_service(&fixture, "other-shell", "shell=/nonexistent/agentsh socket=/nonexistent", "");
        pam_fixture_remove_policy(AGENT);
        expect_passed(&fixture, "other-shell", AGENT);
        expect_passed(&fixture, "other-shell", "no-such-user");
        expect_passed(&fixture, "other-shell", "../../x");
        expect_passed(&fixture, "other-shell", "a-name-that-is-much-longer-than-any-account-may-have-on-linux");
        expect_passed(&fixture, SERVICE, "no-such-user");
        /* root is never an agent, not by policy and not by shell. */
        pam_fixture_add_policy("root");
        (void)snprintf(options, sizeof(options), "shell=%s socket=%s", pam_fixture_shell("root"), fixture.fake.socket);
        pam_fixture_service(&fixture, "root-shell", options, "");
        expect_passed(&fixture, "other-shell", "root");
        expect_passed(&fixture, "root-shell", "root");
        pam_fixture_remove_policy("root");
        pam_fixture_stop(&fixture);
}

/* Whatever keeps the policies from being seen keeps nobody out. */
static void test_people_pass_without_policies(void **state)
{
        struct pam_fixture fixture;
        char accounts[512], away[560];

        (void)state;
        pam_fixture_start(&fixture, &good);
        pam_fixture_service(&fixture, "other-shell", "shell=/nonexistent/agentsh socket=/nonexistent", "");
        (void)snprintf(accounts, sizeof(accounts), "%s", pam_fixture_module());
        strcpy(strrchr(accounts, '/'), "/etc/accounts");
        (void)snprintf(away, sizeof(away), "%s-away", accounts);
        assert_int_equal(rename(accounts, away), 0);
        expect_passed(&fixture, "other-shell", AGENT);
        expect_refused(&fixture, SERVICE, AGENT, "No such file or directory");
        assert_int_equal(symlink(accounts, accounts), 0);
        expect_passed(&fixture, "other-shell", AGENT);
        expect_refused(&fixture, SERVICE, AGENT, "Too many levels of symbolic links");
        assert_int_equal(unlink(accounts), 0);
        assert_int_equal(close(creat(accounts, 0644)), 0);
        expect_passed(&fixture, "other-shell", AGENT);
        expect_refused(&fixture, SERVICE, AGENT, "Not a directory");
        assert_int_equal(unlink(accounts), 0);
        assert_int_equal(rename(away, accounts), 0);
        pam_fixture_stop(&fixture);
}

static void test_half_an_agent_is_refused(void **state)
{
        struct pam_fixture fixture;
        char path[560];

        (void)state;
        pam_fixture_start(&fixture, &good);
        pam_fixture_service(&fixture, "other-shell", "shell=/nonexistent/agentsh", "");
        expect_refused(&fixture, "other-shell", AGENT, "its login shell is");
        pam_fixture_add_policy("no-such-user");
        expect_refused(&fixture, SERVICE, "no-such-user", "no entry in passwd");
        pam_fixture_remove_policy("no-such-user");
        pam_fixture_remove_policy(AGENT);
        expect_refused(&fixture, SERVICE, AGENT, "agentshctl account add");
        /* A link is something by that name, wherever it leads: it is not the module that judges it. */
        (void)snprintf(path, sizeof(path), "%s", pam_fixture_module());
        strcpy(strrchr(path, '/'), "/etc/accounts/" AGENT ".ini");
        assert_int_equal(symlink("/nonexistent", path), 0);
        expect_refused(&fixture, "other-shell", AGENT, "its login shell is");
        assert_int_equal(fixture.fake.seen->accepted, 0);
        pam_fixture_stop(&fixture);
}

static void test_wrong_options(void **state)
{
        static const char *const wrong[] = {
                "sockt=/x",   "socket",     "socket=",    "socket=x",   "socket=/a/../b",      "timeout=0",
                "timeout=61", "timeout=-1", "timeout=5s", "timeout=",   "timeout=5 timeout=5", "debug=1",
                "Debug",      "debugx",     "no_warn",    "shell=bash", "socket=/a socket=/a", "use_first_pass",
                "debug debug"
        };
        struct pam_fixture fixture;

        (void)state;
        pam_fixture_start(&fixture, &good);
        for (size_t i = 0; i < COUNT(wrong); i++) {
                char options[512];

                (void)snprintf(options, sizeof(options), "shell=%s %s", pam_fixture_shell(AGENT), wrong[i]);
                pam_fixture_service(&fixture, "wrong", options, "");
                expect_passed(&fixture, "wrong", "root");
                expect_passed(&fixture, "wrong", "no-such-user");
                expect_refused(&fixture, "wrong", AGENT, "of pam_agentsh.so is wrong");
        }
        assert_int_equal(fixture.fake.seen->accepted, 0);
        pam_fixture_stop(&fixture);
}

static void test_long_socket_path(void **state)
{
        struct pam_fixture fixture;
        char options[512];

        (void)state;
        pam_fixture_start(&fixture, &good);
        (void)snprintf(options, sizeof(options), "shell=%s socket=/%0107d", pam_fixture_shell(AGENT), 7);
        pam_fixture_service(&fixture, "long", options, "");
        expect_refused(&fixture, "long", AGENT, "longer than 107 bytes");
        pam_fixture_stop(&fixture);
}

static void test_session(void **state)
{
        struct pam_fixture fixture;
        struct fake_seen *seen;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        seen = fixture.fake.seen;
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_set_item(pamh, PAM_RHOST, "192.0.2.7"), PAM_SUCCESS);
        assert_int_equal(pam_set_item(pamh, PAM_TTY, "ssh"), PAM_SUCCESS);
        assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_set_item(pamh, PAM_TTY, "/dev/pts/3"), PAM_SUCCESS);
        assert_int_equal(pam_putenv(pamh, "SSH_AUTH_INFO_0=publickey ssh-x AAAA\npassword\n"), PAM_SUCCESS);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        assert_string_equal(pam_getenv(pamh, AGENTSH_SOCKET_VARIABLE), FAKE_SOCKET);
        /* One connection carries both phases. */
        assert_int_equal(seen->accepted, 1);
        assert_int_equal(seen->requests, 2);
        assert_int_equal(seen->request[0].kind, CONTROL_ACCOUNT);
        assert_int_equal(seen->pidfd_of[0], 0);
        assert_int_equal(seen->request[1].kind, CONTROL_OPEN);
        assert_int_equal(seen->pidfd_of[1], getpid());
        assert_string_equal(seen->request[1].user, AGENT);
        assert_string_equal(seen->request[1].service, SERVICE);
        assert_string_equal(seen->request[1].rhost, "192.0.2.7");
        assert_string_equal(seen->request[1].tty, "/dev/pts/3");
        assert_string_equal(seen->request[1].ruser, "");
        assert_string_equal(seen->request[0].auth, "");
        assert_string_equal(seen->request[1].auth, "publickey ssh-x AAAA;password");
        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(fake_monitor_count(&fixture.fake, CONTROL_CLOSE), 1);
        assert_true(fake_monitor_wait(&seen->ended, 1));
        assert_null(pam_getenv(pamh, AGENTSH_SOCKET_VARIABLE));
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        assert_int_equal(fake_monitor_count(&fixture.fake, CONTROL_CLOSE), 1);
        assert_string_equal(fixture.said, "");
        pam_fixture_stop(&fixture);
}

static void test_session_without_account(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        /* Twice, one after the other, on one handle. */
        for (unsigned i = 1; i <= 2; i++) {
                assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
                assert_int_equal(fixture.fake.seen->accepted, i);
                assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        }
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

static void test_second_open_is_refused(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_open_session(pamh, 0), PAM_PERM_DENIED);
        assert_non_null(strstr(fixture.said, "open already"));
        /* Neither that nor another question about the account touches the first. */
        assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
        assert_true(fake_monitor_wait(&fixture.fake.seen->ended, 1));
        assert_int_equal(fixture.fake.seen->accepted, 2);
        assert_int_equal(fake_monitor_count(&fixture.fake, CONTROL_CLOSE), 0);
        assert_string_equal(pam_getenv(pamh, AGENTSH_SOCKET_VARIABLE), FAKE_SOCKET);
        /* Its verdict is the second open's, which libpam remembers. */
        (void)pam_close_session(pamh, 0);
        assert_int_equal(fake_monitor_count(&fixture.fake, CONTROL_CLOSE), 1);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

/* The monitor may let go of a connection on which nobody opened a session. */
static void test_kept_connection_is_gone(void **state)
{
        static const struct fake_script scripts[] = { { .account = ACT_GOOD_HANGUP },
                                                      { .account = ACT_GOOD, .open = ACT_HANGUP } };

        (void)state;
        for (size_t i = 0; i < COUNT(scripts); i++) {
                struct pam_fixture fixture;
                pam_handle_t *pamh;

                pam_fixture_start(&fixture, &scripts[i]);
                pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
                assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
                if (scripts[i].open == ACT_GOOD) {
                        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
                        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
                } else {
                        assert_int_equal(pam_open_session(pamh, 0), PAM_PERM_DENIED);
                        assert_non_null(strstr(fixture.said, "ended without an answer"));
                }
                /* Afresh once, not for ever. */
                assert_int_equal(fixture.fake.seen->accepted, 2);
                assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
                pam_fixture_stop(&fixture);
        }
}

/* sudo asks for the account of one user and opens a session of another. */
static void test_user_changes(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;
        char shell[256];

        (void)state;
        (void)snprintf(shell, sizeof(shell), "%s", pam_fixture_shell(AGENT));
        if (strcmp(shell, pam_fixture_shell(OTHER_AGENT)) != 0)
                skip();
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, OTHER_AGENT);
        assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_set_item(pamh, PAM_USER, AGENT), PAM_SUCCESS);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(fixture.fake.seen->accepted, 2);
        assert_string_equal(fixture.fake.seen->request[1].user, AGENT);
        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

static const struct {
        enum act act;
        const char *text;
        bool account; /* makes sense as an answer in the account phase too */
} bad_answers[] = {
        { ACT_REFUSE, FAKE_REASON, true },
        { ACT_REFUSE_MUTELY, "no reason", true },
        { ACT_HANGUP, "ended without an answer", true },
        { ACT_SILENCE, "no answer within", true },
        { ACT_GARBAGE, "different versions", true },
        { ACT_SHORT, "wrong size", true },
        { ACT_LONG, "wrong size", true },
        { ACT_HUGE, "what the protocol allows", true },
        { ACT_MAGIC, "different versions", true },
        { ACT_VERDICT, "another question", true },
        { ACT_ESCAPES, "malformed string", true },
        { ACT_UNTERMINATED, "malformed string", true },
        { ACT_SEND_FDS, "what the protocol allows", true },
        { ACT_SOCKET_AWAY, "not below", false },
        { ACT_SOCKET_DOTDOT, "not below", false },
        { ACT_SOCKET_PREFIX, "not below", false },
};

static void test_bad_answers(void **state)
{
        (void)state;
        for (size_t i = 0; i < COUNT(bad_answers); i++) {
                struct fake_script script = { .account = bad_answers[i].account ? bad_answers[i].act : ACT_GOOD,
                                              .open = bad_answers[i].act };
                struct pam_fixture fixture;
                uint64_t start = process_monotonic_ms();
                int account, session;

                pam_fixture_start(&fixture, &script);
                run(&fixture, SERVICE, AGENT, &account, &session);
                if (account != (bad_answers[i].account ? PAM_PERM_DENIED : PAM_SUCCESS) || session != PAM_PERM_DENIED)
                        fail_msg("act %d: %d, %d", (int)bad_answers[i].act, account, session);
                if (strstr(fixture.said, bad_answers[i].text) == NULL)
                        fail_msg("\"%s\" is not in \"%s\"", bad_answers[i].text, fixture.said);
                assert_true(process_monotonic_ms() - start < 3000);
                assert_true(fake_monitor_wait(&fixture.fake.seen->ended, script.open == ACT_SILENCE ? 2 : 0));
                pam_fixture_stop(&fixture);
        }
}

static void test_no_monitor(void **state)
{
        static const struct fake_script full = { .no_accept = true };
        struct pam_fixture fixture;
        uint64_t start;

        (void)state;
        pam_fixture_start(&fixture, &good);
        fake_monitor_kill(&fixture.fake);
        expect_refused(&fixture, SERVICE, AGENT, "Connection refused");
        assert_int_equal(unlink(fixture.fake.socket), 0);
        expect_refused(&fixture, SERVICE, AGENT, "No such file or directory");
        assert_non_null(strstr(fixture.said, "agentsh.socket"));
        pam_fixture_stop(&fixture);
        pam_fixture_start(&fixture, &full);
        start = process_monotonic_ms();
        expect_refused(&fixture, SERVICE, AGENT, "queue is full");
        assert_in_range(process_monotonic_ms() - start, 1900, 3500);
        pam_fixture_stop(&fixture);
}

/* A socket that somebody else put there. */
static void test_listener_is_not_root(void **state)
{
        static const struct fake_script script = { .listener = 65534 };
        struct pam_fixture fixture;

        (void)state;
        if (!pam_fixture_has_uids())
                skip();
        pam_fixture_start(&fixture, &script);
        expect_refused(&fixture, SERVICE, AGENT, "is uid 65534 and not root");
        assert_int_equal(fixture.fake.seen->requests, 0);
        pam_fixture_stop(&fixture);
}

static void test_close_is_bounded(void **state)
{
        static const enum act acts[] = { ACT_SILENCE, ACT_HANGUP, ACT_GARBAGE, ACT_REFUSE, ACT_VERDICT };

        (void)state;
        for (size_t i = 0; i < COUNT(acts); i++) {
                struct fake_script script = { .close = acts[i] };
                struct pam_fixture fixture;
                pam_handle_t *pamh;
                uint64_t start;

                pam_fixture_start(&fixture, &script);
                pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
                assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
                start = process_monotonic_ms();
                assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
                assert_true(process_monotonic_ms() - start < 1500);
                assert_true(fake_monitor_wait(&fixture.fake.seen->ended, acts[i] == ACT_SILENCE ? 1 : 0));
                assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
                pam_fixture_stop(&fixture);
        }
}

static void test_silence_is_honoured(void **state)
{
        static const struct fake_script script = { .account = ACT_REFUSE, .open = ACT_REFUSE };
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &script);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_acct_mgmt(pamh, PAM_SILENT), PAM_PERM_DENIED);
        assert_int_equal(pam_open_session(pamh, PAM_SILENT), PAM_PERM_DENIED);
        assert_int_equal(fixture.spoken, 0);
        assert_int_equal(pam_open_session(pamh, 0), PAM_PERM_DENIED);
        assert_int_equal(fixture.spoken, 1);
        assert_string_equal(fixture.said, "agentsh: " AGENT " may not log in: " FAKE_REASON "\n");
        /* cron: a conversation without a function. */
        fixture.conv.conv = NULL;
        assert_int_equal(pam_set_item(pamh, PAM_CONV, &fixture.conv), PAM_SUCCESS);
        assert_int_equal(pam_open_session(pamh, 0), PAM_PERM_DENIED);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

/* What the remote side chooses is told, but cannot spoil the request. */
static void test_odd_items(void **state)
{
        struct pam_fixture fixture;
        char endless[5000];
        pam_handle_t *pamh;

        (void)state;
        memset(endless, 'h', sizeof(endless) - 1);
        endless[sizeof(endless) - 1] = '\0';
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_set_item(pamh, PAM_RHOST, endless), PAM_SUCCESS);
        assert_int_equal(pam_set_item(pamh, PAM_TTY, "\x1b[2J\n"), PAM_SUCCESS);
        assert_int_equal(pam_set_item(pamh, PAM_RUSER, "\xff\xfe"), PAM_SUCCESS);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(fixture.fake.seen->malformed, 0);
        assert_string_equal(fixture.fake.seen->request[0].tty, "\\x1b[2J\\x0a");
        assert_string_equal(fixture.fake.seen->request[0].ruser, "\\xff\\xfe");
        assert_int_equal(strlen(fixture.fake.seen->request[0].rhost), 255);
        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

static void test_long_service(void **state)
{
        struct pam_fixture fixture;
        char service[80], options[512];

        (void)state;
        pam_fixture_start(&fixture, &good);
        (void)snprintf(options, sizeof(options), "shell=%s socket=%s", pam_fixture_shell(AGENT), fixture.fake.socket);
        (void)snprintf(service, sizeof(service), "%064d", 1);
        pam_fixture_service(&fixture, service, options, "");
        expect_refused(&fixture, service, AGENT, "PAM service");
        assert_int_equal(fixture.fake.seen->accepted, 0);
        pam_fixture_service(&fixture, service + 1, options, "");
        expect(&fixture, service + 1, AGENT, PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

/* Lines of the other types break nobody's login, and let nobody in by themselves. */
static void test_other_types(void **state)
{
        struct pam_fixture fixture;
        char lines[1024];
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        (void)snprintf(lines, sizeof(lines),
                       "auth required %s\nauth required pam_permit.so\npassword required %s\n"
                       "password required pam_permit.so\n",
                       pam_fixture_module(), pam_fixture_module());
        pam_fixture_service(&fixture, "types", "", lines);
        pamh = pam_fixture_handle(&fixture, "types", "root");
        assert_int_equal(pam_authenticate(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_setcred(pamh, PAM_ESTABLISH_CRED), PAM_SUCCESS);
        assert_int_equal(pam_chauthtok(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        (void)snprintf(lines, sizeof(lines), "auth required %s\n", pam_fixture_module());
        pam_fixture_service(&fixture, "alone", "", lines);
        pamh = pam_fixture_handle(&fixture, "alone", "root");
        assert_int_not_equal(pam_authenticate(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exports),
                cmocka_unit_test(test_people_pass),
                cmocka_unit_test(test_people_pass_without_policies),
                cmocka_unit_test(test_half_an_agent_is_refused),
                cmocka_unit_test(test_wrong_options),
                cmocka_unit_test(test_long_socket_path),
                cmocka_unit_test(test_session),
                cmocka_unit_test(test_session_without_account),
                cmocka_unit_test(test_second_open_is_refused),
                cmocka_unit_test(test_kept_connection_is_gone),
                cmocka_unit_test(test_user_changes),
                cmocka_unit_test(test_bad_answers),
                cmocka_unit_test(test_no_monitor),
                cmocka_unit_test(test_listener_is_not_root),
                cmocka_unit_test(test_close_is_bounded),
                cmocka_unit_test(test_silence_is_honoured),
                cmocka_unit_test(test_odd_items),
                cmocka_unit_test(test_long_service),
                cmocka_unit_test(test_other_types),
        };

        if (!pam_fixture_become_root()) {
                (void)puts("skipped: needs root or a user namespace, for a listener that is root");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
