/*
 * rundir.h - the runtime directories: AGENTSH_RUNTIME_DIR and one below sessions/ for each session.
 */
#ifndef AGENTSH_MONITOR_RUNDIR_H
#define AGENTSH_MONITOR_RUNDIR_H

#include "common/error.h"
#include "common/parse.h"

#include <stdbool.h>

struct rundir {
        int runtime_fd; /* AGENTSH_RUNTIME_DIR */
        int sessions_fd;
        int fd;      /* the session's own */
        int lock_fd; /* locked: the sweep leaves the session alone */
        char id[SESSION_ID_LENGTH + 1];
};

#define RUNDIR_INIT                                                                                    \
        {                                                                                              \
                .runtime_fd = -EBADF, .sessions_fd = -EBADF, .fd = -EBADF, .lock_fd = -EBADF, .id = "" \
        }

/* Make AGENTSH_RUNTIME_DIR and sessions/ where they are missing. Needs root. */
must_check int rundir_open(struct rundir *ret, struct error *err);

/* Make sessions/ID with a fresh id and take its lock. `rundir` has been opened. */
must_check int rundir_create(struct rundir *rundir, struct error *err);

/* Remove sessions/ID. */
must_check int rundir_remove(struct rundir *rundir, struct error *err);

void rundir_done(struct rundir *rundir);

/*
 * Whether the session in directory session_fd has lost its monitor: takes the lock without waiting. *ret_lock_fd then
 * holds it. -EAGAIN while the monitor lives. Never in a session's own monitor: the lock is its process's, so that it
 * would always be had, and closing any descriptor of the file drops it.
 */
must_check int rundir_lock_dead(int session_fd, int *ret_lock_fd, struct error *err);

/*
 * The lock between the birth of sessions (shared) and the sweep (exclusive): a directory without its lock is never
 * seen by a sweep. Held until *ret_fd is closed.
 */
must_check int rundir_lock_births(int runtime_fd, bool exclusive, int *ret_fd, struct error *err);

#endif
