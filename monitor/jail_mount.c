/* jail_mount.c - mounts by file descriptor. Root of the host, in the builder's mount namespace. */
#include "monitor/jail_mount.h"

#include "common/cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

#define INODE_BYTES 4096 /* of a tmpfs's size for each inode that it may have */
#define INODES_MIN  1024
#define INODES_MAX  (1024 * 1024)

static int set_option(int context, const char *type, const char *key, const char *value, struct error *err)
{
        if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0) < 0)
                return error_errno(err, errno, "cannot set %s=%s for a new %s", key, value, type);
        return 0;
}

int mount_new(const char *type, const struct mount_option *options, uint64_t attributes, struct error *err)
{
        cleanup_close int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
        long fd;
        int r;

        if (context < 0)
                return error_errno(err, errno, "cannot open a new %s", type);
        r = set_option(context, type, "source", type, err);
        for (; r >= 0 && options->key != NULL; options++)
                r = set_option(context, type, options->key, options->value, err);
        if (r < 0)
                return r;
        if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return error_errno(err, errno, "cannot create a new %s", type);
        fd = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a mount of a new %s", type);
        return (int)fd;
}

int mount_new_tmpfs(uint64_t size, mode_t mode, uid_t uid, gid_t gid, uint64_t attributes, struct error *err)
{
        char size_text[24], inodes_text[24], mode_text[8], uid_text[16], gid_text[16];
        uint64_t inodes = size / INODE_BYTES;
        struct mount_option options[] = {
                { "size", size_text }, { "nr_inodes", inodes_text }, { "mode", mode_text },
                { "uid", uid_text },   { "gid", gid_text },          { NULL, NULL },
        };

        /* 0 would mean "no limit" for either. */
        if (size < 4096)
                size = 4096;
        if (inodes < INODES_MIN)
                inodes = INODES_MIN;
        if (inodes > INODES_MAX)
                inodes = INODES_MAX;
        (void)snprintf(size_text, sizeof(size_text), "%llu", (unsigned long long)size);
        (void)snprintf(inodes_text, sizeof(inodes_text), "%llu", (unsigned long long)inodes);
        (void)snprintf(mode_text, sizeof(mode_text), "%o", (unsigned)mode);
        (void)snprintf(uid_text, sizeof(uid_text), "%u", (unsigned)uid);
        (void)snprintf(gid_text, sizeof(gid_text), "%u", (unsigned)gid);
        if (uid == 0)
                options[3].key = NULL;
        return mount_new("tmpfs", options, attributes, err);
}

static int set_attributes(int fd, bool recursive, const struct mount_attr *attr, struct error *err)
{
        unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0U);

        if (syscall(SYS_mount_setattr, fd, "", flags, attr, sizeof(*attr)) < 0)
                return error_errno(err, errno, "cannot set the attributes of a mount");
        return 0;
}

int mount_add_attributes(int fd, bool recursive, uint64_t attributes, struct error *err)
{
        struct mount_attr attr = { .attr_set = attributes };

        return set_attributes(fd, recursive, &attr, err);
}

int mount_clone(int dirfd, const char *path, bool recursive, uint64_t attributes, struct error *err)
{
        unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT |
                         (*path == '\0' ? (unsigned)AT_EMPTY_PATH : 0U) | (recursive ? AT_RECURSIVE : 0U);
        struct mount_attr attr = { .attr_set = attributes, .propagation = MS_PRIVATE };
        cleanup_close int fd = (int)syscall(SYS_open_tree, dirfd, path, flags);
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot clone the mount of %s", *path == '\0' ? "an open file" : path);
        r = attributes == 0 ? 0 : set_attributes(fd, recursive, &attr, err);
        return r < 0 ? r : TAKE_FD(fd);
}

int mount_attach(int mount_fd, int dirfd, const char *path, struct error *err)
{
        unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*path == '\0' ? (unsigned)MOVE_MOUNT_T_EMPTY_PATH : 0U);

        if (syscall(SYS_move_mount, mount_fd, "", dirfd, path, flags) < 0)
                return error_errno(err, errno, "cannot mount on %s", *path == '\0' ? "an open directory" : path);
        return 0;
}

int mount_bind(int from_dirfd, const char *from, int to_dirfd, const char *to, bool recursive, uint64_t attributes,
               struct error *err)
{
        cleanup_close int fd = mount_clone(from_dirfd, from, recursive, attributes, err);

        return fd < 0 ? fd : mount_attach(fd, to_dirfd, to, err);
}
