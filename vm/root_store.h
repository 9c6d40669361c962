/*
 * root_store.h - the images of root file systems that were made of this host or of a directory, below
 * AGENTSH_STATE_DIR/roots: KEY/image is erofs, root's, 0600, and open for reading in every session that uses it. Root.
 */
#ifndef AGENTSH_VM_ROOT_STORE_H
#define AGENTSH_VM_ROOT_STORE_H

#include "common/error.h"
#include "vm/store.h"

#include <limits.h>

/* What makes them. */
#define ROOT_IMAGE_PROGRAM "/usr/bin/mkfs.erofs"

extern const struct store root_images;

struct root_image_info {
        char key[STORE_KEY_SIZE];
        char recipe[STORE_KEY_SIZE]; /* the same for images of one source with the same left out; "" like source */
        char source[PATH_MAX + 8];   /* "host" or "dir:PATH"; "": it has no description */
        int64_t made;                /* seconds since the epoch; 0 like that */
        uint64_t size;               /* bytes on disk */
        bool used;                   /* by a session that lives */
};

struct root_image_list {
        size_t count;
        struct root_image_info *item;
};

#define cleanup_root_image_list __attribute__((cleanup(root_image_list_done)))

/* The newest first. */
must_check int root_image_list_read(struct root_image_list *ret, struct error *err);
void root_image_list_done(struct root_image_list *list);

#endif
