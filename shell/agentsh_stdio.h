/*
 * agentsh_stdio.h - sorts the three standard streams: terminals stay outside, the others go in. No privilege.
 */
#ifndef AGENTSH_SHELL_AGENTSH_STDIO_H
#define AGENTSH_SHELL_AGENTSH_STDIO_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stdio {
        uint32_t passed; /* ATTACH_*_PASSED */
        int fds[3];      /* those that are passed, in ascending order; not owned */
        size_t fds_count;
        int in;  /* terminal to read keys from: 0, or -1 */
        int out; /* terminal to write to, or -1 */
};

/* Examine 0, 1 and 2. -EINVAL, naming the stream, for one that may neither be passed nor relayed. */
must_check int stdio_inspect(struct stdio *ret, struct error *err);

/* Whether a pty is wanted. */
static inline bool stdio_wants_pty(const struct stdio *stdio)
{
        return stdio->fds_count < 3;
}

/*
 * Whether others write to the terminal beside us: without keys to relay it stays as it is, and with stdout elsewhere we
 * are part of a pipeline. Then the terminal outside processes output, and the pty does not.
 */
static inline bool stdio_output_is_shared(const struct stdio *stdio)
{
        return stdio->in < 0 || (stdio->passed & 1U << 1) != 0;
}

/*
 * Put /dev/null in place of a passed stdin and stdout, so that half-close and end of file reach the other end exactly
 * as if agentsh were not there. stderr is kept for messages.
 */
must_check int stdio_release(const struct stdio *stdio, struct error *err);

#endif
