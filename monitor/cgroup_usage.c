/* cgroup_usage.c - what a session used and which limits it hit, on v1 and on v2. Reads only. */
#include "monitor/cgroup_driver.h"

#include <errno.h>

/* For files that older kernels lack: 0. */
static int optional(int r)
{
        return r == -ENOENT ? 0 : r;
}

static int usage_memory(int fd, struct cgroup_usage *usage, struct error *err)
{
        int r = cgroup_file_read_number(fd, "memory.usage_in_bytes", &usage->memory_current, err);

        if (r == 0)
                r = cgroup_file_read_number(fd, "memory.max_usage_in_bytes", &usage->memory_peak, err);
        if (r == 0)
                r = cgroup_file_read_key(fd, "memory.oom_control", "oom_kill", &usage->oom_kills, err);
        return r;
}

static int usage_tasks(int fd, struct cgroup_usage *usage, struct error *err)
{
        int r = cgroup_file_read_number(fd, "pids.current", &usage->tasks_current, err);

        if (r == 0)
                r = optional(cgroup_file_read_number(fd, "pids.peak", &usage->tasks_peak, err));
        if (r == 0)
                r = optional(cgroup_file_read_key(fd, "pids.events", "max", &usage->tasks_refused, err));
        return r;
}

static int usage_cpu(int fd, struct cgroup_usage *usage, struct error *err)
{
        int r = cgroup_file_read_key(fd, "cpu.stat", "nr_throttled", &usage->cpu_throttled, err);

        if (r == 0)
                r = cgroup_file_read_key(fd, "cpu.stat", "throttled_time", &usage->cpu_throttled_usec, err);
        usage->cpu_throttled_usec /= 1000;
        return r;
}

static int usage_cpuacct(int fd, struct cgroup_usage *usage, struct error *err)
{
        uint64_t nanoseconds = 0;
        int r = cgroup_file_read_number(fd, "cpuacct.usage", &nanoseconds, err);

        usage->cpu_usec = nanoseconds / 1000;
        return r;
}

int cgroup_v1_usage(const struct cgroup *cgroup, struct cgroup_usage *ret, struct error *err)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < cgroup->count; i++) {
                const char *controllers = cgroup->dir[i].controllers;
                int fd = cgroup->dir[i].fd;

                if (cgroup_list_has(controllers, "memory"))
                        r = usage_memory(fd, ret, err);
                if (r == 0 && cgroup_list_has(controllers, "pids"))
                        r = usage_tasks(fd, ret, err);
                if (r == 0 && cgroup_list_has(controllers, "cpu"))
                        r = usage_cpu(fd, ret, err);
                if (r == 0 && cgroup_list_has(controllers, "cpuacct"))
                        r = usage_cpuacct(fd, ret, err);
                if (r == 0 && controllers[0] == '\0')
                        r = cgroup_file_read_key(fd, "cpu.stat", "usage_usec", &ret->cpu_usec, err);
        }
        return r;
}

int cgroup_v2_usage(int fd, struct cgroup_usage *ret, struct error *err)
{
        int r = cgroup_file_read_key(fd, "cpu.stat", "usage_usec", &ret->cpu_usec, err);

        if (r == 0)
                r = cgroup_file_read_key(fd, "cpu.stat", "nr_throttled", &ret->cpu_throttled, err);
        if (r == 0)
                r = cgroup_file_read_key(fd, "cpu.stat", "throttled_usec", &ret->cpu_throttled_usec, err);
        if (r == 0)
                r = cgroup_file_read_number(fd, "memory.current", &ret->memory_current, err);
        if (r == 0)
                r = optional(cgroup_file_read_number(fd, "memory.peak", &ret->memory_peak, err));
        if (r == 0)
                r = cgroup_file_read_key(fd, "memory.events", "oom_kill", &ret->oom_kills, err);
        if (r == 0)
                r = cgroup_file_read_number(fd, "pids.current", &ret->tasks_current, err);
        if (r == 0)
                r = optional(cgroup_file_read_number(fd, "pids.peak", &ret->tasks_peak, err));
        if (r == 0)
                r = optional(cgroup_file_read_key(fd, "pids.events", "max", &ret->tasks_refused, err));
        return r;
}
