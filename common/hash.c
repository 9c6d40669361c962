/* hash.c - FNV-1a, 64 bits. Pure. */
#include "common/hash.h"

void hash_mix(uint64_t *hash, const void *data, size_t size)
{
        const unsigned char *bytes = data;

        for (size_t i = 0; i < size; i++)
                *hash = (*hash ^ bytes[i]) * 0x100000001b3ULL;
}
