/* jail_cache.c - directories of root's below the runtime directory. Root. */
#include "monitor/jail_cache.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int make_cache(const char *path, struct error *err)
{
        cleanup_close int parent = -EBADF;
        char directory[PATH_MAX];
        const char *slash = strrchr(path, '/');
        int fd, r;

        if (slash == NULL || slash == path || strlen(path) >= sizeof(directory))
                return error_text(err, EINVAL, "%s cannot be a cache", path);
        (void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
        if (mkdir(directory, 0711) < 0 && errno != EEXIST)
                return error_errno(err, errno, "cannot make %s", directory);
        parent = fd_open_absolute(directory, O_PATH | O_DIRECTORY, 0, err);
        if (parent < 0)
                return parent;
        r = fd_check_root_owned(parent, S_IFDIR, directory, err);
        if (r >= 0)
                r = fd_make_dir(parent, slash + 1, 0700, &fd, err);
        return r < 0 ? r : fd;
}

int cache_open(const char *path, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(path, O_PATH | O_DIRECTORY, 0, err);
        int r;

        if (fd == -ENOENT)
                return make_cache(path, err);
        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFDIR, path, err);
        return r < 0 ? r : TAKE_FD(fd);
}
