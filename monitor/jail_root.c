/*
 * jail_root.c - the root of the view: a small tmpfs with the host's system directories in it, read-only at the end.
 *
 * Everything in it is made by root before anything of the agent's runs. Needs CAP_SYS_ADMIN.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "monitor/jail_mount.h"
#include "monitor/jail_root.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROOT_SIZE  (4ULL * 1024 * 1024)
#define MNT_DETACH 2 /* in <sys/mount.h>, which older C libraries cannot have beside <linux/mount.h> */

int jail_unshare_propagation(struct jail *jail, struct error *err)
{
        (void)jail;
        if (syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return error_errno(err, errno, "cannot make the mounts private");
        return 0;
}

int root_make_directories(int root_fd, struct error *err)
{
        static const struct {
                const char *path;
                mode_t mode;
        } directories[] = {
                { "proc", 0555 },     { "dev", 0755 },       { "dev/pts", 0755 }, { "dev/shm", 01777 },
                { "etc", 0755 },      { "tmp", 01777 },      { "run", 0755 },     { "var", 0755 },
                { "var/tmp", 01777 }, { "var/cache", 0755 }, { "var/lib", 0755 }, { "var/empty", 0755 },
                { "home", 0755 },     { "root", 0700 },      { "mnt", 0755 },     { "opt", 0755 },
                { "srv", 0755 },
        };

        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
                if (mkdirat(root_fd, directories[i].path, directories[i].mode) < 0)
                        return error_errno(err, errno, "cannot make /%s", directories[i].path);
        if (symlinkat("/run", root_fd, "var/run") < 0 || symlinkat("/run/lock", root_fd, "var/lock") < 0)
                return error_errno(err, errno, "cannot make links in /var");
        return 0;
}

int jail_mount_root(struct jail *jail, struct error *err)
{
        cleanup_close int root = -EBADF;
        int r;

        /* The modes given to mkdirat and mknodat below are meant as they stand. */
        (void)umask(0);
        root = mount_new_tmpfs(ROOT_SIZE, 0755, 0, 0, MOUNT_WRITABLE, err);
        if (root < 0)
                return root;
        /* On top of the host's root: whatever walks from "/" still starts below it, until the pivot. */
        r = mount_attach(root, AT_FDCWD, "/", err);
        if (r < 0)
                return r;
        r = root_make_directories(root, err);
        if (r < 0)
                return r;
        jail->root_fd = TAKE_FD(root);
        return 0;
}

static int copy_link(int from_fd, const char *name, int to_fd, struct error *err)
{
        char target[PATH_MAX];
        ssize_t length = readlinkat(from_fd, name, target, sizeof(target) - 1);

        if (length < 0)
                return error_errno(err, errno, "cannot read the link /%s", name);
        target[length] = '\0';
        if (symlinkat(target, to_fd, name) < 0)
                return error_errno(err, errno, "cannot make the link /%s", name);
        return 0;
}

static int add_system_directory(int host_fd, int root_fd, const char *name, struct error *err)
{
        struct stat st;

        if (fstatat(host_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
                if (errno == ENOENT && strcmp(name, "usr") != 0)
                        return 0;
                return error_errno(err, errno, "cannot look at /%s", name);
        }
        if (S_ISLNK(st.st_mode))
                return copy_link(host_fd, name, root_fd, err);
        if (!S_ISDIR(st.st_mode) || st.st_uid != 0)
                return error_text(err, EPERM, "/%s is not a directory of root's", name);
        if (mkdirat(root_fd, name, 0755) < 0)
                return error_errno(err, errno, "cannot make /%s", name);
        return mount_bind(host_fd, name, root_fd, name, true, 0, err);
}

int root_bind_system(int root_fd, struct error *err)
{
        /* Links into /usr on a merged host, directories of their own elsewhere. */
        static const char *const names[] = { "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
        cleanup_close int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (host < 0)
                return error_errno(err, errno, "cannot open the host's root");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                int r = add_system_directory(host, root_fd, names[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int jail_mount_system(struct jail *jail, struct error *err)
{
        return root_bind_system(jail->root_fd, err);
}

int jail_seal_root(struct jail *jail, struct error *err)
{
        /* With all that is mounted in it so far; what comes later is writable or has device nodes. */
        return mount_add_attributes(jail->root_fd, true, MOUNT_READONLY, err);
}

int jail_pivot(struct jail *jail, struct error *err)
{
        if (fchdir(jail->root_fd) < 0)
                return error_errno(err, errno, "cannot enter the view");
        /* Both names the same: the old root ends up on top of the new one, and goes with the umount. */
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                return error_errno(err, errno,
                                   "cannot make the view the root (pivot_root; a host whose root is an "
                                   "initramfs cannot)");
        if (syscall(SYS_umount2, ".", MNT_DETACH) < 0)
                return error_errno(err, errno, "cannot detach the host's root");
        if (chdir("/") < 0)
                return error_errno(err, errno, "cannot enter the root of the view");
        return 0;
}
