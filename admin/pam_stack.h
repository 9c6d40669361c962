/*
 * pam_stack.h - a service's PAM stack as libpam would run it, and whether a module in it decides. No privilege.
 */
#ifndef AGENTSH_ADMIN_PAM_STACK_H
#define AGENTSH_ADMIN_PAM_STACK_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define PAM_RULES_MAX 128

enum pam_facility { PAM_FACILITY_ACCOUNT, PAM_FACILITY_SESSION, PAM_FACILITY_AUTH };

const char *pam_facility_name(enum pam_facility facility);

struct pam_rule {
        char control[160];   /* "required", "[success=1 default=ignore]", ... */
        char module[256];    /* "" for the place where a substack begins */
        char arguments[128]; /* cut when longer */
        char file[64];       /* where it stands */
        unsigned line;
        unsigned level;     /* 0; one more inside each substack */
        bool optional_file; /* "-session": a module that is missing is passed over */
};

struct pam_stack {
        size_t count;
        struct pam_rule rule[PAM_RULES_MAX];
};

/*
 * Read the stack of `service` for one facility from the directories (fds, in order of precedence), following @include,
 * include and substack. -ENOENT: no directory has a file of that name. -EINVAL for what libpam would refuse (an
 * included file that cannot be read, for one) or this parser does not understand; *ret is then not written. A stack
 * without a rule is no error here; libpam takes the one of "other" instead.
 */
must_check int pam_stack_read(const int *directories, size_t count, const char *service, enum pam_facility facility,
                              struct pam_stack *ret, struct error *err);

/* A rule of the stack whose module has this argument; NULL when there is none. */
const struct pam_rule *pam_stack_find(const struct pam_stack *stack, const char *module, const char *argument);

/*
 * Whether `module` (a file name; a rule may have a path in front) is run in every login through the stack and its
 * refusal ends the login: its control is required or requisite (or [...] with the default bad or die), a missing file
 * is an error, and no rule before it can end the stack with success or jump over it. 0, or -EPERM with what is wrong
 * and where in the text; -ENOENT when it is not in the stack.
 */
must_check int pam_stack_check(const struct pam_stack *stack, const char *module, struct error *err);

#endif
