/* guard.c - agentshctl guard: loads, unloads and shows the egress guard. Root. */
#include "admin/guard.h"

#include "admin/accounts.h"
#include "admin/output.h"
#include "admin/places.h"
#include "admin/verb.h"
#include "common/cleanup.h"
#include "common/json.h"

#include <string.h>
#include <sys/file.h>

/* What is known of the guard; `open`, `problem`: one for each agent. */
struct guard_state {
        bool loaded, in_step;
        uint64_t refused;
        struct account_list agents;
        const char **open; /* the protocol that gets through, or NULL */
        bool untried;
        struct error trouble; /* why it was not tried */
};

static void state_done(struct guard_state *state)
{
        account_list_done(&state->agents);
        free(state->open);
        state->open = NULL;
}

#define cleanup_state __attribute__((cleanup(state_done)))

static int read_table(struct guard_state *state, struct error *err)
{
        cleanup_guard_ranges struct guard_ranges wanted = { 0 }, present = { 0 };
        int r = guard_wanted(NULL, &wanted, err);

        if (r == 0)
                r = guard_read_uids(&present, err);
        if (r == 0)
                r = guard_read_refused(&state->refused, err);
        if (r == 0)
                state->in_step = guard_ranges_equal(&wanted, &present);
        return r;
}

/* Without a loopback interface, as early at boot, nothing can be tried; that is no failure of the guard. */
static void try_agents(struct guard_state *state)
{
        for (size_t i = 0; i < state->agents.count && !state->untried; i++)
                if (state->agents.account[i].uid != 0 &&
                    guard_try(state->agents.account[i].uid, &state->open[i], &state->trouble) < 0)
                        state->untried = true;
}

static int read_state(struct guard_state *ret, struct error *err)
{
        int r = guard_is_loaded(&ret->loaded, err);

        if (r == 0)
                r = account_list_agents(&ret->agents, err);
        if (r < 0 || !ret->loaded)
                return r;
        ret->open = calloc(ret->agents.count + 1, sizeof(*ret->open));
        if (ret->open == NULL)
                return error_errno(err, ENOMEM, "cannot try the egress guard");
        r = read_table(ret, err);
        if (r == 0)
                try_agents(ret);
        return r;
}

static size_t count_open(const struct guard_state *state)
{
        size_t count = 0;

        for (size_t i = 0; state->loaded && i < state->agents.count; i++)
                count += state->open[i] != NULL;
        return count;
}

/* As far as could be tried. */
static bool is_shut(const struct guard_state *state)
{
        return state->loaded && state->in_step && count_open(state) == 0;
}

static bool is_proved(const struct guard_state *state)
{
        return is_shut(state) && !state->untried;
}

static bool is_off(const struct guard_state *state)
{
        return !state->loaded;
}

static void print_json(const struct guard_state *state)
{
        struct json json = { .stream = stdout };

        json_begin_object(&json, NULL);
        json_bool(&json, "on", state->loaded);
        json_bool(&json, "good", is_proved(state));
        if (state->loaded) {
                json_bool(&json, "in_step", state->in_step);
                json_bool(&json, "tried", !state->untried);
                json_number(&json, "refused_packets", (int64_t)state->refused);
                json_begin_array(&json, "agents");
                for (size_t i = 0; i < state->agents.count; i++) {
                        json_begin_object(&json, NULL);
                        json_string(&json, "name", state->agents.account[i].name);
                        json_number(&json, "uid", state->agents.account[i].uid);
                        json_string(&json, "open", state->open[i]);
                        json_end_object(&json);
                }
                json_end_array(&json);
        }
        json_end_object(&json);
        (void)putchar('\n');
}

static void print_text(const struct guard_state *state)
{
        if (!state->loaded) {
                (void)puts("The egress guard is off.");
                return;
        }
        (void)printf("The egress guard is on: agents: %zu, packets refused: %llu.\n", state->agents.count,
                     (unsigned long long)state->refused);
        if (!state->in_step)
                (void)puts("Its uids are not those of the agents' accounts: run \"agentshctl guard sync\".");
        if (state->untried)
                (void)printf("It was not tried: %s.\n", state->trouble.text);
        for (size_t i = 0; i < state->agents.count; i++)
                if (state->open[i] != NULL)
                        (void)printf("%s (uid %u) gets through by %s; remedy: %s\n", state->agents.account[i].name,
                                     (unsigned)state->agents.account[i].uid, state->open[i],
                                     guard_remedy(state->open[i]));
}

/* Shows the state; the exit status is whether it is as wanted. */
static int report(bool (*as_wanted)(const struct guard_state *), bool as_json)
{
        cleanup_state struct guard_state state = { 0 };
        struct error err = ERROR_INIT;

        if (read_state(&state, &err) < 0)
                return output_error(&err);
        if (as_json)
                print_json(&state);
        else
                print_text(&state);
        return finish_output(as_wanted(&state) ? VERB_OK : VERB_FAILED);
}

const char *guard_remedy(const char *open)
{
        return strncmp(open, "MPTCP", strlen("MPTCP")) == 0
                       ? "sysctl -w net.mptcp.enabled=0, and the same in /etc/sysctl.d/50-agentsh.conf"
                       : "agentshctl guard on";
}

static int with_uids(int (*change)(const struct guard_ranges *, struct error *), struct error *err)
{
        cleanup_guard_ranges struct guard_ranges wanted = { 0 };
        cleanup_close int lock = places_open_config(err);
        int r;

        if (lock < 0)
                return lock;
        if (flock(lock, LOCK_EX) < 0)
                return error_errno(err, errno, "cannot wait for another change of the egress guard");
        r = guard_wanted(NULL, &wanted, err);
        return r < 0 ? r : change(&wanted, err);
}

static int sync_uids(const struct guard_ranges *wanted, struct error *err)
{
        bool loaded = false;
        int r = guard_is_loaded(&loaded, err);

        if (r < 0)
                return r;
        if (!loaded)
                return error_text(err, ENOENT, "the egress guard is off: run \"agentshctl guard on\"");
        return guard_set_uids(wanted, err);
}

int verb_guard_on(int argc, char **argv)
{
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        return with_uids(guard_load, &err) < 0 ? output_error(&err) : report(is_shut, as_json);
}

int verb_guard_sync(int argc, char **argv)
{
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        return with_uids(sync_uids, &err) < 0 ? output_error(&err) : report(is_shut, as_json);
}

int verb_guard_off(int argc, char **argv)
{
        struct error err = ERROR_INIT;
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        return guard_unload(&err) < 0 ? output_error(&err) : report(is_off, as_json);
}

int verb_guard_status(int argc, char **argv)
{
        bool as_json;

        if (parse_json_option(argc, argv, 0, 0, &as_json) != VERB_OK)
                return VERB_USAGE;
        return report(is_proved, as_json);
}
