/*
 * log.h - the monitor's one way to say something: syslog (authpriv), and a file when --log names one. One line a
 * call, control characters escaped, so that no name an agent or a client chose can forge a line.
 */
#ifndef AGENTSH_MONITOR_LOG_H
#define AGENTSH_MONITOR_LOG_H

#include "common/error.h"

/* Open the log; `path` NULL: syslog alone. Needs to be able to write the file. */
must_check int log_open(const char *path, struct error *err);

/* priority as in syslog(3). Never fails: a log that cannot be written must not end a session. */
void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
