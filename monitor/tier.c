/* tier.c - which tier a policy means. */
#include "monitor/tier.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stddef.h>

void tier_ahead_done(struct tier_ahead *ahead)
{
        cleanup_close_fd(&ahead->network_fd);
}

const struct tier *tier_find(const struct policy *policy, struct error *err)
{
        if (policy->risk == RISK_HIGH || policy->tier == TIER_VM)
                return &tier_vm;
        if (policy->tier == TIER_JAIL)
                return &tier_jail;
        if (policy->tier == TIER_CHROOT)
                return &tier_chroot;
        (void)error_text(err, ENOTSUP, "this version does not have the tier %s (set tier = jail, or chroot)",
                         policy_tier_name(policy->tier));
        return NULL;
}
