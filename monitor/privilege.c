/* privilege.c - reduces the monitor to CAP_KILL. */
#include "monitor/privilege.h"

#include <errno.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

static void free_caps(cap_t *caps)
{
        if (*caps != NULL)
                (void)cap_free(*caps);
}

static int empty_bounding_set(struct error *err)
{
        for (cap_value_t cap = 0; cap_get_bound(cap) >= 0; cap++)
                if (cap_get_bound(cap) != 0 && cap_drop_bound(cap) < 0)
                        return error_errno(err, errno, "cannot drop capability %d from the bounding set", cap);
        return 0;
}

int privilege_reduce(struct error *err)
{
        static const cap_value_t kept[] = { CAP_KILL };
        __attribute__((cleanup(free_caps))) cap_t caps = cap_init();
        __attribute__((cleanup(free_caps))) cap_t now = NULL;
        int r;

        if (caps == NULL || cap_set_flag(caps, CAP_PERMITTED, 1, kept, CAP_SET) < 0 ||
            cap_set_flag(caps, CAP_EFFECTIVE, 1, kept, CAP_SET) < 0)
                return error_errno(err, errno, "cannot prepare the monitor's capabilities");
        r = empty_bounding_set(err);
        if (r < 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot set no_new_privs for the monitor");
        if (cap_reset_ambient() < 0 || cap_set_proc(caps) < 0)
                return error_errno(err, errno, "cannot reduce the monitor's capabilities");
        now = cap_get_proc();
        if (now == NULL || cap_compare(now, caps) != 0)
                return error_text(err, EPERM, "the monitor's capabilities are not what was set");
        return 0;
}
