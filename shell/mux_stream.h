/*
 * mux_stream.h - one direction of one channel between a local descriptor and the frames: a source reads the descriptor
 * and sends, a sink takes frames and writes. Credit bounds what is on the way. No privilege.
 */
#ifndef AGENTSH_SHELL_MUX_STREAM_H
#define AGENTSH_SHELL_MUX_STREAM_H

#include "shell/endpoint.h"
#include "shell/frame.h"

#include <stdint.h>

#define MUX_QUIET_MS  100 /* silence of a pty that ends it once its channel has ended */
#define MUX_LOOK_MS   250 /* a pty without slaves is looked at again after this long */
#define MUX_DRAIN_MAX (256 * 1024)

struct mux_stream {
        struct endpoint endpoint;
        uint16_t channel;
        uint8_t number; /* enum frame_stream */
        bool sink;
        bool over;       /* nothing passes any more; the endpoint is closed */
        bool eof_due;    /* source: the end is to be told */
        bool stop_due;   /* sink: that nobody reads is to be told */
        bool ended;      /* sink: no more will come; over when all is written */
        uint32_t window; /* source: bytes that may be sent; sink: that may come */

        /* Source */
        bool draining; /* the channel's process has ended: what it has written is still wanted */
        uint32_t drain_left;
        uint64_t wake_at;  /* not read before; 0: as soon as poll says so */
        uint64_t quiet_at; /* a draining pty ends then */

        /* Sink */
        uint32_t owed;           /* written, and not yet given back as credit */
        uint64_t taken, written; /* in all */
        uint8_t *ring;           /* FRAME_CREDIT bytes; owned */
        size_t start, count;
};

/* Take over `endpoint`. The first is closed again by mux_stream_end. */
void mux_stream_source(struct mux_stream *stream, struct endpoint endpoint, uint16_t channel, uint8_t number);
must_check int mux_stream_sink(struct mux_stream *stream, struct endpoint endpoint, uint16_t channel, uint8_t number,
                               struct error *err);

/* It passes nothing: from the start, or from now on. Closes and frees; tells the other end nothing. */
void mux_stream_none(struct mux_stream *stream, uint16_t channel, uint8_t number, bool sink);
void mux_stream_end(struct mux_stream *stream);

/* Source: what poll should look for (0: nothing now). */
short mux_stream_events(const struct mux_stream *stream, bool room, uint64_t now);

/* When it wants to be looked at without poll; UINT64_MAX: never. */
uint64_t mux_stream_wake(const struct mux_stream *stream);

/* Source: read once, into a frame. */
void mux_stream_read(struct mux_stream *stream, struct frame_writer *writer, uint64_t now);

/* Source: the process at its end has gone. What it left there is counted; what comes later is not waited for. */
void mux_stream_drain(struct mux_stream *stream, uint64_t now);

/* Source: all of that has been read, and the other end knows where it ends, if it does. */
bool mux_stream_is_drained(const struct mux_stream *stream);

/* Sink: write what waits; `events` as poll says. */
void mux_stream_flush(struct mux_stream *stream, short events);

/* A frame of this stream: DATA, EOF, CREDIT, STOP. -EPROTO: against the rules. */
must_check int mux_stream_take(struct mux_stream *stream, const struct frame *frame, struct error *err);

/* Put EOF, STOP or CREDIT where they are due. */
void mux_stream_tell(struct mux_stream *stream, struct frame_writer *writer);

#endif
