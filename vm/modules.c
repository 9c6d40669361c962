/* modules.c - see modules.h. Root's files, read only. */
#include "vm/modules.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "vm/spawn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LIST_MAX        (1024 * 1024)
#define MODINFO_SECONDS 10
#define DEPTH_MAX       8

/* What a guest cannot do without. erofs asks for crc32c by an alias that nobody in the guest could resolve. */
static const struct {
        const char *name;
        bool late;
        bool optional;
} WANTED[] = {
        { "virtio_mmio", false, false },  { "virtio_console", false, false }, { "virtio_blk", true, false },
        { "crc32c_generic", true, true }, { "erofs", true, false },           { "overlay", true, false },
        { "ext4", true, false },          { "virtio_rng", true, true },
};

struct search {
        int directory_fd;
        const char *directory;
        char *order, *builtin;
        struct module_list *list;
};

static bool same_name(const char *path, size_t size, const char *name)
{
        for (size_t i = 0; i < size; i++) {
                char here = path[i] == '-' ? '_' : path[i], there = name[i] == '-' ? '_' : name[i];

                if (there == '\0' || here != there)
                        return false;
        }
        return name[size] == '\0';
}

bool modules_look_up(const char *text, const char *name, char ret[static MODULE_PATH_MAX])
{
        while (*text != '\0') {
                size_t size = strcspn(text, "\n");
                const char *file = memrchr(text, '/', size);
                size_t stem;

                file = file == NULL ? text : file + 1;
                stem = strcspn(file, ".\n");
                if (size < MODULE_PATH_MAX && strncmp(file + stem, ".ko", 3) == 0 && same_name(file, stem, name)) {
                        memcpy(ret, text, size);
                        ret[size] = '\0';
                        return true;
                }
                text += size + (text[size] == '\n');
        }
        return false;
}

static bool is_listed(const struct module_list *list, const char *path)
{
        for (size_t i = 0; i < list->count; i++)
                if (strcmp(list->item[i].path, path) == 0)
                        return true;
        return false;
}

/* "a,b" of modinfo -F depends. */
static int read_depends(const struct search *search, const char *path, char *ret, size_t size, struct error *err)
{
        cleanup_close int out = memfd_create("depends", MFD_CLOEXEC);
        cleanup_free char *whole = NULL;
        const char *argv[] = { "modinfo", "-F", "depends", NULL, NULL };
        ssize_t got;
        int r;

        if (out < 0 || asprintf(&whole, "%s/%s", search->directory, path) < 0)
                return error_errno(err, ENOMEM, "cannot look at the module %s", path);
        argv[3] = whole;
        r = spawn_program(argv, -1, out, MODINFO_SECONDS, "cannot look at a module", err);
        if (r < 0)
                return r;
        got = pread(out, ret, size - 1, 0);
        if (got < 0 || (size_t)got == size - 1)
                return error_text(err, EIO, "cannot read what %s depends on", path);
        ret[got] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        return 0;
}

static int add_module(struct search *search, const char *name, bool late, bool optional, unsigned depth,
                      struct error *err)
{
        char path[MODULE_PATH_MAX], depends[1024], *at = depends;
        int r;

        if (modules_look_up(search->builtin, name, path))
                return 0;
        if (!modules_look_up(search->order, name, path))
                return optional ? 0
                                : error_text(err, ENOENT, "there is no module %s below %s", name, search->directory);
        if (is_listed(search->list, path))
                return 0;
        if (depth >= DEPTH_MAX)
                return error_text(err, ELOOP, "the module %s depends on too much", name);
        r = read_depends(search, path, depends, sizeof(depends), err);
        while (r >= 0 && *at != '\0') {
                char *next = at + strcspn(at, ",");
                bool more = *next == ',';

                *next = '\0';
                r = add_module(search, at, late, false, depth + 1, err);
                at = next + (more ? 1 : 0);
        }
        if (r < 0)
                return r;
        if (search->list->count == MODULES_MAX)
                return error_text(err, E2BIG, "a guest would need more than %d modules", MODULES_MAX);
        search->list->item[search->list->count].late = late;
        (void)snprintf(search->list->item[search->list->count++].path, MODULE_PATH_MAX, "%s", path);
        return 0;
}

static int read_list(int directory_fd, const char *name, char **ret, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(directory_fd, name, O_RDONLY, 0, err);
        size_t size;

        return fd < 0 ? fd : fd_read_all(fd, LIST_MAX, ret, &size, err);
}

int modules_find(int directory_fd, const char *directory, struct module_list *ret, struct error *err)
{
        cleanup_free char *order = NULL, *builtin = NULL;
        struct module_list list = { .count = 0 };
        struct search search = { .directory_fd = directory_fd, .directory = directory, .list = &list };
        int r = read_list(directory_fd, "modules.order", &order, err);

        if (r >= 0)
                r = read_list(directory_fd, "modules.builtin", &builtin, err);
        if (r < 0)
                return error_prefix(err, "%s", directory);
        search.order = order;
        search.builtin = builtin;
        for (size_t i = 0; r >= 0 && i < sizeof(WANTED) / sizeof(WANTED[0]); i++)
                r = add_module(&search, WANTED[i].name, WANTED[i].late, WANTED[i].optional, 0, err);
        if (r >= 0)
                *ret = list;
        return r;
}
