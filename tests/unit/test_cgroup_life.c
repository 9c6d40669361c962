/* test_cgroup_life.c - who is in a session's cgroup, and that its end is complete, whatever happens beside it. */
#include "tests/unit/test_cgroup_fixture.h"

static void test_membership(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct error err = ERROR_INIT;
        struct policy policy;
        char text[8192], want[32];
        pid_t pid;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        assert_true(cgroup.count >= 1 && cgroup.count <= CGROUP_CONTROLLERS_MAX);
        pid = clone_into(&cgroup);
        if (pid == 0) {
                (void)pause();
                _exit(0);
        }
        (void)snprintf(want, sizeof(want), "%d", (int)pid);
        for (size_t i = 0; i < cgroup.count; i++) {
                for (unsigned tries = 0; tries < 500; tries++) {
                        assert_int_equal(fd_read_file_at(cgroup.dir[i].fd, "cgroup.procs", text, sizeof(text), &err),
                                         0);
                        if (strcmp(text, want) == 0)
                                break;
                        sleep_ms(1);
                }
                assert_string_equal(text, want);
        }
        assert_int_equal(cgroup_kill(&cgroup, &err), 0);
        assert_true(WIFSIGNALED(wait_for(pid)));
        end_session(&cgroup, true);
}

static void test_attach(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct error err = ERROR_INIT;
        struct policy policy;
        char text[64];
        pid_t pid;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)pause();
                _exit(0);
        }
        if (cgroup_attach(&cgroup, pid, &err) < 0)
                fail_msg("%s", err.text);
        for (size_t i = 0; i < cgroup.count; i++) {
                assert_int_equal(fd_read_file_at(cgroup.dir[i].fd, "cgroup.procs", text, sizeof(text), &err), 0);
                assert_int_equal(atoi(text), pid);
        }
        assert_true(cgroup_attach(&cgroup, 0, &err) < 0);
        assert_true(cgroup_attach(&cgroup, -1, &err) < 0);
        end_session(&cgroup, true);
        assert_true(WIFSIGNALED(wait_for(pid)));
}

/* Everything in it ends, whatever it did to get away. */
static void test_kill(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct cgroup_usage usage;
        struct error err = ERROR_INIT;
        struct policy policy;
        bool is_full = false;
        pid_t pid;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        pid = clone_into(&cgroup);
        if (pid == 0) {
                (void)signal(SIGTERM, SIG_IGN);
                (void)signal(SIGHUP, SIG_IGN);
                for (int i = 0; i < 5; i++) {
                        if (fork() == 0) {
                                (void)setsid();
                                if (fork() == 0)
                                        (void)raise(SIGSTOP);
                                for (;;)
                                        (void)pause();
                        }
                }
                for (;;) { /* keeps forking while it is being killed */
                        pid_t child = fork();

                        if (child == 0)
                                _exit(0);
                        if (child > 0)
                                (void)waitpid(child, NULL, 0);
                }
        }
        for (unsigned tries = 0; tries < 500 && !is_full; tries++) {
                sleep_ms(10);
                assert_int_equal(cgroup_read_usage(&cgroup, &usage, &err), 0);
                is_full = usage.tasks_current >= 11;
        }
        assert_true(is_full);
        end_session(&cgroup, true);
        assert_true(WIFSIGNALED(wait_for(pid)));
}

static void read_text(const char *path, char *ret, size_t size)
{
        struct error err = ERROR_INIT;
        cleanup_close int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(fd_read_file_at(proc, path, ret, size, &err), 0);
}

/* The same without a v2 tree: no cgroup.kill, CPU time from cpuacct, a fork bomb that works against the loop. */
static void test_kill_by_loop(void **state)
{
        static char mountinfo[65536], self[8192];
        struct cgroup_host host;
        struct cgroup cgroup = CGROUP_INIT;
        struct cgroup_usage usage;
        struct error err = ERROR_INIT;
        struct policy policy;
        pid_t pid;

        (void)state;
        require_driver();
        read_text("mountinfo", mountinfo, sizeof(mountinfo));
        read_text("cgroup", self, sizeof(self));
        for (char *at = mountinfo; (at = strstr(at, " cgroup2 ")) != NULL;)
                memcpy(at, " hidden! ", 9);
        require(cgroup_host_parse(mountinfo, self, &host, &err) == 0 && host.driver == &cgroup_driver_v1, "no v1 here");
        make_policy(&policy);
        policy.tasks = 200;
        policy.cpus = 0;
        if (cgroup_create_on(&host, &cgroup, &policy, "0123456789abcdef", 0, &err) < 0)
                fail_msg("%s", err.text);
        assert_true(cgroup.clone_fd < 0);
        pid = clone_into(&cgroup);
        if (pid == 0)
                for (;;)
                        (void)fork();
        sleep_ms(50);
        if (cgroup_kill(&cgroup, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(cgroup_read_usage(&cgroup, &usage, &err), 0);
        for (size_t i = 0; i < cgroup.count; i++) {
                size_t seen = 1;

                assert_int_equal(cgroup_kill_round(cgroup.dir[i].fd, &seen, &err), 0);
                assert_int_equal(seen, 0);
        }
        assert_true(usage.cpu_usec > 0);
        assert_true(WIFSIGNALED(wait_for(pid)));
        end_session(&cgroup, true);
}

/* A session's end also removes the cgroups that something inside made below it. */
static void test_nested(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct policy policy;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        for (size_t i = 0; i < cgroup.count; i++) {
                assert_int_equal(mkdirat(cgroup.dir[i].fd, "a", 0755), 0);
                assert_int_equal(mkdirat(cgroup.dir[i].fd, "a/b", 0755), 0);
                assert_int_equal(mkdirat(cgroup.dir[i].fd, "c", 0755), 0);
        }
        end_session(&cgroup, true);
}

static void test_sweep(void **state)
{
        char paths[SESSION_CGROUPS_MAX][256], bad[SESSION_CGROUPS_MAX][256];
        struct cgroup cgroup = CGROUP_INIT;
        struct error err = ERROR_INIT;
        struct policy policy;
        pid_t pid;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        cgroup_list_paths(&cgroup, paths);
        pid = clone_into(&cgroup);
        if (pid == 0)
                for (;;)
                        (void)pause();
        cgroup_done(&cgroup); /* as if the monitor had been killed */
        memcpy(bad, paths, sizeof(bad));
        (void)snprintf(bad[1], sizeof(bad[1]), "/sys/fs/cgroup");
        assert_true(cgroup_remove_paths(bad, &err) < 0);
        assert_true(is_there(paths[0]));
        if (cgroup_remove_paths(paths, &err) < 0)
                fail_msg("%s", err.text);
        assert_true(WIFSIGNALED(wait_for(pid)));
        for (size_t i = 0; paths[i][0] != '\0'; i++)
                assert_false(is_there(paths[i]));
        assert_int_equal(cgroup_remove_paths(paths, &err), 0); /* all gone: fine */
        memset(paths, 0, sizeof(paths));
        assert_int_equal(cgroup_remove_paths(paths, &err), 0);
        /* The right form, but not on a cgroup file system. */
        (void)snprintf(paths[0], sizeof(paths[0]), "/tmp/agentsh/account-x/session-0123456789abcdef");
        assert_int_equal(system("mkdir -p /tmp/agentsh/account-x/session-0123456789abcdef"), 0);
        assert_true(cgroup_remove_paths(paths, &err) < 0);
        assert_true(is_there(paths[0]));
        assert_int_equal(system("rm -r /tmp/agentsh/account-x && rmdir /tmp/agentsh"), 0);
}

/* Killed before the state file was written: only the id is known, and an account's directory may be empty. */
static void test_sweep_by_id(void **state)
{
        char paths[SESSION_CGROUPS_MAX][256], above[256] = "/nowhere";
        struct cgroup cgroup = CGROUP_INIT;
        struct error err = ERROR_INIT;
        struct policy policy;
        pid_t pid;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        cgroup_list_paths(&cgroup, paths);
        pid = clone_into(&cgroup);
        if (pid == 0)
                for (;;)
                        (void)pause();
        cgroup_done(&cgroup);
        assert_true(cgroup_remove_session("../x", &err) < 0);
        assert_int_equal(cgroup_remove_session("0123456789abcdef", &err), 0);
        assert_true(is_there(paths[0]));
        if (cgroup_remove_session(strrchr(paths[0], '-') + 1, &err) < 0)
                fail_msg("%s", err.text);
        assert_true(WIFSIGNALED(wait_for(pid)));
        for (size_t i = 0; paths[i][0] != '\0'; i++) {
                assert_false(is_there(paths[i]));
                if (strstr(paths[i], "/" CGROUP_ACCOUNT_PREFIX) == NULL)
                        continue;
                (void)snprintf(above, sizeof(above), "%.*s", (int)(strrchr(paths[i], '/') - paths[i]), paths[i]);
                assert_false(is_there(above));
                assert_int_equal(mkdir(above, 0755), 0);
        }
        assert_int_equal(cgroup_remove_session("0123456789abcdef", &err), 0);
        assert_false(is_there(above));
}

static void worker(const struct policy *policy)
{
        for (int i = 0; i < 100; i++) {
                struct cgroup cgroup = CGROUP_INIT;
                struct error err = ERROR_INIT;
                char id[SESSION_ID_LENGTH + 1];

                if (process_random_id(id, &err) < 0 || cgroup_create(&cgroup, policy, id, 0, &err) < 0 ||
                    cgroup_kill(&cgroup, &err) < 0 || cgroup_remove(&cgroup, 1000, &err) < 0) {
                        (void)fprintf(stderr, "%s\n", err.text);
                        _exit(1);
                }
                cgroup_done(&cgroup);
        }
        _exit(0);
}

static void test_concurrent(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct policy policy;
        pid_t pids[8];
        int failed = 0;

        (void)state;
        require_driver();
        make_policy(&policy);
        for (size_t i = 0; i < 8; i++) {
                pids[i] = fork();
                assert_true(pids[i] >= 0);
                if (pids[i] == 0)
                        worker(&policy);
        }
        for (size_t i = 0; i < 8; i++)
                failed += wait_for(pids[i]) != 0;
        assert_int_equal(failed, 0);
        make_session(&cgroup, &policy);
        end_session(&cgroup, true);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_membership, end_leftovers),
                cmocka_unit_test_teardown(test_attach, end_leftovers),
                cmocka_unit_test_teardown(test_kill, end_leftovers),
                cmocka_unit_test_teardown(test_kill_by_loop, end_leftovers),
                cmocka_unit_test_teardown(test_nested, end_leftovers),
                cmocka_unit_test_teardown(test_sweep, end_leftovers),
                cmocka_unit_test_teardown(test_sweep_by_id, end_leftovers),
                cmocka_unit_test_teardown(test_concurrent, end_leftovers),
        };

        return cmocka_run_group_tests(tests, become_reaper, NULL);
}
