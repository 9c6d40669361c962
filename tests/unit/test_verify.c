/* test_verify.c - each single thing left out is a difference that the self-test names. */
#include "monitor/verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define STATUS                                                                                          \
        "Name:\tagentsh-init\nUid:\t1004\t1004\t1004\t1004\nGid:\t1005\t1005\t1005\t1005\nGroups:\t \n" \
        "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"             \
        "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"

static const struct verify_expected expected = { .uid = 1004, .gid = 1005, .user_namespace = true };

/* STATUS with `from` replaced by `to`; the caller frees it. */
static char *changed(const char *text, const char *from, const char *to)
{
        const char *at = strstr(text, from);
        char *ret;

        assert_non_null(at);
        assert_true(asprintf(&ret, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
        return ret;
}

static void a_right_status_passes(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(verify_status(STATUS, &expected, &err), 0);
}

static void every_wrong_line_of_status_is_named(void **state)
{
        static const struct {
                const char *key, *from, *to;
        } cases[] = {
                { "Uid", "Uid:\t1004\t1004", "Uid:\t1004\t0" },
                { "Gid", "Gid:\t1005", "Gid:\t0" },
                { "Groups", "Groups:\t ", "Groups:\t27 " },
                { "CapInh", "CapInh:\t0000000000000000", "CapInh:\t0000000000000001" },
                { "CapPrm", "CapPrm:\t0000000000000000", "CapPrm:\t000001ffffffffff" },
                { "CapEff", "CapEff:\t0000000000000000", "CapEff:\t0000000000000080" },
                { "CapBnd", "CapBnd:\t0000000000000000", "CapBnd:\t000001ffffffffff" },
                { "CapAmb", "CapAmb:\t0000000000000000", "CapAmb:\t0000000000000001" },
                { "NoNewPrivs", "NoNewPrivs:\t1", "NoNewPrivs:\t0" },
                { "Seccomp", "Seccomp:\t2", "Seccomp:\t0" },
                { "Seccomp", "Seccomp:\t2\n", "" },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char *text = changed(STATUS, cases[i].from, cases[i].to);
                struct error err = ERROR_INIT;

                assert_true(verify_status(text, &expected, &err) < 0);
                assert_non_null(strstr(err.text, cases[i].key));
                free(text);
        }
}

static void maps_are_exact(void **state)
{
        static const struct verify_range one[2] = { { 1004, 1004, 1 } };
        static const struct verify_range two[2] = { { 0, 1004, 1 }, { 1, 100000, 65536 } };
        struct error err = ERROR_INIT;

        (void)state;
        assert_int_equal(verify_map("      1004       1004          1\n", "uid_map", one, &err), 0);
        assert_int_equal(verify_map("0 1004 1\n1 100000 65536\n", "uid_map", two, &err), 0);
        assert_true(verify_map("0 0 4294967295\n", "uid_map", one, &err) < 0);
        assert_true(verify_map("1004 1004 1\n0 0 1\n", "uid_map", one, &err) < 0);
        assert_true(verify_map("0 1004 1\n", "uid_map", two, &err) < 0);
        assert_true(verify_map("", "uid_map", one, &err) < 0);
}

#define ROOT_LINE "30 1 0:30 / / ro,nosuid,nodev - tmpfs tmpfs rw,size=4096k\n"

static void mounts_must_be_as_designed(void **state)
{
        static const char *const good[] = {
                ROOT_LINE,
                ROOT_LINE "31 30 0:31 / /tmp rw,nosuid,nodev,relatime - tmpfs tmpfs rw\n",
                ROOT_LINE "32 30 0:32 / /dev/pts rw,nosuid,noexec - devpts devpts rw,gid=5\n",
                ROOT_LINE "33 30 0:5 /null /dev/null ro,nosuid,noexec - devtmpfs udev rw\n",
                ROOT_LINE "34 30 8:1 /usr /usr ro,nosuid,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "35 30 8:1 /h /home/a\\040b rw,nosuid,nodev - ext4 /dev/sda1 rw\n",
        };
        static const char *const bad[] = {
                "",
                "30 1 0:30 / / rw,nosuid,nodev - tmpfs tmpfs rw\n",
                ROOT_LINE "31 30 0:31 / /tmp rw,nosuid,relatime - tmpfs tmpfs rw\n",
                ROOT_LINE "31 30 0:31 / /tmp rw,nodev,relatime - tmpfs tmpfs rw\n",
                ROOT_LINE "34 30 8:1 /usr /usr ro,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "34 30 8:1 /usr /usr ro,nosuid,nodev shared:1 - ext4 /dev/sda1 rw\n",
                ROOT_LINE "34 30 8:1 /usr /usr ro,nosuid,nodev master:2 - ext4 /dev/sda1 rw\n",
                ROOT_LINE "34 30 8:1 /usr /usr rw,nosuid,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "35 30 8:1 /h /home/a\\040bc rw,nosuid,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "35 30 8:1 /h /home/a rw,nosuid,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "garbage\n",
                "31 30 0:31 / /tmp rw,nosuid,nodev - tmpfs tmpfs rw\n",
                /* The kernel leaves a vertical tab in a path as it is: no field ends there. */
                "34 30 8:1 /x\v/ nosuid,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "34 30 8:1 /x\v/y /usr rw,nosuid,nodev - ext4 /dev/sda1 rw\n",
                ROOT_LINE "34 30 8:1 /usr /usr ro,nosuid,nodev\n",
                ROOT_LINE "34 30 8:1 /usr /usr ro,nosuid,nodev - \n",
        };
        struct error err = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_int_equal(verify_mounts(good[i], "/home/a b", &err), 0);
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_true(verify_mounts(bad[i], "/home/a b", &err) < 0);
}

/* A long directory of the host's, and an overlay of a hundred layers: neither is cut, neither is refused. */
static void long_mounts_are_understood(void **state)
{
        char text[8192], layers[4000], directory[900];
        struct error err = ERROR_INIT;

        (void)state;
        memset(layers, 'l', sizeof(layers) - 1);
        memset(directory, 'd', sizeof(directory) - 1);
        layers[sizeof(layers) - 1] = directory[sizeof(directory) - 1] = '\0';
        (void)snprintf(text, sizeof(text), ROOT_LINE "34 30 0:9 /%s /usr ro,nosuid,nodev - overlay overlay rw,%s\n",
                       directory, layers);
        assert_int_equal(verify_mounts(text, "/home/a", &err), 0);
        (void)snprintf(text, sizeof(text), ROOT_LINE "34 30 0:9 /%s /usr rw,nosuid,nodev - overlay overlay rw,%s\n",
                       directory, layers);
        assert_true(verify_mounts(text, "/home/a", &err) < 0);
}

static void only_loopback_passes(void **state)
{
        static const char headings[] = "Inter-|   Receive\n face |bytes\n";
        char text[256];
        struct error err = ERROR_INIT;

        (void)state;
        (void)snprintf(text, sizeof(text), "%s    lo:       0       0\n", headings);
        assert_int_equal(verify_interfaces(text, &err), 0);
        (void)snprintf(text, sizeof(text), "%s    lo:       0\n  eth0: 12 1\n", headings);
        assert_true(verify_interfaces(text, &err) < 0);
        assert_non_null(strstr(err.text, "eth0"));
        (void)snprintf(text, sizeof(text), "%s  lo2: 12 1\n", headings);
        assert_true(verify_interfaces(text, &err) < 0);
        assert_true(verify_interfaces(headings, &err) < 0);
        (void)snprintf(text, sizeof(text), "%s    lo", headings);
        assert_true(verify_interfaces(text, &err) < 0);
}

static void a_process_of_the_host_fails(void **state)
{
        static const struct cgroup none = CGROUP_INIT;
        struct verify_expected root = { .cgroup = &none };
        struct error err = ERROR_INIT;

        (void)state;
        assert_true(verify_process(getpid(), &root, &err) < 0);
        assert_non_null(strstr(err.text, "self-test"));
        assert_true(verify_process(-1, &root, &err) < 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_right_status_passes),
                cmocka_unit_test(every_wrong_line_of_status_is_named),
                cmocka_unit_test(maps_are_exact),
                cmocka_unit_test(mounts_must_be_as_designed),
                cmocka_unit_test(long_mounts_are_understood),
                cmocka_unit_test(only_loopback_passes),
                cmocka_unit_test(a_process_of_the_host_fails),
        };

        return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
