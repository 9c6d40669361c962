/* template_boot.h - boots a template's guest once and freezes it into two files. Root. */
#ifndef AGENTSH_VM_TEMPLATE_BOOT_H
#define AGENTSH_VM_TEMPLATE_BOOT_H

#include "common/error.h"
#include "vm/machine.h"

/* What a boot is given, all open and owned by the caller. ram_fd: an empty file, state_fd: another. */
struct vm_boot {
        const struct vm_machine *machine;
        int kernel_fd, initramfs_fd, ram_fd, state_fd;
};

/* One attempt. The files' content is undefined after a failure. */
must_check int vm_boot_and_freeze(const struct vm_boot *boot, unsigned timeout_seconds, struct error *err);

#endif
