/*
 * jail_seccomp.h - the jail's system call filter: compiled from seccomp_default.def, kept, installed.
 *
 * It is two BPF programs, since the kernel takes the stricter answer of all that are installed: one by number alone
 * (an allow list; the kernel caches its answers), one by arguments for the few calls that need it. Foreign ABIs are
 * killed by both.
 */
#ifndef AGENTSH_MONITOR_JAIL_SECCOMP_H
#define AGENTSH_MONITOR_JAIL_SECCOMP_H

#include "common/error.h"
#include "policy/policy.h"

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define JAIL_FILTER_PROGRAMS 2

/* What of a policy makes a different filter. */
#define JAIL_FILTER_STRICT (1U << 0)
#define JAIL_FILTER_NESTED (1U << 1)

struct jail_filter {
        struct {
                size_t count;              /* instructions */
                struct sock_filter *code;  /* owned, from malloc */
        } program[JAIL_FILTER_PROGRAMS];   /* by number, by arguments */
};

#define JAIL_FILTER_INIT { .program = { { 0, NULL }, { 0, NULL } } }

void jail_filter_done(struct jail_filter *filter);

unsigned jail_filter_flags(const struct policy *policy);

/* Compile with libseccomp (milliseconds). Needs no privilege. */
must_check int jail_filter_compile(unsigned flags, struct jail_filter *ret, struct error *err);

/* Names everything that the result of jail_filter_compile depends on. */
uint64_t jail_filter_key(unsigned flags);

/* Install both programs for the calling process. Needs no_new_privs. */
must_check int jail_filter_install(const struct jail_filter *filter, struct error *err);

#endif
