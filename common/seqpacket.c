/* seqpacket.c - bounded messages over AF_UNIX. No privilege; no heap. */
#include "common/seqpacket.h"

#include "common/cleanup.h"
#include "common/process.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Milliseconds left of `timeout_ms` that began at `start`; -1 stays -1. */
static int time_left(int timeout_ms, uint64_t start)
{
        uint64_t gone;

        if (timeout_ms < 0)
                return -1;
        gone = process_monotonic_ms() - start;
        return gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
}

static int wait_for(int fd, short events, int timeout_ms, uint64_t start, const char *what, struct error *err)
{
        for (;;) {
                struct pollfd item = { .fd = fd, .events = events };
                int r = poll(&item, 1, time_left(timeout_ms, start));

                if (r > 0)
                        return 0;
                if (r == 0)
                        return error_text(err, ETIMEDOUT, "no answer within %d ms while %s", timeout_ms, what);
                if (errno != EINTR)
                        return error_errno(err, errno, "cannot wait while %s", what);
        }
}

static int fill_address(struct sockaddr_un *ret, const char *path, struct error *err)
{
        size_t length = strlen(path);

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (length == 0 || length >= sizeof(ret->sun_path))
                return error_text(err, ENAMETOOLONG, "the socket path %s is too long", path);
        memcpy(ret->sun_path, path, length + 1);
        return 0;
}

int seqpacket_connect(const char *path, int timeout_ms, struct error *err)
{
        cleanup_close int fd = -EBADF;
        struct sockaddr_un address;
        uint64_t start = process_monotonic_ms();
        int r = fill_address(&address, path, err);

        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a socket");
        while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                struct timespec pause = { .tv_nsec = 5000000 };

                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN)
                        return error_errno(err, errno, "cannot connect to %s", path);
                if (time_left(timeout_ms, start) == 0)
                        return error_text(err, ETIMEDOUT, "cannot connect to %s: its queue is full", path);
                (void)nanosleep(&pause, NULL);
        }
        return TAKE_FD(fd);
}

int seqpacket_peer_uid(int fd, uid_t *ret, struct error *err)
{
        struct ucred peer;
        socklen_t size = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return error_errno(err, errno, "cannot read the credentials of a socket's peer");
        if (size != sizeof(peer))
                return error_text(err, EIO, "the credentials of a socket's peer are incomplete");
        *ret = peer.uid;
        return 0;
}

int seqpacket_send(int fd, const void *data, size_t size, const int *fds, size_t fds_count, int timeout_ms,
                   struct error *err)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * SEQPACKET_FDS_MAX)];
        } control = { .bytes = { 0 } };
        struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        uint64_t start = process_monotonic_ms();

        if (fds_count > SEQPACKET_FDS_MAX)
                return error_text(err, E2BIG, "cannot send %zu fds in one message", fds_count);
        if (fds_count > 0) {
                struct cmsghdr *header;

                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * fds_count);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * fds_count);
                memcpy(CMSG_DATA(header), fds, sizeof(int) * fds_count);
        }
        for (;;) {
                ssize_t put = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
                int r;

                if (put >= 0)
                        return (size_t)put == size ? 0 : error_text(err, EMSGSIZE, "a message was cut");
                if (errno == EINTR)
                        continue;
                if (errno != EAGAIN)
                        return error_errno(err, errno, "cannot send a message");
                r = wait_for(fd, POLLOUT, timeout_ms, start, "sending a message", err);
                if (r < 0)
                        return r;
        }
}

/* Moves received fds to fds[0..fds_max); returns how many came in all, closing those beyond. */
static size_t take_fds(struct msghdr *message, int *fds, size_t fds_max)
{
        size_t count = 0;

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
                size_t here;

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
                        continue;
                here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                for (size_t i = 0; i < here; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
                        if (count < fds_max)
                                fds[count] = fd;
                        else
                                (void)close(fd);
                        count++;
                }
        }
        return count;
}

ssize_t seqpacket_receive(int fd, void *data, size_t max, int *fds, size_t fds_max, size_t *ret_fds_count,
                          int timeout_ms, struct error *err)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int) * SEQPACKET_FDS_MAX)];
        } control;
        struct iovec part = { .iov_base = data, .iov_len = max };
        uint64_t start = process_monotonic_ms();

        *ret_fds_count = 0;
        for (;;) {
                struct msghdr message = {
                        .msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof(control.bytes),
                };
                ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
                size_t count;
                int r;

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0 && errno == EAGAIN) {
                        r = wait_for(fd, POLLIN, timeout_ms, start, "receiving a message", err);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (got < 0)
                        return error_errno(err, errno, "cannot receive a message");
                count = take_fds(&message, fds, fds_max);
                /* No byte but fds is no end of the connection: the caller would take it for one and lose the fds. */
                if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && count <= fds_max &&
                    (got > 0 || count == 0)) {
                        *ret_fds_count = count;
                        return got;
                }
                for (size_t i = 0; i < count && i < fds_max; i++)
                        (void)close(fds[i]);
                return error_text(err, EBADMSG, "a message is not what the protocol allows: too long, or with odd fds");
        }
}

int seqpacket_listen(const char *path, mode_t mode, int backlog, struct error *err)
{
        cleanup_close int fd = -EBADF;
        struct sockaddr_un address;
        int r = fill_address(&address, path, err);

        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a socket");
        if (unlink(path) < 0 && errno != ENOENT)
                return error_errno(err, errno, "cannot remove the old socket %s", path);
        /* Nobody can connect before listen(): the mode is right by then. */
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return error_errno(err, errno, "cannot bind %s", path);
        if (chmod(path, mode) < 0)
                return error_errno(err, errno, "cannot set the mode of %s", path);
        if (listen(fd, backlog) < 0)
                return error_errno(err, errno, "cannot listen on %s", path);
        return TAKE_FD(fd);
}
