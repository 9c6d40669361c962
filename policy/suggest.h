/*
 * suggest.h - "did you mean": the nearest of some candidates by edit distance. Pure; no allocation.
 */
#ifndef AGENTSH_POLICY_SUGGEST_H
#define AGENTSH_POLICY_SUGGEST_H

#include <stddef.h>

struct suggestion {
        const char *typed;
        const char *nearest; /* NULL: nothing near enough was offered */
        size_t distance;
};

#define SUGGESTION(text)                                        \
        {                                                       \
                .typed = (text), .nearest = NULL, .distance = 0 \
        }

/* `candidate` must live as long as the suggestion. Of several equally near the first offered stays. */
void suggest_offer(struct suggestion *suggestion, const char *candidate);

/* Insertions, deletions, replacements and swaps of neighbours from a to b; SIZE_MAX for texts over 63 bytes. */
size_t edit_distance(const char *a, const char *b);

#endif
