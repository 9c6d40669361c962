/*
 * live_bait.h - things of the host's that must be out of reach inside, put out for one `doctor --live`: two Unix
 * sockets that everybody may connect to, a TCP port on loopback, a file that everybody may read, a key in the user
 * keyring of the agent's uid. Needs root.
 */
#ifndef AGENTSH_ADMIN_LIVE_BAIT_H
#define AGENTSH_ADMIN_LIVE_BAIT_H

#include "admin/accounts.h"
#include "admin/live_report.h"

struct live_bait {
        char directory[64]; /* of mode 0755, with "socket" and "file" in it; "" while there is none */
        char abstract[64];  /* name of an abstract socket */
        char key[64];       /* description of the key; it expires by itself */
        unsigned port;
        int abstract_fd, socket_fd, tcp_fd;
};

#define LIVE_BAIT_INIT                                                       \
        {                                                                    \
                .abstract_fd = -EBADF, .socket_fd = -EBADF, .tcp_fd = -EBADF \
        }

must_check int live_bait_put(struct live_bait *bait, const struct account *account, struct error *err);

/* Whether somebody came to one of the sockets: the host's own view of what the probe says it could not do. */
void live_bait_check(const struct live_bait *bait, struct live_report *report);

void live_bait_remove(struct live_bait *bait);

#define cleanup_live_bait __attribute__((cleanup(live_bait_remove)))

#endif
