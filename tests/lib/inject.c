/*
 * inject.c - a listener that makes one system call of a session's set-up fail, or kills its process there. Root.
 *
 *   inject MONITOR SOCKET ROLE NUMBER ACTION
 *
 * Serves SOCKET like agentsh-monitor --listen, with MONITOR for each connection. In the first one the process of ROLE
 * (`monitor`, or `builder`, its first child) is stopped at its system call NUMBER, counted from its start (of the
 * builder until it executes init), which gives ACTION: an error's number, or `kill`. Then nobody is traced any more.
 * Says on standard output what happened: "injected NAME", and at the end "calls MONITOR BUILDER", those of the monitor
 * until it gives its privileges up. Not strace, whose count runs in all processes at once: the monitor would never come
 * to start a builder that is to fail at an earlier number. Runs until it is terminated. No part of the product.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__
#define OPTIONS \
        (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

struct plan {
        const char *monitor, *socket, *role;
        long number;
        int error; /* 0: kill */
};

/* What is known of one of the two processes. */
struct tracee {
        pid_t pid;
        long calls, setup; /* setup: calls when it was through */
        bool entered;      /* the next stop is the end of a call */
        bool fail;         /* of the call that it is in */
};

static void say(const char *text, long a, long b)
{
        (void)printf("%s %ld %ld\n", text, a, b);
        (void)fflush(stdout);
}

static void run_monitor(const struct plan *plan, int connection, bool traced)
{
        char pid[16];

        (void)dup2(connection, 3);
        for (int fd = 4; fd < 64; fd++)
                (void)close(fd);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        (void)setenv("LISTEN_FDS", "1", 1);
        (void)setenv("LISTEN_PID", pid, 1);
        (void)setsid();
        if (traced && (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0))
                _exit(126);
        (void)execl(plan->monitor, plan->monitor, (char *)NULL);
        _exit(127);
}

/* Whether a call is left alone: it cannot fail, or its process would not know. */
static bool is_exempt(unsigned long long call)
{
        return call == SYS_exit || call == SYS_exit_group || call == SYS_rt_sigreturn || call == SYS_restart_syscall;
}

/* A stop at the start or the end of a call. Returns whether the plan has been carried out. */
static bool take_call(const struct plan *plan, struct tracee *tracee, const char *role)
{
        struct user_regs_struct registers;

        if (ptrace(PTRACE_GETREGS, tracee->pid, NULL, &registers) < 0)
                return false;
        if (tracee->entered) {
                tracee->entered = false;
                if (!tracee->fail)
                        return false;
                registers.rax = (unsigned long long)-plan->error;
                (void)ptrace(PTRACE_SETREGS, tracee->pid, NULL, &registers);
                return true;
        }
        tracee->entered = true;
        tracee->calls++;
        if (registers.orig_rax == SYS_capset && tracee->setup == 0)
                tracee->setup = tracee->calls;
        if (strcmp(role, plan->role) != 0 || tracee->calls != plan->number || is_exempt(registers.orig_rax))
                return false;
        say("injected", tracee->calls, (long)registers.orig_rax);
        if (plan->error == 0) {
                (void)kill(tracee->pid, SIGKILL);
                return true;
        }
        tracee->fail = true;
        registers.orig_rax = ~0ULL;
        (void)ptrace(PTRACE_SETREGS, tracee->pid, NULL, &registers);
        return false;
}

static bool is_event(int status, int event)
{
        return status >> 8 == (SIGTRAP | event << 8);
}

/* Goes on with a stopped process; a signal that is its own is passed on. */
static void go_on(pid_t pid, int status, bool done)
{
        int number = WSTOPSIG(status);
        bool ours = number == (SIGTRAP | 0x80) || status >> 16 != 0 || number == SIGSTOP || number == SIGTRAP;

        (void)ptrace(done ? PTRACE_DETACH : PTRACE_SYSCALL, pid, NULL, (void *)(long)(ours ? 0 : number));
}

/* Traces until the plan has been carried out and nobody is held any more. Returns the monitor's wait status. */
static int trace(const struct plan *plan, pid_t monitor)
{
        struct tracee first = { .pid = monitor }, second = { .pid = 0 };
        bool done = false, started = false, executed = false;
        int status = 0;

        for (;;) {
                pid_t pid = waitpid(-1, &status, __WALL);

                if (pid < 0)
                        return 0;
                if (WIFEXITED(status) || WIFSIGNALED(status)) {
                        if (pid != monitor)
                                continue;
                        say("calls", first.setup > 0 ? first.setup : first.calls, second.calls);
                        return status;
                }
                if (!started && pid == monitor) {
                        started = true;
                        (void)ptrace(PTRACE_SETOPTIONS, pid, NULL, OPTIONS);
                } else if (is_event(status, PTRACE_EVENT_EXEC) && pid == second.pid) {
                        executed = true;
                } else if (second.pid == 0 && pid != monitor) {
                        second.pid = pid;
                } else if (WSTOPSIG(status) == (SIGTRAP | 0x80) && !done) {
                        done = pid == monitor      ? take_call(plan, &first, "monitor")
                               : pid == second.pid ? take_call(plan, &second, "builder")
                                                   : false;
                }
                go_on(pid, status, done || (executed && pid == second.pid) || (pid != monitor && pid != second.pid));
        }
}

static void sweep(const struct plan *plan)
{
        pid_t pid = fork();

        if (pid == 0) {
                (void)execl(plan->monitor, plan->monitor, "--sweep", (char *)NULL);
                _exit(127);
        }
        (void)waitpid(pid, NULL, 0);
}

/* Starts a monitor and waits for its end. Whether it was killed, or failed. */
static bool serve(const struct plan *plan, int connection, bool traced)
{
        pid_t pid = fork();
        int status = 0;

        if (pid == 0)
                run_monitor(plan, connection, traced);
        (void)close(connection);
        if (traced)
                status = trace(plan, pid);
        else
                (void)waitpid(pid, &status, 0);
        return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/*
 * One connection. A monitor that was killed or failed is swept behind, as the listener and systemd do it: once its tracer
 * is gone, which would else hold what the monitor has left, dead or alive.
 */
static void serve_and_sweep(const struct plan *plan, int connection, bool traced)
{
        pid_t pid = fork();
        int status = 0;

        if (pid == 0)
                _exit(serve(plan, connection, traced));
        (void)close(connection);
        (void)waitpid(pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
                sweep(plan);
        _exit(0);
}

static int listen_at(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        (void)unlink(path);
        (void)umask(0177);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0)
                return -1;
        (void)umask(022);
        return fd;
}

static int run(const struct plan *plan)
{
        int fd = listen_at(plan->socket);
        bool first = true;

        if (fd < 0) {
                perror(plan->socket);
                return 1;
        }
        say("listening", 0, 0);
        for (;;) {
                int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
                pid_t pid = connection < 0 ? -1 : fork();

                if (pid == 0) {
                        (void)close(fd);
                        serve_and_sweep(plan, connection, first);
                }
                first = false;
                (void)close(connection);
                while (waitpid(-1, NULL, WNOHANG) > 0)
                        continue;
        }
}

int main(int argc, char **argv)
{
        struct plan plan;

        if (argc != 6) {
                (void)fprintf(stderr, "usage: inject MONITOR SOCKET monitor|builder NUMBER kill|ERRNO\n");
                return 2;
        }
        plan = (struct plan){ argv[1], argv[2], argv[3], strtol(argv[4], NULL, 10), (int)strtol(argv[5], NULL, 10) };
        return run(&plan);
}
#else
int main(void)
{
        (void)fprintf(stderr, "inject: x86-64 only\n");
        return 77;
}
#endif
