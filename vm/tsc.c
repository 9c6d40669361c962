/* tsc.c - the rate of the time stamp counter, for guests that must not measure it themselves. Pure but for the clock. */
#include "vm/machine.h"

#include "common/process.h"

#if defined(__x86_64__)
#include <time.h>
#include <x86intrin.h>

#define MEASURE_NS 20000000ULL

static uint64_t now_ns(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC_RAW, &now);
        return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

uint64_t vm_tsc_khz(void)
{
        uint64_t start = now_ns(), ticks = __rdtsc(), end;

        do
                end = now_ns();
        while (end < start + MEASURE_NS);
        return (__rdtsc() - ticks) * 1000000ULL / (end - start);
}
#else
uint64_t vm_tsc_khz(void)
{
        return 0;
}
#endif
