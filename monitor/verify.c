/* verify.c - the self-test, on text. Pure. */
#include "monitor/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD_MAX      256
#define PATH_FIELD_MAX 4096

/* The value of "Key:\t..." in a status file, blanks at its start cut. */
static int find_field(const char *text, const char *key, char ret[static FIELD_MAX], struct error *err)
{
        size_t length = strlen(key);

        for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, key, length) == 0 && line[length] == ':') {
                        line += length + 1;
                        line += strspn(line, " \t");
                        (void)snprintf(ret, FIELD_MAX, "%.*s", (int)strcspn(line, "\n"), line);
                        return 0;
                }
        }
        return error_text(err, EPROTO, "self-test: the kernel shows no %s", key);
}

static int expect_field(const char *text, const char *key, const char *expected, struct error *err)
{
        char found[FIELD_MAX];
        int r = find_field(text, key, found, err);

        if (r < 0)
                return r;
        if (strcmp(found, expected) == 0)
                return 0;
        return error_text(err, EPERM, "self-test: %s should be \"%s\" and is \"%s\"", key, expected, found);
}

static int expect_ids(const char *text, const char *key, unsigned id, struct error *err)
{
        char expected[FIELD_MAX];

        (void)snprintf(expected, sizeof(expected), "%u\t%u\t%u\t%u", id, id, id, id);
        return expect_field(text, key, expected, err);
}

static int expect_set(const char *text, const char *key, uint64_t set, struct error *err)
{
        char expected[FIELD_MAX];

        (void)snprintf(expected, sizeof(expected), "%016llx", (unsigned long long)set);
        return expect_field(text, key, expected, err);
}

int verify_status(const char *text, const struct verify_expected *expected, struct error *err)
{
        const struct {
                const char *key;
                uint64_t set;
        } sets[] = { { "CapInh", 0 },
                     { "CapPrm", expected->capabilities },
                     { "CapEff", expected->capabilities },
                     { "CapBnd", expected->capabilities },
                     { "CapAmb", 0 } };
        int r = expect_ids(text, "Uid", expected->uid, err);

        if (r >= 0)
                r = expect_ids(text, "Gid", expected->gid, err);
        if (r >= 0)
                r = expect_field(text, "Groups", "", err);
        for (size_t i = 0; r >= 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
                r = expect_set(text, sets[i].key, sets[i].set, err);
        if (r >= 0)
                r = expect_field(text, "NoNewPrivs", "1", err);
        return r < 0 ? r : expect_field(text, "Seccomp", "2", err);
}

int verify_map(const char *text, const char *what, const struct verify_range ranges[2], struct error *err)
{
        char *at;

        for (size_t i = 0; i < 2 && ranges[i].count > 0; i++) {
                uint32_t numbers[3];

                for (size_t n = 0; n < 3; n++) {
                        numbers[n] = (uint32_t)strtoul(text, &at, 10);
                        text = at;
                }
                if (numbers[0] != ranges[i].inside || numbers[1] != ranges[i].outside || numbers[2] != ranges[i].count)
                        return error_text(err, EPERM, "self-test: line %zu of %s should be %u %u %u and is %u %u %u",
                                          i + 1, what, ranges[i].inside, ranges[i].outside, ranges[i].count, numbers[0],
                                          numbers[1], numbers[2]);
        }
        if (text[strspn(text, " \n")] != '\0')
                return error_text(err, EPERM, "self-test: %s has more lines than it should", what);
        return 0;
}

/* Whether the comma-separated `list` has `word`. */
static bool has_option(const char *list, const char *word)
{
        size_t length = strlen(word);

        for (;;) {
                size_t here = strcspn(list, ",");

                if (here == length && strncmp(list, word, length) == 0)
                        return true;
                if (list[here] == '\0')
                        return false;
                list += here + 1;
        }
}

struct mount_line {
        char point[PATH_FIELD_MAX], options[FIELD_MAX], type[64];
        bool propagates;
};

/* The next field of [*line, end). One blank divides two; nothing else does, whatever a path has in it. */
static bool take_field(const char **line, const char *end, char *ret, size_t size)
{
        size_t left = (size_t)(end - *line);
        const char *blank = memchr(*line, ' ', left);
        size_t length = blank != NULL ? (size_t)(blank - *line) : left;

        if (length == 0 || length >= size)
                return false;
        memcpy(ret, *line, length);
        ret[length] = '\0';
        *line += length + (blank != NULL);
        return true;
}

/* Line: id parent dev root point options [optional fields] - type source superoptions */
static bool parse_mount(const char *line, size_t size, struct mount_line *ret)
{
        const char *end = line + size;
        char word[FIELD_MAX];

        for (unsigned i = 0; i < 3; i++)
                if (!take_field(&line, end, word, sizeof(word)))
                        return false;
        /* The root first, which nobody asks for, then the point. */
        for (unsigned i = 0; i < 2; i++)
                if (!take_field(&line, end, ret->point, sizeof(ret->point)))
                        return false;
        if (!take_field(&line, end, ret->options, sizeof(ret->options)))
                return false;
        ret->propagates = false;
        while (take_field(&line, end, word, sizeof(word))) {
                if (strcmp(word, "-") == 0)
                        return take_field(&line, end, ret->type, sizeof(ret->type));
                ret->propagates |= strncmp(word, "shared:", 7) == 0 || strncmp(word, "master:", 7) == 0;
        }
        return false;
}

/* `point` has the blanks and backslashes of a path as octal numbers. */
static bool is_path(const char *point, const char *path)
{
        for (; *path != '\0'; path++) {
                char escaped[5];
                size_t length = 1;

                (void)snprintf(escaped, sizeof(escaped), "%c", *path);
                if (strchr(" \t\n\\", *path) != NULL)
                        length = (size_t)snprintf(escaped, sizeof(escaped), "\\%03o", (unsigned char)*path);
                if (strncmp(point, escaped, length) != 0)
                        return false;
                point += length;
        }
        return *point == '\0';
}

/* The types that the isolation makes for itself; what is the host's is only ever seen read-only. */
static bool may_be_written(const struct mount_line *mount, const char *home)
{
        return strcmp(mount->type, "tmpfs") == 0 || strcmp(mount->type, "proc") == 0 ||
               strcmp(mount->type, "devpts") == 0 || is_path(mount->point, home);
}

static int check_mount(const struct mount_line *mount, const char *home, struct error *err)
{
        bool writable = has_option(mount->options, "rw");
        bool devices = !has_option(mount->options, "nodev");
        const char *expected = NULL;

        if (writable && strcmp(mount->point, "/") == 0)
                return error_text(err, EPERM, "self-test: the root of the view should be read-only and is writable");
        if (!has_option(mount->options, "nosuid"))
                expected = "nosuid";
        else if (writable && devices && strcmp(mount->type, "devpts") != 0)
                expected = "nodev";
        else if (writable && !may_be_written(mount, home))
                expected = "read-only";
        else if (mount->propagates)
                expected = "private";
        if (expected == NULL)
                return 0;
        return error_text(err, EPERM, "self-test: the mount on %s should be %s and is \"%s%s\", %s", mount->point,
                          expected, mount->options, mount->propagates ? ", shared" : "", mount->type);
}

int verify_mounts(const char *text, const char *home, struct error *err)
{
        bool root_seen = false;

        while (*text != '\0') {
                size_t size = strcspn(text, "\n");
                struct mount_line mount;
                int r;

                if (!parse_mount(text, size, &mount))
                        return error_text(err, EPROTO, "self-test: a line of mountinfo cannot be understood");
                root_seen |= strcmp(mount.point, "/") == 0;
                r = check_mount(&mount, home, err);
                if (r < 0)
                        return r;
                text += size + (text[size] == '\n');
        }
        return root_seen ? 0 : error_text(err, EPERM, "self-test: the view has no root mount");
}

int verify_interfaces(const char *text, struct error *err)
{
        bool loopback = false;
        unsigned line = 0;

        /* Two lines of headings. */
        for (; *text != '\0'; line++) {
                size_t size = strcspn(text, "\n"), name;

                if (line >= 2) {
                        text += strspn(text, " ");
                        size = strcspn(text, "\n");
                        name = strcspn(text, ":");
                        if (strncmp(text, "lo:", 3) != 0)
                                return error_text(err, EPERM, "self-test: the network should be lo alone and has %.*s",
                                                  name < 32 ? (int)name : 32, text);
                        loopback = true;
                }
                text += size + (text[size] == '\n');
        }
        return loopback ? 0 : error_text(err, EPERM, "self-test: the network has no loopback interface");
}
