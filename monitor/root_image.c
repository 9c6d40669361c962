/*
 * root_image.c - see root_image.h. The key of an image is what can be told of its source at the cost of some stat(2)s:
 * a package manager's record changes with every package, directories change with what is put into them.
 */
#include "monitor/root_image.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/hash.h"
#include "common/paths.h"
#include "common/process.h"
#include "monitor/jail_etc.h"
#include "monitor/log.h"
#include "monitor/root_view.h"
#include "vm/root_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* Raised when the way an image is made changes. */
#define IMAGE_FORMAT 1

/* Tells in which state a root is: records of package managers, and directories that are filled without one. */
static const char *const signs[] = {
        "var/lib/dpkg/status",
        "var/lib/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/rpmdb.sqlite",
        "var/lib/rpm/Packages.db",
        "lib/apk/db/installed",
        "var/lib/pacman/local",
        "etc/ld.so.cache",
        "usr",
        "usr/bin",
        "usr/lib",
        "usr/sbin",
        "usr/share",
        "usr/local",
        "usr/local/bin",
        "usr/local/lib",
        "usr/local/sbin",
        "usr/local/share",
};

static const char *after(const char *source, const char *kind)
{
        return strncmp(source, kind, strlen(kind)) == 0 ? source + strlen(kind) : NULL;
}

static void mix_sign(uint64_t *hash, int root, const char *path)
{
        struct stat status;

        hash_mix(hash, path, strlen(path) + 1);
        if (fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        hash_mix(hash, &status.st_dev, sizeof(status.st_dev));
        hash_mix(hash, &status.st_ino, sizeof(status.st_ino));
        hash_mix(hash, &status.st_mode, sizeof(status.st_mode));
        hash_mix(hash, &status.st_mtim, sizeof(status.st_mtim));
        hash_mix(hash, &status.st_ctim, sizeof(status.st_ctim));
        if (!S_ISDIR(status.st_mode))
                hash_mix(hash, &status.st_size, sizeof(status.st_size));
}

static int mix_etc(uint64_t *hash, struct error *err)
{
        cleanup_close int etc = open("/etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        unsigned char kinds[ETC_PATHS];
        int r = etc < 0 ? error_errno(err, errno, "cannot open /etc") : etc_look_at_host(etc, kinds, hash, err);

        /* Of those only that they are there is mixed in; /etc itself changes with every account. */
        for (size_t i = 0; r >= 0 && i < ETC_PATHS; i++)
                if (kinds[i] == ETC_FILE || kinds[i] == ETC_DIR)
                        mix_sign(hash, etc, etc_paths[i]);
        return r;
}

/* What an image is made of, whatever its source's state. */
static uint64_t mix_recipe(const struct policy *policy)
{
        const uint64_t format = IMAGE_FORMAT;
        uint64_t hash = HASH_INIT;

        hash_mix(&hash, &format, sizeof(format));
        hash_mix(&hash, policy->root_source, strlen(policy->root_source) + 1);
        for (size_t i = 0; i < policy->root_omit.count; i++)
                hash_mix(&hash, policy->root_omit.text[i], strlen(policy->root_omit.text[i]) + 1);
        return hash;
}

static void format_hash(uint64_t hash, char ret[static STORE_KEY_SIZE])
{
        (void)snprintf(ret, STORE_KEY_SIZE, "%016llx", (unsigned long long)hash);
}

static int find_key(const struct policy *policy, char ret[static STORE_KEY_SIZE], struct error *err)
{
        const char *directory = after(policy->root_source, "dir:");
        cleanup_close int root = fd_open_absolute(directory != NULL ? directory : "/", O_PATH | O_DIRECTORY, 0, err);
        uint64_t hash = mix_recipe(policy);
        int r = 0;

        if (root < 0)
                return root;
        for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
                mix_sign(&hash, root, signs[i]);
        if (directory == NULL)
                r = mix_etc(&hash, err);
        format_hash(hash, ret);
        return r;
}

static int write_about(int entry, const struct policy *policy, struct error *err)
{
        cleanup_close int fd = store_make_file(entry, "about", err);
        char text[PATH_MAX + 96], recipe[STORE_KEY_SIZE];
        int size;

        format_hash(mix_recipe(policy), recipe);
        size = snprintf(text, sizeof(text), "made=%lld\nsource=%s\nrecipe=%s\n", (long long)process_realtime(),
                        policy->root_source, recipe);
        return fd < 0 ? fd : fd_write_all(fd, text, (size_t)size, "the image's description", err);
}

struct making {
        const struct policy *policy;
        const char *key;
};

static int fill(int entry, void *context, const struct vm_progress *progress, struct error *err)
{
        const struct making *making = context;
        const struct policy *policy = making->policy;
        const struct root_wish wish = { .directory = after(policy->root_source, "dir:"),
                                        .omit = &policy->root_omit,
                                        .size = policy->root_size };
        cleanup_close int image = store_make_file(entry, "image", err);
        char key[STORE_KEY_SIZE];
        int r;

        if (image < 0)
                return image;
        progress_say(progress, "making an image of the root %s, which can take a minute", policy->root_source);
        r = root_view_write(&wish, image, err);
        if (r >= 0)
                r = find_key(policy, key, err);
        if (r >= 0 && strcmp(key, making->key) != 0)
                r = error_text(err, EAGAIN, "packages or files changed meanwhile: try again when that is done");
        return r < 0 ? r : write_about(entry, policy, err);
}

/* Those of the same recipe that no login will use again. One that cannot be removed now is, the next time. */
static void remove_former(const struct policy *policy, const char *key)
{
        cleanup_root_image_list struct root_image_list list = { 0 };
        struct error err = ERROR_INIT;
        char recipe[STORE_KEY_SIZE];

        format_hash(mix_recipe(policy), recipe);
        if (root_image_list_read(&list, &err) < 0) {
                log_line(LOG_WARNING, "root images of former states stay: %s", err.text);
                return;
        }
        for (size_t i = 0; i < list.count; i++) {
                const struct root_image_info *info = &list.item[i];

                if (info->used || strcmp(info->recipe, recipe) != 0 || strcmp(info->key, key) == 0)
                        continue;
                if (store_remove(&root_images, info->key, &err) < 0)
                        log_line(LOG_WARNING, "%s", err.text);
        }
}

static int use(const char *key, int *ret_fd, struct error *err)
{
        cleanup_close int entry = -EBADF;

        return store_use(&root_images, key, &entry, ret_fd, err);
}

static int open_made(const struct policy *policy, const struct vm_progress *progress, int *ret_fd, struct error *err)
{
        char key[STORE_KEY_SIZE];
        struct making making = { .policy = policy, .key = key };
        int r = find_key(policy, key, err);

        if (r < 0)
                return r;
        r = use(key, ret_fd, err);
        if (r != -ENOENT)
                return r;
        r = store_make(&root_images, key, fill, &making, progress, err);
        if (r < 0)
                return error_prefix(err, "cannot make an image of the root %s", policy->root_source);
        remove_former(policy, key);
        return use(key, ret_fd, err);
}

static int open_given(const char *path, int *ret_fd, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(path, O_RDONLY | O_NONBLOCK, 0, err);
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFREG, path, err);
        if (r >= 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

int root_image_open(const struct policy *policy, const struct vm_progress *progress, int *ret_fd, struct error *err)
{
        const char *given = after(policy->root_source, "image:");

        return given != NULL ? open_given(given, ret_fd, err) : open_made(policy, progress, ret_fd, err);
}

int root_image_describe(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        const char *given = after(policy->root_source, "image:");
        cleanup_close int fd = -EBADF;
        char key[STORE_KEY_SIZE] = "";
        int r = given != NULL ? open_given(given, &fd, err) : find_key(policy, key, err);

        if (r >= 0 && given == NULL)
                r = use(key, &fd, err);
        if (r == -ENOENT && key[0] != '\0') {
                if (access(ROOT_IMAGE_PROGRAM, X_OK) < 0)
                        return error_text(err, ENOENT,
                                          ROOT_IMAGE_PROGRAM " is not installed: [root] source = %s needs it",
                                          policy->root_source);
                (void)snprintf(ret, size,
                               "an image of %s is not there yet: the first login makes it and waits for it, "
                               "or: agentshctl vm build --account NAME",
                               policy->root_source);
                return 0;
        }
        if (r >= 0)
                (void)snprintf(ret, size, "%s%s is ready", given != NULL ? given : "the image ",
                               given != NULL ? "" : key);
        return r < 0 ? r : 1;
}
