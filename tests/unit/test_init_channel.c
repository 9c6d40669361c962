/* test_init_channel.c - one channel from request to exit, driven step by step in this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/seqpacket.h"
#include "shell/init_channel.h"
#include "shell/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct fixture {
        struct init_config config;
        struct channel channel;
        int client;
        char *buffer;
};

static int begin(void **state)
{
        struct fixture *fixture = calloc(1, sizeof(*fixture));
        int pair[2];

        *state = fixture;
        fixture->config = (struct init_config){ .magic = STATUS_MAGIC,
                                                .home = "/",
                                                .shell = "/bin/sh",
                                                .environment = "PATH=/usr/bin:/bin",
                                                .environment_size = 19 };
        fixture->buffer = malloc(ATTACH_MESSAGE_MAX);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -1;
        fixture->client = pair[1];
        channel_open(&fixture->channel, pair[0], 1000);
        return 0;
}

static int finish(void **state)
{
        struct fixture *fixture = *state;

        cleanup_close_fd(&fixture->client);
        if (fixture->channel.state != CHANNEL_FREE)
                channel_refuse(&fixture->channel, "over");
        free(fixture->buffer);
        free(fixture);
        return 0;
}

static void send_request(struct fixture *fixture, const char *command, uint32_t passed, const int *fds, size_t count)
{
        struct attach_request header = { .magic = ATTACH_MAGIC,
                                         .kind = ATTACH_REQUEST,
                                         .passed = passed,
                                         .rows = 33,
                                         .columns = 99,
                                         .command_size = (uint32_t)strlen(command) + 1 };
        char message[1024];

        memcpy(message, &header, sizeof(header));
        memcpy(message + sizeof(header), command, header.command_size);
        assert_int_equal(
                seqpacket_send(fixture->client, message, sizeof(header) + header.command_size, fds, count, 100, NULL),
                0);
}

/* The kind of the next answer; 0 when the channel was closed. *ret_fd gets an fd that came along. */
static uint32_t answer(struct fixture *fixture, struct attach_reply *ret, int *ret_fd)
{
        int fds[2];
        size_t count;
        ssize_t got = seqpacket_receive(fixture->client, ret, sizeof(*ret), fds, 2, &count, 2000, NULL);

        *ret_fd = count > 0 ? fds[0] : -1;
        assert_true(count <= 1);
        if (got <= 0)
                return 0;
        assert_int_equal(attach_parse_reply(ret, (size_t)got, ret, NULL), 0);
        return ret->kind;
}

static void wait_readable(int fd)
{
        struct pollfd item = { .fd = fd, .events = POLLIN };

        assert_int_equal(poll(&item, 1, 5000), 1);
}

static void start(struct fixture *fixture)
{
        channel_take_request(&fixture->channel, &fixture->config, fixture->buffer);
        assert_int_equal(fixture->channel.state, CHANNEL_STARTING);
        wait_readable(fixture->channel.report);
        assert_true(channel_take_report(&fixture->channel, &fixture->config));
        assert_int_equal(fixture->channel.state, CHANNEL_RUNNING);
}

static int reap(struct fixture *fixture)
{
        int status;

        assert_int_equal(waitpid(fixture->channel.pid, &status, 0), fixture->channel.pid);
        channel_exited(&fixture->channel, status, 2000);
        assert_int_equal(fixture->channel.state, CHANNEL_CLOSING);
        assert_int_equal(fixture->channel.deadline, 2000 + CHANNEL_NOTICE_MS);
        return status;
}

static void command_on_pipes(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply reply;
        int out[2], fds[3], fd;
        char text[16] = "";

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        fds[1] = fds[2] = out[1];
        send_request(fixture, "echo hello; exit 7", ATTACH_PASSED_ALL, fds, 3);
        start(fixture);
        (void)close(out[1]);
        (void)close(fds[0]);
        assert_int_equal(answer(fixture, &reply, &fd), ATTACH_STARTED);
        assert_int_equal(fd, -1);
        assert_int_equal(WEXITSTATUS(reap(fixture)), 7);
        assert_int_equal(read(out[0], text, sizeof(text)), 6);
        assert_string_equal(text, "hello\n");
        assert_int_equal(read(out[0], text, sizeof(text)), 0);
        channel_finish(&fixture->channel, LIMIT_MASK(MEMORY));
        assert_int_equal(answer(fixture, &reply, &fd), ATTACH_EXITED);
        assert_int_equal(WEXITSTATUS(reply.wait_status), 7);
        assert_int_equal(reply.hit, LIMIT_MASK(MEMORY));
        assert_int_equal(fixture->channel.state, CHANNEL_FREE);
        (void)close(out[0]);
}

static void command_on_a_terminal(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply reply;
        char text[64] = "";
        int master;

        send_request(fixture, "test -t 0 && test -t 2 && stty size; read x", 0, NULL, 0);
        start(fixture);
        assert_int_equal(answer(fixture, &reply, &master), ATTACH_STARTED);
        assert_true(terminal_is_master(master));
        wait_readable(master);
        assert_true(read(master, text, sizeof(text) - 1) > 0);
        assert_string_equal(text, "33 99\r\n");
        /* The client's end is the terminal's. */
        (void)close(master);
        cleanup_close_fd(&fixture->client);
        channel_take_message(&fixture->channel);
        assert_int_equal(fixture->channel.client, -EBADF);
        assert_int_equal(WTERMSIG(reap(fixture)), SIGHUP);
        channel_finish(&fixture->channel, 0);
}

static void signals(void **state)
{
        const struct attach_signal message = { .magic = ATTACH_MAGIC, .kind = ATTACH_SIGNAL, .number = SIGUSR1 };
        struct fixture *fixture = *state;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        const int fds[] = { null, null, null };

        send_request(fixture, "exec sleep 30", ATTACH_PASSED_ALL, fds, 3);
        start(fixture);
        channel_take_message(&fixture->channel); /* nothing there: no harm */
        assert_int_equal(fixture->channel.state, CHANNEL_RUNNING);
        assert_int_equal(seqpacket_send(fixture->client, &message, sizeof(message), NULL, 0, 0, NULL), 0);
        channel_take_message(&fixture->channel);
        assert_int_equal(WTERMSIG(reap(fixture)), SIGUSR1);
        (void)close(null);
}

static void failures(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply reply;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), fd;
        const int fds[] = { null, null, null };

        (void)strcpy(fixture->config.shell, "/nonexistent/sh");
        send_request(fixture, "true", ATTACH_PASSED_ALL, fds, 3);
        channel_take_request(&fixture->channel, &fixture->config, fixture->buffer);
        wait_readable(fixture->channel.report);
        assert_false(channel_take_report(&fixture->channel, &fixture->config));
        assert_int_equal(fixture->channel.state, CHANNEL_FREE);
        assert_int_equal(answer(fixture, &reply, &fd), ATTACH_FAILED);
        assert_string_equal(reply.text, "cannot run /nonexistent/sh: No such file or directory");
        assert_int_equal(waitpid(fixture->channel.pid, NULL, 0), fixture->channel.pid);
        (void)close(null);
}

static void refuse(struct fixture *fixture, const char *text)
{
        struct attach_reply reply;
        int fd;

        channel_take_request(&fixture->channel, &fixture->config, fixture->buffer);
        assert_int_equal(fixture->channel.state, CHANNEL_FREE);
        assert_int_equal(answer(fixture, &reply, &fd), ATTACH_FAILED);
        assert_non_null(strstr(reply.text, text));
}

static void directory(void **state)
{
        int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
        const int fds[] = { null, fd, null };

        send_request(*state, "true", ATTACH_PASSED_ALL, fds, 3);
        refuse(*state, "is a directory");
        (void)close(fd);
        (void)close(null);
}

static void terminal(void **state)
{
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

        assert_int_equal(unlockpt(master), 0);
        slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        send_request(*state, "true", ATTACH_STDIN_PASSED, &slave, 1);
        refuse(*state, "a terminal may not be passed");
        (void)close(slave);
        (void)close(master);
}

static void wrong_number_of_fds(void **state)
{
        send_request(*state, "true", ATTACH_PASSED_ALL, NULL, 0);
        refuse(*state, "wrong number of fds");
}

static void too_many_fds(void **state)
{
        static const int fds[] = { 0, 0, 0, 0 };

        send_request(*state, "true", ATTACH_PASSED_ALL, fds, 4);
        refuse(*state, "the protocol allows");
}

static void nothing_yet_and_then_gone(void **state)
{
        struct fixture *fixture = *state;

        channel_take_request(&fixture->channel, &fixture->config, fixture->buffer);
        assert_int_equal(fixture->channel.state, CHANNEL_WAITING);
        send_request(fixture, "exit 9", 0, NULL, 0);
        cleanup_close_fd(&fixture->client);
        channel_take_request(&fixture->channel, &fixture->config, fixture->buffer);
        assert_int_equal(fixture->channel.state, CHANNEL_FREE);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void announced_end(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply reply;
        int master;

        send_request(fixture, "exec sleep 30", 0, NULL, 0);
        start(fixture);
        assert_int_equal(answer(fixture, &reply, &master), ATTACH_STARTED);
        channel_end(&fixture->channel, LIMIT_MASK(TIME), ENDING_TIME);
        assert_int_equal(fixture->channel.state, CHANNEL_RUNNING);
        channel_end(&fixture->channel, LIMIT_MASK(TIME), ENDING_TIME);
        (void)close(master);
        assert_int_equal(answer(fixture, &reply, &master), ATTACH_EXITED);
        assert_int_equal(reply.wait_status, SIGKILL);
        assert_int_equal(reply.ending, ENDING_TIME);
        assert_int_equal(answer(fixture, &reply, &master), 0);
        channel_kill(&fixture->channel);
        (void)reap(fixture);
        channel_end(&fixture->channel, 0, ENDING_TIME);
        assert_int_equal(fixture->channel.state, CHANNEL_FREE);
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CHANNEL_TEST(command_on_pipes),
                CHANNEL_TEST(command_on_a_terminal),
                CHANNEL_TEST(signals),
                CHANNEL_TEST(failures),
                CHANNEL_TEST(directory),
                CHANNEL_TEST(terminal),
                CHANNEL_TEST(wrong_number_of_fds),
                CHANNEL_TEST(too_many_fds),
                CHANNEL_TEST(nothing_yet_and_then_gone),
                CHANNEL_TEST(announced_end),
        };

        /* As init is: its children must undo it to reach their own files in /proc. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return 1;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
