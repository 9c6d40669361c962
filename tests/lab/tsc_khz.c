/* tsc_khz - prints the rate of the time stamp counter. A guest that is told needs not measure it, which fails under load. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

static uint64_t now(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC_RAW, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int main(void)
{
        uint64_t start = now(), ticks = __rdtsc(), end;

        while ((end = now()) < start + 100000000u)
                ;
        ticks = __rdtsc() - ticks;
        (void)printf("%llu\n", (unsigned long long)(ticks * 1000000u / (end - start)));
        return 0;
}
