/*
 * cgroup.h - the resource limits of one session: one interface, three drivers, chosen at run time.
 *
 *   v2 delegated   cgroup v2, the monitor is in a systemd unit with Delegate=yes: UNIT/session-ID. Nothing above the
 *                  unit is ours, so the limits hold for each session, not for the account's sessions together
 *   v2 direct      cgroup v2 without delegation: /sys/fs/cgroup/agentsh/account-NAME/session-ID
 *   v1             v1 and hybrid hierarchies: the same three directories below the mount of each controller that the
 *                  policy needs, and in the v2 tree, where one is mounted, for atomic kill
 *
 * The direct drivers set the policy's limits on the account's directory too: they hold for all its sessions together.
 * A limit that the driver cannot set is an error, never a warning: every value is read back and must be the one that
 * was written. Two things v1 cannot do: io_write (its writeback is not charged to anybody: refused), and keeping
 * memory out of the swap without bounding the sum of both (swap = 0 bounds memory and swap together by `memory`).
 * Needs root: the cgroup file systems belong to it. No other capability, but CAP_KILL for the kill by loop.
 */
#ifndef AGENTSH_MONITOR_CGROUP_H
#define AGENTSH_MONITOR_CGROUP_H

#include "common/error.h"
#include "common/session_state.h"
#include "policy/policy.h"

#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_CONTROLLERS_MAX SESSION_CGROUPS_MAX

/*
 * CPU bandwidth is given out per period of this length. The kernel's default of 100 ms lets a busy session stand still
 * for most of that, which a person at a terminal feels; 20 ms is below what one feels, and its smallest quota (1 ms)
 * still allows a twentieth of a processor, the least that a policy can say.
 */
#define CGROUP_CPU_PERIOD_USEC 20000U

/* A policy's limits as the kernel will hold them. */
struct cgroup_limits {
        uint64_t memory, swap; /* whole pages */
        uint64_t tasks;
        uint64_t cpu_quota_usec;    /* per CGROUP_CPU_PERIOD_USEC; 0: none */
        uint64_t io_read, io_write; /* bytes a second; 0: none */
        unsigned disk_major, disk_minor;
};

struct cgroup_driver;

struct cgroup {
        const struct cgroup_driver *driver;
        struct cgroup_limits limits; /* what its directories were given */
        size_t count;                /* directories of this session: 1 on v2, one per hierarchy on v1 */
        struct {
                int fd; /* O_PATH or readable directory, owned */
                char path[256];
                char controllers[64]; /* as mounted, "" for a v2 tree that only serves to kill */
        } dir[CGROUP_CONTROLLERS_MAX];
        int clone_fd; /* for CLONE_INTO_CGROUP, with any driver that has a v2 tree to offer (not
                                                 owned: one of dir[]); -EBADF without one */
};

#define CGROUP_INIT                                            \
        {                                                      \
                .driver = NULL, .count = 0, .clone_fd = -EBADF \
        }

struct cgroup_usage {
        uint64_t cpu_usec;
        uint64_t memory_current, memory_peak; /* bytes; peak 0 where the kernel has none (v2 before 5.19) */
        uint64_t tasks_current, tasks_peak;   /* peak 0 where unknown */
        uint64_t oom_kills;
        uint64_t tasks_refused;      /* forks that hit the limit */
        uint64_t cpu_throttled;      /* periods of 20 ms in which the CPU limit stopped something */
        uint64_t cpu_throttled_usec; /* for how long, summed over processors */
};

/* One thing that this host can or cannot do, for --probe and doctor. */
struct cgroup_check {
        const char *name; /* "driver", or the key of [limits] that it is about */
        bool ok;
        char text[ERROR_TEXT_MAX]; /* where it was found, or what is missing and the remedy */
};

#define CGROUP_CHECKS_MAX 8

/* Which driver this host gets, for `--probe`, doctor and the audit record: "v2 delegated", "v2 direct", "v1". */
must_check int cgroup_detect(const char **ret_name, struct error *err);

/*
 * Look at everything the driver of this host needs, changing nothing. Fills ret[0..*ret_count): first the driver, then
 * each limit. An error only when nothing could be found out; what is missing is a check that is not ok.
 */
must_check int cgroup_probe(struct cgroup_check ret[CGROUP_CHECKS_MAX], size_t *ret_count, struct error *err);

/*
 * Once per monitor process (or once in the listener that forks them), before cgroup_create: where the calling process
 * stands in the cgroup that is to hold the sessions, it moves to a leaf ("monitor" of a delegated unit,
 * "agentsh-monitor" at the top of a container's tree), since v2 gives no controllers to a cgroup with processes of its
 * own. That costs a kernel-wide grace period (about 10 ms); DelegateSubgroup=monitor in the unit (systemd 254) saves
 * it. Harmless elsewhere.
 */
must_check int cgroup_prepare(struct error *err);

/*
 * Make the session's directories and set every limit that `policy` names. `block_device` is st_dev of the account's
 * home, for io limits: a partition stands for its whole disk; one that is no disk (tmpfs, overlay, btrfs, nfs) is an
 * error when the policy has an io limit, and not looked at when it has none. On failure nothing is left.
 */
must_check int cgroup_create(struct cgroup *ret, const struct policy *policy, const char *session_id,
                             dev_t block_device, struct error *err);

/*
 * Put the calling process into it, wherever it is not yet: the cheap way, to be the first act of a child of one thread
 * that is still root, best born by clone3(CLONE_INTO_CGROUP) into clone_fd. Everything that it makes afterwards
 * belongs to the session. On v1 a thread that moves itself needs no kernel-wide grace period: 0.1 ms against 7 to 20
 * for cgroup_attach. Before unshare(CLONE_NEWCGROUP), whose root is where the caller stands then; needs /proc and
 * the directory fds of *cgroup, but no path. Async-signal-safe but for the error text.
 */
must_check int cgroup_enter(const struct cgroup *cgroup, struct error *err);

/* Put another, stopped or waiting process into it, with all its threads. Slow (see cgroup_enter). */
must_check int cgroup_attach(const struct cgroup *cgroup, pid_t pid, struct error *err);

/*
 * SIGKILL for all that is inside, sub-cgroups too: through cgroup.kill where there is one, else after forbidding every
 * further fork (pids.max 0, for good), until it is empty, for two seconds at most (-EBUSY). Does not wait for the end
 * of what it killed. Idempotent; to be followed by cgroup_remove.
 */
must_check int cgroup_kill(const struct cgroup *cgroup, struct error *err);

/*
 * Read every limit of the session's directories back, by an expectation of its own: -EPERM and a text with what was
 * expected and what was found at the first that is not what the policy says. (The account's directory is shared with
 * sessions that may have begun under another policy, and cannot be looser than what its sessions have.)
 */
must_check int cgroup_verify(const struct cgroup *cgroup, struct error *err);

/* Absolute path list for struct session_state. */
void cgroup_list_paths(const struct cgroup *cgroup, char ret[SESSION_CGROUPS_MAX][256]);

/* What was used and hit so far. */
must_check int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err);

/*
 * Remove the directories with what sub-cgroups a tier made, the account's too when it has no other. Waits up to
 * timeout_ms for dying tasks, and kills again what is still there (-EBUSY when that did not help). What is gone
 * already is fine. Goes through all directories and reports the first error. The fds stay: cgroup_done.
 */
must_check int cgroup_remove(struct cgroup *cgroup, int timeout_ms, struct error *err);

/* Close the fds without removing anything. */
void cgroup_done(struct cgroup *cgroup);

/*
 * For the sweep: kill and remove what the listed paths name ("" ends the list early). A path that is not one this
 * project makes is refused before anything is touched: PREFIX/agentsh/account-NAME/session-ID or
 * PREFIX/agentsh*.service/session-ID, on a cgroup file system, no link on the way. One that is gone is fine.
 */
must_check int cgroup_remove_paths(char paths[SESSION_CGROUPS_MAX][256], struct error *err);

/*
 * The same for a session that left no state file, by its id alone: looks through every place in which the drivers make
 * one. Empty directories of accounts go too. Finding nothing is fine.
 */
must_check int cgroup_remove_session(const char *session_id, struct error *err);

#endif
