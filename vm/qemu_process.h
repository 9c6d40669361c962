/*
 * qemu_process.h - QEMU as a child with nothing but the fds it is given. For templates, whose guest runs code of ours
 * alone; a session's QEMU runs in a jail (monitor/tier_vm.c).
 */
#ifndef AGENTSH_VM_QEMU_PROCESS_H
#define AGENTSH_VM_QEMU_PROCESS_H

#include "common/error.h"
#include "vm/machine.h"

#include <sys/types.h>

/* Nobody's: owns the memory's file while QEMU fills it. */
#define QEMU_UID 65534

struct qemu_process {
        pid_t pid;  /* 0: none */
        int log_fd; /* what it says on stderr; owned */
};

#define QEMU_PROCESS_INIT                  \
        {                                  \
                .pid = 0, .log_fd = -EBADF \
        }

/*
 * Start it as QEMU_UID without capabilities, dying with this process. fds[i] becomes its fd VM_FD_CHANNEL + i; -1 leaves
 * that number closed; all others are closed. Needs CAP_SETUID and CAP_SETGID.
 */
must_check int qemu_start(const struct vm_command *command, const int fds[VM_FD_END - VM_FD_CHANNEL],
                          struct qemu_process *ret, struct error *err);

/* Kill and reap it. */
void qemu_done(struct qemu_process *process);

/* The last line that it wrote to stderr, escaped; empty when there is none. */
void qemu_last_words(const struct qemu_process *process, char *ret, size_t size);

#endif
