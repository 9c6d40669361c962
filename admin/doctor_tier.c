/* doctor_tier.c - which tier each account's next login gets, why, and whether this host can run it. Root. */
#include "admin/doctor.h"
#include "admin/tier_outlook.h"
#include "common/cleanup.h"

#include <stdlib.h>

#define CHECK "tier"

static void add_outlook(struct findings *findings, const char *name, const struct tier_outlook *outlook)
{
        if (outlook->refused) {
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s: every login is refused, since this host cannot run its tier, %s (%s): %s", name,
                            outlook->tier, outlook->why, outlook->reason);
                finding_remedy(findings, "%s", outlook->remedy);
        } else {
                finding_add(findings, FINDING_OK, CHECK, "%s: logins get the tier %s, since %s%s%s%s%s", name,
                            outlook->tier, outlook->why, outlook->root[0] != '\0' ? "; root: " : "", outlook->root,
                            outlook->template[0] != '\0' ? "; template " : "", outlook->template);
        }
}

void doctor_tier(struct findings *findings, const struct account_list *agents)
{
        cleanup_free struct policy *policy = calloc(1, sizeof(*policy));

        if (policy == NULL) {
                finding_add(findings, FINDING_WARNING, CHECK, "not looked at: no memory");
                return;
        }
        for (size_t i = 0; i < agents->count; i++) {
                const char *name = agents->account[i].name;
                struct error err = ERROR_INIT;
                struct tier_outlook outlook;

                if (!doctor_load_policy(name, policy))
                        continue;
                if (tier_outlook_read(name, name, policy, &outlook, &err) < 0)
                        finding_add(findings, FINDING_WARNING, CHECK, "%s: %s", name, err.text);
                else
                        add_outlook(findings, name, &outlook);
                findings_give(findings, findings->count - 1, name);
        }
}
