/*
 * guest_machine.h - what process 1 of a machine does beside its channels: drivers, disks, identity. Root of the guest;
 * everything outside of it trusts nothing of this.
 */
#ifndef AGENTSH_SHELL_GUEST_MACHINE_H
#define AGENTSH_SHELL_GUEST_MACHINE_H

#include "shell/frame.h"
#include "shell/transport.h"

/* In the initramfs: names of modules beside them, one a line, in the order in which they are loaded. */
#define GUEST_MODULES      "/lib/agentsh"
#define GUEST_BOOT_LIST    GUEST_MODULES "/boot.list"    /* before the channel: what a template has */
#define GUEST_SESSION_LIST GUEST_MODULES "/session.list" /* with the set-up: what finds this session's disks */

#define GUEST_PORT    "agentsh.0" /* the name of the virtio serial port */
#define GUEST_WAIT_MS 5000        /* for a device to appear */

/* Mounts /dev, /proc, /sys and /run, loads the drivers of the first list, and opens the port. */
must_check int guest_machine_boot(struct transport *ret, struct error *err);

/* Clock, entropy, drivers, root, names, home. *ret_root is where the account's / is, or NULL: the one that is there. */
must_check int guest_machine_set_up(const struct frame_setup *setup, const char **ret_root, struct error *err);

/* Writes everything back and switches the machine off. */
_Noreturn void guest_machine_end(void);

#endif
