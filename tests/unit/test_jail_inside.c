/* test_jail_inside.c - what a jail is, and what a chroot is, seen from inside, whoever started it. Root. */
#include "common/cleanup.h"
#include "tests/lib/jail_facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct jail_lab lab;

/* Each test is run in both tiers: its state is the one to use. */
static enum policy_tier both[] = { TIER_JAIL, TIER_CHROOT };

static void open_lab(void **state)
{
        const enum policy_tier *tier = *state;
        struct error err = ERROR_INIT;

        jail_lab_need_root();
        if (jail_lab_open(&lab, &err) < 0)
                fail_msg("%s", err.text);
        lab.policy.tier = *tier;
}

static void start(void)
{
        struct error err = ERROR_INIT;

        if (jail_lab_start(&lab, &err) < 0)
                fail_msg("%s", err.text);
}

static int close_lab(void **state)
{
        (void)state;
        if (lab.directory[0] != '\0')
                jail_lab_close(&lab);
        memset(&lab, 0, sizeof(lab));
        return 0;
}

static char *run_probe(const char *name, const char *first, const char *second)
{
        char problem[512] = "";
        char *text = jail_facts_probe(&lab, name, first, second, problem, sizeof(problem));

        if (text == NULL)
                fail_msg("%s", problem);
        return text;
}

static void assert_fact(const char *text, const char *key, const char *wanted)
{
        char value[512];

        jail_lab_fact(text, key, value, sizeof(value));
        if (strcmp(value, wanted) != 0)
                fail_msg("%s is \"%s\", not \"%s\"", key, value, wanted);
}

/* Started from a process in the worst of states: each fact is the policy's all the same. */
static void facts_are_the_policys(void **state)
{
        pid_t pid;
        int status;

        open_lab(state);
        lab.policy.open_files = 1000;
        lab.policy.file_size = 12345678;
        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                struct error err = ERROR_INIT;
                char problem[512] = "";

                jail_facts_spoil_caller();
                if (jail_lab_start(&lab, &err) < 0)
                        (void)snprintf(problem, sizeof(problem), "%s", err.text);
                else
                        jail_facts_check(&lab, problem, sizeof(problem));
                if (problem[0] != '\0')
                        (void)fprintf(stderr, "%s\n", problem);
                _exit(jail_lab_stop(&lab, &err) < 0 || problem[0] != '\0');
        }
        assert_true(waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
}

static int listen_at(const char *name, bool abstract)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        size_t length = strlen(name);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memcpy(address.sun_path + (abstract ? 1 : 0), name, length);
        assert_int_equal(
                bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1)),
                0);
        assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static void host_sockets_are_out_of_reach(void **state)
{
        cleanup_close int abstract = -EBADF;
        cleanup_close int path = -EBADF;
        cleanup_free char *text = NULL;
        char name[64];

        open_lab(state);
        start();
        (void)snprintf(name, sizeof(name), "/tmp/agentsh-test-%d", (int)getpid());
        abstract = listen_at("agentsh-test", true);
        path = listen_at(name, false);
        text = run_probe("probe_view", "agentsh-test", name);
        (void)unlink(name);
        assert_fact(text, "connect abstract", "ECONNREFUSED");
        assert_fact(text, "connect path", "ENOENT");
        assert_int_equal(jail_facts_count(text, "unix"), 0);
}

/* In a process of the agent's uid outside: put a key into its user keyring, or find it there. Whether it could. */
static bool use_key_outside(bool add)
{
        pid_t pid;
        int status;

        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                long r;

                if (setresuid(JAIL_LAB_UID, JAIL_LAB_UID, JAIL_LAB_UID) < 0)
                        _exit(1);
                r = add ? syscall(SYS_add_key, "user", "agentsh-test-key", "x", 1UL, KEY_SPEC_USER_KEYRING)
                        : syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "agentsh-test-key", 0);
                _exit(r < 0);
        }
        return waitpid(pid, &status, 0) == pid && status == 0;
}

static void user_keyring_is_out_of_reach(void **state)
{
        static const char *const arguments[] = { "/bin/cat", "/proc/keys", NULL };
        cleanup_free char *text = NULL, *keys = NULL;
        struct error err = ERROR_INIT;
        int status;

        open_lab(state);
        /* A key in the agent's user keyring outside, as another of its logins could have left it. */
        assert_true(use_key_outside(true));
        start();
        text = run_probe("probe_escape", NULL, "agentsh-test-key");
        assert_fact(text, "keyctl user keyring", "EPERM");
        assert_fact(text, "keyctl user session", "EPERM");
        assert_fact(text, "add_key", "EPERM");
        assert_fact(text, "request_key", "EPERM");
        assert_int_equal(jail_lab_capture(&lab, NULL, arguments, &status, &keys, &err), 0);
        assert_string_equal(keys, "");
        assert_true(use_key_outside(false));
}

static size_t start_outside(pid_t *ret, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                ret[i] = fork();
                if (ret[i] < 0)
                        return i;
                if (ret[i] == 0) {
                        if (setresuid(JAIL_LAB_UID, JAIL_LAB_UID, JAIL_LAB_UID) == 0)
                                (void)pause();
                        _exit(1);
                }
        }
        return count;
}

/* Another session's processes do not count against the tasks of this one, though the kernel counts by uid. */
static void processes_of_the_uid_outside_do_no_harm(void **state)
{
        static const char *const arguments[] = {
                "/bin/bash", "-c", "for i in {1..80}; do sleep 60 & done; jobs -p | wc -l; kill $(jobs -p)", NULL
        };
        cleanup_free char *text = NULL;
        struct error err = ERROR_INIT;
        pid_t pids[250];
        size_t started;
        int status, r;

        open_lab(state);
        lab.policy.tasks = 100; /* 264 for one session */
        (void)fflush(NULL);
        started = start_outside(pids, sizeof(pids) / sizeof(pids[0]));
        r = jail_lab_start(&lab, &err);
        if (r >= 0)
                r = jail_lab_capture(&lab, NULL, arguments, &status, &text, &err);
        for (size_t i = 0; i < started; i++) {
                (void)kill(pids[i], SIGKILL);
                (void)waitpid(pids[i], NULL, 0);
        }
        assert_int_equal(started, sizeof(pids) / sizeof(pids[0]));
        if (r < 0)
                fail_msg("%s", err.text);
        assert_string_equal(text, "80\n");
}

static void ends_with_its_monitor(void **state)
{
        int line[2], pidfd, status;
        pid_t pid, init = 0;
        struct timespec pause = { .tv_nsec = 10000000 };

        open_lab(state);
        assert_int_equal(pipe2(line, O_CLOEXEC), 0);
        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                struct error err = ERROR_INIT;

                if (jail_lab_start(&lab, &err) < 0)
                        _exit(1);
                (void)!write(line[1], &lab.isolation.pid, sizeof(pid_t));
                (void)raise(SIGKILL);
        }
        assert_int_equal(read(line[0], &init, sizeof(init)), sizeof(init));
        pidfd = (int)syscall(SYS_pidfd_open, init, 0);
        assert_true(waitpid(pid, &status, 0) == pid);
        /* Its process 1 is nobody's child now but the reaper's; wait until it is gone. */
        for (int i = 0; pidfd >= 0 && i < 200 && syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0; i++)
                (void)nanosleep(&pause, NULL);
        if (pidfd >= 0) {
                char path[64], text[256] = "";
                FILE *file;

                (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)init);
                file = fopen(path, "re");
                if (file != NULL) {
                        (void)!fgets(text, sizeof(text), file);
                        (void)fclose(file);
                }
                /* Where nobody reaps orphans, a zombie is what is left. */
                assert_true(file == NULL || strstr(text, ") Z ") != NULL);
                (void)close(pidfd);
        }
        (void)close(line[0]);
        (void)close(line[1]);
}

/* Eight first logins at once, before anything is cached: all come up, and one prepared /etc is left. */
static void first_logins_share_what_they_prepare(void **state)
{
        pid_t pids[8];
        DIR *dir;
        struct dirent *entry;
        unsigned trees = 0;

        open_lab(state);
        (void)fflush(NULL);
        for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
                pids[i] = fork();
                if (pids[i] == 0) {
                        struct error err = ERROR_INIT;

                        if (jail_lab_start(&lab, &err) < 0 || jail_lab_stop(&lab, &err) < 0) {
                                (void)fprintf(stderr, "%s\n", err.text);
                                _exit(1);
                        }
                        _exit(0);
                }
        }
        for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
                int status;

                assert_true(waitpid(pids[i], &status, 0) == pids[i]);
                assert_int_equal(status, 0);
        }
        dir = opendir(lab.etc);
        assert_non_null(dir);
        while ((entry = readdir(dir)) != NULL)
                trees += entry->d_name[0] != '.';
        (void)closedir(dir);
        assert_int_equal(trees, 1);
}

static uint64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Every login pays for it. The best of many runs, which is what it costs when nothing else runs. */
static void self_test_is_quick(void **state)
{
        struct jail jail = JAIL_INIT;
        uint64_t best = UINT64_MAX, limits = UINT64_MAX;
        struct error err = ERROR_INIT;
        int r = 0;

        open_lab(state);
        if (cgroup_create(&lab.cgroup, &lab.policy, "00000000000000cd", 0, &err) < 0)
                fail_msg("%s", err.text);
        start();
        jail.request = &lab.request;
        jail.places = &lab.places;
        jail.user_namespace = jail_has_user_namespace(&lab.policy);
        jail.isolation = &lab.isolation;
        for (unsigned i = 0; r >= 0 && i < 200; i++) {
                uint64_t begin = now_ns(), middle;

                r = jail_verify(&jail, &err);
                middle = now_ns();
                if (r >= 0)
                        r = cgroup_verify(&lab.cgroup, &err);
                best = middle - begin < best ? middle - begin : best;
                limits = now_ns() - middle < limits ? now_ns() - middle : limits;
        }
        if (r < 0 || jail_lab_stop(&lab, &err) < 0 || cgroup_remove(&lab.cgroup, 2000, &err) < 0)
                fail_msg("%s", err.text);
        cgroup_done(&lab.cgroup);
        print_message("the self-test takes %u us, %u of them for the limits\n", (unsigned)(best / 1000),
                      (unsigned)(limits / 1000));
        assert_true(best < 1000000);
}

#define INSIDE(test)                                              \
        { #test ", jail", test, NULL, close_lab, &both[0] },      \
        {                                                         \
#test ", chroot", test, NULL, close_lab, &both[1] \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                INSIDE(facts_are_the_policys),        INSIDE(host_sockets_are_out_of_reach),
                INSIDE(user_keyring_is_out_of_reach), INSIDE(processes_of_the_uid_outside_do_no_harm),
                INSIDE(ends_with_its_monitor),        INSIDE(first_logins_share_what_they_prepare),
                INSIDE(self_test_is_quick),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
