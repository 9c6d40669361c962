/* live_account.c - see live_account.h. Root: policy files may be closed to others. */
#include "admin/live_account.h"

#include "admin/places.h"
#include "admin/policy_report.h"
#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>

int live_find_agent(const char *name, struct account *ret, struct error *err)
{
        int r = account_find(name, ret, err);

        if (r < 0)
                return r;
        if (!account_is_agent(ret) || ret->uid == 0)
                return error_text(err, EPERM, "%s is no agent: its login shell is %s", name, ret->shell);
        return 0;
}

int live_load_policy(const char *name, struct policy *ret, struct error *err)
{
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));
        cleanup_close int config = places_open_config(err);

        if (config < 0)
                return config;
        if (report == NULL)
                return error_errno(err, ENOMEM, "cannot load the policy of %s", name);
        if (policy_report_load(config, name, ret, report, NULL) == 0)
                return 0;
        return policy_report_join(report, "the policy is not valid", err);
}

const char *live_pick_service(const struct policy *policy)
{
        static const char *const preferred[] = { "su-l", "su", "login" };

        for (size_t i = 0; i < sizeof(preferred) / sizeof(preferred[0]); i++)
                if (policy_allows_service(policy, preferred[i]))
                        return preferred[i];
        return policy->services.count > 0 ? policy->services.name[0] : preferred[0];
}
