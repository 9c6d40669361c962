/* guard_agents.c - which uids the guard is for, and keeping its set in step with the user database. Root. */
#include "admin/accounts.h"
#include "admin/guard.h"
#include "admin/login_defs.h"
#include "admin/places.h"
#include "common/cleanup.h"
#include "common/paths.h"

#include <pwd.h>
#include <string.h>
#include <sys/file.h>

/* Whether every account with a uid in the range is an agent. */
static bool is_agents_alone(const struct guard_range *range)
{
        const struct passwd *entry;
        bool alone = true;

        setpwent();
        while (alone && (entry = getpwent()) != NULL)
                alone = entry->pw_uid < range->first || entry->pw_uid > range->last ||
                        strcmp(entry->pw_shell, AGENTSH_SHELL_PATH) == 0;
        endpwent();
        return alone;
}

/* A malformed /etc/subuid must not take the network from people: their uids are never in an agent's range. */
static int add_subordinates(const struct account *agent, struct guard_ranges *ranges, struct error *err)
{
        struct subid_range found;
        struct guard_range range;

        if (!subid_find("/etc/subuid", agent->name, agent->uid, &found) || found.count == 0)
                return 0;
        range = (struct guard_range){ .first = (uint32_t)found.start,
                                      .last = (uint32_t)(found.start + found.count - 1) };
        if (range.first <= UINT16_MAX || !is_agents_alone(&range))
                return 0;
        return guard_ranges_add(ranges, range.first, range.last, err);
}

int guard_wanted(const char *except, struct guard_ranges *ret, struct error *err)
{
        cleanup_account_list struct account_list agents = { 0 };
        cleanup_guard_ranges struct guard_ranges ranges = { 0 };
        int r = account_list_agents(&agents, err);

        for (size_t i = 0; r == 0 && i < agents.count; i++) {
                const struct account *agent = &agents.account[i];

                if (agent->uid == 0 || (except != NULL && strcmp(agent->name, except) == 0))
                        continue;
                r = guard_ranges_add(&ranges, agent->uid, agent->uid, err);
                if (r == 0)
                        r = add_subordinates(agent, &ranges, err);
        }
        if (r < 0)
                return r;
        guard_ranges_merge(&ranges);
        *ret = ranges;
        ranges = (struct guard_ranges){ 0 };
        return 0;
}

static int follow(const char *except, struct error *err)
{
        cleanup_guard_ranges struct guard_ranges wanted = { 0 };
        int r = guard_wanted(except, &wanted, err);

        return r < 0 ? r : guard_set_uids(&wanted, err);
}

int guard_follow(const char *except, struct error *err)
{
        struct error reason = ERROR_INIT;
        cleanup_close int lock = -EBADF;
        bool loaded = false;
        int r;

        r = guard_is_loaded(&loaded, &reason);
        /* A root that may not ask, in a container, could not have loaded it either. */
        if (r == -EPERM || (r == 0 && !loaded))
                return 0;
        if (r < 0) {
                *err = reason;
                return r;
        }
        /* Of two changes at once, the list that was made last must be the one that stays. */
        lock = places_open_config(err);
        if (lock < 0)
                return lock;
        if (flock(lock, LOCK_EX) < 0)
                return error_errno(err, errno, "cannot wait for another change of the egress guard");
        r = follow(except, err);
        return r < 0 ? error_prefix(err, "cannot update the egress guard") : 0;
}
