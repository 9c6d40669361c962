/* guard_ranges.c - sets of uids as sorted ranges. No privilege. */
#include "admin/guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int guard_ranges_add(struct guard_ranges *ranges, uint32_t first, uint32_t last, struct error *err)
{
        struct guard_range *grown = reallocarray(ranges->range, ranges->count + 1, sizeof(*grown));

        if (grown == NULL)
                return error_errno(err, ENOMEM, "cannot list the agents' uids");
        ranges->range = grown;
        grown[ranges->count++] = (struct guard_range){ .first = first, .last = last };
        return 0;
}

static int compare(const void *one, const void *other)
{
        const struct guard_range *a = one, *b = other;

        return a->first < b->first ? -1 : a->first > b->first;
}

void guard_ranges_merge(struct guard_ranges *ranges)
{
        size_t kept = 0;

        if (ranges->count == 0)
                return;
        qsort(ranges->range, ranges->count, sizeof(*ranges->range), compare);
        for (size_t i = 1; i < ranges->count; i++) {
                struct guard_range *last = &ranges->range[kept], next = ranges->range[i];

                if (next.first > last->last && next.first - last->last > 1)
                        ranges->range[++kept] = next;
                else if (next.last > last->last)
                        last->last = next.last;
        }
        ranges->count = kept + 1;
}

bool guard_ranges_hold(const struct guard_ranges *ranges, uint32_t uid)
{
        for (size_t i = 0; i < ranges->count; i++)
                if (uid >= ranges->range[i].first && uid <= ranges->range[i].last)
                        return true;
        return false;
}

bool guard_ranges_equal(const struct guard_ranges *one, const struct guard_ranges *other)
{
        for (size_t i = 0; one->count == other->count && i < one->count; i++)
                if (one->range[i].first != other->range[i].first || one->range[i].last != other->range[i].last)
                        return false;
        return one->count == other->count;
}

void guard_ranges_done(struct guard_ranges *ranges)
{
        free(ranges->range);
        *ranges = (struct guard_ranges){ 0 };
}
