/*
 * cgroup_v1.c - the driver for v1 and hybrid hierarchies. Root.
 *
 * One directory per hierarchy that a limit needs, and one in the v2 tree, which on such hosts has no controllers but
 * still kills atomically and takes newborn children. Where there is such a tree, CPU time is read from it, and the
 * cpuacct hierarchy is not needed.
 */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <stdio.h>

static int find_mount(const struct cgroup_host *host, const char *controller, const struct cgroup_mount **ret,
                      struct error *err)
{
        const struct cgroup_mount *mount = cgroup_mounts_find_v1(&host->mounts, controller);

        if (mount == NULL)
                return error_text(err, ENODEV,
                                  "the cgroup controller %s is missing: mount it (mkdir /sys/fs/cgroup/%s; "
                                  "mount -t cgroup -o %s cgroup /sys/fs/cgroup/%s), or enable it in the kernel",
                                  controller, controller, controller, controller);
        if (mount->readonly)
                return error_text(err, EROFS,
                                  "the cgroup controller %s is mounted read-only at %s: mount it writable "
                                  "(in a container: one that may manage its cgroups)",
                                  controller, mount->path);
        *ret = mount;
        return 0;
}

static int check_swap(const struct cgroup_mount *memory, struct error *err)
{
        cleanup_close int fd = cgroup_tree_open(memory->path, memory->major, memory->minor, err);

        if (fd < 0)
                return fd;
        return cgroup_file_exists(fd, CGROUP_V1_MEMSW) ? 0 : cgroup_require_no_swap(err);
}

static int v1_check(const struct cgroup_host *host, enum cgroup_limit limit, char *ret_where, size_t size,
                    struct error *err)
{
        static const char *const controllers[CGROUP_LIMITS] = { "memory", "memory", "pids", "cpu", "blkio", "blkio" };
        const struct cgroup_mount *mount = NULL;
        int r;

        if (limit == CGROUP_IO_WRITE)
                return error_text(err, EOPNOTSUPP,
                                  "cgroup v1 cannot limit io_write: writes that go through the page cache "
                                  "are charged to nobody; leave io_write out, or boot with cgroup v2 "
                                  "(systemd.unified_cgroup_hierarchy=1)");
        r = find_mount(host, controllers[limit], &mount, err);
        if (r == 0 && limit == CGROUP_SWAP)
                r = check_swap(mount, err);
        if (r == 0)
                (void)snprintf(ret_where, size, "%s", mount->path);
        return r;
}

static int v1_prepare(const struct cgroup_host *host, struct error *err)
{
        (void)host;
        (void)err;
        return 0;
}

/* The hierarchies that the limits need, each once: two controllers may share one. */
static int collect(const struct cgroup_host *host, const struct cgroup_limits *limits,
                   const struct cgroup_mount *ret[5], size_t *ret_count, struct error *err)
{
        const struct cgroup_mount *v2 = cgroup_mounts_find_v2(&host->mounts);
        const struct {
                const char *controller;
                bool needed;
        } needs[] = {
                { "memory", true },
                { "pids", true },
                { "cpu", limits->cpu_quota_usec != 0 },
                { "cpuacct", v2 == NULL || v2->readonly },
                { "blkio", limits->io_read != 0 },
        };
        size_t count = 0;

        for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
                const struct cgroup_mount *mount = NULL;
                bool known = false;
                int r = needs[i].needed ? find_mount(host, needs[i].controller, &mount, err) : 0;

                if (r < 0)
                        return r;
                for (size_t j = 0; j < count; j++)
                        known = known || ret[j] == mount;
                if (mount != NULL && !known)
                        ret[count++] = mount;
        }
        *ret_count = count;
        return 0;
}

static int make_on(const struct cgroup_mount *mount, struct cgroup_recipe *recipe, struct cgroup *ret,
                   struct error *err)
{
        recipe->base = mount->path;
        recipe->major = mount->major;
        recipe->minor = mount->minor;
        recipe->controllers = mount->controllers;
        recipe->limit = mount->v2 ? NULL : cgroup_v1_limit;
        return cgroup_tree_make(recipe, ret, err);
}

static int v1_create(const struct cgroup_host *host, const struct cgroup_limits *limits, const char *account,
                     const char *session_id, struct cgroup *ret, struct error *err)
{
        struct cgroup_recipe recipe = { .account = account, .session_id = session_id, .limits = limits };
        const struct cgroup_mount *v2 = cgroup_mounts_find_v2(&host->mounts);
        const struct cgroup_mount *mounts[5];
        char where[CGROUP_MOUNT_PATH_MAX];
        size_t count = 0;
        int r = limits->io_write == 0 ? 0 : v1_check(host, CGROUP_IO_WRITE, where, sizeof(where), err);

        if (r == 0)
                r = collect(host, limits, mounts, &count, err);
        for (size_t i = 0; r == 0 && i < count; i++)
                r = make_on(mounts[i], &recipe, ret, err);
        if (r < 0 || v2 == NULL || v2->readonly)
                return r;
        r = make_on(v2, &recipe, ret, err);
        if (r == 0)
                ret->clone_fd = ret->dir[ret->count - 1].fd;
        return r;
}

/* "0" to `tasks` moves the calling thread alone, the one case in which the kernel takes no system-wide lock. */
static int v1_enter(const struct cgroup *cgroup, struct error *err)
{
        for (size_t i = 0; i < cgroup->count; i++) {
                int r;

                if (cgroup->dir[i].controllers[0] == '\0')
                        r = cgroup_enter_v2(cgroup->dir[i].fd, cgroup->dir[i].path, err);
                else
                        r = fd_write_file_at(cgroup->dir[i].fd, "tasks", "0", err);
                if (r < 0)
                        return error_prefix(err, "cannot enter the cgroup %s", cgroup->dir[i].path);
        }
        return 0;
}

const struct cgroup_driver cgroup_driver_v1 = {
        .name = "v1",
        .prepare = v1_prepare,
        .check = v1_check,
        .create = v1_create,
        .enter = v1_enter,
        .usage = cgroup_v1_usage,
};
