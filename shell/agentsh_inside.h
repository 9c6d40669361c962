/*
 * agentsh_inside.h - what agentsh holds of its channel: the attach socket, and for a terminal the bytes of the pty
 * inside. Those go through the pty's master, or in a remote session through a socket pair of our own (attach.h). Works
 * inside the filter of agentsh_confine.h. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_INSIDE_H
#define AGENTSH_SHELL_AGENTSH_INSIDE_H

#include "common/attach.h"

#include <stdbool.h>
#include <sys/ioctl.h>

struct inside {
        int socket; /* not owned */
        int stream; /* pty master or socket, non-blocking; -1: no terminal; owned, lives until the program ends */
        bool remote;
};

#define INSIDE_INIT                                         \
        {                                                   \
                .socket = -1, .stream = -1, .remote = false \
        }

/* Tell the pty its new size. One that cannot be told is given up: the other end does not listen. */
void inside_set_size(const struct inside *inside, const struct winsize *size);

/* The settings and the size. False: not done. */
bool inside_set_up(const struct inside *inside, const struct attach_termios *termios, const struct winsize *size);

#endif
