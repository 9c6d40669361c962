/*
 * tier.h - a kind of isolation. Its only job: get agentsh-init running somewhere with the session's listening socket.
 */
#ifndef AGENTSH_MONITOR_TIER_H
#define AGENTSH_MONITOR_TIER_H

#include "common/error.h"
#include "common/status.h"
#include "monitor/cgroup.h"
#include "policy/policy.h"

#include <sys/types.h>

/* What a tier can make before it knows the session. */
struct tier_ahead {
        int network_fd; /* a network namespace for one session, owned; -EBADF: none */
};

#define TIER_AHEAD_INIT              \
        {                            \
                .network_fd = -EBADF \
        }

void tier_ahead_done(struct tier_ahead *ahead);

/* What a tier is given. Nothing in it is owned by the tier. */
struct tier_request {
        const struct policy *policy;
        const char *session_id;
        uid_t uid; /* the account's, from passwd; never 0 */
        gid_t gid;
        const char *home;                 /* passwd home: where the data home appears inside */
        int attach_fd;                    /* listening attach socket, to become ATTACH_LISTEN_FD of init */
        struct tier_ahead *ahead;         /* what `prepare` made, to be taken from here; NULL: nothing */
        const struct cgroup *cgroup;      /* every process of the isolation is born or put here */
        const struct init_config *config; /* sent to init as the first message on its STATUS_FD */
};

/* A file system of the session's own that has a size. It is only ever asked how full it is. */
struct isolation_store {
        int fd;         /* O_PATH, owned */
        uint32_t limit; /* LIMIT_MASK bit that is hit when it is full */
};

#define ISOLATION_STORES_MAX 5

/* What a tier gives back. */
struct isolation {
        pid_t pid;          /* its process 1 in the host's pid namespace: a child of the monitor */
        int pidfd;          /* owned */
        int status_fd;      /* the monitor's end of status.h, owned; init_config has been sent */
        int lock_fd;        /* owned, for its whole life: says that it uses something of the host's; -EBADF: nothing */
        const char *detail; /* of the tier, for the record: how a virtual machine is accelerated; NULL: none */
        size_t store_count; /* of store[] */
        struct isolation_store store[ISOLATION_STORES_MAX];
};

#define ISOLATION_INIT                                                                              \
        {                                                                                           \
                .pid = 0, .pidfd = -EBADF, .status_fd = -EBADF, .lock_fd = -EBADF, .store_count = 0 \
        }

/* LIMIT_MASK bits of the stores that have no room left, for bytes or for files, at this moment. */
uint32_t isolation_full(const struct isolation *isolation);

/* Forget the stores. */
void isolation_close_stores(struct isolation *isolation);

struct tier {
        const char *name;
        bool remote; /* init runs behind a byte stream: terminals are socket pairs (SESSION_REMOTE_FILE) */
        /* 0 when this host can run the tier for this policy, else an error that names the missing knob. */
        int (*probe)(const struct policy *policy, uid_t uid, struct error *err);
        /*
         * Make ahead what takes long and needs no session. NULL: there is nothing. Idempotent. After a failure this
         * process must not open a session.
         */
        int (*prepare)(struct tier_ahead *ahead, struct error *err);
        /* Build it and start init. Returns when init has been executed; on failure nothing is left. */
        int (*start)(const struct tier_request *request, struct isolation *ret, struct error *err);
        /* Kill it, reap its process 1 and undo what start did outside of it. Idempotent. */
        int (*stop)(struct isolation *isolation, struct error *err);
};

extern const struct tier tier_jail;
extern const struct tier tier_vm;
extern const struct tier tier_chroot; /* the jail without a user namespace */

#ifdef AGENTSH_FAULTS
/* Names of the jail's steps, for --list-steps; NULL behind the last. */
const char *tier_jail_step_name(size_t index);
#endif

/* The tier of a policy: risk = high wins over `tier`. NULL, with the text, for one that this version lacks. */
const struct tier *tier_find(const struct policy *policy, struct error *err);

#endif
