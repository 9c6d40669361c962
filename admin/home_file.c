/* home_file.c - see home_file.h. */
#include "admin/home_file.h"

#include "common/cleanup.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the last link leads, so that the file there is replaced and the link stays. */
static int resolve(const char *path, char ret[static PATH_MAX], struct error *err)
{
        if (strlen(path) >= PATH_MAX)
                return error_errno(err, ENAMETOOLONG, "cannot write %s", path);
        if (realpath(path, ret) == NULL)
                (void)snprintf(ret, PATH_MAX, "%s", path);
        return 0;
}

static int split(const char *path, struct home_file *file, struct error *err)
{
        char parent[PATH_MAX], last[PATH_MAX];
        const char *name;

        (void)snprintf(parent, sizeof(parent), "%s", path);
        (void)snprintf(last, sizeof(last), "%s", path);
        name = basename(last);
        file->directory = open(dirname(parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (file->directory < 0)
                return error_errno(err, errno, "cannot open the directory of %s", path);
        file->name = strdup(name);
        return file->name != NULL ? 0 : error_errno(err, ENOMEM, "cannot write %s", path);
}

int home_file_create(const char *path, struct home_file *ret, struct error *err)
{
        cleanup_home_file struct home_file file = HOME_FILE_INIT;
        char resolved[PATH_MAX];
        struct stat status;
        int r = resolve(path, resolved, err);

        if (r < 0)
                return r;
        if (stat(resolved, &status) == 0 && !S_ISREG(status.st_mode)) {
                file.fd = open(resolved, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        } else {
                r = split(resolved, &file, err);
                if (r < 0)
                        return r;
                /* Without a name: whatever ends this process, nothing is left. */
                file.fd = openat(file.directory, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
        }
        if (file.fd < 0)
                return error_errno(err, errno, "cannot write %s", path);
        *ret = file;
        file = (struct home_file)HOME_FILE_INIT;
        return 0;
}

/* A name can be given only where there is none: for a moment the file has one of its own. */
static int put_in_place(const struct home_file *file, struct error *err)
{
        char source[40], id[17], temporary[32];
        int r = process_random_id(id, err);

        if (r < 0)
                return r;
        (void)snprintf(source, sizeof(source), "/proc/self/fd/%d", file->fd);
        (void)snprintf(temporary, sizeof(temporary), ".agentsh.%s", id);
        if (linkat(AT_FDCWD, source, file->directory, temporary, AT_SYMLINK_FOLLOW) < 0)
                return error_errno(err, errno, "cannot put %s in place", file->name);
        if (renameat(file->directory, temporary, file->directory, file->name) == 0)
                return 0;
        r = error_errno(err, errno, "cannot put %s in place", file->name);
        (void)unlinkat(file->directory, temporary, 0);
        return r;
}

int home_file_commit(struct home_file *file, struct error *err)
{
        int r;

        if (file->directory < 0)
                return 0;
        if (fsync(file->fd) < 0)
                return error_errno(err, errno, "cannot write %s", file->name);
        r = put_in_place(file, err);
        if (r >= 0 && fsync(file->directory) < 0)
                r = error_errno(err, errno, "cannot write the directory of %s", file->name);
        return r;
}

void home_file_done(struct home_file *file)
{
        cleanup_close_fd(&file->fd);
        cleanup_close_fd(&file->directory);
        free(file->name);
        file->name = NULL;
}
