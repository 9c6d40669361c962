/* guard_parse.c - reads what nft prints of the guard's set and counter. No privilege. */
#include "admin/guard.h"

#include "common/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BLANKS    " \t\n"
#define TOKEN_MAX 32

/* The next token: a run of bytes up to a blank, or a comma; the position behind it, or NULL at the end. */
static const char *next_token(const char *at, char *ret)
{
        size_t length;

        at += strspn(at, BLANKS);
        length = *at == ',' ? 1 : strcspn(at, BLANKS ",");
        if (length == 0 || length >= TOKEN_MAX)
                return NULL;
        memcpy(ret, at, length);
        ret[length] = '\0';
        return at + length;
}

/* Past the tokens of `wanted` (separated by one blank) and no others; NULL when there is something else. */
static const char *expect(const char *at, const char *wanted)
{
        char found[TOKEN_MAX], expected[TOKEN_MAX];

        while (at != NULL && wanted != NULL && *wanted != '\0') {
                wanted = next_token(wanted, expected);
                at = next_token(at, found);
                if (at == NULL || strcmp(found, expected) != 0)
                        return NULL;
        }
        return at;
}

static int not_understood(struct error *err)
{
        return error_text(err, EBADMSG,
                          "what nft printed is not understood: load the guard again by "
                          "\"agentshctl guard on\"");
}

/* "N" or "N-M" */
static int add_element(char *token, struct guard_ranges *ranges, struct error *err)
{
        char *dash = strchr(token, '-');
        uint64_t first, last;

        if (dash != NULL)
                *dash = '\0';
        if (parse_number(token, 0, UINT32_MAX - 1, &first, NULL) < 0 ||
            parse_number(dash != NULL ? dash + 1 : token, first, UINT32_MAX - 1, &last, NULL) < 0)
                return not_understood(err);
        return guard_ranges_add(ranges, (uint32_t)first, (uint32_t)last, err);
}

static int parse_elements(const char *at, struct guard_ranges *ranges, struct error *err)
{
        char token[TOKEN_MAX];

        do {
                int r;

                at = next_token(at, token);
                if (at == NULL)
                        return not_understood(err);
                r = add_element(token, ranges, err);
                if (r < 0)
                        return r;
                at = next_token(at, token);
        } while (at != NULL && strcmp(token, ",") == 0);
        if (at == NULL || strcmp(token, "}") != 0 || (at = expect(at, "} }")) == NULL || at[strspn(at, BLANKS)] != '\0')
                return not_understood(err);
        return 0;
}

int guard_parse_uids(const char *text, struct guard_ranges *ret, struct error *err)
{
        cleanup_guard_ranges struct guard_ranges ranges = { 0 };
        const char *at = expect(text, "table inet agentsh { set agents { type uid flags interval");
        const char *elements, *end;
        int r = 0;

        if (at == NULL)
                return not_understood(err);
        elements = expect(at, "elements = {");
        end = expect(at, "} }");
        if (elements != NULL)
                r = parse_elements(elements, &ranges, err);
        else if (end == NULL || end[strspn(end, BLANKS)] != '\0')
                r = not_understood(err);
        if (r < 0)
                return r;
        guard_ranges_merge(&ranges);
        *ret = ranges;
        ranges = (struct guard_ranges){ 0 };
        return 0;
}

int guard_parse_refused(const char *text, uint64_t *ret, struct error *err)
{
        const char *at = expect(text, "table inet agentsh { counter refused { packets");
        char token[TOKEN_MAX];
        uint64_t packets;

        if (at == NULL || (at = next_token(at, token)) == NULL ||
            parse_number(token, 0, UINT64_MAX, &packets, NULL) < 0 || expect(at, "bytes") == NULL)
                return not_understood(err);
        *ret = packets;
        return 0;
}
