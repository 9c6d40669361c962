/*
 * make.h - what virtual machines start from, made before a login needs it: for `agentshctl vm build`. Says what it does
 * on standard error. Root.
 */
#ifndef AGENTSH_MONITOR_MAKE_H
#define AGENTSH_MONITOR_MAKE_H

#include "common/error.h"

/* All that a login of this account needs. -EINVAL when it gets no virtual machine. */
must_check int make_for_account(const char *account, struct error *err);

/* The image of a root ("host", "dir:PATH"), as accounts with the defaults of [root] have it. */
must_check int make_root(const char *source, struct error *err);

#endif
