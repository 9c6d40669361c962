/*
 * parse.h - strict conversions of text from files, command lines and messages. No privilege.
 *
 * Each takes the whole string: no leading or trailing blank, no sign where none makes sense, no overflow, no locale.
 * 0 and *ret on success; -EINVAL or -ERANGE with a text that says what would be right.
 */
#ifndef AGENTSH_COMMON_PARSE_H
#define AGENTSH_COMMON_PARSE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest account name accepted, as useradd on Linux has it. */
#define ACCOUNT_NAME_MAX 32
/* A session id is this many lower-case hexadecimal digits. */
#define SESSION_ID_LENGTH 16

/* yes/no, true/false, on/off, 1/0; lower case only. */
must_check int parse_bool(const char *text, bool *ret, struct error *err);

/* Decimal digits only, min <= value <= max. */
must_check int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* Bytes: digits with an optional suffix K, M, G, T (powers of 1024). */
must_check int parse_size(const char *text, uint64_t *ret, struct error *err);

/* Seconds: digits with a suffix s, m, h, d or none; "1h30m" adds up, in descending order of unit. */
must_check int parse_duration(const char *text, uint64_t *ret, struct error *err);

/* Thousandths: "2", "0.5", "1.25" (at most three decimals). */
must_check int parse_milli(const char *text, uint64_t *ret, struct error *err);

/* "MAJOR:MINOR" as the kernel writes devices, each at most 32 bits. */
must_check int parse_device(const char *text, uint32_t *ret_major, uint32_t *ret_minor, struct error *err);

/* YYYY-MM-DD, the end of that day (UTC), as seconds since the epoch. */
must_check int parse_date(const char *text, int64_t *ret, struct error *err);

/* An octal-free, absolute, normalised path: starts with '/', no empty, "." or ".." component, no control byte. */
must_check int parse_path(const char *text, struct error *err);

/* An account or service name: [a-z_][a-z0-9_.-]*, at most ACCOUNT_NAME_MAX bytes, not ending in '.' . */
must_check int parse_account_name(const char *text, struct error *err);

/* Whether text is a session id (SESSION_ID_LENGTH lower-case hex digits). */
bool parse_is_session_id(const char *text);

#endif
