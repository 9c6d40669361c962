/* live_view.c - what the probe sees of the world: processes, network, fds, devices, accounts, hidden places. Pure. */
#include "admin/live_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP "view"

static const struct {
        const char *name, *numbers;
} DEVICES[] = { { "null", "1:3" },   { "zero", "1:5" },    { "full", "1:7" },
                { "random", "1:8" }, { "urandom", "1:9" }, { "tty", "5:0" } };

static void equal(const struct live_check *check, const char *key, const char *expected)
{
        live_equal(check->report, GROUP, key, expected, live_facts_one(check->facts, key));
}

/* Each value of `key` must pass; the first that does not is what was found. */
static void check_each(const struct live_check *check, const char *key, const char *name, const char *expected,
                       bool (*passes)(const struct live_check *check, const char *value))
{
        for (size_t i = 0; i < check->facts->count; i++) {
                const struct live_fact *fact = &check->facts->fact[i];

                if (strcmp(fact->key, key) != 0 || passes(check, fact->value))
                        continue;
                live_add(check->report, false, GROUP, name, expected, fact->value);
                return;
        }
        live_add(check->report, true, GROUP, name, expected, expected);
}

static bool is_loopback(const struct live_check *check, const char *value)
{
        (void)check;
        value += strspn(value, " \t");
        return strncmp(value, "lo:", 3) == 0;
}

static bool is_loopback_route(const struct live_check *check, const char *value)
{
        const char *word = strrchr(value, ' ');

        (void)check;
        return word != NULL && strcmp(word + 1, "lo") == 0;
}

static bool is_never(const struct live_check *check, const char *value)
{
        (void)check;
        (void)value;
        return false;
}

/* A small number: the host's own processes have been counted far beyond. */
static bool is_small_pid(const struct live_check *check, const char *value)
{
        char *end;
        unsigned long pid = strtoul(value, &end, 10);

        (void)check;
        return *end == '\0' && pid > 0 && pid < 1000;
}

static bool is_known_name(const struct live_check *check, const char *value)
{
        static const char *const names[] = { "root", "nobody", "nogroup" };
        size_t length = strcspn(value, ":");

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strlen(names[i]) == length && strncmp(value, names[i], length) == 0)
                        return true;
        return strlen(check->account->name) == length && strncmp(value, check->account->name, length) == 0;
}

static bool is_known_device(const struct live_check *check, const char *value)
{
        static const char *const others[] = { "ptmx", "pts", "shm", "fd", "stdin", "stdout", "stderr" };

        (void)check;
        for (size_t i = 0; i < sizeof(DEVICES) / sizeof(DEVICES[0]); i++)
                if (strcmp(value, DEVICES[i].name) == 0)
                        return true;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (strcmp(value, others[i]) == 0)
                        return true;
        return false;
}

static bool is_own_home(const struct live_check *check, const char *value)
{
        const char *home = strncmp(check->account->home, "/home/", 6) == 0 ? check->account->home + 6 : "";

        return strncmp(home, value, strlen(value)) == 0 && (home[strlen(value)] == '\0' || home[strlen(value)] == '/');
}

static void check_network(const struct live_check *check)
{
        char count[16];

        (void)snprintf(count, sizeof(count), "%zu", live_facts_count(check->facts, "interface"));
        live_equal(check->report, GROUP, "interfaces", "1", count);
        check_each(check, "interface", "interface", "lo alone", is_loopback);
        check_each(check, "route", "routes", "none", is_never);
        check_each(check, "route6", "IPv6 routes", "to lo alone", is_loopback_route);
        check_each(check, "unix", "Unix sockets", "none", is_never);
}

/* Nothing but the three standard streams. */
static void check_fds(const struct live_check *check)
{
        for (size_t i = 0; i < check->facts->count; i++) {
                const struct live_fact *fact = &check->facts->fact[i];
                bool standard = strcmp(fact->key, "fd 0") == 0 || strcmp(fact->key, "fd 1") == 0 ||
                                strcmp(fact->key, "fd 2") == 0;

                if (strncmp(fact->key, "fd ", 3) == 0)
                        live_add(check->report, standard && strncmp(fact->value, "pipe:", 5) == 0, GROUP, fact->key,
                                 standard ? "the pipe that doctor passed" : "nothing", fact->value);
        }
}

static void check_devices(const struct live_check *check)
{
        for (size_t i = 0; i < sizeof(DEVICES) / sizeof(DEVICES[0]); i++) {
                char key[32];

                (void)snprintf(key, sizeof(key), "device %s", DEVICES[i].name);
                equal(check, key, DEVICES[i].numbers);
        }
        check_each(check, "dev", "/dev", "the few devices that programs need", is_known_device);
}

/*
 * Hidden places cannot be opened, or give nothing. Under nested = yes those of /proc are as the kernel shows them: with
 * masks over it no /proc of a namespace of the agent's own could be mounted.
 */
static void check_hidden(const struct live_check *check)
{
        for (size_t i = 0; i < check->facts->count; i++) {
                const struct live_fact *fact = &check->facts->fact[i];

                if (check->policy->nested && strncmp(fact->key, "hidden /proc/", 13) == 0 &&
                    strncmp(fact->key, "hidden /proc/1/", 15) != 0)
                        continue;
                if (strncmp(fact->key, "hidden ", 7) == 0)
                        live_add(check->report, fact->value[0] == 'E' || strcmp(fact->value, "0") == 0, GROUP,
                                 fact->key, "nothing to read", fact->value);
        }
        if (!check->policy->nested)
                live_equal(check->report, GROUP, "/proc/keys", "", live_facts_one(check->facts, "keys"));
}

static void check_cgroups(const struct live_check *check)
{
        const char *found = live_facts_one(check->facts, "cgroup");
        size_t length = found != NULL ? strlen(found) : 0;

        live_add(check->report, length >= 2 && strcmp(found + length - 2, ":/") == 0, GROUP, "own control group",
                 "seen as the root", found);
}

void live_check_view(const struct live_check *check)
{
        check_network(check);
        check_each(check, "pid", "processes", "those of this session", is_small_pid);
        check_each(check, "passwd", "accounts", "root, nobody and the agent", is_known_name);
        check_each(check, "group", "groups", "root, nogroup and the agent's", is_known_name);
        check_each(check, "home", "/home", "its own", is_own_home);
        check_fds(check);
        check_devices(check);
        check_hidden(check);
        check_cgroups(check);
        equal(check, "cwd", check->account->home);
}
