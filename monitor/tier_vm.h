/* tier_vm.h - what of the tier vm is asked for besides a session (tier.h). Root. */
#ifndef AGENTSH_MONITOR_TIER_VM_H
#define AGENTSH_MONITOR_TIER_VM_H

#include "common/error.h"
#include "policy/policy.h"
#include "vm/store.h"

#include <stddef.h>

/* Whether a login of this policy finds its template: 1 or 0, with a sentence about it in `ret`. */
must_check int tier_vm_describe_template(const struct policy *policy, char *ret, size_t size, struct error *err);

/* The same for the image of its root. */
must_check int tier_vm_describe_root(const struct policy *policy, char *ret, size_t size, struct error *err);

/* Make both unless they are there. */
must_check int tier_vm_make(const struct policy *policy, const struct vm_progress *progress, struct error *err);

#endif
