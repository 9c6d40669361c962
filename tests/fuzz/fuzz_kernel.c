/*
 * fuzz_kernel.c - what the monitor reads of the kernel: mountinfo, cgroup files, the files of /proc/PID that the
 * self-test compares, and /etc/subuid, which has lines too. The kernel is trusted; names in these texts (mount points,
 * a process's name) are not.
 */
#include "common/process.h"
#include "monitor/cgroup_driver.h"
#include "monitor/jail_subid.h"
#include "monitor/verify.h"
#include "tests/fuzz/mutate.h"

#include <errno.h>

static const char *const words[] = {
        "36 35 0:31 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec - cgroup cgroup rw,memory\n",
        "37 35 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
        "38 35 0:33 / /sys/fs/cgroup/pids ro shared:9 master:4 - cgroup cgroup ro,pids\n",
        "39 35 0:34 /a/b /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        "40 35 0:35 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,none,name=systemd\n",
        "25 1 8:1 / / ro,nosuid - ext4 /dev/sda1 ro\n",
        "26 25 0:5 / /a\\040b rw,nosuid,nodev - tmpfs tmpfs rw\n",
        "27 25 0:6 / /dev/pts rw,nosuid - devpts devpts rw\n",
        "28 25 8:2 /agent01 /home/agent01 rw,nosuid,nodev - ext4 /dev/sda2 rw\n",
        "29 25 0:7 / /tmp rw,nosuid,nodev shared:7 - tmpfs tmpfs rw\n",
        " shared:3",
        " master:5",
        "0::/\n",
        "0::/a/b/c\n",
        "0::/system.slice/agentsh@3.service/monitor\n",
        "4:memory:/a\n",
        "0::/..\n",
        "oom_kill 3\n",
        "nr_throttled 12\n",
        "max 4\n",
        "usage_usec 18446744073709551615\n",
        "8:0 rbps=1 wbps=max\n",
        "8:0 Read 5\n",
        "Uid:\t23000\t23000\t23000\t23000\n",
        "Gid:\t23000\t23000\t23000\t23000\n",
        "Groups:\t\n",
        "CapInh:\t0000000000000000\nCapPrm:\t00000000000000db\nCapEff:\t00000000000000db\n",
        "CapBnd:\t00000000000000db\nCapAmb:\t0000000000000000\n",
        "NoNewPrivs:\t1\n",
        "Seccomp:\t2\n",
        "     23000      23000          1\n",
        "         1     100000      65535\n",
        "Inter-|   Receive\n face |bytes\n",
        "    lo:  0 0\n",
        "  eth0:  0 0\n",
        "agent01:100000:65536\n",
        "23000:200000:65535\n",
        "other:165534:65536\n",
        "# none\n",
        "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 4711 21\n",
        "/sys/fs/cgroup/memory/agentsh/account-agent01/session-0123456789abcdef",
        "/sys/fs/cgroup/system.slice/agentsh@1.service/session-0123456789abcdef",
        " - ",
        " ",
        "/",
        "..",
        "\\040",
        "\\134",
        ":",
        ",",
        "\t",
        "\n",
        "4294967295",
        "18446744073709551616",
        "-1",
        "max",
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        return mutate_text(data, size, max, seed, words, MUTATE_COUNT(words));
}

static void require_mounts(const struct cgroup_mounts *mounts)
{
        const struct cgroup_mount *v2 = cgroup_mounts_find_v2(mounts);
        char own[CGROUP_SELF_PATH_MAX];

        require(mounts->count <= CGROUP_MOUNTS_MAX);
        for (size_t i = 0; i < mounts->count; i++) {
                const struct cgroup_mount *mount = &mounts->mount[i];

                require(mount->path[0] == '/' && strlen(mount->path) < sizeof(mount->path));
                require(strlen(mount->root) < sizeof(mount->root));
                require(strlen(mount->controllers) < sizeof(mount->controllers));
                require(!mount->v2 || mount->controllers[0] == '\0');
        }
        (void)cgroup_mounts_find_v1(mounts, "memory");
        if (v2 != NULL && cgroup_mounts_own(mounts, v2, own, NULL) == 0)
                require(strlen(own) < sizeof(own) && strstr(own, "/../") == NULL);
}

/* Mounts and the own cgroup are two texts: the input is cut at its first blank line. */
static void try_mounts(const char *text)
{
        static struct cgroup_mounts mounts;
        struct error err = ERROR_INIT;
        const char *cut = strstr(text, "\n\n");
        size_t first = cut != NULL ? (size_t)(cut - text) + 1 : strlen(text);
        char *mountinfo = mutate_string((const uint8_t *)text, first);
        int r = cgroup_mounts_parse(mountinfo, cut != NULL ? cut + 2 : "0::/\n", &mounts, &err);

        require(r <= 0 && (r == 0 || err.number == -r));
        if (r == 0)
                require_mounts(&mounts);
        free(mountinfo);
}

static void try_cgroup_files(const char *text)
{
        static const char *const keys[] = { "oom_kill", "nr_throttled", "max", "usage_usec" };
        char value[64];

        for (size_t i = 0; i < MUTATE_COUNT(keys); i++)
                (void)cgroup_text_find_key(text, keys[i]);
        cgroup_text_find_device(text, 8, 0, value, sizeof(value));
        require(strlen(value) < sizeof(value) && strchr(value, '\n') == NULL);
        require(!cgroup_list_has(text, "memory") || strstr(text, "memory") != NULL);
        if (cgroup_path_is_session(text)) {
                require(text[0] == '/' && strstr(text, "/../") == NULL && strstr(text, "//") == NULL);
                require(strstr(text, "/session-") != NULL && strstr(text, "agentsh") != NULL);
        }
}

static void try_self_test(const char *text)
{
        static const struct verify_range none[2] = { { 0 }, { 0 } };
        static const struct verify_range two[2] = { { 23000, 23000, 1 }, { 1, 100000, 65535 } };
        const struct verify_expected expected = { .uid = 23000, .gid = 23000, .capabilities = 0xdb };
        struct error err = ERROR_INIT;

        if (verify_status(text, &expected, &err) == 0)
                require(strstr(text, "NoNewPrivs:\t1") != NULL && strstr(text, "Seccomp:") != NULL);
        (void)verify_map(text, "uid_map", none, &err);
        if (verify_map(text, "uid_map", two, &err) == 0)
                require(strstr(text, "100000") != NULL);
        if (verify_mounts(text, "/home/agent01", &err) == 0)
                require(strstr(text, " / ") != NULL && strstr(text, "nosuid") != NULL);
        if (verify_interfaces(text, &err) == 0)
                require(strstr(text, "lo:") != NULL);
}

static void try_subid(const char *text, size_t size)
{
        struct error err = ERROR_INIT;
        struct subid_range range;
        int r = subid_find_in_text(text, size, "subuid", "agent01", 23000, &range, &err);

        require(r <= 0 && (r == 0 || err.number == -r));
        if (r == 0)
                require(range.first >= SUBID_FIRST && range.count >= SUBID_COUNT &&
                        (uint64_t)range.first + range.count <= UINT32_MAX);
}

static void try_start_time(const char *text)
{
        struct error err = ERROR_INIT;
        uint64_t ticks;
        int r = process_parse_start_time(text, &ticks, &err);

        require(r <= 0 && (r == 0 || err.number == -r));
        if (r == 0)
                require(strrchr(text, ')') != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = mutate_string(data, size);

        try_mounts(text);
        try_cgroup_files(text);
        try_self_test(text);
        try_subid(text, strlen(text));
        try_start_time(text);
        free(text);
        return 0;
}
