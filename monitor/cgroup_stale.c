/*
 * cgroup_stale.c - removes what a killed monitor left, by the paths in its state file. Root.
 *
 * The file is root's, but the sweep acts on it without anybody watching: so a path has to look like one of ours, be on
 * a cgroup file system, and be reached without a link.
 */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

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

static int add_stale(const char *path, struct cgroup *stale, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(path, O_RDONLY | O_DIRECTORY, 0, err);
        struct statfs fs;

        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        if (fstatfs(fd, &fs) < 0)
                return error_errno(err, errno, "cannot stat %s", path);
        if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
                return error_text(err, EINVAL, "cannot remove %s: it is not on a cgroup file system", path);
        (void)snprintf(stale->dir[stale->count].path, sizeof(stale->dir[0].path), "%s", path);
        stale->dir[stale->count++].fd = TAKE_FD(fd);
        return 0;
}

int cgroup_remove_paths(char paths[SESSION_CGROUPS_MAX][256], struct error *err)
{
        struct cgroup stale = CGROUP_INIT;
        int r = 0;

        for (size_t i = 0; i < SESSION_CGROUPS_MAX && paths[i][0] != '\0'; i++)
                if (strnlen(paths[i], 256) == 256 || !cgroup_path_is_session(paths[i]))
                        return error_text(err, EINVAL, "cannot remove \"%.200s\": not the cgroup of a session",
                                          paths[i]);
        for (size_t i = 0; i < SESSION_CGROUPS_MAX && paths[i][0] != '\0' && r == 0; i++)
                r = add_stale(paths[i], &stale, err);
        if (r == 0)
                r = cgroup_kill(&stale, err);
        if (r == 0)
                r = cgroup_remove(&stale, REMOVE_STALE_MS, err);
        cgroup_done(&stale);
        return r;
}
