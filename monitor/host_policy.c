/* host_policy.c - see host_policy.h. */
#include "monitor/host_policy.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

int host_policy_default(struct policy *ret, struct error *err)
{
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));

        if (report == NULL)
                return error_errno(err, ENOMEM, "cannot load the default policy");
        return policy_load_text("", 0, "defaults", "agentsh-probe", ret, report, err);
}

int host_policy_load(const char *account, struct policy *ret, struct error *err)
{
        cleanup_close int config = fd_open_absolute(AGENTSH_CONFIG_DIR, O_RDONLY | O_DIRECTORY, 0, err);
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));

        if (config < 0)
                return config;
        if (report == NULL)
                return error_errno(err, ENOMEM, "cannot load the policy");
        return policy_load(config, account, ret, report, NULL, err);
}
