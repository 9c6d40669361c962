/*
 * status.h - the line between agentsh-monitor (root, outside) and agentsh-init (agent, process 1 inside).
 *
 * A SOCK_SEQPACKET pair; init finds its end as STATUS_FD and the listening attach socket as ATTACH_LISTEN_FD.
 *
 *   monitor -> init   struct init_config, once, before anything else; then struct status_notice
 *   init -> monitor   struct status_report: the only bytes from inside that root ever reads. Fixed size, numbers only
 *
 * init reports STATUS_UP once it accepts channels, STATUS_OPENED for each channel and STATUS_CLOSED when one ended;
 * to the latter the monitor answers with a status_notice that names the limits hit so far, which init passes on to
 * the channel's client. A notice with `ending` set may come at any time: the session is about to be ended.
 */
#ifndef AGENTSH_COMMON_STATUS_H
#define AGENTSH_COMMON_STATUS_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define STATUS_MAGIC     0x41475302U
#define STATUS_FD        3
#define ATTACH_LISTEN_FD 4

#define STATUS_CHANNELS_MAX 128 /* of one session, at once */

enum status_kind {
        STATUS_UP = 1,
        STATUS_OPENED = 2,
        STATUS_CLOSED = 3,
};

struct status_report {
        uint32_t magic;
        uint32_t kind;       /* enum status_kind */
        uint32_t channels;   /* open ones, for `agentshctl sessions` */
        int32_t wait_status; /* STATUS_CLOSED: as waitpid(2) gave it */
};

/* Limits that a session can hit; bits of status_notice.hit and names in the audit record. */
#define LIMIT_LIST(X)                                                             \
        X(MEMORY, "memory", "a process was killed: the memory limit was reached") \
        X(TASKS, "tasks", "a fork was refused: the tasks limit was reached")      \
        X(CPUS, "cpus", "the CPU limit slowed the session down")                  \
        X(TIME, "session_time", "the session's time is over")                     \
        X(IDLE, "idle_time", "the session was idle for too long")                 \
        X(TMP, "tmp", "a memory file system is full: the tmp limit was reached")  \
        X(HOME, "home_size", "the home is full: its size was reached")

enum limit_bit {
#define LIMIT_BIT(name, key, text) LIMIT_BIT_##name,
        LIMIT_LIST(LIMIT_BIT)
#undef LIMIT_BIT
                LIMIT_BITS
};

#define LIMIT_MASK(name) (1U << LIMIT_BIT_##name)

/* Why the monitor ends a session; also in the audit record. */
#define ENDING_LIST(X)                                                           \
        X(NONE, "none")                                                          \
        X(CLOSED, "closed")      /* PAM closed it */                             \
        X(CALLER, "caller died") /* the PAM application ended without closing */ \
        X(TIME, "session_time")                                                  \
        X(IDLE, "idle_time")                                                     \
        X(ADMIN, "ended by the administrator")                                   \
        X(INIT, "process 1 ended")                                               \
        X(FAILED, "set-up failed")                                               \
        X(MONITOR, "monitor died") /* found by the sweep */

enum ending {
#define ENDING_ENUM(name, text) ENDING_##name,
        ENDING_LIST(ENDING_ENUM)
#undef ENDING_ENUM
                ENDINGS
};

struct status_notice {
        uint32_t magic;
        uint32_t hit;    /* LIMIT_MASK bits */
        uint32_t ending; /* enum ending; 0: the session goes on */
};

/*
 * Check a received message: exact size, magic, a known kind and ending, a possible number of channels. `data` need not
 * be aligned; *ret is a checked copy, in which bits of limits that this version does not know are cleared. -EBADMSG.
 * Pure; this is what the fuzzer feeds.
 */
must_check int status_parse_report(const void *data, size_t size, struct status_report *ret, struct error *err);
must_check int status_parse_notice(const void *data, size_t size, struct status_notice *ret, struct error *err);

/* How many bytes of "NAME=VALUE\0" fit in a session's fixed environment. */
#define INIT_ENVIRONMENT_MAX 8192

struct init_config {
        uint32_t magic;
        uint32_t uid; /* the only peer uid that init serves, as seen inside */
        char user[64];
        char home[256];            /* the first working directory */
        char shell[256];           /* runs commands and logins; argv[0] is its base name, "-" in front for a login */
        uint32_t environment_size; /* bytes used of environment */
        char environment[INIT_ENVIRONMENT_MAX]; /* complete base environment: PATH, HOME, policy's `set`, ... */
};

#endif
