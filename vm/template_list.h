/*
 * template_list.h - which templates there are. Root.
 */
#ifndef AGENTSH_VM_TEMPLATE_LIST_H
#define AGENTSH_VM_TEMPLATE_LIST_H

#include "common/error.h"
#include "vm/machine.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm_template_info {
        char key[17];
        char kernel[PATH_MAX]; /* this and the next four: "" or 0 when its description cannot be read */
        char accel[8];
        uint64_t memory; /* bytes */
        unsigned cpus;
        int64_t made;    /* seconds since the epoch */
        uint64_t size;   /* bytes on disk */
        bool used;       /* by a session that lives */
        char stale[160]; /* why no login will use it again; "": a login of such a policy does */
};

struct vm_template_list {
        size_t count;
        struct vm_template_info *item;
};

#define cleanup_template_list __attribute__((cleanup(vm_template_list_done)))

/* The newest first. No directory of templates is an empty list. */
must_check int vm_template_list_read(struct vm_template_list *ret, struct error *err);
void vm_template_list_done(struct vm_template_list *list);

/* Fill *ret from the text of a template's description; false when it is none. Pure. */
struct vm_description {
        char kernel[PATH_MAX], modules[PATH_MAX], qemu[PATH_MAX];
        enum vm_accel accel;
        uint64_t memory;
        unsigned cpus;
        int64_t made;
};
must_check bool vm_description_parse(const char *text, struct vm_description *ret);

#endif
