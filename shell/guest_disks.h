/*
 * guest_disks.h - the root and the home of a session in its machine: virtio disks that are known by their serial
 * numbers. Root of the guest.
 */
#ifndef AGENTSH_SHELL_GUEST_DISKS_H
#define AGENTSH_SHELL_GUEST_DISKS_H

#include "shell/frame.h"

#define GUEST_ROOT "/run/root" /* where the account's / is put together */

/*
 * The device whose `attribute` in sysfs's directory `class` is `value`: "/dev/NAME" with the entry's name. -ENODEV:
 * there is none.
 */
must_check int guest_find(const char *class, const char *attribute, const char *value, char *ret, size_t size,
                          struct error *err);

/*
 * Mount what `setup` names: the read-only root under a file system in memory, /dev, /tmp and /run in it, its names, and
 * the home. *ret_root becomes GUEST_ROOT, or NULL when there is no root disk.
 */
must_check int guest_disks_mount(const struct frame_setup *setup, const char **ret_root, struct error *err);

/* The home is written back. */
void guest_disks_unmount(void);

#endif
