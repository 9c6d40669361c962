/* cgroup_v1_limit.c - writes a session's limits into the files of a v1 hierarchy. Root. */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_LIMIT "memory.limit_in_bytes"
#define SOCKETS_PART 4 /* of the memory limit, on top of it, for the queues of internet sockets */

/* Before Linux 5.11 a hierarchy of limits had to be asked for, before there are children. */
static int use_hierarchy(int fd, struct error *err)
{
        if (!cgroup_file_exists(fd, "memory.use_hierarchy"))
                return 0;
        return cgroup_file_set(fd, "memory.use_hierarchy", "1", err);
}

/*
 * What lies in the queues of internet sockets is counted apart from memory on v1, and by default not limited at all: a
 * session could fill the host's whole share of TCP or UDP memory over its own loopback interface. v2 counts it as memory.
 */
static int limit_sockets(int fd, const struct cgroup_limits *limits, struct error *err)
{
        static const char name[] = "memory.kmem.tcp.limit_in_bytes";
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

        /* Kernels without the option count nothing, but have no such file either. */
        return cgroup_file_exists(fd, name)
                       ? cgroup_file_set_limit(fd, name, limits->memory / SOCKETS_PART / page * page, "-1", err)
                       : 0;
}

/* The kernel keeps memory <= memory + swap at every moment: when both grow, the sum has to grow first. */
static int limit_memory(int fd, const struct cgroup_limits *limits, struct error *err)
{
        uint64_t sum = limits->memory + limits->swap;
        uint64_t sum_now = UINT64_MAX;
        int r = use_hierarchy(fd, err);

        if (r >= 0)
                r = limit_sockets(fd, limits, err);
        if (r < 0)
                return r;
        if (!cgroup_file_exists(fd, CGROUP_V1_MEMSW)) {
                r = cgroup_require_no_swap(err);
                return r < 0 ? r : cgroup_file_set_limit(fd, MEMORY_LIMIT, limits->memory, "-1", err);
        }
        r = cgroup_file_read_number(fd, CGROUP_V1_MEMSW, &sum_now, err);
        if (r == 0 && sum_now < limits->memory)
                r = cgroup_file_set_limit(fd, CGROUP_V1_MEMSW, sum, "-1", err);
        if (r == 0)
                r = cgroup_file_set_limit(fd, MEMORY_LIMIT, limits->memory, "-1", err);
        if (r == 0)
                r = cgroup_file_set_limit(fd, CGROUP_V1_MEMSW, sum, "-1", err);
        return r == -EBUSY ? error_prefix(err, "the sessions of this account use more memory than it may have now") : r;
}

/* A quota may not be below that of a child: a policy that was made tighter takes hold of the live sessions first. */
static int lower_sessions(int account_fd, const char *quota, struct error *err)
{
        cleanup_closedir DIR *dir = NULL;
        struct dirent *entry;
        int copy = openat(account_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (copy < 0)
                return error_errno(err, errno, "cannot open the account's cgroup");
        dir = fdopendir(copy);
        if (dir == NULL) {
                cleanup_close_fd(&copy);
                return error_errno(err, errno, "cannot list the account's cgroup");
        }
        while ((errno = 0, entry = readdir(dir)) != NULL) {
                cleanup_close int child = -EBADF;
                int r;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                child = openat(account_fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                r = child < 0 ? -ENOENT : cgroup_file_set(child, "cpu.cfs_quota_us", quota, err);
                if (r < 0 && r != -ENOENT && r != -ENODEV)
                        return r;
        }
        return 0;
}

static int limit_cpu(int fd, const struct cgroup_limits *limits, struct error *err)
{
        char quota[32];
        int r;

        if (limits->cpu_quota_usec == 0)
                return cgroup_file_set(fd, "cpu.cfs_quota_us", "-1", err);
        (void)snprintf(quota, sizeof(quota), "%" PRIu64, limits->cpu_quota_usec);
        r = cgroup_file_set_limit(fd, "cpu.cfs_period_us", CGROUP_CPU_PERIOD_USEC, "-1", err);
        if (r < 0)
                return r;
        r = cgroup_file_set(fd, "cpu.cfs_quota_us", quota, err);
        if (r != -EINVAL)
                return r;
        r = lower_sessions(fd, quota, err);
        return r < 0 ? r : cgroup_file_set(fd, "cpu.cfs_quota_us", quota, err);
}

static int read_throttle(int fd, const char *name, const struct cgroup_limits *limits, uint64_t *ret, struct error *err)
{
        char text[4096], value[32];
        int r = fd_read_file_at(fd, name, text, sizeof(text), err);

        if (r < 0)
                return r;
        *ret = 0;
        cgroup_text_find_device(text, limits->disk_major, limits->disk_minor, value, sizeof(value));
        return value[0] == '\0' ? 0 : parse_number(value, 0, UINT64_MAX, ret, err);
}

static int limit_io(int fd, const struct cgroup_limits *limits, struct error *err)
{
        static const char name[] = "blkio.throttle.read_bps_device";
        uint64_t now = 0;
        char text[64];
        int r;

        if (limits->io_read == 0)
                return 0;
        r = read_throttle(fd, name, limits, &now, err);
        if (r < 0 || now == limits->io_read)
                return r;
        (void)snprintf(text, sizeof(text), "%u:%u %" PRIu64, limits->disk_major, limits->disk_minor, limits->io_read);
        r = fd_write_file_at(fd, name, text, err);
        if (r == 0)
                r = read_throttle(fd, name, limits, &now, err);
        if (r == 0 && now != limits->io_read)
                return error_text(err, EIO, "cannot set %s: \"%s\" was written, the kernel kept %" PRIu64, name, text,
                                  now);
        return r;
}

int cgroup_v1_limit(int fd, const char *controllers, const struct cgroup_limits *limits, struct error *err)
{
        int r = 0;

        if (cgroup_list_has(controllers, "memory"))
                r = limit_memory(fd, limits, err);
        if (r == 0 && cgroup_list_has(controllers, "pids"))
                r = cgroup_file_set_limit(fd, "pids.max", limits->tasks, "max", err);
        if (r == 0 && cgroup_list_has(controllers, "cpu"))
                r = limit_cpu(fd, limits, err);
        if (r == 0 && cgroup_list_has(controllers, "blkio"))
                r = limit_io(fd, limits, err);
        return r;
}
