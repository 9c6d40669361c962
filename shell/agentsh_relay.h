/*
 * agentsh_relay.h - carries bytes between the terminal outside and the pty inside, signals inwards and the exit
 * status outwards. Never trusts what comes from inside to be more than bytes, and never waits for one end only.
 */
#ifndef AGENTSH_SHELL_AGENTSH_RELAY_H
#define AGENTSH_SHELL_AGENTSH_RELAY_H

#include "common/attach.h"
#include "shell/agentsh_tty.h"

enum relay_end {
        RELAY_EXITED, /* the channel ended: *ret_reply says how */
        RELAY_LOST,   /* init is gone, or speaks nonsense */
        RELAY_HANGUP, /* the terminal outside is gone */
};

/*
 * Relay until the end. inside->stream is non-blocking, or -1 without a terminal; the terminal outside is raw while keys
 * are relayed and restored on every return. `signals` is signals_catch's. Bytes written before the channel ended are not
 * lost; a process that still holds the pty then is not waited for. Works inside the filter of agentsh_confine.h.
 */
enum relay_end relay_run(const struct inside *inside, int signals, struct tty *tty, struct attach_reply *ret_reply);

#endif
