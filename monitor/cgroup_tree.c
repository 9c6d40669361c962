/*
 * cgroup_tree.c - makes and removes the directories of a session. Root.
 *
 * An account's directory comes with its first session and goes with its last, while other sessions of it may start:
 * whoever finds it gone half way (ENOENT, or ENODEV from a cgroup that is being removed) starts again from the top.
 */
#include "monitor/cgroup_driver.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define MAKE_ATTEMPTS 100
#define REMOVE_DEPTH  8
#define CGROUP_MODE   0755

int cgroup_tree_open(const char *path, unsigned major, unsigned minor, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(path, O_RDONLY | O_DIRECTORY, 0, err);
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot stat %s", path);
        if (st.st_dev != makedev(major, minor))
                return error_text(err, EXDEV, "%s is not on the cgroup file system that is mounted there", path);
        return TAKE_FD(fd);
}

static int make_failed(const char *path, struct error *err)
{
        return error_prefix(err, "cannot set up the cgroup %s", path);
}

/* mkdir takes the lock of the whole hierarchy, even to find that there is nothing to do: so look first. */
static int open_shared(int parent, const char *name, int *ret_fd, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0, err);
        int r;

        if (fd == -ENOENT)
                return fd_make_dir(parent, name, CGROUP_MODE, ret_fd, err);
        r = fd < 0 ? fd : fd_check_root_owned(fd, S_IFDIR, name, err);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* A directory on the way to the session's: shared, so it may be there already. */
static int make_shared(const struct cgroup_recipe *recipe, int *fd, char path[256], const char *name, bool limited,
                       struct error *err)
{
        cleanup_close int made = -EBADF;
        size_t used = strlen(path);
        int r = 0;

        (void)snprintf(path + used, 256 - used, "/%s", name);
        r = open_shared(*fd, name, &made, err);
        if (r == 0 && recipe->open_up != NULL)
                r = recipe->open_up(made, path, recipe->limits, err);
        if (r == 0 && limited && recipe->limit != NULL)
                r = recipe->limit(made, recipe->controllers, recipe->limits, err);
        if (r < 0) {
                (void)make_failed(path, err);
                if (limited)
                        (void)unlinkat(*fd, name, AT_REMOVEDIR); /* stays when it has other sessions */
                return r;
        }
        cleanup_close_fd(fd);
        *fd = TAKE_FD(made);
        return 0;
}

static int open_session(const struct cgroup_recipe *recipe, int parent, const char *name, int *ret_fd,
                        struct error *err)
{
        cleanup_close int fd = fd_open_beneath(parent, name, O_RDONLY | O_DIRECTORY, 0, err);
        int r = fd;

        if (r >= 0)
                r = fd_check_root_owned(fd, S_IFDIR, name, err);
        if (r >= 0 && fchmod(fd, CGROUP_MODE) < 0)
                r = error_errno(err, errno, "cannot set its mode");
        if (r >= 0 && recipe->limit != NULL)
                r = recipe->limit(fd, recipe->controllers, recipe->limits, err);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* The session's own: an id is used once, so a directory of that name is an error. */
static int make_session(const struct cgroup_recipe *recipe, int parent, char path[256], int *ret_fd, struct error *err)
{
        char name[sizeof(CGROUP_SESSION_PREFIX) + SESSION_ID_LENGTH];
        size_t used = strlen(path);
        int r;

        (void)snprintf(name, sizeof(name), "%s%s", CGROUP_SESSION_PREFIX, recipe->session_id);
        (void)snprintf(path + used, 256 - used, "/%s", name);
        if (mkdirat(parent, name, CGROUP_MODE) < 0)
                return error_errno(err, errno, "cannot make the cgroup %s", path);
        r = open_session(recipe, parent, name, ret_fd, err);
        if (r < 0) {
                (void)unlinkat(parent, name, AT_REMOVEDIR);
                return make_failed(path, err);
        }
        return 0;
}

static int make_account(const struct cgroup_recipe *recipe, int *fd, char path[256], char name[64], struct error *err)
{
        int r = make_shared(recipe, fd, path, CGROUP_TOP, false, err);

        if (r < 0)
                return r;
        (void)snprintf(name, 64, "%s%s", CGROUP_ACCOUNT_PREFIX, recipe->account);
        return make_shared(recipe, fd, path, name, true, err);
}

static void drop_account(int fd, const char *name)
{
        cleanup_close int top = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (top >= 0)
                (void)unlinkat(top, name, AT_REMOVEDIR); /* stays when it has other sessions */
}

static int make_once(const struct cgroup_recipe *recipe, char path[256], int *ret_fd, struct error *err)
{
        cleanup_close int fd = cgroup_tree_open(recipe->base, recipe->major, recipe->minor, err);
        char account[64] = "";
        int r = fd;

        (void)snprintf(path, 256, "%s", recipe->base);
        if (r < 0)
                return r;
        if (recipe->open_up != NULL)
                r = recipe->open_up(fd, path, recipe->limits, err);
        if (r < 0)
                return r;
        if (recipe->account != NULL)
                r = make_account(recipe, &fd, path, account, err);
        if (r < 0)
                return r;
        r = make_session(recipe, fd, path, ret_fd, err);
        if (r < 0 && recipe->account != NULL)
                drop_account(fd, account);
        return r;
}

static bool fits(const struct cgroup_recipe *recipe)
{
        size_t account = recipe->account == NULL
                                 ? 0
                                 : strlen("/" CGROUP_TOP "/" CGROUP_ACCOUNT_PREFIX) + strlen(recipe->account);

        return strlen(recipe->base) + account + strlen("/" CGROUP_SESSION_PREFIX) + SESSION_ID_LENGTH < 256;
}

int cgroup_tree_make(const struct cgroup_recipe *recipe, struct cgroup *ret, struct error *err)
{
        int fd = -EBADF;
        int r = -ENOENT;

        if (ret->count >= CGROUP_CONTROLLERS_MAX)
                return error_text(err, E2BIG, "this host has more cgroup hierarchies than a session can use");
        if (!fits(recipe))
                return error_text(err, ENAMETOOLONG, "cannot make a cgroup below %s: the path is too long",
                                  recipe->base);
        for (unsigned i = 0; i < MAKE_ATTEMPTS && (r == -ENOENT || r == -ENODEV); i++) {
                if (i > 0)
                        (void)sched_yield();
                r = make_once(recipe, ret->dir[ret->count].path, &fd, err);
        }
        if (r < 0)
                return r;
        (void)snprintf(ret->dir[ret->count].controllers, sizeof(ret->dir[0].controllers), "%s", recipe->controllers);
        ret->dir[ret->count++].fd = fd;
        return 0;
}

/* What a tier's own process 1 (an engine, nspawn) made inside. Failures show at the rmdir of the directory itself. */
static void remove_below(int fd, unsigned depth)
{
        cleanup_closedir DIR *dir = NULL;
        struct dirent *entry;
        int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        dir = copy < 0 ? NULL : fdopendir(copy);
        if (dir == NULL) {
                cleanup_close_fd(&copy);
                return;
        }
        while ((entry = readdir(dir)) != NULL) {
                cleanup_close int child = -EBADF;

                if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
                        continue;
                child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                if (child >= 0 && depth > 0)
                        remove_below(child, depth - 1);
                (void)unlinkat(fd, entry->d_name, AT_REMOVEDIR);
        }
}

/*
 * v1: a removed group counts as a child until its last zombie is reaped, and its quota would keep that of the account
 * from being lowered (EINVAL) without anybody being able to change it any more.
 */
static void release_quota(int fd)
{
        if (cgroup_file_exists(fd, "cpu.cfs_quota_us"))
                (void)!fd_write_file_at(fd, "cpu.cfs_quota_us", "-1", NULL);
}

static int remove_session(int fd, int parent, const char *path, uint64_t deadline_ms, struct error *err)
{
        const char *name = strrchr(path, '/') + 1;
        long wait_ms = 1;

        release_quota(fd);
        for (;;) {
                struct timespec pause = { .tv_nsec = wait_ms * 1000000 };
                size_t seen = 0;
                int r;

                if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENODEV)
                        return 0;
                if (errno != EBUSY && errno != ENOTEMPTY)
                        return error_errno(err, errno, "cannot remove the cgroup %s", path);
                r = cgroup_kill_round(fd, &seen, err);
                if (r < 0)
                        return r;
                if (seen == 0)
                        remove_below(fd, REMOVE_DEPTH);
                if (process_monotonic_ms() >= deadline_ms)
                        return error_text(err, EBUSY, "cannot remove the cgroup %s: %zu processes are still in it",
                                          path, seen);
                (void)nanosleep(&pause, NULL);
                wait_ms = wait_ms < 16 ? wait_ms * 2 : wait_ms;
        }
}

static int remove_account(int parent, const char *path, struct error *err)
{
        cleanup_close int top = -EBADF;
        const char *session = strrchr(path, '/');
        const char *start = session;
        char name[64];

        while (start > path && start[-1] != '/')
                start--;
        if (strncmp(start, CGROUP_ACCOUNT_PREFIX, strlen(CGROUP_ACCOUNT_PREFIX)) != 0 ||
            (size_t)(session - start) >= sizeof(name))
                return 0;
        memcpy(name, start, (size_t)(session - start));
        name[session - start] = '\0';
        top = openat(parent, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (top < 0)
                return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open the cgroup above %s", path);
        if (unlinkat(top, name, AT_REMOVEDIR) < 0 && errno != EBUSY && errno != ENOTEMPTY && errno != ENOENT &&
            errno != ENODEV)
                return error_errno(err, errno, "cannot remove the account's cgroup above %s", path);
        return 0;
}

int cgroup_tree_remove(int fd, const char *path, uint64_t deadline_ms, struct error *err)
{
        cleanup_close int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (parent < 0)
                return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open the cgroup above %s", path);
        r = remove_session(fd, parent, path, deadline_ms, err);
        return r < 0 ? r : remove_account(parent, path, err);
}
