/*
 * jail_facts.h - what must be true inside every jail of a default policy, as the probes print it.
 */
#ifndef AGENTSH_TESTS_JAIL_FACTS_H
#define AGENTSH_TESTS_JAIL_FACTS_H

#include "tests/lib/jail_lab.h"

#include <stdbool.h>
#include <stddef.h>

#define JAIL_FACTS_KEY "agentsh-test-key" /* in the session keyring of a spoiled caller */

/* Make the calling process as unlike a fresh login as an unlucky caller can: what of it gets inside is a fault. */
void jail_facts_spoil_caller(void);

/*
 * Run the probes in a started jail and compare all facts. The first that is wrong is described in `ret` (empty: all
 * are right).
 */
void jail_facts_check(struct jail_lab *lab, char *ret, size_t size);

/* Single probes, for facts of other policies. The text is the caller's to free; NULL, with ret filled, on failure. */
char *jail_facts_probe(struct jail_lab *lab, const char *name, const char *first, const char *second, char *ret,
                       size_t size);

/* Whether a line "key=value" is there, however often the key is; how often a key is. */
bool jail_facts_has_line(const char *text, const char *line);
unsigned jail_facts_count(const char *text, const char *key);

#endif
