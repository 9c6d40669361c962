/*
 * accounts.h - Unix accounts as the user database has them, and which of them are agents. Needs no capability.
 */
#ifndef AGENTSH_ADMIN_ACCOUNTS_H
#define AGENTSH_ADMIN_ACCOUNTS_H

#include "common/error.h"
#include "common/parse.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The group that every agent is in; sshd's "Match Group" goes by it. */
#define AGENTS_GROUP "agents"

struct account {
        char name[ACCOUNT_NAME_MAX + 1];
        uid_t uid;
        gid_t gid;
        char home[PATH_MAX]; /* passwd's */
        char shell[PATH_MAX];
};

struct account_list {
        size_t count;
        struct account *account;
};

/* -ENOENT: there is no such account. */
must_check int account_find(const char *name, struct account *ret, struct error *err);

/* Whether its login shell is agentsh. */
bool account_is_agent(const struct account *account);

/* All agents, in the order of the user database. */
must_check int account_list_agents(struct account_list *ret, struct error *err);
void account_list_done(struct account_list *list);

#define cleanup_account_list __attribute__((cleanup(account_list_done)))

/* Whether the account is a member of AGENTS_GROUP, by its primary group or by the group's list. */
bool account_in_agents_group(const struct account *account);

/*
 * The names of its supplementary groups, joined by commas as `usermod --groups` takes them. -E2BIG when they do not
 * fit in `size` bytes.
 */
must_check int account_join_groups(const struct account *account, char *ret, size_t size, struct error *err);

enum password_state {
        PASSWORD_UNKNOWN, /* no shadow entry */
        PASSWORD_LOCKED,
        PASSWORD_SET,
        PASSWORD_EMPTY,
};

/* Needs root. */
enum password_state account_password_state(const char *name);

/* UID_MIN of /etc/login.defs (1000 when it says nothing): below it are the system's own accounts. */
uid_t account_first_human_uid(void);

#endif
