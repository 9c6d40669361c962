/* test_process.c - facts about processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Run in a child, whose exit status is what it returns. */
static int in_child(int (*run)(void))
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(run());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void ignore(int number)
{
        (void)number;
}

static int spoil_and_reset(void)
{
        struct sigaction action = { .sa_handler = ignore };
        sigset_t all, now;

        sigfillset(&all);
        if (sigprocmask(SIG_BLOCK, &all, NULL) < 0 || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
            signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigaction(SIGTERM, &action, NULL) < 0 ||
            signal(SIGRTMAX, SIG_IGN) == SIG_ERR)
                return 1;
        if (process_reset_signals(NULL) < 0)
                return 2;
        for (int number = 1; number < NSIG; number++)
                if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
                        return 3;
        if (sigprocmask(SIG_BLOCK, NULL, &now) < 0)
                return 4;
        for (int number = 1; number < NSIG; number++)
                if (sigismember(&now, number) == 1)
                        return 5;
        return 0;
}

static void test_reset_signals(void **state)
{
        (void)state;
        assert_int_equal(in_child(spoil_and_reset), 0);
}

static void test_pidfd(void **state)
{
        cleanup_close int fd = -EBADF;
        pid_t pid = fork();
        struct pollfd item;
        int status;

        (void)state;
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)pause();
                _exit(0);
        }
        fd = process_open_pidfd(pid, NULL);
        assert_true(fd >= 0);
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        item = (struct pollfd){ .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&item, 1, 0), 0);
        assert_int_equal(process_send_signal(fd, SIGTERM, NULL), 0);
        assert_int_equal(poll(&item, 1, 5000), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
        assert_int_equal(process_send_signal(fd, SIGTERM, NULL), -ESRCH);
        assert_int_equal(process_open_pidfd(pid, NULL), -ESRCH);
        assert_int_equal(process_open_pidfd(-1, NULL), -EINVAL);
        assert_int_equal(process_send_signal(-1, SIGTERM, NULL), -EBADF);
}

/* A command name full of what separates fields. */
static void test_start_time(void **state)
{
        uint64_t plain, odd, other = 7;
        char name[17] = { 0 };

        (void)state;
        assert_int_equal(process_read_start_time(getpid(), &plain, NULL), 0);
        assert_true(plain > 0);
        assert_int_equal(prctl(PR_GET_NAME, name), 0);
        assert_int_equal(prctl(PR_SET_NAME, ") R 1 (2) 9 9"), 0);
        assert_int_equal(process_read_start_time(getpid(), &odd, NULL), 0);
        assert_int_equal(prctl(PR_SET_NAME, name), 0);
        assert_int_equal(odd, plain);
        assert_int_equal(process_read_start_time(0x7ffffffe, &other, NULL), -ENOENT);
        assert_int_equal(other, 7);
}

static void test_clocks(void **state)
{
        uint64_t before = process_monotonic_ms();

        (void)state;
        assert_true(process_monotonic_ms() >= before);
        assert_true(process_realtime() > 1700000000);
}

static void test_random_id(void **state)
{
        char one[17], other[17];

        (void)state;
        assert_int_equal(process_random_id(one, NULL), 0);
        assert_int_equal(process_random_id(other, NULL), 0);
        assert_true(parse_is_session_id(one));
        assert_true(parse_is_session_id(other));
        assert_string_not_equal(one, other);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reset_signals), cmocka_unit_test(test_pidfd),
                cmocka_unit_test(test_start_time),    cmocka_unit_test(test_clocks),
                cmocka_unit_test(test_random_id),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
