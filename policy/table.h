/*
 * table.h - the key table that policy/keys.def becomes: look-up by name. Constant data, no privilege.
 */
#ifndef AGENTSH_POLICY_TABLE_H
#define AGENTSH_POLICY_TABLE_H

#include "policy/policy.h"
#include "policy/suggest.h"

#include <stdbool.h>
#include <stddef.h>

enum key_type {
        TYPE_BOOL,
        TYPE_NUMBER,
        TYPE_SIZE,
        TYPE_DURATION,
        TYPE_DECIMAL,
        TYPE_DATE,
        TYPE_PATH,
        TYPE_WORD,
        TYPE_FILE,
        TYPE_SOURCE,
        TYPE_TEMPLATE,
        TYPE_SERVICES,
        TYPE_KEEP,
        TYPE_SET,
        TYPE_PATHS,
        TYPE_LATER, /* no field: this version refuses the key */
};

struct key_word {
        const char *word; /* NULL ends a list */
        int value;
        bool supported;
};

struct policy_key {
        const char *section, *name, *fallback, *help;
        const char *min, *max; /* NULL: no range */
        const char *range;     /* the same, or the words, for people */
        const struct key_word *words;
        enum key_type type;
        bool zero;     /* 0 is allowed besides the range */
        size_t offset; /* of the field in struct policy */
};

/* Index of each supported key: KEY_limits_memory. */
enum policy_key_index {
#define KEY(section, key, type, fallback, range, field, help) KEY_##section##_##key,
#define LATER(section, key, help)                             KEY_##section##_##key,
#include "policy/keys.def"
        POLICY_KEYS
};

const struct policy_key *table_key(size_t index);

/* Index of the key of that exact name, or POLICY_KEYS. */
size_t table_find(const char *section, const char *name);

enum section_state { SECTION_UNKNOWN, SECTION_LATER, SECTION_KNOWN };

/* "bind NAME" is found as "bind". LATER: this version supports none of its keys. */
enum section_state table_find_section(const char *section);

/* Offer every section, or the keys of a section, to a search for the nearest name. */
void table_suggest_section(struct suggestion *suggestion);
void table_suggest_key(const char *section, struct suggestion *suggestion);

/* The first section that has a key of that name, or NULL. */
const char *table_section_of(const char *name);

#endif
