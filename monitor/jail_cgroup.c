/* jail_cgroup.c - the builder's side of the session's cgroups: wait to be in them, then make them look like the root. */
#include "monitor/jail.h"

#include "monitor/jail_sync.h"

#include <errno.h>
#include <sched.h>

int jail_enter_cgroup(struct jail *jail, struct error *err)
{
        const struct cgroup *cgroup = jail->request->cgroup;

        /* Born in it (clone_fd), or in none at all (tests). */
        if (cgroup->count == 0 || cgroup->clone_fd >= 0)
                return 0;
        return jail_sync_wait(jail->sync_fd, JAIL_SYNC_ATTACHED, err);
}

int jail_unshare_cgroup(struct jail *jail, struct error *err)
{
        (void)jail;
        /* After the move: a namespace shows its process's cgroup at the time of unsharing as "/". */
        if (unshare(CLONE_NEWCGROUP) < 0)
                return error_errno(err, errno, "cannot make a cgroup namespace");
        return 0;
}
