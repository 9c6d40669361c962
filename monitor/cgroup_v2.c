/*
 * cgroup_v2.c - the two drivers for a pure v2 hierarchy. Root.
 *
 * Controllers are handed down one level at a time through cgroup.subtree_control, and only to cgroups below one that
 * has no processes of its own (the real root excepted): that is why the monitor moves to a leaf first.
 */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define UNIT_LEAF      "monitor"         /* of a delegated unit */
#define CONTAINER_LEAF "agentsh-monitor" /* of a container's top: beside CGROUP_TOP */

/* Where the sessions go, and whether the calling process stands in the way there. */
struct place {
        const struct cgroup_mount *mount;
        char base[256];
        bool delegated;
        bool in_base;
};

static int open_base(const struct place *place, struct error *err)
{
        return cgroup_tree_open(place->base, place->mount->major, place->mount->minor, err);
}

/* systemd marks what it delegates: "user.delegate" since 251, "trusted.delegate" before and after. */
static bool is_marked(int fd)
{
        static const char *const names[] = { "trusted.delegate", "user.delegate" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char value[2];

                if (fgetxattr(fd, names[i], value, sizeof(value)) == 1 && value[0] == '1')
                        return true;
        }
        return false;
}

static bool try_unit(struct place *place, const char *below)
{
        cleanup_close int fd = -EBADF;
        int length = snprintf(place->base, sizeof(place->base), "%s/%s", place->mount->path, below);

        if (below[0] == '\0' || length < 0 || (size_t)length >= sizeof(place->base))
                return false;
        fd = open_base(place, NULL);
        return fd >= 0 && is_marked(fd) && fd_check_root_owned(fd, S_IFDIR, place->base, NULL) == 0;
}

/*
 * The unit is the monitor's own cgroup or, once it stands in the leaf, the one above. The root of a container's tree
 * may be marked too, but there the direct layout works and has limits for whole accounts.
 */
static bool find_unit(struct place *place, char own[CGROUP_SELF_PATH_MAX])
{
        char *last;

        place->in_base = true;
        if (try_unit(place, own))
                return true;
        place->in_base = false;
        last = strrchr(own, '/');
        if (last == NULL)
                return false;
        *last = '\0';
        return try_unit(place, own);
}

static int find_place(const struct cgroup_host *host, struct place *ret, struct error *err)
{
        cleanup_close int fd = -EBADF;
        char own[CGROUP_SELF_PATH_MAX] = "";
        bool at_top;

        *ret = (struct place){ .mount = cgroup_mounts_find_v2(&host->mounts) };
        if (ret->mount == NULL)
                return error_text(err, ENODEV,
                                  "no cgroup file system is mounted: mount -t cgroup2 none /sys/fs/cgroup");
        if (ret->mount->readonly)
                return error_text(err, EROFS,
                                  "%s is mounted read-only: mount it writable (in a container: one that may "
                                  "manage its cgroups)",
                                  ret->mount->path);
        at_top = cgroup_mounts_own(&host->mounts, ret->mount, own, NULL) == 0 && own[0] == '\0';
        ret->delegated = !at_top && find_unit(ret, own);
        if (ret->delegated)
                return 0;
        (void)snprintf(ret->base, sizeof(ret->base), "%s", ret->mount->path);
        fd = open_base(ret, err);
        if (fd < 0)
                return fd;
        ret->in_base = at_top && cgroup_file_exists(fd, "cgroup.type"); /* the real root has none, and may be used */
        return 0;
}

int cgroup_v2_choose(const struct cgroup_host *host, const struct cgroup_driver **ret, struct error *err)
{
        struct place place;
        int r = find_place(host, &place, err);

        if (r < 0)
                return r;
        *ret = place.delegated ? &cgroup_driver_v2_delegated : &cgroup_driver_v2_direct;
        return 0;
}

int cgroup_v2_open_session(const struct cgroup_host *host, const char *session, char ret_path[256], struct error *err)
{
        struct place place;
        int r = find_place(host, &place, err);

        if (r < 0)
                return r;
        r = snprintf(ret_path, 256, "%s/%s", place.base, session);
        if (r < 0 || r >= 256)
                return error_errno(err, ENOENT, "cannot open %s/%s", place.base, session);
        return cgroup_tree_open(ret_path, place.mount->major, place.mount->minor, err);
}

static int v2_prepare(const struct cgroup_host *host, struct error *err)
{
        cleanup_close int base = -EBADF, leaf = -EBADF;
        struct place place;
        int r = find_place(host, &place, err);

        if (r < 0 || !place.in_base)
                return r;
        base = open_base(&place, err);
        if (base < 0)
                return base;
        r = fd_make_dir(base, place.delegated ? UNIT_LEAF : CONTAINER_LEAF, 0755, &leaf, err);
        if (r == 0)
                r = fd_write_file_at(leaf, "cgroup.procs", "0", err);
        return r < 0 ? error_prefix(err, "cannot move the monitor to a leaf of %s", place.base) : 0;
}

static int lacks_controller(const char *path, const char *controller, struct error *err)
{
        return error_text(err, ENODEV,
                          "the cgroup controller %s is not available in %s: systemd units need Delegate=yes, "
                          "containers have to be given it, and some kernels need cgroup_enable=%s at boot",
                          controller, path, controller);
}

static int in_the_way(const char *path, const char *controller, struct error *err)
{
        return error_text(err, EBUSY,
                          "cannot hand the cgroup controller %s down from %s: processes are in it; move them to "
                          "a cgroup of their own below it, as an init system does",
                          controller, path);
}

static int enable_one(int fd, const char *path, const char *controller, struct error *err)
{
        char text[256], change[32];
        int r = fd_read_file_at(fd, "cgroup.subtree_control", text, sizeof(text), err);

        if (r < 0 || cgroup_list_has(text, controller))
                return r;
        r = fd_read_file_at(fd, "cgroup.controllers", text, sizeof(text), err);
        if (r < 0)
                return r;
        if (!cgroup_list_has(text, controller))
                return lacks_controller(path, controller, err);
        (void)snprintf(change, sizeof(change), "+%s", controller);
        r = fd_write_file_at(fd, "cgroup.subtree_control", change, err);
        if (r == -EBUSY)
                return in_the_way(path, controller, err);
        return r;
}

int cgroup_v2_enable(int fd, const char *path, const struct cgroup_limits *limits, struct error *err)
{
        int r = enable_one(fd, path, "memory", err);

        if (r == 0)
                r = enable_one(fd, path, "pids", err);
        if (r == 0 && limits->cpu_quota_usec != 0)
                r = enable_one(fd, path, "cpu", err);
        if (r == 0 && (limits->io_read != 0 || limits->io_write != 0))
                r = enable_one(fd, path, "io", err);
        return r;
}

static int limit_hook(int fd, const char *controllers, const struct cgroup_limits *limits, struct error *err)
{
        (void)controllers;
        return cgroup_v2_limit(fd, limits, err);
}

static int v2_create(const struct cgroup_host *host, const struct cgroup_limits *limits, const char *account,
                     const char *session_id, struct cgroup *ret, struct error *err)
{
        struct place place;
        int r = find_place(host, &place, err);

        if (r < 0)
                return r;
        r = cgroup_tree_make(&(struct cgroup_recipe){ .base = place.base,
                                                      .major = place.mount->major,
                                                      .minor = place.mount->minor,
                                                      .account = place.delegated ? NULL : account,
                                                      .session_id = session_id,
                                                      .controllers = "memory,pids,cpu,io",
                                                      .limits = limits,
                                                      .open_up = cgroup_v2_enable,
                                                      .limit = limit_hook },
                             ret, err);
        if (r == 0)
                ret->clone_fd = ret->dir[0].fd;
        return r;
}

/* A kernel without swap accounting shows it by a missing file, in every cgroup but the root. */
static int check_swap(const struct cgroup_host *host, const struct place *place, struct error *err)
{
        cleanup_close int fd = -EBADF;
        char own[CGROUP_SELF_PATH_MAX], path[sizeof(own) + CGROUP_MOUNT_PATH_MAX];

        if (cgroup_mounts_own(&host->mounts, place->mount, own, NULL) < 0 || own[0] == '\0')
                return 0;
        (void)snprintf(path, sizeof(path), "%s/%s", place->mount->path, own);
        fd = cgroup_tree_open(path, place->mount->major, place->mount->minor, err);
        if (fd < 0)
                return fd;
        if (!cgroup_file_exists(fd, "memory.max") || cgroup_file_exists(fd, "memory.swap.max"))
                return 0;
        return cgroup_require_no_swap(err);
}

/* What would fail with EBUSY at the first login: a cgroup, not the real root, that others than the caller stand in. */
static int check_empty(int fd, const struct place *place, const char *controller, struct error *err)
{
        char text[256], self[16];
        int r = fd_read_file_at(fd, "cgroup.subtree_control", text, sizeof(text), err);

        if (r < 0 || cgroup_list_has(text, controller) || !cgroup_file_exists(fd, "cgroup.type"))
                return r;
        r = fd_read_file_at(fd, "cgroup.procs", text, sizeof(text), err);
        (void)snprintf(self, sizeof(self), "%d", (int)getpid());
        if (r < 0 || text[0] == '\0' || strcmp(text, self) == 0)
                return r;
        return in_the_way(place->base, controller, err);
}

static int v2_check(const struct cgroup_host *host, enum cgroup_limit limit, char *ret_where, size_t size,
                    struct error *err)
{
        static const char *const controllers[CGROUP_LIMITS] = { "memory", "memory", "pids", "cpu", "io", "io" };
        cleanup_close int fd = -EBADF;
        struct place place;
        char text[256];
        int r = find_place(host, &place, err);

        if (r < 0)
                return r;
        fd = open_base(&place, err);
        if (fd < 0)
                return fd;
        r = fd_read_file_at(fd, "cgroup.controllers", text, sizeof(text), err);
        if (r < 0)
                return r;
        if (!cgroup_list_has(text, controllers[limit]))
                return lacks_controller(place.base, controllers[limit], err);
        r = check_empty(fd, &place, controllers[limit], err);
        if (r == 0 && limit == CGROUP_SWAP)
                r = check_swap(host, &place, err);
        if (r == 0)
                (void)snprintf(ret_where, size, "%s", place.base);
        return r;
}

static int v2_enter(const struct cgroup *cgroup, struct error *err)
{
        return cgroup_enter_v2(cgroup->dir[0].fd, cgroup->dir[0].path, err);
}

static int v2_usage(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err)
{
        return cgroup_v2_usage(cgroup->dir[0].fd, ret, err);
}

#define V2_DRIVER(text)                                                                                           \
        {                                                                                                         \
                .name = (text), .prepare = v2_prepare, .check = v2_check, .create = v2_create, .enter = v2_enter, \
                .usage = v2_usage,                                                                                \
        }

const struct cgroup_driver cgroup_driver_v2_delegated = V2_DRIVER("v2 delegated");
const struct cgroup_driver cgroup_driver_v2_direct = V2_DRIVER("v2 direct");
