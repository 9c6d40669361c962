/*
 * jail_proc.c - a procfs of the jail's own pid namespace, with what tells about the host hidden.
 *
 * Root of the host, as process 1 of the new pid namespace. What hides is the jail's verified null device and an empty
 * directory of its read-only root, never a thing that the agent could replace.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_ATTRIBUTES (MOUNT_WRITABLE | MOUNT_ATTR_NOEXEC)

int jail_mount_proc(struct jail *jail, struct error *err)
{
        static const struct mount_option none[] = { { NULL, NULL } };
        cleanup_close int proc = mount_new("proc", none, PROC_ATTRIBUTES, err);
        int r;

        if (proc < 0)
                return proc;
        r = mount_attach(proc, jail->root_fd, "proc", err);
        if (r < 0)
                return r;
        /* A walk from here stays on this mount: it is not stopped by the read-only one that will cover /proc/sys. */
        jail->sysctl_fd = openat(proc, "sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (jail->sysctl_fd < 0)
                return error_errno(err, errno, "cannot open /proc/sys/user");
        jail->proc_fd = TAKE_FD(proc);
        return 0;
}

static int hide(const struct jail *jail, const char *path, mode_t mode, struct error *err)
{
        const char *cover = S_ISDIR(mode) ? "var/empty" : "dev/null";

        /* Both are read-only already. */
        return mount_bind(jail->root_fd, cover, jail->proc_fd, path, false, 0, err);
}

int jail_mask_proc(struct jail *jail, struct error *err)
{
        static const struct {
                const char *path;
                bool hidden;
        } entries[] = {
#define PROC_HIDE(path)     { path, true },
#define PROC_READONLY(path) { path, false },
#include "monitor/jail_proc.def"
#undef PROC_HIDE
#undef PROC_READONLY
        };

        /* Any mount over a part of /proc makes the kernel refuse a procfs in a user namespace of the agent's own. */
        if (jail->request->policy->nested)
                return 0;
        for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
                const char *path = entries[i].path;
                struct stat st;
                int r;

                if (fstatat(jail->proc_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        if (errno == ENOENT)
                                continue;
                        return error_errno(err, errno, "cannot look at /proc/%s", path);
                }
                r = entries[i].hidden ? hide(jail, path, st.st_mode, err)
                                      : mount_bind(jail->proc_fd, path, jail->proc_fd, path, false,
                                                   PROC_ATTRIBUTES | MOUNT_ATTR_RDONLY, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
