/* progress.c - see progress.h. */
#include "admin/progress.h"

#include "admin/output.h"
#include "common/process.h"

#include <stdio.h>
#include <unistd.h>

#define INTERVAL_MS 500

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
        *progress = (struct progress){ .what = what, .total = total, .shown = isatty(STDERR_FILENO) == 1 };
        progress->begun_ms = process_monotonic_ms();
        progress->next_ms = progress->begun_ms + INTERVAL_MS;
}

static void show(struct progress *progress, uint64_t now)
{
        uint64_t elapsed = now > progress->begun_ms ? now - progress->begun_ms : 1;
        char bytes[16], rate[16], part[16] = "";

        format_size(bytes, sizeof(bytes), progress->bytes);
        format_size(rate, sizeof(rate), progress->bytes * 1000 / elapsed);
        if (progress->total > 0)
                (void)snprintf(
                        part, sizeof(part), " (%u%%)",
                        (unsigned)(progress->bytes >= progress->total ? 100 : progress->bytes * 100 / progress->total));
        progress_clear(progress);
        progress->width = fprintf(stderr, "%s: %s%s, %s/s", progress->what, bytes, part, rate);
        (void)fflush(stderr);
}

void progress_add(struct progress *progress, uint64_t bytes)
{
        uint64_t now = process_monotonic_ms();

        progress->bytes += bytes;
        if (!progress->shown || now < progress->next_ms)
                return;
        progress->next_ms = now + INTERVAL_MS;
        show(progress, now);
}

void progress_clear(struct progress *progress)
{
        if (progress->width > 0)
                (void)fprintf(stderr, "\r%*s\r", progress->width, "");
        progress->width = 0;
}

void progress_end(struct progress *progress)
{
        if (!progress->shown)
                return;
        show(progress, process_monotonic_ms());
        (void)fputc('\n', stderr);
        progress->width = 0;
}
