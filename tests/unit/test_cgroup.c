/* test_cgroup.c - the limits of a session hold, for one and for an account, and are refused where they cannot. */
#include "tests/unit/test_cgroup_fixture.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>

/* Forks until it is refused; everything it made sleeps. The number of children is its exit status. */
static void fork_all(void)
{
        int made = 0;

        for (;;) {
                pid_t pid = fork();

                if (pid == 0) {
                        (void)setsid();
                        (void)pause();
                        _exit(0);
                }
                if (pid < 0 || made == 100)
                        _exit(made);
                made++;
        }
}

static void test_tasks(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct cgroup_usage usage;
        struct error err = ERROR_INIT;
        struct policy policy;
        pid_t pid;
        int status;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        pid = clone_into(&cgroup);
        if (pid == 0)
                fork_all();
        status = wait_for(pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), policy.tasks - 1);
        assert_int_equal(cgroup_read_usage(&cgroup, &usage, &err), 0);
        assert_int_equal(usage.tasks_current, policy.tasks - 1);
        assert_true(usage.tasks_peak == 0 || usage.tasks_peak == policy.tasks);
        assert_int_equal(usage.tasks_refused, 1);
        assert_int_equal(usage.oom_kills, 0);
        end_session(&cgroup, true);
}

/* Takes `size` bytes and keeps them. */
static void hog(size_t size)
{
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                _exit(98);
        for (size_t i = 0; i < size; i += 4096)
                ((volatile char *)memory)[i] = 1;
        _exit(0);
}

/* The kernel ends the hog; its neighbour in the same session lives. */
static void test_memory(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct cgroup_usage usage;
        struct error err = ERROR_INIT;
        struct policy policy;
        pid_t survivor, victim;
        int status;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        survivor = clone_into(&cgroup);
        if (survivor == 0) {
                (void)pause();
                _exit(0);
        }
        victim = clone_into(&cgroup);
        if (victim == 0)
                hog(2 * policy.memory);
        status = wait_for(victim);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(kill(survivor, 0), 0);
        assert_int_equal(waitpid(survivor, &status, WNOHANG), 0);
        assert_int_equal(cgroup_read_usage(&cgroup, &usage, &err), 0);
        assert_int_equal(usage.oom_kills, 1);
        assert_true(usage.memory_peak <= policy.memory);
        assert_true(usage.memory_peak == 0 || usage.memory_peak > policy.memory / 2);
        end_session(&cgroup, true);
        assert_true(WIFSIGNALED(wait_for(survivor)));
}

static void spin(void)
{
        uint64_t end = process_monotonic_ms() + 1000;

        while (process_monotonic_ms() < end)
                ;
        _exit(0);
}

static void test_cpus(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct cgroup_usage usage;
        struct error err = ERROR_INIT;
        struct policy policy;
        pid_t pids[2];

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&cgroup, &policy);
        for (size_t i = 0; i < 2; i++) {
                pids[i] = clone_into(&cgroup);
                if (pids[i] == 0)
                        spin();
        }
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(wait_for(pids[i]), 0);
        assert_int_equal(cgroup_read_usage(&cgroup, &usage, &err), 0);
        print_message("cpu %llu us of %llu, throttled %llu periods, %llu us\n", (unsigned long long)usage.cpu_usec,
                      (unsigned long long)policy.cpus * 1000, (unsigned long long)usage.cpu_throttled,
                      (unsigned long long)usage.cpu_throttled_usec);
        assert_in_range(usage.cpu_usec, 100000, 600000);
        assert_true(usage.cpu_throttled > 0 && usage.cpu_throttled_usec > 0);
        end_session(&cgroup, true);
}

/* What the account's directory holds is what two sessions have together. */
static void test_account_limit(void **state)
{
        struct cgroup first = CGROUP_INIT, second = CGROUP_INIT;
        struct policy policy;
        int statuses = 0;

        (void)state;
        require_driver();
        make_policy(&policy);
        make_session(&first, &policy);
        if (strstr(first.dir[0].path, "/" CGROUP_ACCOUNT_PREFIX) == NULL) {
                end_session(&first, true);
                require(false, "this driver has no limits for an account");
        }
        make_session(&second, &policy);
        for (size_t i = 0; i < 2; i++) {
                pid_t pid = clone_into(i == 0 ? &first : &second);

                if (pid == 0)
                        fork_all();
                statuses += WEXITSTATUS(wait_for(pid));
        }
        /* The first one's parent is gone by then, and leaves room for one. */
        assert_int_equal(statuses, policy.tasks - 1);
        end_session(&first, false);
        end_session(&second, true);
}

static uint64_t read_in(const struct cgroup *cgroup, const char *above, const char *name)
{
        struct error err = ERROR_INIT;
        uint64_t value = 0;

        for (size_t i = 0; i < cgroup->count; i++) {
                cleanup_close int fd = openat(cgroup->dir[i].fd, above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (!cgroup_file_exists(fd, name))
                        continue;
                assert_int_equal(cgroup_file_read_number(fd, name, &value, &err), 0);
                return value;
        }
        fail_msg("no %s", name);
        return 0;
}

/* A policy may change, up or down, while sessions live. */
static void test_policy_changes(void **state)
{
        static const uint64_t steps[] = { 4, 1, 8, 2 };
        struct cgroup sessions[4];
        struct policy policy;

        (void)state;
        require_driver();
        for (size_t i = 0; i < 4; i++) {
                make_policy(&policy);
                policy.memory = steps[i] * 16 * MIB + 4095;
                policy.swap = steps[i] * MIB;
                policy.tasks = steps[i] * 10;
                policy.cpus = i == 2 ? 0 : steps[i] * 250;
                sessions[i] = (struct cgroup)CGROUP_INIT;
                make_session(&sessions[i], &policy);
                assert_int_equal(read_in(&sessions[i], ".", "pids.max"), policy.tasks);
                if (strstr(sessions[i].dir[0].path, "/" CGROUP_ACCOUNT_PREFIX) != NULL)
                        assert_int_equal(read_in(&sessions[i], "..", "pids.max"), policy.tasks);
                if (strcmp(sessions[i].driver->name, "v1") == 0) {
                        assert_int_equal(read_in(&sessions[i], "..", "memory.limit_in_bytes"), steps[i] * 16 * MIB);
                        assert_int_equal(read_in(&sessions[i], ".", "memory.limit_in_bytes"), steps[i] * 16 * MIB);
                }
        }
        for (size_t i = 0; i < 4; i++)
                end_session(&sessions[i], i == 3);
}

static void test_refused(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct error err = ERROR_INIT;
        struct policy policy;

        (void)state;
        require_driver();
        make_policy(&policy);
        assert_true(cgroup_create(&cgroup, &policy, "../../../escape0", 0, &err) < 0);
        assert_true(cgroup_create(&cgroup, &policy, "", 0, &err) < 0);
        policy.memory = 0;
        assert_true(cgroup_create(&cgroup, &policy, "0123456789abcdef", 0, &err) < 0);
        make_policy(&policy);
        policy.cpus = 1;
        assert_int_equal(cgroup_create(&cgroup, &policy, "0123456789abcdef", 0, &err), -ERANGE);
        make_policy(&policy);
        policy.io_read = 1000000;
        assert_int_equal(cgroup_create(&cgroup, &policy, "0123456789abcdef", 0, &err), -ENODEV);
        assert_int_equal(cgroup_create(&cgroup, &policy, "0123456789abcdef", makedev(0, 42), &err), -ENODEV);
        (void)snprintf(policy.account, sizeof(policy.account), "../x");
        assert_true(cgroup_create(&cgroup, &policy, "0123456789abcdef", 0, &err) < 0);
        assert_int_equal(cgroup.count, 0);
        assert_true(cgroup_read_usage(&cgroup, &(struct cgroup_usage){ 0 }, &err) < 0);
        assert_true(cgroup_enter(&cgroup, &err) < 0);
        /* An id is used once; the second try leaves the first one's directories alone. */
        make_policy(&policy);
        assert_int_equal(cgroup_create(&cgroup, &policy, "0123456789abcdef", 0, &err), 0);
        {
                struct cgroup again = CGROUP_INIT;

                assert_int_equal(cgroup_create(&again, &policy, "0123456789abcdef", 0, &err), -EEXIST);
                assert_true(is_there(cgroup.dir[0].path));
        }
        end_session(&cgroup, true);
}

static void test_io(void **state)
{
        struct cgroup cgroup = CGROUP_INIT;
        struct error err = ERROR_INIT;
        struct policy policy;
        struct stat st;
        int r;

        (void)state;
        require_driver();
        assert_int_equal(stat("/", &st), 0);
        require(major(st.st_dev) != 0, "/ is not on a disk");
        make_policy(&policy);
        policy.io_read = 8 * MIB;
        r = cgroup_create(&cgroup, &policy, "0123456789abcdef", st.st_dev, &err);
        require(r == 0, err.text);
        end_session(&cgroup, true);
        policy.io_write = 8 * MIB;
        r = cgroup_create(&cgroup, &policy, "0123456789abcdef", st.st_dev, &err);
        if (r == 0) {
                end_session(&cgroup, true);
                return;
        }
        assert_int_equal(r, -EOPNOTSUPP);
        assert_non_null(strstr(err.text, "io_write"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_tasks, end_leftovers),
                cmocka_unit_test_teardown(test_memory, end_leftovers),
                cmocka_unit_test_teardown(test_cpus, end_leftovers),
                cmocka_unit_test_teardown(test_account_limit, end_leftovers),
                cmocka_unit_test_teardown(test_policy_changes, end_leftovers),
                cmocka_unit_test_teardown(test_refused, end_leftovers),
                cmocka_unit_test_teardown(test_io, end_leftovers),
        };

        return cmocka_run_group_tests(tests, become_reaper, NULL);
}
