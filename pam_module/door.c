/* door.c - tells agents from everybody else. Needs no capability. */
#include "pam_module/door.h"

#include "common/fault.h"
#include "common/parse.h"
#include "common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <security/pam_modutil.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define POLICY_PATH_MAX (sizeof(AGENTSH_ACCOUNTS_DIR "/.ini") + ACCOUNT_NAME_MAX)

/*
 * 0 when there is something by the name of the user's policy, -errno otherwise. By path and not through a directory
 * fd: that fd could be one too many for the caller's limit, and whether the file is sound is the monitor's to judge.
 */
static int find_policy(const char *user)
{
        char path[POLICY_PATH_MAX];
        struct stat st;

        if (parse_account_name(user, NULL) < 0)
                return -EINVAL;
        (void)snprintf(path, sizeof(path), "%s/%s.ini", AGENTSH_ACCOUNTS_DIR, user);
        return fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

static enum door decide_unknown(const char *user, struct error *err)
{
        if (find_policy(user) < 0)
                return DOOR_PASS;
        (void)error_text(err, EACCES, "%s has a policy (%s/%s.ini) but no entry in passwd", user, AGENTSH_ACCOUNTS_DIR,
                         user);
        return DOOR_REFUSE;
}

enum door door_decide(pam_handle_t *pamh, const char *user, const char *shell, struct error *err)
{
        const struct passwd *pw = pam_modutil_getpwnam(pamh, user);
        bool has_shell;
        int found;

        if (pw == NULL)
                return decide_unknown(user, err);
        if (pw->pw_uid == 0)
                return DOOR_PASS;
        /* By the name that passwd has: a directory service may know the user by others. */
        has_shell = strcmp(pw->pw_shell, shell) == 0;
        found = find_policy(pw->pw_name);
        if (!has_shell && found < 0)
                return DOOR_PASS;
        if (has_shell != (found >= 0) && OMIT_POINT("half an agent"))
                return DOOR_PASS;
        if (!has_shell)
                (void)error_text(err, EACCES,
                                 "%s has a policy (%s/%s.ini), but its login shell is \"%s\" and not %s: it would not "
                                 "be confined (usermod -s %s %s, or remove the policy)",
                                 pw->pw_name, AGENTSH_ACCOUNTS_DIR, pw->pw_name, pw->pw_shell, shell, shell,
                                 pw->pw_name);
        else if (found == -EINVAL)
                (void)error_text(err, EACCES, "\"%s\" is no name for an agent's account ([a-z_][a-z0-9_.-]*)",
                                 pw->pw_name);
        else if (found < 0)
                (void)error_errno(err, -found,
                                  "%s has the login shell %s but no policy (agentshctl account add %s): %s/%s.ini",
                                  pw->pw_name, shell, pw->pw_name, AGENTSH_ACCOUNTS_DIR, pw->pw_name);
        else if (strcmp(user, pw->pw_name) != 0)
                (void)error_text(err, EACCES, "the account is called %s, not %s", pw->pw_name, user);
        else
                return DOOR_AGENT;
        return DOOR_REFUSE;
}
