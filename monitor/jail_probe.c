/* jail_probe.c - what host and policy must have for the tiers jail and chroot. Reads only. */
#include "monitor/jail.h"

#include "common/cleanup.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool jail_has_user_namespace(const struct policy *policy)
{
        return policy->tier != TIER_CHROOT;
}

static int check_settings(const struct policy *policy, struct error *err)
{
        if (policy->tier != TIER_JAIL && policy->tier != TIER_CHROOT)
                return error_text(err, EINVAL, "the tier %s is no jail", policy_tier_name(policy->tier));
        if (!jail_has_user_namespace(policy) && (policy->nested || policy->fake_root))
                return error_text(err, EINVAL,
                                  "%s needs a user namespace, which the tier chroot does not have (set tier = jail)",
                                  policy->nested ? "nested" : "fake_root");
        if (strcmp(policy->root_source, "host") != 0)
                return error_text(err, ENOTSUP, "[root] source = %s is not supported by this version",
                                  policy->root_source);
        if (policy->root_mode != ROOT_READONLY)
                return error_text(err, ENOTSUP, "[root] mode = overlay is not supported by this version");
        if (policy->home_mode != HOME_PERSISTENT && policy->home_mode != HOME_EPHEMERAL)
                return error_text(err, ENOTSUP, "[home] mode = review is not supported by this version");
        if (policy->network_mode != NETWORK_NONE)
                return error_text(err, ENOTSUP, "[network] mode = allow is not supported by this version");
        return 0;
}

int jail_check_policy(struct jail *jail, struct error *err)
{
        const struct tier_request *request = jail->request;

        if (request->uid == 0 || request->gid == 0)
                return error_text(err, EPERM, "root cannot be an agent");
        return check_settings(request->policy, err);
}

static int probe_system_calls(struct error *err)
{
        static const struct {
                long number;
                const char *name, *since;
        } needed[] = { { SYS_clone3, "clone3", "5.3" },
                       { SYS_open_tree, "open_tree", "5.2" },
                       { SYS_pidfd_open, "pidfd_open", "5.3" },
                       { SYS_close_range, "close_range", "5.9" },
                       { SYS_mount_setattr, "mount_setattr", "5.12" } };

        for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
                /* Arguments that no kernel accepts. */
                if (syscall(needed[i].number, -1, -1, -1, -1, -1, -1) < 0 && errno == ENOSYS)
                        return error_text(err, ENOSYS,
                                          "the kernel (or a filter over this process) lacks %s, which "
                                          "Linux has since %s",
                                          needed[i].name, needed[i].since);
        return 0;
}

static int probe_namespaces(struct error *err)
{
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "uts" };
        cleanup_close int kinds = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (kinds < 0)
                return error_errno(err, errno, "cannot look at /proc/self/ns");
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (faccessat(kinds, names[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                        return error_text(err, ENOTSUP, "the kernel has no %s namespaces", names[i]);
        return 0;
}

/* Never a silent step down: who wants an isolation without a user namespace has to write so. */
static int probe_user_namespaces(struct error *err)
{
        cleanup_close int limits = open("/proc/sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char text[32];
        int r;

        if (limits < 0)
                return error_errno(err, errno, "cannot look at /proc/sys/user");
        if (access("/proc/self/ns/user", F_OK) < 0)
                return error_text(err, ENOTSUP,
                                  "the kernel has no user namespaces: boot one with CONFIG_USER_NS, or set tier = "
                                  "chroot, the isolation without them");
        r = fd_read_file_at(limits, "max_user_namespaces", text, sizeof(text), err);
        if (r < 0)
                return r;
        if (strcmp(text, "0") == 0)
                return error_text(err, ENOSPC,
                                  "user namespaces are switched off: sysctl user.max_user_namespaces is 0; set it to "
                                  "1000 or more in /etc/sysctl.d, or set tier = chroot, the isolation without them");
        return 0;
}

int jail_probe(const struct policy *policy, const struct jail_places *places, uid_t uid, struct error *err)
{
        struct subid_range range;
        int r = check_settings(policy, err);

        if (r >= 0)
                r = probe_system_calls(err);
        if (r >= 0)
                r = probe_namespaces(err);
        if (r >= 0 && jail_has_user_namespace(policy))
                r = probe_user_namespaces(err);
        if (r >= 0 && policy->fake_root)
                r = subid_find(places->subuid, policy->account, uid, &range, err);
        if (r >= 0 && policy->fake_root)
                r = subid_find(places->subgid, policy->account, uid, &range, err);
        return r;
}
