/* fd_remove.c - removes trees that somebody hostile may have made. Runs with its caller's privilege. */
#include "common/fd.h"

#include "common/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level costs two fds and a directory stream. */
#define DEPTH_MAX 32

struct removal {
        uint64_t mount; /* the only mount that is touched */
        int top;        /* the tree's top directory: what lies too deep is moved up here */
        unsigned moved; /* how often that was done */
};

/* The device number would not do: a bind mount of the same file system shares it. */
static int read_mount(int fd, const char *name, uint64_t *ret, struct error *err)
{
        struct statx stx;

        if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
                return error_errno(err, errno, "cannot stat %s", name);
        if ((stx.stx_mask & STATX_MNT_ID) == 0)
                return error_text(err, ENOSYS, "cannot tell the mount of %s: the kernel is older than 5.8", name);
        *ret = stx.stx_mnt_id;
        return 0;
}

static int open_same_mount(int dirfd, const char *name, uint64_t mount, struct error *err)
{
        cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        uint64_t here;
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot open %s to remove it", name);
        r = read_mount(fd, name, &here, err);
        if (r < 0)
                return r;
        if (here != mount)
                return error_text(err, EXDEV, "cannot remove %s: something is mounted there", name);
        return TAKE_FD(fd);
}

static int move_up(struct removal *removal, int dirfd, const char *name, struct error *err)
{
        char place[32];

        for (;;) {
                (void)snprintf(place, sizeof(place), ".agentsh-deep-%u", removal->moved++);
                if (renameat(dirfd, name, removal->top, place) == 0 || errno == ENOENT)
                        return 0;
                /* The agent may have used the name. */
                if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
                        return error_errno(err, errno, "cannot move %s up to remove it", name);
        }
}

static int remove_contents(struct removal *removal, int fd, unsigned depth, struct error *err);

static int remove_entry(struct removal *removal, int dirfd, const char *name, unsigned depth, struct error *err)
{
        cleanup_close int fd = -EBADF;
        int r;

        if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return error_errno(err, errno, "cannot remove %s", name);
        if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        fd = open_same_mount(dirfd, name, removal->mount, err);
        if (fd < 0)
                return fd;
        if (depth == 0)
                return move_up(removal, dirfd, name, err);
        r = remove_contents(removal, fd, depth, err);
        if (r < 0)
                return r;
        if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove the directory %s", name);
        return 0;
}

static int remove_contents(struct removal *removal, int fd, unsigned depth, struct error *err)
{
        cleanup_closedir DIR *dir = NULL;
        struct dirent *entry;
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (copy < 0)
                return error_errno(err, errno, "cannot list a directory");
        dir = fdopendir(copy);
        if (dir == NULL) {
                cleanup_close_fd(&copy);
                return error_errno(err, errno, "cannot list a directory");
        }
        while ((errno = 0, entry = readdir(dir)) != NULL) {
                int r;

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                r = remove_entry(removal, fd, entry->d_name, depth - 1, err);
                if (r < 0)
                        return r;
        }
        return errno == 0 ? 0 : error_errno(err, errno, "cannot list a directory");
}

/* Again as long as something was moved up to the top, each time DEPTH_MAX levels less. */
static int remove_directory(int dirfd, const char *name, uint64_t mount, struct error *err)
{
        struct removal removal = { .mount = mount };
        cleanup_close int top = open_same_mount(dirfd, name, mount, err);
        unsigned before;

        if (top < 0)
                return top;
        removal.top = top;
        do {
                int r;

                before = removal.moved;
                r = remove_contents(&removal, top, DEPTH_MAX, err);
                if (r < 0)
                        return r;
        } while (removal.moved != before);
        if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove the directory %s", name);
        return 0;
}

int fd_remove_tree(int dirfd, const char *name, struct error *err)
{
        uint64_t mount;
        int r;

        if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
                return 0;
        if (errno != EISDIR && errno != EPERM)
                return error_errno(err, errno, "cannot remove %s", name);
        r = read_mount(dirfd, "the directory above it", &mount, err);
        return r < 0 ? r : remove_directory(dirfd, name, mount, err);
}
