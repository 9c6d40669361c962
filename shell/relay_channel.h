/*
 * relay_channel.h - one connection of a login shell at agentsh-relay, from its request to the last byte of its
 * streams. Agent uid or the session's own, in a jail, without capabilities. No call here waits.
 */
#ifndef AGENTSH_SHELL_RELAY_CHANNEL_H
#define AGENTSH_SHELL_RELAY_CHANNEL_H

#include "common/attach.h"
#include "shell/mux.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_REQUEST_MS 5000 /* from connection to request */
#define RELAY_NOTICE_MS  200  /* for the monitor to name the limits hit */

enum relay_state {
        RELAY_FREE,
        RELAY_WAITING, /* for its request */
        RELAY_OPENING, /* the guest has not answered yet */
        RELAY_RUNNING,
        RELAY_NOTICE, /* its process has ended, and all that it wrote was delivered; waiting for the monitor's notice */
        RELAY_LEAVING, /* the client has gone; others may still have the streams */
        RELAY_CLOSING, /* waiting for the guest's CLOSE */
};

struct relay_channel {
        enum relay_state state;
        uint16_t number;
        int client;  /* owned; -EBADF when it has gone */
        bool exited; /* RUNNING: its process has; its output is being delivered */
        int wait_status;
        uint64_t deadline;           /* WAITING, NOTICE: monotonic milliseconds */
        uint64_t marks[MUX_STREAMS]; /* exited: what it had written */
};

/* What became of a channel, for the monitor's count. */
enum relay_news { RELAY_NOTHING, RELAY_OPENED, RELAY_CLOSED };

/* Take over a client that was accepted. */
void relay_channel_accept(struct relay_channel *channel, int client, uint64_t now);

/* WAITING: its request is there, or it hung up. `buffer` has ATTACH_MESSAGE_MAX bytes. The mux has room. */
void relay_channel_take_request(struct relay_channel *channel, struct mux *mux, void *buffer);

/* OPENING, RUNNING: a message of the client's, or its end. The mux has room. */
enum relay_news relay_channel_take_message(struct relay_channel *channel, struct mux *mux);

/* A frame of the guest's: REPLY or CLOSE. -EPROTO: out of turn, or nonsense. */
must_check int relay_channel_take_frame(struct relay_channel *channel, struct mux *mux, const struct frame *frame,
                                        enum relay_news *ret_news, struct error *err);

/* What the streams' progress allows. The mux has room. */
enum relay_news relay_channel_advance(struct relay_channel *channel, struct mux *mux, uint64_t now);

/* NOTICE: the last word to the client. */
void relay_channel_finish(struct relay_channel *channel, uint32_t hit);

/* Any state: tell the client why the session ends. */
void relay_channel_end(struct relay_channel *channel, uint32_t hit, uint32_t ending);

/* Any state: the client finds the line closed, as it does when process 1 of a jail is killed. */
void relay_channel_drop(struct relay_channel *channel);

/* WAITING: refuse with `text`. The slot is free afterwards. */
void relay_channel_refuse(struct relay_channel *channel, const char *text);

#endif
