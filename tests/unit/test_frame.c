/* test_frame.c - frames that go in come out, and what breaks the rules for its type does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shell/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
        struct frame_reader reader;
        struct frame_writer writer;
};

static int begin(void **state)
{
        *state = calloc(1, sizeof(struct fixture));
        return 0;
}

static int finish(void **state)
{
        free(*state);
        return 0;
}

/* As much as fits goes over. */
static void carry(struct fixture *fixture, size_t most)
{
        uint8_t *to;
        size_t room = frame_reader_room(&fixture->reader, &to), size = frame_writer_pending(&fixture->writer);

        size = size < room ? size : room;
        size = size < most ? size : most;
        memcpy(to, fixture->writer.data + fixture->writer.start, size);
        frame_reader_filled(&fixture->reader, size);
        frame_writer_written(&fixture->writer, size);
}

static int next(struct fixture *fixture, enum frame_direction direction, struct frame *ret)
{
        struct error err = ERROR_INIT;
        int r = frame_reader_next(&fixture->reader, direction, ret, &err);

        assert_int_equal(r < 0 ? r : 0, -err.number);
        return r;
}

static void one_byte_at_a_time(void **state)
{
        struct fixture *fixture = *state;
        struct frame frame;

        assert_true(frame_writer_put(&fixture->writer, FRAME_DATA, 0x1234, FRAME_STDERR, "text", 4));
        for (size_t i = 0; i < FRAME_HEADER_SIZE + 4 - 1; i++) {
                carry(fixture, 1);
                assert_int_equal(next(fixture, FRAME_OUTWARDS, &frame), 0);
        }
        carry(fixture, 1);
        assert_int_equal(next(fixture, FRAME_OUTWARDS, &frame), 1);
        assert_int_equal(frame.type, FRAME_DATA);
        assert_int_equal(frame.channel, 0x1234);
        assert_int_equal(frame.flags, FRAME_STDERR);
        assert_int_equal(frame.size, 4);
        assert_memory_equal(frame.payload, "text", 4);
        assert_int_equal(next(fixture, FRAME_OUTWARDS, &frame), 0);
}

/* The wire is fixed: little-endian, size first. */
static void bytes_of_a_header(void **state)
{
        static const uint8_t expected[] = { 4, 0, 0, 0, 0x34, 0x12, FRAME_CREDIT_MORE, FRAME_STDIN, 1, 2, 3, 4 };
        struct fixture *fixture = *state;

        assert_true(frame_writer_put(&fixture->writer, FRAME_CREDIT_MORE, 0x1234, FRAME_STDIN, expected + 8, 4));
        assert_int_equal(frame_writer_pending(&fixture->writer), sizeof(expected));
        assert_memory_equal(fixture->writer.data, expected, sizeof(expected));
}

/* Through both buffers many times over, in odd pieces. */
static void many_frames(void **state)
{
        struct fixture *fixture = *state;
        unsigned sent = 0, taken = 0;

        srand(1);
        while (taken < 3000) {
                size_t size = 1 + (size_t)rand() % FRAME_PAYLOAD_MAX;
                uint8_t *to = sent < 3000 ? frame_writer_begin(&fixture->writer, size) : NULL;
                struct frame frame;

                if (to != NULL) {
                        memset(to, (int)(sent & 0xff), size);
                        frame_writer_commit(&fixture->writer, FRAME_DATA, (uint16_t)(1 + sent), FRAME_STDOUT, size);
                        sent++;
                }
                carry(fixture, 1 + (size_t)rand() % 50000);
                while (next(fixture, FRAME_OUTWARDS, &frame) == 1) {
                        assert_int_equal(frame.channel, 1 + taken);
                        assert_int_equal(frame.payload[0], taken & 0xff);
                        assert_int_equal(frame.payload[frame.size - 1], taken & 0xff);
                        taken++;
                }
        }
        assert_int_equal(sent, taken);
}

static void full_writer(void **state)
{
        static const uint8_t payload[FRAME_PAYLOAD_MAX];
        struct fixture *fixture = *state;
        size_t count = 0;

        while (frame_writer_put(&fixture->writer, FRAME_DATA, 1, FRAME_STDIN, payload, sizeof(payload)))
                count++;
        assert_int_equal(count, FRAME_WRITER_SIZE / (FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX));
        assert_null(frame_writer_begin(&fixture->writer, FRAME_PAYLOAD_MAX));
        frame_writer_written(&fixture->writer, FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX);
        assert_true(frame_writer_put(&fixture->writer, FRAME_DATA, 1, FRAME_STDIN, payload, sizeof(payload)));
        assert_null(frame_writer_begin(&fixture->writer, FRAME_PAYLOAD_MAX + 1));
}

static int try(struct fixture *fixture, enum frame_direction direction, unsigned type, uint16_t channel, uint8_t flags,
               uint32_t size)
{
        uint8_t header[FRAME_HEADER_SIZE] = { (uint8_t)size,         (uint8_t)(size >> 8),
                                              (uint8_t)(size >> 16), (uint8_t)(size >> 24),
                                              (uint8_t)channel,      (uint8_t)(channel >> 8),
                                              (uint8_t)type,         flags };
        struct frame frame;

        fixture->reader.start = fixture->reader.end = 0;
        memcpy(fixture->reader.data, header, sizeof(header));
        memset(fixture->reader.data + sizeof(header), 0, FRAME_PAYLOAD_MAX);
        frame_reader_filled(&fixture->reader, sizeof(header) + FRAME_PAYLOAD_MAX);
        return next(fixture, direction, &frame);
}

static void rules(void **state)
{
        enum { IN = 1 << FRAME_INWARDS, OUT = 1 << FRAME_OUTWARDS };
        static const struct {
                unsigned type, directions, channel;
                uint32_t size, wrong_size;
        } table[] = {
                { FRAME_HELLO, IN | OUT, 0, sizeof(struct frame_hello), 7 },
                { FRAME_SETUP, IN, 0, sizeof(struct frame_setup), sizeof(struct frame_setup) - 1 },
                { FRAME_READY, OUT, 0, 0, 1 },
                { FRAME_FAILED, OUT, 0, 5, 0 },
                { FRAME_FREEZE, IN, 0, 0, 1 },
                { FRAME_FROZEN, OUT, 0, 0, 1 },
                { FRAME_POWEROFF, IN, 0, 0, 1 },
                { FRAME_OPEN, IN, 1, FRAME_PAYLOAD_MAX, 0 },
                { FRAME_REPLY, OUT, 1, sizeof(struct attach_reply), sizeof(struct attach_reply) + 1 },
                { FRAME_SIGNAL, IN, 1, sizeof(struct attach_signal), 0 },
                { FRAME_WINDOW, IN, 1, sizeof(struct attach_window), 1 },
                { FRAME_HANGUP, IN, 1, 0, 1 },
                { FRAME_CLOSE, IN | OUT, 1, 0, 1 },
        };
        struct fixture *fixture = *state;

        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                for (unsigned direction = 0; direction < 2; direction++) {
                        bool allowed = (table[i].directions & (1U << direction)) != 0;

                        assert_int_equal(
                                try(fixture, direction, table[i].type, (uint16_t)table[i].channel, 0, table[i].size),
                                allowed ? 1 : -EPROTO);
                        assert_int_equal(try(fixture, direction, table[i].type, (uint16_t)table[i].channel, 0,
                                             table[i].wrong_size),
                                         -EPROTO);
                        assert_int_equal(try(fixture, direction, table[i].type, !table[i].channel, 0, table[i].size),
                                         -EPROTO);
                        assert_int_equal(
                                try(fixture, direction, table[i].type, (uint16_t)table[i].channel, 1, table[i].size),
                                -EPROTO);
                        assert_int_equal(
                                try(fixture, direction, table[i].type, (uint16_t)table[i].channel, 0, UINT32_MAX),
                                -EPROTO);
                }
        }
        assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_OPEN, 1, FRAME_MORE, 1), 1);
        assert_int_equal(try(fixture, FRAME_INWARDS, 0, 0, 0, 0), -EPROTO);
        assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_TYPES, 0, 0, 0), -EPROTO);
        assert_int_equal(try(fixture, FRAME_INWARDS, 255, 1, 0, 0), -EPROTO);
}

static void streams(void **state)
{
        struct fixture *fixture = *state;

        for (uint8_t stream = 0; stream < 8; stream++) {
                int in = stream == FRAME_STDIN ? 1 : -EPROTO, out = stream > 0 && stream < 4 ? 1 : -EPROTO;

                assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_DATA, 1, stream, 1), in);
                assert_int_equal(try(fixture, FRAME_OUTWARDS, FRAME_DATA, 1, stream, 1), out);
                assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_EOF, 1, stream, 0), in);
                assert_int_equal(try(fixture, FRAME_OUTWARDS, FRAME_EOF, 1, stream, 0), out);
                assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_CREDIT_MORE, 1, stream, 4), out);
                assert_int_equal(try(fixture, FRAME_OUTWARDS, FRAME_CREDIT_MORE, 1, stream, 4), in);
                assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_STOP, 1, stream, 0), out);
                assert_int_equal(try(fixture, FRAME_OUTWARDS, FRAME_STOP, 1, stream, 0), in);
        }
        assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_DATA, 1, 0, FRAME_PAYLOAD_MAX), 1);
        assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_DATA, 1, 0, FRAME_PAYLOAD_MAX + 1), -EPROTO);
        assert_int_equal(try(fixture, FRAME_INWARDS, FRAME_DATA, 1, 0, 0), -EPROTO);
}

/* Refused by its header alone: nobody waits for four gigabytes. */
static void size_that_lies(void **state)
{
        static const uint8_t header[] = { 0xff, 0xff, 0xff, 0xff, 1, 0, FRAME_DATA, FRAME_STDOUT };
        struct fixture *fixture = *state;
        struct frame frame;

        memcpy(fixture->reader.data, header, sizeof(header));
        frame_reader_filled(&fixture->reader, sizeof(header));
        assert_int_equal(next(fixture, FRAME_OUTWARDS, &frame), -EPROTO);
}

static void hello(void **state)
{
        struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };
        const struct frame frame = { .type = FRAME_HELLO, .payload = (const uint8_t *)&hello, .size = sizeof(hello) };

        (void)state;
        assert_int_equal(frame_check_hello(&frame, NULL), 0);
        hello.version++;
        assert_int_equal(frame_check_hello(&frame, NULL), -EPROTO);
        hello.version--;
        hello.magic++;
        assert_int_equal(frame_check_hello(&frame, NULL), -EPROTO);
}

static void setup(void **state)
{
        struct frame_setup *data = calloc(1, sizeof(*data)), *taken = calloc(1, sizeof(*taken));
        const struct frame frame = { .type = FRAME_SETUP, .payload = (const uint8_t *)data, .size = sizeof(*data) };

        (void)state;
        strcpy(data->host_name, "agent-01.example");
        strcpy(data->root.serial, "root");
        assert_int_equal(frame_check_setup(&frame, taken, NULL), 0);
        assert_string_equal(taken->root.serial, "root");
        strcpy(data->host_name, "../x");
        assert_int_equal(frame_check_setup(&frame, taken, NULL), -EPROTO);
        memset(data->host_name, 'a', sizeof(data->host_name));
        assert_int_equal(frame_check_setup(&frame, taken, NULL), -EPROTO);
        data->host_name[0] = '\0';
        memset(data->home.type, 'a', sizeof(data->home.type));
        assert_int_equal(frame_check_setup(&frame, taken, NULL), -EPROTO);
        data->home.type[0] = '\0';
        data->nanoseconds = 1000000000;
        assert_int_equal(frame_check_setup(&frame, taken, NULL), -EPROTO);
        free(data);
        free(taken);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(one_byte_at_a_time, begin, finish),
                cmocka_unit_test_setup_teardown(bytes_of_a_header, begin, finish),
                cmocka_unit_test_setup_teardown(many_frames, begin, finish),
                cmocka_unit_test_setup_teardown(full_writer, begin, finish),
                cmocka_unit_test_setup_teardown(rules, begin, finish),
                cmocka_unit_test_setup_teardown(streams, begin, finish),
                cmocka_unit_test_setup_teardown(size_that_lies, begin, finish),
                cmocka_unit_test(hello),
                cmocka_unit_test(setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
