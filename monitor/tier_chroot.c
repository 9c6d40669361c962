/*
 * tier_chroot.c - the tier `chroot`, for kernels and hosts without user namespaces: the jail in all but that one.
 *
 * The view is made by pivot_root, not by chroot(2). The agent has its real uid without any capability; that it can make
 * no namespace and reach no key of its uid is the filter's work alone. Privileges as for tier_jail.c.
 */
#include "monitor/jail.h"

#include <stddef.h>

static int chroot_probe(const struct policy *policy, uid_t uid, struct error *err)
{
        return jail_probe(policy, NULL, uid, err);
}

const struct tier tier_chroot = {
        .name = "chroot",
        .probe = chroot_probe,
        .prepare = jail_prepare,
        .start = jail_start_on_host,
        .stop = jail_stop,
};
