/*
 * control.h - the protocol between pam_agentsh.so (client, root) and agentsh-monitor (root).
 *
 * SOCK_SEQPACKET at AGENTSH_CONTROL_SOCKET, mode 0600. Fixed-size structs, one per message, strings NUL-terminated
 * inside their arrays. One connection serves one PAM handle:
 *
 *   client                         monitor
 *   CONTROL_ACCOUNT            ->                  may this account log in by this service now?
 *                              <-  ALLOWED | REFUSED
 *   CONTROL_OPEN  + pidfd      ->                  a session; pidfd is the PAM application's
 *                              <-  READY (socket path, id) | REFUSED
 *   CONTROL_CLOSE              ->
 *                              <-  GONE            every trace is removed
 *
 * CONTROL_ACCOUNT may be left out. After REFUSED, the connection is closed by the monitor. EOF of the connection or
 * the end of the pidfd's process ends the session, whichever comes first: the pidfd is what counts, since sshd's
 * user child keeps a copy of the connection.
 */
#ifndef AGENTSH_COMMON_CONTROL_H
#define AGENTSH_COMMON_CONTROL_H

#include "common/error.h"
#include "common/parse.h"

#include <stddef.h>
#include <stdint.h>

#define CONTROL_MAGIC 0x41475302U /* changes with every incompatible change of a struct below */

enum control_kind {
        CONTROL_ACCOUNT = 1,
        CONTROL_OPEN = 2,
        CONTROL_CLOSE = 3,
};

enum control_verdict {
        CONTROL_ALLOWED = 1, /* answer to CONTROL_ACCOUNT */
        CONTROL_READY = 2,   /* answer to CONTROL_OPEN */
        CONTROL_REFUSED = 3, /* `reason` is one line for the user */
        CONTROL_GONE = 4,    /* answer to CONTROL_CLOSE */
};

struct control_request {
        uint32_t magic;
        uint32_t kind;                   /* enum control_kind */
        char user[ACCOUNT_NAME_MAX + 1]; /* PAM_USER */
        char service[64];                /* PAM_SERVICE */
        char tty[64];                    /* PAM_TTY, or "" */
        char rhost[256];                 /* PAM_RHOST, or "" */
        char ruser[64];                  /* PAM_RUSER, or "" */
        char auth[4096];                 /* sshd's SSH_AUTH_INFO_0, ';' for the ends of lines, or "" */
};

struct control_reply {
        uint32_t magic;
        uint32_t verdict;                    /* enum control_verdict */
        char session[SESSION_ID_LENGTH + 1]; /* READY */
        char socket[108];                    /* READY: path of the attach socket */
        char reason[256];                    /* REFUSED */
};

/*
 * Check a received request: exact size, magic, kind, every string terminated and without control characters, and
 * (but for CLOSE) a well-formed user and a non-empty service. `data` need not be aligned; *ret is a checked copy.
 * Pure; this is what the fuzzer feeds.
 */
must_check int control_parse_request(const void *data, size_t size, struct control_request *ret, struct error *err);

/* The same for a reply, on the client's side. */
must_check int control_parse_reply(const void *data, size_t size, struct control_reply *ret, struct error *err);

#endif
