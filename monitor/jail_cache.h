/*
 * jail_cache.h - directories of root's below the runtime directory, for what logins would otherwise make again.
 */
#ifndef AGENTSH_MONITOR_JAIL_CACHE_H
#define AGENTSH_MONITOR_JAIL_CACHE_H

#include "common/error.h"

/*
 * Open the directory at `path`: root's, not writable by others; made with mode 0700 when it is missing, as its parent
 * with 0711. Returns an O_PATH fd or one open for reading; the caller owns it. Needs root.
 */
must_check int cache_open(const char *path, struct error *err);

#endif
