/*
 * jail_etc_tree.c - the part of the jail's /etc that is the same for all accounts: a directory of root's, made once
 * for each state of the host's files and then bound by every login.
 *
 * Its name is a hash of what it was made from, so that a change on the host is seen at the next login. Trees of former
 * states stay until the runtime directory goes, since sessions may still use them. Root of the host.
 */
#include "monitor/jail_etc.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/hash.h"
#include "common/process.h"
#include "monitor/jail.h"
#include "monitor/jail_cache.h"
#include "monitor/jail_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_MAX (16 * 1024)

#define HOST_ETC(path) path,
const char *const etc_paths[] = {
#include "monitor/jail_etc.def"
};
#undef HOST_ETC

/* What the jail makes itself: files with a content, and links. */
static const char *const made_files[][2] = {
        { "nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\n"
                           "protocols: files\nservices: files\nethers: files\nrpc: files\n" },
        { "resolv.conf", "" },
};

static const char *const made_links[][2] = {
        { "mtab", "/proc/self/mounts" },
        { "passwd", "/" JAIL_ACCOUNT_DIR "/passwd" },
        { "group", "/" JAIL_ACCOUNT_DIR "/group" },
        { "hostname", "/" JAIL_ACCOUNT_DIR "/hostname" },
        { "hosts", "/" JAIL_ACCOUNT_DIR "/hosts" },
        { "machine-id", "/" JAIL_ACCOUNT_DIR "/machine-id" },
};

static enum etc_kind kind_of(const struct stat *st)
{
        /* What others may not read on the host is nobody's business inside either. */
        if (st->st_uid != 0 || (st->st_mode & S_IROTH) == 0)
                return ETC_ABSENT;
        switch (st->st_mode & S_IFMT) {
        case S_IFLNK:
                return ETC_LINK;
        case S_IFDIR:
                return ETC_DIR;
        case S_IFREG:
                return st->st_size <= COPY_MAX ? ETC_COPY : ETC_FILE;
        default:
                return ETC_ABSENT;
        }
}

int etc_look_at_host(int host, unsigned char *kinds, uint64_t *hash, struct error *err)
{
        hash_mix(hash, AGENTSH_VERSION, sizeof(AGENTSH_VERSION));
        hash_mix(hash, made_files[0][1], strlen(made_files[0][1]));
        for (size_t i = 0; i < ETC_PATHS; i++) {
                struct stat st;

                kinds[i] = ETC_ABSENT;
                if (fstatat(host, etc_paths[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
                        kinds[i] = (unsigned char)kind_of(&st);
                else if (errno != ENOENT && errno != ENOTDIR)
                        return error_errno(err, errno, "cannot look at /etc/%s", etc_paths[i]);
                hash_mix(hash, etc_paths[i], strlen(etc_paths[i]));
                hash_mix(hash, &kinds[i], 1);
                if (kinds[i] == ETC_LINK || kinds[i] == ETC_COPY) {
                        uint64_t state[] = { st.st_dev,
                                             st.st_ino,
                                             (uint64_t)st.st_size,
                                             (uint64_t)st.st_ctim.tv_sec,
                                             (uint64_t)st.st_ctim.tv_nsec,
                                             (uint64_t)st.st_mtim.tv_sec,
                                             (uint64_t)st.st_mtim.tv_nsec };

                        hash_mix(hash, state, sizeof(state));
                }
        }
        return 0;
}

static int write_file(int tree, const char *name, const char *text, size_t size, struct error *err)
{
        cleanup_close int fd = openat(tree, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

        if (fd < 0 || fchmod(fd, 0644) < 0)
                return error_errno(err, errno, "cannot prepare the jail's /etc/%s", name);
        return fd_write_all(fd, text, size, name, err);
}

static int copy_file(int host, int tree, const char *name, struct error *err)
{
        cleanup_close int from = openat(host, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        cleanup_free char *text = NULL;
        size_t size;
        int r;

        if (from < 0)
                return error_errno(err, errno, "cannot open /etc/%s", name);
        r = fd_read_all(from, 4UL * COPY_MAX, &text, &size, err);
        if (r < 0)
                return error_prefix(err, "cannot copy /etc/%s", name);
        return write_file(tree, name, text, size, err);
}

static int copy_link(int host, int tree, const char *name, struct error *err)
{
        char target[PATH_MAX];
        ssize_t length = readlinkat(host, name, target, sizeof(target) - 1);

        if (length < 0)
                return error_errno(err, errno, "cannot read the link /etc/%s", name);
        target[length] = '\0';
        if (symlinkat(target, tree, name) < 0)
                return error_errno(err, errno, "cannot prepare the jail's /etc/%s", name);
        return 0;
}

static int make_directory(int tree, const char *path, struct error *err)
{
        if ((mkdirat(tree, path, 0755) < 0 && errno != EEXIST) || fchmodat(tree, path, 0755, 0) < 0)
                return error_errno(err, errno, "cannot prepare the jail's /etc/%s", path);
        return 0;
}

static int make_parent(int tree, const char *path, struct error *err)
{
        const char *slash = strchr(path, '/');
        char parent[64];

        if (slash == NULL)
                return 0;
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        return make_directory(tree, parent, err);
}

static int add_host_path(int host, int tree, const char *path, enum etc_kind kind, struct error *err)
{
        int r = kind == ETC_ABSENT ? 0 : make_parent(tree, path, err);

        if (r < 0)
                return r;
        switch (kind) {
        case ETC_ABSENT:
                return 0;
        case ETC_LINK:
                return copy_link(host, tree, path, err);
        case ETC_COPY:
                return copy_file(host, tree, path, err);
        case ETC_FILE:
                return write_file(tree, path, "", 0, err);
        case ETC_DIR:
                return make_directory(tree, path, err);
        }
        return 0;
}

int etc_fill(int host, int tree, const unsigned char *kinds, struct error *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sizeof(made_files) / sizeof(made_files[0]); i++)
                r = write_file(tree, made_files[i][0], made_files[i][1], strlen(made_files[i][1]), err);
        for (size_t i = 0; r >= 0 && i < ETC_PATHS; i++)
                r = add_host_path(host, tree, etc_paths[i], (enum etc_kind)kinds[i], err);
        return r;
}

static int fill_tree(int host, int tree, const unsigned char *kinds, struct error *err)
{
        int r = etc_fill(host, tree, kinds, err);

        for (size_t i = 0; r >= 0 && i < sizeof(made_links) / sizeof(made_links[0]); i++)
                if (symlinkat(made_links[i][1], tree, made_links[i][0]) < 0)
                        r = error_errno(err, errno, "cannot prepare the jail's /etc/%s", made_links[i][0]);
        return r;
}

/* Another monitor may do the same at the same time: whoever renames first has made it. */
static int make_tree(int cache, const char *name, int host, const unsigned char *kinds, struct error *err)
{
        cleanup_close int tree = -EBADF;
        struct error left = ERROR_INIT;
        char random[17], temporary[32];
        int r = process_random_id(random, err);

        if (r < 0)
                return r;
        (void)snprintf(temporary, sizeof(temporary), "%s.new", random);
        r = fd_make_dir(cache, temporary, 0755, &tree, err);
        if (r < 0)
                return r;
        r = fill_tree(host, tree, kinds, err);
        if (r >= 0 && renameat(cache, temporary, cache, name) == 0)
                return 0;
        if (r >= 0 && errno != EEXIST && errno != ENOTEMPTY)
                r = error_errno(err, errno, "cannot keep the prepared /etc");
        if (fd_remove_tree(cache, temporary, &left) < 0 && r >= 0)
                r = error_text(err, left.number, "%s", left.text);
        return r;
}

static int open_tree_of(int cache, int host, const char *name, const unsigned char *kinds, struct error *err)
{
        int fd = fd_open_beneath(cache, name, O_PATH | O_DIRECTORY, 0, err);
        int r;

        if (fd != -ENOENT)
                return fd;
        r = make_tree(cache, name, host, kinds, err);
        return r < 0 ? r : fd_open_beneath(cache, name, O_PATH | O_DIRECTORY, 0, err);
}

int jail_open_etc(struct jail *jail, struct error *err)
{
        cleanup_close int cache = cache_open(jail->places->etc, err);
        cleanup_close int host = open("/etc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        cleanup_close int tree = -EBADF;
        uint64_t hash = HASH_INIT;
        char name[32];
        int fd, r;

        if (cache < 0)
                return cache;
        if (host < 0)
                return error_errno(err, errno, "cannot open /etc");
        r = etc_look_at_host(host, jail->etc_kinds, &hash, err);
        if (r < 0)
                return r;
        (void)snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash);
        tree = open_tree_of(cache, host, name, jail->etc_kinds, err);
        if (tree < 0)
                return tree;
        r = fd_check_root_owned(tree, S_IFDIR, name, err);
        if (r < 0)
                return r;
        fd = mount_clone(tree, "", false, MOUNT_READONLY, err);
        if (fd < 0)
                return fd;
        jail->etc_fd = fd;
        return 0;
}
