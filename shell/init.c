/*
 * init.c - agentsh-init, process 1 of an isolation: accepts login shells, starts their commands, reaps what is left.
 * Runs as the agent, inside, without capabilities; the monitor has installed the seccomp filter.
 */
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"
#include "common/status.h"
#include "shell/init_serve.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

static int prepare(struct error *err)
{
        static const int keep[] = { STATUS_FD, ATTACH_LISTEN_FD };
        sigset_t child;
        int r;

        /* No process of the same uid may look into this one. */
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return error_errno(err, errno, "cannot protect process 1");
        r = fd_open_stdio(err);
        if (r < 0)
                return r;
        r = fd_close_others(3, keep, sizeof(keep) / sizeof(keep[0]), err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
                if (fcntl(keep[i], F_SETFD, FD_CLOEXEC) < 0)
                        return error_errno(err, errno, "fd %d is missing", keep[i]);
        if (chdir("/") < 0)
                return error_errno(err, errno, "cannot enter /");
        r = process_reset_signals(err);
        if (r < 0)
                return r;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &child, NULL) < 0)
                return error_errno(err, errno, "cannot block SIGCHLD");
        return 0;
}

int main(void)
{
        struct error err = ERROR_INIT;
        int r = prepare(&err);

        if (r == 0)
                r = init_serve(STATUS_FD, ATTACH_LISTEN_FD, &err);
        if (r == 0)
                return 0;
        if (write(STDERR_FILENO, "agentsh-init: ", strlen("agentsh-init: ")) < 0 ||
            write(STDERR_FILENO, err.text, strlen(err.text)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
                return 2;
        return 1;
}
