/*
 * account_keys.h - checks public key lines, as an authorized_keys file has them. Runs ssh-keygen; no privilege.
 */
#ifndef AGENTSH_ADMIN_ACCOUNT_KEYS_H
#define AGENTSH_ADMIN_ACCOUNT_KEYS_H

#include "common/error.h"

#include <stddef.h>

#define KEY_FILE_MAX  (64 * 1024)
#define KEY_LINE_MAX  8192
#define KEY_LINES_MAX 64 /* each key line starts one ssh-keygen */

/*
 * Every line of the NUL-terminated text (size bytes without it) must be blank, a comment, or a public key without
 * options that ssh-keygen can read; at least one must be a key. *ret_count: how many are.
 */
must_check int keys_check_text(const char *text, size_t size, size_t *ret_count, struct error *err);

/* The same text, checked before, with the options of an agent's key in front of each. The caller frees *ret. */
must_check int keys_restrict(const char *text, char **ret, struct error *err);

#endif
