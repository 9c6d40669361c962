/*
 * host.h - what this host has for virtual machines: QEMU, a kernel, an accelerator that works. Reads only.
 */
#ifndef AGENTSH_VM_HOST_H
#define AGENTSH_VM_HOST_H

#include "common/error.h"
#include "common/paths.h"
#include "vm/machine.h"

#include <limits.h>

/* What runs inside a guest. */
#define VM_GUEST_PATH AGENTSH_LIBEXEC_DIR "/agentsh-guest"
#define VM_INIT_PATH  AGENTSH_LIBEXEC_DIR "/agentsh-init"

enum vm_wish_accel { VM_WISH_KVM, VM_WISH_TCG, VM_WISH_AUTO };

/* What a policy or an administrator asks for. */
struct vm_wish {
        const char *kernel; /* NULL: the newest one below /boot */
        uint64_t memory;    /* bytes */
        unsigned cpus;
        enum vm_wish_accel accel;
};

#define VM_WISH_DEFAULT                                                                  \
        {                                                                                \
                .kernel = NULL, .memory = 256ULL << 20, .cpus = 1, .accel = VM_WISH_AUTO \
        }

/* A machine that can be made here; `machine` points into the rest. */
struct vm_host {
        struct vm_machine machine;
        char kernel[PATH_MAX], modules[PATH_MAX];
};

must_check int vm_parse_accel(const char *text, enum vm_wish_accel *ret, struct error *err);

/* -ENOENT, -ENODEV or the like with what to install or to set, when this host has not what is wished for. */
must_check int vm_host_find(const struct vm_wish *wish, struct vm_host *ret, struct error *err);

/*
 * Whether KVM runs code at the speed of a processor: some virtual hosts offer one that is thousands of times slower. A
 * few instructions are run in a machine without memory of ours, for 20 ms at most. Needs /dev/kvm.
 */
must_check int vm_kvm_probe(struct error *err);

#endif
