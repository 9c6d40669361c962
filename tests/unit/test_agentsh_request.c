/* test_agentsh_request.c - what agentsh sends is what init accepts, and what init may answer is little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/attach.h"
#include "common/cleanup.h"
#include "common/seqpacket.h"
#include "shell/agentsh_request.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

struct ends {
        int ours, theirs;
};

static int make_ends(void **state)
{
        struct ends *ends = calloc(1, sizeof(*ends));
        int pair[2];

        *state = ends;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
                return -1;
        ends->ours = pair[0];
        ends->theirs = pair[1];
        return 0;
}

static int close_ends(void **state)
{
        struct ends *ends = *state;

        cleanup_close_fd(&ends->ours);
        cleanup_close_fd(&ends->theirs);
        free(ends);
        return 0;
}

static const struct stdio on_pipes = {
        .passed = ATTACH_PASSED_ALL, .fds = { 0, 1, 2 }, .fds_count = 3, .in = -1, .out = -1
};
static const struct stdio on_terminal = { .in = 0, .out = 1 };

static int send_command(struct ends *ends, const char *prefix, const char *command, struct error *err)
{
        const struct invocation invocation = { .prefix = prefix, .command = command };
        const struct tty tty = { .in = -1, .out = -1, .parent_stat = -1 };
        static const char *const variables[] = { "TERM=xterm", "SECRET=1", "LC_ALL=C", NULL };

        struct inside inside = { .socket = ends->ours, .stream = -1 };

        return request_send(&inside, &invocation, &on_pipes, &tty, "TERM\nLC_*", (char *const *)(uintptr_t)variables,
                            err);
}

static void request(void **state)
{
        struct ends *ends = *state;
        char *data = malloc(ATTACH_MESSAGE_MAX);
        struct attach_parts parts;
        int fds[4];
        size_t count;
        ssize_t got;

        assert_int_equal(send_command(ends, "exec x", " -l", NULL), 0);
        got = seqpacket_receive(ends->theirs, data, ATTACH_MESSAGE_MAX, fds, 4, &count, 0, NULL);
        assert_true(got > 0);
        assert_int_equal(count, 3);
        assert_int_equal(attach_parse_request(data, (size_t)got, count, &parts, NULL), 0);
        assert_string_equal(parts.command, "exec x -l");
        assert_int_equal(parts.header.environment_size, sizeof("TERM=xterm\0LC_ALL=C"));
        assert_memory_equal(parts.environment, "TERM=xterm\0LC_ALL=C", parts.header.environment_size);
        for (size_t i = 0; i < count; i++)
                (void)close(fds[i]);
        free(data);
}

static void long_commands(void **state)
{
        struct ends *ends = *state;
        struct error err = ERROR_INIT;
        char *command = malloc(131072);

        memset(command, 'x', 131071);
        command[131071] = '\0';
        assert_int_equal(send_command(ends, "", command, &err), -E2BIG);
        assert_non_null(strstr(err.text, "131071 bytes"));
        command[90000] = '\0';
        assert_int_equal(send_command(ends, "", command, NULL), 0);
        free(command);
}

static int wait_for(struct ends *ends, const struct stdio *stdio, const void *data, size_t size, const int *fds,
                    size_t count)
{
        struct error err = ERROR_INIT;
        struct inside inside = { .socket = ends->ours, .stream = -7 };
        int r;

        if (data == NULL)
                cleanup_close_fd(&ends->theirs);
        else
                assert_int_equal(seqpacket_send(ends->theirs, data, size, fds, count, 100, NULL), 0);
        r = request_wait(&inside, stdio, 50, &err);
        assert_int_equal(r, -err.number);
        assert_true(r == 0 || inside.stream == -7);
        if (inside.stream >= 0)
                (void)close(inside.stream);
        return r;
}

static int reply(struct ends *ends, const struct stdio *stdio, uint32_t kind, const int *fds, size_t count)
{
        const struct attach_reply message = { .magic = ATTACH_MAGIC, .kind = kind, .text = "because" };

        return wait_for(ends, stdio, &message, sizeof(message), fds, count);
}

static int open_fds(void)
{
        int count = 0;

        for (int fd = 0; fd < 256; fd++)
                count += fcntl(fd, F_GETFD) >= 0;
        return count;
}

static void answers(void **state)
{
        struct ends *ends = *state;
        int null = open("/dev/null", O_RDWR | O_CLOEXEC), master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        const int two[] = { master, master }, many[] = { null, null, null, null };
        int before = open_fds();
        struct inside inside = { .socket = ends->ours, .stream = -1 };
        struct error err = ERROR_INIT;

        assert_int_equal(reply(ends, &on_pipes, ATTACH_STARTED, NULL, 0), 0);
        assert_int_equal(reply(ends, &on_terminal, ATTACH_STARTED, &master, 1), 0);
        assert_int_equal(reply(ends, &on_pipes, ATTACH_STARTED, &master, 1), -EPROTO);
        assert_int_equal(reply(ends, &on_terminal, ATTACH_STARTED, NULL, 0), -EPROTO);
        assert_int_equal(reply(ends, &on_terminal, ATTACH_STARTED, &null, 1), -EPROTO);
        assert_int_equal(reply(ends, &on_terminal, ATTACH_STARTED, two, 2), -EBADMSG);
        assert_int_equal(reply(ends, &on_terminal, ATTACH_STARTED, many, 4), -EBADMSG);
        assert_int_equal(reply(ends, &on_pipes, ATTACH_FAILED, NULL, 0), -ECONNREFUSED);
        assert_int_equal(reply(ends, &on_pipes, ATTACH_FAILED, &null, 1), -ECONNREFUSED);
        assert_int_equal(reply(ends, &on_pipes, ATTACH_EXITED, NULL, 0), -EPROTO);
        assert_int_equal(reply(ends, &on_pipes, ATTACH_SIGNAL, NULL, 0), -EBADMSG);
        assert_int_equal(wait_for(ends, &on_pipes, "x", 1, NULL, 0), -EBADMSG);
        assert_int_equal(open_fds(), before);
        assert_int_equal(request_wait(&inside, &on_pipes, 20, &err), -ETIMEDOUT);
        (void)close(null);
        (void)close(master);
        assert_int_equal(wait_for(ends, &on_pipes, NULL, 0, NULL, 0), -ECONNRESET);
}

/* A terminal of a remote session is ours to make, and no descriptor comes back. */
static void remote_session(void **state)
{
        struct ends *ends = *state;
        struct inside inside = { .socket = ends->ours, .stream = -1, .remote = true };
        const struct invocation invocation = { .login = true, .prefix = "" };
        const struct tty tty = { .in = -1, .out = -1, .parent_stat = -1 };
        struct attach_reply message = { .magic = ATTACH_MAGIC, .kind = ATTACH_STARTED };
        const char *const variables[] = { NULL };
        struct attach_parts parts;
        char data[1024], byte;
        int fds[4], null = open("/dev/null", O_RDWR | O_CLOEXEC);
        size_t count;
        ssize_t got;

        assert_int_equal(
                request_send(&inside, &invocation, &on_terminal, &tty, "", (char *const *)(uintptr_t)variables, NULL),
                0);
        got = seqpacket_receive(ends->theirs, data, sizeof(data), fds, 4, &count, 0, NULL);
        assert_true(got > 0);
        assert_int_equal(count, 1);
        assert_int_equal(attach_parse_request(data, (size_t)got, count, &parts, NULL), 0);
        assert_int_equal(parts.header.passed, ATTACH_TERMINAL_PASSED);
        assert_true((fcntl(inside.stream, F_GETFL) & O_NONBLOCK) != 0);
        assert_int_equal(write(fds[0], "x", 1), 1);
        assert_int_equal(read(inside.stream, &byte, 1), 1);
        assert_int_equal(seqpacket_send(ends->theirs, &message, sizeof(message), &null, 1, 0, NULL), 0);
        assert_int_equal(request_wait(&inside, &on_terminal, 50, NULL), -EPROTO);
        assert_int_equal(seqpacket_send(ends->theirs, &message, sizeof(message), NULL, 0, 0, NULL), 0);
        assert_int_equal(request_wait(&inside, &on_terminal, 50, NULL), 0);
        (void)close(fds[0]);
        (void)close(inside.stream);
        (void)close(null);
}

/* Refused before the request was read: the reason must not be lost. */
static void refusal_with_the_request_unread(void **state)
{
        const struct attach_reply message = { .magic = ATTACH_MAGIC, .kind = ATTACH_FAILED, .text = "too many" };
        struct ends *ends = *state;
        struct error err = ERROR_INIT;
        struct inside inside = { .socket = ends->ours, .stream = -1 };

        assert_int_equal(send_command(ends, "", "id", NULL), 0);
        assert_int_equal(seqpacket_send(ends->theirs, &message, sizeof(message), NULL, 0, 0, NULL), 0);
        cleanup_close_fd(&ends->theirs);
        assert_int_equal(request_wait(&inside, &on_pipes, 50, &err), -ECONNREFUSED);
        assert_string_equal(err.text, "too many");
}

static void refusal_before_the_request(void **state)
{
        const struct attach_reply message = { .magic = ATTACH_MAGIC, .kind = ATTACH_FAILED, .text = "too many" };
        struct ends *ends = *state;
        struct error err = ERROR_INIT;
        struct inside inside = { .socket = ends->ours, .stream = -1 };

        assert_int_equal(seqpacket_send(ends->theirs, &message, sizeof(message), NULL, 0, 0, NULL), 0);
        cleanup_close_fd(&ends->theirs);
        assert_int_equal(send_command(ends, "", "id", NULL), 0);
        assert_int_equal(request_wait(&inside, &on_pipes, 50, &err), -ECONNREFUSED);
        assert_string_equal(err.text, "too many");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(request, make_ends, close_ends),
                cmocka_unit_test_setup_teardown(long_commands, make_ends, close_ends),
                cmocka_unit_test_setup_teardown(answers, make_ends, close_ends),
                cmocka_unit_test_setup_teardown(remote_session, make_ends, close_ends),
                cmocka_unit_test_setup_teardown(refusal_with_the_request_unread, make_ends, close_ends),
                cmocka_unit_test_setup_teardown(refusal_before_the_request, make_ends, close_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
