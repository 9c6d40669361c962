/*
 * live_facts.h - what agentsh-probe printed: lines "key=value", in sections. It comes from inside an isolation, so
 * nothing in it is believed to be well-formed, short, or said once. Pure.
 */
#ifndef AGENTSH_ADMIN_LIVE_FACTS_H
#define AGENTSH_ADMIN_LIVE_FACTS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define LIVE_FACTS_MAX 8192

struct live_fact {
        const char *section, *key, *value; /* parts of the text */
};

struct live_facts {
        char *text;
        size_t count;
        struct live_fact *fact;
        bool complete;   /* the probe's last line was there */
        char noise[256]; /* the last line that was no fact: a shell's or a login's complaint, escaped */
};

/* Cut up `text` (heap, NUL-terminated), which the facts own from now on, whatever is returned. */
must_check int live_facts_parse(char *text, struct live_facts *ret, struct error *err);
void live_facts_done(struct live_facts *facts);

#define cleanup_live_facts __attribute__((cleanup(live_facts_done)))

/* The part of the probe whose lines are attempts, not facts. */
#define LIVE_ATTEMPTS "escape"

/* The value of a key that was said exactly once, attempts apart; NULL else. */
const char *live_facts_one(const struct live_facts *facts, const char *key);

/* How often the key was said. */
size_t live_facts_count(const struct live_facts *facts, const char *key);

#endif
