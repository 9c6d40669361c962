/* parse.c - strict conversions. Pure: no system call, no locale, no allocation. */
#include "common/parse.h"

#include <errno.h>
#include <string.h>

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* Reads digits at *text into *ret and moves *text behind them. At least one digit; false on none or overflow. */
static bool take_digits(const char **text, uint64_t *ret)
{
        uint64_t value = 0;

        if (!is_digit(**text))
                return false;
        for (; is_digit(**text); (*text)++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
                        return false;
        *ret = value;
        return true;
}

int parse_bool(const char *text, bool *ret, struct error *err)
{
        static const struct {
                const char *word;
                bool value;
        } words[] = { { "yes", true }, { "no", false },  { "true", true }, { "false", false },
                      { "on", true },  { "off", false }, { "1", true },    { "0", false } };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                if (strcmp(text, words[i].word) == 0) {
                        *ret = words[i].value;
                        return 0;
                }
        }
        return error_text(err, EINVAL, "\"%s\" is neither yes nor no", text);
}

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
        const char *at = text;
        uint64_t value;

        if (!take_digits(&at, &value) || *at != '\0')
                return error_text(err, EINVAL, "\"%s\" is not a whole number", text);
        if (value < min || value > max)
                return error_text(err, ERANGE, "%s is outside %llu to %llu", text, (unsigned long long)min,
                                  (unsigned long long)max);
        *ret = value;
        return 0;
}

int parse_size(const char *text, uint64_t *ret, struct error *err)
{
        static const char suffixes[] = "KMGT";
        const char *at = text, *suffix;
        uint64_t value;

        if (!take_digits(&at, &value))
                return error_text(err, EINVAL, "\"%s\" is not a size (digits, then K, M, G or T)", text);
        if (*at != '\0') {
                suffix = strchr(suffixes, *at);
                if (suffix == NULL || at[1] != '\0')
                        return error_text(err, EINVAL, "\"%s\" is not a size (digits, then K, M, G or T)", text);
                if (__builtin_mul_overflow(value, (uint64_t)1 << (10 * (suffix - suffixes + 1)), &value))
                        return error_text(err, ERANGE, "\"%s\" is too large a size", text);
        }
        if (value > INT64_MAX)
                return error_text(err, ERANGE, "\"%s\" is too large a size", text);
        *ret = value;
        return 0;
}

int parse_duration(const char *text, uint64_t *ret, struct error *err)
{
        static const struct {
                char suffix;
                uint64_t seconds;
        } units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
        const char *at = text;
        uint64_t total = 0, value;
        size_t unit = 0;

        if (take_digits(&at, &value) && *at == '\0') {
                total = value;
                goto done;
        }
        for (at = text; *at != '\0'; at++) {
                if (!take_digits(&at, &value))
                        return error_text(err, EINVAL, "\"%s\" is not a duration (90, 90s, 15m, 1h30m, 2d)", text);
                while (unit < 4 && units[unit].suffix != *at)
                        unit++;
                if (unit == 4)
                        return error_text(err, EINVAL, "\"%s\" is not a duration (90, 90s, 15m, 1h30m, 2d)", text);
                if (__builtin_mul_overflow(value, units[unit].seconds, &value) ||
                    __builtin_add_overflow(total, value, &total))
                        return error_text(err, ERANGE, "\"%s\" is too long a duration", text);
                unit++;
        }
        if (at == text)
                return error_text(err, EINVAL, "a duration is missing (90, 90s, 15m, 1h30m, 2d)");
done:
        if (total > UINT32_MAX)
                return error_text(err, ERANGE, "\"%s\" is too long a duration", text);
        *ret = total;
        return 0;
}

int parse_milli(const char *text, uint64_t *ret, struct error *err)
{
        const char *at = text;
        uint64_t value, scale = 1000;

        if (!take_digits(&at, &value) || value > 1000000)
                goto wrong;
        value *= 1000;
        if (*at == '.') {
                at++;
                if (!is_digit(*at))
                        goto wrong;
                for (; is_digit(*at); at++) {
                        scale /= 10;
                        if (scale == 0)
                                goto wrong;
                        value += (uint64_t)(*at - '0') * scale;
                }
        }
        if (*at != '\0')
                goto wrong;
        *ret = value;
        return 0;
wrong:
        return error_text(err, EINVAL, "\"%s\" is not a number with at most three decimals", text);
}

int parse_device(const char *text, uint32_t *ret_major, uint32_t *ret_minor, struct error *err)
{
        const char *at = text;
        uint64_t major, minor;
        bool good = take_digits(&at, &major) && *at == ':';

        at += good;
        if (!good || !take_digits(&at, &minor) || *at != '\0' || major > UINT32_MAX || minor > UINT32_MAX)
                return error_text(err, EINVAL, "\"%s\" is not the number of a device", text);
        *ret_major = (uint32_t)major;
        *ret_minor = (uint32_t)minor;
        return 0;
}

/* Days since 1970-01-01 of a proleptic Gregorian date. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
        int64_t shifted = month <= 2 ? year - 1 : year;
        int64_t era = shifted / 400, of_era = shifted - era * 400;
        int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

        return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int parse_date(const char *text, int64_t *ret, struct error *err)
{
        static const uint8_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        int64_t year, month, day;
        bool leap;

        if (strlen(text) != 10 || text[4] != '-' || text[7] != '-')
                goto wrong;
        for (size_t i = 0; i < 10; i++)
                if (i != 4 && i != 7 && !is_digit(text[i]))
                        goto wrong;
        year = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
        month = (text[5] - '0') * 10 + (text[6] - '0');
        day = (text[8] - '0') * 10 + (text[9] - '0');
        leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days[month - 1] ||
            (month == 2 && day == 29 && !leap))
                goto wrong;
        *ret = (days_from_civil(year, month, day) + 1) * 86400 - 1;
        return 0;
wrong:
        return error_text(err, EINVAL, "\"%s\" is not a date (YYYY-MM-DD)", text);
}

int parse_path(const char *text, struct error *err)
{
        const char *at = text;

        if (text[0] != '/')
                return error_text(err, EINVAL, "\"%s\" is not an absolute path", text);
        for (const char *c = text; *c != '\0'; c++)
                if ((unsigned char)*c < 0x20 || *c == 0x7f)
                        return error_text(err, EINVAL, "the path \"%s\" has a control character", text);
        if (strlen(text) >= 4096)
                return error_text(err, ENAMETOOLONG, "the path is longer than 4095 bytes");
        while (*at == '/') {
                size_t length = strcspn(++at, "/");

                if (length == 0 && *at == '\0' && at == text + 1)
                        return 0;
                if (length == 0 || (length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
                        return error_text(err, EINVAL, "the path \"%s\" is not normalised", text);
                at += length;
        }
        return 0;
}

int parse_account_name(const char *text, struct error *err)
{
        size_t length = strlen(text);

        if (length == 0 || length > ACCOUNT_NAME_MAX)
                return error_text(err, EINVAL, "a name has 1 to %d characters", ACCOUNT_NAME_MAX);
        for (size_t i = 0; i < length; i++) {
                char c = text[i];
                bool start = (c >= 'a' && c <= 'z') || c == '_';
                bool inner = is_digit(c) || c == '-' || c == '.';

                if (!start && !(i > 0 && inner))
                        return error_text(err, EINVAL, "\"%s\" is not a name ([a-z_][a-z0-9_.-]*)", text);
        }
        if (text[length - 1] == '.')
                return error_text(err, EINVAL, "the name \"%s\" ends in a dot", text);
        return 0;
}

bool parse_is_session_id(const char *text)
{
        size_t length = 0;

        for (; text[length] != '\0'; length++) {
                char c = text[length];

                if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
                        return false;
                if (length >= SESSION_ID_LENGTH)
                        return false;
        }
        return length == SESSION_ID_LENGTH;
}
