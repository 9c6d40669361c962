/*
 * jail_store.c - the sized memory file systems of a session, seen from outside: the kernel counts no refused write, but
 * it does tell what is left. Opened by the monitor, as root of the host with CAP_SYS_PTRACE, while init still waits for
 * its configuration: nothing hostile can have changed the view. The fds are O_PATH and never used for anything else.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/vfs.h>

static int add_store(struct isolation *isolation, int root, const char *path, uint32_t limit, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(root, path, O_PATH | O_DIRECTORY, 0, err);
        struct statfs fs;

        if (fd < 0)
                return fd;
        if (fstatfs(fd, &fs) < 0)
                return error_errno(err, errno, "cannot look at /%s of the view", path);
        if (fs.f_type != TMPFS_MAGIC)
                return error_text(err, EPERM, "/%s of the view is no memory file system", path);
        isolation->store[isolation->store_count++] = (struct isolation_store){ .fd = TAKE_FD(fd), .limit = limit };
        return 0;
}

int jail_open_stores(struct jail *jail, struct error *err)
{
        static const char *const places[] = { "tmp", "var/tmp", "dev/shm", "run" };
        const struct tier_request *request = jail->request;
        cleanup_close int root = -EBADF;
        char path[32];
        int r = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d/root", (int)jail->isolation->pid);
        root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return error_errno(err, errno, "cannot open the view of process 1");
        for (size_t i = 0; r >= 0 && i < sizeof(places) / sizeof(places[0]); i++)
                r = add_store(jail->isolation, root, places[i], LIMIT_MASK(TMP), err);
        if (r >= 0 && request->policy->home_mode == HOME_EPHEMERAL)
                r = add_store(jail->isolation, root, request->home + 1, LIMIT_MASK(HOME), err);
        return r;
}

uint32_t isolation_full(const struct isolation *isolation)
{
        uint32_t full = 0;

        for (size_t i = 0; i < isolation->store_count; i++) {
                struct statfs fs;

                if (fstatfs(isolation->store[i].fd, &fs) == 0 &&
                    ((fs.f_blocks > 0 && fs.f_bavail == 0) || (fs.f_files > 0 && fs.f_ffree == 0)))
                        full |= isolation->store[i].limit;
        }
        return full;
}

void isolation_close_stores(struct isolation *isolation)
{
        while (isolation->store_count > 0)
                cleanup_close_fd(&isolation->store[--isolation->store_count].fd);
}
