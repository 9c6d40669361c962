/*
 * qmp.h - the little of QEMU's control protocol that making and restoring a machine takes: one command, one answer.
 * Answers are looked at for their first word only. The peer may be hostile (a session's QEMU): the line buffer is fixed,
 * every wait has a deadline.
 */
#ifndef AGENTSH_VM_QMP_H
#define AGENTSH_VM_QMP_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QMP_LINE_MAX 4096

struct qmp {
        int fd;                  /* a stream socket, not owned */
        uint64_t deadline_ms;    /* on process_monotonic_ms */
        char line[QMP_LINE_MAX]; /* the last answer, NUL-terminated */
        char buffer[QMP_LINE_MAX];
        size_t buffered;
};

/*
 * Send one command (JSON, no newline), with a file descriptor when pass_fd >= 0, and wait for its answer; events in
 * between are passed over. -EPROTO with QEMU's own description when it answers with an error, -ETIMEDOUT after the
 * deadline, -EPIPE when it has hung up.
 */
must_check int qmp_command(struct qmp *qmp, const char *json, int pass_fd, struct error *err);

/* Greeting and capability negotiation. */
must_check int qmp_start(struct qmp *qmp, int fd, uint64_t deadline_ms, struct error *err);

/* Poll query-migrate until it is completed; failed or cancelled: -EIO. */
must_check int qmp_wait_migration(struct qmp *qmp, struct error *err);

#endif
