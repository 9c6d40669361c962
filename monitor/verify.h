/*
 * verify.h - the self-test of every login: what was meant to be set, read back from outside on the running process 1.
 *
 * Each check takes the text of one file of /proc/PID and says, in the first difference it finds, what was expected and
 * what was found. Pure, but for verify_process, which reads the files. Needs to be root.
 */
#ifndef AGENTSH_MONITOR_VERIFY_H
#define AGENTSH_MONITOR_VERIFY_H

#include "common/error.h"
#include "monitor/cgroup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct verify_range {
        uint32_t inside, outside, count;
};

/* What a process in an isolation must look like from the host. */
struct verify_expected {
        uid_t uid; /* host ids: all four of each kind */
        gid_t gid;
        uint64_t capabilities; /* permitted, effective and bounding; inheritable and ambient are always empty */
        bool user_namespace;   /* false: it must be in the monitor's own */
        struct verify_range uid_map[2], gid_map[2]; /* count 0: no such line */
        const struct cgroup *cgroup;                /* count 0: none (tests) */
        const char *home;                           /* the one writable mount of whatever type */
};

/* /proc/PID/status: ids, no supplementary group, the five capability sets, no_new_privs, seccomp filter mode. */
must_check int verify_status(const char *text, const struct verify_expected *expected, struct error *err);

/* /proc/PID/uid_map or gid_map (`what` names it): exactly these ranges. */
must_check int verify_map(const char *text, const char *what, const struct verify_range ranges[2], struct error *err);

/*
 * /proc/PID/mountinfo: "/" is read-only; every mount is nosuid and passes nothing on; whatever is writable is nodev, but
 * for devpts, and of a type that the isolation makes itself, but for `home`.
 */
must_check int verify_mounts(const char *text, const char *home, struct error *err);

/* /proc/PID/net/dev: the loopback interface and no other. */
must_check int verify_interfaces(const char *text, struct error *err);

/*
 * All of the above on a process, its namespaces (none is the monitor's, but see user_namespace), its cgroups and their
 * limits.
 */
must_check int verify_process(pid_t pid, const struct verify_expected *expected, struct error *err);

#endif
