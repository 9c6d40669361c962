/* live_identity.c - who the probe is: compares what it says of itself with the policy. Pure. */
#include "admin/live_check.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GROUP "identity"

static void equal(const struct live_check *check, const char *key, const char *expected)
{
        live_equal(check->report, GROUP, key, expected, live_facts_one(check->facts, key));
}

static void equal_ids(const struct live_check *check, const char *key, unsigned id)
{
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "%u %u %u %u", id, id, id, id);
        equal(check, key, expected);
}

static void check_ids(const struct live_check *check)
{
        bool fake_root = check->policy->fake_root;
        char number[64];

        equal_ids(check, "Uid", fake_root ? 0 : (unsigned)check->account->uid);
        equal_ids(check, "Gid", fake_root ? 0 : (unsigned)check->account->gid);
        equal(check, "groups", "0");
        if (check->policy->tier == TIER_JAIL && !fake_root) {
                (void)snprintf(number, sizeof(number), "%u %u 1", (unsigned)check->account->uid,
                               (unsigned)check->account->uid);
                equal(check, "uid_map", number);
                (void)snprintf(number, sizeof(number), "%u %u 1", (unsigned)check->account->gid,
                               (unsigned)check->account->gid);
                equal(check, "gid_map", number);
                equal(check, "setgroups", "deny");
        }
        /* A kernel without audit has no such file. */
        (void)snprintf(number, sizeof(number), "%u", fake_root ? 0 : (unsigned)check->account->uid);
        if (access("/proc/self/loginuid", F_OK) == 0)
                equal(check, "loginuid", number);
}

static void check_rights(const struct live_check *check)
{
        /* chown, dac_override, fowner, fsetid, setgid, setuid, over the ids of the account's own range alone. */
        const char *set = check->policy->fake_root ? "00000000000000db" : "0000000000000000";

        equal(check, "CapInh", "0000000000000000");
        equal(check, "CapPrm", set);
        equal(check, "CapEff", set);
        equal(check, "CapBnd", set);
        equal(check, "CapAmb", "0000000000000000");
        equal(check, "NoNewPrivs", "1");
        equal(check, "Seccomp", "2");
        equal(check, "securebits", check->policy->fake_root ? "0xea" : "0xef");
        equal(check, "keyring", "EPERM");
}

static void check_state(const struct live_check *check)
{
        const char *score = live_facts_one(check->facts, "oom_score_adj");

        equal(check, "SigBlk", "0000000000000000");
        equal(check, "SigIgn", "0000000000000000");
        equal(check, "umask", "0022");
        equal(check, "nice", "0");
        /* The strict filter does not let it be asked. */
        if (check->policy->seccomp == SECCOMP_DEFAULT)
                equal(check, "scheduler", "0");
        equal(check, "hostname", check->account->name);
        live_add(check->report, score != NULL && score[0] >= '1' && score[0] <= '9', GROUP, "oom_score_adj",
                 "above 0: killed before the host's own", score);
        equal(check, "oom_lower", "EACCES");
}

static void equal_limit(const struct live_check *check, const char *key, uint64_t limit)
{
        char expected[64];

        if (limit == UINT64_MAX)
                (void)snprintf(expected, sizeof(expected), "-1:-1");
        else
                (void)snprintf(expected, sizeof(expected), "%llu:%llu", (unsigned long long)limit,
                               (unsigned long long)limit);
        equal(check, key, expected);
}

/* What the kernel gives back of what monitor/jail_limits.c sets. */
static void check_limits(const struct live_check *check)
{
        const struct policy *policy = check->policy;
        uint64_t processes = 2 * policy->tasks + 64;

        equal_limit(check, "limit_core", 1);
        equal_limit(check, "limit_nofile", policy->open_files);
        equal_limit(check, "limit_fsize", policy->file_size != 0 ? policy->file_size : UINT64_MAX);
        equal_limit(check, "limit_nproc", policy->tier == TIER_CHROOT ? processes * policy->max_sessions : processes);
        equal_limit(check, "limit_memlock", 8UL * 1024 * 1024);
        equal_limit(check, "limit_msgqueue", 800UL * 1024);
        equal_limit(check, "limit_sigpending", 4096);
        equal_limit(check, "limit_nice", 0);
        equal_limit(check, "limit_rtprio", 0);
}

/* The probe's namespaces are not the host's; in a chroot the user namespace is, and has no other to go to. */
static void check_namespaces(const struct live_check *check)
{
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                bool shared = check->policy->tier == TIER_CHROOT && strcmp(names[i], "user") == 0;
                char key[32], path[64], ours[64] = "";
                const char *theirs;
                ssize_t length;

                (void)snprintf(key, sizeof(key), "ns_%s", names[i]);
                (void)snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
                length = readlink(path, ours, sizeof(ours) - 1);
                ours[length > 0 ? length : 0] = '\0';
                theirs = live_facts_one(check->facts, key);
                live_add(check->report,
                         theirs != NULL && strncmp(theirs, names[i], strlen(names[i])) == 0 &&
                                 (strcmp(theirs, ours) == 0) == shared,
                         "namespaces", names[i], shared ? "the host's, in this tier" : "another than the host's",
                         theirs != NULL && strcmp(theirs, ours) == 0 ? "the host's" : theirs);
        }
        if (check->policy->tier != TIER_CHROOT && !check->policy->nested)
                equal(check, "max_user_namespaces", "0");
}

void live_check_identity(const struct live_check *check)
{
        check_ids(check);
        check_rights(check);
        check_state(check);
        check_limits(check);
        check_namespaces(check);
}
