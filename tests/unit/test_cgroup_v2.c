/*
 * test_cgroup_v2.c - what the v2 drivers write and read, on a directory of ordinary files; the drivers as a whole are
 * tested by test_cgroup.c and test_cgroup_life.c on a host that has v2.
 */
#include "common/cleanup.h"
#include "common/fd.h"
#include "monitor/cgroup_driver.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct tree {
        char path[64];
        int fd;
};

static void put(const struct tree *tree, const char *name, const char *text)
{
        int fd = openat(tree->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        assert_int_equal(close(fd), 0);
}

static void assert_holds(const struct tree *tree, const char *name, const char *text)
{
        struct error err = ERROR_INIT;
        char now[256];

        assert_int_equal(fd_read_file_at(tree->fd, name, now, sizeof(now), &err), 0);
        assert_string_equal(now, text);
}

static int make_tree(void **state)
{
        static struct tree tree;

        (void)snprintf(tree.path, sizeof(tree.path), "/tmp/agentsh-cgroup-XXXXXX");
        if (mkdtemp(tree.path) == NULL)
                return -1;
        tree.fd = open(tree.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = &tree;
        return tree.fd < 0;
}

static int remove_tree(void **state)
{
        cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct tree *tree = *state;
        struct error err = ERROR_INIT;

        (void)close(tree->fd);
        return fd_remove_tree(tmp, tree->path + strlen("/tmp/"), &err);
}

static const struct cgroup_limits limits = {
        .memory = 67108864,
        .swap = 4096,
        .tasks = 50,
        .cpu_quota_usec = 10000,
        .io_read = 1000,
        .disk_major = 8,
};

static void put_empty(const struct tree *tree)
{
        static const char *const names[] = { "memory.max", "memory.swap.max", "pids.max", "cpu.max" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                put(tree, names[i], "");
        put(tree, "io.max", "");
}

static void test_limits(void **state)
{
        const struct tree *tree = *state;
        struct cgroup_limits no_io = limits;
        struct error err = ERROR_INIT;

        put_empty(tree);
        no_io.io_read = 0;
        if (cgroup_v2_limit(tree->fd, &no_io, &err) < 0)
                fail_msg("%s", err.text);
        assert_holds(tree, "memory.max", "67108864");
        assert_holds(tree, "memory.swap.max", "4096");
        assert_holds(tree, "pids.max", "50");
        assert_holds(tree, "cpu.max", "10000 20000");
        assert_holds(tree, "io.max", "");
        /* No swap is written as 0, not left at the default; no CPU limit takes an earlier one away. */
        put_empty(tree);
        no_io.swap = 0;
        no_io.cpu_quota_usec = 0;
        assert_int_equal(cgroup_v2_limit(tree->fd, &no_io, &err), 0);
        assert_holds(tree, "memory.swap.max", "0");
        assert_holds(tree, "cpu.max", "max 20000");
        /* Nothing of the CPU controller is needed then. */
        assert_int_equal(unlinkat(tree->fd, "cpu.max", 0), 0);
        assert_int_equal(cgroup_v2_limit(tree->fd, &no_io, &err), 0);
}

static void test_io(void **state)
{
        const struct tree *tree = *state;
        struct error err = ERROR_INIT;

        put_empty(tree);
        assert_int_equal(cgroup_v2_limit(tree->fd, &limits, &err), 0);
        assert_holds(tree, "io.max", "8:0 rbps=1000 wbps=max");
        /* The kernel's own form has more behind it: the file keeps the tail of what it held. */
        put(tree, "io.max", "8:0 rbps=max wbps=max  riops=max wiops=max\n");
        assert_int_equal(cgroup_v2_limit(tree->fd, &limits, &err), 0);
        /* What comes back is not what was written. */
        put(tree, "io.max", "8:0 rbps=max wbps=max0riops=max wiops=max\n");
        assert_int_equal(unlinkat(tree->fd, "io.max", 0), 0);
        assert_int_equal(symlinkat("/dev/null", tree->fd, "io.max"), 0);
        assert_true(cgroup_v2_limit(tree->fd, &limits, &err) < 0);
}

/* A file holds another value than the policy's: the self-test says which, what it should be, and what it is. */
struct change {
        const char *name, *value, *expected;
};

static void assert_differs(const struct change *change, int r, const struct error *err)
{
        assert_int_equal(r, -EPERM);
        if (strstr(err->text, "self-test: ") == NULL || strstr(err->text, change->name) == NULL ||
            strstr(err->text, change->expected) == NULL || strstr(err->text, change->value) == NULL)
                fail_msg("%s set to \"%s\": \"%s\"", change->name, change->value, err->text);
}

static void test_self_test(void **state)
{
        static const struct change changes[] = {
                { "memory.max", "max", "should be \"67108864\" and is" },
                { "memory.max", "67108865", "should be \"67108864\" and is" },
                { "memory.swap.max", "max", "should be \"4096\" and is" },
                { "pids.max", "max", "should be \"50\" and is" },
                { "cpu.max", "max 20000", "should be \"10000 20000\" and is" },
                { "cpu.max", "10000 10000", "should be \"10000 20000\" and is" },
                { "io.max", "8:0 rbps=10000 wbps=max", "should be \"rbps=1000 wbps=max\" and is" },
                { "io.max", "8:16 rbps=1000 wbps=max", "should be \"rbps=1000 wbps=max\" and is" },
        };
        const struct tree *tree = *state;
        struct error err = ERROR_INIT;

        put_empty(tree);
        assert_int_equal(cgroup_v2_limit(tree->fd, &limits, &err), 0);
        assert_int_equal(cgroup_v2_verify(tree->fd, tree->path, &limits, &err), 0);
        put(tree, "io.max", "8:0 rbps=1000 wbps=max riops=max wiops=max\n");
        assert_int_equal(cgroup_v2_verify(tree->fd, tree->path, &limits, &err), 0);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                struct change change = changes[i];
                char was[256];

                assert_int_equal(fd_read_file_at(tree->fd, change.name, was, sizeof(was), &err), 0);
                put(tree, change.name, change.value);
                change.value = strncmp(change.value, "8:", 2) == 0 ? "and is" : change.value;
                assert_differs(&change, cgroup_v2_verify(tree->fd, tree->path, &limits, &err), &err);
                put(tree, change.name, was);
        }
        assert_int_equal(cgroup_v2_verify(tree->fd, tree->path, &limits, &err), 0);
        assert_int_equal(unlinkat(tree->fd, "pids.max", 0), 0);
        assert_int_equal(cgroup_v2_verify(tree->fd, tree->path, &limits, &err), -ENOENT);
}

static void test_self_test_of_v1(void **state)
{
        static const struct change changes[] = {
                { "memory.limit_in_bytes", "9223372036854771712", "should be \"67108864\" and is" },
                { "memory.memsw.limit_in_bytes", "9223372036854771712", "should be \"67112960\" and is" },
                { "pids.max", "max", "should be \"50\" and is" },
                { "cpu.cfs_quota_us", "-1", "should be \"10000\" and is" },
                { "cpu.cfs_period_us", "100000", "should be \"20000\" and is" },
                { "blkio.throttle.read_bps_device", "8:0 1001\n", "should be \"1000\" and is \"1001\"" },
        };
        static const char controllers[] = "memory,pids,cpu,blkio";
        const struct tree *tree = *state;
        struct error err = ERROR_INIT;

        put(tree, "memory.limit_in_bytes", "67108864\n");
        put(tree, "memory.memsw.limit_in_bytes", "67112960\n");
        put(tree, "pids.max", "50\n");
        put(tree, "cpu.cfs_quota_us", "10000\n");
        put(tree, "cpu.cfs_period_us", "20000\n");
        put(tree, "blkio.throttle.read_bps_device", "8:0 1000\n");
        assert_int_equal(cgroup_v1_verify(tree->fd, tree->path, controllers, &limits, &err), 0);
        assert_int_equal(cgroup_v1_verify(tree->fd, tree->path, "", &limits, &err), 0);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                struct change change = changes[i];
                char was[256];

                assert_int_equal(fd_read_file_at(tree->fd, change.name, was, sizeof(was), &err), 0);
                put(tree, change.name, change.value);
                change.value = strncmp(change.value, "8:", 2) == 0 ? "and is" : change.value;
                assert_differs(&change, cgroup_v1_verify(tree->fd, tree->path, controllers, &limits, &err), &err);
                put(tree, change.name, was);
        }
}

/* Every file that a limit needs is missing in turn: an error that names it. */
static void test_missing_file(void **state)
{
        static const char *const names[] = { "memory.max", "pids.max", "cpu.max", "io.max" };
        const struct tree *tree = *state;

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                struct error err = ERROR_INIT;

                put_empty(tree);
                assert_int_equal(unlinkat(tree->fd, names[i], 0), 0);
                assert_int_equal(cgroup_v2_limit(tree->fd, &limits, &err), -ENOENT);
                assert_non_null(strstr(err.text, names[i]));
        }
}

/* A longer old value leaves its tail in an ordinary file: as if the kernel had kept another value. */
static void test_read_back(void **state)
{
        const struct tree *tree = *state;
        struct error err = ERROR_INIT;

        put_empty(tree);
        put(tree, "pids.max", "99999");
        assert_int_equal(cgroup_v2_limit(tree->fd, &limits, &err), -EIO);
        assert_non_null(strstr(err.text, "pids.max"));
        assert_non_null(strstr(err.text, "50999"));
}

static void test_enable(void **state)
{
        const struct tree *tree = *state;
        struct cgroup_limits few = { .memory = 1, .tasks = 1 };
        struct error err = ERROR_INIT;

        put(tree, "cgroup.controllers", "cpuset cpu memory pids\n");
        put(tree, "cgroup.subtree_control", "memory pids\n");
        assert_int_equal(cgroup_v2_enable(tree->fd, tree->path, &few, &err), 0);
        assert_holds(tree, "cgroup.subtree_control", "memory pids"); /* there already: not written */
        put(tree, "cgroup.subtree_control", "");
        few.cpu_quota_usec = 1000;
        assert_int_equal(cgroup_v2_enable(tree->fd, tree->path, &few, &err), 0);
        few.io_read = 1;
        put(tree, "cgroup.subtree_control", "cpu memory pids");
        assert_int_equal(cgroup_v2_enable(tree->fd, tree->path, &few, &err), -ENODEV);
        assert_non_null(strstr(err.text, "controller io "));
        assert_non_null(strstr(err.text, "Delegate"));
        put(tree, "cgroup.controllers", "cpuset cpu io memory_ pids\n");
        put(tree, "cgroup.subtree_control", "");
        assert_int_equal(cgroup_v2_enable(tree->fd, tree->path, &few, &err), -ENODEV);
        assert_non_null(strstr(err.text, "controller memory "));
}

static void test_usage(void **state)
{
        const struct tree *tree = *state;
        struct cgroup_usage usage = { 0 };
        struct error err = ERROR_INIT;

        put(tree, "cpu.stat", "usage_usec 123\nuser_usec 100\nsystem_usec 23\n");
        put(tree, "memory.current", "4096\n");
        put(tree, "memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n");
        put(tree, "pids.current", "7\n");
        /* An old kernel, no CPU controller: what is unknown is 0. */
        assert_int_equal(cgroup_v2_usage(tree->fd, &usage, &err), 0);
        assert_int_equal(usage.cpu_usec, 123);
        assert_int_equal(usage.cpu_throttled, 0);
        assert_int_equal(usage.memory_current, 4096);
        assert_int_equal(usage.memory_peak, 0);
        assert_int_equal(usage.oom_kills, 2);
        assert_int_equal(usage.tasks_current, 7);
        put(tree, "cpu.stat", "usage_usec 123\nnr_periods 9\nnr_throttled 5\nthrottled_usec 77\n");
        put(tree, "memory.peak", "8192\n");
        put(tree, "pids.peak", "9\n");
        put(tree, "pids.events", "max 4\n");
        assert_int_equal(cgroup_v2_usage(tree->fd, &usage, &err), 0);
        assert_int_equal(usage.cpu_throttled, 5);
        assert_int_equal(usage.cpu_throttled_usec, 77);
        assert_int_equal(usage.memory_peak, 8192);
        assert_int_equal(usage.tasks_peak, 9);
        assert_int_equal(usage.tasks_refused, 4);
        put(tree, "memory.current", "lots\n");
        assert_true(cgroup_v2_usage(tree->fd, &usage, &err) < 0);
        assert_int_equal(unlinkat(tree->fd, "memory.current", 0), 0);
        assert_true(cgroup_v2_usage(tree->fd, &usage, &err) < 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_limits, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_io, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_self_test, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_self_test_of_v1, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_missing_file, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_read_back, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_enable, make_tree, remove_tree),
                cmocka_unit_test_setup_teardown(test_usage, make_tree, remove_tree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
