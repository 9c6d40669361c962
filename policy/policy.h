/*
 * policy.h - the validated settings of one account, from agentsh.ini, templates/NAME.ini and accounts/NAME.ini.
 *
 * Pure but for reading those files. A policy that this loads has passed every check; whoever holds one need not look
 * again. All limits: 0 means "no limit" only where the key table says so. Needs the right to read root's files.
 */
#ifndef AGENTSH_POLICY_POLICY_H
#define AGENTSH_POLICY_POLICY_H

#include "common/error.h"
#include "common/parse.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_LIST_MAX      32 /* services, keep, set, omit */
#define POLICY_NAME_MAX      64
#define POLICY_SET_MAX       256 /* bytes of one NAME=VALUE, or of a path in a list */
#define POLICY_ISSUES_MAX    64
#define POLICY_FILE_SIZE_MAX 65536

enum policy_tier { TIER_CHROOT, TIER_JAIL, TIER_NSPAWN, TIER_CONTAINER, TIER_VM, TIER_CLUSTER, TIER_CLOUD };
enum policy_risk { RISK_NORMAL, RISK_HIGH };
enum policy_sshd { SSHD_STRICT, SSHD_ANY };
enum policy_home_mode { HOME_PERSISTENT, HOME_EPHEMERAL, HOME_REVIEW };
enum policy_root_mode { ROOT_READONLY, ROOT_OVERLAY };
enum policy_network_mode { NETWORK_NONE, NETWORK_ALLOW };
enum policy_accel { ACCEL_KVM, ACCEL_TCG, ACCEL_AUTO };
enum policy_second { SECOND_REFUSE, SECOND_COPY };
enum policy_seccomp { SECCOMP_DEFAULT, SECCOMP_STRICT };

struct policy_names {
        size_t count;
        char name[POLICY_LIST_MAX][POLICY_NAME_MAX];
};

struct policy_texts {
        size_t count;
        char text[POLICY_LIST_MAX][POLICY_SET_MAX]; /* NAME=VALUE, or paths */
};

struct policy {
        char account[ACCOUNT_NAME_MAX + 1];

        /* [account] */
        bool enabled;
        char inherits[POLICY_NAME_MAX]; /* the template that the account's file names, "" without one */
        enum policy_tier tier;
        enum policy_risk risk;
        struct policy_names services; /* PAM service names that may open a session */
        enum policy_sshd sshd;        /* what an ssh login must show */
        uint64_t max_sessions;        /* at once; >= 1 */
        int64_t expires;              /* seconds since the epoch; 0: never */
        char shell[PATH_MAX];         /* the shell inside the isolation; never /etc/passwd's */

        /* [root] */
        char root_source[PATH_MAX]; /* "host", or for virtual machines image:PATH or dir:PATH */
        enum policy_root_mode root_mode;
        struct policy_texts root_omit; /* paths that an image made of host or dir: does not have */
        uint64_t root_size;            /* bytes that go into such an image, at most */

        /* [home] */
        enum policy_home_mode home_mode;
        uint64_t home_size; /* bytes; ephemeral only */

        /* [limits], for all sessions of the account together where the cgroup driver can */
        uint64_t memory; /* bytes */
        uint64_t swap;   /* bytes; 0: none at all */
        uint64_t cpus;   /* thousandths of one processor; 0: no limit */
        uint64_t tasks;
        uint64_t io_read; /* bytes a second; 0: no limit */
        uint64_t io_write;
        uint64_t tmp; /* bytes of each tmpfs inside (/tmp, /run, /dev/shm, /var/tmp) */
        uint64_t open_files;
        uint64_t file_size;    /* bytes; 0: no limit */
        uint64_t session_time; /* seconds; 0: no limit */
        uint64_t idle_time;    /* seconds without CPU time used inside; 0: no limit */

        /* [network] */
        enum policy_network_mode network_mode;

        /* [kernel] */
        enum policy_seccomp seccomp;
        bool nested;    /* may make user namespaces of its own */
        bool fake_root; /* uid 0 inside, over a subuid range */

        /* [vm] */
        uint64_t vm_memory; /* bytes, whole MiB */
        uint64_t vm_cpus;
        uint64_t vm_home; /* bytes */
        enum policy_accel vm_accel;
        enum policy_second vm_second; /* what a session gets while another one has the home */
        char vm_kernel[PATH_MAX];     /* "": the newest one below /boot */

        /* [environment] */
        struct policy_names keep; /* variable names, or prefixes ending in '*', taken from the caller */
        struct policy_texts set;  /* set inside */
};

/* One thing that is wrong, or worth a warning. */
struct policy_issue {
        bool warning;   /* the policy is valid all the same */
        char file[160]; /* "accounts/agent01.ini", relative to the configuration directory */
        unsigned line;  /* 0: the file as a whole */
        char text[320]; /* "[limits] memroy: no such key (did you mean memory?)" */
};

struct policy_report {
        size_t count; /* of issues[], at most POLICY_ISSUES_MAX; the rest is only counted in `more` */
        size_t more;
        size_t errors; /* issues that are not warnings */
        struct policy_issue issues[POLICY_ISSUES_MAX];
};

/* Where an effective value came from; filled on request by policy_load. */
struct policy_origin {
        char file[160]; /* "" for a built-in default */
        unsigned line;
};

/* Number of keys in the table; origins are indexed by it. policy_key_describe gives the rest. */
size_t policy_key_count(void);

struct policy_key_info {
        const char *section, *key, *type, *fallback, *range, *help;
        bool supported; /* false: refused with "not supported by this version" */
};
void policy_key_describe(size_t index, struct policy_key_info *ret);

/* The effective value of key `index`, as it could stand in a file. */
void policy_key_format(const struct policy *policy, size_t index, char *ret, size_t size);

/*
 * Load the policy of `account` from the configuration directory `config_fd` (checked: root-owned, not writable by
 * others, as every file and directory on the way below it). The account's own file must exist (-ENOENT). `report` gets
 * every problem of all files, not just the first; `origins` may be NULL, else it has policy_key_count() elements.
 * -EINVAL when report->errors > 0: then *ret is not to be used, and *err has the first of them and how many more there
 * are. -ENOENT: *err and report say so too. Any other error (memory, fds) is in *err alone. Needs /proc. Never prints.
 */
must_check int policy_load(int config_fd, const char *account, struct policy *ret, struct policy_report *report,
                           struct policy_origin *origins, struct error *err);

/*
 * The same for one text in memory that stands for the account's file, with no other file: for `policy check FILE`,
 * the unit tests and the fuzzer. `name` is what errors call it.
 */
must_check int policy_load_text(const char *text, size_t size, const char *name, const char *account,
                                struct policy *ret, struct policy_report *report, struct error *err);

/* "accounts/agent01.ini:12: [limits] memroy: no such key (did you mean memory?)" */
void policy_issue_format(const struct policy_issue *issue, char *ret, size_t size);

const char *policy_tier_name(enum policy_tier tier);

/* Whether `service` is on the policy's list. */
bool policy_allows_service(const struct policy *policy, const char *service);

#endif
