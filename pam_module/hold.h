/*
 * hold.h - what the module keeps with a PAM handle between its calls: the connection to the monitor.
 *
 * It lives under pam_set_data and remembers the process that it belongs to: su, login and systemd fork and run
 * pam_end in the child too, where the copy may only be let go.
 */
#ifndef AGENTSH_PAM_MODULE_HOLD_H
#define AGENTSH_PAM_MODULE_HOLD_H

#include "common/control.h"

#include <security/pam_modules.h>
#include <stdbool.h>
#include <sys/types.h>

struct hold {
        pid_t pid;                       /* which process connected */
        int fd;                          /* the connection, or negative */
        bool open;                       /* a session is open on it; otherwise the account was allowed on it */
        char user[ACCOUNT_NAME_MAX + 1]; /* whom it was allowed for */
        char service[64];
};

/* The handle's hold, or NULL while there is none. Borrowed. */
struct hold *hold_find(pam_handle_t *pamh);

/* The same, made when there is none; a copy that a fork left is emptied first. NULL: no memory. */
struct hold *hold_get(pam_handle_t *pamh);

/* Keep `fd` (now the hold's) for `request`'s user and service in place of what is held. */
void hold_keep(struct hold *hold, int fd, const struct control_request *request);

/* Close the connection: to the monitor, the end of whatever was on it once no process has it any more. */
void hold_drop(struct hold *hold);

#endif
