/*
 * agentsh_flow.h - bytes on their way from one end of the relay to the other. No allocation.
 */
#ifndef AGENTSH_SHELL_AGENTSH_FLOW_H
#define AGENTSH_SHELL_AGENTSH_FLOW_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

struct flow {
        size_t start, end; /* of what has still to be written */
        char data[16 * 1024];
};

static inline bool flow_is_empty(const struct flow *flow)
{
        return flow->start == flow->end;
}

static inline void flow_clear(struct flow *flow)
{
        flow->start = flow->end = 0;
}

/* Write what there is, in one write, as far as it goes. -errno when fd cannot take anything any more. */
must_check int flow_write(struct flow *flow, int fd);

#endif
