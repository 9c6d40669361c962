/*
 * fake_monitor.h - the other end of the control socket for tests of the PAM module: a child process that answers as it
 * is told to, well or badly, and notes what it saw in memory shared with the test.
 */
#ifndef AGENTSH_TESTS_LIB_FAKE_MONITOR_H
#define AGENTSH_TESTS_LIB_FAKE_MONITOR_H

#include "common/control.h"

#include <stdbool.h>
#include <sys/types.h>

enum act {
        ACT_GOOD,        /* ALLOWED, READY, GONE */
        ACT_GOOD_HANGUP, /* the same, and close the connection */
        ACT_REFUSE,
        ACT_REFUSE_MUTELY, /* no reason */
        ACT_HANGUP,
        ACT_SILENCE,
        ACT_GARBAGE,
        ACT_SHORT,
        ACT_LONG,
        ACT_HUGE,
        ACT_MAGIC,
        ACT_VERDICT, /* of another question */
        ACT_ESCAPES, /* a reason that would reach the terminal */
        ACT_UNTERMINATED,
        ACT_SEND_FDS,
        ACT_SOCKET_AWAY, /* READY with a socket elsewhere */
        ACT_SOCKET_DOTDOT,
        ACT_SOCKET_PREFIX, /* a neighbour of the right directory */
};

#define FAKE_SESSION "0123456789abcdef"
#define FAKE_SOCKET  AGENTSH_SESSIONS_DIR "/" FAKE_SESSION "/attach"
#define FAKE_REASON  "the account expired on 2026-01-01"
#define FAKE_SEEN    128

struct fake_seen {
        volatile unsigned accepted;                /* connections */
        volatile unsigned ended;                   /* connections that the client let go */
        volatile unsigned requests;                /* messages */
        volatile unsigned malformed;               /* of these, not what control_parse_request accepts */
        struct control_request request[FAKE_SEEN]; /* the well-formed ones */
        volatile pid_t pidfd_of[FAKE_SEEN];        /* whose pidfd came with it, 0: no fd */
};

struct fake_monitor {
        char dir[64];
        char socket[96];
        pid_t pid;
        struct fake_seen *seen;
};

struct fake_script {
        enum act account, open, close;
        uid_t listener; /* listen as this uid (root only); 0: as the test */
        bool no_accept; /* the listener with a full backlog */
};

/* Asserts on failure, in the manner of cmocka. */
void fake_monitor_start(struct fake_monitor *fake, const struct fake_script *script);
void fake_monitor_kill(struct fake_monitor *fake);
void fake_monitor_stop(struct fake_monitor *fake);

/* How many well-formed requests of `kind` came. */
unsigned fake_monitor_count(const struct fake_monitor *fake, enum control_kind kind);

/* Wait (at most two seconds) until *number is at least `wanted`; false when it did not come to that. */
bool fake_monitor_wait(const volatile unsigned *number, unsigned wanted);

#endif
