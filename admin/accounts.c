/* accounts.c - the user database. Reads only. */
#include "admin/accounts.h"

#include "admin/login_defs.h"
#include "common/cleanup.h"
#include "common/paths.h"

#include <grp.h>
#include <pwd.h>
#include <shadow.h>
#include <string.h>

#define GROUPS_MAX 256

/* false when a field is longer than any that this project makes. */
static bool copy_account(const struct passwd *entry, struct account *ret)
{
        if (strlen(entry->pw_name) >= sizeof(ret->name) || strlen(entry->pw_dir) >= sizeof(ret->home) ||
            strlen(entry->pw_shell) >= sizeof(ret->shell))
                return false;
        *ret = (struct account){ .uid = entry->pw_uid, .gid = entry->pw_gid };
        (void)snprintf(ret->name, sizeof(ret->name), "%s", entry->pw_name);
        (void)snprintf(ret->home, sizeof(ret->home), "%s", entry->pw_dir);
        (void)snprintf(ret->shell, sizeof(ret->shell), "%s", entry->pw_shell);
        return true;
}

int account_find(const char *name, struct account *ret, struct error *err)
{
        const struct passwd *entry;

        errno = 0;
        entry = getpwnam(name);
        if (entry == NULL && errno != 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot look up the account %s", name);
        if (entry == NULL)
                return error_text(err, ENOENT, "there is no account %s", name);
        if (!copy_account(entry, ret))
                return error_text(err, ENAMETOOLONG, "the passwd entry of %s is too long", name);
        return 0;
}

bool account_is_agent(const struct account *account)
{
        return strcmp(account->shell, AGENTSH_SHELL_PATH) == 0;
}

int account_list_agents(struct account_list *ret, struct error *err)
{
        cleanup_account_list struct account_list list = { 0 };
        const struct passwd *entry;

        setpwent();
        while ((errno = 0, entry = getpwent()) != NULL) {
                struct account *grown;

                if (strcmp(entry->pw_shell, AGENTSH_SHELL_PATH) != 0)
                        continue;
                grown = reallocarray(list.account, list.count + 1, sizeof(*grown));
                if (grown == NULL) {
                        endpwent();
                        return error_errno(err, ENOMEM, "cannot list the accounts");
                }
                list.account = grown;
                if (copy_account(entry, &list.account[list.count]))
                        list.count++;
        }
        endpwent();
        *ret = list;
        list = (struct account_list){ 0 };
        return 0;
}

void account_list_done(struct account_list *list)
{
        free(list->account);
        *list = (struct account_list){ 0 };
}

bool account_in_agents_group(const struct account *account)
{
        const struct group *group = getgrnam(AGENTS_GROUP);

        if (group == NULL)
                return false;
        if (group->gr_gid == account->gid)
                return true;
        for (char **member = group->gr_mem; *member != NULL; member++)
                if (strcmp(*member, account->name) == 0)
                        return true;
        return false;
}

int account_join_groups(const struct account *account, char *ret, size_t size, struct error *err)
{
        gid_t gids[GROUPS_MAX];
        int count = GROUPS_MAX;
        size_t used = 0;

        if (getgrouplist(account->name, account->gid, gids, &count) < 0)
                return error_text(err, E2BIG, "%s is in more than %d groups", account->name, GROUPS_MAX);
        ret[0] = '\0';
        for (int i = 0; i < count; i++) {
                const struct group *group = gids[i] == account->gid ? NULL : getgrgid(gids[i]);
                int put;

                if (group == NULL)
                        continue;
                put = snprintf(ret + used, size - used, "%s%s", used > 0 ? "," : "", group->gr_name);
                if (put < 0 || (size_t)put >= size - used)
                        return error_text(err, E2BIG, "the list of groups of %s is too long", account->name);
                used += (size_t)put;
        }
        return 0;
}

enum password_state account_password_state(const char *name)
{
        const struct spwd *entry = getspnam(name);

        if (entry == NULL)
                return PASSWORD_UNKNOWN;
        if (entry->sp_pwdp[0] == '\0')
                return PASSWORD_EMPTY;
        return entry->sp_pwdp[0] == '!' || entry->sp_pwdp[0] == '*' ? PASSWORD_LOCKED : PASSWORD_SET;
}

uid_t account_first_human_uid(void)
{
        return (uid_t)login_defs_number("UID_MIN", 1000);
}
