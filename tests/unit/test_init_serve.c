/* test_init_serve.c - who may attach: only the uid of the configuration; everybody else is hung up on, unread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/attach.h"
#include "common/cleanup.h"
#include "common/seqpacket.h"
#include "common/status.h"
#include "shell/init_serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT   64001
#define OTHER   64002
#define WAIT_MS 5000

struct fixture {
        char path[64];
        int status; /* the monitor's end */
        pid_t pid;  /* of what stands for process 1 */
};

static void start(struct fixture *fixture)
{
        static struct init_config config = { .magic = STATUS_MAGIC, .uid = AGENT };
        struct error err = ERROR_INIT;
        int pair[2], listener;

        (void)snprintf(config.user, sizeof(config.user), "agent");
        (void)snprintf(config.home, sizeof(config.home), "/");
        (void)snprintf(config.shell, sizeof(config.shell), "/bin/sh");
        (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/agentsh-serve-%d", (int)getpid());
        listener = seqpacket_listen(fixture->path, 0666, 8, &err);
        assert_true(listener >= 0);
        assert_int_equal(chmod(fixture->path, 0666), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        fixture->pid = fork();
        if (fixture->pid == 0) {
                sigset_t child;

                (void)close(pair[0]);
                sigemptyset(&child);
                sigaddset(&child, SIGCHLD);
                (void)sigprocmask(SIG_BLOCK, &child, NULL);
                _exit(init_serve(pair[1], listener, &err) < 0);
        }
        (void)close(pair[1]);
        (void)close(listener);
        fixture->status = pair[0];
        assert_int_equal(seqpacket_send(fixture->status, &config, sizeof(config), NULL, 0, WAIT_MS, &err), 0);
}

static void stop(struct fixture *fixture)
{
        int status;

        (void)close(fixture->status);
        assert_int_equal(waitpid(fixture->pid, &status, 0), fixture->pid);
        (void)unlink(fixture->path);
}

/* What one of that uid gets for a message that is no request: 1 an answer, 0 the end of the connection. */
static int ask_as(const struct fixture *fixture, uid_t uid)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                struct attach_reply reply;
                size_t count = 0;
                ssize_t got;
                int fd = setresuid(uid, uid, uid) < 0 ? -1 : seqpacket_connect(fixture->path, WAIT_MS, NULL);

                if (fd < 0)
                        _exit(100);
                (void)!send(fd, "x", 1, MSG_NOSIGNAL); /* it may have hung up already */
                got = seqpacket_receive(fd, &reply, sizeof(reply), NULL, 0, &count, WAIT_MS, NULL);
                _exit(got > 0 ? 1 : got == 0 || got == -ECONNRESET ? 0 : 101);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void only_the_agent_is_heard(void **state)
{
        struct fixture fixture;

        (void)state;
        if (geteuid() != 0) {
                print_message("needs root, to be two other users\n");
                skip();
        }
        start(&fixture);
        assert_int_equal(ask_as(&fixture, AGENT), 1);
        assert_int_equal(ask_as(&fixture, OTHER), 0);
        assert_int_equal(ask_as(&fixture, 0), 0);
        assert_int_equal(ask_as(&fixture, AGENT), 1);
        stop(&fixture);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_the_agent_is_heard),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
