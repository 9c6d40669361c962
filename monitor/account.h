/*
 * account.h - whether a login may have a session: the passwd entry and the policy of an account, checked together.
 */
#ifndef AGENTSH_MONITOR_ACCOUNT_H
#define AGENTSH_MONITOR_ACCOUNT_H

#include "common/control.h"
#include "common/error.h"
#include "monitor/tier.h"
#include "policy/policy.h"

#include <limits.h>
#include <sys/types.h>

struct account {
        uid_t uid;
        gid_t gid;
        char home[PATH_MAX]; /* passwd home: root's, empty; the data home appears there inside */
        struct policy policy;
        const struct tier *tier;
};

/*
 * Decide on a request: the passwd entry (its shell is agentsh, uid and gid are not 0, its home is root's), the policy
 * (valid, enabled, not expired, the service listed) and the tier (known, and this host can run it). The text of an
 * error is for the user; details (every issue of a policy) go to the log. Needs root.
 */
must_check int account_admit(const struct control_request *request, struct account *ret, struct error *err);

/*
 * For a session of an admitted account: how an ssh login came in, when the policy wants to know (ssh_login.h). Not in the
 * account phase, in which sshd has not yet written it down. Reads root's key file.
 */
must_check int account_check_ssh(const struct control_request *request, const struct account *account,
                                 struct error *err);

#endif
