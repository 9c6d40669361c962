/* root_verbs.c - agentshctl root list, root remove: images of roots, which virtual machines share. Root. */
#include "admin/output.h"
#include "admin/store_remove.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/process.h"
#include "vm/root_store.h"

#include <errno.h>
#include <stdlib.h>

static void add_row(struct table *table, const struct root_image_info *info)
{
        int64_t age = process_realtime() - info->made;
        char text[64];

        table_cell(table, info->key);
        table_cell(table, info->source);
        format_size(text, sizeof(text), info->size);
        table_cell(table, text);
        format_seconds(text, sizeof(text), age > 0 ? (uint64_t)age : 0);
        table_cell(table, info->made != 0 ? text : "");
        table_cell(table, info->used ? "in use" : "");
}

static int print_table(const struct root_image_list *list, struct error *err)
{
        static const char *const HEADINGS[] = { "IMAGE", "SOURCE", "SIZE", "AGE", "STATE" };
        cleanup_table struct table table;

        table_begin(&table, HEADINGS, sizeof(HEADINGS) / sizeof(HEADINGS[0]));
        for (size_t i = 0; i < list->count; i++)
                add_row(&table, &list->item[i]);
        return table_print(&table, stdout, err);
}

static void print_json(const struct root_image_list *list)
{
        struct json json = { .stream = stdout };

        json_begin_array(&json, NULL);
        for (size_t i = 0; i < list->count; i++) {
                const struct root_image_info *info = &list->item[i];

                json_begin_object(&json, NULL);
                json_string(&json, "image", info->key);
                json_string(&json, "source", info->source[0] != '\0' ? info->source : NULL);
                json_number(&json, "size", (int64_t)info->size);
                json_bool(&json, "in_use", info->used);
                if (info->made != 0)
                        json_number(&json, "made", info->made);
                json_end_object(&json);
        }
        json_end_array(&json);
        (void)putchar('\n');
}

int verb_root_list(int argc, char **argv)
{
        cleanup_root_image_list struct root_image_list list = { 0 };
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        if (root_image_list_read(&list, &err) < 0)
                return output_error(&err);
        if (as_json)
                print_json(&list);
        else if (print_table(&list, &err) < 0)
                return output_error(&err);
        return finish_output(VERB_OK);
}

int verb_root_remove(int argc, char **argv)
{
        cleanup_root_image_list struct root_image_list list = { 0 };
        cleanup_free struct removable *items = NULL;
        struct error err = ERROR_INIT;

        if (root_image_list_read(&list, &err) < 0)
                return output_error(&err);
        items = calloc(list.count + 1, sizeof(*items));
        if (items == NULL) {
                (void)error_errno(&err, ENOMEM, "cannot list root images");
                return output_error(&err);
        }
        for (size_t i = 0; i < list.count; i++)
                items[i].key = list.item[i].key;
        return store_remove_named(&root_images, items, list.count, false, argc, argv);
}
