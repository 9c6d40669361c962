/*
 * policy_edit.h - sets one key in the text of a policy file and leaves all else, comments and order included, as it is.
 * Pure but for memory.
 */
#ifndef AGENTSH_ADMIN_POLICY_EDIT_H
#define AGENTSH_ADMIN_POLICY_EDIT_H

#include "common/error.h"

#include <stddef.h>

/*
 * *ret_text: `text` with "key = value" in [section]: in the place of the line that has the key, else behind the
 * section's heading, else in a new section at the end. `key` and `value` are literals of ours. The caller frees.
 * -EINVAL for a text whose syntax is wrong.
 */
must_check int policy_edit_set(const char *text, size_t size, const char *section, const char *key, const char *value,
                               char **ret_text, struct error *err);

#endif
