/*
 * guard_try.c - tries whether sockets of an agent's uid get through. Root; CAP_SETUID.
 *
 * A socket belongs to the file system uid that its opener had at that moment: this process changes only that one, for
 * one system call, and does all the rest as root.
 */
#include "admin/guard.h"

#include "common/cleanup.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#define WAIT_MS        1000
#define PROTOCOL_MPTCP 262

static const struct way {
        int family, type, protocol;
        const char *name;
} WAYS[] = {
        { AF_INET, SOCK_DGRAM, 0, "UDP" },
        { AF_INET6, SOCK_DGRAM, 0, "UDP over IPv6" },
        { AF_INET, SOCK_STREAM, 0, "TCP" },
        { AF_INET6, SOCK_STREAM, 0, "TCP over IPv6" },
        /* Its packets are sent by a second socket, of the kernel's making, behind the one that the program opened. */
        { AF_INET, SOCK_STREAM, PROTOCOL_MPTCP, "MPTCP" },
        { AF_INET6, SOCK_STREAM, PROTOCOL_MPTCP, "MPTCP over IPv6" },
};

union address {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
};

/* A receiver of root's on a free port of the loopback interface; -errno where this kernel has none of the family. */
static int open_receiver(const struct way *way, union address *ret, socklen_t *ret_size)
{
        cleanup_close int fd = socket(way->family, way->type | SOCK_CLOEXEC, 0);
        union address address = { .any = { .sa_family = (sa_family_t)way->family } };
        socklen_t size = way->family == AF_INET ? sizeof(address.v4) : sizeof(address.v6);

        if (way->family == AF_INET)
                address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        else
                address.v6.sin6_addr = in6addr_loopback;
        if (fd < 0 || bind(fd, &address.any, size) < 0 || getsockname(fd, &address.any, &size) < 0)
                return -errno;
        if (way->type == SOCK_STREAM && listen(fd, 1) < 0)
                return -errno;
        *ret = address;
        *ret_size = size;
        return TAKE_FD(fd);
}

static int open_as(uid_t uid, const struct way *way)
{
        int fd = -EPERM;

        (void)setfsuid(uid);
        /* It returns what was before and never fails in another way; -1 changes nothing. */
        if ((uid_t)setfsuid((uid_t)-1) == uid) {
                fd = socket(way->family, way->type | SOCK_CLOEXEC | SOCK_NONBLOCK, way->protocol);
                if (fd < 0)
                        fd = -errno;
        }
        (void)setfsuid(geteuid());
        return fd;
}

static bool gets_through(int fd, const union address *address, socklen_t size)
{
        struct pollfd ready = { .fd = fd, .events = POLLOUT };
        int failure = 0;
        socklen_t failure_size = sizeof(failure);

        if (connect(fd, &address->any, size) < 0 && errno != EINPROGRESS)
                return false;
        if (poll(&ready, 1, WAIT_MS) <= 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size) < 0 ||
            failure != 0)
                return false;
        return send(fd, "?", 1, MSG_NOSIGNAL) == 1;
}

/* *ret_there: this kernel has the protocol. */
static int try_way(uid_t uid, const struct way *way, bool *ret_there, bool *ret_through, struct error *err)
{
        union address address;
        socklen_t size = 0;
        cleanup_close int receiver = open_receiver(way, &address, &size);
        cleanup_close int sender = receiver < 0 ? -EBADF : open_as(uid, way);

        if (receiver == -EAFNOSUPPORT || receiver == -EADDRNOTAVAIL || sender == -EPROTONOSUPPORT ||
            sender == -ENOPROTOOPT) {
                *ret_there = *ret_through = false;
                return 0;
        }
        if (receiver < 0 || sender < 0)
                return error_errno(err, receiver < 0 ? -receiver : -sender, "cannot open a socket of uid %u (%s)",
                                   (unsigned)uid, way->name);
        *ret_through = gets_through(sender, &address, size);
        *ret_there = true;
        return 0;
}

int guard_try(uid_t uid, const char **ret_open, struct error *err)
{
        bool tried = false;

        for (size_t i = 0; i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
                bool there = false, through = false, ignored = false;
                int r = try_way(geteuid(), &WAYS[i], &there, &through, err);

                if (r == 0 && there && !through)
                        return error_text(err, EIO,
                                          "the egress guard cannot be tried: root itself does not get through "
                                          "on the loopback interface (%s)",
                                          WAYS[i].name);
                tried |= there;
                if (r == 0 && there)
                        r = try_way(uid, &WAYS[i], &ignored, &through, err);
                if (r < 0)
                        return r;
                if (through) {
                        *ret_open = WAYS[i].name;
                        return 0;
                }
        }
        if (!tried)
                return error_text(err, EIO, "the egress guard cannot be tried: this system has no loopback network");
        *ret_open = NULL;
        return 0;
}
