/* probe.c - tries what a session needs. Root. Leaves nothing behind. */
#include "monitor/probe.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"
#include "monitor/audit.h"
#include "monitor/cgroup.h"
#include "monitor/host_policy.h"
#include "monitor/tier.h"
#include "monitor/tier_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int probe_jail(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        int r = tier_jail.probe(policy, 65534, err);

        (void)snprintf(ret, size, "user namespaces and what the jail needs are there");
        return r;
}

static int probe_chroot(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        struct policy chroot = *policy;

        chroot.tier = TIER_CHROOT;
        (void)snprintf(ret, size, "what the tier chroot needs is there, for accounts with tier = chroot");
        return tier_chroot.probe(&chroot, 65534, err);
}

static int probe_init(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        static const char path[] = AGENTSH_LIBEXEC_DIR "/agentsh-init";
        cleanup_close int fd = fd_open_absolute(path, O_RDONLY, 0, err);

        (void)policy;
        (void)snprintf(ret, size, "%s", path);
        return fd < 0 ? fd : fd_check_root_owned(fd, S_IFREG, path, err);
}

static int probe_audit(const struct policy *policy, char *ret, size_t size, struct error *err)
{
        (void)policy;
        (void)snprintf(ret, size, "%s can be written", AGENTSH_LOG_DIR);
        return audit_check(err);
}

/* An io limit that this host cannot set is a note: only a policy that names one needs it. */
static bool print_cgroups(FILE *stream)
{
        struct cgroup_check checks[CGROUP_CHECKS_MAX];
        struct error err = ERROR_INIT;
        size_t count = 0;
        bool good = true;

        if (cgroup_probe(checks, &count, &err) < 0) {
                (void)fprintf(stream, "fail\tcgroup driver\t%s\n", err.text);
                return false;
        }
        for (size_t i = 0; i < count; i++) {
                bool optional = strncmp(checks[i].name, "io_", 3) == 0;
                const char *verdict = checks[i].ok ? "ok" : optional ? "note" : "fail";

                (void)fprintf(stream, "%s\tcgroup %s\t%s\n", verdict, checks[i].name, checks[i].text);
                good = good && (checks[i].ok || optional);
        }
        return good;
}

int probe_print(FILE *stream)
{
        static const struct {
                const char *name;
                int (*run)(const struct policy *policy, char *ret, size_t size, struct error *err);
        } checks[] = {
                { "jail", probe_jail }, { "chroot", probe_chroot }, { "init", probe_init }, { "audit log", probe_audit }
        };
        cleanup_free struct policy *policy = calloc(1, sizeof(*policy));
        struct error err = ERROR_INIT;
        bool good = print_cgroups(stream);

        if (policy == NULL || host_policy_default(policy, &err) < 0) {
                (void)fprintf(stream, "fail\tpolicy\t%s\n", err.text);
                return false;
        }
        for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
                char text[ERROR_TEXT_MAX] = "";
                bool ok = checks[i].run(policy, text, sizeof(text), &err) >= 0;

                (void)fprintf(stream, "%s\t%s\t%s\n", ok ? "ok" : "fail", checks[i].name, ok ? text : err.text);
                good = good && ok;
        }
        return good;
}

static int print_account(FILE *stream, const char *account, const struct policy *policy, struct error *err)
{
        const struct passwd *entry = getpwnam(account);
        const struct tier *tier = tier_find(policy, err);
        const char *written = policy_tier_name(policy->tier);
        char text[ERROR_TEXT_MAX];
        int r;

        if (tier == NULL)
                return -ENOTSUP;
        if (policy->risk == RISK_HIGH)
                (void)fprintf(stream, "ok\ttier\t%s risk = high beats tier = %s\n", tier->name, written);
        else
                (void)fprintf(stream, "ok\ttier\t%s risk is normal and tier = %s\n", tier->name, written);
        r = tier->probe(policy, entry != NULL ? entry->pw_uid : 65534, err);
        if (r < 0)
                return r;
        (void)fprintf(stream, "ok\tlogin\tthis host can run it\n");
        if (tier != &tier_vm)
                return 0;
        r = tier_vm_describe_root(policy, text, sizeof(text), err);
        if (r < 0)
                return r;
        (void)fprintf(stream, "%s\troot\t%s\n", r > 0 ? "ok" : "note", text);
        r = tier_vm_describe_template(policy, text, sizeof(text), err);
        if (r >= 0)
                (void)fprintf(stream, "%s\ttemplate\t%s\n", r > 0 ? "ok" : "note", text);
        return r;
}

int probe_account_print(FILE *stream, const char *account)
{
        cleanup_free struct policy *policy = calloc(1, sizeof(*policy));
        struct error err = ERROR_INIT;
        int r = policy == NULL ? error_errno(&err, ENOMEM, "cannot load the policy")
                               : host_policy_load(account, policy, &err);

        if (r >= 0)
                r = print_account(stream, account, policy, &err);
        if (r < 0)
                (void)fprintf(stream, "fail\tlogin\t%s\n", err.text);
        return r >= 0;
}
