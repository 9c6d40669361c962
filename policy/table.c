/* table.c - makes the key table of policy/keys.def and finds things in it. Constant data only. */
#include "policy/table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NOW_ENTRY(word, value)   { word, value, true },
#define LATER_ENTRY(word, value) { word, value, false },
#define NOW_TEXT(word, value)    ", " word
#define LATER_TEXT(word, value)
#define WORD_LIST(NAME)                      \
        NAME##_WORDS(NOW_ENTRY, LATER_ENTRY) \
        {                                    \
                NULL, 0, false               \
        }
#define WORD_TEXT(NAME) (&("" NAME##_WORDS(NOW_TEXT, LATER_TEXT))[2])

/* The first inclusion is for the lists of words alone. */
#define KEY(section, key, type, fallback, range, field, help)
#define LATER(section, key, help)
#include "policy/keys.def"

static const struct key_word tier_list[] = { WORD_LIST(TIER) };
static const struct key_word risk_list[] = { WORD_LIST(RISK) };
static const struct key_word sshd_list[] = { WORD_LIST(SSHD) };
static const struct key_word root_list[] = { WORD_LIST(ROOT) };
static const struct key_word home_list[] = { WORD_LIST(HOME) };
static const struct key_word network_list[] = { WORD_LIST(NETWORK) };
static const struct key_word accel_list[] = { WORD_LIST(ACCEL) };
static const struct key_word second_list[] = { WORD_LIST(SECOND) };
static const struct key_word seccomp_list[] = { WORD_LIST(SECCOMP) };
#define TIER_LIST    tier_list
#define RISK_LIST    risk_list
#define SSHD_LIST    sshd_list
#define ROOT_LIST    root_list
#define HOME_LIST    home_list
#define NETWORK_LIST network_list
#define ACCEL_LIST   accel_list
#define SECOND_LIST  second_list
#define SECCOMP_LIST seccomp_list

/* What each type writes to its field; a field of another size does not compile. */
#define FIELD_BOOL     bool
#define FIELD_NUMBER   uint64_t
#define FIELD_SIZE     uint64_t
#define FIELD_DURATION uint64_t
#define FIELD_DECIMAL  uint64_t
#define FIELD_DATE     int64_t
#define FIELD_PATH     char[PATH_MAX]
#define FIELD_FILE     char[PATH_MAX]
#define FIELD_WORD     int
#define FIELD_SOURCE   char[PATH_MAX]
#define FIELD_TEMPLATE char[POLICY_NAME_MAX]
#define FIELD_SERVICES struct policy_names
#define FIELD_KEEP     struct policy_names
#define FIELD_SET      struct policy_texts
#define FIELD_PATHS    struct policy_texts
#define KEY(section, key, type, fallback, range, field, help) \
        static_assert(sizeof(((struct policy *)NULL)->field) == sizeof(FIELD_##type), "field of " #section "." #key);
#define LATER(section, key, help)
#include "policy/keys.def"

#define ANY             .range = ""
#define RANGE(lo, hi)   .min = (lo), .max = (hi), .range = lo " to " hi
#define ZERO_OR(lo, hi) .zero = true, .min = (lo), .max = (hi), .range = "0, or " lo " to " hi
#define WORDS(NAME)     .words = NAME##_LIST, .range = WORD_TEXT(NAME)

static const struct policy_key keys[] = {
#define KEY(section_, key_, type_, fallback_, range_, field_, help_) \
        { .section = #section_,                                      \
          .name = #key_,                                             \
          .type = TYPE_##type_,                                      \
          .fallback = (fallback_),                                   \
          .help = (help_),                                           \
          .offset = offsetof(struct policy, field_),                 \
          range_ },
#define LATER(section_, key_, help_) \
        { .section = #section_, .name = #key_, .type = TYPE_LATER, .fallback = "", .range = "", .help = (help_) },
#include "policy/keys.def"
};

static const char *const type_names[] = {
        [TYPE_BOOL] = "yes or no",      [TYPE_NUMBER] = "number",       [TYPE_SIZE] = "size",
        [TYPE_DURATION] = "duration",   [TYPE_DECIMAL] = "decimal",     [TYPE_DATE] = "date",
        [TYPE_PATH] = "path",           [TYPE_FILE] = "path, or empty", [TYPE_WORD] = "word",
        [TYPE_SOURCE] = "root source",  [TYPE_TEMPLATE] = "template",   [TYPE_SERVICES] = "names",
        [TYPE_KEEP] = "variable names", [TYPE_SET] = "variables",       [TYPE_PATHS] = "paths",
        [TYPE_LATER] = "none yet",
};

const struct policy_key *table_key(size_t index)
{
        return &keys[index < POLICY_KEYS ? index : 0];
}

size_t table_find(const char *section, const char *name)
{
        for (size_t i = 0; i < POLICY_KEYS; i++)
                if (strcmp(keys[i].name, name) == 0 && strcmp(keys[i].section, section) == 0)
                        return i;
        return POLICY_KEYS;
}

enum section_state table_find_section(const char *section)
{
        enum section_state state = SECTION_UNKNOWN;

        if (strncmp(section, "bind ", 5) == 0)
                section = "bind";
        for (size_t i = 0; i < POLICY_KEYS; i++) {
                if (strcmp(keys[i].section, section) != 0)
                        continue;
                if (keys[i].type != TYPE_LATER)
                        return SECTION_KNOWN;
                state = SECTION_LATER;
        }
        return state;
}

void table_suggest_section(struct suggestion *suggestion)
{
        for (size_t i = 0; i < POLICY_KEYS; i++)
                if (keys[i].type != TYPE_LATER)
                        suggest_offer(suggestion, keys[i].section);
}

void table_suggest_key(const char *section, struct suggestion *suggestion)
{
        for (size_t i = 0; i < POLICY_KEYS; i++)
                if (keys[i].type != TYPE_LATER && strcmp(keys[i].section, section) == 0)
                        suggest_offer(suggestion, keys[i].name);
}

const char *table_section_of(const char *name)
{
        for (size_t i = 0; i < POLICY_KEYS; i++)
                if (keys[i].type != TYPE_LATER && strcmp(keys[i].name, name) == 0)
                        return keys[i].section;
        return NULL;
}

size_t policy_key_count(void)
{
        return POLICY_KEYS;
}

void policy_key_describe(size_t index, struct policy_key_info *ret)
{
        const struct policy_key *key = table_key(index);

        *ret = (struct policy_key_info){ .section = key->section,
                                         .key = key->name,
                                         .type = type_names[key->type],
                                         .fallback = key->fallback,
                                         .range = key->range,
                                         .help = key->help,
                                         .supported = key->type != TYPE_LATER };
}

const char *policy_tier_name(enum policy_tier tier)
{
        for (const struct key_word *word = tier_list; word->word != NULL; word++)
                if (word->value == (int)tier)
                        return word->word;
        return "unknown";
}
