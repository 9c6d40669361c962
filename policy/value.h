/*
 * value.h - one value: text to the field of struct policy that its key names, and back. Pure.
 */
#ifndef AGENTSH_POLICY_VALUE_H
#define AGENTSH_POLICY_VALUE_H

#include "policy/table.h"

/*
 * Convert `text` strictly and store it. Errors say what is wrong with the value and what would be right; -ENOTSUP for
 * one that only a later version supports. On failure *policy is unchanged but for a list, which may hold the part
 * before the error.
 */
must_check int value_parse(const struct policy_key *key, const char *text, struct policy *policy, struct error *err);

/* The value as it could stand in a file: value_parse of it gives the same. */
void value_format(const struct policy_key *key, const struct policy *policy, char *ret, size_t size);

/* The parts of names.c: lists of services, of variables to keep, of variables to set. */
must_check int names_parse_services(const char *text, struct policy_names *ret, struct error *err);
must_check int names_parse_keep(const char *text, struct policy_names *ret, struct error *err);
must_check int names_parse_set(const char *text, struct policy_texts *ret, struct error *err);
must_check int names_parse_paths(const char *text, struct policy_texts *ret, struct error *err);
void names_format(const struct policy_names *names, char *ret, size_t size);
void names_format_set(const struct policy_texts *set, char *ret, size_t size);

#endif
