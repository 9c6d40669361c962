/* initramfs.c - see initramfs.h. */
#include "vm/initramfs.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "vm/cpio.h"
#include "vm/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define DIRECTORY "lib/agentsh"

static const char *file_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash == NULL ? path : slash + 1;
}

static int add_program(struct cpio *cpio, const char *name, const char *path, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(path, O_RDONLY, 0, err);

        return fd < 0 ? fd : cpio_add_file(cpio, name, 0755, fd, err);
}

static int add_module(struct cpio *cpio, int directory_fd, const char *path, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(directory_fd, path, O_RDONLY, 0, err);
        char name[MODULE_PATH_MAX + 16];

        if (fd < 0)
                return fd;
        (void)snprintf(name, sizeof(name), DIRECTORY "/%s", file_name(path));
        return cpio_add_file(cpio, name, 0644, fd, err);
}

static int add_list(struct cpio *cpio, const char *name, const struct module_list *list, bool late, struct error *err)
{
        char text[MODULES_MAX * MODULE_PATH_MAX] = "";
        size_t used = 0;

        for (size_t i = 0; i < list->count; i++)
                if (list->item[i].late == late)
                        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n",
                                                 file_name(list->item[i].path));
        return cpio_add_text(cpio, name, 0644, text, err);
}

static int add_modules(struct cpio *cpio, const char *directory, struct error *err)
{
        cleanup_close int directory_fd = fd_open_absolute(directory, O_PATH | O_DIRECTORY, 0, err);
        struct module_list list;
        int r;

        if (directory_fd < 0)
                return directory_fd;
        r = modules_find(directory_fd, directory, &list, err);
        for (size_t i = 0; r >= 0 && i < list.count; i++)
                r = add_module(cpio, directory_fd, list.item[i].path, err);
        if (r >= 0)
                r = add_list(cpio, DIRECTORY "/boot.list", &list, false, err);
        return r < 0 ? r : add_list(cpio, DIRECTORY "/session.list", &list, true, err);
}

int initramfs_write(const struct vm_machine *machine, int out_fd, struct error *err)
{
        static const char *const directories[] = { "dev", "proc", "sys", "run", "root", "lib", DIRECTORY };
        struct cpio cpio = { .fd = out_fd };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sizeof(directories) / sizeof(directories[0]); i++)
                r = cpio_add_directory(&cpio, directories[i], 0755, err);
        if (r >= 0)
                r = cpio_add_device(&cpio, "dev/console", 0600, 5, 1, err);
        if (r >= 0)
                r = add_program(&cpio, "init", machine->guest, err);
        if (r >= 0)
                r = add_program(&cpio, "agentsh-init", machine->init, err);
        if (r >= 0)
                r = add_modules(&cpio, machine->modules, err);
        if (r >= 0)
                r = cpio_finish(&cpio, err);
        return r < 0 ? error_prefix(err, "cannot make the initramfs") : 0;
}
