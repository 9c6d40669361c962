/* template_dir.h - the directory of the templates and its lock, for the files that work in it. Root. */
#ifndef AGENTSH_VM_TEMPLATE_DIR_H
#define AGENTSH_VM_TEMPLATE_DIR_H

#include "common/error.h"
#include "vm/template.h"

/* VM_TEMPLATES_DIR, made when it is missing, checked to be root's alone. */
must_check int vm_templates_open(int *ret, struct error *err);

/* The lock under which templates are made and removed: an fd that holds it, owned by the caller. Waits for it. */
must_check int vm_templates_lock(int templates, const struct vm_progress *progress, struct error *err);

#endif
