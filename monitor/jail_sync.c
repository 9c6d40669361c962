/* jail_sync.c - the line between monitor and builder. No privilege. */
#include "monitor/jail_sync.h"

#include "common/seqpacket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int jail_sync_open(int *ret_monitor_fd, int *ret_builder_fd, struct error *err)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make the builder's socket");
        *ret_monitor_fd = pair[0];
        *ret_builder_fd = pair[1];
        return 0;
}

int jail_sync_send(int fd, enum jail_sync_kind kind, const struct error *failure, struct error *err)
{
        struct jail_sync message = { .kind = kind };

        if (failure != NULL) {
                message.number = failure->number;
                memcpy(message.text, failure->text, sizeof(message.text));
        }
        return seqpacket_send(fd, &message, sizeof(message), NULL, 0, SEQPACKET_FOREVER, err);
}

int jail_sync_receive(int fd, struct jail_sync *ret, int timeout_ms, struct error *err)
{
        size_t fds_count;
        ssize_t got = seqpacket_receive(fd, ret, sizeof(*ret), NULL, 0, &fds_count, timeout_ms, err);

        if (got <= 0)
                return (int)got;
        if (got != (ssize_t)sizeof(*ret))
                return error_text(err, EBADMSG, "a message between builder and monitor was cut");
        ret->text[sizeof(ret->text) - 1] = '\0';
        return 1;
}

int jail_sync_wait(int fd, enum jail_sync_kind kind, struct error *err)
{
        struct jail_sync message = { .kind = 0 };

        do {
                int r = jail_sync_receive(fd, &message, SEQPACKET_FOREVER, err);

                if (r < 0)
                        return r;
                if (r == 0)
                        return error_text(err, EPIPE, "the monitor is gone");
        } while (message.kind != kind);
        return 0;
}
