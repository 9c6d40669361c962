/* jail_keyring.c - a session keyring of the jail's own, instead of the one inherited. No capability. */
#include "monitor/jail.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

int jail_join_keyring(struct jail *jail, struct error *err)
{
        (void)jail;
        /* While still root: owned by root, it does not count for the agent's quota of keys. ENOSYS: no keys at all. */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                return error_errno(err, errno, "cannot make a session keyring");
        return 0;
}
