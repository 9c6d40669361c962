/* test_jail_inside.c - what a jail is, seen from inside, whoever started it. Root. */
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

static void open_lab(void)
{
        struct error err = ERROR_INIT;

        jail_lab_need_root();
        if (jail_lab_open(&lab, &err) < 0)
                fail_msg("%s", err.text);
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

        (void)state;
        open_lab();
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

        (void)state;
        open_lab();
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

static void user_keyring_is_out_of_reach(void **state)
{
        cleanup_free char *text = NULL;
        pid_t pid;
        int status;

        (void)state;
        open_lab();
        /* A key in the agent's user keyring outside, as another of its logins could have left it. */
        (void)fflush(NULL);
        pid = fork();
        if (pid == 0) {
                if (setresuid(JAIL_LAB_UID, JAIL_LAB_UID, JAIL_LAB_UID) < 0)
                        _exit(1);
                (void)syscall(SYS_add_key, "user", "agentsh-test-key", "x", 1UL, KEY_SPEC_USER_KEYRING);
                _exit(0);
        }
        assert_true(waitpid(pid, &status, 0) == pid && status == 0);
        start();
        text = run_probe("probe_escape", NULL, "agentsh-test-key");
        assert_fact(text, "keyctl user keyring", "EPERM");
        assert_fact(text, "request_key", "EPERM");
}

static void ends_with_its_monitor(void **state)
{
        int line[2], pidfd, status;
        pid_t pid, init = 0;
        struct timespec pause = { .tv_nsec = 10000000 };

        (void)state;
        open_lab();
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

        (void)state;
        open_lab();
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

#define INSIDE(test) cmocka_unit_test_teardown(test, close_lab)

int main(void)
{
        const struct CMUnitTest tests[] = {
                INSIDE(facts_are_the_policys),
                INSIDE(host_sockets_are_out_of_reach),
                INSIDE(user_keyring_is_out_of_reach),
                INSIDE(ends_with_its_monitor),
                INSIDE(first_logins_share_what_they_prepare),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
