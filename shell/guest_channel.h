/*
 * guest_channel.h - a channel inside the guest: an attach client of agentsh-init, with pipes for the streams that are
 * passed and a pty for the rest. All three are pipes, never sockets: a program can make the kernel sleep in a pipe's
 * lock for its reader (splice from a socket into stdout), but has to do so on purpose then, and hits its own machine.
 * Root of the guest. No call here waits.
 */
#ifndef AGENTSH_SHELL_GUEST_CHANNEL_H
#define AGENTSH_SHELL_GUEST_CHANNEL_H

#include "shell/guest_init.h"
#include "shell/mux.h"

enum guest_state {
        GUEST_FREE,
        GUEST_STARTING, /* init has the request */
        GUEST_RUNNING,
        GUEST_EXITED, /* what it wrote is on its way; then its status */
        GUEST_OVER,   /* nothing more to say; others may still have the streams */
};

struct guest_channel {
        enum guest_state state;
        uint16_t number;
        int init;   /* connection to agentsh-init; owned */
        int master; /* for its size and settings; owned; -EBADF: no terminal */
        uint32_t passed;
        struct attach_reply last; /* EXITED */
};

/* A whole request has come. A failure is told to the relay. */
void guest_channel_open(struct guest_channel *channel, struct mux *mux, const struct guest_init *init, const void *data,
                        size_t size);

/* init has something to say. The mux has room. */
void guest_channel_take_answer(struct guest_channel *channel, struct mux *mux, uint64_t now);

/* SIGNAL, WINDOW, HANGUP, CLOSE. */
must_check int guest_channel_take_frame(struct guest_channel *channel, struct mux *mux, const struct frame *frame,
                                        struct error *err);

/* What the streams' progress allows. The mux has room. */
void guest_channel_advance(struct guest_channel *channel, struct mux *mux);

void guest_channel_done(struct guest_channel *channel, struct mux *mux);

#endif
