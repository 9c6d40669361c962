/*
 * cgroup_verify.c - a session's limits, read back from the kernel once its process 1 runs. Root, through directory fds.
 *
 * What a file must hold is written down here once more, not taken from the code that wrote it: a slip there must not
 * excuse itself here.
 */
#include "monitor/cgroup_driver.h"

#include "common/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct place {
        int fd;
        const char *path;
};

static int differs(const struct place *place, const char *name, const char *expected, const char *found,
                   struct error *err)
{
        return error_text(err, EPERM, "self-test: %s of %s should be \"%s\" and is \"%s\"", name, place->path, expected,
                          found);
}

static int expect(const struct place *place, const char *name, const char *expected, struct error *err)
{
        char found[128];
        int r = fd_read_file_at(place->fd, name, found, sizeof(found), err);

        if (r < 0)
                return error_prefix(err, "self-test: %s", place->path);
        return strcmp(found, expected) == 0 ? 0 : differs(place, name, expected, found, err);
}

static int expect_number(const struct place *place, const char *name, uint64_t number, struct error *err)
{
        char expected[32];

        (void)snprintf(expected, sizeof(expected), "%" PRIu64, number);
        return expect(place, name, expected, err);
}

/* The line of the limited disk in a file with one for each device. */
static int expect_disk(const struct place *place, const char *name, const struct cgroup_limits *limits,
                       const char *expected, struct error *err)
{
        char text[4096], found[128];
        int r = fd_read_file_at(place->fd, name, text, sizeof(text), err);

        if (r < 0)
                return error_prefix(err, "self-test: %s", place->path);
        cgroup_text_find_device(text, limits->disk_major, limits->disk_minor, found, sizeof(found));
        /* More may follow, of kinds that have no limit. */
        if (strncmp(found, expected, strlen(expected)) == 0 && strchr(" ", found[strlen(expected)]) != NULL)
                return 0;
        return differs(place, name, expected, found, err);
}

static void format_rate(char ret[32], uint64_t rate)
{
        if (rate == 0)
                (void)snprintf(ret, 32, "max");
        else
                (void)snprintf(ret, 32, "%" PRIu64, rate);
}

int cgroup_v2_verify(int fd, const char *path, const struct cgroup_limits *limits, struct error *err)
{
        const struct place place = { fd, path };
        char text[96], read[32], write[32];
        int r = expect_number(&place, "memory.max", limits->memory, err);

        if (r >= 0 && cgroup_file_exists(fd, "memory.swap.max"))
                r = expect_number(&place, "memory.swap.max", limits->swap, err);
        if (r >= 0)
                r = expect_number(&place, "pids.max", limits->tasks, err);
        if (r >= 0 && limits->cpu_quota_usec != 0) {
                (void)snprintf(text, sizeof(text), "%" PRIu64 " %u", limits->cpu_quota_usec, CGROUP_CPU_PERIOD_USEC);
                r = expect(&place, "cpu.max", text, err);
        }
        if (r < 0 || (limits->io_read == 0 && limits->io_write == 0))
                return r;
        format_rate(read, limits->io_read);
        format_rate(write, limits->io_write);
        (void)snprintf(text, sizeof(text), "rbps=%s wbps=%s", read, write);
        return expect_disk(&place, "io.max", limits, text, err);
}

/* Queues of internet sockets, which v1 counts apart: a quarter of the memory, in whole pages. */
static int verify_v1_sockets(const struct place *place, const struct cgroup_limits *limits, struct error *err)
{
        static const char name[] = "memory.kmem.tcp.limit_in_bytes";
        uint64_t quarter = limits->memory / 4;

        if (!cgroup_file_exists(place->fd, name))
                return 0;
        return expect_number(place, name, quarter - quarter % (uint64_t)sysconf(_SC_PAGESIZE), err);
}

int cgroup_v1_verify(int fd, const char *path, const char *controllers, const struct cgroup_limits *limits,
                     struct error *err)
{
        const struct place place = { fd, path };
        int r = 0;

        if (cgroup_list_has(controllers, "memory")) {
                r = expect_number(&place, "memory.limit_in_bytes", limits->memory, err);
                if (r >= 0 && cgroup_file_exists(fd, CGROUP_V1_MEMSW))
                        r = expect_number(&place, CGROUP_V1_MEMSW, limits->memory + limits->swap, err);
                if (r >= 0)
                        r = verify_v1_sockets(&place, limits, err);
        }
        if (r >= 0 && cgroup_list_has(controllers, "pids"))
                r = expect_number(&place, "pids.max", limits->tasks, err);
        if (r >= 0 && cgroup_list_has(controllers, "cpu") && limits->cpu_quota_usec != 0) {
                r = expect_number(&place, "cpu.cfs_quota_us", limits->cpu_quota_usec, err);
                if (r >= 0)
                        r = expect_number(&place, "cpu.cfs_period_us", CGROUP_CPU_PERIOD_USEC, err);
        }
        if (r >= 0 && cgroup_list_has(controllers, "blkio") && limits->io_read != 0) {
                char text[32];

                format_rate(text, limits->io_read);
                r = expect_disk(&place, "blkio.throttle.read_bps_device", limits, text, err);
        }
        return r;
}

int cgroup_verify(const struct cgroup *cgroup, struct error *err)
{
        bool v1 = cgroup->driver == &cgroup_driver_v1;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < cgroup->count; i++) {
                int fd = cgroup->dir[i].fd;

                /* A v2 tree without controllers, beside v1, has no limits: v1 names none for it. */
                r = v1 ? cgroup_v1_verify(fd, cgroup->dir[i].path, cgroup->dir[i].controllers, &cgroup->limits, err)
                       : cgroup_v2_verify(fd, cgroup->dir[i].path, &cgroup->limits, err);
        }
        return r;
}
