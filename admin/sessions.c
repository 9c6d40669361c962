/* sessions.c - agentshctl sessions. Root. */
#include "admin/output.h"
#include "admin/session_list.h"
#include "admin/verb.h"
#include "common/json.h"
#include "common/process.h"

#include <string.h>

/* "HOST", "RUSER on TTY", whatever PAM said of where the login came from. */
static void format_from(const struct session_state *state, char *ret, size_t size)
{
        if (state->rhost[0] != '\0')
                (void)snprintf(ret, size, "%s", state->rhost);
        else if (state->ruser[0] != '\0' && state->tty[0] != '\0')
                (void)snprintf(ret, size, "%s on %s", state->ruser, state->tty);
        else
                (void)snprintf(ret, size, "%s", state->ruser[0] != '\0' ? state->ruser : state->tty);
}

static void add_usage(struct table *table, const struct session_usage *usage)
{
        char text[32] = "";

        if (usage->memory_known)
                format_size(text, sizeof(text), usage->memory);
        table_cell(table, text);
        text[0] = '\0';
        if (usage->tasks_known)
                (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)usage->tasks);
        table_cell(table, text);
        text[0] = '\0';
        if (usage->cpu_known)
                (void)snprintf(text, sizeof(text), "%llu.%01llus", (unsigned long long)(usage->cpu_usec / 1000000),
                               (unsigned long long)(usage->cpu_usec / 100000 % 10));
        table_cell(table, text);
}

static void add_session(struct table *table, const struct session_state *state, int64_t now)
{
        struct session_usage usage;
        char text[512];

        table_cell(table, state->id);
        table_cell(table, state->account);
        table_cell(table, state->service);
        format_from(state, text, sizeof(text));
        table_cell(table, text);
        table_cell(table, state->tier);
        format_seconds(text, sizeof(text), now > state->opened_at ? (uint64_t)(now - state->opened_at) : 0);
        table_cell(table, text);
        (void)snprintf(text, sizeof(text), "%u", state->channels);
        table_cell(table, text);
        session_read_usage(state, &usage);
        add_usage(table, &usage);
        table_cell(table, session_is_live(state) ? "live" : "stale");
}

static int print_table(const struct session_list *list, struct error *err)
{
        static const char *const HEADINGS[] = { "ID",       "ACCOUNT", "SERVICE", "FROM", "TIER", "AGE",
                                                "CHANNELS", "MEMORY",  "TASKS",   "CPU",  "STATE" };
        cleanup_table struct table table;
        int64_t now = process_realtime();

        table_begin(&table, HEADINGS, sizeof(HEADINGS) / sizeof(HEADINGS[0]));
        for (size_t i = 0; i < list->count; i++)
                add_session(&table, &list->state[i], now);
        return table_print(&table, stdout, err);
}

static void json_session(struct json *json, const struct session_state *state)
{
        struct session_usage usage;

        session_read_usage(state, &usage);
        json_begin_object(json, NULL);
        json_string(json, "id", state->id);
        json_string(json, "account", state->account);
        json_number(json, "uid", state->uid);
        json_string(json, "service", state->service);
        json_string(json, "rhost", state->rhost);
        json_string(json, "ruser", state->ruser);
        json_string(json, "tty", state->tty);
        json_string(json, "tier", state->tier);
        json_number(json, "opened_at", state->opened_at);
        json_number(json, "channels", state->channels);
        json_bool(json, "live", session_is_live(state));
        json_number(json, "monitor_pid", state->monitor_pid);
        json_number(json, "init_pid", state->init_pid);
        if (usage.memory_known)
                json_number(json, "memory", (int64_t)usage.memory);
        if (usage.tasks_known)
                json_number(json, "tasks", (int64_t)usage.tasks);
        if (usage.cpu_known)
                json_number(json, "cpu_usec", (int64_t)usage.cpu_usec);
        json_end_object(json);
}

static void print_json(const struct session_list *list)
{
        struct json json = { .stream = stdout };

        json_begin_array(&json, NULL);
        for (size_t i = 0; i < list->count; i++)
                json_session(&json, &list->state[i]);
        json_end_array(&json);
        (void)putchar('\n');
}

int verb_sessions(int argc, char **argv)
{
        cleanup_session_list struct session_list list = { 0 };
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        if (session_list_read(NULL, &list, &err) < 0)
                return output_error(&err);
        if (as_json)
                print_json(&list);
        else if (print_table(&list, &err) < 0)
                return output_error(&err);
        return finish_output(VERB_OK);
}
