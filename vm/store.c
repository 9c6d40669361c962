/* store.c - see store.h. An entry is made under a name of its own, and gets the key's name when it is whole. */
#include "vm/store.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ABOUT_MAX 8192

void progress_say(const struct vm_progress *progress, const char *fmt, ...)
{
        char text[256];
        va_list arguments;

        if (progress == NULL || progress->say == NULL)
                return;
        va_start(arguments, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, arguments);
        va_end(arguments);
        progress->say(progress->context, text);
}

static bool is_key(const char *name)
{
        return strlen(name) == STORE_KEY_SIZE - 1 && strspn(name, "0123456789abcdef") == STORE_KEY_SIZE - 1;
}

static bool is_unfinished(const char *name)
{
        return name[0] == '.' && is_key(name + 1);
}

int store_open(const struct store *store, int *ret, struct error *err)
{
        cleanup_close int state = fd_open_absolute(AGENTSH_STATE_DIR, O_PATH | O_DIRECTORY, 0, err);
        int r;

        if (state < 0)
                return state;
        r = fd_check_root_owned(state, S_IFDIR, AGENTSH_STATE_DIR, err);
        return r < 0 ? r : fd_make_dir(state, store->name, 0700, ret, err);
}

static int lock_store(const struct store *store, int directory, const struct vm_progress *progress, struct error *err)
{
        cleanup_close int lock = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (lock < 0)
                return error_errno(err, errno, "cannot open the lock of all %ss", store->what);
        if (flock(lock, LOCK_EX | LOCK_NB) == 0)
                return TAKE_FD(lock);
        progress_say(progress, "waiting for another process that makes a %s", store->what);
        if (flock(lock, LOCK_EX) < 0)
                return error_errno(err, errno, "cannot lock all %ss", store->what);
        return TAKE_FD(lock);
}

/* The store's directory and the lock on it. */
static int open_locked(const struct store *store, const struct vm_progress *progress, int *ret_directory, int *ret_lock,
                       struct error *err)
{
        int r = store_open(store, ret_directory, err);

        if (r < 0)
                return r;
        *ret_lock = lock_store(store, *ret_directory, progress, err);
        return *ret_lock < 0 ? *ret_lock : 0;
}

int store_use(const struct store *store, const char *key, int *ret_entry, int *ret_shared, struct error *err)
{
        cleanup_close int directory = -EBADF, entry = -EBADF, shared = -EBADF;
        int r = store_open(store, &directory, err);

        if (r < 0)
                return r;
        entry = fd_open_beneath(directory, key, O_PATH | O_DIRECTORY, 0, err);
        if (entry < 0)
                return entry;
        shared = fd_open_beneath(entry, store->shared, O_RDONLY, 0, err);
        if (shared < 0)
                return shared;
        r = fd_check_root_owned(shared, S_IFREG, store->shared, err);
        if (r < 0)
                return r;
        if (flock(shared, LOCK_SH) < 0)
                return error_errno(err, errno, "cannot lock the %s", store->what);
        *ret_entry = TAKE_FD(entry);
        *ret_shared = TAKE_FD(shared);
        return 0;
}

int store_make_file(int entry, const char *name, struct error *err)
{
        int fd = openat(entry, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

        return fd < 0 ? error_errno(err, errno, "cannot make the file %s", name) : fd;
}

int store_make(const struct store *store, const char *key, store_fill *fill, void *context,
               const struct vm_progress *progress, struct error *err)
{
        cleanup_close int directory = -EBADF, lock = -EBADF, entry = -EBADF;
        char name[STORE_KEY_SIZE + 1];
        int r = open_locked(store, progress, &directory, &lock, err);

        if (r < 0 || faccessat(directory, key, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return r;
        (void)snprintf(name, sizeof(name), ".%.16s", key);
        r = fd_remove_tree(directory, name, err);
        if (r >= 0)
                r = fd_make_dir(directory, name, 0700, &entry, err);
        if (r >= 0)
                r = fill(entry, context, progress, err);
        if (r >= 0 && renameat(directory, name, directory, key) < 0)
                r = error_errno(err, errno, "cannot put the %s in place", store->what);
        if (r < 0 && fd_remove_tree(directory, name, NULL) < 0)
                (void)error_prefix(err, "(and its files cannot be removed)");
        return r < 0 ? r : 0;
}

uint64_t store_size_on_disk(int entry, const char *name)
{
        struct stat status;

        return fstatat(entry, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)status.st_blocks * 512;
}

/* An fd that keeps sessions from saying that they use it; -EBUSY when one does. */
static int lock_unused(const struct store *store, int entry, struct error *err)
{
        cleanup_close int shared = fd_open_beneath(entry, store->shared, O_RDONLY, 0, err);

        if (shared < 0)
                return shared;
        if (flock(shared, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? error_text(err, EBUSY, "a session uses it")
                                            : error_errno(err, errno, "cannot lock it");
        return TAKE_FD(shared);
}

bool store_is_used(const struct store *store, int entry)
{
        cleanup_close int lock = lock_unused(store, entry, NULL);

        return lock == -EBUSY;
}

int store_read_about(int entry, char **ret, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(entry, "about", O_RDONLY, 0, err);
        size_t size;

        return fd < 0 ? fd : fd_read_all(fd, ABOUT_MAX, ret, &size, err);
}

bool store_take_value(const char *text, const char *name, char *ret, size_t size)
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

static int list_directory(const struct store *store, int fd, DIR **ret, struct error *err)
{
        int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        *ret = own < 0 ? NULL : fdopendir(own);
        if (*ret == NULL && own >= 0)
                (void)close(own);
        return *ret == NULL ? error_errno(err, errno, "cannot list %s/%s", AGENTSH_STATE_DIR, store->name) : 0;
}

int store_each(const struct store *store, store_visit *visit, void *context, struct error *err)
{
        cleanup_close int directory = -EBADF;
        cleanup_closedir DIR *list = NULL;
        const struct dirent *item;
        int r = store_open(store, &directory, err);

        if (r >= 0)
                r = list_directory(store, directory, &list, err);
        while (r >= 0 && (item = readdir(list)) != NULL) {
                cleanup_close int entry = -EBADF;

                if (!is_key(item->d_name))
                        continue;
                entry = fd_open_beneath(directory, item->d_name, O_RDONLY | O_DIRECTORY, 0, NULL);
                /* Else it is gone meanwhile. */
                if (entry >= 0)
                        r = visit(entry, item->d_name, context, err);
        }
        return r < 0 ? r : 0;
}

static int remove_locked(const struct store *store, int directory, const char *key, struct error *err)
{
        cleanup_close int entry = fd_open_beneath(directory, key, O_RDONLY | O_DIRECTORY, 0, NULL);
        cleanup_close int unused = -EBADF;
        char name[STORE_KEY_SIZE + 1];
        int r;

        if (entry < 0)
                return error_text(err, ENOENT, "there is no %s %.32s", store->what, key);
        unused = lock_unused(store, entry, err);
        if (unused < 0 && unused != -ENOENT)
                return error_prefix(err, "cannot remove the %s %s", store->what, key);
        (void)snprintf(name, sizeof(name), ".%.16s", key);
        r = fd_remove_tree(directory, name, err);
        if (r >= 0 && renameat(directory, key, directory, name) < 0)
                r = error_errno(err, errno, "cannot remove the %s %s", store->what, key);
        return r < 0 ? r : fd_remove_tree(directory, name, err);
}

int store_remove(const struct store *store, const char *key, struct error *err)
{
        cleanup_close int directory = -EBADF, lock = -EBADF;
        int r;

        if (!is_key(key))
                return error_text(err, EINVAL, "\"%.32s\" is no %s: \"%s\" lists them", key, store->what, store->list);
        r = open_locked(store, NULL, &directory, &lock, err);
        return r < 0 ? r : remove_locked(store, directory, key, err);
}

int store_tidy(const struct store *store, struct error *err)
{
        cleanup_close int directory = -EBADF, lock = -EBADF;
        cleanup_closedir DIR *list = NULL;
        const struct dirent *item;
        int r = open_locked(store, NULL, &directory, &lock, err);

        if (r >= 0)
                r = list_directory(store, directory, &list, err);
        while (r >= 0 && (item = readdir(list)) != NULL)
                if (is_unfinished(item->d_name))
                        r = fd_remove_tree(directory, item->d_name, err);
        return r < 0 ? r : 0;
}
