/* test_pam_process.c - the module in the processes that PAM applications are: forked, unprivileged, closed, killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "common/process.h"
#include "tests/lib/pam_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const struct fake_script good = { .account = ACT_GOOD };

typedef int (*child_body)(struct pam_fixture *fixture, pam_handle_t *pamh);

static int in_child(child_body run, struct pam_fixture *fixture, pam_handle_t *pamh)
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(run(fixture, pamh));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned count_closes(const struct pam_fixture *fixture)
{
        return fake_monitor_count(&fixture->fake, CONTROL_CLOSE);
}

static int end_silently(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        (void)fixture;
        return pam_end(pamh, PAM_SUCCESS | PAM_DATA_SILENT);
}

static int end_loudly(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        (void)fixture;
        return pam_end(pamh, PAM_ABORT);
}

/* su and login fork after open_session, and end the copy of the handle in the child. */
static void test_forked_end(void **state)
{
        static const child_body bodies[] = { end_silently, end_loudly };
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(in_child(bodies[i], &fixture, pamh), 0);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(in_child(bodies[i], &fixture, pamh), 0);
        assert_int_equal(count_closes(&fixture), 0);
        assert_int_equal(fixture.fake.seen->ended, 0);
        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(count_closes(&fixture), 1);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

static int open_in_child(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        unsigned last;

        if (pam_open_session(pamh, 0) != PAM_SUCCESS)
                return 1;
        last = fixture->fake.seen->requests - 1;
        if (fixture->fake.seen->pidfd_of[last] != getpid() || fixture->fake.seen->accepted != 2)
                return 2;
        return pam_close_session(pamh, 0) == PAM_SUCCESS ? pam_end(pamh, 0) : 3;
}

/* The account asked in one process, the session opened in its child: on a connection that is not shared. */
static void test_account_in_the_parent(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
        assert_int_equal(in_child(open_in_child, &fixture, pamh), 0);
        assert_true(fake_monitor_wait(&fixture.fake.seen->ended, 1));
        assert_int_equal(fixture.fake.seen->ended, 1);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

static int close_as_nobody(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        (void)fixture;
        if (setresuid(65534, 65534, 65534) < 0 || geteuid() != 65534)
                return 77;
        return pam_close_session(pamh, 0) == PAM_SUCCESS ? 0 : 1;
}

/* systemd's (sd-pam). */
static void test_close_unprivileged(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;
        uint64_t start;
        int r;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        r = in_child(close_as_nobody, &fixture, pamh);
        if (r != 77) {
                assert_int_equal(r, 0);
                assert_int_equal(count_closes(&fixture), 1);
        }
        start = process_monotonic_ms();
        fake_monitor_kill(&fixture.fake);
        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        assert_true(process_monotonic_ms() - start < 500);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
        if (r == 77)
                skip();
}

/* open_session went well, a later line of the stack did not: nobody calls close_session then. */
static void test_later_module_fails(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;
        char options[512];

        (void)state;
        pam_fixture_start(&fixture, &good);
        (void)snprintf(options, sizeof(options), "shell=%s socket=%s", pam_fixture_shell(AGENT), fixture.fake.socket);
        pam_fixture_service(&fixture, "later", options, "session required pam_deny.so\n");
        pamh = pam_fixture_handle(&fixture, "later", AGENT);
        assert_int_not_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(fake_monitor_count(&fixture.fake, CONTROL_OPEN), 1);
        assert_int_equal(pam_end(pamh, PAM_SESSION_ERR), PAM_SUCCESS);
        assert_true(fake_monitor_wait(&fixture.fake.seen->requests, 2));
        assert_int_equal(count_closes(&fixture), 1);
        assert_true(fake_monitor_wait(&fixture.fake.seen->ended, 1));
        pam_fixture_stop(&fixture);
}

/* An application that ends without a word. */
static int open_and_exit(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        (void)fixture;
        return pam_open_session(pamh, 0) == PAM_SUCCESS ? 0 : 1;
}

static void test_application_exits(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(in_child(open_and_exit, &fixture, pamh), 0);
        assert_true(fake_monitor_wait(&fixture.fake.seen->ended, 1));
        assert_int_equal(count_closes(&fixture), 0);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

static int without_stdio(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        (void)fixture;
        for (int fd = 0; fd <= 2; fd++)
                (void)close(fd);
        if (pam_acct_mgmt(pamh, 0) != PAM_SUCCESS)
                return 1;
        for (int fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        return 2;
        if (pam_open_session(pamh, 0) != PAM_SUCCESS)
                return 3;
        for (int fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        return 4;
        return pam_close_session(pamh, 0) == PAM_SUCCESS ? 0 : 5;
}

static void test_closed_stdio(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(in_child(without_stdio, &fixture, pamh), 0);
        assert_int_equal(count_closes(&fixture), 1);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

/* What su inherits from somebody who means harm; and none of it is changed. */
static int from_hostile_caller(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        struct rlimit few = { .rlim_cur = 20, .rlim_max = 20 }, none = { 0 };
        sigset_t all, blocked;
        mode_t mask;

        (void)fixture;
        sigfillset(&all);
        (void)umask(0777);
        if (setrlimit(RLIMIT_NOFILE, &few) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
            setrlimit(RLIMIT_FSIZE, &none) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
            signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_SETMASK, &all, NULL) < 0 || chdir("/proc/self") < 0)
                return 1;
        if (pam_acct_mgmt(pamh, 0) != PAM_SUCCESS || pam_open_session(pamh, 0) != PAM_SUCCESS)
                return 2;
        if (pam_close_session(pamh, 0) != PAM_SUCCESS)
                return 3;
        mask = umask(0);
        if (mask != 0777 || signal(SIGCHLD, SIG_DFL) != SIG_IGN || signal(SIGPIPE, SIG_DFL) != SIG_IGN)
                return 4;
        if (sigprocmask(SIG_SETMASK, NULL, &blocked) < 0 || sigismember(&blocked, SIGALRM) != 1)
                return 5;
        return 0;
}

static void test_hostile_caller(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(in_child(from_hostile_caller, &fixture, pamh), 0);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

/* Not one fd left to give to it: refused, and not let through. */
static int without_fds(struct pam_fixture *fixture, pam_handle_t *pamh)
{
        struct rlimit now = { .rlim_cur = 64, .rlim_max = 64 };

        (void)fixture;
        if (pam_acct_mgmt(pamh, 0) != PAM_SUCCESS)
                return 1;
        if (setrlimit(RLIMIT_NOFILE, &now) < 0)
                return 2;
        while (dup(2) >= 0)
                continue;
        /* Not exactly PAM_PERM_DENIED: libpam wants fds itself, for the audit system. */
        if (pam_open_session(pamh, 0) == PAM_SUCCESS)
                return 3;
        return pam_end(pamh, 0);
}

static void test_no_fd_left(void **state)
{
        struct pam_fixture fixture;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(in_child(without_fds, &fixture, pamh), 0);
        assert_int_equal(fake_monitor_count(&fixture.fake, CONTROL_OPEN), 0);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        pam_fixture_stop(&fixture);
}

#define FDS_MAX 1024

static size_t list_fds(bool ret_open[static FDS_MAX])
{
        cleanup_closedir DIR *dir = opendir("/proc/self/fd");
        struct dirent *entry;
        size_t count = 0;

        assert_non_null(dir);
        memset(ret_open, 0, FDS_MAX);
        while ((entry = readdir(dir)) != NULL) {
                int fd = atoi(entry->d_name);

                if (entry->d_name[0] == '.' || fd == dirfd(dir) || fd >= FDS_MAX)
                        continue;
                ret_open[fd] = true;
                count++;
        }
        return count;
}

static void test_fds(void **state)
{
        static bool before[FDS_MAX], during[FDS_MAX];
        struct pam_fixture fixture;
        size_t count;
        pam_handle_t *pamh;

        (void)state;
        pam_fixture_start(&fixture, &good);
        count = list_fds(before);
        pamh = pam_fixture_handle(&fixture, SERVICE, AGENT);
        assert_int_equal(pam_acct_mgmt(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_open_session(pamh, 0), PAM_SUCCESS);
        /* The connection, and nothing else. */
        assert_int_equal(list_fds(during), count + 1);
        for (int fd = 0; fd < FDS_MAX; fd++)
                if (during[fd] && !before[fd])
                        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(pam_close_session(pamh, 0), PAM_SUCCESS);
        assert_int_equal(pam_end(pamh, PAM_SUCCESS), PAM_SUCCESS);
        assert_int_equal(list_fds(during), count);
        pam_fixture_stop(&fixture);
}

static void test_many_sessions(void **state)
{
        enum { SESSIONS = 64 };
        static pam_handle_t *handles[SESSIONS];
        struct pam_fixture fixture;

        (void)state;
        pam_fixture_start(&fixture, &good);
        for (int i = 0; i < SESSIONS; i++) {
                handles[i] = pam_fixture_handle(&fixture, SERVICE, AGENT);
                assert_int_equal(pam_open_session(handles[i], 0), PAM_SUCCESS);
        }
        assert_int_equal(fixture.fake.seen->accepted, SESSIONS);
        for (int i = 0; i < SESSIONS; i++) {
                assert_int_equal(pam_close_session(handles[i], 0), PAM_SUCCESS);
                assert_int_equal(pam_end(handles[i], PAM_SUCCESS), PAM_SUCCESS);
        }
        assert_int_equal(count_closes(&fixture), SESSIONS);
        pam_fixture_stop(&fixture);
}

/* This program again, as the application that strace watches. */
static int drive(const char *config)
{
        struct pam_conv conv = { .conv = NULL };
        pam_handle_t *pamh = NULL;
        int r;

        if (pam_start_confdir(SERVICE, AGENT, &conv, config, &pamh) != PAM_SUCCESS)
                return 1;
        r = pam_acct_mgmt(pamh, 0) == PAM_SUCCESS && pam_open_session(pamh, 0) == PAM_SUCCESS &&
            pam_close_session(pamh, 0) == PAM_SUCCESS;
        return pam_end(pamh, PAM_SUCCESS) == PAM_SUCCESS && r ? 0 : 2;
}

static bool is_call(const char *line, const char *const *names, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                size_t length = strlen(names[i]);

                if (strncmp(line, names[i], length) == 0 && line[length] == '(')
                        return true;
        }
        return false;
}

/* From the module's loading on: what would change the process, whoever calls it. */
static void check_state(const char *call)
{
        static const char *const forbidden[] = {
                "clone",    "clone3",   "fork",        "vfork",        "execve",         "kill",          "tkill",
                "tgkill",   "wait4",    "waitid",      "rt_sigaction", "rt_sigprocmask", "rt_sigsuspend", "setitimer",
                "alarm",    "umask",    "chdir",       "fchdir",       "chroot",         "setuid",        "setgid",
                "setreuid", "setregid", "setresuid",   "setresgid",    "setgroups",      "setfsuid",      "setfsgid",
                "setsid",   "setpgid",  "setpriority", "setrlimit",    "prlimit64",      "prctl",         "capset",
                "unshare",  "setns",    "mount",       "umount2",      "keyctl",         "add_key",       "dup2",
                "dup3",     "dup",      "pipe",        "personality",
        };

        if (is_call(call, forbidden, sizeof(forbidden) / sizeof(forbidden[0])))
                fail_msg("the module's process calls %s", call);
}

/* Between the look for a policy and libpam's message to the audit system, which uses fds as it likes. */
static void check_fds(const char *call)
{
        static const char *const users[] = { "read",  "write",   "writev",  "close", "fcntl", "ioctl",
                                             "lseek", "sendmsg", "recvmsg", "fstat", "dup",   "ftruncate" };
        static const char *const creators[] = { "socket", "openat", "open", "socketpair", "pipe2", "accept4" };
        const char *argument = strchr(call, '(');

        if (argument != NULL && is_call(call, users, sizeof(users) / sizeof(users[0])) && argument[1] >= '0' &&
            argument[1] <= '2' && (argument[2] == ',' || argument[2] == ')'))
                fail_msg("the module uses stdio: %s", call);
        if (is_call(call, creators, sizeof(creators) / sizeof(creators[0])) && strstr(call, "CLOEXEC") == NULL)
                fail_msg("an fd without CLOEXEC: %s", call);
}

static void check_trace(const char *path)
{
        cleanup_fclose FILE *trace = fopen(path, "re");
        bool loaded = false, ours = false;
        unsigned asked = 0;
        char line[4096];

        assert_non_null(trace);
        while (fgets(line, sizeof(line), trace) != NULL) {
                const char *call = line + strspn(line, "0123456789 ");

                loaded = loaded || strstr(line, "pam_agentsh.so\"") != NULL;
                ours = (ours || strstr(line, "/etc/accounts/") != NULL || strncmp(call, "sendmsg(", 8) == 0) &&
                       strstr(line, "NETLINK") == NULL;
                asked += ours && strncmp(call, "sendmsg(", 8) == 0;
                if (loaded)
                        check_state(call);
                if (ours)
                        check_fds(call);
        }
        assert_int_equal(asked, 3);
}

static void test_system_calls(void **state)
{
        struct pam_fixture fixture;
        char command[1024], trace[256], self[256];
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        int r;

        (void)state;
        if (SANITIZED || length < 0 || system("strace -o /dev/null true >/dev/null 2>&1") != 0)
                skip();
        self[length] = '\0';
        pam_fixture_start(&fixture, &good);
        (void)snprintf(trace, sizeof(trace), "%s/trace", fixture.config);
        (void)snprintf(command, sizeof(command), "strace -f -o '%s' '%s' drive '%s'", trace, self, fixture.config);
        r = system(command);
        assert_int_equal(r, 0);
        assert_int_equal(count_closes(&fixture), 1);
        check_trace(trace);
        pam_fixture_stop(&fixture);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forked_end),
                cmocka_unit_test(test_account_in_the_parent),
                cmocka_unit_test(test_close_unprivileged),
                cmocka_unit_test(test_later_module_fails),
                cmocka_unit_test(test_application_exits),
                cmocka_unit_test(test_closed_stdio),
                cmocka_unit_test(test_hostile_caller),
                cmocka_unit_test(test_no_fd_left),
                cmocka_unit_test(test_fds),
                cmocka_unit_test(test_many_sessions),
                cmocka_unit_test(test_system_calls),
        };

        if (argc == 3 && strcmp(argv[1], "drive") == 0)
                return drive(argv[2]);
        if (!pam_fixture_become_root()) {
                (void)puts("skipped: needs root or a user namespace, for a listener that is root");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
