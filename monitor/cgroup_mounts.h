/*
 * cgroup_mounts.h - which cgroup hierarchies this process sees, and where. Pure: texts in, table out. Private to the
 * cgroup drivers.
 */
#ifndef AGENTSH_MONITOR_CGROUP_MOUNTS_H
#define AGENTSH_MONITOR_CGROUP_MOUNTS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_MOUNTS_MAX     24
#define CGROUP_MOUNT_PATH_MAX 176 /* leaves room for agentsh/account-NAME/session-ID in 256 bytes */
#define CGROUP_SELF_PATH_MAX  1024

struct cgroup_mount {
        bool v2;
        bool readonly;
        unsigned major, minor;            /* st_dev of everything on it */
        char path[CGROUP_MOUNT_PATH_MAX]; /* where it is mounted */
        char root[CGROUP_SELF_PATH_MAX];  /* the directory of the hierarchy that is mounted there */
        char controllers[64];             /* v1: "cpu,cpuacct", as the mount options have them; v2: "" */
};

struct cgroup_mounts {
        size_t count;
        struct cgroup_mount mount[CGROUP_MOUNTS_MAX];
        char self[CGROUP_SELF_PATH_MAX]; /* this process in the v2 hierarchy; "" where there is none */
};

/*
 * Parse the texts of /proc/self/mountinfo and /proc/self/cgroup (NUL-terminated). Lines of other file systems are
 * passed over, and so are mounts with a path too long for CGROUP_MOUNT_PATH_MAX, named hierarchies and a mount that a
 * later one hides. A malformed line is an error (-EINVAL): the kernel writes none.
 */
must_check int cgroup_mounts_parse(const char *mountinfo, const char *self, struct cgroup_mounts *ret,
                                   struct error *err);

/* The v1 mount that carries `controller`, a writable one if there is a choice; NULL without one. */
const struct cgroup_mount *cgroup_mounts_find_v1(const struct cgroup_mounts *mounts, const char *controller);

/* The v2 mount, the one below /sys/fs/cgroup if there is a choice; NULL without one. */
const struct cgroup_mount *cgroup_mounts_find_v2(const struct cgroup_mounts *mounts);

/*
 * This process' own v2 cgroup as a path below the mount: "" when it is the mount's root, else "a/b". -ENOENT when it
 * lies outside of what is mounted there, or the process is in none.
 */
must_check int cgroup_mounts_own(const struct cgroup_mounts *mounts, const struct cgroup_mount *v2,
                                 char ret[CGROUP_SELF_PATH_MAX], struct error *err);

/* Whether `word` is an element of the comma- or blank-separated `list`. */
bool cgroup_list_has(const char *list, const char *word);

#endif
