/*
 * agentsh_session.h - finds the session that the PAM module opened, and connects to it. Runs as the agent; trusts only
 * what lies in directories that root alone can write.
 */
#ifndef AGENTSH_SHELL_AGENTSH_SESSION_H
#define AGENTSH_SHELL_AGENTSH_SESSION_H

#include "common/error.h"

#include <stdbool.h>

/* How long a full backlog is waited for. */
#define SESSION_CONNECT_MS 10000

struct session {
        int directory; /* O_PATH; owned */
        int socket;    /* connected attach socket, close-on-exec, non-blocking; owned */
};

#define SESSION_INIT                                  \
        {                                             \
                .directory = -EBADF, .socket = -EBADF \
        }

/*
 * `path` is the value of AGENTSH_SOCKET (NULL: unset, -ENOENT with the remedy) and must read BASE/<session id>/attach;
 * BASE is AGENTSH_SESSIONS_DIR but in tests. Every directory on the way must be root's and writable by root only, and
 * whoever listens at the socket must be root.
 */
must_check int session_open(const char *path, const char *base, struct session *ret, struct error *err);

/* The patterns of variables that may go in (SESSION_KEEP_FILE, root's). The caller frees *ret_patterns. */
must_check int session_read_keep(const struct session *session, char **ret_patterns, struct error *err);

/*
 * Whether the isolation is behind agentsh-relay (SESSION_REMOTE_FILE): then a terminal is a pair of sockets that we
 * make ourselves, and no fd comes back. Root says which; the other end of the socket could choose what suits it.
 */
must_check int session_is_remote(const struct session *session, bool *ret, struct error *err);

void session_done(struct session *session);

#endif
