/*
 * door.h - is this user an agent? Decided from the passwd entry and the presence of a policy file alone: no socket, no
 * parsing, no file descriptor, so that nothing of agentsh can keep anybody else out.
 */
#ifndef AGENTSH_PAM_MODULE_DOOR_H
#define AGENTSH_PAM_MODULE_DOOR_H

#include "common/error.h"

#include <security/pam_modules.h>

enum door {
        DOOR_PASS,   /* not an agent: none of our business */
        DOOR_AGENT,  /* shell and policy are both there */
        DOOR_REFUSE, /* only one of them is, or the account cannot be told for certain: *err says what is missing */
};

/*
 * `user` is PAM_USER, `shell` the path that stands in an agent's passwd entry. uid 0 always passes; so does whoever
 * has another shell and no policy that can be seen, whatever made it unseen.
 */
must_check enum door door_decide(pam_handle_t *pamh, const char *user, const char *shell, struct error *err);

#endif
