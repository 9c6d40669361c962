/* test_fd.c - opening, checking, making and removing by directory fd, with hostile trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct fixture {
        char path[64];
        int dir;
};

typedef int (*opener)(int dirfd, const char *path, int flags, mode_t mode, struct error *err);

static const opener openers[] = { fd_open_beneath, fd_open_beneath_walk };

#define EACH_OPENER(name) for (size_t name = 0; name < sizeof(openers) / sizeof(openers[0]); name++)

static size_t count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        size_t count = 0;

        assert_non_null(dir);
        while (readdir(dir) != NULL)
                count++;
        (void)closedir(dir);
        return count;
}

static void make_file(int dir, const char *name, const char *text)
{
        cleanup_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/*
 * top/a/b/file   top/a/link -> b   top/a/b/filelink -> file   top/up -> ..   top/out -> /etc   outside/file
 * The fixture's directory is `top`, so that there is something to escape to.
 */
static int set_up(void **state)
{
        struct fixture *fixture = calloc(1, sizeof(*fixture));
        int base;

        if (fixture == NULL)
                return -1;
        strcpy(fixture->path, "/tmp/agentsh-test-XXXXXX");
        if (mkdtemp(fixture->path) == NULL)
                return -1;
        base = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(mkdirat(base, "outside", 0755), 0);
        make_file(base, "outside/file", "outside");
        assert_int_equal(mkdirat(base, "top", 0755), 0);
        fixture->dir = openat(base, "top", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(close(base), 0);
        assert_int_equal(mkdirat(fixture->dir, "a", 0755), 0);
        assert_int_equal(mkdirat(fixture->dir, "a/b", 0755), 0);
        make_file(fixture->dir, "a/b/file", "inside");
        assert_int_equal(symlinkat("b", fixture->dir, "a/link"), 0);
        assert_int_equal(symlinkat("file", fixture->dir, "a/b/filelink"), 0);
        assert_int_equal(symlinkat("..", fixture->dir, "up"), 0);
        assert_int_equal(symlinkat("/etc", fixture->dir, "out"), 0);
        assert_int_equal(symlinkat("nowhere", fixture->dir, "dangling"), 0);
        *state = fixture;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *fixture = *state;
        char command[128];

        (void)close(fixture->dir);
        (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", fixture->path);
        (void)!system(command);
        free(fixture);
        return 0;
}

static int in_child(int (*run)(struct fixture *fixture), struct fixture *fixture)
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
                _exit(run(fixture));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_open_good(void **state)
{
        static const char *const paths[] = { "a/b/file", "./a/b/file", "a//b///file", "a/./b/file" };
        struct fixture *fixture = *state;

        EACH_OPENER(i)
        {
                for (size_t j = 0; j < sizeof(paths) / sizeof(paths[0]); j++) {
                        cleanup_close int fd = openers[i](fixture->dir, paths[j], O_RDONLY, 0, NULL);
                        char text[8] = { 0 };

                        assert_true(fd >= 0);
                        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
                        assert_int_equal(read(fd, text, sizeof(text)), 6);
                        assert_string_equal(text, "inside");
                }
        }
}

static void test_open_hostile(void **state)
{
        static const struct {
                const char *path;
                int flags;
                int result;
        } cases[] = {
                { "a/link/file", O_RDONLY, -ELOOP },
                { "a/b/filelink", O_RDONLY, -ELOOP },
                { "a/b/filelink", O_PATH, -ELOOP },
                { "a/b/filelink", O_PATH | O_NOFOLLOW, -ELOOP },
                { "a/b/filelink", O_RDONLY | O_NOFOLLOW, -ELOOP },
                { "a/link", O_RDONLY | O_DIRECTORY, -ELOOP },
                { "a/link/", O_RDONLY, -ELOOP },
                { "a/link/.", O_RDONLY, -ELOOP },
                { "up/outside/file", O_RDONLY, -ELOOP },
                { "out/passwd", O_RDONLY, -ELOOP },
                { "dangling", O_WRONLY | O_CREAT, -ELOOP },
                { "..", O_RDONLY, -EXDEV },
                { "../outside/file", O_RDONLY, -EXDEV },
                { "a/../../outside/file", O_RDONLY, -EXDEV },
                { "a/b/..", O_RDONLY, -EXDEV },
                { "/etc/passwd", O_RDONLY, -EXDEV },
                { "/", O_RDONLY, -EXDEV },
                { "", O_RDONLY, -ENOENT },
                { "missing", O_RDONLY, -ENOENT },
                { "a/missing/x", O_RDONLY, -ENOENT },
                { "a/b/file/", O_RDONLY, -ENOTDIR },
                { "a/b/file/x", O_RDONLY, -ENOTDIR },
                { "a/b/file", O_RDONLY | O_DIRECTORY, -ENOTDIR },
        };
        struct fixture *fixture = *state;
        size_t before = count_fds();

        EACH_OPENER(i)
        {
                for (size_t j = 0; j < sizeof(cases) / sizeof(cases[0]); j++) {
                        struct error err = ERROR_INIT;
                        int r = openers[i](fixture->dir, cases[j].path, cases[j].flags, 0600, &err);

                        if (r != cases[j].result)
                                fail_msg("opener %zu, \"%s\", flags %x: %d instead of %d", i, cases[j].path,
                                         (unsigned)cases[j].flags, r, cases[j].result);
                        assert_int_equal(err.number, -r);
                }
        }
        assert_int_equal(count_fds(), before);
        assert_int_equal(faccessat(fixture->dir, "nowhere", F_OK, 0), -1);
}

static void test_open_long_names(void **state)
{
        struct fixture *fixture = *state;
        char name[300];

        memset(name, 'x', sizeof(name));
        name[256] = '\0';
        EACH_OPENER(i)
        {
                assert_int_equal(openers[i](fixture->dir, name, O_RDONLY, 0, NULL), -ENAMETOOLONG);
        }
}

static void test_open_creates(void **state)
{
        struct fixture *fixture = *state;

        EACH_OPENER(i)
        {
                cleanup_close int fd = openers[i](fixture->dir, "a/new", O_WRONLY | O_CREAT | O_EXCL, 0600, NULL);
                cleanup_close int dir = -EBADF;
                struct stat st;

                assert_true(fd >= 0);
                assert_int_equal(fstat(fd, &st), 0);
                assert_int_equal(st.st_mode, S_IFREG | 0600);
                assert_int_equal(openers[i](fixture->dir, "a/new", O_WRONLY | O_CREAT | O_EXCL, 0600, NULL), -EEXIST);
                assert_int_equal(unlinkat(fixture->dir, "a/new", 0), 0);
                /* A mode that nothing is made with does no harm. */
                dir = openers[i](fixture->dir, "a", O_RDONLY | O_DIRECTORY, 0755, NULL);
                assert_true(dir >= 0);
        }
}

static int deny_openat2(int number)
{
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)number),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -1;
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int without_openat2(struct fixture *fixture, int number)
{
        cleanup_close int fd = -EBADF;

        if (deny_openat2(number) < 0)
                return 77;
        fd = fd_open_beneath(fixture->dir, "a/b/file", O_RDONLY, 0, NULL);
        if (fd < 0 || fd_open_beneath(fixture->dir, "a/link/file", O_RDONLY, 0, NULL) != -ELOOP ||
            fd_open_beneath(fixture->dir, "../outside/file", O_RDONLY, 0, NULL) != -EXDEV)
                return 1;
        return 0;
}

static int with_enosys(struct fixture *fixture)
{
        return without_openat2(fixture, ENOSYS);
}

static int with_eperm(struct fixture *fixture)
{
        return without_openat2(fixture, EPERM);
}

static void test_no_openat2(void **state)
{
        int r = in_child(with_enosys, *state);

        if (r == 77)
                skip();
        assert_int_equal(r, 0);
        assert_int_equal(in_child(with_eperm, *state), 0);
}

static void test_open_absolute(void **state)
{
        struct fixture *fixture = *state;
        struct error err = ERROR_INIT;
        char path[128];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/top/a/b/file", fixture->path);
        fd = fd_open_absolute(path, O_RDONLY, 0, NULL);
        assert_true(fd >= 0);
        (void)close(fd);
        fd = fd_open_absolute("/", O_PATH | O_DIRECTORY, 0, NULL);
        assert_true(fd >= 0);
        (void)close(fd);
        fd = fd_open_absolute("//", O_PATH | O_DIRECTORY, 0, NULL);
        assert_true(fd >= 0);
        (void)close(fd);
        (void)snprintf(path, sizeof(path), "%s/top/a/link/file", fixture->path);
        assert_int_equal(fd_open_absolute(path, O_RDONLY, 0, &err), -ELOOP);
        /* The whole path, as the administrator knows it. */
        assert_non_null(strstr(err.text, path));
        (void)snprintf(path, sizeof(path), "%s/top/../outside/file", fixture->path);
        assert_int_equal(fd_open_absolute(path, O_RDONLY, 0, NULL), -EXDEV);
        assert_int_equal(fd_open_absolute("/proc/self/root/etc", O_RDONLY, 0, NULL), -ELOOP);
        assert_int_equal(fd_open_absolute("etc", O_RDONLY, 0, NULL), -EINVAL);
        assert_int_equal(fd_open_absolute("", O_RDONLY, 0, NULL), -EINVAL);
}

static int check_owned(struct fixture *fixture, const char *path, mode_t type)
{
        cleanup_close int fd = openat(fixture->dir, path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd_check_root_owned(fd, type, path, NULL);
}

static void test_check_root_owned(void **state)
{
        struct fixture *fixture = *state;

        if (geteuid() != 0) {
                assert_int_equal(check_owned(fixture, "a", S_IFDIR), -EPERM);
                skip();
        }
        assert_int_equal(check_owned(fixture, "a", S_IFDIR), 0);
        assert_int_equal(check_owned(fixture, "a", S_IFREG), -EINVAL);
        assert_int_equal(check_owned(fixture, "a/b/file", S_IFREG), 0);
        assert_int_equal(check_owned(fixture, "a/b/file", S_IFDIR), -EINVAL);
        assert_int_equal(fchmodat(fixture->dir, "a/b/file", 0664, 0), 0);
        assert_int_equal(check_owned(fixture, "a/b/file", S_IFREG), -EPERM);
        assert_int_equal(fchmodat(fixture->dir, "a/b/file", 0646, 0), 0);
        assert_int_equal(check_owned(fixture, "a/b/file", S_IFREG), -EPERM);
        assert_int_equal(fchmodat(fixture->dir, "a", 01777, 0), 0);
        assert_int_equal(check_owned(fixture, "a", S_IFDIR), -EPERM);
        assert_int_equal(fchmodat(fixture->dir, "a/b/file", 0644, 0), 0);
        assert_int_equal(linkat(fixture->dir, "a/b/file", fixture->dir, "second", 0), 0);
        assert_int_equal(check_owned(fixture, "a/b/file", S_IFREG), -EPERM);
        assert_int_equal(unlinkat(fixture->dir, "second", 0), 0);
        if (fchownat(fixture->dir, "a/b/file", 65534, 0, 0) == 0)
                assert_int_equal(check_owned(fixture, "a/b/file", S_IFREG), -EPERM);
        assert_int_equal(fd_check_root_owned(-1, S_IFREG, "x", NULL), -EBADF);
}

static int read_whole(struct fixture *fixture, const char *path, size_t max, char **ret, size_t *ret_size)
{
        cleanup_close int fd = openat(fixture->dir, path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        return fd_read_all(fd, max, ret, ret_size, NULL);
}

static void test_read_all(void **state)
{
        struct fixture *fixture = *state;
        char *text = NULL;
        size_t size = 99;

        assert_int_equal(read_whole(fixture, "a/b/file", 5, &text, &size), -EFBIG);
        assert_null(text);
        assert_int_equal(size, 99);
        assert_int_equal(read_whole(fixture, "a/b/file", 6, &text, &size), 0);
        assert_int_equal(size, 6);
        assert_string_equal(text, "inside");
        free(text);
        make_file(fixture->dir, "empty", "");
        assert_int_equal(read_whole(fixture, "empty", 0, &text, &size), 0);
        assert_int_equal(size, 0);
        assert_string_equal(text, "");
        free(text);
        text = NULL;
        assert_int_equal(read_whole(fixture, "a", 100, &text, &size), -EISDIR);
        assert_null(text);
}

static void test_write_all(void **state)
{
        static char data[200000], got[200000];
        int pipes[2], status;
        size_t used = 0;
        pid_t pid;

        (void)state;
        memset(data, 'd', sizeof(data));
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)close(pipes[0]);
                _exit(fd_write_all(pipes[1], data, sizeof(data), "the pipe", NULL) == 0 ? 0 : 1);
        }
        (void)close(pipes[1]);
        while (used < sizeof(got)) {
                ssize_t n = read(pipes[0], got + used, sizeof(got) - used);

                assert_true(n > 0);
                used += (size_t)n;
        }
        assert_memory_equal(got, data, sizeof(got));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        (void)close(pipes[0]);
        assert_int_equal(fd_write_all(-1, "x", 1, "nothing", NULL), -EBADF);
        assert_int_equal(fd_write_all(-1, "x", 0, "nothing", NULL), 0);
}

static void test_small_files(void **state)
{
        struct fixture *fixture = *state;
        char text[16], tiny[4];

        make_file(fixture->dir, "value", "");
        assert_int_equal(fd_write_file_at(fixture->dir, "value", "max\n", NULL), 0);
        assert_int_equal(fd_read_file_at(fixture->dir, "value", text, sizeof(text), NULL), 0);
        assert_string_equal(text, "max");
        make_file(fixture->dir, "value", "\n\n");
        assert_int_equal(fd_read_file_at(fixture->dir, "value", text, sizeof(text), NULL), 0);
        assert_string_equal(text, "\n");
        make_file(fixture->dir, "value", "123456");
        assert_int_equal(fd_read_file_at(fixture->dir, "value", tiny, sizeof(tiny), NULL), 0);
        assert_string_equal(tiny, "123");
        assert_int_equal(fd_read_file_at(fixture->dir, "value", tiny, 1, NULL), 0);
        assert_string_equal(tiny, "");
        assert_int_equal(fd_write_file_at(fixture->dir, "missing", "x", NULL), -ENOENT);
        assert_int_equal(faccessat(fixture->dir, "missing", F_OK, 0), -1);
        assert_int_equal(symlinkat("value", fixture->dir, "alias"), 0);
        assert_int_equal(fd_write_file_at(fixture->dir, "alias", "x", NULL), -ELOOP);
        assert_int_equal(fd_read_file_at(fixture->dir, "alias", text, sizeof(text), NULL), -ELOOP);
}

static void test_make_dir(void **state)
{
        struct fixture *fixture = *state;
        mode_t before = umask(0777);
        struct stat st;
        int fd = -EBADF;

        if (geteuid() != 0) {
                (void)umask(before);
                skip();
        }
        assert_int_equal(fd_make_dir(fixture->dir, "made", 0711, &fd, NULL), 0);
        (void)umask(before);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0711);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        (void)close(fd);
        /* There already and wider. */
        assert_int_equal(fd_make_dir(fixture->dir, "made", 0700, &fd, NULL), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0700);
        (void)close(fd);
        /* Narrower, by the administrator: not opened up. */
        assert_int_equal(fd_make_dir(fixture->dir, "made", 0711, &fd, NULL), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0700);
        (void)close(fd);
        fd = -77;
        assert_int_equal(fchmodat(fixture->dir, "made", 0777, 0), 0);
        assert_int_equal(fd_make_dir(fixture->dir, "made", 0700, &fd, NULL), -EPERM);
        assert_int_equal(fd_make_dir(fixture->dir, "a/b/file", 0700, &fd, NULL), -ENOTDIR);
        assert_int_equal(fd_make_dir(fixture->dir, "up", 0700, &fd, NULL), -ELOOP);
        assert_int_equal(fd_make_dir(fixture->dir, "missing/x", 0700, &fd, NULL), -ENOENT);
        assert_int_equal(fd, -77);
}

static void test_remove_tree(void **state)
{
        struct fixture *fixture = *state;
        size_t before = count_fds();

        assert_int_equal(fd_remove_tree(fixture->dir, "missing", NULL), 0);
        assert_int_equal(fd_remove_tree(fixture->dir, "dangling", NULL), 0);
        assert_int_equal(fd_remove_tree(fixture->dir, "up", NULL), 0);
        assert_int_equal(symlinkat("../../outside", fixture->dir, "a/away"), 0);
        assert_int_equal(mkfifoat(fixture->dir, "a/fifo", 0600), 0);
        assert_int_equal(fd_remove_tree(fixture->dir, "a", NULL), 0);
        assert_int_equal(faccessat(fixture->dir, "a", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        assert_int_equal(faccessat(fixture->dir, "../outside/file", F_OK, 0), 0);
        assert_int_equal(count_fds(), before);
}

/* Deeper than any recursion or fd limit would carry: an agent can make this in its home. */
static int remove_deep_tree(struct fixture *fixture)
{
        struct rlimit few = { .rlim_cur = 512, .rlim_max = 512 };
        int dir = openat(fixture->dir, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        for (int i = 0; i < 3000; i++) {
                int next;

                if (mkdirat(dir, "d", 0755) < 0)
                        return 1;
                make_file(dir, "f", "x");
                next = openat(dir, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                (void)close(dir);
                dir = next;
        }
        (void)close(dir);
        if (setrlimit(RLIMIT_NOFILE, &few) < 0)
                return 2;
        if (fd_remove_tree(fixture->dir, "a", NULL) < 0)
                return 3;
        return faccessat(fixture->dir, "a", F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : 4;
}

static void test_remove_deep_tree(void **state)
{
        assert_int_equal(in_child(remove_deep_tree, *state), 0);
}

/* A bind mount of the same file system has the same device number: what is behind it is not ours to remove. */
static int remove_across_mount(struct fixture *fixture)
{
        cleanup_close int top = -EBADF;
        char from[128], to[128];
        int r;

        if (unshare(CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) < 0)
                return 77;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return 77;
        (void)snprintf(from, sizeof(from), "%s/outside", fixture->path);
        (void)snprintf(to, sizeof(to), "%s/top/a/b", fixture->path);
        if (mount(from, to, NULL, MS_BIND, NULL) < 0)
                return 77;
        /* Anew: the fixture's fd leads into the mount namespace that was left. */
        (void)snprintf(from, sizeof(from), "%s/top", fixture->path);
        top = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd_remove_tree(top, "a", NULL);
        (void)umount2(to, MNT_DETACH);
        if (r != -EXDEV)
                return 1;
        return faccessat(fixture->dir, "../outside/file", F_OK, 0) == 0 ? 0 : 2;
}

static void test_remove_stops_at_mount(void **state)
{
        int r = in_child(remove_across_mount, *state);

        if (r == 77)
                skip();
        assert_int_equal(r, 0);
}

static int open_closed_stdio(struct fixture *fixture)
{
        int fd;

        (void)fixture;
        (void)close(0);
        (void)close(2);
        if (fd_open_stdio(NULL) < 0)
                return 1;
        for (fd = 0; fd <= 2; fd++)
                if (fcntl(fd, F_GETFD) != 0)
                        return 2;
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return fd > 2 ? 0 : 3;
}

static void test_open_stdio(void **state)
{
        assert_int_equal(in_child(open_closed_stdio, *state), 0);
}

static int close_others(struct fixture *fixture)
{
        int keep[3], low[3], r;

        (void)fixture;
        for (int fd = 3; fd < 40; fd++)
                if (fcntl(fd, F_GETFD) < 0 && dup2(2, fd) != fd)
                        return 1;
        keep[0] = 30, keep[1] = 7, keep[2] = 7;
        if (fd_close_others(3, keep, 3, NULL) < 0)
                return 2;
        for (int fd = 3; fd < 1024; fd++)
                if ((fcntl(fd, F_GETFD) >= 0) != (fd == 7 || fd == 30))
                        return 3;
        if (fcntl(0, F_GETFD) < 0 || fcntl(2, F_GETFD) < 0)
                return 4;
        /* Below first, negative, and just at its border. */
        low[0] = -1, low[1] = 0, low[2] = 3;
        if (dup2(2, 3) != 3 || dup2(2, 4) != 4 || fd_close_others(3, low, 3, NULL) < 0)
                return 5;
        if (fcntl(3, F_GETFD) < 0 || fcntl(4, F_GETFD) >= 0 || fcntl(30, F_GETFD) >= 0)
                return 6;
        r = fd_close_others(3, (int[17]){ 0 }, 17, NULL);
        return r == -E2BIG && fcntl(3, F_GETFD) >= 0 ? 0 : 7;
}

static void test_close_others(void **state)
{
        assert_int_equal(in_child(close_others, *state), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_open_good),        TEST(test_open_hostile),
                TEST(test_open_long_names),  TEST(test_open_creates),
                TEST(test_no_openat2),       TEST(test_open_absolute),
                TEST(test_check_root_owned), TEST(test_read_all),
                TEST(test_write_all),        TEST(test_small_files),
                TEST(test_make_dir),         TEST(test_remove_tree),
                TEST(test_remove_deep_tree), TEST(test_remove_stops_at_mount),
                TEST(test_open_stdio),       TEST(test_close_others),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
