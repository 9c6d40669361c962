/*
 * jail_limits.c - all resource limits, whatever the caller's were.
 *
 * Since Linux 5.14 a user namespace remembers its maker's limits of processes, locked memory, queues and signals as
 * the most that all its users may have together *counted on the maker* (root). So these four stay wide until the
 * namespace exists (CAP_SYS_RESOURCE where they have to be raised), and get their values inside. In the tier chroot,
 * which has no such namespace, the kernel counts them for the agent's uid: for all sessions of the account together.
 */
#include "monitor/jail.h"

#include "common/fault.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#define STACK_SOFT (8UL * 1024 * 1024)
#define MEMLOCK    (8UL * 1024 * 1024)
#define MSGQUEUE   (800UL * 1024)
#define SIGPENDING 4096UL
/*
 * A core_pattern that is a pipe makes the kernel run the host's handler, as root of the host, with the agent's memory as
 * its input, and a limit of 0 does not stop it: 1 does (fs/coredump.c), and is too small for a core file as well.
 */
#define CORE 1UL
/* A backstop only: above what the tasks limit of the cgroup allows, which is the one that gets reported. */
#define NPROC_SLACK 64UL

static int set_limit(int kind, const char *name, rlim_t soft, rlim_t hard, struct error *err)
{
        struct rlimit limit = { .rlim_cur = soft, .rlim_max = hard };

        if (OMIT_POINT_OF("limit", name))
                return 0;
        if (setrlimit((__rlimit_resource_t)kind, &limit) < 0)
                return error_errno(err, errno,
                                   "cannot set the %s limit to %llu (is the monitor's own hard limit "
                                   "lower?)",
                                   name, (unsigned long long)hard);
        return 0;
}

static int widen_limit(int kind, const char *name, struct error *err)
{
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)kind, &limit) < 0)
                return error_errno(err, errno, "cannot read the %s limit", name);
        if (set_limit(kind, name, RLIM_INFINITY, RLIM_INFINITY, NULL) >= 0)
                return 0;
        /* Without CAP_SYS_RESOURCE the hard limit has to do; jail_set_user_limits fails when it does not. */
        return set_limit(kind, name, limit.rlim_max, limit.rlim_max, err);
}

int jail_set_limits(struct jail *jail, struct error *err)
{
        const struct policy *policy = jail->request->policy;
        rlim_t file_size = policy->file_size != 0 ? policy->file_size : RLIM_INFINITY;
        const struct {
                int kind;
                const char *name;
                rlim_t soft, hard;
        } limits[] = {
                { RLIMIT_CORE, "core size", CORE, CORE },
                { RLIMIT_NOFILE, "open_files", policy->open_files, policy->open_files },
                { RLIMIT_FSIZE, "file_size", file_size, file_size },
                { RLIMIT_STACK, "stack", STACK_SOFT, RLIM_INFINITY },
                { RLIMIT_AS, "address space", RLIM_INFINITY, RLIM_INFINITY },
                { RLIMIT_DATA, "data", RLIM_INFINITY, RLIM_INFINITY },
                { RLIMIT_RSS, "resident set", RLIM_INFINITY, RLIM_INFINITY },
                { RLIMIT_CPU, "CPU time", RLIM_INFINITY, RLIM_INFINITY },
                { RLIMIT_LOCKS, "locks", RLIM_INFINITY, RLIM_INFINITY },
                { RLIMIT_NICE, "nice", 0, 0 },
                { RLIMIT_RTPRIO, "realtime priority", 0, 0 },
                { RLIMIT_RTTIME, "realtime CPU time", RLIM_INFINITY, RLIM_INFINITY },
        };
        static const struct {
                int kind;
                const char *name;
        } wide[] = { { RLIMIT_NPROC, "processes" },
                     { RLIMIT_MEMLOCK, "locked memory" },
                     { RLIMIT_MSGQUEUE, "message queues" },
                     { RLIMIT_SIGPENDING, "pending signals" } };

        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                int r = set_limit(limits[i].kind, limits[i].name, limits[i].soft, limits[i].hard, err);

                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
                int r = widen_limit(wide[i].kind, wide[i].name, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int jail_set_user_limits(struct jail *jail, struct error *err)
{
        rlim_t processes = 2 * (rlim_t)jail->request->policy->tasks + NPROC_SLACK;
        int r;

        /* Counted per uid on the whole host, so one session must not eat up the processes of the account's others. */
        if (!jail->user_namespace)
                processes *= jail->request->policy->max_sessions;
        r = set_limit(RLIMIT_NPROC, "processes", processes, processes, err);

        if (r >= 0)
                r = set_limit(RLIMIT_MEMLOCK, "locked memory", MEMLOCK, MEMLOCK, err);
        if (r >= 0)
                r = set_limit(RLIMIT_MSGQUEUE, "message queues", MSGQUEUE, MSGQUEUE, err);
        if (r >= 0)
                r = set_limit(RLIMIT_SIGPENDING, "pending signals", SIGPENDING, SIGPENDING, err);
        return r;
}
