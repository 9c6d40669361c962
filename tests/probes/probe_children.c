/*
 * probe_children - children that are hard to be rid of: traced and stopped, a parent inside vfork, deaf to all signals,
 * in sessions of their own. Prints "up" when they are there, then waits for its input to end. Static; runs inside.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_forever(void)
{
        for (;;)
                (void)pause();
}

static void traced(void)
{
        pid_t child = fork();

        if (child == 0) {
                (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                (void)raise(SIGSTOP);
                wait_forever();
        }
        (void)waitpid(child, NULL, WUNTRACED);
        wait_forever();
}

static void in_vfork(void)
{
        if (vfork() == 0)
                wait_forever();
}

static void deaf(void)
{
        sigset_t all;

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        for (int number = 1; number < 65; number++)
                (void)signal(number, SIG_IGN);
        wait_forever();
}

static void stopped(void)
{
        (void)raise(SIGSTOP);
}

int main(void)
{
        void (*const kinds[])(void) = { traced, in_vfork, deaf, stopped };

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                if (fork() == 0) {
                        (void)setsid();
                        kinds[i]();
                        _exit(0);
                }
        }
        (void)usleep(200000);
        (void)puts("up");
        (void)fflush(stdout);
        (void)getchar();
        return 0;
}
