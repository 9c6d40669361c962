/*
 * template.h - machines that were booted once and frozen, below AGENTSH_STATE_DIR/vm: a session starts as a copy.
 *
 *   KEY/ram      the guest's memory, sparse     both root's, 0600, never changed once KEY is there
 *   KEY/state    the devices' state
 *   KEY/about    text for people: NAME=VALUE lines
 *
 * Root.
 */
#ifndef AGENTSH_VM_TEMPLATE_H
#define AGENTSH_VM_TEMPLATE_H

#include "common/error.h"
#include "vm/machine.h"
#include "vm/store.h"

/* The store of templates; its shared file is the memory. */
extern const struct store vm_templates;

struct vm_template {
        int ram_fd;   /* owned; open for reading; with a lock that says "used" (store.h) for as long as it is open */
        int state_fd; /* owned; open for reading */
};

#define VM_TEMPLATE_INIT                             \
        {                                            \
                .ram_fd = -EBADF, .state_fd = -EBADF \
        }

void vm_template_done(struct vm_template *template);

#define cleanup_template __attribute__((cleanup(vm_template_done)))

/* -ENOENT when there is none of this key. */
must_check int vm_template_open(const char *key, struct vm_template *ret, struct error *err);

/*
 * Make the template of `machine` unless it is there; one process at a time does, the others wait for it. Takes seconds
 * with KVM and without; given up after three attempts of a minute. ret_key: 17 bytes.
 */
must_check int vm_template_build(const struct vm_machine *machine, const struct vm_progress *progress,
                                 char ret_key[static 17], struct error *err);

#endif
