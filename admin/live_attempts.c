/* live_attempts.c - what the probe tried, against the table of what each attempt must come to. Pure. */
#include "admin/live_check.h"

#include <string.h>

#define GROUP "attempts"

enum rule { MUST_SUCCEED, MAY_SUCCEED, MUST_ANSWER, NEEDS_DEFAULT, MAY_IF_NESTED, MAY_IF_FAKE_ROOT };

static const struct {
        enum rule rule;
        const char *name, *answer;
} rules[] = {
#define MUST(name)             { MUST_SUCCEED, name, NULL },
#define MAY(name)              { MAY_SUCCEED, name, NULL },
#define ANSWER(name, expected) { MUST_ANSWER, name, expected },
#define DEFAULT(name)          { NEEDS_DEFAULT, name, NULL },
#define NESTED(name)           { MAY_IF_NESTED, name, NULL },
#define FAKE_ROOT(name)        { MAY_IF_FAKE_ROOT, name, NULL },
#include "probe/attempts.def"
#undef MUST
#undef MAY
#undef ANSWER
#undef DEFAULT
#undef NESTED
#undef FAKE_ROOT
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))

/* What is expected of one attempt under this policy. */
struct expectation {
        bool must, may;
        const char *answer; /* NULL: any error */
};

static void apply_rule(const struct policy *policy, size_t i, struct expectation *ret)
{
        switch (rules[i].rule) {
        case MUST_SUCCEED:
                ret->must = true;
                break;
        case MAY_SUCCEED:
                ret->may = true;
                break;
        case MUST_ANSWER:
                ret->answer = rules[i].answer;
                break;
        case NEEDS_DEFAULT:
                ret->must |= policy->seccomp == SECCOMP_DEFAULT;
                break;
        case MAY_IF_NESTED:
                ret->may |= policy->nested;
                break;
        case MAY_IF_FAKE_ROOT:
                ret->may |= policy->fake_root;
                break;
        }
}

static struct expectation expect(const struct policy *policy, const char *name)
{
        struct expectation expected = { .must = false };

        for (size_t i = 0; i < RULE_COUNT; i++)
                if (strcmp(rules[i].name, name) == 0)
                        apply_rule(policy, i, &expected);
        return expected;
}

static void check_attempt(const struct live_check *check, const struct live_fact *fact)
{
        struct expectation expected = expect(check->policy, fact->key);
        bool succeeded = strcmp(fact->value, "ok") == 0;

        if (expected.must)
                live_add(check->report, succeeded, GROUP, fact->key, "success: programs need it", fact->value);
        else if (expected.may)
                live_add(check->report, true, GROUP, fact->key, "success or not", fact->value);
        else if (expected.answer != NULL)
                live_equal(check->report, GROUP, fact->key, expected.answer, fact->value);
        else
                live_add(check->report, !succeeded && fact->value[0] != '\0', GROUP, fact->key, "an error",
                         fact->value);
}

/* An attempt of the table that was not made is no success of the isolation's. */
static void check_made(const struct live_check *check)
{
        for (size_t i = 0; i < RULE_COUNT; i++)
                if (live_facts_count(check->facts, rules[i].name) == 0)
                        live_add(check->report, false, GROUP, rules[i].name, "an attempt", "none was made");
}

void live_check_attempts(const struct live_check *check)
{
        static const char *const out_of_reach[] = { "connect abstract", "connect path", "connect host port",
                                                    "open host file" };

        for (size_t i = 0; i < check->facts->count; i++)
                if (strcmp(check->facts->fact[i].section, LIVE_ATTEMPTS) == 0)
                        check_attempt(check, &check->facts->fact[i]);
        check_made(check);
        for (size_t i = 0; i < sizeof(out_of_reach) / sizeof(out_of_reach[0]); i++) {
                const char *found = live_facts_one(check->facts, out_of_reach[i]);

                live_add(check->report, found != NULL && found[0] == 'E', "reach", out_of_reach[i], "an error", found);
        }
}
