/*
 * jail_mount.h - mounts by file descriptor (fsopen, open_tree, mount_setattr, move_mount).
 *
 * A mount is made detached, and given its attributes before it is attached or, in a view that nothing of the agent's
 * has seen yet, with all others at once (jail_seal_root).
 * `attributes` are MOUNT_ATTR_* of <linux/mount.h>. All need CAP_SYS_ADMIN over the mount namespace.
 */
#ifndef AGENTSH_MONITOR_JAIL_MOUNT_H
#define AGENTSH_MONITOR_JAIL_MOUNT_H

#include "common/error.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNT_WRITABLE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define MOUNT_READONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct mount_option {
        const char *key, *value;
};

/* A new file system instance; `options` end with a NULL key. Returns the detached mount (owned by the caller). */
must_check int mount_new(const char *type, const struct mount_option *options, uint64_t attributes, struct error *err);

/* A tmpfs of at most `size` bytes, and inodes in proportion. Its root belongs to uid:gid. */
must_check int mount_new_tmpfs(uint64_t size, mode_t mode, uid_t uid, gid_t gid, uint64_t attributes,
                               struct error *err);

/*
 * A detached, private clone of the mount at `path` below dirfd ("" for dirfd itself; a link as last component is not
 * followed), with its submounts when `recursive`. The attributes are added to all of them; with none, the clone has
 * those of its source, and is private only if that is.
 */
must_check int mount_clone(int dirfd, const char *path, bool recursive, uint64_t attributes, struct error *err);

/* Attach a detached mount at `path` below dirfd ("" for dirfd itself). No link is followed. */
must_check int mount_attach(int mount_fd, int dirfd, const char *path, struct error *err);

/* Add attributes to the mount whose root is `fd`. */
must_check int mount_add_attributes(int fd, bool recursive, uint64_t attributes, struct error *err);

/* mount_clone(from_dirfd, from) and mount_attach(to_dirfd, to). */
must_check int mount_bind(int from_dirfd, const char *from, int to_dirfd, const char *to, bool recursive,
                          uint64_t attributes, struct error *err);

#endif
