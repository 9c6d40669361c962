/*
 * cgroup.h - the resource limits of one session: one interface, three drivers, chosen at run time.
 *
 *   v2 delegated   cgroup v2, the monitor is in a systemd unit with Delegate=yes: only below its own unit
 *   v2 direct      cgroup v2 without systemd: below /sys/fs/cgroup/agentsh
 *   v1             v1 or hybrid hierarchies: "agentsh" below each controller's mount, plus the v2 tree for atomic kill
 *
 * A session has a directory of its own, on the two direct drivers below one of its account, where the account's
 * limits hold for all its sessions together. A limit that the driver cannot set is an error, never a warning.
 * Needs root and write access to the cgroup file systems (CAP_DAC_OVERRIDE not needed: root owns them).
 */
#ifndef AGENTSH_MONITOR_CGROUP_H
#define AGENTSH_MONITOR_CGROUP_H

#include "common/error.h"
#include "common/session_state.h"
#include "policy/policy.h"

#include <stdint.h>
#include <sys/types.h>

#define CGROUP_CONTROLLERS_MAX SESSION_CGROUPS_MAX

struct cgroup_driver;

struct cgroup {
        const struct cgroup_driver *driver;
        size_t count;                         /* directories of this session: 1 on v2, one per hierarchy on v1 */
        struct {
                int fd;                       /* O_PATH or readable directory, owned */
                char path[256];
                char controllers[64];         /* as mounted, "" for a v2 tree that only serves to kill */
        } dir[CGROUP_CONTROLLERS_MAX];
        int clone_fd;                         /* v2: for CLONE_INTO_CGROUP (not owned: one of dir[]); else -EBADF */
};

#define CGROUP_INIT { .driver = NULL, .count = 0, .clone_fd = -EBADF }

struct cgroup_usage {
        uint64_t cpu_usec;
        uint64_t memory_current, memory_peak;   /* bytes; peak 0 where the kernel has none (v2 before 5.19) */
        uint64_t tasks_current, tasks_peak;     /* peak 0 where unknown */
        uint64_t oom_kills;
        uint64_t tasks_refused;                 /* forks that hit the limit */
        uint64_t cpu_throttled;                 /* periods */
};

/* Which driver this host gets, for `--probe`, doctor and the audit record: "v2 delegated", "v2 direct", "v1". */
must_check int cgroup_detect(const char **ret_name, struct error *err);

/*
 * Once per monitor process, before cgroup_create: on a delegated tree moves the calling process to the leaf "monitor"
 * of its unit and enables controllers. Harmless elsewhere.
 */
must_check int cgroup_prepare(struct error *err);

/*
 * Make the session's directories and set every limit that `policy` names. `block_device` is the device of the
 * account's home (major:minor of a disk, for io limits; 0 when no io limit is set). On failure nothing is left.
 */
must_check int cgroup_create(struct cgroup *ret, const struct policy *policy, const char *session_id,
                             dev_t block_device, struct error *err);

/* Put a stopped or waiting process into it (v1; v2 when CLONE_INTO_CGROUP was not used). */
must_check int cgroup_attach(const struct cgroup *cgroup, pid_t pid, struct error *err);

/* SIGKILL for all that is inside, through cgroup.kill where there is one, else until it is empty. */
must_check int cgroup_kill(const struct cgroup *cgroup, struct error *err);

/* Absolute path list for struct session_state. */
void cgroup_list_paths(const struct cgroup *cgroup, char ret[SESSION_CGROUPS_MAX][256]);

/* What was used and hit so far. */
must_check int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err);

/* Remove the empty directories (waits up to timeout_ms for dying tasks), the account's too when it has no other. */
must_check int cgroup_remove(struct cgroup *cgroup, int timeout_ms, struct error *err);

/* Close the fds without removing anything. */
void cgroup_done(struct cgroup *cgroup);

/*
 * For the sweep: kill and remove what the listed paths name. A path that is not one this project makes ("agentsh"
 * as a component below a cgroup mount, session id as its last component) is refused.
 */
must_check int cgroup_remove_paths(char paths[SESSION_CGROUPS_MAX][256], struct error *err);

#endif
