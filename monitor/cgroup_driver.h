/*
 * cgroup_driver.h - what the cgroup drivers share. Private to monitor/cgroup*.c and their tests.
 *
 * All of it needs root and acts on directory fds of cgroup file systems.
 */
#ifndef AGENTSH_MONITOR_CGROUP_DRIVER_H
#define AGENTSH_MONITOR_CGROUP_DRIVER_H

#include "monitor/cgroup.h"
#include "monitor/cgroup_mounts.h"

#include <stdbool.h>

#define CGROUP_TOP            "agentsh"
#define CGROUP_ACCOUNT_PREFIX "account-"
#define CGROUP_SESSION_PREFIX "session-"

/* Which limit; also the index of its check in cgroup_probe. */
enum cgroup_limit { CGROUP_MEMORY, CGROUP_SWAP, CGROUP_TASKS, CGROUP_CPUS, CGROUP_IO_READ, CGROUP_IO_WRITE };
#define CGROUP_LIMITS 6

/* The host as found, and the driver that follows from it. */
struct cgroup_host {
        struct cgroup_mounts mounts;
        const struct cgroup_driver *driver;
};

struct cgroup_driver {
        const char *name;
        int (*prepare)(const struct cgroup_host *host, struct error *err);
        /* 0 and where it would be set, or what is missing and the remedy. Changes nothing. */
        int (*check)(const struct cgroup_host *host, enum cgroup_limit limit, char *ret_where, size_t size,
                     struct error *err);
        /* Adds to ret->dir[]; what was made before a failure is removed by the caller. */
        int (*create)(const struct cgroup_host *host, const struct cgroup_limits *limits, const char *account,
                      const char *session_id, struct cgroup *ret, struct error *err);
        int (*enter)(const struct cgroup *cgroup, struct error *err);
        int (*usage)(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err);
};

extern const struct cgroup_driver cgroup_driver_v2_delegated, cgroup_driver_v2_direct, cgroup_driver_v1;

/* cgroup.c: the public functions with the host given, so that a test can show them another one. */
must_check int cgroup_host_read(struct cgroup_host *ret, struct error *err);
must_check int cgroup_host_parse(const char *mountinfo, const char *self, struct cgroup_host *ret, struct error *err);
must_check int cgroup_create_on(const struct cgroup_host *host, struct cgroup *ret, const struct policy *policy,
                                const char *session_id, dev_t block_device, struct error *err);
must_check int cgroup_limits_of(const struct policy *policy, dev_t block_device, struct cgroup_limits *ret,
                                struct error *err);
/* cgroup_stale.c: whether `path` has the form of a session's directory (see cgroup_remove_paths). Pure. */
bool cgroup_path_is_session(const char *path);

/* cgroup_v1_limit.c, cgroup_usage.c: the v1 driver's other parts. */
#define CGROUP_V1_MEMSW "memory.memsw.limit_in_bytes"
must_check int cgroup_v1_limit(int fd, const char *controllers, const struct cgroup_limits *limits, struct error *err);
must_check int cgroup_v1_usage(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err);

/* cgroup.c: for the drivers: the calling process into one v2 cgroup, unless it was born there. */
must_check int cgroup_enter_v2(int fd, const char *path, struct error *err);

/* cgroup_v2.c, cgroup_v2_limit.c: which of the two v2 drivers this host gets. */
must_check int cgroup_v2_choose(const struct cgroup_host *host, const struct cgroup_driver **ret, struct error *err);
/* The session's directory in the delegated unit, *ret_path (256 bytes) its path. Returns the fd, -ENOENT without one. */
must_check int cgroup_v2_open_session(const struct cgroup_host *host, const char *session, char ret_path[256],
                                      struct error *err);
/* The parts that work on any directory with the right files. */
must_check int cgroup_v2_enable(int fd, const char *path, const struct cgroup_limits *limits, struct error *err);
must_check int cgroup_v2_limit(int fd, const struct cgroup_limits *limits, struct error *err);
must_check int cgroup_v2_usage(int fd, struct cgroup_usage *ret, struct error *err);

/* cgroup_verify.c: the limits of one directory of a session, read back. */
must_check int cgroup_v1_verify(int fd, const char *path, const char *controllers, const struct cgroup_limits *limits,
                                struct error *err);
must_check int cgroup_v2_verify(int fd, const char *path, const struct cgroup_limits *limits, struct error *err);

/* cgroup_tree.c: directories. */

/* How to make one session's directory in one hierarchy. */
struct cgroup_recipe {
        const char *base;      /* absolute; exists */
        unsigned major, minor; /* of the cgroup file system that base has to be on */
        const char *account;   /* NULL: the session's directory is made in base itself */
        const char *session_id;
        const char *controllers; /* for struct cgroup and the hooks */
        const struct cgroup_limits *limits;
        /* Called for each directory before it gets children, and for base; may be NULL. */
        int (*open_up)(int fd, const char *path, const struct cgroup_limits *limits, struct error *err);
        /* Called for the account's and the session's directory; may be NULL. */
        int (*limit)(int fd, const char *controllers, const struct cgroup_limits *limits, struct error *err);
};

/*
 * Follow the recipe and append the directory to ret->dir[]. Sessions of the account that start or end at the same
 * time do no harm. On failure nothing of this hierarchy is left.
 */
must_check int cgroup_tree_make(const struct cgroup_recipe *recipe, struct cgroup *ret, struct error *err);

/* Open a directory of a cgroup mount and check that it lies on that file system. Returns the fd. */
must_check int cgroup_tree_open(const char *path, unsigned major, unsigned minor, struct error *err);

/* Remove the directory `path` behind fd and what is below it, its account's too if empty. Waits until `deadline_ms`. */
must_check int cgroup_tree_remove(int fd, const char *path, uint64_t deadline_ms, struct error *err);

/* cgroup_kill.c: signals. */

/* One round: SIGKILL for each process in fd's cgroup and below. *ret_seen: how many were there. */
must_check int cgroup_kill_round(int fd, size_t *ret_seen, struct error *err);
/* Write to cgroup.kill. -ENOENT where there is none. */
must_check int cgroup_kill_atomic(int fd, struct error *err);

/* cgroup_file.c: the files in a cgroup's directory. */

/*
 * Make `name` hold `text`: nothing is written when it does already, else it is read back and must be what was
 * written.
 */
must_check int cgroup_file_set(int fd, const char *name, const char *text, struct error *err);
/* The same with a number, or `unlimited` as text for 0. */
must_check int cgroup_file_set_limit(int fd, const char *name, uint64_t value, const char *unlimited,
                                     struct error *err);
/* A file with one number ("max" is UINT64_MAX). */
must_check int cgroup_file_read_number(int fd, const char *name, uint64_t *ret, struct error *err);
/* The value of `key` in a file of "key value" lines; 0 when it has no such line. */
must_check int cgroup_file_read_key(int fd, const char *name, const char *key, uint64_t *ret, struct error *err);
/* The same of a text. */
uint64_t cgroup_text_find_key(const char *text, const char *key);
/* Whatever follows "MAJOR:MINOR " on its line of a text; "" without such a line. */
void cgroup_text_find_device(const char *text, unsigned major, unsigned minor, char *ret, size_t size);
bool cgroup_file_exists(int fd, const char *name);

/* cgroup_host.c: facts of the host that bear on limits. */

/* The whole disk of a device: itself, or of a partition its parent. `sys_fd` is /sys/dev/block. */
must_check int cgroup_whole_disk(int sys_fd, dev_t device, unsigned *ret_major, unsigned *ret_minor, struct error *err);
/* Error unless the host has no swap at all: asked where the kernel accounts for none. */
must_check int cgroup_require_no_swap(struct error *err);
/* Whether the text of /proc/swaps lists one. */
bool cgroup_swaps_listed(const char *text);

#endif
