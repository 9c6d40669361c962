/* vm_list.c - agentshctl vm list, vm remove: the templates that sessions in virtual machines start from. Root. */
#include "admin/output.h"
#include "admin/store_remove.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/process.h"
#include "vm/template.h"
#include "vm/template_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void describe_state(const struct vm_template_info *info, char *ret, size_t size)
{
        (void)snprintf(ret, size, "%s%s%s",
                       info->used               ? "in use"
                       : info->stale[0] == '\0' ? "ready"
                                                : "",
                       info->stale[0] == '\0' ? ""
                       : info->used           ? ", stale: "
                                              : "stale: ",
                       info->stale);
}

static void add_row(struct table *table, const struct vm_template_info *info)
{
        const char *name = strrchr(info->kernel, '/');
        int64_t age = process_realtime() - info->made;
        char text[256];

        table_cell(table, info->key);
        table_cell(table, name != NULL ? name + 1 : "");
        format_size(text, sizeof(text), info->memory);
        table_cell(table, text);
        (void)snprintf(text, sizeof(text), "%u", info->cpus);
        table_cell(table, text);
        table_cell(table, info->accel);
        format_size(text, sizeof(text), info->size);
        table_cell(table, text);
        format_seconds(text, sizeof(text), age > 0 ? (uint64_t)age : 0);
        table_cell(table, info->made != 0 ? text : "");
        describe_state(info, text, sizeof(text));
        table_cell(table, text);
}

static void print_json(const struct vm_template_list *list)
{
        struct json json = { .stream = stdout };

        json_begin_array(&json, NULL);
        for (size_t i = 0; i < list->count; i++) {
                const struct vm_template_info *info = &list->item[i];

                json_begin_object(&json, NULL);
                json_string(&json, "template", info->key);
                json_number(&json, "size", (int64_t)info->size);
                json_bool(&json, "in_use", info->used);
                json_bool(&json, "stale", info->stale[0] != '\0');
                json_string(&json, "reason", info->stale[0] != '\0' ? info->stale : NULL);
                if (info->made != 0) {
                        json_string(&json, "kernel", info->kernel);
                        json_string(&json, "accel", info->accel);
                        json_number(&json, "memory", (int64_t)info->memory);
                        json_number(&json, "cpus", info->cpus);
                        json_number(&json, "made", info->made);
                }
                json_end_object(&json);
        }
        json_end_array(&json);
        (void)putchar('\n');
}

static int print_table(const struct vm_template_list *list, struct error *err)
{
        static const char *const HEADINGS[] = {
                "TEMPLATE", "KERNEL", "MEMORY", "CPUS", "ACCEL", "SIZE", "AGE", "STATE"
        };
        cleanup_table struct table table;

        table_begin(&table, HEADINGS, sizeof(HEADINGS) / sizeof(HEADINGS[0]));
        for (size_t i = 0; i < list->count; i++)
                add_row(&table, &list->item[i]);
        return table_print(&table, stdout, err);
}

int verb_vm_list(int argc, char **argv)
{
        cleanup_template_list struct vm_template_list list = { 0 };
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        if (vm_template_list_read(&list, &err) < 0)
                return output_error(&err);
        if (as_json)
                print_json(&list);
        else if (print_table(&list, &err) < 0)
                return output_error(&err);
        return finish_output(VERB_OK);
}

int verb_vm_remove(int argc, char **argv)
{
        cleanup_template_list struct vm_template_list list = { 0 };
        cleanup_free struct removable *items = NULL;
        struct error err = ERROR_INIT;

        if (vm_template_list_read(&list, &err) < 0)
                return output_error(&err);
        items = calloc(list.count + 1, sizeof(*items));
        if (items == NULL) {
                (void)error_errno(&err, ENOMEM, "cannot list templates");
                return output_error(&err);
        }
        for (size_t i = 0; i < list.count; i++)
                items[i] = (struct removable){ .key = list.item[i].key, .stale = list.item[i].stale[0] != '\0' };
        return store_remove_named(&vm_templates, items, list.count, true, argc, argv);
}
