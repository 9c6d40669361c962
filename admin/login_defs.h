/*
 * login_defs.h - the two text files of the shadow suite that matter here: login.defs and subuid. Needs no capability.
 */
#ifndef AGENTSH_ADMIN_LOGIN_DEFS_H
#define AGENTSH_ADMIN_LOGIN_DEFS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The number that /etc/login.defs gives for `key`, or `fallback` when it gives none. */
uint64_t login_defs_number(const char *key, uint64_t fallback);

/* The same on a text. The last line with the key counts, as in the shadow suite. Pure. */
uint64_t login_defs_parse(const char *text, const char *key, uint64_t fallback);

struct subid_range {
        uint64_t start, count;
};

/*
 * The largest range that a subuid(5) text gives to the account, by name or by number; false when there is none.
 * Lines that are malformed, or whose range does not fit in 32 bits or holds 0, are passed over. Pure.
 */
bool subid_parse(const char *text, const char *name, uid_t uid, struct subid_range *ret);

/* The same on /etc/subuid or /etc/subgid. */
bool subid_find(const char *path, const char *name, uid_t uid, struct subid_range *ret);

/* The first multiple of 65536 from `least` on behind every range of the file; for a new range. */
uint64_t subid_first_free(const char *path, uint64_t least);

#endif
