/* cgroup_file.c - reads and writes the files of one cgroup. Root, through a directory fd. */
#include "monitor/cgroup_driver.h"

#include "common/fd.h"
#include "common/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cgroup_file_set(int fd, const char *name, const char *text, struct error *err)
{
        char now[256];
        int r = fd_read_file_at(fd, name, now, sizeof(now), err);

        if (r < 0)
                return r;
        if (strcmp(now, text) == 0)
                return 0;
        r = fd_write_file_at(fd, name, text, err);
        if (r < 0)
                return r;
        r = fd_read_file_at(fd, name, now, sizeof(now), err);
        if (r < 0)
                return r;
        if (strcmp(now, text) != 0)
                return error_text(err, EIO, "cannot set %s: \"%s\" was written, the kernel kept \"%s\"", name, text,
                                  now);
        return 0;
}

int cgroup_file_set_limit(int fd, const char *name, uint64_t value, const char *unlimited, struct error *err)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "%" PRIu64, value);
        return cgroup_file_set(fd, name, value == 0 ? unlimited : text, err);
}

int cgroup_file_read_number(int fd, const char *name, uint64_t *ret, struct error *err)
{
        char text[64];
        int r = fd_read_file_at(fd, name, text, sizeof(text), err);

        if (r < 0)
                return r;
        if (strcmp(text, "max") == 0) {
                *ret = UINT64_MAX;
                return 0;
        }
        r = parse_number(text, 0, UINT64_MAX, ret, err);
        return r < 0 ? error_prefix(err, "cannot read %s", name) : 0;
}

uint64_t cgroup_text_find_key(const char *text, const char *key)
{
        size_t length = strlen(key);

        for (;;) {
                const char *end = strchr(text, '\n');

                if (strncmp(text, key, length) == 0 && text[length] == ' ') {
                        char number[32];
                        uint64_t value;

                        (void)snprintf(number, sizeof(number), "%.*s", (int)strcspn(text + length + 1, "\n"),
                                       text + length + 1);
                        return parse_number(number, 0, UINT64_MAX, &value, NULL) < 0 ? 0 : value;
                }
                if (end == NULL)
                        return 0;
                text = end + 1;
        }
}

int cgroup_file_read_key(int fd, const char *name, const char *key, uint64_t *ret, struct error *err)
{
        char text[4096];
        int r = fd_read_file_at(fd, name, text, sizeof(text), err);

        if (r < 0)
                return r;
        *ret = cgroup_text_find_key(text, key);
        return 0;
}

void cgroup_text_find_device(const char *text, unsigned major, unsigned minor, char *ret, size_t size)
{
        char wanted[32];
        size_t length = (size_t)snprintf(wanted, sizeof(wanted), "%u:%u ", major, minor);

        ret[0] = '\0';
        while (*text != '\0') {
                size_t line = strcspn(text, "\n");

                if (strncmp(text, wanted, length) == 0)
                        (void)snprintf(ret, size, "%.*s", (int)(line - length), text + length);
                text += line;
                text += *text == '\n';
        }
}

bool cgroup_file_exists(int fd, const char *name)
{
        return faccessat(fd, name, F_OK, 0) == 0;
}
