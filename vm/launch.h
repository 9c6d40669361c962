/*
 * launch.h - what the monitor leaves for agentsh-launch, besides the two fds of status.h.
 */
#ifndef AGENTSH_VM_LAUNCH_H
#define AGENTSH_VM_LAUNCH_H

#include "common/status.h"

enum launch_fd {
        LAUNCH_FD_STREAM = ATTACH_LISTEN_FD + 1, /* the relay's stream to the guest; launch makes it */
        LAUNCH_FD_RELAY,                         /* agentsh-relay, to be executed */
        LAUNCH_FD_RAM,                           /* a sealed memory file */
        LAUNCH_FD_STATE,
        LAUNCH_FD_ROOT, /* image, open for reading */
        LAUNCH_FD_HOME, /* image, open for reading and writing; absent with HOME = no */
        LAUNCH_FD_END,
};

#endif
