/* template_list.c - see template_list.h. A session that lives holds a shared lock on its template's memory file. */
#include "vm/template_list.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/paths.h"
#include "vm/host.h"
#include "vm/template_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define KEY_LENGTH 16
#define ABOUT_MAX  8192

static bool is_key(const char *name)
{
        return strlen(name) == KEY_LENGTH && strspn(name, "0123456789abcdef") == KEY_LENGTH;
}

/* What is on its way: ".KEY" of a template that is made or removed. */
static bool is_unfinished(const char *name)
{
        return name[0] == '.' && is_key(name + 1);
}

/* The value of NAME in lines of NAME=VALUE; false when it is not there or does not fit. */
static bool take_value(const char *text, const char *name, char *ret, size_t size)
{
        size_t length = strlen(name);

        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                size_t end = strcspn(line, "\n");

                if (strncmp(line, name, length) != 0 || line[length] != '=')
                        continue;
                if (end - length - 1 >= size)
                        return false;
                memcpy(ret, line + length + 1, end - length - 1);
                ret[end - length - 1] = '\0';
                return true;
        }
        return false;
}

bool vm_description_parse(const char *text, struct vm_description *ret)
{
        char made[24], accel[8], memory[24], cpus[8];
        uint64_t seconds, processors;

        if (!take_value(text, "made", made, sizeof(made)) || !take_value(text, "accel", accel, sizeof(accel)) ||
            !take_value(text, "memory", memory, sizeof(memory)) || !take_value(text, "cpus", cpus, sizeof(cpus)) ||
            !take_value(text, "kernel", ret->kernel, sizeof(ret->kernel)) ||
            !take_value(text, "modules", ret->modules, sizeof(ret->modules)) ||
            !take_value(text, "qemu", ret->qemu, sizeof(ret->qemu)))
                return false;
        if (parse_number(made, 0, INT64_MAX, &seconds, NULL) < 0 || parse_size(memory, &ret->memory, NULL) < 0 ||
            parse_number(cpus, 1, 255, &processors, NULL) < 0)
                return false;
        for (ret->accel = VM_KVM; ret->accel <= VM_TCG; ret->accel++)
                if (strcmp(accel, vm_accel_name(ret->accel)) == 0)
                        break;
        ret->made = (int64_t)seconds;
        ret->cpus = (unsigned)processors;
        return ret->accel <= VM_TCG;
}

/* A template is of use as long as its files are those that it was made from. */
static void find_stale(const struct vm_description *description, struct vm_template_info *info)
{
        const struct vm_machine machine = { .qemu = description->qemu,
                                            .guest = VM_GUEST_PATH,
                                            .init = VM_INIT_PATH,
                                            .kernel = description->kernel,
                                            .modules = description->modules,
                                            .accel = description->accel,
                                            .memory = description->memory,
                                            .cpus = description->cpus };
        struct error err = ERROR_INIT;
        char key[17];

        if (vm_machine_key(&machine, key, &err) < 0)
                (void)snprintf(info->stale, sizeof(info->stale), "%.150s", err.text);
        else if (strcmp(key, info->key) != 0)
                (void)snprintf(info->stale, sizeof(info->stale), "its kernel, QEMU or agentsh was replaced");
}

static void describe(int directory, struct vm_template_info *info)
{
        cleanup_close int fd = fd_open_beneath(directory, "about", O_RDONLY, 0, NULL);
        cleanup_free struct vm_description *description = calloc(1, sizeof(*description));
        cleanup_free char *text = NULL;
        size_t size;

        if (fd < 0 || description == NULL || fd_read_all(fd, ABOUT_MAX, &text, &size, NULL) < 0 ||
            !vm_description_parse(text, description)) {
                (void)snprintf(info->stale, sizeof(info->stale), "it has no description");
                return;
        }
        (void)snprintf(info->kernel, sizeof(info->kernel), "%s", description->kernel);
        (void)snprintf(info->accel, sizeof(info->accel), "%s", vm_accel_name(description->accel));
        info->memory = description->memory;
        info->cpus = description->cpus;
        info->made = description->made;
        find_stale(description, info);
}

static uint64_t size_on_disk(int directory, const char *name)
{
        struct stat status;

        return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)status.st_blocks * 512;
}

/* An fd that keeps sessions from saying that they use it; -EBUSY when one does. */
static int lock_unused(int directory, struct error *err)
{
        cleanup_close int ram = fd_open_beneath(directory, "ram", O_RDONLY, 0, err);

        if (ram < 0)
                return ram;
        if (flock(ram, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? error_text(err, EBUSY, "a session uses it")
                                            : error_errno(err, errno, "cannot lock it");
        return TAKE_FD(ram);
}

/* False: it is gone meanwhile. */
static bool look_at(int templates, const char *key, struct vm_template_info *ret)
{
        cleanup_close int directory = fd_open_beneath(templates, key, O_RDONLY | O_DIRECTORY, 0, NULL);
        cleanup_close int lock = -EBADF;

        if (directory < 0)
                return false;
        memset(ret, 0, sizeof(*ret));
        (void)snprintf(ret->key, sizeof(ret->key), "%.16s", key);
        describe(directory, ret);
        ret->size = size_on_disk(directory, "ram") + size_on_disk(directory, "state");
        lock = lock_unused(directory, NULL);
        ret->used = lock == -EBUSY;
        return true;
}

static int open_directory(int templates, DIR **ret, struct error *err)
{
        int fd = openat(templates, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        *ret = fd < 0 ? NULL : fdopendir(fd);
        if (*ret == NULL && fd >= 0)
                (void)close(fd);
        return *ret == NULL ? error_errno(err, errno, "cannot list " VM_TEMPLATES_DIR) : 0;
}

static int newer_first(const void *a, const void *b)
{
        const struct vm_template_info *one = a, *other = b;

        if (one->made != other->made)
                return one->made > other->made ? -1 : 1;
        return strcmp(one->key, other->key);
}

void vm_template_list_done(struct vm_template_list *list)
{
        cleanup_free_pointer((void *)&list->item);
        *list = (struct vm_template_list){ 0 };
}

int vm_template_list_read(struct vm_template_list *ret, struct error *err)
{
        cleanup_template_list struct vm_template_list list = { 0 };
        cleanup_close int templates = -EBADF;
        cleanup_closedir DIR *directory = NULL;
        const struct dirent *entry;
        int r = vm_templates_open(&templates, err);

        if (r >= 0)
                r = open_directory(templates, &directory, err);
        if (r < 0)
                return r;
        while ((entry = readdir(directory)) != NULL) {
                struct vm_template_info *grown;

                if (!is_key(entry->d_name))
                        continue;
                grown = reallocarray(list.item, list.count + 1, sizeof(*grown));
                if (grown == NULL)
                        return error_errno(err, ENOMEM, "cannot list templates");
                list.item = grown;
                list.count += look_at(templates, entry->d_name, &list.item[list.count]);
        }
        if (list.count > 0)
                qsort(list.item, list.count, sizeof(list.item[0]), newer_first);
        *ret = list;
        list = (struct vm_template_list){ 0 };
        return 0;
}

static int remove_locked(int templates, const char *key, struct error *err)
{
        cleanup_close int directory = fd_open_beneath(templates, key, O_RDONLY | O_DIRECTORY, 0, NULL);
        cleanup_close int unused = -EBADF;
        char name[32];
        int r;

        if (directory < 0)
                return error_text(err, ENOENT, "there is no template %.32s", key);
        unused = lock_unused(directory, err);
        if (unused < 0 && unused != -ENOENT)
                return error_prefix(err, "cannot remove the template %s", key);
        (void)snprintf(name, sizeof(name), ".%s", key);
        r = fd_remove_tree(templates, name, err);
        if (r >= 0 && renameat(templates, key, templates, name) < 0)
                r = error_errno(err, errno, "cannot remove the template %s", key);
        return r < 0 ? r : fd_remove_tree(templates, name, err);
}

int vm_template_remove(const char *key, struct error *err)
{
        cleanup_close int templates = -EBADF, lock = -EBADF;
        int r;

        if (!is_key(key))
                return error_text(err, EINVAL, "\"%.32s\" is no template: \"agentshctl vm list\" lists them", key);
        r = vm_templates_open(&templates, err);
        if (r < 0)
                return r;
        lock = vm_templates_lock(templates, NULL, err);
        return lock < 0 ? lock : remove_locked(templates, key, err);
}

int vm_templates_tidy(struct error *err)
{
        cleanup_close int templates = -EBADF, lock = -EBADF;
        cleanup_closedir DIR *directory = NULL;
        const struct dirent *entry;
        int r = vm_templates_open(&templates, err);

        if (r < 0)
                return r;
        lock = vm_templates_lock(templates, NULL, err);
        r = lock < 0 ? lock : open_directory(templates, &directory, err);
        while (r >= 0 && (entry = readdir(directory)) != NULL)
                if (is_unfinished(entry->d_name))
                        r = fd_remove_tree(templates, entry->d_name, err);
        return r;
}
