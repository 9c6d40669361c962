/* account_list.c - agentshctl account list. Root: policy files may be closed to others. */
#include "admin/accounts.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/policy_report.h"
#include "admin/session_list.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/json.h"

#include <string.h>

/* What the list says of one account. */
struct line {
        const struct account *account;
        bool valid, enabled;
        const char *tier;
        size_t sessions;
        char problem[512];
};

static void look_at(int config_fd, const struct account *account, const struct session_list *sessions, struct line *ret)
{
        struct policy_report report;
        struct policy policy;

        *ret = (struct line){ .account = account, .tier = "" };
        for (size_t i = 0; i < sessions->count; i++)
                if (strcmp(sessions->state[i].account, account->name) == 0)
                        ret->sessions++;
        ret->valid = policy_report_load(config_fd, account->name, &policy, &report, NULL) == 0;
        if (!ret->valid) {
                policy_report_first(&report, ret->problem, sizeof(ret->problem));
                return;
        }
        ret->enabled = policy.enabled;
        ret->tier = policy.risk == RISK_HIGH ? "vm" : policy_tier_name(policy.tier);
}

static void add_line(struct table *table, const struct line *line)
{
        char number[24];

        table_cell(table, line->account->name);
        (void)snprintf(number, sizeof(number), "%u", (unsigned)line->account->uid);
        table_cell(table, number);
        table_cell(table, line->tier);
        table_cell(table, !line->valid ? "" : line->enabled ? "yes" : "no");
        (void)snprintf(number, sizeof(number), "%zu", line->sessions);
        table_cell(table, number);
        table_cell(table, line->problem);
}

static void json_line(struct json *json, const struct line *line)
{
        json_begin_object(json, NULL);
        json_string(json, "name", line->account->name);
        json_number(json, "uid", line->account->uid);
        json_number(json, "gid", line->account->gid);
        json_string(json, "home", line->account->home);
        json_bool(json, "policy_valid", line->valid);
        json_string(json, "tier", line->valid ? line->tier : NULL);
        json_bool(json, "enabled", line->enabled);
        json_number(json, "sessions", (int64_t)line->sessions);
        json_string(json, "problem", line->problem[0] != '\0' ? line->problem : NULL);
        json_end_object(json);
}

static int print_list(int config_fd, const struct account_list *accounts, const struct session_list *sessions,
                      bool as_json, struct error *err)
{
        static const char *const HEADINGS[] = { "NAME", "UID", "TIER", "ENABLED", "SESSIONS", "PROBLEM" };
        cleanup_table struct table table;
        struct json json = { .stream = stdout };

        table_begin(&table, HEADINGS, sizeof(HEADINGS) / sizeof(HEADINGS[0]));
        if (as_json)
                json_begin_array(&json, NULL);
        for (size_t i = 0; i < accounts->count; i++) {
                struct line line;

                look_at(config_fd, &accounts->account[i], sessions, &line);
                if (as_json)
                        json_line(&json, &line);
                else
                        add_line(&table, &line);
        }
        if (!as_json)
                return table_print(&table, stdout, err);
        json_end_array(&json);
        (void)putchar('\n');
        return 0;
}

int verb_account_list(int argc, char **argv)
{
        cleanup_account_list struct account_list accounts = { 0 };
        cleanup_session_list struct session_list sessions = { 0 };
        cleanup_close int config = -EBADF;
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        config = places_open_config(&err);
        if (config < 0 || account_list_agents(&accounts, &err) < 0 || session_list_read(NULL, &sessions, &err) < 0 ||
            print_list(config, &accounts, &sessions, as_json, &err) < 0)
                return output_error(&err);
        return finish_output(VERB_OK);
}
