/*
 * test_jail_failures.c - a jail that cannot be made as it should be is not made: refusals. Root. Failures and omissions
 * of each step: tests/mutation.
 */
#include "common/cleanup.h"
#include "common/fd.h"
#include "tests/lib/jail_facts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct jail_lab lab;

static void open_lab(void)
{
        struct error err = ERROR_INIT;

        jail_lab_need_root();
        if (jail_lab_open(&lab, &err) < 0)
                fail_msg("%s", err.text);
        lab.policy.open_files = 1000;
        lab.policy.file_size = 12345678;
}

static int close_lab(void **state)
{
        (void)state;
        if (lab.directory[0] != '\0')
                jail_lab_close(&lab);
        memset(&lab, 0, sizeof(lab));
        return 0;
}

static unsigned count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        unsigned count = 0;

        while (dir != NULL && readdir(dir) != NULL)
                count++;
        if (dir != NULL)
                (void)closedir(dir);
        return count;
}

static char *read_mounts(void)
{
        cleanup_close int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        char *text = NULL;
        size_t size;

        assert_int_equal(fd_read_all(fd, 1U << 20, &text, &size, NULL), 0);
        return text;
}

/* Start must fail, say `text`, and leave nothing behind. */
static void assert_refused(const char *text)
{
        struct error err = ERROR_INIT;
        cleanup_free char *before = read_mounts(), *after = NULL;
        unsigned fds = count_fds();

        if (jail_lab_start(&lab, &err) >= 0)
                fail_msg("the jail was made, without \"%s\"", text);
        if (strstr(err.text, text) == NULL)
                fail_msg("\"%s\" does not say \"%s\"", err.text, text);
        assert_true(err.number > 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        assert_int_equal(count_fds(), fds);
        assert_int_equal(lab.isolation.pidfd, -EBADF);
        after = read_mounts();
        assert_string_equal(before, after);
}

static void settings_of_other_versions(void **state)
{
        (void)state;
        open_lab();
        lab.policy.root_mode = ROOT_OVERLAY;
        assert_refused("overlay");
        lab.policy.root_mode = ROOT_READONLY;
        lab.policy.home_mode = HOME_REVIEW;
        assert_refused("review");
        lab.policy.home_mode = HOME_PERSISTENT;
        lab.policy.network_mode = NETWORK_ALLOW;
        assert_refused("allow");
        lab.policy.network_mode = NETWORK_NONE;
        (void)snprintf(lab.policy.root_source, sizeof(lab.policy.root_source), "dir:/");
        assert_refused("dir:/");
}

static void root_as_agent(void **state)
{
        (void)state;
        open_lab();
        lab.request.uid = 0;
        assert_refused("root");
        lab.request.uid = JAIL_LAB_UID;
        lab.request.gid = 0;
        assert_refused("root");
}

static void homes_in_the_wrong_place(void **state)
{
        static const char *const homes[] = {
                "/",        "/usr",     "/usr/home",  "/etc",  "/proc",      "/proc/1",  "/dev/shm", "/tmp/x",
                "/run/x",   "/var",     "/var/tmp/x", "/home", "/bin",       "/lib64/x", "relative", "/home/../etc",
                "/home//x", "/home/x/", "/home/./x",  "",      "/home/a\nb", "/sys/x",
        };

        (void)state;
        open_lab();
        for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
                lab.request.home = homes[i];
                assert_refused("open home");
        }
        lab.request.home = "/home/a:b";
        assert_refused("passwd");
        lab.request.home = JAIL_LAB_HOME;
        (void)snprintf(lab.policy.shell, sizeof(lab.policy.shell), "/bin/sh\nroot2:x:0:0::/:/bin/sh");
        assert_refused("passwd");
}

static void data_homes_that_are_not_the_agents(void **state)
{
        char home[256], aside[256];

        (void)state;
        open_lab();
        (void)snprintf(home, sizeof(home), "%s/" JAIL_LAB_ACCOUNT, lab.homes);
        (void)snprintf(aside, sizeof(aside), "%s/aside", lab.homes);
        assert_int_equal(chown(home, 1, 1), 0);
        assert_refused("belongs to uid 1");
        assert_int_equal(chown(home, 0, 0), 0);
        assert_refused("belongs to uid 0");
        assert_int_equal(chown(home, JAIL_LAB_UID, JAIL_LAB_UID), 0);
        assert_int_equal(rename(home, aside), 0);
        assert_refused("agentshctl account add");
        assert_int_equal(symlink(aside, home), 0);
        assert_refused("open home");
        assert_int_equal(unlink(home), 0);
        assert_int_equal(mknod(home, S_IFREG | 0600, 0), 0);
        assert_int_equal(chown(home, JAIL_LAB_UID, JAIL_LAB_UID), 0);
        assert_refused("open home");
        assert_int_equal(unlink(home), 0);
        assert_int_equal(rename(aside, home), 0);
        assert_int_equal(chmod(lab.homes, 0777), 0);
        assert_refused("writable by group or others");
        assert_int_equal(chmod(lab.homes, 0700), 0);
        assert_int_equal(chown(lab.homes, JAIL_LAB_UID, 0), 0);
        assert_refused("not to root");
}

static void inits_that_are_not_roots(void **state)
{
        char path[128];
        cleanup_close int fd = -EBADF;

        (void)state;
        open_lab();
        (void)snprintf(path, sizeof(path), "%s/init", lab.directory);
        lab.places.init = path;
        assert_refused("open init");
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
        assert_true(fd >= 0);
        /* Not a program: the last step fails. */
        assert_int_equal(write(fd, "rubbish\n", 8), 8);
        cleanup_close_fd(&fd);
        assert_refused("execute init");
        assert_int_equal(chmod(path, 0775), 0);
        assert_refused("writable by group or others");
        assert_int_equal(chmod(path, 0755), 0);
        assert_int_equal(chown(path, 1, 1), 0);
        assert_refused("belongs to uid 1");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink(lab.init, path), 0);
        assert_refused("open init");
}

static void caches_that_others_can_write(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        open_lab();
        if (jail_lab_start(&lab, &err) < 0 || jail_lab_stop(&lab, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(chmod(lab.etc, 0777), 0);
        assert_refused("prepare etc");
        assert_int_equal(chmod(lab.etc, 0700), 0);
        assert_int_equal(chown(lab.filters, JAIL_LAB_UID, 0), 0);
        assert_refused("load filter");
}

static void fake_root_without_ids(void **state)
{
        cleanup_close int fd = -EBADF;

        (void)state;
        open_lab();
        lab.policy.fake_root = true;
        assert_int_equal(truncate(lab.subgid, 0), 0);
        assert_refused("--add-subgids");
        fd = open(lab.subgid, O_WRONLY | O_CLOEXEC);
        assert_int_equal(write(fd, JAIL_LAB_ACCOUNT ":100000:65535\nother:120000:1\n", 39), 39);
        assert_refused("overlaps");
        assert_int_equal(unlink(lab.subuid), 0);
        assert_refused("subuid");
}

static void chroots_that_need_a_user_namespace(void **state)
{
        (void)state;
        open_lab();
        lab.policy.tier = TIER_CHROOT;
        lab.policy.nested = true;
        assert_refused("nested needs a user namespace");
        lab.policy.nested = false;
        lab.policy.fake_root = true;
        assert_refused("fake_root needs a user namespace");
        lab.policy.fake_root = false;
        lab.policy.tier = TIER_VM;
        assert_refused("vm");
        /* Whatever the policy says, the filter of a chroot lets no namespace be made. */
        lab.policy.tier = TIER_CHROOT;
        lab.policy.nested = true;
        assert_int_equal(jail_filter_flags(&lab.policy), 0);
}

static void tiers(void **state)
{
        struct policy policy = { .tier = TIER_JAIL };
        struct error err = ERROR_INIT;

        (void)state;
        assert_ptr_equal(tier_find(&policy, &err), &tier_jail);
        policy.tier = TIER_CHROOT;
        assert_ptr_equal(tier_find(&policy, &err), &tier_chroot);
        policy.risk = RISK_HIGH;
        assert_ptr_equal(tier_find(&policy, &err), &tier_vm);
        policy.risk = RISK_NORMAL;
        for (enum policy_tier tier = TIER_CHROOT; tier <= TIER_CLOUD; tier++) {
                policy.tier = tier;
                if (tier == TIER_JAIL || tier == TIER_CHROOT || tier == TIER_VM)
                        continue;
                assert_null(tier_find(&policy, &err));
                assert_non_null(strstr(err.text, policy_tier_name(tier)));
        }
}

static void probe_says_what_is_missing(void **state)
{
        struct error err = ERROR_INIT;

        (void)state;
        open_lab();
        if (tier_jail.probe(&lab.policy, JAIL_LAB_UID, &err) < 0)
                fail_msg("%s", err.text);
        lab.policy.fake_root = true;
        assert_true(tier_jail.probe(&lab.policy, JAIL_LAB_UID, &err) < 0);
        lab.policy.fake_root = false;
        lab.policy.network_mode = NETWORK_ALLOW;
        assert_true(tier_jail.probe(&lab.policy, JAIL_LAB_UID, &err) < 0);
}

/* As on a host with user.max_user_namespaces = 0: a user namespace with that limit. */
static int probe_without_user_namespaces(void)
{
        struct error err = ERROR_INIT;

        if (unshare(CLONE_NEWUSER) < 0 ||
            fd_write_file_at(AT_FDCWD, "/proc/sys/user/max_user_namespaces", "0", &err) < 0) {
                (void)fprintf(stderr, "cannot set the test up: %s\n", err.text);
                return 1;
        }
        if (tier_jail.probe(&lab.policy, JAIL_LAB_UID, &err) >= 0 ||
            strstr(err.text, "user.max_user_namespaces") == NULL || strstr(err.text, "set tier = chroot") == NULL) {
                (void)fprintf(stderr, "the tier jail: \"%s\"\n", err.text);
                return 1;
        }
        lab.policy.tier = TIER_CHROOT;
        if (tier_chroot.probe(&lab.policy, JAIL_LAB_UID, &err) < 0) {
                (void)fprintf(stderr, "the tier chroot: %s\n", err.text);
                return 1;
        }
        return 0;
}

static void jail_without_user_namespaces(void **state)
{
        pid_t pid;
        int status;

        (void)state;
        open_lab();
        (void)fflush(NULL);
        pid = fork();
        if (pid == 0)
                _exit(probe_without_user_namespaces());
        assert_true(waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
}

static void stop_is_idempotent(void **state)
{
        struct error err = ERROR_INIT;
        unsigned fds;

        (void)state;
        open_lab();
        fds = count_fds();
        if (jail_lab_start(&lab, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(jail_lab_stop(&lab, &err), 0);
        assert_int_equal(jail_lab_stop(&lab, &err), 0);
        assert_int_equal(count_fds(), fds);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        /* Already dead. */
        if (jail_lab_start(&lab, &err) < 0)
                fail_msg("%s", err.text);
        assert_int_equal(kill(lab.isolation.pid, SIGKILL), 0);
        assert_int_equal(jail_lab_stop(&lab, &err), 0);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

#define FAILURE(test) cmocka_unit_test_teardown(test, close_lab)

int main(void)
{
        const struct CMUnitTest tests[] = {
                FAILURE(settings_of_other_versions),
                FAILURE(root_as_agent),
                FAILURE(homes_in_the_wrong_place),
                FAILURE(data_homes_that_are_not_the_agents),
                FAILURE(inits_that_are_not_roots),
                FAILURE(caches_that_others_can_write),
                FAILURE(fake_root_without_ids),
                FAILURE(chroots_that_need_a_user_namespace),
                FAILURE(tiers),
                FAILURE(probe_says_what_is_missing),
                FAILURE(jail_without_user_namespaces),
                FAILURE(stop_is_idempotent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
