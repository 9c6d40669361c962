/*
 * test_cgroup_fixture.h - sessions' cgroups for tests: each test process has an account of its own, and whatever a
 * failed test left is ended by the teardown, so that it spoils nothing for the next one.
 */
#ifndef AGENTSH_TESTS_CGROUP_FIXTURE_H
#define AGENTSH_TESTS_CGROUP_FIXTURE_H

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "monitor/cgroup.h"
#include "monitor/cgroup_driver.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define MIB 1048576U

static inline void require(bool can, const char *reason)
{
        if (can)
                return;
        if (getenv("AGENTSH_MUST_RUN") != NULL)
                fail_msg("has to run here: %s", reason);
        print_message("skipped: %s\n", reason);
        skip();
}

/* The limits have to be available on this host, and the test has to be root. */
static inline void require_driver(void)
{
        struct cgroup_check checks[CGROUP_CHECKS_MAX];
        struct error err = ERROR_INIT;
        size_t count = 0;

        require(geteuid() == 0, "cgroups need root");
        assert_int_equal(cgroup_probe(checks, &count, &err), 0);
        for (size_t i = 0; i < count; i++)
                if (strcmp(checks[i].name, "io_read") != 0 && strcmp(checks[i].name, "io_write") != 0)
                        require(checks[i].ok, checks[i].text);
        require(cgroup_prepare(&err) == 0, err.text);
}

static inline void make_policy(struct policy *ret)
{
        memset(ret, 0, sizeof(*ret));
        (void)snprintf(ret->account, sizeof(ret->account), "cgtest-%d", (int)getpid());
        ret->memory = 64 * MIB;
        ret->tasks = 32;
        ret->cpus = 500;
}

static inline void make_session(struct cgroup *ret, const struct policy *policy)
{
        struct error err = ERROR_INIT;
        char id[SESSION_ID_LENGTH + 1];

        assert_int_equal(process_random_id(id, &err), 0);
        if (cgroup_create(ret, policy, id, 0, &err) < 0)
                fail_msg("%s", err.text);
}

static inline bool is_there(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0;
}

/* Removes a session and looks that neither it nor its account's directory is left. */
static inline void end_session(struct cgroup *cgroup, bool last)
{
        char paths[SESSION_CGROUPS_MAX][256];
        struct error err = ERROR_INIT;

        cgroup_list_paths(cgroup, paths);
        if (cgroup_kill(cgroup, &err) < 0 || cgroup_remove(cgroup, 2000, &err) < 0)
                fail_msg("%s", err.text);
        cgroup_done(cgroup);
        for (size_t i = 0; paths[i][0] != '\0'; i++) {
                assert_false(is_there(paths[i]));
                *strrchr(paths[i], '/') = '\0';
                if (last && strstr(paths[i], "/" CGROUP_ACCOUNT_PREFIX) != NULL)
                        assert_false(is_there(paths[i]));
        }
}

/* A child in the session, the way a tier is to do it: born into the v2 tree, then by itself into the rest. */
static inline pid_t clone_into(const struct cgroup *cgroup)
{
        struct clone_args args = { .exit_signal = SIGCHLD };
        struct error err = ERROR_INIT;
        pid_t pid;

        if (cgroup->clone_fd >= 0) {
                args.flags = CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t)cgroup->clone_fd;
        }
        pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
        assert_true(pid >= 0);
        if (pid == 0 && cgroup_enter(cgroup, &err) < 0) {
                (void)fprintf(stderr, "%s\n", err.text);
                _exit(99);
        }
        return pid;
}

static inline int wait_for(pid_t pid)
{
        int status = -1;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static inline void sleep_ms(long ms)
{
        struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

        (void)nanosleep(&pause, NULL);
}

/* Ends every session of this process' account, and takes in the orphans. */
static inline int end_leftovers(void **state)
{
        static const char *const trees[] = { "", "/unified", "/memory", "/pids", "/cpu", "/cpuacct", "/blkio" };
        char command[256];
        int status;

        (void)state;
        if (geteuid() != 0)
                return 0;
        for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
                (void)snprintf(command, sizeof(command),
                               "cd /sys/fs/cgroup%s/agentsh/account-cgtest-%d 2>/dev/null || exit 0; "
                               "for s in session-*; do for p in $(cat $s/cgroup.procs); do kill -9 $p; done; done; "
                               "sleep 0.05; rmdir */ ../account-cgtest-%d",
                               trees[i], (int)getpid(), (int)getpid());
                if (system(command) != 0)
                        print_message("something is left in /sys/fs/cgroup%s\n", trees[i]);
        }
        while (waitpid(-1, &status, WNOHANG) > 0)
                ;
        return 0;
}

static inline int become_reaper(void **state)
{
        (void)state;
        return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

#endif
