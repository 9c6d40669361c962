/*
 * init_channel.h - one connection of a login shell, from its request to its exit status. Agent uid, inside. No call
 * here waits: a slow or silent client costs a slot, and that for a bounded time.
 */
#ifndef AGENTSH_SHELL_INIT_CHANNEL_H
#define AGENTSH_SHELL_INIT_CHANNEL_H

#include "common/attach.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CHANNEL_REQUEST_MS 5000 /* from connection to request */
#define CHANNEL_NOTICE_MS  200  /* for the monitor to name the limits hit */

enum channel_state {
        CHANNEL_FREE,
        CHANNEL_WAITING,  /* for its request */
        CHANNEL_STARTING, /* its process has not executed yet */
        CHANNEL_RUNNING,  /* with or without a client */
        CHANNEL_CLOSING,  /* its process has ended; waiting for the monitor's notice */
};

struct channel {
        enum channel_state state;
        int client; /* owned; -EBADF when it has gone */
        int report; /* STARTING: see init_child.h; owned */
        int master; /* STARTING: what the client will get; owned */
        pid_t pid;
        bool pty;
        int wait_status;
        uint64_t deadline; /* WAITING, CLOSING: monotonic milliseconds */
};

/* Take over a client that was accepted. */
void channel_open(struct channel *channel, int client, uint64_t now);

/* WAITING: its request is there, or it hung up. `buffer` has ATTACH_MESSAGE_MAX bytes. */
void channel_take_request(struct channel *channel, const struct init_config *config, void *buffer);

/* STARTING: its process may have executed. True when it has, and the channel runs. */
bool channel_take_report(struct channel *channel, const struct init_config *config);

/* RUNNING: a signal to forward, or the client hung up: then its processes are. */
void channel_take_message(struct channel *channel);

/* STARTING or RUNNING: its process has been reaped. */
void channel_exited(struct channel *channel, int wait_status, uint64_t now);

/* CLOSING: the last word to the client. The slot is free afterwards. */
void channel_finish(struct channel *channel, uint32_t hit);

/* Any state: tell the client why the session ends. */
void channel_end(struct channel *channel, uint32_t hit, uint32_t ending);

/* Any state: refuse with `text`. The slot is free afterwards. */
void channel_refuse(struct channel *channel, const char *text);

/* Kill what still runs in its process group. */
void channel_kill(const struct channel *channel);

#endif
