/*
 * home_transfer.h - files of an agent's home, as a tar archive through a session of the account: its own tar, run as
 * itself in its own isolation, reads or writes the home. What comes out is hostile bytes, passed on unread; what goes in
 * is taken apart inside. So it is the same for every tier, and an image is never mounted by the host. Needs root.
 */
#ifndef AGENTSH_ADMIN_HOME_TRANSFER_H
#define AGENTSH_ADMIN_HOME_TRANSFER_H

#include "admin/accounts.h"
#include "admin/live_session.h"
#include "admin/progress.h"

#include <stdbool.h>
#include <stddef.h>

struct home_transfer {
        const struct account *account;
        struct live_session session;
        struct progress progress;
        int data;           /* the archive: to or from the command; owned */
        int said;           /* what else it says: stderr, for an import stdout too; owned */
        bool ended;         /* the command, with `status` */
        int status;         /* 128 + signal for one that was killed */
        bool answered;      /* something was said */
        size_t lines, used; /* shown; waiting in text */
        char text[256];     /* of a line that is not complete */
};

#define HOME_TRANSFER_INIT                                                   \
        {                                                                    \
                .session = LIVE_SESSION_INIT, .data = -EBADF, .said = -EBADF \
        }

/* Everything, or the files and directories named: NUL-terminated, below the home, one behind the other. */
struct home_paths {
        const char *text;
        size_t size;
        bool ignore_unreadable;
};

/*
 * Open a session by `service` and start tar there. For an import it returns once the session stands (the state of that
 * session can be looked at then) and before a byte of the archive is sent.
 */
must_check int home_transfer_export(struct home_transfer *transfer, const struct account *account, const char *service,
                                    const struct home_paths *paths, struct error *err);
must_check int home_transfer_import(struct home_transfer *transfer, const struct account *account, const char *service,
                                    struct error *err);

/* Move the archive to or from `fd`, until tar has ended. -EIO: it did not end well; what it said was shown. */
must_check int home_transfer_take(struct home_transfer *transfer, int fd, struct error *err);
must_check int home_transfer_give(struct home_transfer *transfer, int fd, struct error *err);

/* Ends the session. Idempotent. */
void home_transfer_done(struct home_transfer *transfer);

#define cleanup_home_transfer __attribute__((cleanup(home_transfer_done)))

#endif
