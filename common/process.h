/*
 * process.h - facts about processes and a defined state for our own.
 */
#ifndef AGENTSH_COMMON_PROCESS_H
#define AGENTSH_COMMON_PROCESS_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whatever the caller left: all signal handlers to default, nothing ignored, empty mask. */
must_check int process_reset_signals(struct error *err);

/* pidfd_open(2), close-on-exec. Returns the fd. */
must_check int process_open_pidfd(pid_t pid, struct error *err);

/* pidfd_send_signal(2). -ESRCH when it has ended. */
must_check int process_send_signal(int pidfd, int signal, struct error *err);

/* Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat): with the pid, an identity. */
must_check int process_read_start_time(pid_t pid, uint64_t *ret, struct error *err);

/* The same of the text of such a file. Pure. */
must_check int process_parse_start_time(const char *stat, uint64_t *ret, struct error *err);

/* Milliseconds on CLOCK_MONOTONIC (stops in suspend) and seconds on CLOCK_REALTIME. */
uint64_t process_monotonic_ms(void);
int64_t process_realtime(void);

/* Sixteen lower-case hex digits from the kernel's random source, NUL-terminated. */
must_check int process_random_id(char ret[static 17], struct error *err);

#endif
