/* suggest.c - edit distance (optimal string alignment) over short names. Pure. */
#include "policy/suggest.h"

#include <stdint.h>
#include <string.h>

#define LENGTH_MAX 63

static size_t least(size_t a, size_t b)
{
        return a < b ? a : b;
}

size_t edit_distance(const char *a, const char *b)
{
        size_t rows[3][LENGTH_MAX + 1];
        size_t *before = rows[0], *above = rows[1], *row = rows[2];
        size_t rows_count = strnlen(a, LENGTH_MAX + 1), columns = strnlen(b, LENGTH_MAX + 1);

        if (rows_count > LENGTH_MAX || columns > LENGTH_MAX)
                return SIZE_MAX;
        for (size_t j = 0; j <= columns; j++)
                above[j] = j;
        for (size_t i = 1; i <= rows_count; i++) {
                size_t *oldest = before;

                row[0] = i;
                for (size_t j = 1; j <= columns; j++) {
                        size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);

                        row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                                row[j] = least(row[j], before[j - 2] + 1);
                }
                before = above;
                above = row;
                row = oldest;
        }
        return above[columns];
}

void suggest_offer(struct suggestion *suggestion, const char *candidate)
{
        size_t length = strlen(suggestion->typed);
        size_t limit = length < 4 ? 1 : length < 9 ? 2 : 3;
        size_t distance = edit_distance(suggestion->typed, candidate);

        if (distance > limit || distance >= strlen(candidate))
                return;
        if (suggestion->nearest == NULL || distance < suggestion->distance) {
                suggestion->nearest = candidate;
                suggestion->distance = distance;
        }
}
