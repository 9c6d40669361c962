/* test_mux.c - two multiplexers joined by a socket pair, in one process, driven step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "shell/mux.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define BLOCK 8192

struct fixture {
        struct mux relay, guest;
        struct mux_poll polled;
        int frames; /* that came to an owner */
};

static int take(void *owner, const struct frame *frame, struct error *err)
{
        (void)frame;
        (void)err;
        ++*(int *)owner;
        return 0;
}

static void set_up(struct fixture *fixture, struct mux *mux, enum frame_direction incoming, int fd)
{
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
        mux->transport = (struct transport){ &transport_inherited, fd };
        mux->incoming = incoming;
        mux->take = take;
        mux->owner = &fixture->frames;
}

static int begin(void **state)
{
        struct fixture *fixture = calloc(1, sizeof(*fixture));
        int pair[2];

        *state = fixture;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -1;
        set_up(fixture, &fixture->relay, FRAME_OUTWARDS, pair[0]);
        set_up(fixture, &fixture->guest, FRAME_INWARDS, pair[1]);
        for (uint16_t i = 1; i <= 3; i++) {
                mux_open(&fixture->relay, i);
                mux_open(&fixture->guest, i);
        }
        return 0;
}

static int finish(void **state)
{
        struct fixture *fixture = *state;

        mux_done(&fixture->relay);
        mux_done(&fixture->guest);
        free(fixture);
        return 0;
}

static int step_one(struct fixture *fixture, struct mux *mux)
{
        struct error err = ERROR_INIT;
        uint64_t now = process_monotonic_ms();
        int r;

        mux_fill_poll(mux, &fixture->polled, now);
        assert_true(poll(fixture->polled.items, fixture->polled.count, 0) >= 0);
        r = mux_step(mux, &fixture->polled, now, &err);
        assert_int_equal(r, -err.number);
        return r;
}

static void steps(struct fixture *fixture, unsigned count)
{
        while (count-- > 0) {
                assert_int_equal(step_one(fixture, &fixture->guest), 0);
                assert_int_equal(step_one(fixture, &fixture->relay), 0);
        }
}

/* A pipe as a program's stdout inside, and one outside as the client's. Returns the two far ends. */
static void join_stdout(struct fixture *fixture, uint16_t channel, int *ret_program, int *ret_client)
{
        struct endpoint inside, outside;
        int in[2], out[2];

        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        assert_int_equal(endpoint_own(&inside, in[0], ENDPOINT_OWN, NULL), 0);
        assert_int_equal(endpoint_share(&outside, out[1], NULL), 0);
        mux_stream_source(&fixture->guest.channels[channel].streams[FRAME_STDOUT], inside, channel, FRAME_STDOUT);
        assert_int_equal(mux_stream_sink(&fixture->relay.channels[channel].streams[FRAME_STDOUT], outside, channel,
                                         FRAME_STDOUT, NULL),
                         0);
        assert_int_equal(fcntl(in[1], F_SETFL, O_NONBLOCK), 0);
        assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
        *ret_program = in[1];
        *ret_client = out[0];
}

static size_t fill(int fd, size_t at, size_t most)
{
        uint8_t data[BLOCK];
        ssize_t put;

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)((at + i) * 31 % 253);
        put = write(fd, data, most < sizeof(data) ? most : sizeof(data));
        return put < 0 ? 0 : (size_t)put;
}

static size_t drain(int fd, size_t at)
{
        uint8_t data[BLOCK];
        ssize_t got = read(fd, data, sizeof(data));

        for (ssize_t i = 0; i < got; i++)
                assert_int_equal(data[i], (at + (size_t)i) * 31 % 253);
        return got < 0 ? 0 : (size_t)got;
}

static void bytes_and_their_end(void **state)
{
        struct fixture *fixture = *state;
        size_t put = 0, got = 0;
        int program, client;

        join_stdout(fixture, 1, &program, &client);
        while (got < 3000000) {
                put += fill(program, put, 3000000 - put);
                steps(fixture, 1);
                got += drain(client, got);
        }
        assert_int_equal(got, 3000000);
        (void)close(program);
        steps(fixture, 3);
        assert_int_equal(read(client, (char[1]){ 0 }, 1), 0);
        assert_true(mux_is_over(&fixture->relay, 1));
        assert_true(mux_is_over(&fixture->guest, 1));
        (void)close(client);
}

/* A client that reads nothing holds up its own channel, after a bounded number of bytes, and no other. */
static void one_blocked(void **state)
{
        struct fixture *fixture = *state;
        size_t put[2] = { 0 }, got = 0, more;
        int program[2], client[2];

        for (uint16_t i = 0; i < 2; i++)
                join_stdout(fixture, i + 1, &program[i], &client[i]);
        for (size_t round = 0; round < 600; round++) {
                put[0] += fill(program[0], put[0], BLOCK);
                put[1] += fill(program[1], put[1], BLOCK);
                steps(fixture, 1);
                got += drain(client[1], got);
        }
        assert_true(got > 2000000);
        /* The credit, what the client's pipe took, and what the program's own holds. */
        assert_in_range(put[0], FRAME_CREDIT, FRAME_CREDIT + 4 * 65536);
        /* All of it is still there. */
        for (got = 0; (more = drain(client[0], got)) > 0 || got < put[0]; got += more)
                steps(fixture, 1);
        assert_int_equal(got, put[0]);
        for (size_t i = 0; i < 2; i++) {
                (void)close(program[i]);
                (void)close(client[i]);
        }
}

static void reader_that_goes(void **state)
{
        struct fixture *fixture = *state;
        size_t put = 0;
        int program, client;

        join_stdout(fixture, 1, &program, &client);
        put += fill(program, put, BLOCK);
        steps(fixture, 1);
        (void)close(client);
        steps(fixture, 3);
        assert_int_equal(write(program, "x", 1), -1);
        assert_int_equal(errno, EPIPE);
        assert_true(mux_is_over(&fixture->relay, 1));
        assert_true(mux_is_over(&fixture->guest, 1));
        (void)close(program);
}

/* What a program left in its pipe is waited for; what somebody else writes later is not. */
static void drained(void **state)
{
        struct fixture *fixture = *state;
        struct mux_stream *source = &fixture->guest.channels[1].streams[FRAME_STDOUT];
        int program, client;

        join_stdout(fixture, 1, &program, &client);
        assert_int_equal(fill(program, 0, 5000), 5000);
        mux_stream_drain(source, 1);
        assert_false(mux_stream_is_drained(source));
        assert_int_equal(fill(program, 5000, 100), 100);
        steps(fixture, 2);
        assert_true(mux_stream_is_drained(source));
        assert_false(source->over);
        assert_int_equal(drain(client, 0), 5100);
        (void)close(program);
        (void)close(client);
}

/* -- a guest that breaks the rules */

static int say(struct fixture *fixture, enum frame_type type, uint16_t channel, uint8_t flags, const void *payload,
               size_t size)
{
        assert_true(frame_writer_put(&fixture->guest.writer, type, channel, flags, payload, size));
        assert_int_equal(mux_flush(&fixture->guest, NULL), 0);
        return step_one(fixture, &fixture->relay);
}

static void too_much_data(void **state)
{
        static const uint8_t data[FRAME_PAYLOAD_MAX];
        struct fixture *fixture = *state;
        int program, client, r = 0;
        size_t sent = 0;

        join_stdout(fixture, 1, &program, &client);
        for (; r == 0 && sent <= 2 * FRAME_CREDIT; sent += sizeof(data))
                r = say(fixture, FRAME_DATA, 1, FRAME_STDOUT, data, sizeof(data));
        assert_int_equal(r, -EPROTO);
        /* The credit, what the client's pipe took, and the frame too many. */
        assert_in_range(sent, FRAME_CREDIT, FRAME_CREDIT + 65536 + sizeof(data));
        (void)close(program);
        (void)close(client);
}

static void data_after_the_end(void **state)
{
        struct fixture *fixture = *state;

        assert_int_equal(say(fixture, FRAME_EOF, 1, FRAME_STDOUT, NULL, 0), 0);
        assert_int_equal(say(fixture, FRAME_DATA, 1, FRAME_STDOUT, "x", 1), -EPROTO);
}

static void credit_from_nowhere(void **state)
{
        const uint32_t more = 1, much = UINT32_MAX;
        struct fixture *fixture = *state;

        assert_int_equal(say(fixture, FRAME_CREDIT_MORE, 1, FRAME_STDIN, &more, sizeof(more)), -EPROTO);
        assert_int_equal(say(fixture, FRAME_CREDIT_MORE, 2, FRAME_STDIN, &much, sizeof(much)), -EPROTO);
}

static void channels_that_are_not(void **state)
{
        struct fixture *fixture = *state;
        int frames = fixture->frames;

        assert_int_equal(say(fixture, FRAME_DATA, 4, FRAME_STDOUT, "x", 1), 0);
        assert_int_equal(say(fixture, FRAME_CLOSE, MUX_CHANNELS + 1, 0, NULL, 0), 0);
        assert_int_equal(say(fixture, FRAME_CLOSE, UINT16_MAX, 0, NULL, 0), 0);
        assert_int_equal(say(fixture, FRAME_CLOSE, 5, 0, NULL, 0), 0);
        assert_int_equal(fixture->frames, frames);
        assert_int_equal(say(fixture, FRAME_CLOSE, 1, 0, NULL, 0), 0);
        assert_int_equal(fixture->frames, frames + 1);
}

static void end_of_the_line(void **state)
{
        struct fixture *fixture = *state;

        cleanup_close_fd(&fixture->guest.transport.fd);
        assert_int_equal(step_one(fixture, &fixture->relay), -EPIPE);
}

/* A guest that takes nothing: what waits for it is bounded, and no more is read. */
static void guest_that_does_not_read(void **state)
{
        struct fixture *fixture = *state;
        struct endpoint outside;
        size_t put = 0;
        int ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        assert_int_equal(endpoint_share(&outside, ends[0], NULL), 0);
        mux_stream_source(&fixture->relay.channels[1].streams[FRAME_STDIN], outside, 1, FRAME_STDIN);
        fixture->relay.channels[1].streams[FRAME_STDIN].window = UINT32_MAX;
        assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
        for (size_t round = 0; round < 500; round++) {
                put += fill(ends[1], put, BLOCK);
                assert_int_equal(step_one(fixture, &fixture->relay), 0);
        }
        assert_in_range(frame_writer_pending(&fixture->relay.writer), 32 * 1024, 128 * 1024);
        assert_true(mux_has_room(&fixture->relay));
        (void)close(ends[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(bytes_and_their_end, begin, finish),
                cmocka_unit_test_setup_teardown(one_blocked, begin, finish),
                cmocka_unit_test_setup_teardown(reader_that_goes, begin, finish),
                cmocka_unit_test_setup_teardown(drained, begin, finish),
                cmocka_unit_test_setup_teardown(too_much_data, begin, finish),
                cmocka_unit_test_setup_teardown(data_after_the_end, begin, finish),
                cmocka_unit_test_setup_teardown(credit_from_nowhere, begin, finish),
                cmocka_unit_test_setup_teardown(channels_that_are_not, begin, finish),
                cmocka_unit_test_setup_teardown(end_of_the_line, begin, finish),
                cmocka_unit_test_setup_teardown(guest_that_does_not_read, begin, finish),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
