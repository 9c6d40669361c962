/*
 * run.h - runs a system program: fixed argv, fixed environment, no shell, a time limit.
 */
#ifndef AGENTSH_ADMIN_RUN_H
#define AGENTSH_ADMIN_RUN_H

#include "common/error.h"

#include <stddef.h>

#define RUN_OUTPUT_MAX (256 * 1024)

struct run_result {
        int status;   /* exit status, or 128 + signal */
        char *output; /* stdout and stderr, NUL-terminated, cut at RUN_OUTPUT_MAX; owned by the result */
        size_t size;
};

/*
 * Run argv (argv[0]: a program's name without '/') from the system directories /usr/sbin, /usr/bin, /sbin, /bin; or
 * argv[0] as it is when it starts with '/'. `input` (may be NULL) becomes its stdin. Its environment is PATH and
 * LC_ALL=C, its directory "/", its umask 022, its signals are at default. After timeout_seconds it is killed
 * (-ETIMEDOUT). 0 when it ran, whatever its status; -ENOENT when there is no such program.
 */
must_check int run_program(const char *const argv[], const char *input, int timeout_seconds, struct run_result *ret,
                           struct error *err);

/* The same, where any status but 0 is an error that says `what` could not be done and what the program said. */
must_check int run_checked(const char *const argv[], const char *what, struct error *err);

/* The last line that is not blank in the output, with control bytes escaped: what a program said as its reason. */
void run_last_line(const struct run_result *result, char *ret, size_t size);

void run_result_done(struct run_result *result);

#define cleanup_run_result __attribute__((cleanup(run_result_done)))

#endif
