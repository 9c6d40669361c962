/* value.c - strict conversion of one value by the type of its key. Pure. */
#include "policy/value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Text that fits init_config.shell with its NUL. */
#define SHELL_PATH_MAX 255

#define SOURCES "host, image:PATH, dir:PATH"

static void *field_of(struct policy *policy, const struct policy_key *key)
{
        return (char *)policy + key->offset;
}

static const void *const_field_of(const struct policy *policy, const struct policy_key *key)
{
        return (const char *)policy + key->offset;
}

static int parse_unsigned(enum key_type type, const char *text, uint64_t *ret, struct error *err)
{
        if (type == TYPE_SIZE)
                return parse_size(text, ret, err);
        if (type == TYPE_DURATION)
                return parse_duration(text, ret, err);
        if (type == TYPE_DECIMAL)
                return parse_milli(text, ret, err);
        return parse_number(text, 0, UINT64_MAX, ret, err);
}

static int parse_in_range(const struct policy_key *key, const char *text, uint64_t *ret, struct error *err)
{
        uint64_t value, min, max;
        int r = parse_unsigned(key->type, text, &value, err);

        if (r < 0)
                return r;
        if (key->min != NULL && !(key->zero && value == 0)) {
                r = parse_unsigned(key->type, key->min, &min, err);
                if (r < 0)
                        return r;
                r = parse_unsigned(key->type, key->max, &max, err);
                if (r < 0)
                        return r;
                if (value < min || value > max)
                        return error_text(err, ERANGE, "%s is out of range (%s)", text, key->range);
        }
        *ret = value;
        return 0;
}

static int parse_word(const struct policy_key *key, const char *text, int *ret, struct error *err)
{
        struct suggestion nearest = SUGGESTION(text);

        for (const struct key_word *word = key->words; word->word != NULL; word++) {
                suggest_offer(&nearest, word->word);
                if (strcmp(word->word, text) != 0)
                        continue;
                if (!word->supported)
                        return error_text(err, ENOTSUP, "%s: not supported by this version (supported: %s)", text,
                                          key->range);
                *ret = word->value;
                return 0;
        }
        if (nearest.nearest != NULL)
                return error_text(err, EINVAL, "\"%s\" is no value of it (did you mean %s?)", text, nearest.nearest);
        return error_text(err, EINVAL, "\"%s\" is no value of it (supported: %s)", text, key->range);
}

static int parse_yes_no(const char *text, bool *ret, struct error *err)
{
        struct suggestion nearest = SUGGESTION(text);

        if (parse_bool(text, ret, NULL) == 0)
                return 0;
        suggest_offer(&nearest, "yes");
        suggest_offer(&nearest, "no");
        suggest_offer(&nearest, "true");
        suggest_offer(&nearest, "false");
        if (nearest.nearest != NULL)
                return error_text(err, EINVAL, "\"%s\" is neither yes nor no (did you mean %s?)", text,
                                  nearest.nearest);
        return error_text(err, EINVAL, "\"%s\" is neither yes nor no", text);
}

static int parse_expiry(const char *text, int64_t *ret, struct error *err)
{
        if (strcmp(text, "never") == 0) {
                *ret = 0;
                return 0;
        }
        if (parse_date(text, ret, NULL) < 0)
                return error_text(err, EINVAL, "\"%s\" is not a date (YYYY-MM-DD or never)", text);
        return 0;
}

static int parse_shell(const char *text, char *ret, struct error *err)
{
        int r = parse_path(text, err);

        if (r < 0)
                return r;
        if (strlen(text) > SHELL_PATH_MAX)
                return error_text(err, ENAMETOOLONG, "the path is longer than %d bytes", SHELL_PATH_MAX);
        if (text[1] == '\0' || strcmp(strrchr(text, '/'), "/agentsh") == 0)
                return error_text(err, EINVAL, "%s is no shell for the inside", text);
        (void)snprintf(ret, PATH_MAX, "%s", text);
        return 0;
}

/* A path, or nothing. */
static int parse_file(const char *text, char *ret, struct error *err)
{
        int r = text[0] == '\0' ? 0 : parse_path(text, err);

        if (r >= 0)
                (void)snprintf(ret, PATH_MAX, "%s", text);
        return r;
}

static int parse_source(const char *text, char *ret, struct error *err)
{
        static const char *const with_path[] = { "image:", "dir:" };
        bool good = strcmp(text, "host") == 0;

        for (size_t i = 0; i < sizeof(with_path) / sizeof(with_path[0]) && !good; i++) {
                size_t length = strlen(with_path[i]);
                int r;

                if (strncmp(text, with_path[i], length) != 0)
                        continue;
                r = parse_path(text + length, err);
                if (r < 0)
                        return r;
                good = true;
        }
        if (good) {
                (void)snprintf(ret, PATH_MAX, "%s", text);
                return 0;
        }
        if (strncmp(text, "oci:", strlen("oci:")) == 0)
                return error_text(err, ENOTSUP, "%s: not supported by this version (supported: %s)", text, SOURCES);
        return error_text(err, EINVAL, "\"%s\" is no root source (supported: %s)", text, SOURCES);
}

static int parse_template(const char *text, char *ret, struct error *err)
{
        int r;

        if (*text == '\0') {
                *ret = '\0';
                return 0;
        }
        r = parse_account_name(text, err);
        if (r < 0)
                return r;
        (void)snprintf(ret, POLICY_NAME_MAX, "%s", text);
        return 0;
}

static bool may_be_empty(enum key_type type)
{
        return type == TYPE_KEEP || type == TYPE_SET || type == TYPE_PATHS || type == TYPE_TEMPLATE ||
               type == TYPE_FILE;
}

int value_parse(const struct policy_key *key, const char *text, struct policy *policy, struct error *err)
{
        void *field = field_of(policy, key);

        if (*text == '\0' && !may_be_empty(key->type))
                return error_text(err, EINVAL, "a value is missing");
        switch (key->type) {
        case TYPE_BOOL:
                return parse_yes_no(text, field, err);
        case TYPE_NUMBER:
        case TYPE_SIZE:
        case TYPE_DURATION:
        case TYPE_DECIMAL:
                return parse_in_range(key, text, field, err);
        case TYPE_DATE:
                return parse_expiry(text, field, err);
        case TYPE_PATH:
                return parse_shell(text, field, err);
        case TYPE_FILE:
                return parse_file(text, field, err);
        case TYPE_WORD:
                return parse_word(key, text, field, err);
        case TYPE_SOURCE:
                return parse_source(text, field, err);
        case TYPE_TEMPLATE:
                return parse_template(text, field, err);
        case TYPE_SERVICES:
                return names_parse_services(text, field, err);
        case TYPE_KEEP:
                return names_parse_keep(text, field, err);
        case TYPE_SET:
                return names_parse_set(text, field, err);
        case TYPE_PATHS:
                return names_parse_paths(text, field, err);
        case TYPE_LATER:
                break;
        }
        return error_text(err, ENOTSUP, "not supported by this version");
}

static void format_size(uint64_t value, char *ret, size_t size)
{
        static const char suffixes[] = "KMGT";
        int suffix = -1;

        while (value != 0 && value % 1024 == 0 && suffix < 3) {
                value /= 1024;
                suffix++;
        }
        if (suffix < 0)
                (void)snprintf(ret, size, "%llu", (unsigned long long)value);
        else
                (void)snprintf(ret, size, "%llu%c", (unsigned long long)value, suffixes[suffix]);
}

static void format_duration(uint64_t value, char *ret, size_t size)
{
        static const struct {
                char suffix;
                uint64_t seconds;
        } units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
        size_t used = 0;

        (void)snprintf(ret, size, "0");
        for (size_t i = 0; i < 4; i++) {
                uint64_t count = value / units[i].seconds;
                int length;

                value %= units[i].seconds;
                if (count == 0 || used >= size)
                        continue;
                length = snprintf(ret + used, size - used, "%llu%c", (unsigned long long)count, units[i].suffix);
                used += length > 0 ? (size_t)length : 0;
        }
}

static void format_milli(uint64_t value, char *ret, size_t size)
{
        int length = snprintf(ret, size, "%llu.%03llu", (unsigned long long)(value / 1000),
                              (unsigned long long)(value % 1000));

        if (length < 0 || (size_t)length >= size)
                return;
        while (ret[length - 1] == '0')
                ret[--length] = '\0';
        if (ret[length - 1] == '.')
                ret[length - 1] = '\0';
}

static void format_date(int64_t value, char *ret, size_t size)
{
        time_t seconds = value;
        struct tm date;

        if (value == 0 || gmtime_r(&seconds, &date) == NULL || strftime(ret, size, "%Y-%m-%d", &date) == 0)
                (void)snprintf(ret, size, "never");
}

static const char *word_of(const struct policy_key *key, int value)
{
        for (const struct key_word *word = key->words; word->word != NULL; word++)
                if (word->value == value)
                        return word->word;
        return "";
}

void value_format(const struct policy_key *key, const struct policy *policy, char *ret, size_t size)
{
        const void *field = const_field_of(policy, key);

        if (size == 0)
                return;
        ret[0] = '\0';
        switch (key->type) {
        case TYPE_BOOL:
                (void)snprintf(ret, size, "%s", *(const bool *)field ? "yes" : "no");
                break;
        case TYPE_NUMBER:
                (void)snprintf(ret, size, "%llu", (unsigned long long)*(const uint64_t *)field);
                break;
        case TYPE_SIZE:
                format_size(*(const uint64_t *)field, ret, size);
                break;
        case TYPE_DURATION:
                format_duration(*(const uint64_t *)field, ret, size);
                break;
        case TYPE_DECIMAL:
                format_milli(*(const uint64_t *)field, ret, size);
                break;
        case TYPE_DATE:
                format_date(*(const int64_t *)field, ret, size);
                break;
        case TYPE_PATH:
        case TYPE_FILE:
        case TYPE_SOURCE:
        case TYPE_TEMPLATE:
                (void)snprintf(ret, size, "%s", (const char *)field);
                break;
        case TYPE_WORD:
                (void)snprintf(ret, size, "%s", word_of(key, *(const int *)field));
                break;
        case TYPE_SERVICES:
        case TYPE_KEEP:
                names_format(field, ret, size);
                break;
        case TYPE_SET:
        case TYPE_PATHS:
                names_format_set(field, ret, size);
                break;
        case TYPE_LATER:
                break;
        }
}

void policy_key_format(const struct policy *policy, size_t index, char *ret, size_t size)
{
        value_format(table_key(index), policy, ret, size);
}
