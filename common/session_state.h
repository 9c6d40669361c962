/*
 * session_state.h - what the monitor leaves in a session's runtime directory for agentshctl and for the sweep.
 *
 * Written by root, mode 0600, in one write to a new file that is renamed into place; read back by root only.
 */
#ifndef AGENTSH_COMMON_SESSION_STATE_H
#define AGENTSH_COMMON_SESSION_STATE_H

#include "common/error.h"
#include "common/parse.h"

#include <stdint.h>

#define SESSION_STATE_MAGIC 0x41475304U

/* In `tier`, of a session whose home is a copy that ends with it. */
#define SESSION_STATE_COPY ", copy"

#define SESSION_CGROUPS_MAX 8

struct session_state {
        uint32_t magic;
        char id[SESSION_ID_LENGTH + 1];
        char account[ACCOUNT_NAME_MAX + 1];
        char service[64];
        char tty[64];
        char rhost[256];
        char ruser[64];
        char tier[16];
        uint32_t uid;
        int32_t monitor_pid;
        int32_t init_pid; /* in the host's pid namespace; 0 while there is none */
        uint32_t channels;
        uint64_t monitor_start_time; /* process_read_start_time */
        int64_t opened_at;           /* seconds since the epoch */
        /* Absolute cgroup directories of the session, "" behind the last: removed by the sweep, read by agentshctl. */
        char cgroups[SESSION_CGROUPS_MAX][256];
};

/* Write it below dirfd (a session's directory) as SESSION_STATE_FILE. Needs root. */
must_check int session_state_write(int dirfd, const struct session_state *state, struct error *err);

/* Read and check it (size, magic, owner, strings). -ENOENT when there is none. */
must_check int session_state_read(int dirfd, struct session_state *ret, struct error *err);

#endif
