/* test_slot.c - slots are counted by locks that vanish with their holder. */
#include "common/cleanup.h"
#include "monitor/slot.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static int open_temporary(char *path)
{
        int fd;

        assert_non_null(mkdtemp(path));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        return fd;
}

static void remove_temporary(const char *path)
{
        char command[128];

        (void)snprintf(command, sizeof(command), "rm -rf %s", path);
        assert_int_equal(system(command), 0);
}

static void skip_unless_root(void)
{
        if (geteuid() != 0) {
                print_message("needs root: slots belong to root\n");
                skip();
        }
}

static void slots_are_limited_and_freed(void **state)
{
        char path[] = "/tmp/agentsh-slot-XXXXXX";
        cleanup_close int dir = -EBADF;
        int first = -EBADF, second = -EBADF, third = -EBADF;
        struct error err = ERROR_INIT;

        (void)state;
        skip_unless_root();
        dir = open_temporary(path);
        assert_int_equal(slot_take(dir, "agent01", 2, &first, &err), 0);
        assert_int_equal(slot_take(dir, "agent01", 2, &second, &err), 0);
        assert_int_equal(slot_take(dir, "agent01", 2, &third, &err), -EBUSY);
        assert_non_null(strstr(err.text, "max_sessions"));
        assert_true(third < 0);
        /* Another account has slots of its own. */
        assert_int_equal(slot_take(dir, "agent02", 1, &third, &err), 0);
        cleanup_close_fd(&first);
        assert_int_equal(slot_take(dir, "agent01", 2, &first, &err), 0);
        cleanup_close_fd(&first);
        cleanup_close_fd(&second);
        cleanup_close_fd(&third);
        remove_temporary(path);
}

static void a_killed_holder_frees_its_slot(void **state)
{
        char path[] = "/tmp/agentsh-slot-XXXXXX";
        cleanup_close int dir = -EBADF, mine = -EBADF;
        struct error err = ERROR_INIT;
        int pipe_fds[2], status;
        char byte;
        pid_t pid;

        (void)state;
        skip_unless_root();
        dir = open_temporary(path);
        assert_int_equal(pipe(pipe_fds), 0);
        pid = fork();
        if (pid == 0) {
                int held;

                if (slot_take(dir, "agent01", 1, &held, &err) < 0)
                        _exit(1);
                (void)!write(pipe_fds[1], "x", 1);
                pause();
                _exit(0);
        }
        assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
        assert_int_equal(slot_take(dir, "agent01", 1, &mine, &err), -EBUSY);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(slot_take(dir, "agent01", 1, &mine, &err), 0);
        (void)close(pipe_fds[0]);
        (void)close(pipe_fds[1]);
        remove_temporary(path);
}

static void a_planted_link_is_refused(void **state)
{
        char path[] = "/tmp/agentsh-slot-XXXXXX";
        cleanup_close int dir = -EBADF, slot = -EBADF;
        struct error err = ERROR_INIT;

        (void)state;
        skip_unless_root();
        dir = open_temporary(path);
        assert_int_equal(mkdirat(dir, "slots", 0700), 0);
        assert_int_equal(symlinkat("/etc/passwd", dir, "slots/agent01"), 0);
        assert_int_equal(slot_take(dir, "agent01", 1, &slot, &err), -ELOOP);
        assert_int_equal(unlinkat(dir, "slots/agent01", 0), 0);
        assert_int_equal(fchmodat(dir, "slots", 0777, 0), 0);
        assert_int_equal(slot_take(dir, "agent01", 1, &slot, &err), -EPERM);
        assert_true(slot < 0);
        remove_temporary(path);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(slots_are_limited_and_freed),
                cmocka_unit_test(a_killed_holder_frees_its_slot),
                cmocka_unit_test(a_planted_link_is_refused),
        };

        return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
