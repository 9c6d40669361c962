/* login_defs.c - /etc/login.defs and /etc/subuid. Reads only. */
#include "admin/login_defs.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <fcntl.h>
#include <string.h>

#define FILE_MAX (1024 * 1024)
#define BLANKS   " \t"

static char *read_file(const char *path)
{
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *text = NULL;
        size_t size;

        if (fd < 0 || fd_read_all(fd, FILE_MAX, &text, &size, NULL) < 0)
                return NULL;
        return text;
}

uint64_t login_defs_parse(const char *text, const char *key, uint64_t fallback)
{
        size_t key_length = strlen(key);
        uint64_t value = fallback;

        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *at = line + strspn(line, BLANKS);
                char number[32];
                size_t length;

                if (strncmp(at, key, key_length) != 0 || strspn(at + key_length, BLANKS) == 0)
                        continue;
                at += key_length + strspn(at + key_length, BLANKS);
                length = strcspn(at, BLANKS "\r\n");
                if (length >= sizeof(number))
                        continue;
                (void)snprintf(number, sizeof(number), "%.*s", (int)length, at);
                (void)!parse_number(number, 0, UINT32_MAX, &value, NULL);
        }
        return value;
}

uint64_t login_defs_number(const char *key, uint64_t fallback)
{
        cleanup_free char *text = read_file("/etc/login.defs");

        return text == NULL ? fallback : login_defs_parse(text, key, fallback);
}

/* "name:start:count" of one line; false when it is not. Cuts `line`. */
static bool parse_subid_line(char *line, const char **ret_owner, struct subid_range *ret)
{
        char *start = strchr(line, ':');
        char *count = start != NULL ? strchr(start + 1, ':') : NULL;

        if (count == NULL)
                return false;
        *start++ = '\0';
        *count++ = '\0';
        if (parse_number(start, 1, UINT32_MAX - 1, &ret->start, NULL) < 0 ||
            parse_number(count, 1, UINT32_MAX - 1, &ret->count, NULL) < 0 || ret->start + ret->count > UINT32_MAX)
                return false;
        *ret_owner = line;
        return true;
}

bool subid_parse(const char *text, const char *name, uid_t uid, struct subid_range *ret)
{
        struct subid_range best = { 0 };
        char number[16];

        (void)snprintf(number, sizeof(number), "%u", (unsigned)uid);
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                struct subid_range range = { 0 };
                const char *owner;
                char copy[256];
                size_t length = strcspn(line, "\n");

                if (length >= sizeof(copy))
                        continue;
                (void)snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
                if (!parse_subid_line(copy, &owner, &range))
                        continue;
                if ((strcmp(owner, name) == 0 || strcmp(owner, number) == 0) && range.count > best.count)
                        best = range;
        }
        if (best.count == 0)
                return false;
        *ret = best;
        return true;
}

bool subid_find(const char *path, const char *name, uid_t uid, struct subid_range *ret)
{
        cleanup_free char *text = read_file(path);

        return text != NULL && subid_parse(text, name, uid, ret);
}

uint64_t subid_first_free(const char *path, uint64_t least)
{
        cleanup_free char *text = read_file(path);
        uint64_t end = least;

        for (const char *line = text; line != NULL && *line != '\0';
             line += strcspn(line, "\n"), line += *line == '\n') {
                struct subid_range range;
                const char *owner;
                char copy[256];
                size_t length = strcspn(line, "\n");

                (void)snprintf(copy, sizeof(copy), "%.*s", length < sizeof(copy) ? (int)length : 0, line);
                if (parse_subid_line(copy, &owner, &range) && range.start + range.count > end)
                        end = range.start + range.count;
        }
        return (end + 65535) / 65536 * 65536;
}
