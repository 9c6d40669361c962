/* test_admin_run.c - programs run with nothing of the caller's: environment, fds, signals, directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void run(const char *const argv[], const char *input, struct run_result *ret)
{
        struct error err = ERROR_INIT;
        int r = run_program(argv, input, 20, ret, &err);

        if (r < 0)
                print_error("%s\n", err.text);
        assert_int_equal(r, 0);
}

static void test_environment_is_fixed(void **state)
{
        static const char *const ARGV[] = { "env", NULL };
        cleanup_run_result struct run_result result = { 0 };

        (void)state;
        (void)setenv("LD_PRELOAD", "/nonexistent.so", 1);
        (void)setenv("PATH", "/tmp", 1);
        run(ARGV, NULL, &result);
        (void)unsetenv("LD_PRELOAD");
        assert_string_equal(result.output, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
}

static void test_no_fd_and_no_signal_state_is_inherited(void **state)
{
        static const char *const FDS[] = { "sh", "-c", "ls /proc/$$/fd | tr '\\n' ' '; pwd; umask", NULL };
        static const char *const SIGNALS[] = { "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status", NULL };
        cleanup_run_result struct run_result fds = { 0 }, signals = { 0 };
        int leak = dup(0); /* not close-on-exec */
        sigset_t all;

        (void)state;
        sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        (void)signal(SIGTERM, SIG_IGN);
        (void)signal(SIGCHLD, SIG_IGN);
        (void)umask(0777);
        run(FDS, NULL, &fds);
        run(SIGNALS, NULL, &signals);
        (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
        (void)umask(022);
        (void)close(leak);
        assert_true(strncmp(fds.output, "0 1 2 /\n0022\n", 13) == 0 ||
                    strncmp(fds.output, "0 1 10 2 /\n0022\n", 16) == 0);
        assert_non_null(strstr(signals.output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"));
}

static void test_status_input_and_output(void **state)
{
        static const char *const SEVEN[] = { "sh", "-c", "cat; echo bad >&2; exit 7", NULL };
        static const char *const KILLED[] = { "sh", "-c", "kill -9 $$", NULL };
        cleanup_run_result struct run_result seven = { 0 }, killed = { 0 };
        char last[16];

        (void)state;
        run(SEVEN, "given\n", &seven);
        assert_int_equal(seven.status, 7);
        assert_string_equal(seven.output, "given\nbad\n");
        run_last_line(&seven, last, sizeof(last));
        assert_string_equal(last, "bad");
        run(KILLED, NULL, &killed);
        assert_int_equal(killed.status, 128 + SIGKILL);
        run_last_line(&killed, last, sizeof(last));
        assert_string_equal(last, "");
}

static void test_failures(void **state)
{
        static const char *const MISSING[] = { "no-such-program-anywhere", NULL };
        static const char *const SLOW[] = { "sleep", "30", NULL };
        static const char *const FALSE[] = { "false", NULL };
        cleanup_run_result struct run_result result = { 0 };
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(run_program(MISSING, NULL, 5, &result, &err), -ENOENT);
        assert_int_equal(run_program(SLOW, NULL, 1, &result, &err), -ETIMEDOUT);
        assert_null(result.output);
        assert_true(run_checked(FALSE, "do it", &err) < 0);
        assert_non_null(strstr(err.text, "cannot do it"));
}

static void test_large_output_is_cut(void **state)
{
        static const char *const ARGV[] = { "head", "-c", "1000000", "/dev/zero", NULL };
        cleanup_run_result struct run_result result = { 0 };

        (void)state;
        run(ARGV, NULL, &result);
        assert_int_equal(result.size, RUN_OUTPUT_MAX);
        assert_int_equal(result.status, 0);
}

static void test_shell_characters_stay_text(void **state)
{
        static const char *const ARGV[] = { "printf", "%s", "$(id); `id` \"x\" 'y' *", NULL };
        cleanup_run_result struct run_result result = { 0 };

        (void)state;
        run(ARGV, NULL, &result);
        assert_string_equal(result.output, "$(id); `id` \"x\" 'y' *");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_environment_is_fixed),
                cmocka_unit_test(test_no_fd_and_no_signal_state_is_inherited),
                cmocka_unit_test(test_status_input_and_output),
                cmocka_unit_test(test_failures),
                cmocka_unit_test(test_large_output_is_cut),
                cmocka_unit_test(test_shell_characters_stay_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
