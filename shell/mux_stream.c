/* mux_stream.c - sources and sinks. Nothing here waits. */
#include "shell/mux_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Credit goes back in pieces of this size: few frames, and never so late that the sender has none left. */
#define CREDIT_STEP (FRAME_CREDIT / 4)

static void set_up(struct mux_stream *stream, struct endpoint endpoint, uint16_t channel, uint8_t number, bool sink)
{
        *stream = (struct mux_stream){
                .endpoint = endpoint, .channel = channel, .number = number, .sink = sink, .window = FRAME_CREDIT
        };
}

void mux_stream_source(struct mux_stream *stream, struct endpoint endpoint, uint16_t channel, uint8_t number)
{
        set_up(stream, endpoint, channel, number, false);
}

int mux_stream_sink(struct mux_stream *stream, struct endpoint endpoint, uint16_t channel, uint8_t number,
                    struct error *err)
{
        uint8_t *ring = malloc(FRAME_CREDIT);

        if (ring == NULL)
                return error_errno(err, ENOMEM, "cannot make a channel");
        set_up(stream, endpoint, channel, number, true);
        stream->ring = ring;
        return 0;
}

void mux_stream_none(struct mux_stream *stream, uint16_t channel, uint8_t number, bool sink)
{
        set_up(stream, ENDPOINT_NONE, channel, number, sink);
        stream->over = true;
}

void mux_stream_end(struct mux_stream *stream)
{
        endpoint_close(&stream->endpoint);
        free(stream->ring);
        stream->ring = NULL;
        stream->start = stream->count = 0;
        stream->over = true;
}

static bool waits_for_room(const struct mux_stream *stream)
{
        return stream->count > 0 || stream->endpoint.held > 0;
}

short mux_stream_events(const struct mux_stream *stream, bool room, uint64_t now)
{
        if (stream->over)
                return 0;
        if (stream->sink)
                return waits_for_room(stream) ? POLLOUT : 0;
        return room && stream->window > 0 && stream->wake_at <= now ? POLLIN : 0;
}

uint64_t mux_stream_wake(const struct mux_stream *stream)
{
        uint64_t at = UINT64_MAX;

        if (stream->over || stream->sink)
                return at;
        if (stream->wake_at > 0)
                at = stream->wake_at;
        return stream->quiet_at > 0 && stream->quiet_at < at ? stream->quiet_at : at;
}

/* Nothing more can be read. */
static void end_source(struct mux_stream *stream)
{
        stream->eof_due = true;
        mux_stream_end(stream);
}

static void take_nothing(struct mux_stream *stream, ssize_t result, uint64_t now)
{
        bool pty = stream->endpoint.kind == ENDPOINT_PTY;

        if (result == -EAGAIN) {
                if (pty && stream->draining && now >= stream->quiet_at)
                        end_source(stream);
                return;
        }
        /* Nobody has the pty open at the moment; who has it as its terminal can open it again. */
        if (pty && result == -EIO && !stream->draining)
                stream->wake_at = now + MUX_LOOK_MS;
        else
                end_source(stream);
}

void mux_stream_read(struct mux_stream *stream, struct frame_writer *writer, uint64_t now)
{
        size_t size = stream->window < FRAME_PAYLOAD_MAX ? stream->window : FRAME_PAYLOAD_MAX;
        uint8_t *to = stream->over || stream->window == 0 ? NULL : frame_writer_begin(writer, size);
        ssize_t got;

        if (to == NULL)
                return;
        stream->wake_at = 0;
        got = endpoint_read(&stream->endpoint, to, size);
        if (got <= 0) {
                take_nothing(stream, got, now);
                return;
        }
        frame_writer_commit(writer, FRAME_DATA, stream->channel, stream->number, (size_t)got);
        stream->window -= (uint32_t)got;
        if (!stream->draining)
                return;
        stream->drain_left -= (uint32_t)got < stream->drain_left ? (uint32_t)got : stream->drain_left;
        stream->quiet_at = stream->endpoint.kind == ENDPOINT_PTY ? now + MUX_QUIET_MS : 0;
        if (stream->endpoint.kind == ENDPOINT_PTY && stream->drain_left == 0)
                end_source(stream);
}

void mux_stream_drain(struct mux_stream *stream, uint64_t now)
{
        int there = 0;

        if (stream->over || stream->sink || stream->draining)
                return;
        stream->draining = true;
        stream->wake_at = 0;
        if (stream->endpoint.kind == ENDPOINT_PTY) {
                stream->drain_left = MUX_DRAIN_MAX;
                stream->quiet_at = now + MUX_QUIET_MS;
        } else if (ioctl(stream->endpoint.fd, FIONREAD, &there) == 0 && there > 0) {
                stream->drain_left = (uint32_t)there;
        }
}

bool mux_stream_is_drained(const struct mux_stream *stream)
{
        if (stream->over || stream->sink)
                return !stream->eof_due;
        return stream->draining && stream->endpoint.kind != ENDPOINT_PTY && stream->drain_left == 0;
}

static void break_sink(struct mux_stream *stream)
{
        stream->stop_due = !stream->ended;
        mux_stream_end(stream);
}

/* A pty that was hung up swallows what is typed. */
static ssize_t put(struct mux_stream *stream, const uint8_t *from, size_t size)
{
        size_t delivered = 0;
        ssize_t accepted = endpoint_write(&stream->endpoint, from, size, &delivered);

        if (accepted < 0 && stream->endpoint.kind == ENDPOINT_PTY)
                accepted = (ssize_t)(delivered = size);
        stream->owed += (uint32_t)delivered;
        stream->written += delivered;
        return accepted;
}

static void finish_if_done(struct mux_stream *stream)
{
        if (!stream->ended || waits_for_room(stream))
                return;
        if (stream->endpoint.kind == ENDPOINT_TERMINAL)
                (void)shutdown(stream->endpoint.fd, SHUT_WR);
        mux_stream_end(stream);
}

void mux_stream_flush(struct mux_stream *stream, short events)
{
        if (stream->over || !stream->sink)
                return;
        /* Whoever read it has gone; of a pty this is said while nobody has it open, and may pass. */
        if ((events & (POLLERR | POLLHUP)) != 0 && stream->endpoint.kind != ENDPOINT_PTY) {
                break_sink(stream);
                return;
        }
        for (;;) {
                size_t straight = FRAME_CREDIT - stream->start;
                ssize_t accepted;

                accepted = put(stream, stream->ring + stream->start,
                               straight < stream->count ? straight : stream->count);
                if (accepted < 0) {
                        break_sink(stream);
                        return;
                }
                stream->start = (stream->start + (size_t)accepted) % FRAME_CREDIT;
                stream->count -= (size_t)accepted;
                if (accepted == 0 || stream->count == 0)
                        break;
        }
        finish_if_done(stream);
}

static void keep(struct mux_stream *stream, const uint8_t *from, size_t size)
{
        size_t end = (stream->start + stream->count) % FRAME_CREDIT;
        size_t first = size < FRAME_CREDIT - end ? size : FRAME_CREDIT - end;

        memcpy(stream->ring + end, from, first);
        memcpy(stream->ring, from + first, size - first);
        stream->count += size;
}

static int take_data(struct mux_stream *stream, const struct frame *frame, struct error *err)
{
        size_t put_at_once = 0;

        if (stream->ended)
                return error_text(err, EPROTO, "data behind the end of a stream");
        if (frame->size > stream->window)
                return error_text(err, EPROTO, "more data than there was credit for");
        stream->window -= frame->size;
        if (stream->over)
                return 0;
        stream->taken += frame->size;
        if (!waits_for_room(stream)) {
                ssize_t accepted = put(stream, frame->payload, frame->size);

                if (accepted < 0) {
                        break_sink(stream);
                        return 0;
                }
                put_at_once = (size_t)accepted;
        }
        keep(stream, frame->payload + put_at_once, frame->size - put_at_once);
        return 0;
}

static int take_credit(struct mux_stream *stream, const struct frame *frame, struct error *err)
{
        uint32_t more;

        memcpy(&more, frame->payload, sizeof(more));
        if (more > FRAME_CREDIT - stream->window)
                return error_text(err, EPROTO, "more credit than there was data");
        stream->window += more;
        return 0;
}

int mux_stream_take(struct mux_stream *stream, const struct frame *frame, struct error *err)
{
        switch ((int)frame->type) {
        case FRAME_DATA:
                return take_data(stream, frame, err);
        case FRAME_EOF:
                stream->ended = true;
                stream->stop_due = false;
                if (!stream->over)
                        finish_if_done(stream);
                return 0;
        case FRAME_CREDIT_MORE:
                return take_credit(stream, frame, err);
        case FRAME_STOP:
                stream->eof_due = false;
                mux_stream_end(stream);
                return 0;
        default:
                return error_text(err, EPROTO, "a frame of type %d for a stream", (int)frame->type);
        }
}

void mux_stream_tell(struct mux_stream *stream, struct frame_writer *writer)
{
        if (stream->eof_due && frame_writer_put(writer, FRAME_EOF, stream->channel, stream->number, NULL, 0))
                stream->eof_due = false;
        if (stream->stop_due && frame_writer_put(writer, FRAME_STOP, stream->channel, stream->number, NULL, 0))
                stream->stop_due = false;
        if (!stream->over && stream->owed >= CREDIT_STEP &&
            frame_writer_put(writer, FRAME_CREDIT_MORE, stream->channel, stream->number, &stream->owed,
                             sizeof(stream->owed))) {
                stream->window += stream->owed;
                stream->owed = 0;
        }
}
