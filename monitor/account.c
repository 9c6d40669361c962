/* account.c - admits or refuses a login. Reads passwd and root's policy files; changes nothing. */
#include "monitor/account.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/process.h"
#include "monitor/log.h"
#include "monitor/ssh_login.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#define PASSWD_BUFFER 16384
#define KEYS_MAX      (256 * 1024)

static int read_passwd(const char *user, struct account *ret, struct error *err)
{
        cleanup_free char *buffer = malloc(PASSWD_BUFFER);
        struct passwd entry, *found = NULL;
        int r;

        if (buffer == NULL)
                return error_errno(err, ENOMEM, "cannot look up %s", user);
        r = getpwnam_r(user, &entry, buffer, PASSWD_BUFFER, &found);
        if (found == NULL)
                return error_errno(err, r != 0 ? r : ENOENT, "cannot look up the account %s", user);
        if (entry.pw_uid == 0 || entry.pw_gid == 0)
                return error_text(err, EPERM, "%s has uid or gid 0: root can never be an agent", user);
        if (strcmp(entry.pw_shell, AGENTSH_SHELL_PATH) != 0)
                return error_text(err, EPERM, "the login shell of %s is %s, not %s: it would be unconfined", user,
                                  entry.pw_shell, AGENTSH_SHELL_PATH);
        if (strlen(entry.pw_dir) >= sizeof(ret->home))
                return error_errno(err, ENAMETOOLONG, "the home of %s", user);
        ret->uid = entry.pw_uid;
        ret->gid = entry.pw_gid;
        (void)snprintf(ret->home, sizeof(ret->home), "%s", entry.pw_dir);
        return parse_path(ret->home, err);
}

/* What lies in the passwd home would be read outside (.ssh/rc, .pam_environment ...): it must be root's alone. */
static int check_outer_home(const struct account *account, struct error *err)
{
        cleanup_close int fd = -EBADF;
        int r;

        if (OMIT_POINT("passwd home"))
                return 0;
        fd = fd_open_absolute(account->home, O_RDONLY | O_DIRECTORY, 0, err);
        r = fd < 0 ? fd : fd_check_root_owned(fd, S_IFDIR, account->home, err);
        return r < 0 ? error_prefix(err, "the passwd home must be an empty directory of root's") : 0;
}

/* A login asks twice, in the account and in the session phase: warnings are told once. */
static void log_issues(const struct policy_report *report, bool warnings)
{
        char line[640];

        for (size_t i = 0; i < report->count; i++) {
                if (report->issues[i].warning && !warnings)
                        continue;
                policy_issue_format(&report->issues[i], line, sizeof(line));
                log_line(report->issues[i].warning ? LOG_WARNING : LOG_ERR, "policy: %s", line);
        }
        if (report->more > 0)
                log_line(LOG_ERR, "policy: %zu further problems", report->more);
}

static int refuse_policy(const struct policy_report *report, struct error *err)
{
        char line[640];

        for (size_t i = 0; i < report->count; i++) {
                if (report->issues[i].warning)
                        continue;
                policy_issue_format(&report->issues[i], line, sizeof(line));
                return error_text(err, EINVAL, "policy: %.200s", line);
        }
        return error_prefix(err, "policy");
}

static int read_policy(const struct control_request *request, struct policy *ret, struct error *err)
{
        cleanup_close int config = -EBADF;
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));
        const char *user = request->user;
        int r;

        if (report == NULL)
                return error_errno(err, ENOMEM, "cannot read the policy of %s", user);
        config = fd_open_absolute(AGENTSH_CONFIG_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        if (config < 0)
                return error_prefix(err, "policy");
        r = policy_load(config, user, ret, report, NULL, err);
        log_issues(report, request->kind == CONTROL_OPEN);
        if (r == -ENOENT)
                return error_text(err, ENOENT, "%s has no policy: %s/%s.ini is missing", user, AGENTSH_ACCOUNTS_DIR,
                                  user);
        return r < 0 ? refuse_policy(report, err) : 0;
}

static int check_admission(const struct control_request *request, const struct policy *policy, struct error *err)
{
        if (!policy->enabled)
                return error_text(err, EACCES, "the account %s is disabled by its policy", request->user);
        if (policy->expires != 0 && process_realtime() > policy->expires)
                return error_text(err, EKEYEXPIRED, "the account %s has expired", request->user);
        if (!policy_allows_service(policy, request->service) && !OMIT_POINT("services"))
                return error_text(err, EACCES, "the service %s is not among the services of %s", request->service,
                                  request->user);
        return 0;
}

/* The account's keys; none where there is no file. The caller frees. */
static int read_keys(const char *user, char **ret, struct error *err)
{
        cleanup_close int config = fd_open_absolute(AGENTSH_CONFIG_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        cleanup_close int directory = -EBADF, fd = -EBADF;
        size_t size;
        int r;

        if (config < 0)
                return config;
        directory = fd_open_beneath(config, "keys", O_RDONLY | O_DIRECTORY, 0, err);
        fd = directory < 0 ? directory : fd_open_beneath(directory, user, O_RDONLY | O_NONBLOCK, 0, err);
        if (fd == -ENOENT) {
                *ret = strdup("");
                return *ret != NULL ? 0 : error_errno(err, ENOMEM, "cannot read keys");
        }
        r = fd < 0 ? fd : fd_check_root_owned(directory, S_IFDIR, "keys", err);
        if (r >= 0)
                r = fd_check_root_owned(fd, S_IFREG, user, err);
        return r < 0 ? r : fd_read_all(fd, KEYS_MAX, ret, &size, err);
}

int account_check_ssh(const struct control_request *request, const struct account *account, struct error *err)
{
        cleanup_free char *keys = NULL;
        int r;

        if (account->policy.sshd == SSHD_ANY || (strcmp(request->service, "sshd") != 0 && request->auth[0] == '\0'))
                return 0;
        if (OMIT_POINT("ssh login"))
                return 0;
        r = read_keys(request->user, &keys, err);
        return r < 0 ? error_prefix(err, "the keys of %s", request->user) : ssh_login_check(request->auth, keys, err);
}

int account_admit(const struct control_request *request, struct account *ret, struct error *err)
{
        struct account account = { .uid = 0 };
        int r = read_passwd(request->user, &account, err);

        if (r < 0)
                return r;
        r = read_policy(request, &account.policy, err);
        if (r < 0)
                return r;
        r = check_admission(request, &account.policy, err);
        if (r < 0)
                return r;
        r = check_outer_home(&account, err);
        if (r < 0)
                return r;
        account.tier = tier_find(&account.policy, err);
        if (account.tier == NULL)
                return -ENOTSUP;
        r = account.tier->probe(&account.policy, account.uid, err);
        if (r < 0)
                return r;
        *ret = account;
        return 0;
}
