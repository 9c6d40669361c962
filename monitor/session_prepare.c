/* session_prepare.c - what is done for a session before it is asked for. Root. Leaves nothing but fds of this process. */
#include "monitor/session.h"

#include "monitor/log.h"

#include <syslog.h>

void session_prepare(struct session_ahead *ahead, const struct tier *tier)
{
        struct error err = ERROR_INIT;

        /* One that fails here is tried again by the step "cgroup", and told then. */
        ahead->cgroups = ahead->cgroups || cgroup_prepare(&err) >= 0;
        if (tier->prepare != NULL && tier->prepare(&ahead->tier, &ahead->failure) < 0)
                log_line(LOG_ERR, "cannot prepare a session: %s", ahead->failure.text);
}

void session_ahead_done(struct session_ahead *ahead)
{
        tier_ahead_done(&ahead->tier);
}
