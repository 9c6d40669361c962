/*
 * guest_init.h - agentsh-init inside the guest: in PID, mount and IPC namespaces of its own, as the account, without
 * capabilities, so that nothing it runs can reach agentsh-guest. Root of the guest.
 */
#ifndef AGENTSH_SHELL_GUEST_INIT_H
#define AGENTSH_SHELL_GUEST_INIT_H

#include "common/error.h"
#include "common/status.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct guest_init {
        pid_t pid;    /* 0: not started */
        int status;   /* the line that is the monitor's elsewhere; owned */
        int listener; /* owned */
        uid_t uid;    /* the account's */
        struct sockaddr_un address;
        socklen_t address_size;
};

#define GUEST_INIT_NONE                                        \
        {                                                      \
                .pid = 0, .status = -EBADF, .listener = -EBADF \
        }

/*
 * Start `program` (an O_PATH or readable descriptor) below `root` (a directory that becomes its /, or NULL: as it is),
 * and give it `config`, but with itself for the only client.
 */
must_check int guest_init_start(struct guest_init *init, int program, const char *root,
                                const struct init_config *config, gid_t gid, struct error *err);

/* A connection of ours to its attach socket, non-blocking. */
must_check int guest_init_connect(const struct guest_init *init, int *ret, struct error *err);

/* It reports something: answer. -errno: it is gone. */
must_check int guest_init_take_report(const struct guest_init *init, struct error *err);

/* Kills it, and waits until it is gone. */
void guest_init_done(struct guest_init *init);

#endif
