/*
 * hash.h - a hash (FNV-1a) that names inputs apart. Nobody who could look for collisions can write where it is used.
 */
#ifndef AGENTSH_COMMON_HASH_H
#define AGENTSH_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_INIT 0xcbf29ce484222325ULL

void hash_mix(uint64_t *hash, const void *data, size_t size);

#endif
