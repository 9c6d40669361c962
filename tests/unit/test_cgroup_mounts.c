/* test_cgroup_mounts.c - the kernel's texts about cgroups, of many kinds of hosts and of none. */
#include "common/cleanup.h"
#include "monitor/cgroup_driver.h"
#include "monitor/cgroup_mounts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#define OTHERS                                                              \
        "22 27 0:21 / /proc rw,relatime shared:12 - proc proc rw\n"         \
        "25 24 0:23 / /dev/shm rw,nosuid,nodev shared:4 - tmpfs tmpfs rw\n" \
        "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"

static const char systemd_v2[] = OTHERS
        "35 24 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
        "rw,nsdelegate,memory_recursiveprot\n"
        "36 24 0:30 / /sys/fs/pstore rw,nosuid shared:10 - pstore pstore rw\n";

static const char systemd_hybrid[] = OTHERS
        "31 23 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755\n"
        "32 31 0:27 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 "
        "rw,nsdelegate\n"
        "33 31 0:28 / /sys/fs/cgroup/systemd rw,nosuid shared:11 - cgroup cgroup rw,xattr,name=systemd\n"
        "36 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct\n"
        "37 31 0:32 / /sys/fs/cgroup/memory rw,nosuid,relatime shared:16 - cgroup cgroup rw,memory\n"
        "38 31 0:33 / /sys/fs/cgroup/pids rw,nosuid,relatime shared:17 - cgroup cgroup rw,pids\n"
        "39 31 0:34 / /sys/fs/cgroup/net_cls,net_prio rw shared:18 - cgroup cgroup rw,net_cls,net_prio\n"
        "40 31 0:35 / /sys/fs/cgroup/blkio rw,nosuid,relatime shared:19 - cgroup cgroup rw,blkio\n";

static const char container_v1[] = OTHERS
        "700 699 0:60 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755\n"
        "701 700 0:32 /docker/3fa1 /sys/fs/cgroup/memory ro,nosuid,relatime master:16 - cgroup cgroup rw,memory\n"
        "702 700 0:33 /docker/3fa1 /sys/fs/cgroup/pids ro,nosuid,relatime master:17 - cgroup cgroup rw,pids\n"
        "703 700 0:31 /docker/3fa1 /sys/fs/cgroup/cpu,cpuacct ro,relatime master:15 - cgroup cgroup rw,cpu,cpuacct\n";

/* Controllers one by one, no systemd, an empty v2 tree. */
static const char plain_hybrid[] = OTHERS
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
        "33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n"
        "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        "38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio\n"
        "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
        "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

static const char container_v2[] = OTHERS
        "900 899 0:29 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n";

static const char container_v2_no_namespace[] = OTHERS
        "900 899 0:29 /system.slice/docker-77.scope /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n";

static struct cgroup_mounts parse(const char *mountinfo, const char *self)
{
        static struct cgroup_mounts mounts;
        struct error err = ERROR_INIT;

        if (cgroup_mounts_parse(mountinfo, self, &mounts, &err) < 0)
                fail_msg("%s", err.text);
        return mounts;
}

static void assert_own(const struct cgroup_mounts *mounts, const char *expected)
{
        struct error err = ERROR_INIT;
        char own[CGROUP_SELF_PATH_MAX] = "none";
        int r = cgroup_mounts_own(mounts, cgroup_mounts_find_v2(mounts), own, &err);

        assert_int_equal(r, expected == NULL ? -ENOENT : 0);
        assert_string_equal(own, expected == NULL ? "none" : expected);
}

static void test_systemd_v2(void **state)
{
        struct cgroup_mounts mounts = parse(systemd_v2, "0::/agentsh.slice/agentsh@1-22-0.service\n");
        const struct cgroup_mount *v2 = cgroup_mounts_find_v2(&mounts);

        (void)state;
        assert_int_equal(mounts.count, 1);
        assert_non_null(v2);
        assert_string_equal(v2->path, "/sys/fs/cgroup");
        assert_string_equal(v2->root, "/");
        assert_false(v2->readonly);
        assert_int_equal(v2->major, 0);
        assert_int_equal(v2->minor, 29);
        assert_null(cgroup_mounts_find_v1(&mounts, "memory"));
        assert_own(&mounts, "agentsh.slice/agentsh@1-22-0.service");
}

static void test_systemd_hybrid(void **state)
{
        struct cgroup_mounts mounts = parse(systemd_hybrid, "5:memory:/user.slice\n4:cpu,cpuacct:/\n1:name=systemd:/x\n"
                                                            "0::/user.slice/user-0.slice/session-1.scope\n");

        (void)state;
        assert_string_equal(cgroup_mounts_find_v2(&mounts)->path, "/sys/fs/cgroup/unified");
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "cpu")->path, "/sys/fs/cgroup/cpu,cpuacct");
        assert_ptr_equal(cgroup_mounts_find_v1(&mounts, "cpu"), cgroup_mounts_find_v1(&mounts, "cpuacct"));
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "cpu")->controllers, "cpu,cpuacct");
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "memory")->controllers, "memory");
        assert_null(cgroup_mounts_find_v1(&mounts, "net"));
        assert_null(cgroup_mounts_find_v1(&mounts, "name=systemd"));
        assert_null(cgroup_mounts_find_v1(&mounts, ""));
        assert_own(&mounts, "user.slice/user-0.slice/session-1.scope");
}

static void test_container_v1(void **state)
{
        struct cgroup_mounts mounts = parse(container_v1, "5:memory:/docker/3fa1\n4:pids:/docker/3fa1\n");
        struct cgroup_host host;
        struct error err = ERROR_INIT;
        char where[256];

        (void)state;
        assert_null(cgroup_mounts_find_v2(&mounts));
        assert_true(cgroup_mounts_find_v1(&mounts, "memory")->readonly);
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "memory")->root, "/docker/3fa1");
        assert_string_equal(mounts.self, "");
        /* The remedy is named for what is read-only and for what is missing. */
        assert_int_equal(cgroup_host_parse(container_v1, "", &host, &err), 0);
        assert_ptr_equal(host.driver, &cgroup_driver_v1);
        assert_int_equal(host.driver->check(&host, CGROUP_MEMORY, where, sizeof(where), &err), -EROFS);
        assert_non_null(strstr(err.text, "read-only"));
        assert_int_equal(host.driver->check(&host, CGROUP_IO_READ, where, sizeof(where), &err), -ENODEV);
        assert_non_null(strstr(err.text, "blkio"));
        assert_int_equal(host.driver->check(&host, CGROUP_IO_WRITE, where, sizeof(where), &err), -EOPNOTSUPP);
}

static void test_plain_hybrid(void **state)
{
        struct cgroup_mounts mounts = parse(plain_hybrid, "8:pids:/\n4:memory:/box/1\n0::/\n");
        struct cgroup_host host;
        struct error err = ERROR_INIT;

        (void)state;
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "cpu")->path, "/sys/fs/cgroup/cpu");
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "cpuacct")->path, "/sys/fs/cgroup/cpuacct");
        assert_own(&mounts, "");
        assert_int_equal(cgroup_host_parse(plain_hybrid, "0::/\n", &host, &err), 0);
        assert_ptr_equal(host.driver, &cgroup_driver_v1);
}

static void test_container_v2(void **state)
{
        struct cgroup_mounts mounts = parse(container_v2, "0::/\n");

        (void)state;
        assert_own(&mounts, "");
        mounts = parse(container_v2, "0::/agentsh-monitor\n");
        assert_own(&mounts, "agentsh-monitor");
        /* Entered from outside of its cgroup namespace. */
        mounts = parse(container_v2, "0::/../../system.slice/ssh.service\n");
        assert_own(&mounts, NULL);
        mounts = parse(container_v2_no_namespace, "0::/system.slice/docker-77.scope\n");
        assert_own(&mounts, "");
        assert_true(cgroup_mounts_find_v2(&mounts)->readonly);
        mounts = parse(container_v2_no_namespace, "0::/system.slice/docker-77.scope/a/b\n");
        assert_own(&mounts, "a/b");
        mounts = parse(container_v2_no_namespace, "0::/system.slice/docker-777.scope\n");
        assert_own(&mounts, NULL);
        mounts = parse(container_v2, "");
        assert_own(&mounts, NULL);
}

static void test_no_cgroups(void **state)
{
        struct cgroup_host host;
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(parse(OTHERS, "").count, 0);
        assert_int_equal(parse("", "").count, 0);
        assert_int_equal(cgroup_host_parse(OTHERS, "", &host, &err), -ENODEV);
        assert_non_null(strstr(err.text, "mount"));
        assert_int_equal(cgroup_host_parse(container_v2_no_namespace, "0::/\n", &host, &err), -EROFS);
}

static void test_escapes(void **state)
{
        struct cgroup_mounts mounts;

        (void)state;
        mounts = parse("1 2 0:9 / /mnt/a\\040b\\011c\\134d\\012e rw - cgroup cgroup rw,memory\n", "");
        assert_string_equal(mounts.mount[0].path, "/mnt/a b\tc\\d\ne");
        /* Not an escape, or one that would cut the name: kept as it is, or passed over. */
        mounts = parse("1 2 0:9 / /mnt/a\\04 rw - cgroup cgroup rw,memory\n", "");
        assert_string_equal(mounts.mount[0].path, "/mnt/a\\04");
        mounts = parse("1 2 0:9 / /mnt/a\\189 rw - cgroup cgroup rw,memory\n", "");
        assert_string_equal(mounts.mount[0].path, "/mnt/a\\189");
        assert_int_equal(parse("1 2 0:9 / /mnt/a\\000b rw - cgroup cgroup rw,memory\n", "").count, 0);
        assert_int_equal(parse("1 2 0:9 / /mnt/a\\777b rw - cgroup cgroup rw,memory\n", "").count, 0);
        /* A file system that only sounds like one of ours; a source and a path that do. */
        assert_int_equal(parse("1 2 0:9 / /sys/fs/cgroup rw - tmpfs cgroup2 rw,memory\n", "").count, 0);
        assert_int_equal(parse("1 2 0:9 / /x\\040-\\040cgroup2 rw - tmpfs x rw\n", "").count, 0);
}

static void test_choices(void **state)
{
        struct cgroup_mounts mounts;

        (void)state;
        /* A later mount hides an earlier one at the same place. */
        mounts = parse("1 2 0:9 / /c rw - cgroup cgroup rw,memory\n3 1 0:10 / /c rw - cgroup cgroup rw,pids\n", "");
        assert_int_equal(mounts.count, 1);
        assert_null(cgroup_mounts_find_v1(&mounts, "memory"));
        /* A writable one is better than a read-only one. */
        mounts = parse("1 2 0:9 / /a ro - cgroup cgroup rw,memory\n3 1 0:9 / /b rw - cgroup cgroup rw,memory\n", "");
        assert_string_equal(cgroup_mounts_find_v1(&mounts, "memory")->path, "/b");
        /* The standard place is better than another. */
        mounts = parse("1 2 0:9 / /run/x rw - cgroup2 none rw\n3 1 0:9 / /sys/fs/cgroup rw - cgroup2 none rw\n", "");
        assert_string_equal(cgroup_mounts_find_v2(&mounts)->path, "/sys/fs/cgroup");
}

static void test_boundaries(void **state)
{
        struct cgroup_mounts mounts;
        struct error err = ERROR_INIT;
        char text[16384];
        size_t used = 0;

        (void)state;
        /* More mounts than the table holds, and a path longer than it holds: no overflow, the rest passed over. */
        for (int i = 0; i < 100; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "1 2 0:9 / /m%d rw - cgroup c rw,pids\n", i);
        assert_int_equal(parse(text, "").count, CGROUP_MOUNTS_MAX);
        (void)snprintf(text, sizeof(text), "1 2 0:9 / /%0*d rw - cgroup c rw,pids\n", CGROUP_MOUNT_PATH_MAX - 2, 0);
        assert_int_equal(parse(text, "").count, 1);
        (void)snprintf(text, sizeof(text), "1 2 0:9 / /%0*d rw - cgroup c rw,pids\n", CGROUP_MOUNT_PATH_MAX - 1, 0);
        assert_int_equal(parse(text, "").count, 0);
        /* An own path that is too long is none. */
        (void)snprintf(text, sizeof(text), "0::/%0*d\n", CGROUP_SELF_PATH_MAX, 0);
        assert_string_equal(parse(container_v2, text).self, "");
        /* Cut short anywhere: an error or fewer mounts, never more. */
        for (size_t i = 0; i < sizeof(systemd_hybrid); i++) {
                memcpy(text, systemd_hybrid, i);
                text[i] = '\0';
                if (cgroup_mounts_parse(text, "0::/\n", &mounts, &err) == 0)
                        assert_true(mounts.count <= 7);
        }
        assert_true(cgroup_mounts_parse("1 2 nonsense / /c rw - cgroup c rw,pids\n", "", &mounts, &err) < 0);
        assert_true(cgroup_mounts_parse("1 2 0:9 / c rw - cgroup c rw,pids\n", "", &mounts, &err) < 0);
        assert_true(cgroup_mounts_parse("1 2 0:9 / /c rw\n", "", &mounts, &err) < 0);
        assert_true(cgroup_mounts_parse("garbage", "", &mounts, &err) < 0);
}

static void test_paths_of_sessions(void **state)
{
        static const char *const good[] = {
                "/sys/fs/cgroup/memory/agentsh/account-agent01/session-0123456789abcdef",
                "/sys/fs/cgroup/agentsh/account-tasks/session-0123456789abcdef",
                "/sys/fs/cgroup/agentsh.slice/agentsh@3-4-0.service/session-0123456789abcdef",
        };
        static const char *const bad[] = {
                "",
                "/",
                "agentsh/account-a/session-0123456789abcdef",
                "/session-0123456789abcdef",
                "/agentsh/session-0123456789abcdef",
                "/sys/fs/cgroup/memory",
                "/sys/fs/cgroup/memory/agentsh",
                "/sys/fs/cgroup/memory/agentsh/account-a",
                "/sys/fs/cgroup/memory/agentsh/account-a/session-",
                "/sys/fs/cgroup/memory/agentsh/account-a/session-0123456789abcde",
                "/sys/fs/cgroup/memory/agentsh/account-a/session-0123456789abcdef0",
                "/sys/fs/cgroup/memory/agentsh/account-a/session-0123456789ABCDEF",
                "/sys/fs/cgroup/memory/agentsh/account-a/session-0123456789abcdef/",
                "/sys/fs/cgroup/memory/agentsh/account-a/0123456789abcdef",
                "/sys/fs/cgroup/memory/agentsh/account-/session-0123456789abcdef",
                "/sys/fs/cgroup/memory/agentsh/account-A/session-0123456789abcdef",
                "/sys/fs/cgroup/memory/agentsh/account-a/b/session-0123456789abcdef",
                "/sys/fs/cgroup/memory/xagentsh/account-a/session-0123456789abcdef",
                "/sys/fs/cgroup/memory/agentshx/account-a/session-0123456789abcdef",
                "/sys/fs/cgroup/memory/agentsh/../x/account-a/session-0123456789abcdef",
                "/sys/fs/cgroup/memory/process_api/session-0123456789abcdef",
                "/sys/fs/cgroup/ssh.service/session-0123456789abcdef",
                "/sys/fs/cgroup/agentsh.slice/session-0123456789abcdef",
                "/account-a/session-0123456789abcdef",
                "account-a/session-0123456789abcdef",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_true(cgroup_path_is_session(good[i]));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                if (cgroup_path_is_session(bad[i]))
                        fail_msg("accepted: %s", bad[i]);
}

static void test_texts(void **state)
{
        static const char io[] = "8:0 rbps=1 wbps=max riops=max wiops=max\n18:0 rbps=2\n8:01 x\n";
        char value[32];

        (void)state;
        assert_int_equal(cgroup_text_find_key("usage_usec 12\nuser_usec 7\n", "user_usec"), 7);
        assert_int_equal(cgroup_text_find_key("usage_usec 12\nuser_usec 7", "usage_usec"), 12);
        assert_int_equal(cgroup_text_find_key("oom 1\noom_kill 2\noom_group_kill 3\n", "oom_kill"), 2);
        assert_int_equal(cgroup_text_find_key("oom_kill x\n", "oom_kill"), 0);
        assert_int_equal(cgroup_text_find_key("", "oom_kill"), 0);
        assert_int_equal(cgroup_text_find_key("oom_kill", "oom_kill"), 0);
        assert_int_equal(cgroup_text_find_key("max 99999999999999999999999999999999999999\n", "max"), 0);
        cgroup_text_find_device(io, 8, 0, value, sizeof(value));
        assert_string_equal(value, "rbps=1 wbps=max riops=max wiops"); /* cut to size */
        cgroup_text_find_device(io, 18, 0, value, sizeof(value));
        assert_string_equal(value, "rbps=2");
        cgroup_text_find_device(io, 1, 8, value, sizeof(value));
        assert_string_equal(value, "");
        cgroup_text_find_device("8:0", 8, 0, value, sizeof(value));
        assert_string_equal(value, "");
        assert_true(cgroup_list_has("rw,memory,pids\n", "pids"));
        assert_true(cgroup_list_has("cpuset cpu io", "cpu"));
        assert_false(cgroup_list_has("cpuset,cpuacct", "cpu"));
        assert_false(cgroup_list_has("", "cpu"));
        assert_false(cgroup_swaps_listed(""));
        assert_false(cgroup_swaps_listed("Filename\tType\tSize\n"));
        assert_true(cgroup_swaps_listed("Filename\tType\tSize\n/dev/sda2 partition 1 0 -2\n"));
}

static void test_whole_disk(void **state)
{
        char path[] = "/tmp/agentsh-disk-XXXXXX", command[512];
        cleanup_close int sys = -EBADF;
        struct error err = ERROR_INIT;
        unsigned found_major = 0, found_minor = 0;

        (void)state;
        assert_non_null(mkdtemp(path));
        (void)snprintf(
                command, sizeof(command),
                "cd %s && mkdir -p dev/sda/sda1 block && echo 8:0 > dev/sda/dev && echo 8:1 > dev/sda/sda1/dev && "
                "echo 1 > dev/sda/sda1/partition && ln -s ../dev/sda block/8:0 && ln -s ../dev/sda/sda1 block/8:1",
                path);
        assert_int_equal(system(command), 0);
        (void)snprintf(command, sizeof(command), "%s/block", path);
        sys = open(command, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(cgroup_whole_disk(sys, makedev(8, 1), &found_major, &found_minor, &err), 0);
        assert_true(found_major == 8 && found_minor == 0);
        found_major = 0;
        assert_int_equal(cgroup_whole_disk(sys, makedev(8, 0), &found_major, &found_minor, &err), 0);
        assert_true(found_major == 8 && found_minor == 0);
        assert_int_equal(cgroup_whole_disk(sys, makedev(8, 2), &found_major, &found_minor, &err), -ENODEV);
        assert_int_equal(cgroup_whole_disk(sys, 0, &found_major, &found_minor, &err), -ENODEV);
        (void)snprintf(command, sizeof(command), "echo nonsense > %s/dev/sda/dev", path);
        assert_int_equal(system(command), 0);
        assert_true(cgroup_whole_disk(sys, makedev(8, 1), &found_major, &found_minor, &err) < 0);
        (void)snprintf(command, sizeof(command), "rm -r %s", path);
        assert_int_equal(system(command), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_systemd_v2),   cmocka_unit_test(test_systemd_hybrid),
                cmocka_unit_test(test_container_v1), cmocka_unit_test(test_plain_hybrid),
                cmocka_unit_test(test_container_v2), cmocka_unit_test(test_no_cgroups),
                cmocka_unit_test(test_escapes),      cmocka_unit_test(test_choices),
                cmocka_unit_test(test_boundaries),   cmocka_unit_test(test_paths_of_sessions),
                cmocka_unit_test(test_texts),        cmocka_unit_test(test_whole_disk),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
