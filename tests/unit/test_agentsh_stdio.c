/* test_agentsh_stdio.c - the table of what may be a standard stream, and how the three are sorted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/attach.h"
#include "common/cleanup.h"
#include "shell/agentsh_stdio.h"
#include "shell/stdio_type.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

/* Takes the fd over. 0: passed, 1: a terminal, else -errno. */
static int type_of(int fd)
{
        cleanup_close int owned = fd;
        struct error err = ERROR_INIT;
        enum stdio_type type;
        int r = stdio_type(owned, &type, &err);

        if (r < 0) {
                assert_int_equal(err.number, -r);
                assert_true(err.text[0] != '\0');
                return r;
        }
        return type == STDIO_TERMINAL;
}

static int socket_pair(int type)
{
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
        (void)close(pair[1]);
        return pair[0];
}

static void passed(void **state)
{
        int ends[2];

        (void)state;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(type_of(ends[0]), 0);
        assert_int_equal(type_of(ends[1]), 0);
        assert_int_equal(type_of(open("/dev/null", O_RDWR)), 0);
        assert_int_equal(type_of(open("/dev/zero", O_RDONLY)), 0);
        assert_int_equal(type_of(open("/dev/full", O_WRONLY)), 0);
        assert_int_equal(type_of(open("/dev/urandom", O_RDONLY)), 0);
        assert_int_equal(type_of(open("/etc/passwd", O_RDONLY)), 0);
        assert_int_equal(type_of(open("/tmp", O_WRONLY | O_TMPFILE, 0600)), 0);
        assert_int_equal(type_of(socket_pair(SOCK_STREAM)), 0);
}

static void terminals(void **state)
{
        cleanup_close int master = posix_openpt(O_RDWR | O_NOCTTY);

        (void)state;
        assert_true(master >= 0);
        assert_int_equal(unlockpt(master), 0);
        assert_int_equal(type_of(open(ptsname(master), O_RDWR | O_NOCTTY)), 1);
        assert_int_equal(type_of(open(ptsname(master), O_RDONLY | O_NOCTTY)), 1);
        assert_int_equal(type_of(dup(master)), -EINVAL);
}

static void refused(void **state)
{
        (void)state;
        assert_int_equal(type_of(open("/", O_RDONLY | O_DIRECTORY)), -EINVAL);
        assert_int_equal(type_of(open("/", O_PATH)), -EINVAL);
        assert_int_equal(type_of(open("/dev/null", O_PATH)), -EINVAL);
        assert_int_equal(type_of(open("/proc/self/status", O_RDONLY)), -EINVAL);
        assert_int_equal(type_of(open("/proc/self/ns/net", O_RDONLY)), -EINVAL);
        assert_int_equal(type_of(open("/tmp", O_RDWR | O_TMPFILE, 0600)), -EINVAL);
        assert_int_equal(type_of(memfd_create("x", 0)), -EINVAL);
        assert_int_equal(type_of(eventfd(0, 0)), -EINVAL);
        assert_int_equal(type_of(socket(AF_UNIX, SOCK_STREAM, 0)), -EINVAL);
        assert_int_equal(type_of(socket(AF_INET, SOCK_STREAM, 0)), -EINVAL);
        assert_int_equal(type_of(socket_pair(SOCK_DGRAM)), -EINVAL);
        assert_int_equal(type_of(socket_pair(SOCK_SEQPACKET)), -EINVAL);
        assert_int_equal(type_of(-1), -EBADF);
}

/* A node of one's own for the first block device that opens: those of /dev are the host's, and may not be there. */
static int open_block_device(void)
{
        static const unsigned majors[] = { 7 /* loop */, 254, 253, 259, 8, 252 };
        char name[64];
        int fd = -1;

        (void)snprintf(name, sizeof(name), "/tmp/agentsh-block-%d", (int)getpid());
        for (size_t i = 0; fd < 0 && i < sizeof(majors) / sizeof(majors[0]); i++) {
                if (mknod(name, S_IFBLK | 0600, makedev(majors[i], 0)) == 0)
                        fd = open(name, O_RDONLY | O_CLOEXEC);
                (void)unlink(name);
        }
        return fd;
}

static void block_devices(void **state)
{
        int fd = geteuid() == 0 ? open_block_device() : -1;

        (void)state;
        if (fd < 0) {
                print_message("no block device can be opened here\n");
                skip();
        }
        assert_int_equal(type_of(fd), -EINVAL);
}

/* Runs stdio_inspect in a child whose standard streams are these (-1: the terminal). Returns what the child says. */
static int inspect(const char *const paths[static 3], int flags, int (*judge)(const struct stdio *))
{
        cleanup_close int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        const char *terminal;
        int status;
        pid_t pid;

        assert_int_equal(unlockpt(master), 0);
        terminal = ptsname(master);
        pid = fork();
        if (pid == 0) {
                struct stdio stdio;

                for (int fd = 0; fd < 3; fd++) {
                        int opened = open(paths[fd] != NULL ? paths[fd] : terminal, flags | O_NOCTTY);

                        (void)dup2(opened, fd);
                        if (opened > 2)
                                (void)close(opened);
                }
                _exit(stdio_inspect(&stdio, NULL) < 0 ? 100 : judge(&stdio));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int all_passed(const struct stdio *stdio)
{
        return stdio->passed == ATTACH_PASSED_ALL && stdio->fds_count == 3 && !stdio_wants_pty(stdio) &&
               stdio->in == -1 && stdio->out == -1;
}

static int all_terminal(const struct stdio *stdio)
{
        return stdio->passed == 0 && stdio->fds_count == 0 && stdio->in == 0 && stdio->out == 1 &&
               !stdio_output_is_shared(stdio);
}

static int only_stdin_terminal(const struct stdio *stdio)
{
        return stdio->passed == (ATTACH_STDOUT_PASSED | ATTACH_STDERR_PASSED) && stdio->fds[0] == 1 &&
               stdio->fds[1] == 2 && stdio->in == 0 && stdio->out == 0 && stdio_output_is_shared(stdio);
}

static int only_stderr_terminal(const struct stdio *stdio)
{
        return stdio->passed == (ATTACH_STDIN_PASSED | ATTACH_STDOUT_PASSED) && stdio->fds[0] == 0 &&
               stdio->fds[1] == 1 && stdio->in == -1 && stdio->out == 2 && stdio_output_is_shared(stdio);
}

static int never(const struct stdio *stdio)
{
        (void)stdio;
        return 99;
}

static void sorting(void **state)
{
        static const char *const streams[][3] = {
                { "/dev/null", "/dev/null", "/dev/null" }, { NULL, NULL, NULL },
                { NULL, "/dev/null", "/dev/null" },        { "/dev/null", "/dev/null", NULL },
                { "/dev/null", "/", "/dev/null" },
        };

        (void)state;
        assert_int_equal(inspect(streams[0], O_RDWR, all_passed), 1);
        assert_int_equal(inspect(streams[1], O_RDWR, all_terminal), 1);
        assert_int_equal(inspect(streams[2], O_RDWR, only_stdin_terminal), 1);
        assert_int_equal(inspect(streams[3], O_RDWR, only_stderr_terminal), 1);
        assert_int_equal(inspect(streams[4], O_RDONLY, never), 100);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(passed),        cmocka_unit_test(terminals), cmocka_unit_test(refused),
                cmocka_unit_test(block_devices), cmocka_unit_test(sorting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
