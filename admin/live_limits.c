/* live_limits.c - the session's limits, read back from its control groups, v1 or v2. Root. */
#include "admin/live_check.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP "limits"

/* The text of the first of the session's control groups that has this file; false when none has. */
static bool read_file(const struct live_check *check, const char *file, char *ret, size_t size)
{
        for (size_t i = 0; i < SESSION_CGROUPS_MAX && check->state->cgroups[i][0] != '\0'; i++) {
                cleanup_close int dir = fd_open_absolute(check->state->cgroups[i], O_PATH | O_DIRECTORY, 0, NULL);

                if (dir >= 0 && fd_read_file_at(dir, file, ret, size, NULL) == 0)
                        return true;
        }
        return false;
}

static bool read_number(const struct live_check *check, const char *file, uint64_t *ret)
{
        char text[64];

        return read_file(check, file, text, sizeof(text)) && parse_number(text, 0, UINT64_MAX, ret, NULL) == 0;
}

static void add_limit(const struct live_check *check, const char *name, uint64_t expected, bool known, uint64_t found)
{
        char wanted[32], text[32];

        (void)snprintf(wanted, sizeof(wanted), "%llu", (unsigned long long)expected);
        (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)found);
        live_equal(check->report, GROUP, name, wanted, known ? text : NULL);
}

/* The kernel keeps whole pages. */
static uint64_t whole_pages(uint64_t bytes)
{
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

        return bytes / page * page;
}

static void check_memory(const struct live_check *check)
{
        const struct policy *policy = check->policy;
        uint64_t found = 0;
        bool known = read_number(check, "memory.max", &found) || read_number(check, "memory.limit_in_bytes", &found);

        add_limit(check, "memory", whole_pages(policy->memory), known, found);
        if (read_number(check, "memory.swap.max", &found))
                add_limit(check, "swap", whole_pages(policy->swap), true, found);
        else if (read_number(check, "memory.memsw.limit_in_bytes", &found))
                add_limit(check, "memory and swap", whole_pages(policy->memory + policy->swap), true, found);
}

/* Thousandths of a processor: "QUOTA PERIOD" of v2, or two files of v1. */
static bool read_cpus(const struct live_check *check, uint64_t *ret)
{
        uint64_t quota, period;
        char text[64], *separator;
        bool known;

        if (read_file(check, "cpu.max", text, sizeof(text))) {
                separator = strchr(text, ' ');
                if (separator == NULL)
                        return false;
                *separator = '\0';
                known = parse_number(text, 0, UINT64_MAX / 1000, &quota, NULL) == 0 &&
                        parse_number(separator + 1, 1, UINT64_MAX, &period, NULL) == 0;
        } else {
                known = read_number(check, "cpu.cfs_quota_us", &quota) &&
                        read_number(check, "cpu.cfs_period_us", &period) && period > 0;
        }
        if (known)
                *ret = quota * 1000 / period;
        return known;
}

static void check_rate(const struct live_check *check, const char *name, uint64_t expected, const char *v2_key,
                       const char *v1_file)
{
        char text[4096], wanted[64];
        bool known;

        if (expected == 0)
                return;
        known = read_file(check, "io.max", text, sizeof(text));
        (void)snprintf(wanted, sizeof(wanted), "%s%llu", v2_key, (unsigned long long)expected);
        if (!known) {
                known = read_file(check, v1_file, text, sizeof(text));
                (void)snprintf(wanted, sizeof(wanted), " %llu", (unsigned long long)expected);
        }
        live_add(check->report, known && strstr(text, wanted) != NULL, GROUP, name, wanted, known ? text : NULL);
}

void live_check_limits(const struct live_check *check)
{
        const struct policy *policy = check->policy;
        uint64_t found = 0;
        bool known;

        check_memory(check);
        known = read_number(check, "pids.max", &found);
        add_limit(check, "tasks", policy->tasks, known, found);
        known = read_cpus(check, &found);
        if (policy->cpus != 0)
                add_limit(check, "thousandths of a processor", policy->cpus, known, found);
        check_rate(check, "io_read", policy->io_read, "rbps=", "blkio.throttle.read_bps_device");
        check_rate(check, "io_write", policy->io_write, "wbps=", "blkio.throttle.write_bps_device");
}
