/* jail_subid.c - reads /etc/subuid and /etc/subgid strictly. No privilege but to read them. */
#include "monitor/jail_subid.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX       (4U * 1024 * 1024)
#define LINE_MAX_BYTES 256

struct entry {
        char owner[LINE_MAX_BYTES];
        uint64_t first, count;
};

struct reader {
        const char *at, *end;
        const char *name;
        unsigned line;
};

static int malformed(const struct reader *reader, struct error *err)
{
        return error_text(err, EINVAL, "%s:%u: not OWNER:FIRST:COUNT", reader->name, reader->line);
}

static int parse_entry(const struct reader *reader, char *line, struct entry *ret, struct error *err)
{
        char *first = strchr(line, ':');
        char *count = first != NULL ? strchr(first + 1, ':') : NULL;

        if (count == NULL || first == line)
                return malformed(reader, err);
        *first++ = '\0';
        *count++ = '\0';
        if (parse_number(first, 0, UINT32_MAX, &ret->first, NULL) < 0 ||
            parse_number(count, 0, UINT32_MAX, &ret->count, NULL) < 0)
                return malformed(reader, err);
        /* The last id, 2^32 - 1, is never valid. */
        if (ret->first + ret->count > UINT32_MAX)
                return error_text(err, EINVAL, "%s:%u: the range is beyond the last id", reader->name, reader->line);
        (void)snprintf(ret->owner, sizeof(ret->owner), "%s", line);
        return 0;
}

/* 1 and the next entry, or 0 at the end. */
static int next_entry(struct reader *reader, struct entry *ret, struct error *err)
{
        char line[LINE_MAX_BYTES];

        while (reader->at < reader->end) {
                const char *stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
                size_t length = (size_t)((stop != NULL ? stop : reader->end) - reader->at);
                const char *text = reader->at;
                int r;

                reader->line++;
                reader->at = stop != NULL ? stop + 1 : reader->end;
                if (length == 0 || text[0] == '#')
                        continue;
                if (length >= sizeof(line) || memchr(text, '\0', length) != NULL)
                        return malformed(reader, err);
                memcpy(line, text, length);
                line[length] = '\0';
                r = parse_entry(reader, line, ret, err);
                return r < 0 ? r : 1;
        }
        return 0;
}

static bool is_owner(const struct entry *entry, const char *account, uid_t uid)
{
        char number[16];

        (void)snprintf(number, sizeof(number), "%u", (unsigned)uid);
        return strcmp(entry->owner, account) == 0 || strcmp(entry->owner, number) == 0;
}

static int check_overlaps(struct reader reader, const char *account, uid_t uid, const struct subid_range *range,
                          struct error *err)
{
        struct entry entry;
        int r;

        while ((r = next_entry(&reader, &entry, err)) > 0) {
                if (is_owner(&entry, account, uid) || entry.count == 0)
                        continue;
                if (entry.first < (uint64_t)range->first + range->count && range->first < entry.first + entry.count)
                        return error_text(err, EINVAL, "%s:%u: the range of %s overlaps that of %s", reader.name,
                                          reader.line, entry.owner, account);
        }
        return r;
}

int subid_find_in_text(const char *text, size_t size, const char *name, const char *account, uid_t uid,
                       struct subid_range *ret, struct error *err)
{
        struct reader start = { .at = text, .end = text + size, .name = name, .line = 0 };
        struct reader reader = start;
        struct subid_range range;
        struct entry entry;
        int r;

        while ((r = next_entry(&reader, &entry, err)) > 0)
                if (is_owner(&entry, account, uid) && entry.count >= SUBID_COUNT)
                        break;
        if (r < 0)
                return r;
        if (r == 0)
                return error_text(err, ENOENT,
                                  "%s has no range of %d ids for %s, which fake_root needs "
                                  "(usermod --add-subuids FIRST-LAST --add-subgids FIRST-LAST %s)",
                                  name, SUBID_COUNT, account, account);
        if (entry.first < SUBID_FIRST)
                return error_text(err, EINVAL, "%s:%u: the range begins below %d, among the ids of real accounts", name,
                                  reader.line, SUBID_FIRST);
        range = (struct subid_range){ .first = (uint32_t)entry.first, .count = (uint32_t)entry.count };
        r = check_overlaps(start, account, uid, &range, err);
        if (r < 0)
                return r;
        *ret = range;
        return 0;
}

int subid_find(const char *path, const char *account, uid_t uid, struct subid_range *ret, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(path, O_RDONLY, 0, err);
        cleanup_free char *text = NULL;
        size_t size = 0;
        int r;

        if (fd < 0) {
                (void)error_prefix(err, "fake_root needs subordinate ids");
                return fd;
        }
        r = fd_check_root_owned(fd, S_IFREG, path, err);
        if (r >= 0)
                r = fd_read_all(fd, FILE_MAX, &text, &size, err);
        if (r < 0)
                return r;
        return subid_find_in_text(text, size, path, account, uid, ret, err);
}
