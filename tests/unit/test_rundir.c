/* test_rundir.c - a session's directory is born locked, found dead only when its monitor is, and goes whole. */
#include "common/cleanup.h"
#include "common/fd.h"
#include "monitor/rundir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/agentsh-rundir-XXXXXX";

static struct rundir open_base(void)
{
        struct rundir rundir = RUNDIR_INIT;
        struct error err = ERROR_INIT;

        rundir.runtime_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(rundir.runtime_fd >= 0);
        assert_int_equal(fd_make_dir(rundir.runtime_fd, "sessions", 0711, &rundir.sessions_fd, &err), 0);
        return rundir;
}

static int set_up(void **state)
{
        (void)state;
        return mkdtemp(base) == NULL;
}

static int tear_down(void **state)
{
        char command[128];

        (void)state;
        (void)snprintf(command, sizeof(command), "rm -rf %s", base);
        return system(command);
}

static void skip_unless_root(void)
{
        if (geteuid() != 0) {
                print_message("needs root: the directories belong to root\n");
                skip();
        }
}

/* What another process finds: a lock is no obstacle to the one that holds it. */
static int lock_in_child(int session_fd)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                struct error err = ERROR_INIT;
                int lock = -EBADF;

                _exit(-rundir_lock_dead(session_fd, &lock, &err));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return -WEXITSTATUS(status);
}

/* A monitor that was killed while its builder lives: the session is dead, whatever the builder still has open. */
static void is_dead_without_its_monitor(void **state)
{
        struct rundir rundir;
        pid_t monitor, builder = 0;
        int line[2], status;
        char id[SESSION_ID_LENGTH + 1] = "", path[256];
        struct error err = ERROR_INIT;

        (void)state;
        skip_unless_root();
        rundir = open_base();
        assert_int_equal(pipe2(line, O_CLOEXEC), 0);
        monitor = fork();
        if (monitor == 0) {
                if (rundir_create(&rundir, &err) < 0)
                        _exit(1);
                builder = fork();
                for (; builder == 0;)
                        (void)pause();
                (void)!write(line[1], &builder, sizeof(builder));
                (void)!write(line[1], rundir.id, sizeof(rundir.id));
                _exit(0);
        }
        assert_int_equal(waitpid(monitor, &status, 0), monitor);
        assert_int_equal(read(line[0], &builder, sizeof(builder)), sizeof(builder));
        assert_int_equal(read(line[0], id, sizeof(id)), sizeof(id));
        (void)snprintf(path, sizeof(path), "%s/sessions/%s", base, id);
        rundir.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        status = lock_in_child(rundir.fd);
        (void)kill(builder, SIGKILL);
        assert_int_equal(status, 0);
        (void)close(line[0]);
        (void)close(line[1]);
        rundir_done(&rundir);
}

static void is_made_private_and_locked(void **state)
{
        struct rundir rundir;
        struct error err = ERROR_INIT;
        struct stat st;
        int lock = -EBADF;

        (void)state;
        skip_unless_root();
        rundir = open_base();
        assert_int_equal(rundir_create(&rundir, &err), 0);
        assert_true(parse_is_session_id(rundir.id));
        assert_int_equal(fstat(rundir.fd, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0711);
        assert_int_equal(lock_in_child(rundir.fd), -EAGAIN);
        cleanup_close_fd(&rundir.lock_fd);
        assert_int_equal(rundir_lock_dead(rundir.fd, &lock, &err), 0);
        cleanup_close_fd(&lock);
        assert_int_equal(rundir_remove(&rundir, &err), 0);
        assert_int_equal(rundir_remove(&rundir, &err), 0);
        rundir_done(&rundir);
}

static void births_wait_for_the_sweep(void **state)
{
        struct rundir rundir;
        struct error err = ERROR_INIT;
        int sweep = -EBADF, birth = -EBADF;

        (void)state;
        skip_unless_root();
        rundir = open_base();
        assert_int_equal(rundir_lock_births(rundir.runtime_fd, false, &birth, &err), 0);
        /* Two births at once are fine. */
        assert_int_equal(rundir_lock_births(rundir.runtime_fd, false, &sweep, &err), 0);
        cleanup_close_fd(&sweep);
        cleanup_close_fd(&birth);
        assert_int_equal(rundir_lock_births(rundir.runtime_fd, true, &sweep, &err), 0);
        cleanup_close_fd(&sweep);
        rundir_done(&rundir);
}

static void removal_follows_no_link(void **state)
{
        struct rundir rundir;
        struct error err = ERROR_INIT;
        char outside[128], inside[256];
        struct stat st;
        int fd;

        (void)state;
        skip_unless_root();
        rundir = open_base();
        (void)snprintf(outside, sizeof(outside), "%s/precious", base);
        fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(rundir_create(&rundir, &err), 0);
        (void)snprintf(inside, sizeof(inside), "%s/sessions/%s/link", base, rundir.id);
        assert_int_equal(symlink(base, inside), 0);
        assert_int_equal(rundir_remove(&rundir, &err), 0);
        assert_int_equal(stat(outside, &st), 0);
        rundir_done(&rundir);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(is_made_private_and_locked),
                cmocka_unit_test(is_dead_without_its_monitor),
                cmocka_unit_test(births_wait_for_the_sweep),
                cmocka_unit_test(removal_follows_no_link),
        };

        return cmocka_run_group_tests_name("rundir", tests, set_up, tear_down);
}
