/*
 * relay_serve.h - agentsh-relay's loop: clients, the monitor, and the guest, none of which can keep it waiting. To
 * the monitor it is what agentsh-init is in a jail: same descriptors, same messages.
 */
#ifndef AGENTSH_SHELL_RELAY_SERVE_H
#define AGENTSH_SHELL_RELAY_SERVE_H

#include "shell/relay_channel.h"
#include "shell/relay_pause.h"

#define RELAY_READY_MS    60000 /* for the guest to be ready */
#define RELAY_POWEROFF_MS 2000  /* for the guest to go, once it was told */

struct relay {
        int status, listener; /* not owned */
        uint32_t hit;         /* as last heard of */
        uint32_t ending;      /* enum ending; not NONE: no more channels */
        bool greeted, freezing, ready, monitor_gone;
        uint64_t accept_after; /* monotonic milliseconds */
        uint64_t deadline;     /* for READY, then for the end */
        struct frame_setup setup;
        struct relay_pause pause;
        struct relay_channel channels[MUX_CHANNELS + 1];
        struct mux mux;
        struct mux_poll polled;
        char message[ATTACH_MESSAGE_MAX];
};

/* The caller's memory, all zero. Takes over `transport`, and says hello. `listener` must be non-blocking. */
void relay_begin(struct relay *relay, int status, int listener, struct transport transport, uint64_t now);

/* Wait for something to happen, at most `most_ms` (-1: forever), and do what follows. -errno: the guest is lost. */
must_check int relay_step(struct relay *relay, int most_ms, struct error *err);

void relay_done(struct relay *relay);

/*
 * Serve channels until the monitor is gone, then tell the guest to go and wait a little for that. Takes the settings
 * from the monitor first (into setup.config; the rest of `setup` is the caller's), and reports STATUS_UP when the guest
 * is ready.
 */
must_check int relay_serve(struct relay *relay, struct error *err);

/* Instead: make the guest quiet for a snapshot. 0 once it is. */
must_check int relay_freeze(struct relay *relay, struct error *err);

#endif
