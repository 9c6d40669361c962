/*
 * modules.h - which modules of a kernel a guest needs, with what they build on, in the order in which they are loaded.
 */
#ifndef AGENTSH_VM_MODULES_H
#define AGENTSH_VM_MODULES_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define MODULES_MAX     32
#define MODULE_PATH_MAX 256

struct module {
        char path[MODULE_PATH_MAX]; /* below the directory of the kernel's modules */
        bool late;                  /* loaded by a session, not by the template */
};

struct module_list {
        struct module item[MODULES_MAX];
        size_t count;
};

/*
 * From the kernel's lists and modinfo(8), for what guests need. `directory_fd` is /lib/modules/RELEASE or its like;
 * `directory` its path. What is built into the kernel is left out; a module that is nowhere is an error.
 */
must_check int modules_find(int directory_fd, const char *directory, struct module_list *ret, struct error *err);

/*
 * The path of `name` (dashes and underscores are the same) in the text of modules.order or modules.builtin. False when
 * it is not there. Pure.
 */
bool modules_look_up(const char *text, const char *name, char ret[static MODULE_PATH_MAX]);

#endif
