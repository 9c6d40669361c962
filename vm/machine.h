/*
 * machine.h - what a virtual machine is made of, and the QEMU command lines that follow from it: one for the template,
 * one for a session. Both come from the same lists, since a state can only be restored into the very same machine.
 */
#ifndef AGENTSH_VM_MACHINE_H
#define AGENTSH_VM_MACHINE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define VM_QEMU_PATH "/usr/bin/qemu-system-x86_64"

enum vm_accel { VM_KVM, VM_TCG };

struct vm_machine {
        const char *qemu;    /* the program */
        const char *guest;   /* agentsh-guest, process 1 in the guest */
        const char *init;    /* agentsh-init, which runs the channels there */
        const char *kernel;  /* a bzImage, or an ELF with a PVH note */
        const char *modules; /* directory of the kernel's modules */
        enum vm_accel accel;
        uint64_t memory; /* bytes, whole MiB */
        unsigned cpus;
};

/* Fds that QEMU inherits, at these numbers. */
enum vm_fd {
        VM_FD_CHANNEL = 3, /* the byte stream to the guest: a socket */
        VM_FD_QMP,         /* a socket */
        VM_FD_RAM,         /* the memory's file */
        VM_FD_KERNEL,      /* template only */
        VM_FD_INITRAMFS,   /* template only */
        VM_FD_STATE,       /* session only: the device state */
        VM_FD_ROOT,        /* session only: image of the root, read-only */
        VM_FD_HOME,        /* session only: image of the home, or none */
        VM_FD_END,
};

const char *vm_accel_name(enum vm_accel accel);

#define VM_WORDS_MAX 96
#define VM_TEXT_MAX  4096

/* An argument vector with room for the texts in it. */
struct vm_command {
        const char *argv[VM_WORDS_MAX + 1]; /* NULL behind the last */
        size_t count;
        char text[VM_TEXT_MAX];
        size_t used;
};

/* tsc_khz: the rate of the time stamp counter; 0 leaves it to the guest to find out. */
must_check int vm_template_command(const struct vm_machine *machine, uint64_t tsc_khz, struct vm_command *ret,
                                   struct error *err);

enum vm_home { VM_HOME_NONE, VM_HOME_IMAGE };

/* To be followed by QMP: the capability x-ignore-shared, then migrate-incoming from VM_FD_STATE. */
must_check int vm_session_command(const struct vm_machine *machine, enum vm_home home, struct vm_command *ret,
                                  struct error *err);

/*
 * What names a template: a hash of everything that the restored state depends on, as 16 hex digits. Files count by
 * their identity, size and times, so that a replaced one is noticed at the cost of a stat(2).
 */
must_check int vm_machine_key(const struct vm_machine *machine, char ret[static 17], struct error *err);

/* The rate of this machine's time stamp counter, measured for some ms; 0 where it has none. */
uint64_t vm_tsc_khz(void);

#endif
