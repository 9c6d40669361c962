/*
 * account_remove.c - agentshctl account remove. Root.
 *
 * The policy goes first: from then on every login of the account is refused, so that nothing of it comes back while
 * the rest is taken away. Each step accepts that its work is done already: a removal that failed half-way is finished
 * by running it again.
 */
#include "admin/accounts.h"
#include "admin/guard.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/run.h"
#include "admin/session_list.h"
#include "admin/user_manager.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define END_TIMEOUT_MS 15000

struct removal {
        const char *name;
        bool force, keep_home;
        bool exists;            /* has a passwd entry */
        struct account account; /* when it exists */
};

static int remove_file_below(const char *dir, const char *name, struct error *err)
{
        cleanup_close int fd = fd_open_absolute(dir, O_RDONLY | O_DIRECTORY, 0, err);

        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove %s/%s", dir, name);
        return 0;
}

static bool exists_below(const char *dir, const char *name)
{
        cleanup_close int fd = fd_open_absolute(dir, O_PATH | O_DIRECTORY, 0, NULL);
        struct stat st;

        return fd >= 0 && fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool has_leftovers(const char *name)
{
        char policy[ACCOUNT_NAME_MAX + 8];

        (void)snprintf(policy, sizeof(policy), "%s.ini", name);
        return exists_below(AGENTSH_ACCOUNTS_DIR, policy) || exists_below(AGENTSH_CONFIG_DIR "/keys", name) ||
               exists_below(AGENTSH_STATE_DIR "/homes", name);
}

static int check_removable(struct removal *removal, struct error *err)
{
        struct error lookup = ERROR_INIT;
        int r;

        r = parse_account_name(removal->name, err);
        if (r < 0)
                return r;
        r = account_find(removal->name, &removal->account, &lookup);
        if (r == -ENOENT && has_leftovers(removal->name))
                return 0;
        if (r < 0) {
                *err = lookup;
                return r;
        }
        removal->exists = true;
        if (!account_is_agent(&removal->account) || removal->account.uid == 0)
                return error_text(err, EPERM, "%s is not an agent (its login shell is %s): it is not removed",
                                  removal->name, removal->account.shell);
        return 0;
}

static int check_no_session(const struct removal *removal, struct error *err)
{
        cleanup_session_list struct session_list list = { 0 };
        int r;

        r = session_list_read(removal->name, &list, err);
        if (r < 0 || removal->force)
                return r;
        for (size_t i = 0; i < list.count; i++)
                if (session_is_live(&list.state[i]))
                        return error_text(err, EBUSY,
                                          "%s has live sessions: end them with \"agentshctl kill --account "
                                          "%s\", or add --force",
                                          removal->name, removal->name);
        return 0;
}

static int remove_policy(const struct removal *removal, struct error *err)
{
        char file[ACCOUNT_NAME_MAX + 8];

        (void)snprintf(file, sizeof(file), "%s.ini", removal->name);
        return remove_file_below(AGENTSH_ACCOUNTS_DIR, file, err);
}

/* Also those that began between the first look and the removal of the policy. */
static int end_sessions(const struct removal *removal, struct error *err)
{
        cleanup_session_list struct session_list list = { 0 };
        int r;

        r = session_list_read(removal->name, &list, err);
        for (size_t i = 0; r == 0 && i < list.count; i++) {
                r = session_end(&list.state[i], END_TIMEOUT_MS, err);
                if (r == -ESRCH)
                        r = 0;
        }
        return r;
}

static int unmask_user_manager(const struct removal *removal, struct error *err)
{
        return removal->exists ? user_manager_unmask(removal->account.uid, err) : 0;
}

static int remove_user(const struct removal *removal, struct error *err)
{
        const char *const argv[] = { "userdel", "--", removal->name, NULL };

        return removal->exists ? run_checked(argv, "remove the user", err) : 0;
}

/* While something of the account is left, so that a failure is made good by the next run. */
static int unguard_user(const struct removal *removal, struct error *err)
{
        (void)removal;
        return guard_follow(NULL, err);
}

/* Only the empty directory of root's that `account add` made: whatever else is there is not ours. */
static int remove_passwd_home(const struct removal *removal, struct error *err)
{
        cleanup_close int parent = -EBADF;
        char name[NAME_MAX + 1];

        if (!removal->exists)
                return 0;
        parent = places_open_parent(removal->account.home, name, err);
        if (parent == -ENOENT)
                return 0;
        if (parent < 0)
                return parent;
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
                return 0;
        if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
                output_note("%s is left in place: it is not the empty directory that an agent's home is",
                            removal->account.home);
                return 0;
        }
        return error_errno(err, errno, "cannot remove %s", removal->account.home);
}

static int remove_data_home(const struct removal *removal, struct error *err)
{
        cleanup_close int homes = -EBADF;
        char image[ACCOUNT_NAME_MAX + 8];

        if (removal->keep_home)
                return 0;
        homes = places_open_homes(false, err);
        if (homes == -ENOENT)
                return 0;
        if (homes < 0)
                return homes;
        /* The image that its virtual machines had as a home. A directory of this name is another account's home. */
        (void)snprintf(image, sizeof(image), "%s.guest", removal->name);
        if (unlinkat(homes, image, 0) < 0 && errno != ENOENT && errno != EISDIR)
                return error_errno(err, errno, "cannot remove " AGENTSH_STATE_DIR "/homes/%s", image);
        return fd_remove_tree(homes, removal->name, err);
}

static int remove_keys(const struct removal *removal, struct error *err)
{
        return remove_file_below(AGENTSH_CONFIG_DIR "/keys", removal->name, err);
}

/* What a later account of the same name must not find. */
static int remove_state(const struct removal *removal, struct error *err)
{
        static const char *const DIRECTORIES[] = { AGENTSH_RUNTIME_DIR "/slots", "/var/lib/systemd/linger",
                                                   "/var/spool/cron/crontabs", "/var/spool/cron" };

        for (size_t i = 0; i < sizeof(DIRECTORIES) / sizeof(DIRECTORIES[0]); i++) {
                int r = remove_file_below(DIRECTORIES[i], removal->name, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int remove_account(struct removal *removal, struct error *err)
{
        static int (*const STEPS[])(const struct removal *, struct error *) = {
                check_no_session, remove_policy, end_sessions, remove_passwd_home, unmask_user_manager,
                remove_user,      unguard_user,  remove_keys,  remove_state,       remove_data_home,
        };
        int r;

        r = check_removable(removal, err);
        for (size_t i = 0; r == 0 && i < sizeof(STEPS) / sizeof(STEPS[0]); i++)
                r = STEPS[i](removal, err);
        return r;
}

int verb_account_remove(int argc, char **argv)
{
        static const struct option OPTIONS[] = { { "keep-home", no_argument, NULL, 'k' },
                                                 { "force", no_argument, NULL, 'f' },
                                                 { 0 } };
        struct removal removal = { 0 };
        struct error err = ERROR_INIT;
        int option;

        while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
                if (option == 'k')
                        removal.keep_home = true;
                else if (option == 'f')
                        removal.force = true;
                else
                        return output_usage(argv[0], "cannot understand the options");
        }
        if (argc - optind != 1)
                return output_usage(argv[0], "give the name of one account");
        removal.name = argv[optind];
        if (remove_account(&removal, &err) < 0)
                return output_error(&err);
        (void)printf("%s is removed%s.\n", removal.name,
                     removal.keep_home ? "; its home is kept in " AGENTSH_STATE_DIR "/homes" : "");
        return finish_output(VERB_OK);
}
