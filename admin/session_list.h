/*
 * session_list.h - the sessions that live now, from their state files and cgroups. Needs root.
 */
#ifndef AGENTSH_ADMIN_SESSION_LIST_H
#define AGENTSH_ADMIN_SESSION_LIST_H

#include "common/error.h"
#include "common/session_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_list {
        size_t count;
        struct session_state *state;
};

/*
 * Every session with a readable state, sorted by id; `account` (may be NULL) picks one account's. No sessions
 * directory is an empty list. A session that begins or ends meanwhile is left out.
 */
must_check int session_list_read(const char *account, struct session_list *ret, struct error *err);
void session_list_done(struct session_list *list);

#define cleanup_session_list __attribute__((cleanup(session_list_done)))

/* Whether the session's monitor lives: its pid has the start time that the state names. */
bool session_is_live(const struct session_state *state);

struct session_usage {
        bool memory_known, tasks_known, cpu_known;
        uint64_t memory; /* bytes */
        uint64_t tasks;
        uint64_t cpu_usec;
};

/* What the session's cgroups say; what they do not say stays unknown. */
void session_read_usage(const struct session_state *state, struct session_usage *ret);

/* Microseconds of CPU time in the text of a v2 cpu.stat; false when it has no usage_usec line. Pure. */
bool session_parse_cpu_stat(const char *text, uint64_t *ret);

/*
 * End a session: SIGTERM to its monitor, reached by a pidfd that is checked against the start time, then wait up to
 * timeout_ms for its directory to be gone. -ESRCH: the monitor is dead already. -ETIMEDOUT.
 */
must_check int session_end(const struct session_state *state, int timeout_ms, struct error *err);

#endif
