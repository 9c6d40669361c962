/* jail_sync.c - the line between monitor and builder. No privilege. */
#include "monitor/jail_sync.h"

#include "common/cleanup.h"
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

int jail_sync_send(int fd, enum jail_sync_kind kind, struct error *err)
{
        struct jail_sync message = { .kind = kind };

        return seqpacket_send(fd, &message, sizeof(message), NULL, 0, SEQPACKET_FOREVER, err);
}

int jail_sync_send_fd(int fd, enum jail_sync_kind kind, int passed, struct error *err)
{
        struct jail_sync message = { .kind = kind };

        return seqpacket_send(fd, &message, sizeof(message), &passed, 1, SEQPACKET_FOREVER, err);
}

int jail_sync_send_failure(int fd, const struct error *failure, struct error *err)
{
        struct jail_sync message = { .kind = JAIL_SYNC_FAILED, .number = failure->number };

        memcpy(message.text, failure->text, sizeof(message.text));
        return seqpacket_send(fd, &message, sizeof(message), NULL, 0, SEQPACKET_FOREVER, err);
}

static int receive(int fd, struct jail_sync *ret, int *ret_fd, int timeout_ms, struct error *err)
{
        size_t fds_count;
        ssize_t got = seqpacket_receive(fd, ret, sizeof(*ret), ret_fd, ret_fd != NULL ? 1 : 0, &fds_count, timeout_ms,
                                        err);

        if (got <= 0)
                return (int)got;
        if (got != (ssize_t)sizeof(*ret))
                return error_text(err, EBADMSG, "a message between builder and monitor was cut");
        ret->text[sizeof(ret->text) - 1] = '\0';
        return 1;
}

int jail_sync_receive(int fd, struct jail_sync *ret, int timeout_ms, struct error *err)
{
        int r = receive(fd, ret, NULL, timeout_ms, err);

        /* Comes once, before what is left to read, from a peer that closed without having read all of ours. */
        return r == -ECONNRESET ? receive(fd, ret, NULL, timeout_ms, err) : r;
}

int jail_sync_wait(int fd, enum jail_sync_kind kind, int *ret_fd, struct error *err)
{
        struct jail_sync message = { .kind = 0 };
        int passed = -EBADF, r;

        do {
                cleanup_close_fd(&passed);
                r = receive(fd, &message, &passed, SEQPACKET_FOREVER, err);
                if (r < 0)
                        return r;
                if (r == 0)
                        return error_text(err, EPIPE, "the monitor is gone");
        } while (message.kind != kind);
        if (ret_fd != NULL)
                *ret_fd = TAKE_FD(passed);
        cleanup_close_fd(&passed);
        return 0;
}
