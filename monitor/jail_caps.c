/*
 * jail_caps.c - gives up every privilege that is left, for good, and proves it by trying to have it back.
 *
 * The securebits come before the change of identity: without them, root of the host (tier chroot) would lose its
 * capabilities by it, before the bounding set is empty. From then on as the agent, with all capabilities of the user
 * namespace it is in. Under fake_root, which is always a namespace of its own, six of them stay: they only mean the ids
 * of the map, that is the agent's own and its subordinate range.
 */
#include "monitor/jail.h"

#include "common/fault.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <linux/securebits.h>
#include <unistd.h>

#define SECUREBITS                                                                                       \
        (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | \
         SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)
/* Root inside keeps its capabilities over execve (no NOROOT), and loses them when it becomes another id. */
#define SECUREBITS_FAKE_ROOT                                                              \
        (SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | \
         SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static const cap_value_t fake_root_caps[] = {
        CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETGID, CAP_SETUID,
};

#define FAKE_ROOT_CAPS (sizeof(fake_root_caps) / sizeof(fake_root_caps[0]))

static void free_caps(cap_t *caps)
{
        if (*caps != NULL)
                (void)cap_free(*caps);
}
#define cleanup_caps __attribute__((cleanup(free_caps)))

static bool keeps(const struct jail *jail, cap_value_t cap)
{
        for (size_t i = 0; jail->request->policy->fake_root && i < FAKE_ROOT_CAPS; i++)
                if (fake_root_caps[i] == cap)
                        return true;
        return false;
}

static unsigned wanted_securebits(const struct jail *jail)
{
        return jail->request->policy->fake_root ? SECUREBITS_FAKE_ROOT : SECUREBITS;
}

/* NULL with errno set on failure. */
static cap_t wanted_caps(const struct jail *jail)
{
        cap_t caps = cap_init();

        if (caps == NULL || !jail->request->policy->fake_root)
                return caps;
        if (cap_set_flag(caps, CAP_PERMITTED, (int)FAKE_ROOT_CAPS, fake_root_caps, CAP_SET) < 0 ||
            cap_set_flag(caps, CAP_EFFECTIVE, (int)FAKE_ROOT_CAPS, fake_root_caps, CAP_SET) < 0) {
                (void)cap_free(caps);
                return NULL;
        }
        return caps;
}

int jail_lock_securebits(struct jail *jail, struct error *err)
{
        if (prctl(PR_SET_SECUREBITS, wanted_securebits(jail), 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot lock the securebits");
        return 0;
}

int jail_drop_capabilities(struct jail *jail, struct error *err)
{
        cleanup_caps cap_t caps = wanted_caps(jail);

        if (caps == NULL)
                return error_errno(err, errno, "cannot prepare the capability sets");
        /* EINVAL: the kernel has no more. */
        for (cap_value_t cap = 0; !OMIT_POINT("bounding set"); cap++) {
                if (keeps(jail, cap) || cap_drop_bound(cap) == 0)
                        continue;
                if (errno == EINVAL && cap > CAP_SETPCAP)
                        break;
                return error_errno(err, errno, "cannot drop capability %d from the bounding set", cap);
        }
        if (cap_reset_ambient() < 0)
                return error_errno(err, errno, "cannot clear the ambient set");
        if (!OMIT_POINT("permitted set") && cap_set_proc(caps) < 0)
                return error_errno(err, errno, "cannot drop the capabilities");
        return 0;
}

int jail_forbid_privileges(struct jail *jail, struct error *err)
{
        (void)jail;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot set no_new_privs");
        return 0;
}

static int prove_sets(const struct jail *jail, struct error *err)
{
        cleanup_caps cap_t wanted = wanted_caps(jail);
        cleanup_caps cap_t now = cap_get_proc();

        if (wanted == NULL || now == NULL)
                return error_errno(err, errno, "cannot read the capability sets");
        if (cap_compare(now, wanted) != 0)
                return error_text(err, EPERM, "the capability sets are not what was set");
        /* The ambient set is part of the inheritable one, which was just seen empty. */
        for (cap_value_t cap = 0;; cap++) {
                int bound = cap_get_bound(cap);

                if (bound < 0 && cap > CAP_SETPCAP)
                        return 0;
                if ((bound != 0) != keeps(jail, cap))
                        return error_text(err, EPERM, "capability %d is still within reach", cap);
        }
}

static int prove_ids(const struct jail *jail, struct error *err)
{
        bool fake_root = jail->request->policy->fake_root;
        uid_t uid = fake_root ? 0 : jail->request->uid, ruid, euid, suid;
        gid_t gid = fake_root ? 0 : jail->request->gid, rgid, egid, sgid;

        if (getresuid(&ruid, &euid, &suid) < 0 || ruid != uid || euid != uid || suid != uid)
                return error_text(err, EPERM, "the uids are not all %u", (unsigned)uid);
        if (getresgid(&rgid, &egid, &sgid) < 0 || rgid != gid || egid != gid || sgid != gid)
                return error_text(err, EPERM, "the gids are not all %u", (unsigned)gid);
        if (getgroups(0, NULL) != 0)
                return error_text(err, EPERM, "supplementary groups are left");
        return 0;
}

/* Each of these would be a way back; all must fail. */
static int prove_no_return(const struct jail *jail, struct error *err)
{
        static const cap_value_t admin[] = { CAP_SYS_ADMIN };
        cleanup_caps cap_t caps = cap_get_proc();

        if (caps == NULL || cap_set_flag(caps, CAP_PERMITTED, 1, admin, CAP_SET) < 0 ||
            cap_set_flag(caps, CAP_EFFECTIVE, 1, admin, CAP_SET) < 0)
                return error_errno(err, errno, "cannot prepare the proof of the drop");
        if (cap_set_proc(caps) == 0)
                return error_text(err, EPERM, "CAP_SYS_ADMIN could be had back");
        if (prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) == 0)
                return error_text(err, EPERM, "the securebits could be cleared");
        if (jail->request->policy->fake_root)
                return 0;
        if (syscall(SYS_setresuid, 0, 0, 0) == 0 || syscall(SYS_setresgid, 0, 0, 0) == 0)
                return error_text(err, EPERM, "root could be had back");
        return 0;
}

int jail_prove_drop(struct jail *jail, struct error *err)
{
        int r;

        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
                return error_text(err, EPERM, "no_new_privs is not set");
        if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != (int)wanted_securebits(jail))
                return error_text(err, EPERM, "the securebits are not what was set");
        r = prove_sets(jail, err);
        if (r >= 0)
                r = prove_ids(jail, err);
        if (r >= 0)
                r = prove_no_return(jail, err);
        return r;
}
