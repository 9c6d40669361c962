/*
 * user_manager.h - no `systemd --user` for agents. logind starts user@UID.service at every login; PAM refuses it for an
 * agent, and the unit would stay in the list of failed ones. So it is masked for the account's uid: logind knows of
 * masked ones and goes on without, with lingering too. Needs root. On a host without systemd's directory, all do
 * nothing and report that it is in order.
 */
#ifndef AGENTSH_ADMIN_USER_MANAGER_H
#define AGENTSH_ADMIN_USER_MANAGER_H

#include "common/error.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * As `systemctl mask` does it; nothing has to be loaded again. -EEXIST: an administrator has a unit of that name.
 * *ret_made: the mask was not there before.
 */
must_check int user_manager_mask(uid_t uid, bool *ret_made, struct error *err);

/* Take the mask away: a later account may have the uid. Whatever else has the name stays. */
must_check int user_manager_unmask(uid_t uid, struct error *err);

bool user_manager_is_masked(uid_t uid);

#endif
