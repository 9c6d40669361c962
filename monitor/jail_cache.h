/*
 * jail_cache.h - directories of root's below the runtime directory, for what logins would otherwise make again.
 */
#ifndef AGENTSH_MONITOR_JAIL_CACHE_H
#define AGENTSH_MONITOR_JAIL_CACHE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Open the directory at `path`: root's, not writable by others; made with mode 0700 when it is missing, as its parent
 * with 0711. Returns an O_PATH fd or one open for reading; the caller owns it. Needs root.
 */
must_check int cache_open(const char *path, struct error *err);

/* A hash (FNV-1a) that names inputs apart. Nobody who could look for collisions can write where it is used. */
#define CACHE_HASH_INIT 0xcbf29ce484222325ULL
void cache_mix(uint64_t *hash, const void *data, size_t size);

#endif
