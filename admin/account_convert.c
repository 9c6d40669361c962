/*
 * account_convert.c - `account add --convert`: the account of a person becomes an agent's. Root; runs usermod.
 *
 * The home with all that is in it becomes the data home by one rename, so that nothing is copied, half-moved, or read.
 */
#include "admin/account_plan.h"
#include "admin/places.h"
#include "admin/run.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define GID_USERS 100 /* the shared primary group of people on some systems */

static int refuse(const struct account_plan *plan, const char *why, struct error *err)
{
        return error_text(err, EPERM, "cannot convert %s: %s", plan->name, why);
}

static int check_person(const struct account_plan *plan, struct error *err)
{
        const struct account *account = &plan->account;
        const char *caller = getenv("SUDO_USER");

        if (account->uid == 0)
                return refuse(plan, "it is root (uid 0), which can never be an agent", err);
        if (account->uid < account_first_human_uid() || account->uid == 65534)
                return refuse(plan, "it is an account of the system (its uid is below UID_MIN of /etc/login.defs)",
                              err);
        if (account->gid == 0 || (account->gid < account_first_human_uid() && account->gid != GID_USERS))
                return refuse(plan,
                              "its primary group is one of the system's; give it a group of its own with "
                              "\"usermod --gid\" first",
                              err);
        if (account_is_agent(account))
                return refuse(plan, "it is an agent already", err);
        if (caller != NULL && strcmp(caller, plan->name) == 0)
                return refuse(plan, "it is the account that you came from by sudo: you would lock yourself out", err);
        return 0;
}

/* Processes that run outside would stay outside. */
static int check_no_process(const struct account_plan *plan, struct error *err)
{
        cleanup_closedir DIR *proc = opendir("/proc");
        const struct dirent *entry;

        if (proc == NULL)
                return error_errno(err, errno, "cannot list /proc");
        while ((entry = readdir(proc)) != NULL) {
                struct stat st;

                if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
                    fstatat(dirfd(proc), entry->d_name, &st, 0) < 0 || st.st_uid != plan->account.uid)
                        continue;
                return error_text(err, EBUSY,
                                  "cannot convert %s: it has running processes (%s, for one), which would "
                                  "stay unconfined; end them with \"pkill -KILL -u %u\" or \"loginctl terminate-user "
                                  "%s\"",
                                  plan->name, entry->d_name, (unsigned)plan->account.uid, plan->name);
        }
        return 0;
}

static int check_old_home(struct account_plan *plan, struct error *err)
{
        cleanup_close int home = -EBADF;
        struct stat st, homes;

        home = fd_open_absolute(plan->account.home, O_RDONLY | O_DIRECTORY, 0, err);
        if (home < 0)
                return error_prefix(err, "cannot convert %s", plan->name);
        if (fstat(home, &st) < 0 || fstat(plan->homes_fd, &homes) < 0)
                return error_errno(err, errno, "cannot stat %s", plan->account.home);
        if (st.st_uid != plan->account.uid)
                return refuse(plan, "its home directory belongs to somebody else", err);
        if (st.st_dev != homes.st_dev)
                return error_text(err, EXDEV,
                                  "cannot convert %s: %s and " AGENTSH_STATE_DIR "/homes are on different "
                                  "file systems, and moving the home would be a copy; mount a part of its file system "
                                  "at " AGENTSH_STATE_DIR "/homes, or add a new account and copy into it",
                                  plan->name, plan->account.home);
        plan->home_mode = st.st_mode & 07777;
        return 0;
}

int plan_convert_check(struct account_plan *plan, struct error *err)
{
        int r;

        if (plan->uid != 0)
                return error_text(err, EINVAL, "--uid and --convert exclude each other: an account keeps its uid");
        r = account_find(plan->name, &plan->account, err);
        if (r < 0)
                return error_prefix(err, "cannot convert");
        r = check_person(plan, err);
        if (r < 0)
                return r;
        r = check_no_process(plan, err);
        if (r < 0)
                return r;
        r = account_join_groups(&plan->account, plan->groups, sizeof(plan->groups), err);
        if (r < 0)
                return r;
        r = check_old_home(plan, err);
        if (r < 0)
                return r;
        (void)snprintf(plan->home, sizeof(plan->home), "%s", plan->account.home);
        plan->password_was_set = account_password_state(plan->name) == PASSWORD_SET;
        return 0;
}

int plan_convert_user(struct account_plan *plan, struct error *err)
{
        const char *const argv[] = { "usermod", "--shell", AGENTSH_SHELL_PATH, "--groups", AGENTS_GROUP,
                                     "--lock",  "--",      plan->name,         NULL };

        return run_checked(argv, "change the user", err);
}

int plan_unconvert_user(struct account_plan *plan, struct error *err)
{
        const char *argv[10];
        size_t count = 0;

        argv[count++] = "usermod";
        argv[count++] = "--shell";
        argv[count++] = plan->account.shell;
        argv[count++] = "--groups";
        argv[count++] = plan->groups;
        if (plan->password_was_set)
                argv[count++] = "--unlock";
        argv[count++] = "--";
        argv[count++] = plan->name;
        argv[count] = NULL;
        return run_checked(argv, "give the user back its shell and groups", err);
}

static int set_mode(int dirfd, const char *name, mode_t mode, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, err);

        if (fd < 0)
                return fd;
        if (fchmod(fd, mode) < 0)
                return error_errno(err, errno, "cannot set the mode of %s", name);
        return 0;
}

int plan_move_home(struct account_plan *plan, struct error *err)
{
        struct error ignored = ERROR_INIT;
        int r;

        if (renameat2(plan->home_parent_fd, plan->home_name, plan->homes_fd, plan->name, RENAME_NOREPLACE) < 0)
                return error_errno(err, errno, "cannot move %s to " AGENTSH_STATE_DIR "/homes/%s", plan->home,
                                   plan->name);
        r = set_mode(plan->homes_fd, plan->name, 0700, err);
        if (r < 0)
                (void)plan_move_home_back(plan, &ignored);
        return r;
}

int plan_move_home_back(struct account_plan *plan, struct error *err)
{
        if (renameat2(plan->homes_fd, plan->name, plan->home_parent_fd, plan->home_name, RENAME_NOREPLACE) < 0)
                return error_errno(err, errno, "cannot move " AGENTSH_STATE_DIR "/homes/%s back to %s", plan->name,
                                   plan->home);
        return set_mode(plan->home_parent_fd, plan->home_name, plan->home_mode, err);
}
