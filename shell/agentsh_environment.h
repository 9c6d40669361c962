/*
 * agentsh_environment.h - which of the caller's variables go in. Pure.
 */
#ifndef AGENTSH_SHELL_AGENTSH_ENVIRONMENT_H
#define AGENTSH_SHELL_AGENTSH_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#define ENVIRONMENT_VALUE_MAX 4096        /* bytes of one NAME=VALUE; longer ones stay out */
#define ENVIRONMENT_TOTAL_MAX (32 * 1024) /* bytes of all; those that do not fit stay out */

/*
 * Whether `name` (length bytes) matches one of `patterns`: one a line, exact or a prefix ending in '*'. Blank lines
 * match nothing.
 */
bool environment_matches(const char *patterns, const char *name, size_t length);

/*
 * Copy those of `environ` (NULL-terminated) that match, as "NAME=VALUE\0"..., to `ret`. What is no assignment to a
 * well-formed name, or names the session's own socket, never matches. Returns the bytes used, at most `max`.
 */
size_t environment_filter(const char *patterns, char *const *environment, char *ret, size_t max);

#endif
