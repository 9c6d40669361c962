/* account_policy.c - `account add`: the account's policy file. Root. */
#include "admin/account_plan.h"
#include "admin/policy_report.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "policy/policy.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int check_words(const struct account_plan *plan, struct error *err)
{
        bool known = plan->tier == NULL;
        int r = 0;

        if (plan->template != NULL) {
                r = parse_account_name(plan->template, err);
                if (r < 0)
                        return error_prefix(err, "cannot use \"%s\" as a template's name", plan->template);
        }
        if (plan->shell != NULL) {
                r = parse_path(plan->shell, err);
                if (r < 0)
                        return error_prefix(err, "cannot use --shell");
        }
        for (enum policy_tier tier = TIER_CHROOT; !known && tier <= TIER_CLOUD; tier++)
                known = strcmp(plan->tier, policy_tier_name(tier)) == 0;
        return known ? 0 : error_text(err, EINVAL, "there is no tier \"%s\"", plan->tier);
}

static void append(struct account_plan *plan, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void append(struct account_plan *plan, const char *fmt, ...)
{
        size_t used = strlen(plan->policy_text);
        va_list arguments;

        va_start(arguments, fmt);
        (void)vsnprintf(plan->policy_text + used, sizeof(plan->policy_text) - used, fmt, arguments);
        va_end(arguments);
}

static void compose_policy(struct account_plan *plan)
{
        append(plan,
               "# The policy of the agent account %s. What it does not name comes from the template, then from\n"
               "# " AGENTSH_CONFIG_DIR "/agentsh.ini, then from the built-in defaults: agentsh.ini(5) has them\n"
               "# all, \"agentshctl policy explain %s\" shows what holds, \"agentshctl policy check %s\" checks.\n"
               "\n[account]\n",
               plan->name, plan->name, plan->name);
        if (plan->template != NULL)
                append(plan, "inherits = %s\n", plan->template);
        if (plan->tier != NULL)
                append(plan, "tier = %s\n", plan->tier);
        if (plan->shell != NULL)
                append(plan, "shell = %s\n", plan->shell);
}

int plan_policy_check(struct account_plan *plan, struct error *err)
{
        char file[ACCOUNT_NAME_MAX + 8];
        struct stat st;
        int r;

        (void)snprintf(file, sizeof(file), "%s.ini", plan->name);
        if (fstatat(plan->accounts_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
                return error_text(err, EEXIST, AGENTSH_ACCOUNTS_DIR "/%s is there already: remove it first", file);
        r = check_words(plan, err);
        if (r < 0)
                return r;
        compose_policy(plan);
        if (strlen(plan->policy_text) >= sizeof(plan->policy_text) - 1)
                return error_text(err, ENAMETOOLONG, "the policy is too long");
        return 0;
}

/* The draft's file name says to the loader which account it is of; to people, errors speak of the real one. */
static int load_draft(const struct account_plan *plan, const char *draft_account, struct error *err)
{
        struct policy_report report = { 0 };
        struct policy policy;
        char draft_file[64], real_file[64];
        int r;

        r = policy_load(plan->config_fd, draft_account, &policy, &report, NULL, err);
        (void)snprintf(draft_file, sizeof(draft_file), "accounts/%s.ini", draft_account);
        (void)snprintf(real_file, sizeof(real_file), "accounts/%s.ini", plan->name);
        for (size_t i = 0; i < report.count; i++)
                if (strcmp(report.issues[i].file, draft_file) == 0)
                        (void)snprintf(report.issues[i].file, sizeof(report.issues[i].file), "%s", real_file);
        if (r == -EINVAL && report.errors > 0)
                return policy_report_join(&report, "the policy would not be valid", err);
        return r < 0 ? error_prefix(err, "cannot check the policy") : 0;
}

int plan_draft_policy(struct account_plan *plan, struct error *err)
{
        struct error ignored = ERROR_INIT;
        char account[ACCOUNT_NAME_MAX + 1];
        int r;

        (void)snprintf(account, sizeof(account), "draft-of-%u-agentshctl", (unsigned)getpid());
        (void)snprintf(plan->draft, sizeof(plan->draft), "%s.ini", account);
        /* [environment] set may come to hold secrets: nobody but root needs to read a policy. */
        r = plan_write_file(plan->accounts_fd, plan->draft, plan->policy_text, 0600, err);
        if (r < 0)
                return error_prefix(err, "cannot write into " AGENTSH_ACCOUNTS_DIR);
        r = load_draft(plan, account, err);
        if (r < 0)
                (void)plan_remove_draft(plan, &ignored);
        return r;
}

int plan_remove_draft(struct account_plan *plan, struct error *err)
{
        return plan_remove_file(plan->accounts_fd, plan->draft, err);
}

static void policy_file_name(const struct account_plan *plan, char ret[ACCOUNT_NAME_MAX + 8])
{
        (void)snprintf(ret, ACCOUNT_NAME_MAX + 8, "%s.ini", plan->name);
}

int plan_place_policy(struct account_plan *plan, struct error *err)
{
        char file[ACCOUNT_NAME_MAX + 8];

        policy_file_name(plan, file);
        if (renameat2(plan->accounts_fd, plan->draft, plan->accounts_fd, file, RENAME_NOREPLACE) < 0)
                return error_errno(err, errno, "cannot put " AGENTSH_ACCOUNTS_DIR "/%s in place", file);
        return 0;
}

int plan_displace_policy(struct account_plan *plan, struct error *err)
{
        char file[ACCOUNT_NAME_MAX + 8];

        policy_file_name(plan, file);
        return plan_remove_file(plan->accounts_fd, file, err);
}

int plan_write_file(int dirfd, const char *name, const char *text, mode_t mode, struct error *err)
{
        cleanup_close int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot make the file %s", name);
        r = fd_write_all(fd, text, strlen(text), name, err);
        if (r == 0 && (fchown(fd, 0, 0) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0))
                r = error_errno(err, errno, "cannot finish the file %s", name);
        if (r < 0)
                (void)unlinkat(dirfd, name, 0);
        return r;
}

int plan_remove_file(int dirfd, const char *name, struct error *err)
{
        if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove the file %s", name);
        return 0;
}
