/* jail_net.c - the network namespace: the loopback interface is raised, and there is nothing else. CAP_NET_ADMIN. */
#include "monitor/jail.h"

#include "common/cleanup.h"

#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int jail_raise_loopback(struct jail *jail, struct error *err)
{
        cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

        (void)jail;
        if (fd < 0)
                return error_errno(err, errno, "cannot make a socket in the network namespace");
        if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
                return error_errno(err, errno, "cannot raise the loopback interface");
        return 0;
}
