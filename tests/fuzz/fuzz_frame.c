/* fuzz_frame.c - the frame parser, fed in pieces of the fuzzer's choice. What it accepts holds what frame.h promises. */
#include "shell/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
        if (!holds)
                abort();
}

static void require_frame(const struct frame *frame, enum frame_direction direction, const struct frame_reader *reader)
{
        static struct frame_setup setup;

        require(frame->type > 0 && frame->type < FRAME_TYPES && frame->size <= FRAME_PAYLOAD_MAX);
        require(frame->payload >= reader->data && frame->payload + frame->size <= reader->data + reader->end);
        require((frame->type >= FRAME_OPEN) == (frame->channel != 0));
        if (frame->type == FRAME_DATA || frame->type == FRAME_EOF)
                require((frame->flags == FRAME_STDIN) == (direction == FRAME_INWARDS) && frame->flags < FRAME_STREAMS);
        if (frame->type == FRAME_HELLO)
                (void)!frame_check_hello(frame, NULL);
        if (frame->type != FRAME_SETUP)
                return;
        if (frame_check_setup(frame, &setup, NULL) == 0)
                require(strlen(setup.host_name) < sizeof(setup.host_name));
}

/* The first byte of each piece says how long it is. */
static void feed(struct frame_reader *reader, const uint8_t *data, size_t size, enum frame_direction direction)
{
        int r = 0;

        reader->start = reader->end = 0;
        while (r >= 0 && size > 1) {
                size_t piece = 1 + data[0] * 37U;
                struct frame frame;
                uint8_t *to;
                size_t room = frame_reader_room(reader, &to);

                require(room > 0);
                piece = piece < size - 1 ? piece : size - 1;
                piece = piece < room ? piece : room;
                memcpy(to, data + 1, piece);
                frame_reader_filled(reader, piece);
                data += 1 + piece;
                size -= 1 + piece;
                while ((r = frame_reader_next(reader, direction, &frame, NULL)) == 1)
                        require_frame(&frame, direction, reader);
        }
}

/* Frames with their sizes put right, so that payloads are reached. */
static void feed_repaired(struct frame_reader *reader, struct frame_writer *writer, const uint8_t *data, size_t size,
                          enum frame_direction direction)
{
        struct frame frame;
        uint8_t *to;
        size_t payload;

        reader->start = reader->end = writer->start = writer->end = 0;
        if (size >= 4) {
                payload = size - 4 < FRAME_PAYLOAD_MAX ? size - 4 : FRAME_PAYLOAD_MAX;
                require(frame_writer_put(writer, data[0] % FRAME_TYPES, data[1], data[2] & 0x83, data + 4, payload));
                require(frame_reader_room(reader, &to) >= frame_writer_pending(writer));
                memcpy(to, writer->data, frame_writer_pending(writer));
                frame_reader_filled(reader, frame_writer_pending(writer));
                if (frame_reader_next(reader, direction, &frame, NULL) == 1) {
                        require_frame(&frame, direction, reader);
                        require(frame.size == payload && memcmp(frame.payload, data + 4, payload) == 0);
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct frame_reader reader; /* large: made once */
        static struct frame_writer writer;

        for (int direction = FRAME_INWARDS; direction <= FRAME_OUTWARDS; direction++) {
                feed(&reader, data, size, (enum frame_direction)direction);
                feed_repaired(&reader, &writer, data, size, (enum frame_direction)direction);
        }
        return 0;
}
