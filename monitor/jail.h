/*
 * jail.h - one jail while it is being built.
 *
 * Two processes build it: the monitor (root, host namespaces) opens and checks what comes from the host, and the
 * builder, its child (root at first, in new namespaces, process 1 there), makes the view, gives everything up and
 * becomes agentsh-init. What is done in which order stands in one list: jail_steps.c.
 */
#ifndef AGENTSH_MONITOR_JAIL_H
#define AGENTSH_MONITOR_JAIL_H

#include "common/error.h"
#include "monitor/jail_etc.h"
#include "monitor/jail_seccomp.h"
#include "monitor/jail_subid.h"
#include "monitor/tier.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program that becomes process 1 is given beside the two fds of status.h. */
#define JAIL_INHERITED_MAX 8
struct jail_inheritance {
        const char *const *words; /* its argument vector */
        int first;                /* fds[i] becomes its fd first + i; above ATTACH_LISTEN_FD + 1 */
        int fds[JAIL_INHERITED_MAX];
        size_t count;
};

/* Where the parts that come from the host are; fixed but for tests and for the jail around a virtual machine. */
struct jail_places {
        const char *init;    /* the program that becomes process 1: root's, no link on the way */
        const char *homes;   /* directory of the data homes */
        const char *filters; /* caches, root's, 0700, made when missing: compiled filters, */
        const char *etc;     /* prepared trees for /etc */
        const char *subuid, *subgid;
        const struct jail_inheritance *inheritance; /* NULL: agentsh-init, which needs none */
        bool kvm;                                   /* /dev/kvm is there, too */
        uid_t peer; /* the uid whose attaches process 1 is to recognise, where that is not its own; 0: it is */
};

struct jail {
        const struct tier_request *request;
        const struct jail_places *places;
        bool user_namespace; /* false: tier chroot */

        /* Opened by the monitor before the builder starts. Mounts are detached clones: attached to nothing. */
        int init_fd;                        /* agentsh-init as a read-only mount of one file */
        int home_fd;                        /* persistent: the data home as a mount; else -EBADF */
        int etc_fd;                         /* the prepared /etc, as a read-only mount */
        unsigned char etc_kinds[ETC_PATHS]; /* enum etc_kind of etc_paths[] */
        struct jail_filter filter;
        struct subid_range uids, gids; /* fake_root only */
        struct isolation *isolation;   /* what becomes of it; its pid is there once the builder runs */

        /* The builder's. */
        int sync_fd;   /* seqpacket to the monitor, see jail_sync.h */
        int status_fd; /* becomes STATUS_FD of init */
        int root_fd;   /* root of the view, a tmpfs */
        int proc_fd;   /* root of its /proc */
        int sysctl_fd; /* its /proc/sys/user, past the read-only mount over it */
};

#define JAIL_INIT                                                                                           \
        {                                                                                                   \
                .request = NULL, .isolation = NULL, .init_fd = -EBADF, .home_fd = -EBADF, .etc_fd = -EBADF, \
                .filter = JAIL_FILTER_INIT, .sync_fd = -EBADF, .status_fd = -EBADF, .root_fd = -EBADF,      \
                .proc_fd = -EBADF, .sysctl_fd = -EBADF                                                      \
        }

/* Close what the monitor opened. */
void jail_done(struct jail *jail);

enum jail_phase {
        JAIL_PREPARE, /* the monitor, before the builder exists */
        JAIL_BUILD,   /* the builder */
        JAIL_FINISH,  /* the monitor, once init has been executed */
};

enum jail_step_tiers {
        JAIL_AND_CHROOT,
        JAIL_ONLY, /* of the user namespace: left out by the tier chroot, where it would mean the host's */
};

struct jail_step {
        const char *name;
        enum jail_phase phase;
        enum jail_step_tiers tiers;
        int (*run)(struct jail *jail, struct error *err);
};

/* The list, in order. */
const struct jail_step *jail_steps(size_t *ret_count);

/* Run one, unless it is not of the jail's tier. */
must_check int jail_run_step(struct jail *jail, const struct jail_step *step, struct error *err);

/*
 * Run the steps of one phase. The first that fails ends it; the text begins with the step's name. In a build with
 * FAULTS=1 each is a point to fail or to leave out.
 */
must_check int jail_run_steps(struct jail *jail, enum jail_phase phase, struct error *err);

/* Whether a session of this policy gets a user namespace: any but one of the tier chroot. */
bool jail_has_user_namespace(const struct policy *policy);

/* Start of the tier that the policy means, jail or chroot, with other places, for tests. */
must_check int jail_start(const struct tier_request *request, const struct jail_places *places, struct isolation *ret,
                          struct error *err);

/* What both tiers are made of, see tier.h. */
/* tier.prepare: the network namespace, which needs no session. */
must_check int jail_prepare(struct tier_ahead *ahead, struct error *err);
must_check int jail_start_on_host(const struct tier_request *request, struct isolation *ret, struct error *err);
must_check int jail_stop(struct isolation *isolation, struct error *err);

/* Whether host and policy have what a session needs. `places` is for subordinate ids; not read by the tier chroot. */
must_check int jail_probe(const struct policy *policy, const struct jail_places *places, uid_t uid, struct error *err);

/*
 * The life of the builder after clone: runs JAIL_BUILD, whose last step executes init. Reports a failure to the
 * monitor and ends. Never returns.
 */
__attribute__((noreturn)) void jail_builder_main(struct jail *jail);

/* The monitor's steps. Need CAP_SYS_ADMIN. */
must_check int jail_check_policy(struct jail *jail, struct error *err);
must_check int jail_open_init(struct jail *jail, struct error *err);
must_check int jail_open_etc(struct jail *jail, struct error *err);
must_check int jail_open_home(struct jail *jail, struct error *err);
must_check int jail_find_subids(struct jail *jail, struct error *err);
must_check int jail_open_filter(struct jail *jail, struct error *err);
must_check int jail_verify(struct jail *jail, struct error *err);
must_check int jail_open_stores(struct jail *jail, struct error *err);
must_check int jail_send_config(struct jail *jail, struct error *err);

/* The builder's, as root of the host: need CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_SETUID, CAP_SETGID, CAP_CHOWN. */
must_check int jail_leave_terminal(struct jail *jail, struct error *err);
must_check int jail_unshare_propagation(struct jail *jail, struct error *err);
must_check int jail_mount_root(struct jail *jail, struct error *err);
must_check int jail_mount_system(struct jail *jail, struct error *err);
must_check int jail_make_account(struct jail *jail, struct error *err);
must_check int jail_mount_etc(struct jail *jail, struct error *err);
must_check int jail_make_dev(struct jail *jail, struct error *err);
must_check int jail_make_home(struct jail *jail, struct error *err);
must_check int jail_bind_devices(struct jail *jail, struct error *err);
must_check int jail_mount_devpts(struct jail *jail, struct error *err);
must_check int jail_mount_proc(struct jail *jail, struct error *err);
must_check int jail_mask_proc(struct jail *jail, struct error *err);
must_check int jail_mount_temporary(struct jail *jail, struct error *err);
must_check int jail_mount_home(struct jail *jail, struct error *err);
must_check int jail_seal_root(struct jail *jail, struct error *err);
must_check int jail_pivot(struct jail *jail, struct error *err);
must_check int jail_enter_network(struct jail *jail, struct error *err);
must_check int jail_set_hostname(struct jail *jail, struct error *err);
must_check int jail_enter_cgroup(struct jail *jail, struct error *err);
must_check int jail_unshare_cgroup(struct jail *jail, struct error *err);
must_check int jail_join_keyring(struct jail *jail, struct error *err);
must_check int jail_set_limits(struct jail *jail, struct error *err);
must_check int jail_reset_scheduling(struct jail *jail, struct error *err);
must_check int jail_reset_oom_score(struct jail *jail, struct error *err);
must_check int jail_set_login_uid(struct jail *jail, struct error *err);
must_check int jail_clear_groups(struct jail *jail, struct error *err);
must_check int jail_unshare_user(struct jail *jail, struct error *err);

/* In the user namespace, or the host's in the tier chroot, with all capabilities there until jail_drop_capabilities. */
must_check int jail_forbid_nesting(struct jail *jail, struct error *err);
must_check int jail_set_user_limits(struct jail *jail, struct error *err);
must_check int jail_set_identity(struct jail *jail, struct error *err);
must_check int jail_lock_securebits(struct jail *jail, struct error *err);
must_check int jail_drop_capabilities(struct jail *jail, struct error *err);
must_check int jail_forbid_privileges(struct jail *jail, struct error *err);
must_check int jail_prove_drop(struct jail *jail, struct error *err);
must_check int jail_reset_signals(struct jail *jail, struct error *err);
must_check int jail_bind_parent(struct jail *jail, struct error *err);
must_check int jail_arrange_fds(struct jail *jail, struct error *err);
must_check int jail_install_filter(struct jail *jail, struct error *err);
must_check int jail_execute_init(struct jail *jail, struct error *err);

#endif
