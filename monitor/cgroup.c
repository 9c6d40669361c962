/* cgroup.c - chooses the driver for this host and does what all drivers have in common. Root. */
#include "monitor/cgroup.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/parse.h"
#include "common/process.h"
#include "monitor/cgroup_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MOUNTINFO_MAX   (4U * 1024 * 1024)
#define SELF_CGROUP_MAX (64U * 1024)

int cgroup_host_parse(const char *mountinfo, const char *self, struct cgroup_host *ret, struct error *err)
{
        static const char *const ours[] = { "memory", "pids", "cpu" };
        int r = cgroup_mounts_parse(mountinfo, self, &ret->mounts, err);

        if (r < 0)
                return r;
        /* A controller is on v1 or on v2, never on both; with one of ours on v1, v2 is of no use for limits. */
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
                if (cgroup_mounts_find_v1(&ret->mounts, ours[i]) != NULL) {
                        ret->driver = &cgroup_driver_v1;
                        return 0;
                }
        }
        return cgroup_v2_choose(ret, &ret->driver, err);
}

static int read_proc(const char *name, size_t max, char **ret, struct error *err)
{
        cleanup_close int fd = open(name, O_RDONLY | O_CLOEXEC);
        size_t size = 0;

        if (fd < 0)
                return error_errno(err, errno, "cannot open %s", name);
        return fd_read_all(fd, max, ret, &size, err);
}

int cgroup_host_read(struct cgroup_host *ret, struct error *err)
{
        cleanup_free char *mountinfo = NULL;
        cleanup_free char *self = NULL;
        int r = read_proc("/proc/self/mountinfo", MOUNTINFO_MAX, &mountinfo, err);

        if (r == 0)
                r = read_proc("/proc/self/cgroup", SELF_CGROUP_MAX, &self, err);
        return r < 0 ? r : cgroup_host_parse(mountinfo, self, ret, err);
}

int cgroup_detect(const char **ret_name, struct error *err)
{
        struct cgroup_host host;
        int r = cgroup_host_read(&host, err);

        if (r < 0)
                return r;
        *ret_name = host.driver->name;
        return 0;
}

int cgroup_probe(struct cgroup_check ret[CGROUP_CHECKS_MAX], size_t *ret_count, struct error *err)
{
        static const char *const names[CGROUP_LIMITS] = { "memory", "swap", "tasks", "cpus", "io_read", "io_write" };
        struct cgroup_host host;
        struct error missing = ERROR_INIT;
        int r = cgroup_host_read(&host, &missing);

        (void)err;
        ret[0] = (struct cgroup_check){ .name = "driver", .ok = r == 0 };
        (void)snprintf(ret[0].text, sizeof(ret[0].text), "%s", r == 0 ? host.driver->name : missing.text);
        *ret_count = 1;
        for (size_t i = 0; i < CGROUP_LIMITS && r == 0; i++) {
                struct cgroup_check *check = &ret[(*ret_count)++];

                check->name = names[i];
                check->ok = host.driver->check(&host, (enum cgroup_limit)i, check->text, sizeof(check->text),
                                               &missing) == 0;
                if (!check->ok)
                        (void)snprintf(check->text, sizeof(check->text), "%s", missing.text);
        }
        return 0;
}

int cgroup_prepare(struct error *err)
{
        struct cgroup_host host;
        int r = FAULT_POINT("cgroup prepare") ? error_errno(err, EIO, "cannot prepare the cgroups")
                                              : cgroup_host_read(&host, err);

        return r < 0 ? r : host.driver->prepare(&host, err);
}

static int find_disk(dev_t device, struct cgroup_limits *limits, struct error *err)
{
        cleanup_close int sys = open("/sys/dev/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (sys < 0)
                return error_errno(err, errno, "cannot limit io: cannot open /sys/dev/block");
        return cgroup_whole_disk(sys, device, &limits->disk_major, &limits->disk_minor, err);
}

int cgroup_limits_of(const struct policy *policy, dev_t block_device, struct cgroup_limits *ret, struct error *err)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        struct cgroup_limits limits = {
                .memory = policy->memory / page * page,
                .swap = policy->swap / page * page,
                .tasks = policy->tasks,
                .cpu_quota_usec = policy->cpus * CGROUP_CPU_PERIOD_USEC / 1000,
                .io_read = policy->io_read,
                .io_write = policy->io_write,
        };
        int r = 0;

        if (limits.memory == 0 || limits.tasks == 0)
                return error_text(err, EINVAL, "a session needs a limit of memory and of tasks");
        if (policy->cpus != 0 && limits.cpu_quota_usec < 1000)
                return error_text(err, ERANGE, "cannot limit cpus to %" PRIu64 " thousandths: the least is %u",
                                  policy->cpus, 1000U * 1000U / CGROUP_CPU_PERIOD_USEC);
        if (limits.io_read != 0 || limits.io_write != 0)
                r = find_disk(block_device, &limits, err);
        if (r < 0)
                return r;
        *ret = limits;
        return 0;
}

static int remove_all(struct cgroup *cgroup, int timeout_ms, struct error *err)
{
        uint64_t deadline = process_monotonic_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
        int result = 0;

        for (size_t i = 0; i < cgroup->count; i++) {
                struct error next = ERROR_INIT;
                int r = cgroup_tree_remove(cgroup->dir[i].fd, cgroup->dir[i].path, deadline, &next);

                if (r < 0 && result == 0) {
                        result = r;
                        if (err != NULL)
                                *err = next;
                }
        }
        return result;
}

int cgroup_create_on(const struct cgroup_host *host, struct cgroup *ret, const struct policy *policy,
                     const char *session_id, dev_t block_device, struct error *err)
{
        struct cgroup made = CGROUP_INIT;
        struct cgroup_limits limits;
        int r;

        if (!parse_is_session_id(session_id))
                return error_text(err, EINVAL, "cannot make a cgroup: not a session id");
        r = parse_account_name(policy->account, err);
        if (r == 0)
                r = cgroup_limits_of(policy, block_device, &limits, err);
        if (r < 0)
                return r;
        made.driver = host->driver;
        made.limits = limits;
        r = host->driver->create(host, &limits, policy->account, session_id, &made, err);
        if (r == 0 && FAULT_POINT("cgroup create"))
                r = error_errno(err, EIO, "cannot make the session's cgroup");
        if (r < 0) {
                (void)remove_all(&made, 0, NULL);
                cgroup_done(&made);
                return r;
        }
        *ret = made;
        return 0;
}

int cgroup_create(struct cgroup *ret, const struct policy *policy, const char *session_id, dev_t block_device,
                  struct error *err)
{
        struct cgroup_host host;
        int r = cgroup_host_read(&host, err);

        return r < 0 ? r : cgroup_create_on(&host, ret, policy, session_id, block_device, err);
}

/* Whether the calling process is in the v2 cgroup already: born there by CLONE_INTO_CGROUP. */
static bool is_inside(const char *path)
{
        char text[4096], *line, *end;
        const char *name = strrchr(path, '/');
        size_t length = name == NULL ? 0 : strlen(name);
        int fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r = fd < 0 ? -errno : fd_read_file_at(fd, "cgroup", text, sizeof(text), NULL);

        cleanup_close_fd(&fd);
        line = r < 0 ? NULL : strstr(text, "0::/");
        if (line == NULL || length == 0 || (line != text && line[-1] != '\n'))
                return false;
        end = line + strcspn(line, "\n");
        return (size_t)(end - line) > length && memcmp(end - length, name, length) == 0;
}

int cgroup_enter_v2(int fd, const char *path, struct error *err)
{
        return is_inside(path) ? 0 : fd_write_file_at(fd, "cgroup.procs", "0", err);
}

int cgroup_enter(const struct cgroup *cgroup, struct error *err)
{
        if (cgroup->driver == NULL || FAULT_POINT("cgroup enter"))
                return error_text(err, EINVAL, "cannot enter the session's cgroup: there is none");
        return cgroup->driver->enter(cgroup, err);
}

int cgroup_attach(const struct cgroup *cgroup, pid_t pid, struct error *err)
{
        char text[16];

        if (pid <= 0 || cgroup->count == 0)
                return error_text(err, EINVAL, "cannot put process %d into a cgroup", (int)pid);
        (void)snprintf(text, sizeof(text), "%d", (int)pid);
        for (size_t i = 0; i < cgroup->count; i++) {
                int r = fd_write_file_at(cgroup->dir[i].fd, "cgroup.procs", text, err);

                if (r < 0)
                        return error_prefix(err, "cannot put a process into %s", cgroup->dir[i].path);
        }
        return 0;
}

void cgroup_list_paths(const struct cgroup *cgroup, char ret[SESSION_CGROUPS_MAX][256])
{
        for (size_t i = 0; i < SESSION_CGROUPS_MAX; i++)
                (void)snprintf(ret[i], sizeof(ret[i]), "%s", i < cgroup->count ? cgroup->dir[i].path : "");
}

int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err)
{
        struct cgroup_usage usage = { .cpu_usec = 0 };
        int r;

        if (cgroup->driver == NULL || cgroup->count == 0)
                return error_text(err, EINVAL, "cannot read what a session used: it has no cgroup");
        r = cgroup->driver->usage(cgroup, &usage, err);
        if (r < 0)
                return error_prefix(err, "cannot read what %s used", cgroup->dir[0].path);
        *ret = usage;
        return 0;
}

int cgroup_remove(struct cgroup *cgroup, int timeout_ms, struct error *err)
{
        return remove_all(cgroup, timeout_ms, err);
}

void cgroup_done(struct cgroup *cgroup)
{
        for (size_t i = 0; i < cgroup->count; i++)
                cleanup_close_fd(&cgroup->dir[i].fd);
        cgroup->count = 0;
        cgroup->clone_fd = -EBADF;
}
