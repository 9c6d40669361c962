/* account_user.c - `account add`: the group of all agents and the new user. Root; runs groupadd and useradd. */
#include "admin/account_plan.h"
#include "admin/run.h"
#include "common/paths.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOME_BASE "/home"

static int check_group_name_free(const char *name, struct error *err)
{
        if (getgrnam(name) != NULL)
                return error_text(err, EEXIST,
                                  "cannot add %s: there is a group of that name already; choose another "
                                  "name or run \"groupdel %s\"",
                                  name, name);
        return 0;
}

static int check_shell_installed(struct error *err)
{
        if (access(AGENTSH_SHELL_PATH, X_OK) < 0)
                return error_text(err, ENOENT,
                                  "the login shell " AGENTSH_SHELL_PATH " is not installed: run "
                                  "\"make install\" first");
        return 0;
}

static int check_uid(uid_t uid, struct error *err)
{
        if (uid < account_first_human_uid() || uid == 65534 || uid == (uid_t)-1 || uid == 65535)
                return error_text(err, EINVAL,
                                  "uid %u cannot be an agent's: uids below %u, 65534 and 65535 are the "
                                  "system's",
                                  (unsigned)uid, (unsigned)account_first_human_uid());
        return 0;
}

int plan_user_check(struct account_plan *plan, struct error *err)
{
        struct account found;
        struct error ignored = ERROR_INIT;
        int r;

        r = parse_account_name(plan->name, err);
        if (r < 0)
                return error_prefix(err, "cannot use \"%s\" as an account's name", plan->name);
        r = check_shell_installed(err);
        if (r < 0)
                return r;
        if (plan->convert)
                return plan_convert_check(plan, err);
        r = account_find(plan->name, &found, &ignored);
        if (r == 0)
                return error_text(err, EEXIST, "there is an account %s already%s", plan->name,
                                  account_is_agent(&found) ? ", and it is an agent"
                                                           : "; to turn it into an agent, add --convert");
        if (r != -ENOENT) {
                *err = ignored;
                return r;
        }
        r = check_group_name_free(plan->name, err);
        if (r < 0)
                return r;
        (void)snprintf(plan->home, sizeof(plan->home), HOME_BASE "/%s", plan->name);
        return plan->uid == 0 ? 0 : check_uid(plan->uid, err);
}

int plan_make_group(struct account_plan *plan, struct error *err)
{
        static const char *const ARGV[] = { "groupadd", "--system", AGENTS_GROUP, NULL };
        int r;

        if (getgrnam(AGENTS_GROUP) != NULL)
                return 0;
        r = run_checked(ARGV, "make the group " AGENTS_GROUP, err);
        if (r == 0)
                plan->group_made = true;
        return r;
}

int plan_unmake_group(struct account_plan *plan, struct error *err)
{
        static const char *const ARGV[] = { "groupdel", AGENTS_GROUP, NULL };

        return plan->group_made ? run_checked(ARGV, "remove the group " AGENTS_GROUP, err) : 0;
}

static int add_user(const struct account_plan *plan, struct error *err)
{
        char uid[16];
        const char *argv[20];
        size_t count = 0;

        (void)snprintf(uid, sizeof(uid), "%u", (unsigned)plan->uid);
        argv[count++] = "useradd";
        argv[count++] = "--no-create-home";
        argv[count++] = "--user-group";
        argv[count++] = "--home-dir";
        argv[count++] = plan->home;
        argv[count++] = "--shell";
        argv[count++] = AGENTSH_SHELL_PATH;
        argv[count++] = "--groups";
        argv[count++] = AGENTS_GROUP;
        argv[count++] = "--comment";
        argv[count++] = "AI agent";
        if (plan->uid != 0) {
                argv[count++] = "--uid";
                argv[count++] = uid;
        }
        argv[count++] = "--";
        argv[count++] = plan->name;
        argv[count] = NULL;
        return run_checked(argv, "add the user", err);
}

/* What useradd made is checked, not believed: a site's useradd may be a wrapper with ideas of its own. */
static int check_made_user(struct account_plan *plan, struct error *err)
{
        int r = account_find(plan->name, &plan->account, err);

        if (r < 0)
                return r;
        if (!account_is_agent(&plan->account) || strcmp(plan->account.home, plan->home) != 0 ||
            plan->account.uid == 0 || plan->account.gid == 0)
                return error_text(err, EIO, "useradd made %s with another shell, home or id than it was told",
                                  plan->name);
        if (!account_in_agents_group(&plan->account))
                return error_text(err, EIO, "useradd did not put %s into the group " AGENTS_GROUP, plan->name);
        return 0;
}

int plan_make_user(struct account_plan *plan, struct error *err)
{
        struct error ignored = ERROR_INIT;
        int r;

        r = add_user(plan, err);
        if (r < 0)
                return r;
        r = check_made_user(plan, err);
        if (r < 0)
                (void)plan_unmake_user(plan, &ignored);
        return r;
}

int plan_unmake_user(struct account_plan *plan, struct error *err)
{
        const char *const argv[] = { "userdel", "--", plan->name, NULL };

        return run_checked(argv, "remove the user", err);
}
