/* jail_uts.c - the host name seen inside: the account's. CAP_SYS_ADMIN over the UTS namespace. */
#include "monitor/jail.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int jail_set_hostname(struct jail *jail, struct error *err)
{
        static const char no_domain[] = "(none)";
        const char *name = jail->request->policy->account;

        if (sethostname(name, strlen(name)) < 0)
                return error_errno(err, errno, "cannot set the host name %s", name);
        /* A new UTS namespace begins as a copy of the host's. */
        if (setdomainname(no_domain, strlen(no_domain)) < 0)
                return error_errno(err, errno, "cannot clear the NIS domain name");
        return 0;
}
