/* agentsh_flow.c - one write of what is on its way. Works inside the filter of agentsh_confine.c. */
#include "shell/agentsh_flow.h"

#include <errno.h>
#include <unistd.h>

int flow_write(struct flow *flow, int fd)
{
        ssize_t put;

        if (flow_is_empty(flow))
                return 0;
        put = write(fd, flow->data + flow->start, flow->end - flow->start);
        if (put < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        flow->start += (size_t)put;
        if (flow_is_empty(flow))
                flow_clear(flow);
        return 0;
}
