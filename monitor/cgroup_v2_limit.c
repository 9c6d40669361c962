/* cgroup_v2_limit.c - writes a session's limits into the files of a v2 cgroup. Root. */
#include "monitor/cgroup_driver.h"

#include "common/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int limit_cpu(int fd, const struct cgroup_limits *limits, struct error *err)
{
        char text[64];

        if (limits->cpu_quota_usec == 0 && !cgroup_file_exists(fd, "cpu.max"))
                return 0;
        if (limits->cpu_quota_usec == 0)
                (void)snprintf(text, sizeof(text), "max %u", CGROUP_CPU_PERIOD_USEC);
        else
                (void)snprintf(text, sizeof(text), "%" PRIu64 " %u", limits->cpu_quota_usec, CGROUP_CPU_PERIOD_USEC);
        return cgroup_file_set(fd, "cpu.max", text, err);
}

static void format_rate(char ret[32], uint64_t rate)
{
        (void)snprintf(ret, 32, "%" PRIu64, rate);
        if (rate == 0)
                (void)snprintf(ret, 32, "max");
}

static int limit_io(int fd, const struct cgroup_limits *limits, struct error *err)
{
        char text[4096], now[128], wanted[96], change[128], rbps[32], wbps[32];
        int r;

        if (limits->io_read == 0 && limits->io_write == 0)
                return 0;
        format_rate(rbps, limits->io_read);
        format_rate(wbps, limits->io_write);
        (void)snprintf(wanted, sizeof(wanted), "rbps=%s wbps=%s", rbps, wbps);
        (void)snprintf(change, sizeof(change), "%u:%u %s", limits->disk_major, limits->disk_minor, wanted);
        r = fd_write_file_at(fd, "io.max", change, err);
        if (r == 0)
                r = fd_read_file_at(fd, "io.max", text, sizeof(text), err);
        if (r < 0)
                return r;
        cgroup_text_find_device(text, limits->disk_major, limits->disk_minor, now, sizeof(now));
        if (strncmp(now, wanted, strlen(wanted)) != 0 || (now[strlen(wanted)] != ' ' && now[strlen(wanted)] != '\0'))
                return error_text(err, EIO, "cannot set io.max: \"%s\" was written, the kernel kept \"%s\"", change,
                                  now);
        return 0;
}

static int limit_swap(int fd, const struct cgroup_limits *limits, struct error *err)
{
        if (!cgroup_file_exists(fd, "memory.swap.max"))
                return cgroup_require_no_swap(err);
        return cgroup_file_set_limit(fd, "memory.swap.max", limits->swap, "0", err);
}

int cgroup_v2_limit(int fd, const struct cgroup_limits *limits, struct error *err)
{
        int r = cgroup_file_set_limit(fd, "memory.max", limits->memory, "max", err);

        if (r == 0)
                r = limit_swap(fd, limits, err);
        if (r == 0)
                r = cgroup_file_set_limit(fd, "pids.max", limits->tasks, "max", err);
        if (r == 0)
                r = limit_cpu(fd, limits, err);
        if (r == 0)
                r = limit_io(fd, limits, err);
        return r;
}
