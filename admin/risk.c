/*
 * risk.c - agentshctl risk: how much an account is trusted, changed in its file for the logins to come. Root. The changed
 * text is written under a name that is no account's, loaded with every check, and only then renamed into place.
 */
#include "admin/account_plan.h"
#include "admin/accounts.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/policy_edit.h"
#include "admin/policy_report.h"
#include "admin/session_list.h"
#include "admin/tier_outlook.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define END_TIMEOUT_MS 15000

struct change {
        const char *name, *risk;
        bool force, end_sessions;
        int config_fd, accounts_fd; /* owned */
        char file[ACCOUNT_NAME_MAX + 8], draft_account[ACCOUNT_NAME_MAX + 1], draft[ACCOUNT_NAME_MAX + 8];
        struct stat before;
        char *text; /* owned: the changed file */
        struct tier_outlook outlook;
};

static void change_done(struct change *change)
{
        cleanup_close_fd(&change->accounts_fd);
        cleanup_close_fd(&change->config_fd);
        cleanup_free_pointer((void *)&change->text);
}
#define cleanup_change __attribute__((cleanup(change_done)))

/* The lock of all that changes the configuration. */
static int open_places(struct change *change, struct error *err)
{
        change->config_fd = places_open_config(err);
        if (change->config_fd < 0)
                return change->config_fd;
        if (flock(change->config_fd, LOCK_EX) < 0)
                return error_errno(err, errno, "cannot wait for another change of " AGENTSH_CONFIG_DIR);
        change->accounts_fd = places_open_config_subdir(change->config_fd, "accounts", false, err);
        return change->accounts_fd < 0 ? change->accounts_fd : 0;
}

static int read_and_edit(struct change *change, struct error *err)
{
        cleanup_close int fd = fd_open_beneath(change->accounts_fd, change->file, O_RDONLY | O_NONBLOCK, 0, err);
        cleanup_free char *text = NULL;
        size_t size;
        int r;

        if (fd == -ENOENT)
                return error_text(err, ENOENT, "%s has no policy: " AGENTSH_ACCOUNTS_DIR "/%s is missing", change->name,
                                  change->file);
        r = fd < 0 ? fd : fd_check_root_owned(fd, S_IFREG, change->file, err);
        if (r >= 0 && fstat(fd, &change->before) < 0)
                r = error_errno(err, errno, "cannot look at %s", change->file);
        if (r >= 0)
                r = fd_read_all(fd, POLICY_FILE_SIZE_MAX, &text, &size, err);
        if (r >= 0)
                r = policy_edit_set(text, size, "account", "risk", change->risk, &change->text, err);
        return r < 0 ? error_prefix(err, "cannot change " AGENTSH_ACCOUNTS_DIR "/%s", change->file) : 0;
}

/* To people, errors speak of the account's file. */
static int refuse_draft(const struct change *change, struct policy_report *report, struct error *err)
{
        for (size_t i = 0; i < report->count; i++)
                if (strstr(report->issues[i].file, change->draft) != NULL)
                        (void)snprintf(report->issues[i].file, sizeof(report->issues[i].file), "accounts/%s",
                                       change->file);
        return policy_report_join(report, "nothing is changed: the policy would not be valid", err);
}

static int judge_draft(struct change *change, struct error *err)
{
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));
        cleanup_free struct policy *policy = calloc(1, sizeof(*policy));
        int r;

        if (report == NULL || policy == NULL)
                return error_errno(err, ENOMEM, "cannot check the policy");
        if (policy_report_load(change->config_fd, change->draft_account, policy, report, NULL) < 0)
                return refuse_draft(change, report, err);
        r = tier_outlook_read(change->draft_account, change->name, policy, &change->outlook, err);
        if (r < 0)
                return error_prefix(err, "cannot find out what this host can do");
        /* A policy that refuses all logins is safe, but seldom what was meant. */
        if (change->outlook.refused && !change->force)
                return error_text(err, ENOTSUP,
                                  "nothing is changed: every login of %s would be refused, since this host cannot run "
                                  "the tier %s: %s",
                                  change->name, change->outlook.tier, change->outlook.reason);
        return 0;
}

static int place_draft(const struct change *change, struct error *err)
{
        struct stat now;

        if (fstatat(change->accounts_fd, change->file, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
            now.st_ino != change->before.st_ino || now.st_size != change->before.st_size ||
            memcmp(&now.st_mtim, &change->before.st_mtim, sizeof(now.st_mtim)) != 0)
                return error_text(err, EBUSY, AGENTSH_ACCOUNTS_DIR "/%s was changed meanwhile: run it again",
                                  change->file);
        if (renameat(change->accounts_fd, change->draft, change->accounts_fd, change->file) < 0)
                return error_errno(err, errno, "cannot put " AGENTSH_ACCOUNTS_DIR "/%s in place", change->file);
        return fsync(change->accounts_fd) < 0 ? error_errno(err, errno, "cannot finish " AGENTSH_ACCOUNTS_DIR) : 0;
}

static int write_and_place(struct change *change, struct error *err)
{
        struct error ignored = ERROR_INIT;
        int r = plan_write_file(change->accounts_fd, change->draft, change->text, change->before.st_mode & 07777, err);

        if (r < 0)
                return r;
        r = judge_draft(change, err);
        if (r >= 0)
                r = place_draft(change, err);
        if (r < 0 && plan_remove_file(change->accounts_fd, change->draft, &ignored) < 0)
                (void)error_prefix(err, "(and the file %s cannot be removed)", change->draft);
        return r;
}

/* Signals wait until there is no draft. */
static int change_file(struct change *change, struct error *err)
{
        struct account account;
        sigset_t all, before;
        int r = account_find(change->name, &account, err);

        if (r < 0)
                return r;
        if (!account_is_agent(&account))
                return error_text(err, EINVAL, "%s is no agent: its login shell is %s", change->name, account.shell);
        (void)snprintf(change->file, sizeof(change->file), "%s.ini", change->name);
        (void)snprintf(change->draft_account, sizeof(change->draft_account), "draft-of-%u-agentshctl",
                       (unsigned)getpid());
        (void)snprintf(change->draft, sizeof(change->draft), "%s.ini", change->draft_account);
        r = open_places(change, err);
        if (r >= 0)
                r = read_and_edit(change, err);
        if (r < 0)
                return r;
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, &before);
        r = write_and_place(change, err);
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return r;
}

static int end_sessions(const struct change *change)
{
        cleanup_session_list struct session_list list = { 0 };
        struct error err = ERROR_INIT;
        int status = VERB_OK;

        if (session_list_read(change->name, &list, &err) < 0)
                return output_error(&err);
        if (!change->end_sessions && list.count > 0)
                (void)printf("%zu session%s of it go%s on as before (--end-sessions ends them).\n", list.count,
                             list.count == 1 ? "" : "s", list.count == 1 ? "es" : "");
        for (size_t i = 0; change->end_sessions && i < list.count; i++) {
                if (session_end(&list.state[i], END_TIMEOUT_MS, &err) < 0)
                        status = output_error(&err);
                else
                        (void)printf("%s of %s has ended\n", list.state[i].id, change->name);
        }
        return status;
}

static void print_outlook(const struct change *change)
{
        const struct tier_outlook *outlook = &change->outlook;

        (void)printf("%s: risk = %s. From the next login on it gets the tier %s, since %s.\n", change->name,
                     change->risk, outlook->tier, outlook->why);
        if (outlook->template[0] != '\0')
                (void)printf("Template: %s.\n", outlook->template);
        if (outlook->refused)
                output_note("until this host can run it, every login of %s is refused: %s. Remedy: %s", change->name,
                            outlook->reason, outlook->remedy);
}

static int parse_command(int argc, char **argv, struct change *change)
{
        static const struct option OPTIONS[] = { { "end-sessions", no_argument, NULL, 'e' },
                                                 { "force", no_argument, NULL, 'f' },
                                                 { 0 } };
        struct error err = ERROR_INIT;
        int option;

        while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
                if (option == '?')
                        return output_usage(argv[0], "cannot understand the options");
                change->force = change->force || option == 'f';
                change->end_sessions = change->end_sessions || option == 'e';
        }
        if (argc - optind != 2)
                return output_usage(argv[0], "give the name of an account, and high or normal");
        change->name = argv[optind];
        change->risk = argv[optind + 1];
        if (strcmp(change->risk, "high") != 0 && strcmp(change->risk, "normal") != 0)
                return output_usage(argv[0], "\"%.32s\" is not high or normal", change->risk);
        if (parse_account_name(change->name, &err) < 0)
                return output_usage(argv[0], "%s", err.text);
        return VERB_OK;
}

int verb_risk(int argc, char **argv)
{
        cleanup_change struct change change = { .config_fd = -EBADF, .accounts_fd = -EBADF };
        struct error err = ERROR_INIT;
        int status = parse_command(argc, argv, &change);

        if (status != VERB_OK)
                return status;
        if (change_file(&change, &err) < 0) {
                (void)output_error(&err);
                if (err.number == ENOTSUP)
                        output_note("remedy: %s, or: --force, which changes it all the same", change.outlook.remedy);
                return VERB_FAILED;
        }
        print_outlook(&change);
        return finish_output(end_sessions(&change));
}
