/*
 * account_plan.h - what `account add` was asked to do, and the pieces that do and undo it. Needs root.
 *
 * Each *_check function looks at one piece and changes nothing; each pair of functions below it is a step of steps.h.
 */
#ifndef AGENTSH_ADMIN_ACCOUNT_PLAN_H
#define AGENTSH_ADMIN_ACCOUNT_PLAN_H

#include "admin/accounts.h"
#include "common/error.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PLAN_POLICY_MAX 2048
#define PLAN_GROUPS_MAX 4096

struct account_plan {
        /* Asked for; NULL or 0: not given. The strings are the command line's. */
        const char *name;
        const char *template;
        const char *key_file;
        const char *shell; /* inside the isolation */
        const char *tier;
        uid_t uid;
        bool convert;

        /* Found or composed by the checks. */
        struct account account;       /* convert: as it was. Else filled in once the user exists */
        char groups[PLAN_GROUPS_MAX]; /* convert: supplementary groups as they were */
        bool password_was_set;        /* convert */
        mode_t home_mode;             /* convert: mode of the home as it was */
        char home[PATH_MAX];          /* passwd home */
        char home_name[NAME_MAX + 1]; /* its last component */
        char *keys;                   /* checked text for the keys file; NULL: none. Owned */
        char policy_text[PLAN_POLICY_MAX];
        char draft[ACCOUNT_NAME_MAX + 8]; /* name of the policy file before it is in place */
        bool group_made;
        bool manager_masked; /* by us: it was not before */

        /* Directories, owned. */
        int config_fd, accounts_fd, keys_fd, homes_fd;
        int home_parent_fd;
};

#define ACCOUNT_PLAN_INIT                                                                          \
        {                                                                                          \
                .config_fd = -EBADF, .accounts_fd = -EBADF, .keys_fd = -EBADF, .homes_fd = -EBADF, \
                .home_parent_fd = -EBADF                                                           \
        }

void account_plan_done(struct account_plan *plan);

#define cleanup_account_plan __attribute__((cleanup(account_plan_done)))

/* account_user.c: the passwd and group entries. */
must_check int plan_user_check(struct account_plan *plan, struct error *err);
int plan_make_group(struct account_plan *plan, struct error *err);
int plan_unmake_group(struct account_plan *plan, struct error *err);
int plan_make_user(struct account_plan *plan, struct error *err);
int plan_unmake_user(struct account_plan *plan, struct error *err);

/* account_convert.c: an account of a person becomes an agent's. */
must_check int plan_convert_check(struct account_plan *plan, struct error *err);
int plan_convert_user(struct account_plan *plan, struct error *err);
int plan_unconvert_user(struct account_plan *plan, struct error *err);
int plan_move_home(struct account_plan *plan, struct error *err);
int plan_move_home_back(struct account_plan *plan, struct error *err);

/* account_home.c: the passwd home (root's, empty) and the data home (the agent's, below a closed directory). */
must_check int plan_home_check(struct account_plan *plan, struct error *err);
int plan_make_data_home(struct account_plan *plan, struct error *err);
int plan_unmake_data_home(struct account_plan *plan, struct error *err);
int plan_make_passwd_home(struct account_plan *plan, struct error *err);
int plan_unmake_passwd_home(struct account_plan *plan, struct error *err);

/* account_keys.c: the public keys that sshd accepts, in root's file. */
must_check int plan_keys_check(struct account_plan *plan, struct error *err);
int plan_write_keys(struct account_plan *plan, struct error *err);
int plan_remove_keys(struct account_plan *plan, struct error *err);

/*
 * account_policy.c: the policy file, written under a name that is no account's, loaded with every check, and only
 * then renamed into place.
 */
must_check int plan_policy_check(struct account_plan *plan, struct error *err);
int plan_draft_policy(struct account_plan *plan, struct error *err);
int plan_remove_draft(struct account_plan *plan, struct error *err);
int plan_place_policy(struct account_plan *plan, struct error *err);
int plan_displace_policy(struct account_plan *plan, struct error *err);

/* Make a new file below dirfd with exactly this content, mode and (root's) owner. -EEXIST when there is one. */
must_check int plan_write_file(int dirfd, const char *name, const char *text, mode_t mode, struct error *err);

/* unlinkat(2) where a missing file is no failure. */
must_check int plan_remove_file(int dirfd, const char *name, struct error *err);

#endif
