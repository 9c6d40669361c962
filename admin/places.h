/*
 * places.h - opens agentsh's directories by fd and checks that only root can write them. Needs root.
 *
 * Every function returns a directory fd that the caller owns, or -errno with a text that has the remedy.
 */
#ifndef AGENTSH_ADMIN_PLACES_H
#define AGENTSH_ADMIN_PLACES_H

#include "common/error.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

/* AGENTSH_CONFIG_DIR. */
must_check int places_open_config(struct error *err);

/* "accounts" or "keys" below config_fd. `make`: create it (0755) when it is missing, else -ENOENT. */
must_check int places_open_config_subdir(int config_fd, const char *name, bool make, struct error *err);

/* AGENTSH_STATE_DIR/homes; both must be closed to everybody but root (0700). `make`: create what is missing. */
must_check int places_open_homes(bool make, struct error *err);

/* AGENTSH_SESSIONS_DIR. -ENOENT: there has been no session since the system started. */
must_check int places_open_sessions(struct error *err);

/*
 * Split an absolute path: an fd of its parent directory, reached without a link, and its last component copied to
 * `ret_name` (NAME_MAX + 1 bytes). -EINVAL for "/" and for what is no normalised path.
 */
must_check int places_open_parent(const char *path, char *ret_name, struct error *err);

/* Sorted names in a directory; `filter` as scandir(3), NULL: all but "." and "..". */
struct name_list {
        int count;
        struct dirent **entry;
};
must_check int places_list(int dirfd, int (*filter)(const struct dirent *), struct name_list *ret, struct error *err);
void name_list_done(struct name_list *list);

#define cleanup_name_list __attribute__((cleanup(name_list_done)))

/*
 * Account name of "NAME.ini" (accounts/'s entries), into ret (ACCOUNT_NAME_MAX + 1 bytes); false for any other file
 * name. The filter picks such entries.
 */
bool places_account_of_file(const char *file, char *ret);
int places_filter_policies(const struct dirent *entry);

#endif
