/* doctor_summary.c - what each account gets and what of it is open, at a glance. Root: it reads the policies. */
#include "admin/doctor.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/policy_report.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>

bool doctor_load_policy(const char *account, struct policy *ret)
{
        cleanup_free struct policy_report *report = calloc(1, sizeof(*report));
        cleanup_close int config = places_open_config(NULL);

        return report != NULL && config >= 0 && policy_report_load(config, account, ret, report, NULL) == 0;
}

static void join_services(const struct policy *policy, char *ret, size_t size)
{
        size_t used = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < policy->services.count && used < size; i++)
                used += (size_t)snprintf(ret + used, size - used, "%s%s", i > 0 ? " " : "", policy->services.name[i]);
}

static const char *kernel_of(const struct policy *policy)
{
        static const char *const names[2][3] = { { "default", "default, nested", "default, fake root" },
                                                 { "strict", "strict, nested", "strict, fake root" } };

        return names[policy->seccomp == SECCOMP_STRICT][policy->nested ? 1 : policy->fake_root ? 2 : 0];
}

/* "closed", or the checks that have something open for this account, worst first, each once. */
static void describe_state(const struct findings *findings, const char *account, char *ret, size_t size)
{
        static const enum severity LEVELS[] = { FINDING_BAD, FINDING_WARNING };
        static const char *const WORDS[] = { "OPEN: ", "weak: " };

        ret[0] = '\0';
        for (size_t level = 0; level < 2; level++) {
                const char *lead = WORDS[level];

                for (size_t i = 0; i < findings->count; i++) {
                        const struct finding *finding = &findings->item[i];
                        size_t used = strlen(ret);

                        if (finding->severity != LEVELS[level] || strcmp(finding->account, account) != 0 ||
                            strstr(ret, finding->check) != NULL)
                                continue;
                        (void)snprintf(ret + used, size - used, "%s%s%s",
                                       used > 0 ? (lead[0] != '\0' ? "; " : ", ") : "", lead, finding->check);
                        lead = "";
                }
        }
        if (ret[0] == '\0')
                (void)snprintf(ret, size, "closed");
}

static void add_row(struct table *table, const struct findings *findings, const struct account *agent)
{
        char services[256], state[256];
        struct policy policy;
        bool valid = doctor_load_policy(agent->name, &policy);

        table_cell(table, agent->name);
        table_cell(table, !valid ? "-" : policy.risk == RISK_HIGH ? "vm" : policy_tier_name(policy.tier));
        table_cell(table, valid ? kernel_of(&policy) : "-");
        table_cell(table, !valid ? "-" : policy.network_mode == NETWORK_NONE ? "none" : "allow");
        services[0] = '\0';
        if (valid)
                join_services(&policy, services, sizeof(services));
        table_cell(table, !valid ? "refused" : policy.enabled ? services : "disabled");
        describe_state(findings, agent->name, state, sizeof(state));
        table_cell(table, state);
}

void doctor_print_summary(const struct findings *findings, const struct account_list *agents)
{
        static const char *const HEADINGS[] = { "ACCOUNT", "TIER", "KERNEL", "NETWORK", "LOGS IN BY", "STATE" };
        cleanup_table struct table table;
        struct error err = ERROR_INIT;
        char state[256];

        if (agents->count == 0)
                return;
        (void)putchar('\n');
        table_begin(&table, HEADINGS, sizeof(HEADINGS) / sizeof(HEADINGS[0]));
        for (size_t i = 0; i < agents->count; i++)
                add_row(&table, findings, &agents->account[i]);
        if (table_print(&table, stdout, &err) < 0)
                (void)output_error(&err);
        describe_state(findings, "", state, sizeof(state));
        (void)printf("The host, for all of them: %s\n", state);
}

void doctor_json_summary(const struct findings *findings, const struct account_list *agents, struct json *json)
{
        json_begin_array(json, "accounts");
        for (size_t i = 0; i < agents->count; i++) {
                const char *name = agents->account[i].name;
                struct policy policy;
                bool valid = doctor_load_policy(name, &policy);
                char services[256];

                json_begin_object(json, NULL);
                json_string(json, "account", name);
                json_bool(json, "valid", valid);
                if (valid) {
                        join_services(&policy, services, sizeof(services));
                        json_bool(json, "enabled", policy.enabled);
                        json_string(json, "tier", policy.risk == RISK_HIGH ? "vm" : policy_tier_name(policy.tier));
                        json_string(json, "kernel", kernel_of(&policy));
                        json_string(json, "network", policy.network_mode == NETWORK_NONE ? "none" : "allow");
                        json_string(json, "services", services);
                }
                json_number(json, "bad", (int64_t)findings_count_of(findings, FINDING_BAD, name));
                json_number(json, "warnings", (int64_t)findings_count_of(findings, FINDING_WARNING, name));
                json_end_object(json);
        }
        json_end_array(json);
}
