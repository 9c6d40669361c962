/*
 * live_session.h - a real session of an account, opened through PAM in a child process, with the account's own login
 * shell in it, as su would start it. Needs root.
 */
#ifndef AGENTSH_ADMIN_LIVE_SESSION_H
#define AGENTSH_ADMIN_LIVE_SESSION_H

#include "admin/accounts.h"
#include "common/paths.h"

#include <stdint.h>
#include <sys/types.h>

struct live_session {
        pid_t application; /* the child that holds the PAM handle, as su would */
        int control;       /* to it: its verdict comes first, its end of file ends the session */
        int input, output; /* of the command: ours to write and to read; -EBADF where the caller gave its streams */
        char service[64];  /* the PAM service it was opened as */
        char id[SESSION_ID_LENGTH + 1];
        uint64_t begun_usec;   /* CLOCK_MONOTONIC, before pam_start */
        uint64_t account_usec; /* what the phases took */
        uint64_t open_usec;
};

#define LIVE_SESSION_INIT                                            \
        {                                                            \
                .control = -EBADF, .input = -EBADF, .output = -EBADF \
        }

/* The command's standard streams, where they are not to be two pipes of the session's own. The caller keeps its fds. */
struct live_streams {
        int input, output, error;
};

/*
 * Go through PAM's account and session phases as `service`, then run the passwd entry's shell with "-c command" as the
 * agent. `streams` may be NULL. -EACCES: it was refused; the text says in which phase and what PAM's modules told the
 * user.
 */
must_check int live_session_open(const struct account *account, const char *service, const char *command,
                                 const struct live_streams *streams, struct live_session *ret, struct error *err);

/*
 * session->control is readable once the command has ended; this reads its exit status, 128 + signal for one that was
 * killed. -ESRCH: the process that holds the session died.
 */
must_check int live_session_status(const struct live_session *session, int *ret, struct error *err);

/* Close the command's input and the session, and wait for both. Idempotent. */
void live_session_close(struct live_session *session);

#define cleanup_live_session __attribute__((cleanup(live_session_close)))

uint64_t live_now_usec(void);

#endif
