/*
 * jail_net.c - the network namespace: the loopback interface is up, and there is nothing else.
 *
 * It is the dearest part of a jail: the monitor makes it while the builder makes the view.
 */
#include "monitor/jail_net.h"

#include "common/cleanup.h"
#include "monitor/jail.h"
#include "monitor/jail_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int raise_loopback(struct error *err)
{
        cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

        if (fd < 0)
                return error_errno(err, errno, "cannot make a socket in the network namespace");
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return error_errno(err, errno, "cannot raise the loopback interface");
        return 0;
}

static int open_own(struct error *err)
{
        int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? error_errno(err, errno, "cannot open a network namespace") : fd;
}

int net_make_namespace(int *ret_fd, struct error *err)
{
        cleanup_close int own = open_own(err);
        cleanup_close int made = -EBADF;
        int r;

        if (own < 0)
                return own;
        if (unshare(CLONE_NEWNET) < 0)
                return error_errno(err, errno, "cannot make a network namespace");
        r = raise_loopback(err);
        if (r >= 0)
                r = made = open_own(err);
        if (setns(own, CLONE_NEWNET) < 0)
                return error_errno(err, errno, "cannot return to the host's network namespace");
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(made);
        return 0;
}

int jail_enter_network(struct jail *jail, struct error *err)
{
        cleanup_close int fd = -EBADF;
        int r = jail_sync_wait(jail->sync_fd, JAIL_SYNC_NETWORK, &fd, err);

        if (r < 0)
                return r;
        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
                return error_errno(err, fd < 0 ? EBADF : errno, "cannot enter the network namespace");
        return 0;
}
