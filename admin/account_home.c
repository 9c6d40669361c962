/*
 * account_home.c - `account add`: the two homes. Root.
 *
 * The data home is filled before it is given to the agent, below a directory that only root can pass.
 */
#include "admin/account_plan.h"
#include "admin/places.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SKELETON           "/etc/skel"
#define SKELETON_FILE_MAX  (1024 * 1024)
#define SKELETON_DEPTH_MAX 8

static int check_absent(int dirfd, const char *name, const char *shown, const char *remedy, struct error *err)
{
        struct stat st;

        if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return error_text(err, EEXIST, "%s is there already: %s", shown, remedy);
        if (errno != ENOENT)
                return error_errno(err, errno, "cannot look for %s", shown);
        return 0;
}

int plan_home_check(struct account_plan *plan, struct error *err)
{
        char shown[PATH_MAX + 32];
        int r;

        plan->home_parent_fd = places_open_parent(plan->home, plan->home_name, err);
        if (plan->home_parent_fd < 0)
                return plan->home_parent_fd;
        (void)snprintf(shown, sizeof(shown), "the directory above %s", plan->home);
        r = fd_check_root_owned(plan->home_parent_fd, S_IFDIR, shown, err);
        if (r < 0)
                return r;
        if (!plan->convert) {
                r = check_absent(plan->home_parent_fd, plan->home_name, plan->home,
                                 "move it away or choose another name", err);
                if (r < 0)
                        return r;
        }
        (void)snprintf(shown, sizeof(shown), AGENTSH_STATE_DIR "/homes/%s", plan->name);
        return check_absent(plan->homes_fd, plan->name, shown,
                            "it is the home of an earlier account of that name; move it away first", err);
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct account *owner, struct error *err)
{
        cleanup_close int from = -EBADF, to = -EBADF;
        cleanup_free char *content = NULL;
        struct stat st;
        size_t size;
        int r;

        from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (from < 0 || fstat(from, &st) < 0)
                return error_errno(err, errno, "cannot open " SKELETON "'s %s", name);
        if (!S_ISREG(st.st_mode))
                return 0;
        r = fd_read_all(from, SKELETON_FILE_MAX, &content, &size, err);
        if (r < 0)
                return error_prefix(err, SKELETON "'s %s", name);
        to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (to < 0)
                return error_errno(err, errno, "cannot make %s in the data home", name);
        r = fd_write_all(to, content, size, name, err);
        if (r < 0)
                return r;
        if (fchown(to, owner->uid, owner->gid) < 0 || fchmod(to, st.st_mode & 0755) < 0)
                return error_errno(err, errno, "cannot give %s to the agent", name);
        return 0;
}

static int copy_tree(int from, int to, const struct account *owner, unsigned depth, struct error *err);

static int copy_dir(int from_dir, int to_dir, const char *name, const struct account *owner, unsigned depth,
                    struct error *err)
{
        cleanup_close int from = -EBADF, to = -EBADF;
        int r;

        from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (from < 0)
                return error_errno(err, errno, "cannot open " SKELETON "'s %s", name);
        r = fd_make_dir(to_dir, name, 0755, &to, err);
        if (r < 0)
                return r;
        r = copy_tree(from, to, owner, depth, err);
        if (r < 0)
                return r;
        if (fchown(to, owner->uid, owner->gid) < 0)
                return error_errno(err, errno, "cannot give %s to the agent", name);
        return 0;
}

/* Files and directories; links and everything special stay behind. */
static int copy_tree(int from, int to, const struct account *owner, unsigned depth, struct error *err)
{
        cleanup_name_list struct name_list names = { 0 };
        int r;

        if (depth == 0)
                return error_text(err, ELOOP, SKELETON " is deeper than %d directories", SKELETON_DEPTH_MAX);
        r = places_list(from, NULL, &names, err);
        for (int i = 0; r == 0 && i < names.count; i++) {
                const char *name = names.entry[i]->d_name;
                struct stat st;

                if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        return error_errno(err, errno, "cannot stat " SKELETON "'s %s", name);
                if (S_ISDIR(st.st_mode))
                        r = copy_dir(from, to, name, owner, depth - 1, err);
                else if (S_ISREG(st.st_mode))
                        r = copy_file(from, to, name, owner, err);
        }
        return r;
}

static int fill_data_home(int home, const struct account *owner, struct error *err)
{
        cleanup_close int skeleton = fd_open_absolute(SKELETON, O_RDONLY | O_DIRECTORY, 0, err);

        if (skeleton == -ENOENT)
                return 0;
        if (skeleton < 0)
                return skeleton;
        return copy_tree(skeleton, home, owner, SKELETON_DEPTH_MAX, err);
}

static int make_and_fill(struct account_plan *plan, struct error *err)
{
        cleanup_close int home = -EBADF;
        int r;

        r = fd_make_dir(plan->homes_fd, plan->name, 0700, &home, err);
        if (r < 0)
                return r;
        r = fill_data_home(home, &plan->account, err);
        if (r < 0)
                return r;
        if (fchown(home, plan->account.uid, plan->account.gid) < 0)
                return error_errno(err, errno, "cannot give the data home to %s", plan->name);
        return 0;
}

int plan_make_data_home(struct account_plan *plan, struct error *err)
{
        struct error ignored = ERROR_INIT;
        struct stat st;
        int r;

        if (fstatat(plan->homes_fd, plan->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return error_text(err, EEXIST, "the data home of %s appeared while it was being made", plan->name);
        r = make_and_fill(plan, err);
        if (r < 0)
                (void)plan_unmake_data_home(plan, &ignored);
        return r;
}

int plan_unmake_data_home(struct account_plan *plan, struct error *err)
{
        return fd_remove_tree(plan->homes_fd, plan->name, err);
}

int plan_make_passwd_home(struct account_plan *plan, struct error *err)
{
        cleanup_close int home = -EBADF;
        struct error ignored = ERROR_INIT;
        int r;

        if (mkdirat(plan->home_parent_fd, plan->home_name, 0755) < 0)
                return error_errno(err, errno, "cannot make %s", plan->home);
        home = fd_open_beneath(plan->home_parent_fd, plan->home_name, O_RDONLY | O_DIRECTORY, 0, err);
        r = home < 0 ? home : 0;
        /* The parent's setgid bit or default ACL must not decide on this directory. */
        if (r == 0 && (fchown(home, 0, 0) < 0 || fchmod(home, 0755) < 0))
                r = error_errno(err, errno, "cannot set owner and mode of %s", plan->home);
        if (r < 0)
                (void)plan_unmake_passwd_home(plan, &ignored);
        return r;
}

int plan_unmake_passwd_home(struct account_plan *plan, struct error *err)
{
        if (unlinkat(plan->home_parent_fd, plan->home_name, AT_REMOVEDIR) < 0)
                return error_errno(err, errno, "cannot remove %s", plan->home);
        return 0;
}
