/* root_store.c - see root_store.h. */
#include "vm/root_store.h"

#include "common/cleanup.h"
#include "common/parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct store root_images = {
        .name = "roots", .shared = "image", .what = "root image", .list = "agentshctl root list"
};

static int look_at(int entry, const char *key, void *context, struct error *err)
{
        struct root_image_list *list = context;
        struct root_image_info *grown = reallocarray(list->item, list->count + 1, sizeof(*grown));
        cleanup_free char *about = NULL;
        struct root_image_info *info;
        uint64_t made;
        char text[24];

        if (grown == NULL)
                return error_errno(err, ENOMEM, "cannot list root images");
        list->item = grown;
        info = &list->item[list->count++];
        *info = (struct root_image_info){ .size = store_size_on_disk(entry, "image"),
                                          .used = store_is_used(&root_images, entry) };
        (void)snprintf(info->key, sizeof(info->key), "%.16s", key);
        if (store_read_about(entry, &about, NULL) < 0 ||
            !store_take_value(about, "recipe", info->recipe, sizeof(info->recipe)) ||
            !store_take_value(about, "source", info->source, sizeof(info->source)))
                info->source[0] = '\0';
        else if (store_take_value(about, "made", text, sizeof(text)) &&
                 parse_number(text, 0, INT64_MAX, &made, NULL) >= 0)
                info->made = (int64_t)made;
        return 0;
}

static int newer_first(const void *a, const void *b)
{
        const struct root_image_info *one = a, *other = b;

        if (one->made != other->made)
                return one->made > other->made ? -1 : 1;
        return strcmp(one->key, other->key);
}

void root_image_list_done(struct root_image_list *list)
{
        cleanup_free_pointer((void *)&list->item);
        *list = (struct root_image_list){ 0 };
}

int root_image_list_read(struct root_image_list *ret, struct error *err)
{
        cleanup_root_image_list struct root_image_list list = { 0 };
        int r = store_each(&root_images, look_at, &list, err);

        if (r < 0)
                return r;
        if (list.count > 0)
                qsort(list.item, list.count, sizeof(list.item[0]), newer_first);
        *ret = list;
        list = (struct root_image_list){ 0 };
        return 0;
}
