/*
 * relay_pause.h - a moment in which the machine stands still, for whoever may copy its home meanwhile: root outside, who
 * connects to the attach socket, is told once it does, and hangs up. It goes on after RELAY_PAUSE_MS at the latest.
 */
#ifndef AGENTSH_SHELL_RELAY_PAUSE_H
#define AGENTSH_SHELL_RELAY_PAUSE_H

#include <stdbool.h>
#include <stdint.h>

#define RELAY_PAUSE_MS 4000

/* How SO_PEERCRED shows a uid that a user namespace does not have: nobody but root can open the attach socket then. */
#define RELAY_PAUSE_UID 65534U

struct relay_pause {
        int client;     /* owned; -EBADF: the machine runs */
        bool stopped;   /* and the client knows */
        uint64_t until; /* monotonic milliseconds */
};

/* Takes over `client`. Only as process 1, all others of whose namespace are the machine: else it is hung up on. */
void relay_pause_begin(struct relay_pause *pause, int client, uint64_t now);

/* `hangup`: the client's descriptor was readable. */
void relay_pause_step(struct relay_pause *pause, bool hangup, uint64_t now);

/* The machine goes on. Idempotent. */
void relay_pause_end(struct relay_pause *pause);

/* When to call relay_pause_step at the latest; UINT64_MAX: never. */
uint64_t relay_pause_wake(const struct relay_pause *pause, uint64_t now);

#endif
