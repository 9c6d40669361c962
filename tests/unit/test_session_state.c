/* test_session_state.c - the state file: what was written comes back, and nothing else is believed. Root (or a user
 * namespace's): the file must be root's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "common/session_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct fixture {
        char path[64];
        int dirfd;
};

static int set_up(void **state)
{
        struct fixture *fixture = calloc(1, sizeof(*fixture));

        if (fixture == NULL)
                return -1;
        strcpy(fixture->path, "/tmp/agentsh-test-XXXXXX");
        if (mkdtemp(fixture->path) == NULL)
                return -1;
        fixture->dirfd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = fixture;
        return fixture->dirfd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
        struct fixture *fixture = *state;

        (void)unlinkat(fixture->dirfd, SESSION_STATE_FILE, 0);
        (void)unlinkat(fixture->dirfd, SESSION_STATE_FILE ".new", 0);
        (void)unlinkat(fixture->dirfd, "other", 0);
        (void)close(fixture->dirfd);
        (void)rmdir(fixture->path);
        free(fixture);
        return 0;
}

static struct session_state good_state(void)
{
        return (struct session_state){ .magic = SESSION_STATE_MAGIC,
                                       .id = "0123456789abcdef",
                                       .account = "agent01",
                                       .service = "sshd",
                                       .tier = "jail",
                                       .uid = 1001,
                                       .monitor_pid = 12,
                                       .cgroups = { "/sys/fs/cgroup/agentsh/0123456789abcdef" } };
}

/* As a hostile or damaged file would be: written past session_state_write. */
static void plant(int dirfd, const void *data, size_t size)
{
        cleanup_close int fd = openat(dirfd, SESSION_STATE_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, data, size), size);
}

static void test_round_trip(void **state)
{
        struct fixture *fixture = *state;
        struct session_state wrote = good_state(), got;
        mode_t before = umask(0777);
        struct stat st;

        assert_int_equal(session_state_write(fixture->dirfd, &wrote, NULL), 0);
        wrote.channels = 3;
        assert_int_equal(session_state_write(fixture->dirfd, &wrote, NULL), 0);
        (void)umask(before);
        assert_int_equal(fstatat(fixture->dirfd, SESSION_STATE_FILE, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(fstatat(fixture->dirfd, SESSION_STATE_FILE ".new", &st, AT_SYMLINK_NOFOLLOW), -1);
        if (geteuid() != 0)
                return;
        assert_int_equal(session_state_read(fixture->dirfd, &got, NULL), 0);
        assert_memory_equal(&got, &wrote, sizeof(got));
}

/* Left by a monitor that was killed in the middle of a write. */
static void test_stale_temporary(void **state)
{
        struct fixture *fixture = *state;
        struct session_state wrote = good_state();
        cleanup_close int fd = openat(fixture->dirfd, SESSION_STATE_FILE ".new", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        struct stat st;

        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, 0666), 0);
        assert_int_equal(session_state_write(fixture->dirfd, &wrote, NULL), 0);
        assert_int_equal(fstatat(fixture->dirfd, SESSION_STATE_FILE, &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(st.st_size, sizeof(wrote));
}

static void test_missing(void **state)
{
        struct fixture *fixture = *state;
        struct session_state got;

        assert_int_equal(session_state_read(fixture->dirfd, &got, NULL), -ENOENT);
}

static void expect_refused(struct fixture *fixture, const struct session_state *bad)
{
        struct session_state got = { .uid = 77 };

        plant(fixture->dirfd, bad, sizeof(*bad));
        assert_true(session_state_read(fixture->dirfd, &got, NULL) < 0);
        assert_int_equal(got.uid, 77);
}

static void test_damaged(void **state)
{
        struct fixture *fixture = *state;
        struct session_state bad = good_state();
        char longer[sizeof(bad) + 1];

        bad.magic++;
        expect_refused(fixture, &bad);
        bad = good_state();
        bad.id[15] = '\0';
        expect_refused(fixture, &bad);
#define UNTERMINATED(field)                        \
        bad = good_state();                        \
        memset(bad.field, 'a', sizeof(bad.field)); \
        expect_refused(fixture, &bad)
        UNTERMINATED(id);
        UNTERMINATED(account);
        UNTERMINATED(service);
        UNTERMINATED(tty);
        UNTERMINATED(rhost);
        UNTERMINATED(ruser);
        UNTERMINATED(tier);
        UNTERMINATED(cgroups[0]);
        UNTERMINATED(cgroups[SESSION_CGROUPS_MAX - 1]);
        bad = good_state();
        plant(fixture->dirfd, &bad, sizeof(bad) - 1);
        assert_int_equal(session_state_read(fixture->dirfd, &bad, NULL), geteuid() == 0 ? -EBADMSG : -EPERM);
        memset(longer, 0, sizeof(longer));
        memcpy(longer, &bad, sizeof(bad));
        plant(fixture->dirfd, longer, sizeof(longer));
        assert_int_equal(session_state_read(fixture->dirfd, &bad, NULL), geteuid() == 0 ? -EBADMSG : -EPERM);
}

static void test_not_roots_own(void **state)
{
        struct fixture *fixture = *state;
        struct session_state good = good_state(), got;

        plant(fixture->dirfd, &good, sizeof(good));
        assert_int_equal(fchmodat(fixture->dirfd, SESSION_STATE_FILE, 0622, 0), 0);
        assert_int_equal(session_state_read(fixture->dirfd, &got, NULL), -EPERM);
        assert_int_equal(fchmodat(fixture->dirfd, SESSION_STATE_FILE, 0600, 0), 0);
        if (fchownat(fixture->dirfd, SESSION_STATE_FILE, 65534, 65534, 0) == 0)
                assert_int_equal(session_state_read(fixture->dirfd, &got, NULL), -EPERM);
}

static void test_link(void **state)
{
        struct fixture *fixture = *state;
        struct session_state good = good_state(), got;

        plant(fixture->dirfd, &good, sizeof(good));
        assert_int_equal(renameat(fixture->dirfd, SESSION_STATE_FILE, fixture->dirfd, "other"), 0);
        assert_int_equal(symlinkat("other", fixture->dirfd, SESSION_STATE_FILE), 0);
        assert_int_equal(session_state_read(fixture->dirfd, &got, NULL), -ELOOP);
        assert_int_equal(unlinkat(fixture->dirfd, SESSION_STATE_FILE, 0), 0);
        /* A link in the temporary name's place is not written through. */
        assert_int_equal(symlinkat("other", fixture->dirfd, SESSION_STATE_FILE ".new"), 0);
        good.uid = 4242;
        (void)!session_state_write(fixture->dirfd, &good, NULL);
        cleanup_close int fd = openat(fixture->dirfd, "other", O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fd, &got, sizeof(got)), sizeof(got));
        assert_int_equal(got.uid, 1001);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_round_trip), TEST(test_stale_temporary), TEST(test_missing),
                TEST(test_damaged),    TEST(test_not_roots_own),   TEST(test_link),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
