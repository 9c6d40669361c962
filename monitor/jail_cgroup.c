/* jail_cgroup.c - the builder in the cgroups of its session: in them first of all, then at what looks like the root. */
#include "monitor/jail.h"

#include <errno.h>
#include <sched.h>

int jail_enter_cgroup(struct jail *jail, struct error *err)
{
        const struct cgroup *cgroup = jail->request->cgroup;

        /* None at all: tests. Being born in clone_fd is not enough, on v1 that is the tree that only serves to kill. */
        return cgroup->count == 0 ? 0 : cgroup_enter(cgroup, err);
}

int jail_unshare_cgroup(struct jail *jail, struct error *err)
{
        (void)jail;
        /* After the move: a namespace shows its process's cgroup at the time of unsharing as "/". */
        if (unshare(CLONE_NEWCGROUP) < 0)
                return error_errno(err, errno, "cannot make a cgroup namespace");
        return 0;
}
