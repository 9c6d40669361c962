/*
 * jail_dev.c - a minimal /dev: six nodes bound from the host, each verified, and the jail's own pseudo-terminals.
 *
 * Root of the host, before the pivot. /dev is a directory of the read-only root, so nothing can be added later.
 */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TTY_GROUP "5"
#define PTYS_MAX  "256"

struct device {
        const char *name;
        unsigned major, minor;
};

static const struct device devices[] = {
        { "null", 1, 3 },    { "zero", 1, 5 }, { "full", 1, 7 },   { "random", 1, 8 },
        { "urandom", 1, 9 }, { "tty", 5, 0 },  { "kvm", 10, 232 }, /* the last: for a virtual machine alone */
};

static size_t count_devices(const struct jail *jail)
{
        return sizeof(devices) / sizeof(devices[0]) - (jail->places->kvm ? 0 : 1);
}

int jail_make_dev(struct jail *jail, struct error *err)
{
        static const char *const links[][2] = {
                { "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
                { "/proc/self/fd/2", "stderr" }, { "pts/ptmx", "ptmx" },
        };
        cleanup_close int dev = openat(jail->root_fd, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (dev < 0)
                return error_errno(err, errno, "cannot open the jail's /dev");
        for (size_t i = 0; i < count_devices(jail); i++)
                if (mknodat(dev, devices[i].name, S_IFREG | 0444, 0) < 0)
                        return error_errno(err, errno, "cannot make /dev/%s", devices[i].name);
        for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
                if (symlinkat(links[i][0], dev, links[i][1]) < 0)
                        return error_errno(err, errno, "cannot make the link /dev/%s", links[i][1]);
        return 0;
}

static int bind_device(int host_fd, int dev_fd, const struct device *device, struct error *err)
{
        /* A device opens for writing on a read-only mount too; its inode, which is the host's, cannot be changed. */
        cleanup_close int node = mount_clone(host_fd, device->name, false,
                                             MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
        struct stat st;

        if (node < 0)
                return node;
        if (fstat(node, &st) < 0)
                return error_errno(err, errno, "cannot look at /dev/%s", device->name);
        if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(device->major, device->minor))
                return error_text(err, ENODEV, "/dev/%s of the host is not the device %u:%u", device->name,
                                  device->major, device->minor);
        return mount_attach(node, dev_fd, device->name, err);
}

int jail_bind_devices(struct jail *jail, struct error *err)
{
        cleanup_close int host = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
        cleanup_close int dev = openat(jail->root_fd, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (host < 0 || dev < 0)
                return error_errno(err, errno, "cannot open /dev");
        for (size_t i = 0; i < count_devices(jail); i++) {
                int r = bind_device(host, dev, &devices[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int jail_mount_devpts(struct jail *jail, struct error *err)
{
        static const struct mount_option options[] = {
                { "ptmxmode", "0666" }, { "mode", "620" }, { "gid", TTY_GROUP }, { "max", PTYS_MAX }, { NULL, NULL },
        };
        /* Not nodev: these nodes have to open; nobody but the kernel makes any here. */
        cleanup_close int pts = mount_new("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);

        return pts < 0 ? pts : mount_attach(pts, jail->root_fd, "dev/pts", err);
}
