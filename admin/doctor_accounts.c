/* doctor_accounts.c - the user database against the policies: who is an agent, by shell, group and file. Root. */
#include "admin/doctor.h"
#include "admin/login_defs.h"
#include "admin/places.h"
#include "admin/policy_report.h"
#include "admin/user_manager.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#define CHECK           "accounts"
#define SHELLS_MAX      (256 * 1024)
#define SUBID_MIN_COUNT 65535 /* ids 1 to 65535 inside */
#define SUBID_MIN_START 65536 /* below are real accounts */

static void check_shells(struct findings *findings)
{
        cleanup_close int fd = open("/etc/shells", O_RDONLY | O_CLOEXEC);
        cleanup_free char *text = NULL;
        size_t size, length = strlen(AGENTSH_SHELL_PATH);

        if (fd < 0 || fd_read_all(fd, SHELLS_MAX, &text, &size, NULL) < 0)
                return;
        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                if (strncmp(line, AGENTSH_SHELL_PATH, length) != 0 || strcspn(line, " \t\r\n") != length)
                        continue;
                finding_add(findings, FINDING_BAD, CHECK,
                            "/etc/shells lists " AGENTSH_SHELL_PATH ": whoever knows an "
                            "agent's password can run \"su -s /bin/sh\" on the host");
                finding_remedy(findings, "sed -i '\\|^" AGENTSH_SHELL_PATH "|d' /etc/shells");
                return;
        }
        finding_add(findings, FINDING_OK, CHECK, "/etc/shells does not list " AGENTSH_SHELL_PATH);
}

static void check_password(struct findings *findings, const struct account *agent)
{
        enum password_state state = account_password_state(agent->name);

        if (state == PASSWORD_EMPTY) {
                finding_add(findings, FINDING_BAD, CHECK, "%s has an empty password", agent->name);
                finding_remedy(findings, "passwd -l %s", agent->name);
        } else if (state == PASSWORD_SET) {
                finding_add(findings, FINDING_WARNING, CHECK,
                            "%s has a password: local users who know it can log in "
                            "by su",
                            agent->name);
                finding_remedy(findings, "passwd -l %s, or: leave it so, if that is wanted", agent->name);
        }
}

/* Refused all the same: what it leaves is a failed unit behind each login. */
static void check_user_manager(struct findings *findings, const struct account *agent)
{
        if (access("/run/systemd/system", F_OK) < 0 || user_manager_is_masked(agent->uid))
                return;
        finding_add(findings, FINDING_WARNING, CHECK, "%s: user@%u.service is not masked, and fails at each login",
                    agent->name, (unsigned)agent->uid);
        finding_remedy(findings, "systemctl mask user@%u.service; systemctl reset-failed", (unsigned)agent->uid);
}

static void check_subids(struct findings *findings, const struct account *agent, const char *path, const char *flag)
{
        struct subid_range range;
        uint64_t first;

        if (subid_find(path, agent->name, agent->uid, &range) && range.count >= SUBID_MIN_COUNT &&
            range.start >= SUBID_MIN_START)
                return;
        finding_add(findings, FINDING_BAD, CHECK, "%s has fake_root = yes, but no range of %d ids in %s", agent->name,
                    SUBID_MIN_COUNT, path);
        first = subid_first_free(path, SUBID_MIN_START * 2);
        if (first + SUBID_MIN_START <= UINT32_MAX)
                finding_remedy(findings, "usermod %s %llu-%llu %s", flag, (unsigned long long)first,
                               (unsigned long long)first + SUBID_MIN_START - 1, agent->name);
        else
                finding_remedy(findings, "usermod %s FIRST-LAST %s, with 65536 ids that no other account has", flag,
                               agent->name);
}

static bool has_policy_file(const char *account)
{
        char path[sizeof(AGENTSH_ACCOUNTS_DIR) + ACCOUNT_NAME_MAX + 8];

        (void)snprintf(path, sizeof(path), AGENTSH_ACCOUNTS_DIR "/%s.ini", account);
        return access(path, F_OK) == 0;
}

static void add_warnings(struct findings *findings, const struct policy_report *report)
{
        for (size_t i = 0; i < report->count; i++) {
                char text[512];

                policy_issue_format(&report->issues[i], text, sizeof(text));
                finding_add(findings, FINDING_WARNING, CHECK, "%s", text);
                finding_remedy(findings, "edit " AGENTSH_CONFIG_DIR "/%s, then: agentshctl policy check",
                               report->issues[i].file);
        }
}

static void check_policy(struct findings *findings, int config_fd, const struct account *agent)
{
        struct policy_report report;
        struct policy policy;
        char first[512];

        if (policy_report_load(config_fd, agent->name, &policy, &report, NULL) < 0) {
                policy_report_first(&report, first, sizeof(first));
                finding_add(findings, FINDING_BAD, CHECK, "%s: the policy is not valid, every login is refused: %s",
                            agent->name, first);
                if (has_policy_file(agent->name))
                        finding_remedy(findings, "agentshctl policy check %s names every error", agent->name);
                else
                        finding_remedy(findings,
                                       "install -m 0644 /dev/null " AGENTSH_ACCOUNTS_DIR "/%s.ini, or: agentshctl "
                                       "account remove %s",
                                       agent->name, agent->name);
                return;
        }
        add_warnings(findings, &report);
        if (policy.fake_root) {
                check_subids(findings, agent, "/etc/subuid", "--add-subuids");
                check_subids(findings, agent, "/etc/subgid", "--add-subgids");
        }
        if (policy.nested) {
                finding_add(findings, FINDING_NOTE, CHECK,
                            "%s may make namespaces of its own (nested = yes): more of the kernel is within its reach, "
                            "and its /proc is not masked",
                            agent->name);
                finding_remedy(findings, "leave nested out of " AGENTSH_ACCOUNTS_DIR "/%s.ini, if it can do without",
                               agent->name);
        }
        if (!policy.enabled)
                finding_add(findings, FINDING_NOTE, CHECK, "%s is disabled by its policy", agent->name);
        else if (policy.expires != 0 && policy.expires < process_realtime())
                finding_add(findings, FINDING_NOTE, CHECK, "%s has expired by its policy", agent->name);
        else
                finding_add(findings, FINDING_OK, CHECK, "%s: the policy is valid (tier %s)", agent->name,
                            policy.risk == RISK_HIGH ? "vm" : policy_tier_name(policy.tier));
}

static void check_agent(struct findings *findings, int config_fd, const struct account *agent)
{
        if (agent->uid == 0 || agent->gid == 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s has uid %u and gid %u: root can never be an agent",
                            agent->name, (unsigned)agent->uid, (unsigned)agent->gid);
                finding_remedy(findings, "usermod --shell /bin/bash %s", agent->name);
                return;
        }
        if (!account_in_agents_group(agent)) {
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s is not in the group " AGENTS_GROUP ": sshd's rules for "
                            "agents do not hold for it",
                            agent->name);
                finding_remedy(findings, "usermod --append --groups " AGENTS_GROUP " %s", agent->name);
        }
        check_password(findings, agent);
        check_user_manager(findings, agent);
        if (config_fd >= 0)
                check_policy(findings, config_fd, agent);
}

static void check_member(struct findings *findings, const char *name)
{
        struct account account;

        if (account_find(name, &account, NULL) < 0 || account_is_agent(&account))
                return;
        finding_add(findings, FINDING_BAD, CHECK,
                    "%s is in the group " AGENTS_GROUP ", but its login shell is %s: it "
                    "is not confined",
                    name, account.shell);
        finding_remedy(findings, "gpasswd -d %s " AGENTS_GROUP ", or: agentshctl account add --convert %s", name, name);
}

/* Members by the group's list, then those who have it as their primary group. */
static void check_group(struct findings *findings)
{
        const struct group *group = getgrnam(AGENTS_GROUP);
        const struct passwd *entry;
        gid_t gid;

        if (group == NULL) {
                finding_add(findings, FINDING_WARNING, CHECK, "there is no group " AGENTS_GROUP);
                finding_remedy(findings, "groupadd --system " AGENTS_GROUP);
                return;
        }
        gid = group->gr_gid;
        for (char **member = group->gr_mem; *member != NULL; member++)
                check_member(findings, *member);
        setpwent();
        while ((entry = getpwent()) != NULL) {
                if (entry->pw_gid != gid || strcmp(entry->pw_shell, AGENTSH_SHELL_PATH) == 0)
                        continue;
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s has " AGENTS_GROUP " as its primary group, but its login "
                            "shell is %s: it is not confined",
                            entry->pw_name, entry->pw_shell);
                finding_remedy(findings, "usermod --gid OTHER %s", entry->pw_name);
        }
        endpwent();
}

/* A policy makes its name an agent's: a person of that name is refused everywhere. */
static void check_policy_owner(struct findings *findings, const char *name)
{
        struct account account;

        if (account_find(name, &account, NULL) < 0) {
                finding_add(findings, FINDING_NOTE, CHECK, AGENTSH_ACCOUNTS_DIR "/%s.ini is of no account", name);
                finding_remedy(findings, "agentshctl account remove %s", name);
        } else if (!account_is_agent(&account)) {
                finding_add(findings, FINDING_BAD, CHECK,
                            "there is a policy for %s, but its login shell is %s: every "
                            "login of it is refused",
                            name, account.shell);
                finding_remedy(findings,
                               "rm " AGENTSH_ACCOUNTS_DIR "/%s.ini, or: usermod --shell " AGENTSH_SHELL_PATH " %s",
                               name, name);
        }
}

static void check_policy_owners(struct findings *findings, int config_fd)
{
        cleanup_close int accounts = -EBADF;
        cleanup_name_list struct name_list files = { 0 };
        struct error err = ERROR_INIT;

        accounts = places_open_config_subdir(config_fd, "accounts", false, &err);
        if (accounts < 0 || places_list(accounts, places_filter_policies, &files, &err) < 0) {
                if (accounts != -ENOENT)
                        finding_add(findings, FINDING_BAD, CHECK, "%s", err.text);
                return;
        }
        for (int i = 0; i < files.count; i++) {
                char name[ACCOUNT_NAME_MAX + 1];

                if (places_account_of_file(files.entry[i]->d_name, name))
                        check_policy_owner(findings, name);
        }
}

void doctor_accounts(struct findings *findings, const struct account_list *agents)
{
        struct error err = ERROR_INIT;
        cleanup_close int config = places_open_config(&err);

        if (config < 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s", err.text);
                finding_remedy(findings, "chown root:root " AGENTSH_CONFIG_DIR " && chmod 0755 " AGENTSH_CONFIG_DIR
                                         ", or install agentsh again");
        }
        check_shells(findings);
        check_group(findings);
        if (config >= 0)
                check_policy_owners(findings, config);
        for (size_t i = 0; i < agents->count; i++) {
                size_t first = findings->count;

                check_agent(findings, config, &agents->account[i]);
                findings_give(findings, first, agents->account[i].name);
        }
        if (agents->count == 0) {
                finding_add(findings, FINDING_NOTE, CHECK, "there is no agent account yet");
                finding_remedy(findings, "agentshctl account add NAME --key FILE");
        }
}
