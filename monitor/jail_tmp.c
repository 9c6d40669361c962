/* jail_tmp.c - the writable places of a session that end with it: sized tmpfs. Root of the host, before the pivot. */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* /run belongs to root, as anywhere; what is for everybody in it is a directory below. */
static int fill_run(int run_fd, uid_t uid, gid_t gid, struct error *err)
{
        char user[32];

        (void)snprintf(user, sizeof(user), "user/%u", (unsigned)uid);
        if (mkdirat(run_fd, "lock", 01777) < 0 || mkdirat(run_fd, "user", 0755) < 0 || mkdirat(run_fd, user, 0700) < 0)
                return error_errno(err, errno, "cannot make the directories of /run");
        if (fchownat(run_fd, user, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return error_errno(err, errno, "cannot give /run/%s to the agent", user);
        return 0;
}

int jail_mount_temporary(struct jail *jail, struct error *err)
{
        static const struct {
                const char *path;
                mode_t mode;
        } places[] = { { "tmp", 01777 }, { "var/tmp", 01777 }, { "dev/shm", 01777 }, { "run", 0755 } };
        const struct tier_request *request = jail->request;

        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
                cleanup_close int fd = mount_new_tmpfs(request->policy->tmp, places[i].mode, 0, 0, MOUNT_WRITABLE, err);
                int r = fd < 0 ? fd : mount_attach(fd, jail->root_fd, places[i].path, err);

                if (r >= 0 && places[i].path[0] == 'r')
                        r = fill_run(fd, request->uid, request->gid, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
