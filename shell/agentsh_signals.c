/* agentsh_signals.c - which signals the login shell handles itself. */
#include "shell/agentsh_signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

/* Its only purpose is to interrupt. */
static void on_tick(int number)
{
        (void)number;
}

int signals_catch(struct error *err)
{
        static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };
        struct sigaction tick = { .sa_handler = on_tick };
        sigset_t set;
        int fd;

        sigemptyset(&set);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                sigaddset(&set, numbers[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || sigaction(SIGALRM, &tick, NULL) < 0)
                return error_errno(err, errno, "cannot set up signals");
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return error_errno(err, errno, "cannot make a signalfd");
        return fd;
}
