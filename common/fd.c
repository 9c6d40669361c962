/* fd.c - files by directory fd. Runs with whatever privilege its caller has; trusts no path. */
#include "common/fd.h"

#include "common/cleanup.h"
#include "common/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_failed(struct error *err, const char *path)
{
        return error_errno(err, errno, "cannot open %s", path);
}

static bool has_dotdot(const char *path)
{
        const char *start = path;

        while (*start != '\0') {
                size_t length = strcspn(start, "/");

                if (length == 2 && start[0] == '.' && start[1] == '.')
                        return true;
                start += length;
                start += strspn(start, "/");
        }
        return false;
}

/* O_PATH | O_NOFOLLOW opens a link itself, where openat2(RESOLVE_NO_SYMLINKS) answers ELOOP. */
static int refuse_link(int fd, const char *path, struct error *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot stat %s", path);
        return S_ISLNK(st.st_mode) ? error_errno(err, ELOOP, "cannot open %s", path) : 0;
}

/* One component. A link is always ELOOP, as with openat2; O_DIRECTORY would make it ENOTDIR. */
static int open_component(int dirfd, const char *name, int flags, mode_t mode, const char *path, struct error *err)
{
        cleanup_close int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
        struct stat st;
        int r;

        if (fd < 0 && errno == ENOTDIR && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
                errno = ELOOP;
        if (fd < 0)
                return open_failed(err, path);
        r = (flags & O_PATH) != 0 ? refuse_link(fd, path, err) : 0;
        return r < 0 ? r : TAKE_FD(fd);
}

int fd_open_beneath_walk(int dirfd, const char *path, int flags, mode_t mode, struct error *err)
{
        cleanup_close int parent = -EBADF;
        char component[NAME_MAX + 1];
        const char *next = path;

        if (path[0] == '\0')
                return error_errno(err, ENOENT, "cannot open a file without a name");
        if (path[0] == '/' || has_dotdot(path))
                return error_text(err, EXDEV, "cannot open %s: the path leaves its directory", path);
        for (;;) {
                size_t length = strcspn(next, "/");
                const char *rest = next + length + strspn(next + length, "/");
                int base = parent >= 0 ? parent : dirfd;
                int fd;

                if (length > NAME_MAX)
                        return error_errno(err, ENAMETOOLONG, "cannot open %s", path);
                memcpy(component, next, length);
                component[length] = '\0';
                if (*rest == '\0')
                        return open_component(base, component, flags | (next[length] == '/' ? O_DIRECTORY : 0), mode,
                                              path, err);
                fd = open_component(base, component, O_PATH, 0, path, err);
                if (fd < 0)
                        return fd;
                cleanup_close_fd(&parent);
                parent = fd;
                next = rest;
        }
}

int fd_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct error *err)
{
        bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
        struct open_how how = {
                /* O_NOFOLLOW with O_PATH would make an exception for a link at the end. */
                .flags = (uint64_t)(unsigned)((flags & ~O_NOFOLLOW) | O_CLOEXEC),
                .mode = creates ? mode : 0,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        long fd;

        if (has_dotdot(path))
                return error_text(err, EXDEV, "cannot open %s: the path leaves its directory", path);
        fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
        if (fd >= 0)
                return (int)fd;
        if (errno == ENOSYS || errno == EPERM)
                return fd_open_beneath_walk(dirfd, path, flags, mode, err);
        return open_failed(err, path);
}

int fd_open_absolute(const char *path, int flags, mode_t mode, struct error *err)
{
        cleanup_close int root = -EBADF;
        const char *below = path + strspn(path, "/");
        int fd;

        if (path[0] != '/')
                return error_text(err, EINVAL, "cannot open %s: not an absolute path", path);
        if (has_dotdot(path))
                return error_text(err, EXDEV, "cannot open %s: the path has a \"..\"", path);
        root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
                return open_failed(err, "/");
        fd = fd_open_beneath(root, *below == '\0' ? "." : below, flags, mode, NULL);
        return fd < 0 ? error_errno(err, -fd, "cannot open %s", path) : fd;
}

int fd_check_root_owned(int fd, mode_t type, const char *name, struct error *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot stat %s", name);
        if ((st.st_mode & S_IFMT) != type)
                return error_text(err, EINVAL, "%s is not a %s", name, type == S_IFDIR ? "directory" : "regular file");
        if (st.st_uid != 0)
                return error_text(err, EPERM, "%s belongs to uid %u, not to root", name, (unsigned)st.st_uid);
        if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
                return error_text(err, EPERM, "%s is writable by group or others (mode %04o)", name,
                                  (unsigned)(st.st_mode & 07777));
        if (type == S_IFREG && st.st_nlink != 1)
                return error_text(err, EPERM, "%s has %lu hard links, not one", name, (unsigned long)st.st_nlink);
        return 0;
}

/* Most files are small, whatever is the most that is taken. */
#define READ_FIRST 4096

int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_size, struct error *err)
{
        cleanup_free char *text = NULL;
        size_t used = 0, room = 0; /* and one byte behind the room for the end */

        for (;;) {
                ssize_t got;

                if (used == room) {
                        char *grown;

                        room = room == 0 ? READ_FIRST : room * 2;
                        room = room > max ? max + 1 : room;
                        grown = realloc(text, room + 1);
                        if (grown == NULL)
                                return error_errno(err, ENOMEM, "cannot read a file");
                        text = grown;
                }
                got = read(fd, text + used, room - used);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_errno(err, errno, "cannot read a file");
                if (got == 0)
                        break;
                used += (size_t)got;
                if (used > max)
                        return error_text(err, EFBIG, "the file is larger than %zu bytes", max);
        }
        text[used] = '\0';
        *ret_text = TAKE_PTR(text);
        *ret_size = used;
        return 0;
}

int fd_write_all(int fd, const void *data, size_t size, const char *name, struct error *err)
{
        const char *at = data;

        while (size > 0) {
                ssize_t put = write(fd, at, size);

                if (put < 0 && errno == EINTR)
                        continue;
                if (put < 0)
                        return error_errno(err, errno, "cannot write %s", name);
                at += put;
                size -= (size_t)put;
        }
        return 0;
}

int fd_write_file_at(int dirfd, const char *name, const char *text, struct error *err)
{
        cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        size_t size = strlen(text);
        ssize_t put;

        if (fd < 0)
                return open_failed(err, name);
        do
                put = write(fd, text, size);
        while (put < 0 && errno == EINTR);
        if (put < 0)
                return error_errno(err, errno, "cannot write \"%s\" to %s", text, name);
        if ((size_t)put != size)
                return error_errno(err, EIO, "cannot write \"%s\" to %s", text, name);
        return 0;
}

int fd_read_file_at(int dirfd, const char *name, char *ret, size_t size, struct error *err)
{
        cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        size_t used = 0;

        if (fd < 0)
                return open_failed(err, name);
        while (used < size - 1) {
                ssize_t got = read(fd, ret + used, size - 1 - used);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return error_errno(err, errno, "cannot read %s", name);
                if (got == 0)
                        break;
                used += (size_t)got;
        }
        if (used > 0 && ret[used - 1] == '\n')
                used--;
        ret[used] = '\0';
        return 0;
}

/* A directory of ours: made now, exactly `mode`; there already, nothing beyond `mode`. */
static int set_dir_mode(int fd, mode_t mode, bool made, const char *name, struct error *err)
{
        struct stat st;
        mode_t wanted;

        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot stat %s", name);
        wanted = made ? mode : st.st_mode & 07777 & mode;
        if ((st.st_mode & 07777) != wanted && fchmod(fd, wanted) < 0)
                return error_errno(err, errno, "cannot set the mode of %s", name);
        return 0;
}

int fd_make_dir(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *err)
{
        cleanup_close int fd = -EBADF;
        bool made = mkdirat(dirfd, name, mode) == 0;
        int r;

        if (!made && errno != EEXIST)
                return error_errno(err, errno, "cannot make the directory %s", name);
        fd = fd_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, err);
        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFDIR, name, err);
        if (r < 0)
                return r;
        r = set_dir_mode(fd, mode, made, name, err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int fd_open_stdio(struct error *err)
{
        for (int fd = 0; fd <= 2; fd++) {
                int opened;

                if (fcntl(fd, F_GETFD) >= 0)
                        continue;
                opened = open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
                if (opened != fd)
                        return error_errno(err, opened < 0 ? errno : EBADF, "cannot open /dev/null as fd %d", fd);
        }
        return 0;
}

static int compare_ints(const void *a, const void *b)
{
        int left = *(const int *)a, right = *(const int *)b;

        return (left > right) - (left < right);
}

static int close_span(unsigned first, unsigned last)
{
        if (first > last)
                return 0;
        return (int)syscall(SYS_close_range, first, last, 0);
}

int fd_close_others(int first, const int *keep, size_t count, struct error *err)
{
        int sorted[16];
        unsigned from = (unsigned)first;

        if (count > sizeof(sorted) / sizeof(sorted[0]))
                return error_errno(err, E2BIG, "cannot keep %zu fds", count);
        if (OMIT_POINT("close other fds"))
                return 0;
        for (size_t i = 0; i < count; i++)
                sorted[i] = keep[i];
        qsort(sorted, count, sizeof(sorted[0]), compare_ints);
        for (size_t i = 0; i < count; i++) {
                unsigned fd = (unsigned)sorted[i];

                if (sorted[i] < first || fd < from)
                        continue;
                if (fd > from && close_span(from, fd - 1) < 0)
                        return error_errno(err, errno, "cannot close fds");
                from = fd + 1;
        }
        if (close_span(from, UINT_MAX) < 0)
                return error_errno(err, errno, "cannot close fds");
        return 0;
}
