/*
 * session.h - one session from the PAM module's request to its last trace.
 *
 *   session_prepare what can be done before there is a session: between PAM's account phase and its session phase
 *   session_open    everything that must hold before the login may go on: slot, runtime directory, cgroup, socket
 *   session_start   the isolation, made while the PAM application goes on with its own work
 *   session_watch   waits for the end: closed, caller dead, time over, idle, administrator, process 1 dead
 *   session_close   undoes it all, in reverse
 *
 * Needs root with CAP_SYS_ADMIN and what the tier needs.
 */
#ifndef AGENTSH_MONITOR_SESSION_H
#define AGENTSH_MONITOR_SESSION_H

#include "common/control.h"
#include "common/session_state.h"
#include "common/status.h"
#include "monitor/account.h"
#include "monitor/cgroup.h"
#include "monitor/rundir.h"
#include "monitor/tier.h"

#include <stdbool.h>
#include <stdint.h>

/* What session_prepare did; one session uses it. */
struct session_ahead {
        bool cgroups; /* cgroup_prepare is done */
        struct tier_ahead tier;
        struct error failure; /* of the tier's part: no session can follow */
};

#define SESSION_AHEAD_INIT                                     \
        {                                                      \
                .tier = TIER_AHEAD_INIT, .failure = ERROR_INIT \
        }

struct session {
        struct control_request request;
        struct account account;
        int connection;              /* to the PAM module; not owned */
        int caller_pidfd;            /* the PAM application; not owned */
        int signal_fd;               /* SIGTERM, SIGINT, SIGHUP of the monitor; not owned */
        struct session_ahead *ahead; /* not owned */
        struct rundir rundir;
        int slot_fd;
        int attach_fd;
        struct cgroup cgroup;
        struct isolation isolation;
        struct session_state state;
        struct init_config config;
        struct cgroup_usage usage; /* as last read */
        uint64_t opened_ms;        /* process_monotonic_ms */
        uint32_t hit;              /* LIMIT_MASK bits */
        enum ending ending;
        bool left_behind;     /* a set-up that failed could not be undone: the sweep has to */
        struct error failure; /* why the isolation could not be made */
};

/* Opening the session that follows takes less time then, and tells what failed. Undone by session_ahead_done. */
void session_prepare(struct session_ahead *ahead, const struct tier *tier);
void session_ahead_done(struct session_ahead *ahead);

/* Attach socket's path for the READY reply. */
void session_socket_path(const struct session *session, char *ret, size_t size);

/* `session` is zeroed but for request, account, connection, caller_pidfd, signal_fd, ahead. On failure nothing is left. */
must_check int session_open(struct session *session, struct error *err);

/* On failure session->failure holds the reason too; the session stays open so that waiting attaches get it. */
must_check int session_start(struct session *session, struct error *err);

/* Returns when the session is to end; session->ending says why. When session_start failed, only its caller ends it. */
void session_watch(struct session *session);

/* Kill, remove and record. Goes on through failures, which it logs; the first one is returned. */
must_check int session_close(struct session *session, struct error *err);

/* Read usage and add what was hit to session->hit. */
must_check int session_read_limits(struct session *session, struct error *err);

#ifdef AGENTSH_FAULTS
/* Names of session_open's steps, for --list-steps; NULL behind the last. */
const char *session_step_name(size_t index);
#endif

#endif
