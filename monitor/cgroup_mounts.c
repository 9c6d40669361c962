/* cgroup_mounts.c - reads the kernel's texts about cgroup mounts. Pure, no privilege. */
#include "monitor/cgroup_mounts.h"

#include "common/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A piece of a line: not NUL-terminated. */
struct piece {
        const char *start;
        size_t length;
};

static bool piece_is(struct piece piece, const char *text)
{
        return piece.length == strlen(text) && memcmp(piece.start, text, piece.length) == 0;
}

/* Cuts the next blank-separated field off *rest; an empty one means that there is none. */
static struct piece next_field(struct piece *rest)
{
        struct piece field = { .start = rest->start, .length = 0 };

        while (field.length < rest->length && rest->start[field.length] != ' ')
                field.length++;
        rest->start += field.length;
        rest->length -= field.length;
        if (rest->length > 0) {
                rest->start++;
                rest->length--;
        }
        return field;
}

static struct piece next_line(const char **text)
{
        struct piece line = { .start = *text, .length = strcspn(*text, "\n") };

        *text += line.length;
        if (**text == '\n')
                (*text)++;
        return line;
}

static bool is_octal(char c)
{
        return c >= '0' && c <= '7';
}

/* Undoes the kernel's \040; false when it does not fit, or a NUL would come of it. */
static bool unescape(struct piece piece, char *ret, size_t size)
{
        size_t used = 0;

        for (size_t i = 0; i < piece.length; i++) {
                unsigned char byte = (unsigned char)piece.start[i];

                if (byte == '\\' && i + 3 < piece.length && is_octal(piece.start[i + 1]) &&
                    is_octal(piece.start[i + 2]) && is_octal(piece.start[i + 3])) {
                        unsigned value = (unsigned)(piece.start[i + 1] - '0') * 64 +
                                         (unsigned)(piece.start[i + 2] - '0') * 8 +
                                         (unsigned)(piece.start[i + 3] - '0');

                        if (value == 0 || value > 255)
                                return false;
                        byte = (unsigned char)value;
                        i += 3;
                }
                if (used + 1 >= size)
                        return false;
                ret[used++] = (char)byte;
        }
        ret[used] = '\0';
        return true;
}

bool cgroup_list_has(const char *list, const char *word)
{
        size_t wanted = strlen(word);

        while (*list != '\0') {
                size_t length = strcspn(list, ", \n");

                if (length == wanted && wanted > 0 && memcmp(list, word, wanted) == 0)
                        return true;
                list += length;
                list += strspn(list, ", \n");
        }
        return false;
}

static bool piece_has(struct piece options, const char *word)
{
        char text[512];

        if (options.length >= sizeof(text))
                return false;
        memcpy(text, options.start, options.length);
        text[options.length] = '\0';
        return cgroup_list_has(text, word);
}

/* Keeps the controllers that are of use to us out of a v1 mount's options. */
static void keep_controllers(struct piece options, char *ret, size_t size)
{
        static const char *const known[] = { "memory", "pids", "cpu", "cpuacct", "blkio" };
        size_t used = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (piece_has(options, known[i]))
                        used += (size_t)snprintf(ret + used, size - used, "%s%s", used > 0 ? "," : "", known[i]);
}

static bool take_device(struct piece field, struct cgroup_mount *ret)
{
        char text[32];

        if (field.length >= sizeof(text))
                return false;
        memcpy(text, field.start, field.length);
        text[field.length] = '\0';
        return parse_device(text, &ret->major, &ret->minor, NULL) == 0;
}

/* A later mount at the same place hides the earlier one. */
static void add_mount(struct cgroup_mounts *mounts, const struct cgroup_mount *mount)
{
        size_t kept = 0;

        for (size_t i = 0; i < mounts->count; i++)
                if (strcmp(mounts->mount[i].path, mount->path) != 0)
                        mounts->mount[kept++] = mounts->mount[i];
        mounts->count = kept;
        if (mounts->count < CGROUP_MOUNTS_MAX)
                mounts->mount[mounts->count++] = *mount;
}

/* id parent major:minor root path options [optional fields] - type source super-options */
static int parse_mount(struct piece line, struct cgroup_mounts *mounts, struct error *err)
{
        struct cgroup_mount mount = { .v2 = false };
        struct piece rest = line, device, root, path, options, type, super;
        struct piece field;

        (void)next_field(&rest);
        (void)next_field(&rest);
        device = next_field(&rest);
        root = next_field(&rest);
        path = next_field(&rest);
        options = next_field(&rest);
        do {
                field = next_field(&rest);
                if (field.length == 0)
                        return error_text(err, EINVAL, "cannot read /proc/self/mountinfo: a line without its type");
        } while (!piece_is(field, "-"));
        type = next_field(&rest);
        (void)next_field(&rest);
        super = next_field(&rest);
        if (!piece_is(type, "cgroup") && !piece_is(type, "cgroup2"))
                return 0;
        if (!take_device(device, &mount))
                return error_text(err, EINVAL, "cannot read /proc/self/mountinfo: a cgroup mount without its device");
        mount.v2 = piece_is(type, "cgroup2");
        mount.readonly = piece_has(options, "ro") || piece_has(super, "ro");
        if (!unescape(root, mount.root, sizeof(mount.root)) || !unescape(path, mount.path, sizeof(mount.path)))
                return 0;
        if (mount.path[0] != '/' || mount.root[0] != '/')
                return error_text(err, EINVAL, "cannot read /proc/self/mountinfo: a cgroup mount without its path");
        if (!mount.v2)
                keep_controllers(super, mount.controllers, sizeof(mount.controllers));
        add_mount(mounts, &mount);
        return 0;
}

static void parse_self(const char *text, char ret[CGROUP_SELF_PATH_MAX])
{
        ret[0] = '\0';
        while (*text != '\0') {
                struct piece line = next_line(&text);

                if (line.length < 4 || memcmp(line.start, "0::/", 4) != 0 || line.length - 3 >= CGROUP_SELF_PATH_MAX)
                        continue;
                memcpy(ret, line.start + 3, line.length - 3);
                ret[line.length - 3] = '\0';
                return;
        }
}

int cgroup_mounts_parse(const char *mountinfo, const char *self, struct cgroup_mounts *ret, struct error *err)
{
        ret->count = 0;
        parse_self(self, ret->self);
        while (*mountinfo != '\0') {
                struct piece line = next_line(&mountinfo);
                int r = line.length == 0 ? 0 : parse_mount(line, ret, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

const struct cgroup_mount *cgroup_mounts_find_v1(const struct cgroup_mounts *mounts, const char *controller)
{
        const struct cgroup_mount *found = NULL;

        for (size_t i = 0; i < mounts->count; i++) {
                const struct cgroup_mount *mount = &mounts->mount[i];

                if (!mount->v2 && cgroup_list_has(mount->controllers, controller) &&
                    (found == NULL || (found->readonly && !mount->readonly)))
                        found = mount;
        }
        return found;
}

static bool is_standard_place(const struct cgroup_mount *mount)
{
        static const char place[] = "/sys/fs/cgroup";

        return strncmp(mount->path, place, sizeof(place) - 1) == 0;
}

const struct cgroup_mount *cgroup_mounts_find_v2(const struct cgroup_mounts *mounts)
{
        const struct cgroup_mount *found = NULL;

        for (size_t i = 0; i < mounts->count; i++) {
                const struct cgroup_mount *mount = &mounts->mount[i];

                if (mount->v2 && (found == NULL || (is_standard_place(mount) && !is_standard_place(found))))
                        found = mount;
        }
        return found;
}

int cgroup_mounts_own(const struct cgroup_mounts *mounts, const struct cgroup_mount *v2, char ret[CGROUP_SELF_PATH_MAX],
                      struct error *err)
{
        const char *below = mounts->self;
        size_t length = strlen(v2->root);
        size_t used;

        if (strcmp(v2->root, "/") != 0) {
                if (strncmp(below, v2->root, length) != 0 || (below[length] != '/' && below[length] != '\0'))
                        below = "";
                else if (*(below += length) == '\0')
                        below = "/";
        }
        if (below[0] != '/' || strstr(mounts->self, "/..") != NULL)
                return error_text(err, ENOENT, "this process is in no cgroup below %s (but in \"%s\")", v2->path,
                                  mounts->self);
        used = strlen(below + 1);
        memmove(ret, below + 1, used + 1);
        return 0;
}
