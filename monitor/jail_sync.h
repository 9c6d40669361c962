/*
 * jail_sync.h - what the builder and the monitor say to each other while the jail is built.
 *
 * A SOCK_SEQPACKET pair, close-on-exec at both ends; no byte of the agent's ever travels on it.
 *
 *   builder -> monitor   MAP         in its user namespace: write my maps
 *                        EXECUTING   all but execve is done; EOF behind it means that init runs
 *                        FAILED      with the step's text
 *   monitor -> builder   NETWORK     + the fd of a network namespace to enter
 *                        MAPPED
 */
#ifndef AGENTSH_MONITOR_JAIL_SYNC_H
#define AGENTSH_MONITOR_JAIL_SYNC_H

#include "common/error.h"

#include <stdint.h>

enum jail_sync_kind {
        JAIL_SYNC_NETWORK = 1,
        JAIL_SYNC_MAP,
        JAIL_SYNC_MAPPED,
        JAIL_SYNC_EXECUTING,
        JAIL_SYNC_FAILED,
};

struct jail_sync {
        uint32_t kind;
        int32_t number;            /* FAILED: errno */
        char text[ERROR_TEXT_MAX]; /* FAILED */
};

/* A new pair. */
must_check int jail_sync_open(int *ret_monitor_fd, int *ret_builder_fd, struct error *err);

/* Send one message without and with an fd. */
must_check int jail_sync_send(int fd, enum jail_sync_kind kind, struct error *err);
must_check int jail_sync_send_fd(int fd, enum jail_sync_kind kind, int passed, struct error *err);

/* Send FAILED. */
must_check int jail_sync_send_failure(int fd, const struct error *failure, struct error *err);

/* Wait for one message, at most timeout_ms (SEQPACKET_FOREVER: until it comes). 1, or 0 when the peer is gone. */
must_check int jail_sync_receive(int fd, struct jail_sync *ret, int timeout_ms, struct error *err);

/*
 * Builder: wait until the monitor says `kind`. The monitor's death is an error. *ret_fd is the fd that came with it,
 * -EBADF when none did; NULL where none may come.
 */
must_check int jail_sync_wait(int fd, enum jail_sync_kind kind, int *ret_fd, struct error *err);

#endif
