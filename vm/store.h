/*
 * store.h - a directory below AGENTSH_STATE_DIR with what is made once and shared by sessions: templates, root images.
 *
 *   KEY/       an entry, named by a hash of what it was made from; never changed once it is there
 *   KEY/about  text for people: NAME=VALUE lines
 *   .KEY/      one that is made or removed just now, or was when its process was killed
 *   lock       held by whoever makes or removes
 *
 * A session that uses an entry holds a shared lock on one file of it (struct store's `shared`). Root.
 */
#ifndef AGENTSH_VM_STORE_H
#define AGENTSH_VM_STORE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_KEY_SIZE 17 /* 16 hex digits and a NUL */

struct store {
        const char *name;   /* of the directory, below AGENTSH_STATE_DIR */
        const char *shared; /* name of the file that carries the locks of sessions */
        const char *what;   /* "template": for messages */
        const char *list;   /* the command that lists them: for messages */
};

/* Told what goes on while an entry is made; `text` is one line. */
struct vm_progress {
        void (*say)(void *context, const char *text);
        void *context;
};

/* `progress` may be NULL. */
__attribute__((format(printf, 2, 3))) void progress_say(const struct vm_progress *progress, const char *fmt, ...);

/* The store's directory, made when it is missing, checked to be root's alone. The caller owns the fd. */
must_check int store_open(const struct store *store, int *ret, struct error *err);

/* An entry's directory, and its shared file, open for reading with a session's lock. -ENOENT when there is none. */
must_check int store_use(const struct store *store, const char *key, int *ret_entry, int *ret_shared,
                         struct error *err);

/* Fills the directory `entry`. */
typedef int store_fill(int entry, void *context, const struct vm_progress *progress, struct error *err);

/* Make an entry unless it is there, under the store's lock, which is waited for. A failure leaves nothing. */
must_check int store_make(const struct store *store, const char *key, store_fill *fill, void *context,
                          const struct vm_progress *progress, struct error *err);

/* A new file of an entry, 0600, open for reading and writing; the caller owns the fd. */
must_check int store_make_file(int entry, const char *name, struct error *err);

/* The bytes on disk of an entry's file; 0 when it is not there. */
uint64_t store_size_on_disk(int entry, const char *name);

/* Whether a session uses it. */
bool store_is_used(const struct store *store, int entry);

/* An entry's description; the caller frees *ret. */
must_check int store_read_about(int entry, char **ret, struct error *err);

/* The value of NAME in lines of NAME=VALUE; false when it is not there or does not fit. Pure. */
must_check bool store_take_value(const char *text, const char *name, char *ret, size_t size);

/* Called for each entry; a negative result ends the walk. */
typedef int store_visit(int entry, const char *key, void *context, struct error *err);
must_check int store_each(const struct store *store, store_visit *visit, void *context, struct error *err);

/*
 * Remove one, under the store's lock: from one moment to the next it is not there. -EBUSY while a session uses it,
 * -ENOENT when there is none, -EINVAL when `key` is no key.
 */
must_check int store_remove(const struct store *store, const char *key, struct error *err);

/* Remove what processes that were killed left of entries that they made or removed. */
must_check int store_tidy(const struct store *store, struct error *err);

#endif
