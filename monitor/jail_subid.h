/*
 * jail_subid.h - an account's range in /etc/subuid or /etc/subgid. Pure but for reading the file; no name service.
 */
#ifndef AGENTSH_MONITOR_JAIL_SUBID_H
#define AGENTSH_MONITOR_JAIL_SUBID_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SUBID_COUNT 65535 /* ids that fake_root needs: 1 to 65535 inside */
#define SUBID_FIRST 65536 /* lowest id that a range may begin with: below are real accounts */

struct subid_range {
        uint32_t first, count;
};

/*
 * Find the first range of at least SUBID_COUNT ids that belongs to `account` (by name or by uid) in the text of such a
 * file: lines OWNER:FIRST:COUNT, blank lines and lines that begin with '#' passed over. -ENOENT when there is none;
 * -EINVAL for a malformed line, an overflow, a range below SUBID_FIRST, or one that another owner's overlaps.
 * `name` is what errors call the file.
 */
must_check int subid_find_in_text(const char *text, size_t size, const char *name, const char *account, uid_t uid,
                                  struct subid_range *ret, struct error *err);

/* The same for the file at `path`: root's, not writable by others, no link on the way. */
must_check int subid_find(const char *path, const char *account, uid_t uid, struct subid_range *ret, struct error *err);

#endif
