/*
 * store_remove.h - the end of "vm remove" and "root remove": which entries of a store go. Root.
 */
#ifndef AGENTSH_ADMIN_STORE_REMOVE_H
#define AGENTSH_ADMIN_STORE_REMOVE_H

#include "vm/store.h"

/* One that is there. */
struct removable {
        const char *key;
        bool stale; /* no login will use it again */
};

/*
 * Remove the `count` of `items` that the rest of the command line names: keys, or beginnings that fit one alone, or --all,
 * or where `knows_stale` --stale. Prints what goes. Returns the verb's exit status.
 */
must_check int store_remove_named(const struct store *store, const struct removable *items, size_t count,
                                  bool knows_stale, int argc, char **argv);

#endif
