/*
 * cgroup_stale.c - removes what a killed monitor left, by the paths in its state file or by its id. Root.
 *
 * The state file is root's, but the sweep acts on it without anybody watching: so a path has to look like one of ours, be on
 * a cgroup file system, and be reached without a link.
 */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#define REMOVE_STALE_MS 2000

/* The component of `path` before `end`, as a piece of it. */
static const char *component_before(const char *path, const char *end)
{
        while (end > path && end[-1] != '/')
                end--;
        return end;
}

static bool starts_with(const char *text, const char *prefix)
{
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* .../agentsh/account-NAME/session-ID */
static bool is_account(const char *path, const char *parent, const char *end)
{
        const char *top = parent - 1 > path ? component_before(path, parent - 1) : path;
        char name[ACCOUNT_NAME_MAX + 1];
        size_t prefix = strlen(CGROUP_ACCOUNT_PREFIX);
        size_t length = (size_t)(end - parent);

        if (!starts_with(parent, CGROUP_ACCOUNT_PREFIX) || length - prefix >= sizeof(name) ||
            !starts_with(top, CGROUP_TOP "/") || top + strlen(CGROUP_TOP "/") != parent)
                return false;
        memcpy(name, parent + prefix, length - prefix);
        name[length - prefix] = '\0';
        return parse_account_name(name, NULL) == 0;
}

/* .../agentsh*.service/session-ID */
static bool is_unit(const char *parent, const char *end)
{
        static const char suffix[] = ".service";
        size_t length = (size_t)(end - parent);

        return length > sizeof(suffix) - 1 && starts_with(parent, "agentsh") &&
               memcmp(end - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) == 0;
}

bool cgroup_path_is_session(const char *path)
{
        const char *name = strrchr(path, '/');
        const char *parent;

        if (parse_path(path, NULL) < 0 || name == NULL || name == path ||
            !starts_with(name + 1, CGROUP_SESSION_PREFIX) ||
            !parse_is_session_id(name + 1 + strlen(CGROUP_SESSION_PREFIX)))
                return false;
        parent = component_before(path, name);
        return is_account(path, parent, name) || is_unit(parent, name);
}

static int add_stale(int fd, const char *path, struct cgroup *stale, struct error *err)
{
        cleanup_close int owned = fd;
        struct statfs fs;

        if (stale->count >= CGROUP_CONTROLLERS_MAX)
                return error_text(err, E2BIG, "cannot remove %s: the session has too many cgroups", path);
        if (fstatfs(owned, &fs) < 0)
                return error_errno(err, errno, "cannot stat %s", path);
        if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
                return error_text(err, EINVAL, "cannot remove %s: it is not on a cgroup file system", path);
        (void)snprintf(stale->dir[stale->count].path, sizeof(stale->dir[0].path), "%s", path);
        stale->dir[stale->count++].fd = TAKE_FD(owned);
        return 0;
}

static int remove_stale(struct cgroup *stale, struct error *err)
{
        int r = cgroup_kill(stale, err);

        return r < 0 ? r : cgroup_remove(stale, REMOVE_STALE_MS, err);
}

int cgroup_remove_paths(char paths[SESSION_CGROUPS_MAX][256], struct error *err)
{
        struct cgroup stale = CGROUP_INIT;
        int r = 0;

        for (size_t i = 0; i < SESSION_CGROUPS_MAX && paths[i][0] != '\0'; i++)
                if (strnlen(paths[i], 256) == 256 || !cgroup_path_is_session(paths[i]))
                        return error_text(err, EINVAL, "cannot remove \"%.200s\": not the cgroup of a session",
                                          paths[i]);
        for (size_t i = 0; i < SESSION_CGROUPS_MAX && paths[i][0] != '\0' && r >= 0; i++) {
                int fd = fd_open_absolute(paths[i], O_RDONLY | O_DIRECTORY, 0, err);

                r = fd < 0 ? fd : add_stale(fd, paths[i], &stale, err);
                if (r == -ENOENT)
                        r = 0;
        }
        if (r >= 0)
                r = remove_stale(&stale, err);
        cgroup_done(&stale);
        return r;
}

/* Its session, if it is in this account's directory `name` below `top`. Takes an empty one away. */
static int search_account(int top, const char *above, const char *name, const char *session, struct cgroup *stale,
                          struct error *err)
{
        cleanup_close int account = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char path[256];
        int fd = account < 0 ? -1 : openat(account, session, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0) {
                (void)unlinkat(top, name, AT_REMOVEDIR);
                return 0;
        }
        (void)snprintf(path, sizeof(path), "%s/" CGROUP_TOP "/%.*s/%s", above,
                       (int)(strlen(CGROUP_ACCOUNT_PREFIX) + ACCOUNT_NAME_MAX), name, session);
        return add_stale(fd, path, stale, err);
}

static int search_mount(const struct cgroup_mount *mount, const char *session, struct cgroup *stale, struct error *err)
{
        cleanup_close int base = cgroup_tree_open(mount->path, mount->major, mount->minor, err);
        cleanup_closedir DIR *dir = NULL;
        struct dirent *entry;
        int top, r = 0;

        if (base < 0)
                return base;
        top = openat(base, CGROUP_TOP, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (top < 0)
                return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open %s/" CGROUP_TOP, mount->path);
        dir = fdopendir(top);
        if (dir == NULL) {
                cleanup_close_fd(&top);
                return error_errno(err, errno, "cannot list %s/" CGROUP_TOP, mount->path);
        }
        while (r >= 0 && (entry = readdir(dir)) != NULL)
                if (starts_with(entry->d_name, CGROUP_ACCOUNT_PREFIX))
                        r = search_account(dirfd(dir), mount->path, entry->d_name, session, stale, err);
        return r;
}

static int search_unit(const struct cgroup_host *host, const char *session, struct cgroup *stale, struct error *err)
{
        char path[256];
        int fd;

        if (host->driver != &cgroup_driver_v2_delegated)
                return 0;
        fd = cgroup_v2_open_session(host, session, path, err);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        return add_stale(fd, path, stale, err);
}

int cgroup_remove_session(const char *session_id, struct error *err)
{
        struct cgroup stale = CGROUP_INIT;
        char session[sizeof(CGROUP_SESSION_PREFIX) + SESSION_ID_LENGTH];
        struct cgroup_host host;
        int r;

        if (!parse_is_session_id(session_id))
                return error_text(err, EINVAL, "cannot remove a session's cgroups: not a session id");
        (void)snprintf(session, sizeof(session), "%s%s", CGROUP_SESSION_PREFIX, session_id);
        r = cgroup_host_read(&host, err);
        for (size_t i = 0; r >= 0 && i < host.mounts.count; i++)
                if (!host.mounts.mount[i].readonly)
                        r = search_mount(&host.mounts.mount[i], session, &stale, err);
        if (r >= 0)
                r = search_unit(&host, session, &stale, err);
        if (r >= 0)
                r = remove_stale(&stale, err);
        cgroup_done(&stale);
        return r;
}
