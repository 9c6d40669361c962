/*
 * test_jail_mutation.c - nothing of a jail is untested: each step, and each protection that is no step of its own, is
 * left out, and somebody objects. Where two stand for each other, each is shown with the other one left out as well.
 * In both tiers, started from a process in the worst of states. Root; a build with FAULTS=1.
 *
 * Prints "noticed: NAME: by whom" for each; test_mutation.py reads that.
 */
#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "tests/lib/jail_facts.h"
#include "tests/mutation/left_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SESSION  "00000000000000ab"
#define DEATH_MS 300 /* a process whose parent-death signal was lost is seen alive after this long */

/* --- set-up: everything as bad as can be --- */

static void open_lab(enum policy_tier tier)
{
        struct error err = ERROR_INIT;

        jail_lab_need_root();
        if (jail_lab_open(&lab, &err) < 0)
                fail_msg("%s", err.text);
        lab.policy.tier = tier;
        lab.policy.open_files = 1000;
        lab.policy.file_size = 12345678;
        if (cgroup_create(&lab.cgroup, &lab.policy, SESSION, 0, &err) < 0)
                fail_msg("%s", err.text);
}

static int close_lab(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        (void)unsetenv("AGENTSH_OMIT");
        if (lab.directory[0] == '\0')
                return 0;
        jail_lab_close(&lab);
        if (cgroup_remove(&lab.cgroup, 2000, &err) < 0)
                (void)fprintf(stderr, "%s\n", err.text);
        cgroup_done(&lab.cgroup);
        memset(&lab, 0, sizeof(lab));
        return 0;
}

static int spoil_program(void **state)
{
        (void)state;
        if (geteuid() != 0)
                return 0;
        jail_facts_spoil_caller();
        (void)umask(022);
        return 0;
}

static void with_all_steps_nothing_is_wrong(void **state)
{
        struct finding finding;

        open_lab(*(const enum policy_tier *)*state);
        finding = login_without("nothing");
        assert_string_equal(finding.text, "");
}

/* --- steps --- */

static bool is_of_tier(const struct jail_step *step)
{
        return step->tiers == JAIL_AND_CHROOT || jail_has_user_namespace(&lab.policy);
}

/* Those that a login of this policy cannot show: a test of their own below does. */
static bool has_own_test(const char *step)
{
        static const char *const steps[] = { "policy",          "subordinate ids", "private mounts", "session keyring",
                                             "bind to monitor", "proof",           "self-test",      "stores" };

        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
                if (strcmp(step, steps[i]) == 0)
                        return true;
        return false;
}

static void each_step_is_missed(void **state)
{
        size_t count;
        const struct jail_step *steps = jail_steps(&count);

        open_lab(*(const enum policy_tier *)*state);
        for (size_t i = 0; i < count; i++)
                if (is_of_tier(&steps[i]) && !has_own_test(steps[i].name))
                        expect_noticed(steps[i].name, steps[i].name, NULL);
}

static void each_step_fails_once(void **state)
{
        size_t count;
        const struct jail_step *steps = jail_steps(&count);

        open_lab(*(const enum policy_tier *)*state);
        for (size_t i = 0; i < count; i++) {
                struct error err = ERROR_INIT;
                char text[128];

                if (!is_of_tier(&steps[i]))
                        continue;
                (void)snprintf(text, sizeof(text), "(step \"%s\"): injected fault", steps[i].name);
                assert_string_equal(tier_jail_step_name(i), steps[i].name);
                assert_int_equal(setenv("AGENTSH_FAULT", steps[i].name, 1), 0);
                assert_true(jail_lab_start(&lab, &err) < 0);
                assert_int_equal(unsetenv("AGENTSH_FAULT"), 0);
                assert_non_null(strstr(err.text, text));
                assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        }
        assert_null(tier_jail_step_name(count));
}

/* A policy that this version cannot follow. Only the step says so: what would be made is another jail than asked for. */
static void policy_is_missed(void **state)
{
        struct finding finding;
        struct error err;

        open_lab(*(const enum policy_tier *)*state);
        lab.policy.network_mode = NETWORK_ALLOW;
        start_without("nothing", &err, &finding);
        assert_non_null(strstr(finding.text, "(step \"policy\")"));
        start_without("policy", &err, &finding);
        assert_string_equal(finding.text, "");
        stop();
        (void)snprintf(finding.text, sizeof(finding.text), "a jail was made that has not what its policy asks for");
        told("policy", &finding);
}

/* Without its step, fake_root's range begins at the host's root. */
static void subordinate_ids_are_missed(void **state)
{
        struct finding finding;
        struct error err;

        (void)state;
        open_lab(TIER_JAIL);
        lab.policy.fake_root = true;
        start_without("nothing", &err, &finding);
        assert_string_equal(finding.text, "");
        stop();
        start_without("subordinate ids", &err, &finding);
        assert_string_not_equal(finding.text, "");
        told("subordinate ids", &finding);
}

/* In a process of its own, whose mounts pass on what is mounted, as systemd has them. Whether a login shows there. */
static bool leaks_mounts(const char *omitted)
{
        pid_t pid;
        int status;

        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                struct finding finding;

                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
                        _exit(2);
                finding = login_without(omitted);
                _exit(finding.text[0] != '\0');
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        return WEXITSTATUS(status) == 1;
}

static void private_mounts_are_missed(void **state)
{
        struct finding finding = { "a host whose mounts are shared gets those of the jail, or the login is refused" };

        open_lab(*(const enum policy_tier *)*state);
        assert_false(leaks_mounts("nothing"));
        assert_true(leaks_mounts("private mounts"));
        told("private mounts", &finding);
}

/* The filter hides keyrings as well: without it, and without the self-test that misses it, the step is all there is. */
static bool finds_callers_key(const char *omitted)
{
        struct finding finding;
        struct error err;
        cleanup_free char *text = NULL;
        char value[64] = "";

        start_without(omitted, &err, &finding);
        assert_string_equal(finding.text, "");
        text = jail_facts_probe(&lab, "probe_escape", "100000", JAIL_FACTS_KEY, finding.text, sizeof(finding.text));
        stop();
        assert_non_null(text);
        jail_lab_fact(text, "request_key", value, sizeof(value));
        return strcmp(value, "ok") == 0;
}

static void session_keyring_is_missed(void **state)
{
        struct finding finding = { "a key of the caller's can be had inside" };

        open_lab(*(const enum policy_tier *)*state);
        assert_false(finds_callers_key("session keyring"));
        assert_false(finds_callers_key("seccomp,self-test"));
        assert_true(finds_callers_key("session keyring,seccomp,self-test"));
        told("session keyring", &finding);
}

static char state_of(pid_t pid)
{
        char path[64], text[512] = "", *end;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        if (fd_read_file_at(AT_FDCWD, path, text, sizeof(text), NULL) < 0)
                return 'X';
        end = strrchr(text, ')');
        return end != NULL ? end[2] : 'X';
}

static bool is_dead(pid_t pid)
{
        char state = state_of(pid);

        return state == 'X' || state == 'Z';
}

/* A monitor in a process of its own, which is killed. Whether its jail lives on. */
static bool survives_its_monitor(const char *omitted)
{
        struct timespec moment = { .tv_nsec = 5000000 };
        int line[2], attach, monitor, status;
        pid_t pid, told_pid[2] = { 0, 0 };
        bool dead = false;

        assert_int_equal(pipe2(line, O_CLOEXEC), 0);
        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                struct finding finding;
                struct error err;

                start_without(omitted, &err, &finding);
                told_pid[0] = lab.isolation.pid;
                told_pid[1] = lab.attach_fd;
                (void)!write(line[1], told_pid, sizeof(told_pid));
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(line[0], told_pid, sizeof(told_pid)), sizeof(told_pid));
        /* Its end of the socket lives on here: process 1 does not end for want of it. */
        monitor = (int)syscall(SYS_pidfd_open, pid, 0);
        attach = (int)syscall(SYS_pidfd_getfd, monitor, told_pid[1], 0);
        assert_true(told_pid[0] > 0 && attach >= 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        for (int i = 0; !dead && i < DEATH_MS / 5; i++) {
                dead = is_dead(told_pid[0]);
                (void)nanosleep(&moment, NULL);
        }
        if (!dead)
                (void)kill(told_pid[0], SIGKILL);
        (void)close(attach);
        (void)close(monitor);
        (void)close(line[0]);
        (void)close(line[1]);
        return !dead;
}

static void bind_to_monitor_is_missed(void **state)
{
        struct finding finding = { "process 1 outlives a monitor that was killed" };

        open_lab(*(const enum policy_tier *)*state);
        assert_false(survives_its_monitor("nothing"));
        assert_true(survives_its_monitor("bind to monitor"));
        told("bind to monitor", &finding);
}

/* Takes all the room of one place of the view, as an agent would. */
static void fill(const char *place)
{
        static const char block[1 << 16] = "";
        char path[64];
        int fd;

        (void)snprintf(path, sizeof(path), "/proc/%d/root%s/fill", (int)lab.isolation.pid, place);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        while (write(fd, block, sizeof(block)) > 0)
                ;
        assert_int_equal(errno, ENOSPC);
        (void)close(fd);
}

static uint32_t named_when_full(const char *omitted, const char *place)
{
        struct finding finding;
        struct error err;
        uint32_t named;

        start_without(omitted, &err, &finding);
        assert_string_equal(finding.text, "");
        assert_int_equal(isolation_full(&lab.isolation), 0);
        fill(place);
        named = isolation_full(&lab.isolation);
        stop();
        assert_int_equal(isolation_full(&lab.isolation), 0);
        return named;
}

/* What is full is named; without the step, nothing is. */
static void stores_are_missed(void **state)
{
        static const char *const places[] = { "/tmp", "/var/tmp", "/dev/shm", "/run" };
        struct finding finding = { "a full memory file system is not named" };

        open_lab(*(const enum policy_tier *)*state);
        lab.policy.tmp = lab.policy.home_size = 1 << 20;
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
                assert_int_equal(named_when_full("nothing", places[i]), LIMIT_MASK(TMP));
        lab.policy.home_mode = HOME_EPHEMERAL;
        assert_int_equal(named_when_full("nothing", JAIL_LAB_HOME), LIMIT_MASK(HOME));
        assert_int_equal(named_when_full("stores", "/tmp"), 0);
        assert_int_equal(named_when_full("stores", JAIL_LAB_HOME), 0);
        told("stores", &finding);
}

/* What the builder gives up is looked at by itself, then by the monitor, then by the probes. */
static void proof_is_missed(void **state)
{
        static const struct {
                const char *name;
                const char *also; /* what would refuse before the self-test */
        } given_up[] = {
                { "capabilities", "" }, { "no new privileges", ",seccomp" }, { "groups", "" }, { "bounding set", "" }
        };
        char omitted[128];

        open_lab(*(const enum policy_tier *)*state);
        for (size_t i = 0; i < sizeof(given_up) / sizeof(given_up[0]); i++) {
                const char *name = given_up[i].name, *also = given_up[i].also;

                expect_noticed("proof", name, BY_PROOF);
                (void)snprintf(omitted, sizeof(omitted), "%s,proof%s", name, also);
                expect_noticed("self-test", omitted, BY_SELF_TEST);
                (void)snprintf(omitted, sizeof(omitted), "%s,proof%s,self-test", name, also);
                expect_seen_inside(name, omitted);
        }
        /* What execve takes away from anybody but root, securebits among it, is seen by the proof alone. */
        expect_noticed("permitted set", "permitted set", BY_PROOF);
        if (lab.policy.tier == TIER_JAIL) {
                expect_noticed("proof", "securebits", BY_PROOF);
                expect_seen_inside("securebits", "securebits,proof");
        }
}

/* --- what is no step of its own --- */

static const struct {
        const char *name, *test;
} switches[] = {
#define SWITCH(name, test) { name, #test },
#include "common/fault_switches.def"
#undef SWITCH
};

static bool begins(const char *name, const char *start)
{
        return strncmp(name, start, strlen(start)) == 0;
}

/*
 * Is there something to mask? Can the caller's limit be another than the jail's? Where raising one takes a capability
 * that this root has not, nobody could have raised it.
 */
static bool is_of_this_machine(const char *name)
{
        static const struct {
                const char *name;
                int kind;
                rlim_t of_jail;
        } limits[] = { { "limit nice", RLIMIT_NICE, 0 },
                       { "limit realtime priority", RLIMIT_RTPRIO, 0 },
                       { "limit locked memory", RLIMIT_MEMLOCK, 8 << 20 },
                       { "limit message queues", RLIMIT_MSGQUEUE, 800 << 10 } };
        struct rlimit limit;

        if (begins(name, "mask of "))
                return access(name + strlen("mask of "), F_OK) == 0;
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
                if (strcmp(limits[i].name, name) == 0)
                        return getrlimit((__rlimit_resource_t)limits[i].kind, &limit) == 0 &&
                               limit.rlim_max != limits[i].of_jail;
        return true;
}

/* One test, and not both tiers: the view is made by the same calls before the tiers part. */
static bool is_shown_here(size_t index, enum policy_tier tier)
{
        const char *name = switches[index].name;
        bool of_view = strstr(name, " of /") != NULL;

        return strcmp(switches[index].test, "test_jail_mutation") == 0 && (tier == TIER_JAIL || !of_view) &&
               strcmp(name, "permitted set") != 0;
}

static void each_switch_is_missed(void **state)
{
        char omitted[128];

        open_lab(*(const enum policy_tier *)*state);
        for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
                const char *name = switches[i].name;

                if (!is_shown_here(i, lab.policy.tier))
                        continue;
                if (!is_of_this_machine(name)) {
                        (void)fprintf(stderr, "not of this machine: %s\n", name);
                        continue;
                }
                /* The probes see it by themselves, with both guards out of the way. */
                (void)snprintf(omitted, sizeof(omitted), "%s,self-test,proof", name);
                expect_seen_inside(name, omitted);
        }
}

/* Each thing that the self-test says it checks, left out alone: refused, with what was expected and what was found. */
static void self_test_catches_each_omission(void **state)
{
        static const struct {
                const char *omitted, *expected, *found;
                bool jail_only;
        } cases[] = {
                { "identity,proof", "Uid should be \"64001\\x0964001\\x0964001\\x0964001\"", "and is \"0\\x09", false },
                { "groups,proof", "Groups should be \"\"", "and is \"27 44 \"", false },
                { "bounding set,proof", "CapBnd should be \"0000000000000000\"", "and is \"0000", false },
                { "no new privileges,proof,seccomp", "NoNewPrivs should be \"1\"", "and is \"0\"", false },
                { "seccomp", "Seccomp should be \"2\"", "and is \"0\"", false },
                { "network", "is in the host's net namespace", "", false },
                { "cgroup namespace", "is in the host's cgroup namespace", "", false },
                { "user namespace,forbid nesting", "is in the host's user namespace", "", true },
                { "enter cgroup", "process 1 is not in the cgroup /", "", false },
                { "nosuid of /usr", "the mount on /usr should be nosuid", "and is \"ro,nodev", false },
                { "nodev of /tmp", "the mount on /tmp should be nodev", "and is \"rw,nosuid", false },
                { "read-only of /", "the root of the view should be read-only", "and is writable", false },
                { "read-only of /usr", "the mount on /usr should be read-only", "and is \"rw,", false },
                { "private of /tmp", "the mount on /tmp should be private", "shared", false },
        };
        bool jail = *(const enum policy_tier *)*state == TIER_JAIL;

        open_lab(*(const enum policy_tier *)*state);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct finding finding;
                struct error err;

                if (cases[i].jail_only && !jail)
                        continue;
                start_without(cases[i].omitted, &err, &finding);
                if (strstr(finding.text, "(step \"self-test\")") == NULL ||
                    strstr(finding.text, cases[i].expected) == NULL || strstr(finding.text, cases[i].found) == NULL)
                        fail_msg("without \"%s\": \"%s\" and not \"%s ... %s\"", cases[i].omitted, finding.text,
                                 cases[i].expected, cases[i].found);
                told("self-test", &finding);
        }
}

/* Each limit changed behind the monitor's back: what counts is what the kernel has when process 1 runs. */
static void self_test_reads_limits_back(void **state)
{
        static const struct {
                const char *name, *value;
        } changes[] = {
                { "memory.limit_in_bytes", "99999744" },
                { "memory.kmem.tcp.limit_in_bytes", "4096" },
                { "memory.max", "99999744" },
                { "memory.swap.max", "8192" },
                { "pids.max", "7" },
                { "pids.max", "max" },
        };
        unsigned changed = 0;

        open_lab(*(const enum policy_tier *)*state);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
                for (size_t dir = 0; dir < lab.cgroup.count; dir++) {
                        int fd = lab.cgroup.dir[dir].fd;
                        struct finding finding;
                        struct error err = ERROR_INIT;
                        char was[64];

                        if (fd_read_file_at(fd, changes[i].name, was, sizeof(was), NULL) < 0)
                                continue;
                        assert_int_equal(fd_write_file_at(fd, changes[i].name, changes[i].value, &err), 0);
                        start_without("nothing", &err, &finding);
                        assert_int_equal(fd_write_file_at(fd, changes[i].name, was, &err), 0);
                        assert_non_null(strstr(finding.text, BY_SELF_TEST));
                        assert_non_null(strstr(finding.text, changes[i].name));
                        assert_non_null(strstr(finding.text, was));
                        assert_non_null(strstr(finding.text, changes[i].value));
                        told("self-test", &finding);
                        changed++;
                }
        assert_true(changed >= 3);
}

#define MUTATION(test)                                            \
        { #test ", jail", test, NULL, close_lab, &both[0] },      \
        {                                                         \
#test ", chroot", test, NULL, close_lab, &both[1] \
        }

int main(void)
{
        static enum policy_tier both[] = { TIER_JAIL, TIER_CHROOT };
        const struct CMUnitTest tests[] = {
                MUTATION(with_all_steps_nothing_is_wrong),
                MUTATION(each_step_fails_once),
                MUTATION(each_step_is_missed),
                MUTATION(policy_is_missed),
                MUTATION(private_mounts_are_missed),
                MUTATION(session_keyring_is_missed),
                MUTATION(bind_to_monitor_is_missed),
                MUTATION(proof_is_missed),
                MUTATION(stores_are_missed),
                MUTATION(each_switch_is_missed),
                MUTATION(self_test_catches_each_omission),
                MUTATION(self_test_reads_limits_back),
                cmocka_unit_test_teardown(subordinate_ids_are_missed, close_lab),
        };

        return cmocka_run_group_tests(tests, spoil_program, NULL);
}
