/* doctor_pam.c - whether every service that can log somebody in asks pam_agentsh.so first. Reads only. */
#include "admin/doctor.h"
#include "admin/pam_stack.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#define CHECK  "pam"
#define MODULE "pam_agentsh.so"

static const char *const DIRECTORIES[] = { "/etc/pam.d", "/usr/lib/pam.d" };

#define DIRECTORY_COUNT (sizeof(DIRECTORIES) / sizeof(DIRECTORIES[0]))

/* A service without a file of its own gets the stack of "other". */
static const char *const SERVICES[] = { "sshd",   "su",   "su-l", "login", "remote",       "sudo",
                                        "sudo-i", "cron", "atd",  "crond", "systemd-user", "other" };

static void check_module_file(struct findings *findings)
{
        static const char *const PATTERNS[] = { "/lib/*/security/" MODULE,   "/lib/security/" MODULE,
                                                "/lib64/security/" MODULE,   "/usr/lib/*/security/" MODULE,
                                                "/usr/lib/security/" MODULE, "/usr/lib64/security/" MODULE };
        glob_t found = { 0 };
        struct stat st;

        for (size_t i = 0; i < sizeof(PATTERNS) / sizeof(PATTERNS[0]); i++)
                (void)glob(PATTERNS[i], i > 0 ? GLOB_APPEND : 0, NULL, &found);
        if (found.gl_pathc == 0 || stat(found.gl_pathv[0], &st) < 0) {
                finding_add(findings, FINDING_BAD, CHECK, MODULE " is not installed");
                finding_remedy(findings, "install agentsh again: make install");
        } else if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s can be written by others than root", found.gl_pathv[0]);
                finding_remedy(findings, "chown root:root %s && chmod 0644 %s", found.gl_pathv[0], found.gl_pathv[0]);
        } else {
                finding_add(findings, FINDING_OK, CHECK, "%s", found.gl_pathv[0]);
        }
        globfree(&found);
}

static bool check_stack(struct findings *findings, const int *directories, size_t count, const char *service,
                        enum pam_facility facility)
{
        cleanup_free struct pam_stack *stack = calloc(1, sizeof(*stack));
        struct error err = ERROR_INIT;
        int r;

        if (stack == NULL) {
                findings->lost = true;
                return false;
        }
        r = pam_stack_read(directories, count, service, facility, stack, &err);
        if (r == 0 && stack->count == 0)
                r = pam_stack_read(directories, count, "other", facility, stack, &err);
        if (r == 0)
                r = pam_stack_check(stack, MODULE, &err);
        if (r == 0)
                return true;
        finding_add(findings, FINDING_BAD, CHECK, "%s of the service %s does not depend on " MODULE ": %s",
                    pam_facility_name(facility), service, err.text);
        if (access("/usr/sbin/pam-auth-update", X_OK) == 0 && access("/usr/share/pam-configs/agentsh", F_OK) == 0)
                finding_remedy(findings, "pam-auth-update --enable agentsh");
        else
                finding_remedy(findings,
                               "put \"%s required " MODULE "\" before the first %s line of /etc/pam.d/%s, or of "
                               "a file that it includes",
                               pam_facility_name(facility), pam_facility_name(facility), service);
        return false;
}

static bool service_exists(const int *directories, size_t count, const char *service)
{
        for (size_t i = 0; i < count; i++)
                if (faccessat(directories[i], service, F_OK, 0) == 0)
                        return true;
        return false;
}

/* Variables from a file in the user's home, set in a process of root's: the passwd home is root's, but need not stay so. */
static void check_user_environment(struct findings *findings, const int *directories, size_t count, const char *service)
{
        static const enum pam_facility FACILITIES[] = { PAM_FACILITY_AUTH, PAM_FACILITY_SESSION };

        for (size_t i = 0; i < sizeof(FACILITIES) / sizeof(FACILITIES[0]); i++) {
                cleanup_free struct pam_stack *stack = calloc(1, sizeof(*stack));
                const struct pam_rule *rule;

                if (stack == NULL || pam_stack_read(directories, count, service, FACILITIES[i], stack, NULL) < 0)
                        continue;
                rule = pam_stack_find(stack, "pam_env.so", "user_readenv=1");
                if (rule == NULL)
                        continue;
                finding_add(findings, FINDING_WARNING, CHECK,
                            "the service %s reads ~/.pam_environment of whoever logs in (user_readenv=1 at %s:%u)",
                            service, rule->file, rule->line);
                finding_remedy(findings, "sed -i 's/[[:blank:]]user_readenv=1//' /etc/pam.d/%s", rule->file);
        }
}

static void check_service(struct findings *findings, const int *directories, size_t count, const char *service)
{
        bool account, session;

        if (!service_exists(directories, count, service))
                return;
        check_user_environment(findings, directories, count, service);
        account = check_stack(findings, directories, count, service, PAM_FACILITY_ACCOUNT);
        session = check_stack(findings, directories, count, service, PAM_FACILITY_SESSION);
        if (account && session)
                finding_add(findings, FINDING_OK, CHECK, "%s asks " MODULE " (account and session)", service);
}

void doctor_pam(struct findings *findings)
{
        int directories[DIRECTORY_COUNT];
        size_t count = 0;

        check_module_file(findings);
        for (size_t i = 0; i < DIRECTORY_COUNT; i++) {
                int fd = open(DIRECTORIES[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                if (fd >= 0)
                        directories[count++] = fd;
        }
        if (count == 0)
                finding_add(findings, FINDING_BAD, CHECK,
                            "there is no /etc/pam.d: this system does not use PAM, and "
                            "agentsh cannot work on it");
        for (size_t i = 0; i < sizeof(SERVICES) / sizeof(SERVICES[0]); i++)
                check_service(findings, directories, count, SERVICES[i]);
        for (size_t i = 0; i < count; i++)
                cleanup_close_fd(&directories[i]);
}
