/* template_list.c - see template_list.h. */
#include "vm/template_list.h"

#include "common/cleanup.h"
#include "common/parse.h"
#include "vm/host.h"
#include "vm/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool vm_description_parse(const char *text, struct vm_description *ret)
{
        char made[24], accel[8], memory[24], cpus[8];
        uint64_t seconds, processors;

        if (!store_take_value(text, "made", made, sizeof(made)) ||
            !store_take_value(text, "accel", accel, sizeof(accel)) ||
            !store_take_value(text, "memory", memory, sizeof(memory)) ||
            !store_take_value(text, "cpus", cpus, sizeof(cpus)) ||
            !store_take_value(text, "kernel", ret->kernel, sizeof(ret->kernel)) ||
            !store_take_value(text, "modules", ret->modules, sizeof(ret->modules)) ||
            !store_take_value(text, "qemu", ret->qemu, sizeof(ret->qemu)))
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

static void describe(int entry, struct vm_template_info *info)
{
        cleanup_free struct vm_description *description = calloc(1, sizeof(*description));
        cleanup_free char *text = NULL;

        if (description == NULL || store_read_about(entry, &text, NULL) < 0 ||
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

static int look_at(int entry, const char *key, void *context, struct error *err)
{
        struct vm_template_list *list = context;
        struct vm_template_info *grown = reallocarray(list->item, list->count + 1, sizeof(*grown));
        struct vm_template_info *info;

        if (grown == NULL)
                return error_errno(err, ENOMEM, "cannot list templates");
        list->item = grown;
        info = &list->item[list->count++];
        memset(info, 0, sizeof(*info));
        (void)snprintf(info->key, sizeof(info->key), "%.16s", key);
        describe(entry, info);
        info->size = store_size_on_disk(entry, "ram") + store_size_on_disk(entry, "state");
        info->used = store_is_used(&vm_templates, entry);
        return 0;
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
        int r = store_each(&vm_templates, look_at, &list, err);

        if (r < 0)
                return r;
        if (list.count > 0)
                qsort(list.item, list.count, sizeof(list.item[0]), newer_first);
        *ret = list;
        list = (struct vm_template_list){ 0 };
        return 0;
}
