/* mux.c - one step of the multiplexer. */
#include "shell/mux.h"

#include <errno.h>

#define BUSY_BYTES   (64 * 1024) /* so much waits for the transport: no more is read. Bounds what a signal waits for */
#define TRANSPORT_MS 20          /* a port without a host is looked at again after this long */

void mux_open(struct mux *mux, uint16_t channel)
{
        struct mux_channel *it = &mux->channels[channel];
        bool inside = mux->incoming == FRAME_INWARDS;

        it->open = true;
        for (unsigned i = 0; i < MUX_STREAMS; i++)
                mux_stream_none(&it->streams[i], channel, (uint8_t)i, (i == FRAME_STDIN) == inside);
}

void mux_close(struct mux *mux, uint16_t channel)
{
        struct mux_channel *it = &mux->channels[channel];

        if (it->open)
                for (size_t i = 0; i < MUX_STREAMS; i++)
                        mux_stream_end(&it->streams[i]);
        it->open = false;
}

bool mux_is_over(const struct mux *mux, uint16_t channel)
{
        const struct mux_channel *it = &mux->channels[channel];

        for (size_t i = 0; i < MUX_STREAMS; i++)
                if (!it->streams[i].over || it->streams[i].eof_due || it->streams[i].stop_due)
                        return false;
        return true;
}

static bool may_read(const struct mux *mux)
{
        return frame_writer_pending(&mux->writer) < BUSY_BYTES;
}

void mux_fill_poll(struct mux *mux, struct mux_poll *ret, uint64_t now)
{
        bool room = may_read(mux);

        ret->items[0] = (struct pollfd){
                .fd = mux->wake_at > now ? -1 : mux->transport.fd,
                .events = (short)(POLLIN | (frame_writer_pending(&mux->writer) > 0 ? POLLOUT : 0)),
        };
        ret->count = 1;
        for (size_t i = 1; i <= MUX_CHANNELS; i++) {
                for (size_t n = 0; mux->channels[i].open && n < MUX_STREAMS; n++) {
                        struct mux_stream *stream = &mux->channels[i].streams[n];
                        short events = mux_stream_events(stream, room, now);

                        /* A sink is asked even so: whether its reader has gone. */
                        if (stream->over || (!stream->sink && events == 0) ||
                            (events == 0 && stream->endpoint.kind == ENDPOINT_PTY))
                                continue;
                        ret->items[ret->count] = (struct pollfd){ .fd = stream->endpoint.fd, .events = events };
                        ret->streams[ret->count++] = stream;
                }
        }
}

uint64_t mux_wake(const struct mux *mux)
{
        uint64_t at = mux->wake_at > 0 ? mux->wake_at : UINT64_MAX;

        /* A stream that cannot send waits for the transport, whatever the time. */
        for (size_t i = 1; i <= MUX_CHANNELS; i++) {
                for (size_t n = 0; mux->channels[i].open && n < MUX_STREAMS; n++) {
                        const struct mux_stream *stream = &mux->channels[i].streams[n];
                        uint64_t wake = may_read(mux) && stream->window > 0 ? mux_stream_wake(stream) : UINT64_MAX;

                        at = wake < at ? wake : at;
                }
        }
        return at;
}

static bool is_of_stream(const struct frame *frame)
{
        return frame->type == FRAME_DATA || frame->type == FRAME_EOF || frame->type == FRAME_CREDIT_MORE ||
               frame->type == FRAME_STOP;
}

static int take_frame(struct mux *mux, const struct frame *frame, struct error *err)
{
        struct mux_channel *channel;

        /* OPEN is the relay's alone, and makes the channel. */
        if (frame->channel == 0 || (frame->type == FRAME_OPEN && frame->channel <= MUX_CHANNELS))
                return mux->take(mux->owner, frame, err);
        if (frame->channel > MUX_CHANNELS || !mux->channels[frame->channel].open)
                return 0;
        channel = &mux->channels[frame->channel];
        if (!is_of_stream(frame))
                return mux->take(mux->owner, frame, err);
        return mux_stream_take(&channel->streams[frame->flags & FRAME_STREAM_MASK], frame, err);
}

static int take_frames(struct mux *mux, struct error *err)
{
        for (;;) {
                struct frame frame;
                int r = frame_reader_next(&mux->reader, mux->incoming, &frame, err);

                if (r <= 0)
                        return r;
                r = take_frame(mux, &frame, err);
                if (r < 0)
                        return r;
        }
}

static int receive(struct mux *mux, short events, uint64_t now, struct error *err)
{
        uint8_t *to;
        size_t room = frame_reader_room(&mux->reader, &to);
        ssize_t got = mux->transport.ops->read(mux->transport.fd, to, room);

        if (got == -EPIPE)
                return error_text(err, EPIPE, "the other end has closed the line");
        if (got < 0)
                return error_errno(err, (int)-got, "cannot read from the other end");
        mux->wake_at = got == 0 && (events & POLLHUP) != 0 ? now + TRANSPORT_MS : 0;
        frame_reader_filled(&mux->reader, (size_t)got);
        return take_frames(mux, err);
}

int mux_flush(struct mux *mux, struct error *err)
{
        struct frame_writer *writer = &mux->writer;
        ssize_t put;

        if (frame_writer_pending(writer) == 0)
                return 0;
        put = mux->transport.ops->write(mux->transport.fd, writer->data + writer->start, frame_writer_pending(writer));
        if (put == -EPIPE)
                return error_text(err, EPIPE, "the other end has closed the line");
        if (put < 0)
                return error_errno(err, (int)-put, "cannot write to the other end");
        frame_writer_written(writer, (size_t)put);
        return 0;
}

/* The frames just taken may have ended the stream. */
static bool is_for(const struct mux_poll *polled, size_t i)
{
        return polled->items[i].revents != 0 && polled->items[i].fd == polled->streams[i]->endpoint.fd;
}

/* Everybody's turn to be the first comes round: the room in front of the transport is little. */
static void read_sources(struct mux *mux, const struct mux_poll *polled, uint64_t now)
{
        size_t streams = polled->count - 1;

        mux->turn++;
        for (size_t i = 0; i < streams && may_read(mux); i++) {
                size_t at = 1 + (mux->turn + i) % streams;

                if (is_for(polled, at) && !polled->streams[at]->sink)
                        mux_stream_read(polled->streams[at], &mux->writer, now);
        }
}

static void wake_sources(struct mux *mux, uint64_t now)
{
        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                for (size_t n = 0; mux->channels[i].open && n < MUX_STREAMS; n++)
                        if (mux_stream_wake(&mux->channels[i].streams[n]) <= now && may_read(mux))
                                mux_stream_read(&mux->channels[i].streams[n], &mux->writer, now);
}

static void tell(struct mux *mux)
{
        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                for (size_t n = 0; mux->channels[i].open && n < MUX_STREAMS; n++)
                        mux_stream_tell(&mux->channels[i].streams[n], &mux->writer);
}

int mux_step(struct mux *mux, const struct mux_poll *polled, uint64_t now, struct error *err)
{
        short events = polled->items[0].fd < 0 ? 0 : polled->items[0].revents;
        int r = 0;

        if ((events & (POLLIN | POLLHUP | POLLERR)) != 0)
                r = receive(mux, events, now, err);
        else if (mux->wake_at > 0 && mux->wake_at <= now)
                mux->wake_at = 0;
        if (r < 0)
                return r;
        for (size_t i = 1; i < polled->count; i++)
                if (is_for(polled, i) && polled->streams[i]->sink)
                        mux_stream_flush(polled->streams[i], polled->items[i].revents);
        read_sources(mux, polled, now);
        wake_sources(mux, now);
        tell(mux);
        return mux_flush(mux, err);
}

void mux_done(struct mux *mux)
{
        for (uint16_t i = 1; i <= MUX_CHANNELS; i++)
                mux_close(mux, i);
        if (mux->transport.fd >= 0)
                mux->transport.ops->close(mux->transport.fd);
        mux->transport.fd = -EBADF;
}
