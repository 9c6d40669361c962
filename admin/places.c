/* places.c - agentsh's directories, by fd. Runs as root. */
#include "admin/places.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/paths.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int open_checked_dir(int dirfd, const char *name, const char *path, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, err);
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFDIR, path, err);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

int places_open_config(struct error *err)
{
        cleanup_close int fd = fd_open_absolute(AGENTSH_CONFIG_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        int r;

        if (fd == -ENOENT)
                return error_text(err, ENOENT, "there is no " AGENTSH_CONFIG_DIR ": run \"make install\" first");
        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFDIR, AGENTSH_CONFIG_DIR, err);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

int places_open_config_subdir(int config_fd, const char *name, bool make, struct error *err)
{
        char path[PATH_MAX];
        int fd, r;

        (void)snprintf(path, sizeof(path), AGENTSH_CONFIG_DIR "/%s", name);
        if (!make)
                return open_checked_dir(config_fd, name, path, err);
        r = fd_make_dir(config_fd, name, 0755, &fd, err);
        return r < 0 ? error_prefix(err, "in " AGENTSH_CONFIG_DIR) : fd;
}

/* Data homes are safe from the host's users only while nobody but root can pass. */
static int check_closed(int fd, const char *path, struct error *err)
{
        struct stat st;
        int r;

        r = fd_check_root_owned(fd, S_IFDIR, path, err);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot stat %s", path);
        if ((st.st_mode & 077) != 0)
                return error_text(err, EPERM, "%s has mode %04o and must have 0700: run \"chmod 0700 %s\"", path,
                                  (unsigned)(st.st_mode & 07777), path);
        return 0;
}

static int open_closed_dir(int dirfd, const char *name, const char *path, bool make, struct error *err)
{
        cleanup_close int fd = -EBADF;
        int r;

        if (make) {
                r = fd_make_dir(dirfd, name, 0700, &fd, err);
                if (r < 0)
                        return r;
        } else {
                fd = fd_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, err);
                if (fd < 0)
                        return error_prefix(err, "%s", path);
        }
        r = check_closed(fd, path, err);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

int places_open_homes(bool make, struct error *err)
{
        cleanup_close int parent = -EBADF, state = -EBADF;
        char name[NAME_MAX + 1];

        parent = places_open_parent(AGENTSH_STATE_DIR, name, err);
        if (parent < 0)
                return parent;
        state = open_closed_dir(parent, name, AGENTSH_STATE_DIR, make, err);
        if (state < 0)
                return state;
        return open_closed_dir(state, "homes", AGENTSH_STATE_DIR "/homes", make, err);
}

int places_open_sessions(struct error *err)
{
        cleanup_close int fd = fd_open_absolute(AGENTSH_SESSIONS_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        int r;

        if (fd < 0)
                return fd;
        r = fd_check_root_owned(fd, S_IFDIR, AGENTSH_SESSIONS_DIR, err);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

int places_open_parent(const char *path, char *ret_name, struct error *err)
{
        char parent[PATH_MAX];
        const char *slash;
        int r, fd;

        r = parse_path(path, err);
        if (r < 0)
                return r;
        slash = strrchr(path, '/');
        if (slash[1] == '\0' || strlen(slash + 1) > NAME_MAX || strlen(path) >= sizeof(parent))
                return error_text(err, EINVAL, "%s cannot be used here: it has no parent directory", path);
        (void)snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path), path);
        fd = fd_open_absolute(parent, O_RDONLY | O_DIRECTORY, 0, err);
        if (fd == -ELOOP)
                return error_text(err, ELOOP, "cannot open %s: there is a symbolic link on the way", parent);
        if (fd < 0)
                return fd;
        (void)snprintf(ret_name, NAME_MAX + 1, "%s", slash + 1);
        return fd;
}

static int filter_dots(const struct dirent *entry)
{
        return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

int places_list(int dirfd, int (*filter)(const struct dirent *), struct name_list *ret, struct error *err)
{
        struct dirent **entry = NULL;
        int count = scandirat(dirfd, ".", &entry, filter != NULL ? filter : filter_dots, alphasort);

        if (count < 0)
                return error_errno(err, errno, "cannot list a directory");
        *ret = (struct name_list){ .count = count, .entry = entry };
        return 0;
}

void name_list_done(struct name_list *list)
{
        for (int i = 0; i < list->count; i++)
                free(list->entry[i]);
        free(list->entry);
        *list = (struct name_list){ 0 };
}

bool places_account_of_file(const char *file, char *ret)
{
        char name[ACCOUNT_NAME_MAX + 1];
        size_t length = strlen(file);

        if (length < 5 || strcmp(file + length - 4, ".ini") != 0 || length - 4 > ACCOUNT_NAME_MAX)
                return false;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(length - 4), file);
        if (parse_account_name(name, NULL) < 0)
                return false;
        if (ret != NULL)
                (void)snprintf(ret, sizeof(name), "%s", name);
        return true;
}

int places_filter_policies(const struct dirent *entry)
{
        return places_account_of_file(entry->d_name, NULL);
}
