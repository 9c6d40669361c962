/*
 * jail_steps.c - what makes a jail or a chroot, in order. docs/architecture.md has the same list, with the reasons.
 */
#include "monitor/jail.h"

#include "common/fault.h"
#include "monitor/jail_break.h"

#include <errno.h>

static const struct jail_step steps[] = {
        /* the monitor: what comes from the host is opened and checked */
        { "policy", JAIL_PREPARE, JAIL_AND_CHROOT, jail_check_policy },
        { "open init", JAIL_PREPARE, JAIL_AND_CHROOT, jail_open_init },
        { "prepare etc", JAIL_PREPARE, JAIL_AND_CHROOT, jail_open_etc },
        { "open home", JAIL_PREPARE, JAIL_AND_CHROOT, jail_open_home },
        { "subordinate ids", JAIL_PREPARE, JAIL_ONLY, jail_find_subids },
        { "load filter", JAIL_PREPARE, JAIL_AND_CHROOT, jail_open_filter },
        /* the builder, root of the host in new pid, mount, IPC and UTS namespaces: the view */
        { "enter cgroup", JAIL_BUILD, JAIL_AND_CHROOT, jail_enter_cgroup },
        { "leave terminal", JAIL_BUILD, JAIL_AND_CHROOT, jail_leave_terminal },
        { "private mounts", JAIL_BUILD, JAIL_AND_CHROOT, jail_unshare_propagation },
        { "root", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_root },
        { "system directories", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_system },
        { "account files", JAIL_BUILD, JAIL_AND_CHROOT, jail_make_account },
        { "etc", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_etc },
        { "make dev", JAIL_BUILD, JAIL_AND_CHROOT, jail_make_dev },
        { "make home", JAIL_BUILD, JAIL_AND_CHROOT, jail_make_home },
        { "read-only root", JAIL_BUILD, JAIL_AND_CHROOT, jail_seal_root },
        { "devices", JAIL_BUILD, JAIL_AND_CHROOT, jail_bind_devices },
        { "devpts", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_devpts },
        { "proc", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_proc },
        { "proc masks", JAIL_BUILD, JAIL_AND_CHROOT, jail_mask_proc },
        { "tmpfs", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_temporary },
        { "home", JAIL_BUILD, JAIL_AND_CHROOT, jail_mount_home },
        { "pivot root", JAIL_BUILD, JAIL_AND_CHROOT, jail_pivot },
        /* what is inherited */
        { "network", JAIL_BUILD, JAIL_AND_CHROOT, jail_enter_network },
        { "host name", JAIL_BUILD, JAIL_AND_CHROOT, jail_set_hostname },
        { "session keyring", JAIL_BUILD, JAIL_AND_CHROOT, jail_join_keyring },
        { "limits", JAIL_BUILD, JAIL_AND_CHROOT, jail_set_limits },
        { "scheduling", JAIL_BUILD, JAIL_AND_CHROOT, jail_reset_scheduling },
        { "oom score", JAIL_BUILD, JAIL_AND_CHROOT, jail_reset_oom_score },
        { "login uid", JAIL_BUILD, JAIL_AND_CHROOT, jail_set_login_uid },
        { "groups", JAIL_BUILD, JAIL_AND_CHROOT, jail_clear_groups },
        { "cgroup namespace", JAIL_BUILD, JAIL_AND_CHROOT, jail_unshare_cgroup },
        /* the user namespace last, if any; what is left of privilege goes for good */
        { "user namespace", JAIL_BUILD, JAIL_ONLY, jail_unshare_user },
        { "forbid nesting", JAIL_BUILD, JAIL_ONLY, jail_forbid_nesting },
        { "user limits", JAIL_BUILD, JAIL_AND_CHROOT, jail_set_user_limits },
        { "securebits", JAIL_BUILD, JAIL_AND_CHROOT, jail_lock_securebits },
        { "identity", JAIL_BUILD, JAIL_AND_CHROOT, jail_set_identity },
        { "capabilities", JAIL_BUILD, JAIL_AND_CHROOT, jail_drop_capabilities },
        { "no new privileges", JAIL_BUILD, JAIL_AND_CHROOT, jail_forbid_privileges },
        { "proof", JAIL_BUILD, JAIL_AND_CHROOT, jail_prove_drop },
        { "signals", JAIL_BUILD, JAIL_AND_CHROOT, jail_reset_signals },
        { "bind to monitor", JAIL_BUILD, JAIL_AND_CHROOT, jail_bind_parent },
        { "fds", JAIL_BUILD, JAIL_AND_CHROOT, jail_arrange_fds },
        { "seccomp", JAIL_BUILD, JAIL_AND_CHROOT, jail_install_filter },
        { "execute init", JAIL_BUILD, JAIL_AND_CHROOT, jail_execute_init },
        /* the monitor again */
        { "self-test", JAIL_FINISH, JAIL_AND_CHROOT, jail_verify },
        { "stores", JAIL_FINISH, JAIL_AND_CHROOT, jail_open_stores },
        { "configure init", JAIL_FINISH, JAIL_AND_CHROOT, jail_send_config },
};

const struct jail_step *jail_steps(size_t *ret_count)
{
        *ret_count = sizeof(steps) / sizeof(steps[0]);
        return steps;
}

int jail_run_step(struct jail *jail, const struct jail_step *step, struct error *err)
{
        int r;

        if ((step->tiers == JAIL_ONLY && !jail->user_namespace) || OMIT_POINT(step->name))
                return 0;
        r = FAULT_POINT(step->name) ? error_errno(err, EIO, "injected fault") : step->run(jail, err);
        if (r >= 0)
                r = jail_break(step->name, err);
        return r < 0 ? error_prefix(err, "cannot make the jail (step \"%s\")", step->name) : 0;
}

int jail_run_steps(struct jail *jail, enum jail_phase phase, struct error *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < sizeof(steps) / sizeof(steps[0]); i++)
                if (steps[i].phase == phase)
                        r = jail_run_step(jail, &steps[i], err);
        return r;
}
