/*
 * guest_serve.h - agentsh-guest's loop: the relay, agentsh-init and its channels. Root of the guest.
 */
#ifndef AGENTSH_SHELL_GUEST_SERVE_H
#define AGENTSH_SHELL_GUEST_SERVE_H

#include "shell/guest_channel.h"

struct guest {
        struct guest_init init;
        int program;  /* agentsh-init; not owned */
        bool machine; /* we are process 1 of a machine: SETUP makes it ready. Otherwise it only starts the init */
        bool freezing, powering_off;
        struct frame_setup setup;
        struct guest_channel channels[MUX_CHANNELS + 1];
        struct mux mux;
        struct mux_poll polled;
        uint16_t assembling; /* the channel whose request comes in pieces; 0: none */
        size_t assembled;
        char message[ATTACH_MESSAGE_MAX];
};

/*
 * Serve until the relay says POWEROFF (0), or it or agentsh-init is lost (-errno). `guest` is the caller's, all zero
 * but `program` and `machine`.
 */
must_check int guest_serve(struct guest *guest, struct transport transport, struct error *err);

#endif
