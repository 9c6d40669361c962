/*
 * jail_seccomp.h - the jail's system call filter: compiled from seccomp_default.def and seccomp_strict.def, kept,
 * installed.
 *
 * It is one BPF program made of two that libseccomp compiles: the conditions on arguments first (everything else goes
 * on), then the allow list by number. Foreign ABIs are killed.
 */
#ifndef AGENTSH_MONITOR_JAIL_SECCOMP_H
#define AGENTSH_MONITOR_JAIL_SECCOMP_H

#include "common/error.h"
#include "policy/policy.h"

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* What of a policy makes a different filter. */
#define JAIL_FILTER_STRICT (1U << 0)
#define JAIL_FILTER_NESTED (1U << 1)

struct jail_filter {
        size_t count;             /* instructions */
        struct sock_filter *code; /* owned, from malloc */
};

#define JAIL_FILTER_INIT                 \
        {                                \
                .count = 0, .code = NULL \
        }

void jail_filter_done(struct jail_filter *filter);

unsigned jail_filter_flags(const struct policy *policy);

/* Compile with libseccomp (milliseconds). Needs no privilege. */
must_check int jail_filter_compile(unsigned flags, struct jail_filter *ret, struct error *err);

/* Names everything that the result of jail_filter_compile depends on. */
uint64_t jail_filter_key(unsigned flags);

/* Install it for the calling process. Needs no_new_privs. */
must_check int jail_filter_install(const struct jail_filter *filter, struct error *err);

#endif
