/* progress.h - how far a transfer is, on standard error where that is a terminal. No privilege. */
#ifndef AGENTSH_ADMIN_PROGRESS_H
#define AGENTSH_ADMIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
        const char *what; /* in front of the figures */
        bool shown;       /* standard error is a terminal */
        uint64_t total;   /* 0: not known */
        uint64_t bytes, begun_ms, next_ms;
        int width; /* of what stands there now */
};

void progress_begin(struct progress *progress, const char *what, uint64_t total);
void progress_add(struct progress *progress, uint64_t bytes);

/* Takes the figures away, before something else is said; the next ones come back by themselves. */
void progress_clear(struct progress *progress);

/* The last word: how much it was in all. */
void progress_end(struct progress *progress);

#endif
