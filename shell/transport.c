/* transport.c - byte streams by read(2) and write(2). */
#include "shell/transport.h"

#include "common/cleanup.h"
#include "common/parse.h"

#include <fcntl.h>
#include <stdint.h>

static ssize_t outcome(ssize_t n)
{
        if (n >= 0)
                return n;
        if (errno == EAGAIN || errno == EINTR)
                return 0;
        return errno == ECONNRESET ? -EPIPE : -errno;
}

static void close_fd(int fd)
{
        cleanup_close_fd(&fd);
}

static int open_inherited(const char *where, struct error *err)
{
        uint64_t fd;
        int r = parse_number(where, 0, INT32_MAX, &fd, err);

        if (r < 0)
                return r;
        if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl((int)fd, F_SETFL, O_NONBLOCK) < 0)
                return error_errno(err, errno, "descriptor %s is missing", where);
        return (int)fd;
}

static ssize_t read_inherited(int fd, void *to, size_t size)
{
        ssize_t got = read(fd, to, size);

        return got == 0 ? -EPIPE : outcome(got);
}

static ssize_t write_any(int fd, const void *from, size_t size)
{
        return outcome(write(fd, from, size));
}

const struct transport_ops transport_inherited = { open_inherited, read_inherited, write_any, close_fd };

static int open_virtio(const char *where, struct error *err)
{
        int fd = open(where, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

        return fd < 0 ? error_errno(err, errno, "cannot open %s", where) : fd;
}

static ssize_t read_virtio(int fd, void *to, size_t size)
{
        return outcome(read(fd, to, size));
}

const struct transport_ops transport_virtio = { open_virtio, read_virtio, write_any, close_fd };
