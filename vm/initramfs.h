/*
 * initramfs.h - the guest's first root: agentsh-guest as /init and the kernel's modules. Reads root's files.
 */
#ifndef AGENTSH_VM_INITRAMFS_H
#define AGENTSH_VM_INITRAMFS_H

#include "common/error.h"
#include "vm/machine.h"

/*
 * Write it to out_fd: /init (agentsh-guest), /agentsh-init, and the modules in /lib/agentsh beside two lists of their
 * names, one a line, in the order in which they are loaded: boot.list before the template is frozen, session.list by each
 * session. shell/guest_machine.h reads them.
 */
must_check int initramfs_write(const struct vm_machine *machine, int out_fd, struct error *err);

#endif
