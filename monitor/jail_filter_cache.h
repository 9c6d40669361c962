/*
 * jail_filter_cache.h - compiled filters kept in files of root's, so that a login need not compile one.
 */
#ifndef AGENTSH_MONITOR_JAIL_FILTER_CACHE_H
#define AGENTSH_MONITOR_JAIL_FILTER_CACHE_H

#include "common/error.h"
#include "monitor/jail_seccomp.h"

/*
 * The filter for `flags` from the directory at `path` (made with mode 0700 when missing, as its parent with 0711), or
 * a new one that is then kept there. A file that is damaged or not root's is not used. A failure to keep it is none:
 * it is only slower next time. Needs root.
 */
must_check int jail_filter_load(const char *path, unsigned flags, struct jail_filter *ret, struct error *err);

#endif
