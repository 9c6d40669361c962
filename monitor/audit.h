/*
 * audit.h - one JSON line per session in AGENTSH_LOG_DIR/sessions.jsonl, and one in syslog.
 */
#ifndef AGENTSH_MONITOR_AUDIT_H
#define AGENTSH_MONITOR_AUDIT_H

#include "common/error.h"
#include "common/session_state.h"

struct session;

/* Whether a record can be written: a session that could not be recorded is refused. Needs root. */
must_check int audit_check(struct error *err);

/* Record the end of a session. A failure is logged: the session is over all the same. */
void audit_session(const struct session *session);

/* Record a session whose monitor was killed, from what it left. */
void audit_lost(const struct session_state *state);

/* A refused login: syslog only. */
void audit_refusal(const char *user, const char *service, const char *rhost, const char *reason);

#endif
