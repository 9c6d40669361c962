/*
 * mux.h - the channels' streams over one transport, the same at both ends. What is not about a stream goes to the
 * owner (relay or guest). One step reads, writes and sends what is possible, and waits for nothing. No privilege.
 */
#ifndef AGENTSH_SHELL_MUX_H
#define AGENTSH_SHELL_MUX_H

#include "shell/mux_stream.h"
#include "shell/transport.h"

#include <poll.h>

/* Numbers 1 to MUX_CHANNELS. Its fuzzer has fewer, since all are gone through at each step. */
#ifndef MUX_CHANNELS
#define MUX_CHANNELS 128
#endif
#define MUX_STREAMS  FRAME_STREAMS
#define MUX_POLL_MAX (1 + MUX_CHANNELS * MUX_STREAMS)

/*
 * Room that is there for the owner whenever mux_has_room says so: a whole request, and what else may come of one event.
 * Sources stop long before.
 */
#define MUX_OWNER_ROOM (ATTACH_MESSAGE_MAX + 16 * 1024)

struct mux_channel {
        bool open;
        struct mux_stream streams[MUX_STREAMS];
};

/* Takes a frame that is not a stream's; its channel is open, or 0. -errno ends the mux. */
typedef int mux_take(void *owner, const struct frame *frame, struct error *err);

struct mux {
        struct transport transport;
        enum frame_direction incoming;
        mux_take *take;
        void *owner;
        uint64_t wake_at; /* the transport is not polled before; 0: it is */
        unsigned turn;    /* the channel that may read first */
        struct mux_channel channels[MUX_CHANNELS + 1];
        struct frame_reader reader;
        struct frame_writer writer;
};

/* What poll was asked, and whose answers they are. */
struct mux_poll {
        struct pollfd items[MUX_POLL_MAX];
        struct mux_stream *streams[MUX_POLL_MAX]; /* [0]: the transport */
        size_t count;
};

/* The channel's streams pass nothing until they are set up by mux_stream.h. */
void mux_open(struct mux *mux, uint16_t channel);
void mux_close(struct mux *mux, uint16_t channel);

/* All streams have ended, and the other end knows, or does not care. */
bool mux_is_over(const struct mux *mux, uint16_t channel);

static inline bool mux_has_room(const struct mux *mux)
{
        return frame_writer_room(&mux->writer) >= MUX_OWNER_ROOM;
}

/* Room is the caller's concern. */
static inline void mux_send(struct mux *mux, enum frame_type type, uint16_t channel, uint8_t flags, const void *payload,
                            size_t size)
{
        (void)frame_writer_put(&mux->writer, type, channel, flags, payload, size);
}

void mux_fill_poll(struct mux *mux, struct mux_poll *ret, uint64_t now);

/* When mux_step is due without any event; UINT64_MAX: never. */
uint64_t mux_wake(const struct mux *mux);

/* -EPIPE: the other end is gone. -EPROTO: it breaks the rules. Otherwise an error of the owner's. */
must_check int mux_step(struct mux *mux, const struct mux_poll *polled, uint64_t now, struct error *err);

/* Send what the owner has put, as far as it goes. */
must_check int mux_flush(struct mux *mux, struct error *err);

void mux_done(struct mux *mux);

#endif
