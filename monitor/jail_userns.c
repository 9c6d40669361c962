/*
 * jail_userns.c - the user namespace, made last: all other namespaces belong to the host's, so that even root inside
 * has no power over them.
 */
#include "monitor/jail_userns.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "monitor/jail_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int jail_find_subids(struct jail *jail, struct error *err)
{
        const struct tier_request *request = jail->request;
        const char *account = request->policy->account;
        int r;

        if (!request->policy->fake_root)
                return 0;
        r = subid_find(jail->places->subuid, account, request->uid, &jail->uids, err);
        return r < 0 ? r : subid_find(jail->places->subgid, account, request->uid, &jail->gids, err);
}

static void format_map(char *ret, size_t size, bool fake_root, unsigned id, const struct subid_range *range)
{
        if (fake_root)
                (void)snprintf(ret, size, "0 %u 1\n1 %u %u\n", id, range->first, (unsigned)SUBID_COUNT);
        else
                (void)snprintf(ret, size, "%u %u 1\n", id, id);
}

int userns_write_maps(const struct jail *jail, pid_t pid, struct error *err)
{
        const struct tier_request *request = jail->request;
        bool fake_root = request->policy->fake_root;
        cleanup_close int process = -EBADF;
        char path[32], map[96];
        int r = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
                return error_errno(err, errno, "cannot open %s", path);
        /* Root inside may change groups: they are all subordinate ones. Nobody else. */
        if (!fake_root)
                r = fd_write_file_at(process, "setgroups", "deny", err);
        format_map(map, sizeof(map), fake_root, (unsigned)request->gid, &jail->gids);
        if (r >= 0)
                r = fd_write_file_at(process, "gid_map", map, err);
        format_map(map, sizeof(map), fake_root, (unsigned)request->uid, &jail->uids);
        /* To be seen there, not to be taken: nothing inside has a capability. */
        if (jail->places->peer != 0)
                (void)snprintf(map + strlen(map), sizeof(map) - strlen(map), "%u %u 1\n", (unsigned)jail->places->peer,
                               (unsigned)jail->places->peer);
        if (r >= 0)
                r = fd_write_file_at(process, "uid_map", map, err);
        return r;
}

/*
 * The kernel charges what is made inside (inotify instances, for one) to the owner of the namespace too, who is whoever
 * makes it. root as the owner could be left without any by one agent. All capabilities are kept meanwhile.
 */
static int become_owner(uid_t uid, struct error *err)
{
        if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot set the securebits of the builder");
        if (syscall(SYS_setresuid, -1, uid, -1) < 0 || geteuid() != uid)
                return error_errno(err, errno, "cannot take uid %u as the owner of a namespace", (unsigned)uid);
        return 0;
}

int jail_unshare_user(struct jail *jail, struct error *err)
{
        int r = become_owner(jail->request->uid, err);

        if (r < 0)
                return r;
        if (unshare(CLONE_NEWUSER) < 0)
                return error_errno(err, errno,
                                   "cannot make a user namespace; raise the sysctl user.max_user_namespaces, or, for "
                                   "an isolation without one, set tier = chroot");
        r = jail_sync_send(jail->sync_fd, JAIL_SYNC_MAP, err);
        return r < 0 ? r : jail_sync_wait(jail->sync_fd, JAIL_SYNC_MAPPED, NULL, err);
}

int jail_forbid_nesting(struct jail *jail, struct error *err)
{
        if (jail->request->policy->nested)
                return 0;
        /* This namespace's own limit: the file shows the one of whoever opens it. */
        return fd_write_file_at(jail->sysctl_fd, "max_user_namespaces", "0", err);
}

int jail_set_identity(struct jail *jail, struct error *err)
{
        bool fake_root = jail->request->policy->fake_root;
        uid_t uid = fake_root ? 0 : jail->request->uid;
        gid_t gid = fake_root ? 0 : jail->request->gid;

        /*
         * By system call, not through libc, which would look for other threads of the copied monitor. Keeps all
         * capabilities, to be dropped next: the securebits say so, and under fake_root, where they do not, the builder
         * comes from an unmapped uid.
         */
        if (syscall(SYS_setresgid, gid, gid, gid) < 0)
                return error_errno(err, errno, "cannot become gid %u", (unsigned)gid);
        if (syscall(SYS_setresuid, uid, uid, uid) < 0)
                return error_errno(err, errno, "cannot become uid %u", (unsigned)uid);
        return 0;
}
