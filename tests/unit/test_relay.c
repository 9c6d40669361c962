/* test_relay.c - agentsh-relay between a login shell and a guest that this test plays, honest or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "shell/relay_serve.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct fixture {
        struct relay *relay;
        struct frame_writer writer; /* the guest's */
        struct frame_reader reader;
        int guest, monitor, status, listener;
        struct sockaddr_un address;
        socklen_t address_size;
};

static void step(struct fixture *fixture)
{
        assert_int_equal(relay_step(fixture->relay, 0, NULL), 0);
}

/* One frame of the guest's, and what the relay makes of it. */
static int say(struct fixture *fixture, enum frame_type type, uint16_t channel, uint8_t flags, const void *payload,
               size_t size)
{
        size_t pending;
        int r = 0;

        assert_true(frame_writer_put(&fixture->writer, type, channel, flags, payload, size));
        while (r == 0 && (pending = frame_writer_pending(&fixture->writer)) > 0) {
                ssize_t put = send(fixture->guest, fixture->writer.data + fixture->writer.start, pending, MSG_DONTWAIT);

                if (put > 0)
                        frame_writer_written(&fixture->writer, (size_t)put);
                r = relay_step(fixture->relay, 0, NULL);
        }
        return r;
}

/* The next frame of this type that the relay has sent; others are passed over. */
static struct frame heard(struct fixture *fixture, enum frame_type type)
{
        struct frame frame;

        for (;;) {
                uint8_t *to;
                size_t room;
                ssize_t got;

                while (frame_reader_next(&fixture->reader, FRAME_INWARDS, &frame, NULL) == 1)
                        if (frame.type == type)
                                return frame;
                step(fixture);
                room = frame_reader_room(&fixture->reader, &to);
                got = recv(fixture->guest, to, room, MSG_DONTWAIT);
                if (got <= 0)
                        fail_msg("no frame of type %d", (int)type);
                frame_reader_filled(&fixture->reader, (size_t)got);
        }
}

static int begin(void **state)
{
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };
        struct fixture *fixture = calloc(1, sizeof(*fixture));
        const sa_family_t any = AF_UNIX;
        int stream[2], status[2];

        *state = fixture;
        fixture->relay = calloc(1, sizeof(*fixture->relay));
        fixture->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        fixture->address_size = sizeof(fixture->address);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, stream) < 0 ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) < 0 ||
            bind(fixture->listener, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
            listen(fixture->listener, 128) < 0 ||
            getsockname(fixture->listener, (struct sockaddr *)&fixture->address, &fixture->address_size) < 0)
                return -1;
        fixture->guest = stream[1];
        fixture->monitor = status[1];
        fixture->status = status[0];
        fixture->relay->setup.config.uid = getuid();
        relay_begin(fixture->relay, status[0], fixture->listener, (struct transport){ &transport_inherited, stream[0] },
                    process_monotonic_ms());
        (void)heard(fixture, FRAME_HELLO);
        assert_int_equal(say(fixture, FRAME_HELLO, 0, 0, &hello, sizeof(hello)), 0);
        assert_int_equal(say(fixture, FRAME_READY, 0, 0, NULL, 0), 0);
        fixture->relay->deadline = 0;
        return 0;
}

static int finish(void **state)
{
        struct fixture *fixture = *state;

        relay_done(fixture->relay);
        cleanup_close_fd(&fixture->guest);
        cleanup_close_fd(&fixture->monitor);
        cleanup_close_fd(&fixture->status);
        cleanup_close_fd(&fixture->listener);
        free(fixture->relay);
        free(fixture);
        return 0;
}

/* A login shell on three descriptors (pipes: reads from *ret_out) or with a terminal (*ret_out is its socket). */
static int attach(struct fixture *fixture, bool terminal, int *ret_out)
{
        struct attach_request header = { .magic = ATTACH_MAGIC, .kind = ATTACH_REQUEST, .command_size = 5 };
        int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), ends[2], fds[3];
        char message[sizeof(header) + 5];

        assert_int_equal(connect(client, (struct sockaddr *)&fixture->address, fixture->address_size), 0);
        header.passed = terminal ? ATTACH_TERMINAL_PASSED : ATTACH_PASSED_ALL;
        memcpy(message, &header, sizeof(header));
        memcpy(message + sizeof(header), "true", 5);
        if (terminal)
                assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        else
                assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        fds[0] = terminal ? ends[1] : open("/dev/null", O_RDONLY | O_CLOEXEC);
        fds[1] = fds[2] = ends[1];
        assert_int_equal(seqpacket_send(client, message, sizeof(message), fds, terminal ? 1 : 3, 0, NULL), 0);
        if (!terminal)
                (void)close(fds[0]);
        (void)close(ends[1]);
        *ret_out = ends[0];
        assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        step(fixture);
        step(fixture);
        return client;
}

static int reply(struct fixture *fixture, uint16_t channel, uint32_t kind, int status)
{
        const struct attach_reply message = { .magic = ATTACH_MAGIC, .kind = kind, .wait_status = status };

        return say(fixture, FRAME_REPLY, channel, 0, &message, sizeof(message));
}

/* The kind of the client's next message; 0: none. */
static uint32_t answer(struct fixture *fixture, int client, struct attach_reply *ret)
{
        size_t count;
        ssize_t got;

        step(fixture);
        got = seqpacket_receive(client, ret, sizeof(*ret), NULL, 0, &count, 0, NULL);
        if (got <= 0)
                return 0;
        assert_int_equal(attach_parse_reply(ret, (size_t)got, ret, NULL), 0);
        return ret->kind;
}

static void one_channel(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply message;
        char data[10];
        int out, client = attach(fixture, false, &out);
        struct frame frame = heard(fixture, FRAME_OPEN);
        uint16_t channel = frame.channel;

        assert_int_equal(frame.flags, 0);
        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(answer(fixture, client, &message), ATTACH_STARTED);
        assert_int_equal(say(fixture, FRAME_DATA, channel, FRAME_STDOUT, "text", 4), 0);
        assert_int_equal(read(out, data, sizeof(data)), 4);
        assert_int_equal(reply(fixture, channel, ATTACH_EXITED, 0x700), 0);
        fixture->relay->channels[channel].deadline = 0;
        assert_int_equal(answer(fixture, client, &message), ATTACH_EXITED);
        assert_int_equal(message.wait_status, 0x700);
        /* What still holds the streams goes on without the client. */
        (void)close(client);
        assert_int_equal(say(fixture, FRAME_DATA, channel, FRAME_STDERR, "late", 4), 0);
        assert_int_equal(read(out, data, sizeof(data)), 4);
        assert_int_equal(say(fixture, FRAME_EOF, channel, FRAME_STDOUT, NULL, 0), 0);
        assert_int_equal(say(fixture, FRAME_EOF, channel, FRAME_STDERR, NULL, 0), 0);
        assert_int_equal(read(out, data, sizeof(data)), 0);
        assert_int_equal(heard(fixture, FRAME_CLOSE).channel, channel);
        assert_int_equal(say(fixture, FRAME_CLOSE, channel, 0, NULL, 0), 0);
        assert_int_equal(fixture->relay->channels[channel].state, RELAY_FREE);
        (void)close(out);
}

/* Whoever waits for the end finds all that was written before it. */
static void exit_waits_for_the_output(void **state)
{
        static const uint8_t data[FRAME_PAYLOAD_MAX];
        struct fixture *fixture = *state;
        struct attach_reply message;
        size_t got = 0;
        int out, client = attach(fixture, false, &out);
        uint16_t channel = heard(fixture, FRAME_OPEN).channel;

        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(answer(fixture, client, &message), ATTACH_STARTED);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(say(fixture, FRAME_DATA, channel, FRAME_STDOUT, data, sizeof(data)), 0);
        assert_int_equal(reply(fixture, channel, ATTACH_EXITED, 0), 0);
        assert_int_equal(fixture->relay->channels[channel].state, RELAY_RUNNING);
        while (got < 6 * sizeof(data)) {
                ssize_t n = read(out, (uint8_t[4096]){ 0 }, 4096);

                assert_int_equal(answer(fixture, client, &message), 0);
                got += n > 0 ? (size_t)n : 0;
                if (got < 4 * sizeof(data))
                        assert_int_equal(fixture->relay->channels[channel].state, RELAY_RUNNING);
        }
        step(fixture);
        assert_int_equal(fixture->relay->channels[channel].state, RELAY_NOTICE);
        (void)close(client);
        (void)close(out);
}

static void a_terminal(void **state)
{
        const struct attach_window window = {
                .magic = ATTACH_MAGIC, .kind = ATTACH_WINDOW, .rows = 40, .columns = 111
        };
        struct fixture *fixture = *state;
        struct attach_reply message;
        struct attach_window came;
        struct attach_request request;
        struct frame frame;
        char data[10];
        int stream, client = attach(fixture, true, &stream);
        uint16_t channel;

        frame = heard(fixture, FRAME_OPEN);
        channel = frame.channel;
        memcpy(&request, frame.payload, sizeof(request));
        assert_int_equal(request.passed, 0);
        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(answer(fixture, client, &message), ATTACH_STARTED);
        assert_int_equal(write(stream, "keys", 4), 4);
        step(fixture);
        frame = heard(fixture, FRAME_DATA);
        assert_int_equal(frame.flags, FRAME_STDIN);
        assert_memory_equal(frame.payload, "keys", 4);
        assert_int_equal(say(fixture, FRAME_DATA, channel, FRAME_TERMINAL, "shown", 5), 0);
        assert_int_equal(read(stream, data, sizeof(data)), 5);
        assert_int_equal(seqpacket_send(client, &window, sizeof(window), NULL, 0, 0, NULL), 0);
        step(fixture);
        memcpy(&came, heard(fixture, FRAME_WINDOW).payload, sizeof(came));
        assert_int_equal(came.columns, 111);
        assert_int_equal(say(fixture, FRAME_EOF, channel, FRAME_TERMINAL, NULL, 0), 0);
        assert_int_equal(read(stream, data, sizeof(data)), 0);
        (void)close(client);
        step(fixture);
        (void)heard(fixture, FRAME_HANGUP);
        (void)close(stream);
}

static void garbage_from_a_client_hangs_up(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply message;
        int out, client = attach(fixture, false, &out);
        uint16_t channel = heard(fixture, FRAME_OPEN).channel;

        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(answer(fixture, client, &message), ATTACH_STARTED);
        assert_int_equal(send(client, "nonsense", 8, 0), 8);
        step(fixture);
        assert_int_equal(heard(fixture, FRAME_HANGUP).channel, channel);
        (void)close(client);
        (void)close(out);
}

/* -- a guest that breaks the rules: the relay ends, and with it this session alone */

static void before_it_is_asked(void **state)
{
        struct fixture *fixture = *state;
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };

        assert_int_equal(say(fixture, FRAME_HELLO, 0, 0, &hello, sizeof(hello)), -EPROTO);
        assert_int_equal(say(fixture, FRAME_READY, 0, 0, NULL, 0), -EPROTO);
        assert_int_equal(say(fixture, FRAME_FAILED, 0, 0, "x", 1), -EPROTO);
}

static void close_without_being_asked(void **state)
{
        struct fixture *fixture = *state;
        int out, client = attach(fixture, false, &out);

        assert_int_equal(say(fixture, FRAME_CLOSE, heard(fixture, FRAME_OPEN).channel, 0, NULL, 0), -EPROTO);
        (void)close(client);
        (void)close(out);
}

static void exit_before_the_start(void **state)
{
        struct fixture *fixture = *state;
        int out, client = attach(fixture, false, &out);

        assert_int_equal(reply(fixture, heard(fixture, FRAME_OPEN).channel, ATTACH_EXITED, 0), -EPROTO);
        (void)close(client);
        (void)close(out);
}

static void exit_twice(void **state)
{
        struct fixture *fixture = *state;
        int out, client = attach(fixture, false, &out);
        uint16_t channel = heard(fixture, FRAME_OPEN).channel;

        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(reply(fixture, channel, ATTACH_EXITED, 0), 0);
        assert_int_equal(reply(fixture, channel, ATTACH_EXITED, 0), -EPROTO);
        (void)close(client);
        (void)close(out);
}

static void impossible_status(void **state)
{
        struct fixture *fixture = *state;
        int out, client = attach(fixture, false, &out);
        uint16_t channel = heard(fixture, FRAME_OPEN).channel;

        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(reply(fixture, channel, ATTACH_EXITED, 0x137f), -EBADMSG);
        (void)close(client);
        (void)close(out);
}

/* Limits and endings are the monitor's to name. */
static void limits_that_the_guest_names(void **state)
{
        struct fixture *fixture = *state;
        struct attach_reply forged = { .magic = ATTACH_MAGIC, .kind = ATTACH_EXITED, .hit = 1, .ending = 1 }, message;
        int out, client = attach(fixture, false, &out);
        uint16_t channel = heard(fixture, FRAME_OPEN).channel;

        assert_int_equal(reply(fixture, channel, ATTACH_STARTED, 0), 0);
        assert_int_equal(answer(fixture, client, &message), ATTACH_STARTED);
        assert_int_equal(say(fixture, FRAME_REPLY, channel, 0, &forged, sizeof(forged)), 0);
        fixture->relay->channels[channel].deadline = 0;
        assert_int_equal(answer(fixture, client, &message), ATTACH_EXITED);
        assert_int_equal(message.hit, 0);
        assert_int_equal(message.ending, 0);
        (void)close(client);
        (void)close(out);
}

static void directory_as_a_stream(void **state)
{
        struct attach_request header = {
                .magic = ATTACH_MAGIC, .kind = ATTACH_REQUEST, .passed = ATTACH_TERMINAL_PASSED, .login = 1
        };
        struct fixture *fixture = *state;
        int what[] = { open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC), -1 };

        for (size_t i = 0; i < 3; i++) {
                struct attach_reply message;
                int client = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

                header.passed = what[i] >= 0 ? ATTACH_TERMINAL_PASSED : 0;
                assert_int_equal(connect(client, (struct sockaddr *)&fixture->address, fixture->address_size), 0);
                assert_int_equal(
                        seqpacket_send(client, &header, sizeof(header), &what[i], what[i] >= 0 ? 1 : 0, 0, NULL), 0);
                step(fixture);
                step(fixture);
                assert_int_equal(answer(fixture, client, &message), ATTACH_FAILED);
                (void)close(client);
        }
        (void)close(what[0]);
        (void)close(what[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(one_channel),
                CASE(exit_waits_for_the_output),
                CASE(a_terminal),
                CASE(garbage_from_a_client_hangs_up),
                CASE(before_it_is_asked),
                CASE(close_without_being_asked),
                CASE(exit_before_the_start),
                CASE(exit_twice),
                CASE(impossible_status),
                CASE(limits_that_the_guest_names),
                CASE(directory_as_a_stream),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
