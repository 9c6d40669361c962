/* endpoint.c - one read or write that does not wait, for each kind of stream. */
#include "shell/endpoint.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

int endpoint_share(struct endpoint *ret, int fd, struct error *err)
{
        struct endpoint endpoint = ENDPOINT_NONE;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_errno(err, errno, "cannot examine a stream");
        if (S_ISSOCK(st.st_mode)) {
                endpoint.kind = ENDPOINT_SOCKET;
        } else if (S_ISFIFO(st.st_mode)) {
                endpoint.kind = ENDPOINT_PIPE;
                if (pipe2(endpoint.pipe, O_CLOEXEC | O_NONBLOCK) < 0)
                        return error_errno(err, errno, "cannot make a pipe");
        } else {
                endpoint.kind = ENDPOINT_FILE;
        }
        endpoint.fd = fd;
        *ret = endpoint;
        return 0;
}

int endpoint_own(struct endpoint *ret, int fd, enum endpoint_kind kind, struct error *err)
{
        /* agentsh's socket is one description with nobody else, too, but MSG_DONTWAIT says it at each call. */
        if (kind != ENDPOINT_TERMINAL && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return error_errno(err, errno, "cannot set up a stream");
        *ret = ENDPOINT_NONE;
        ret->fd = fd;
        ret->kind = kind;
        return 0;
}

/* From the shared pipe into ours, and out of that. */
static ssize_t read_pipe(const struct endpoint *endpoint, void *to, size_t size)
{
        ssize_t got = splice(endpoint->fd, NULL, endpoint->pipe[1], NULL, size, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

        return got <= 0 ? got : read(endpoint->pipe[0], to, (size_t)got);
}

ssize_t endpoint_read(struct endpoint *endpoint, void *to, size_t size)
{
        ssize_t got = -1;

        switch (endpoint->kind) {
        case ENDPOINT_OWN:
        case ENDPOINT_PTY:
        case ENDPOINT_FILE:
                got = read(endpoint->fd, to, size);
                break;
        case ENDPOINT_PIPE:
                got = read_pipe(endpoint, to, size);
                break;
        case ENDPOINT_TERMINAL:
        case ENDPOINT_SOCKET:
                got = recv(endpoint->fd, to, size, MSG_DONTWAIT);
                break;
        }
        if (got >= 0)
                return got;
        return errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t write_pipe(struct endpoint *endpoint, const void *from, size_t size, size_t *delivered)
{
        ssize_t accepted = 0, put;

        /* One after the other, so that what is held stays small. */
        if (endpoint->held == 0 && size > 0) {
                accepted = write(endpoint->pipe[1], from, size);
                if (accepted < 0)
                        return accepted;
                endpoint->held = (size_t)accepted;
        }
        if (endpoint->held == 0)
                return 0;
        put = splice(endpoint->pipe[0], NULL, endpoint->fd, NULL, endpoint->held, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (put < 0)
                return errno == EAGAIN || errno == EINTR ? accepted : put;
        endpoint->held -= (size_t)put;
        *delivered += (size_t)put;
        return accepted;
}

ssize_t endpoint_write(struct endpoint *endpoint, const void *from, size_t size, size_t *delivered)
{
        ssize_t put = -1;

        if (endpoint->kind != ENDPOINT_PIPE && size == 0)
                return 0;
        switch (endpoint->kind) {
        case ENDPOINT_OWN:
        case ENDPOINT_PTY:
        case ENDPOINT_FILE:
                put = write(endpoint->fd, from, size);
                break;
        case ENDPOINT_TERMINAL:
        case ENDPOINT_SOCKET:
                put = send(endpoint->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
                break;
        case ENDPOINT_PIPE:
                put = write_pipe(endpoint, from, size, delivered);
                break;
        }
        if (put < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (endpoint->kind != ENDPOINT_PIPE)
                *delivered += (size_t)put;
        return put;
}

void endpoint_close(struct endpoint *endpoint)
{
        cleanup_close_fd(&endpoint->fd);
        cleanup_close_fd(&endpoint->pipe[0]);
        cleanup_close_fd(&endpoint->pipe[1]);
        endpoint->held = 0;
}
