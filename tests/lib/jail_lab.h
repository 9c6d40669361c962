/*
 * jail_lab.h - a jail (or with policy.tier, a chroot) for tests, without PAM, policy files or agentsh-init: stub_init is its process 1.
 */
#ifndef AGENTSH_TESTS_JAIL_LAB_H
#define AGENTSH_TESTS_JAIL_LAB_H

#include "common/error.h"
#include "monitor/jail.h"
#include "monitor/tier.h"

#include <limits.h>
#include <stddef.h>

#define JAIL_LAB_ACCOUNT "agent-lab"
#define JAIL_LAB_HOME    "/home/agent-lab"
#define JAIL_LAB_UID     64001
#define JAIL_LAB_SUBID   3000000000U

struct jail_lab {
        struct policy policy; /* change before jail_lab_start */
        struct init_config config;
        struct cgroup cgroup;
        struct tier_request request;
        struct jail_places places;
        struct isolation isolation;
        int attach_fd;      /* the test's end of what stub_init serves */
        char directory[64]; /* root's, 0700: homes/, filters/, subuid, subgid */
        char init[PATH_MAX], homes[96], filters[96], etc[96], subuid[96], subgid[96];
};

/* A directory of its own below /tmp with a persistent home, and a policy of defaults. Needs root. */
must_check int jail_lab_open(struct jail_lab *lab, struct error *err);

must_check int jail_lab_start(struct jail_lab *lab, struct error *err);
must_check int jail_lab_stop(struct jail_lab *lab, struct error *err);

/* Stops too, and removes the directory. */
void jail_lab_close(struct jail_lab *lab);

/*
 * Run arguments[0] inside, with fds 0 to 2. With `program` not NULL, that host file is executed instead. The wait
 * status, or -errno.
 */
must_check int jail_lab_run(struct jail_lab *lab, const char *program, const char *const *arguments, const int *fds,
                            int *ret_status, struct error *err);

/* The same with stdin from /dev/null and both outputs kept: as a new string that the caller frees. */
must_check int jail_lab_capture(struct jail_lab *lab, const char *program, const char *const *arguments,
                                int *ret_status, char **ret_text, struct error *err);

/* The first value of `key` in a probe's lines, "" when there is none. */
void jail_lab_fact(const char *text, const char *key, char *ret, size_t size);

/* For cmocka tests: skips where the test cannot run, which AGENTSH_MUST_RUN=1 or CI=true make a failure. */
void jail_lab_need_root(void);

/* Path of a probe, beside the running test's objects. */
void jail_lab_probe_path(const char *name, char *ret, size_t size);

#endif
