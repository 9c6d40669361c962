/* test_admin_session_list.c - cgroup figures, and a monitor's identity by pid and start time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/session_list.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_cpu_stat(void **state)
{
        uint64_t value = 5;

        (void)state;
        assert_true(session_parse_cpu_stat("usage_usec 123\nuser_usec 100\n", &value));
        assert_int_equal(value, 123);
        assert_true(session_parse_cpu_stat("nr_periods 0\nusage_usec 18446744073709551615", &value));
        assert_true(value == UINT64_MAX);
        value = 5;
        assert_false(session_parse_cpu_stat("", &value));
        assert_false(session_parse_cpu_stat("nr_periods 0\nnr_throttled 0\n", &value));
        assert_false(session_parse_cpu_stat("usage_usec x\n", &value));
        assert_false(session_parse_cpu_stat("usage_usec 18446744073709551616\n", &value));
        assert_false(session_parse_cpu_stat("xusage_usec 1\n", &value));
        assert_false(session_parse_cpu_stat("usage_usec 00000000000000000000000000000000000001\n", &value));
        assert_int_equal(value, 5);
}

static void test_live(void **state)
{
        struct session_state session = { .monitor_pid = getpid() };

        (void)state;
        assert_int_equal(process_read_start_time(getpid(), &session.monitor_start_time, NULL), 0);
        assert_true(session_is_live(&session));
        session.monitor_start_time++;
        assert_false(session_is_live(&session));
        session = (struct session_state){ .monitor_pid = 0 };
        assert_false(session_is_live(&session));
        session.monitor_pid = -1;
        assert_false(session_is_live(&session));
        session.monitor_pid = INT32_MAX;
        assert_false(session_is_live(&session));
}

static void put(const char *dir, const char *name, const char *text)
{
        char path[160];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        file = fopen(path, "we");
        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *dir, const char *name)
{
        char path[160];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        (void)unlink(path);
}

static void test_usage(void **state)
{
        struct session_state session = { 0 };
        struct session_usage usage;
        char dir[] = "/tmp/test-usage-XXXXXX";

        (void)state;
        assert_non_null(mkdtemp(dir));
        (void)strcpy(session.cgroups[0], "/nonexistent/agentsh");
        (void)strcpy(session.cgroups[1], dir);
        put(dir, "memory.usage_in_bytes", "4096\n");
        put(dir, "pids.current", "3\n");
        put(dir, "cpuacct.usage", "2500000\n");
        session_read_usage(&session, &usage);
        assert_true(usage.memory_known && usage.tasks_known && usage.cpu_known);
        assert_int_equal(usage.memory, 4096);
        assert_int_equal(usage.tasks, 3);
        assert_int_equal(usage.cpu_usec, 2500);
        remove_file(dir, "cpuacct.usage");
        put(dir, "cpu.stat", "usage_usec 77\n");
        put(dir, "memory.current", "8192\n");
        put(dir, "pids.current", "max\n");
        session_read_usage(&session, &usage);
        assert_int_equal(usage.cpu_usec, 77);
        assert_int_equal(usage.memory, 8192);
        assert_false(usage.tasks_known);
        remove_file(dir, "memory.usage_in_bytes");
        remove_file(dir, "memory.current");
        remove_file(dir, "pids.current");
        remove_file(dir, "cpu.stat");
        (void)rmdir(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cpu_stat),
                cmocka_unit_test(test_live),
                cmocka_unit_test(test_usage),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
