/* init_child.c - what happens in a channel's first process before its program runs. */
#include "shell/init_child.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "shell/init_environment.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* High enough that the OOM killer takes any channel before process 1. */
#define CHILD_OOM_SCORE "300"

#define CHILD_STEPS(X)                                       \
        X(SESSION, "cannot make a session for a channel")    \
        X(TERMINAL, "cannot give a channel its terminal")    \
        X(STREAMS, "cannot set up the streams of a channel") \
        X(CLOSE, "cannot close the files of a channel")      \
        X(OOM, "cannot set the oom_score_adj of a channel")  \
        X(MASK, "cannot unblock the signals of a channel")   \
        X(EXECUTE, "cannot run ")

enum child_step {
#define STEP_ENUM(name, text) STEP_##name,
        CHILD_STEPS(STEP_ENUM)
#undef STEP_ENUM
                STEPS
};

struct report {
        uint32_t step;
        int32_t number; /* errno */
};

static bool is_passed(const struct init_child *child, int stream)
{
        return (child->parts->header.passed & (1U << stream)) != 0;
}

static int put_streams(const struct init_child *child)
{
        const int *next = child->fds;

        for (int stream = 0; stream <= 2; stream++)
                if (dup2(is_passed(child, stream) ? *next++ : child->pty->slave, stream) < 0)
                        return -1;
        return 0;
}

/*
 * A non-dumpable process's files in /proc are root's. Dumpable it becomes with the exec anyway, and there is nothing
 * of anybody else's left in it.
 */
static int raise_oom_score(void)
{
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
                return -1;
        return fd_write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", CHILD_OOM_SCORE, NULL) < 0 ? -1 : 0;
}

static void enter_home(const char *home)
{
        struct error err = ERROR_INIT;

        if (chdir(home) == 0)
                return;
        (void)error_errno(&err, errno, "agentsh: cannot enter %s, starting in /", home);
        (void)strncat(err.text, "\n", sizeof(err.text) - strlen(err.text) - 1);
        if (chdir("/") < 0 || write(STDERR_FILENO, err.text, strlen(err.text)) < 0)
                return; /* init itself is in / */
}

static enum child_step execute(const struct init_child *child)
{
        const char *shell = child->config->shell, *base = strrchr(shell, '/') + 1;
        const char *variables[INIT_VARIABLES_MAX] __attribute__((uninitialized));
        char name[sizeof(child->config->shell) + 1];
        const char *arguments[] = { name, child->parts->command != NULL ? "-c" : NULL, child->parts->command, NULL };

        name[0] = '-';
        memcpy(name + (child->parts->header.login != 0), base, strlen(base) + 1);
        init_environment(child->config, child->parts, child->pty->slave >= 0 ? child->pty->ssh_tty : NULL, variables);
        (void)execve(shell, (char *const *)(uintptr_t)arguments, (char *const *)(uintptr_t)variables);
        return STEP_EXECUTE;
}

/* Returns the step that failed, with errno. */
static enum child_step run(const struct init_child *child, int report)
{
        sigset_t none;

        if (setsid() < 0)
                return STEP_SESSION;
        if (child->pty->slave >= 0 && ioctl(child->pty->slave, TIOCSCTTY, 0) < 0)
                return STEP_TERMINAL;
        if (put_streams(child) < 0)
                return STEP_STREAMS;
        if (fd_close_others(3, &report, 1, NULL) < 0)
                return STEP_CLOSE;
        if (raise_oom_score() < 0)
                return STEP_OOM;
        (void)umask(022);
        enter_home(child->config->home);
        /* init has no handlers: its blocked signals are all there is to undo. */
        sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return STEP_MASK;
        return execute(child);
}

int init_child_start(const struct init_child *child, pid_t *ret_pid, int *ret_report, struct error *err)
{
        cleanup_close int ours = -EBADF, theirs = -EBADF;
        int pair[2];
        pid_t pid;

        /*
         * Not a pipe: another process of the same uid could get at the child's end, and can make the reader of a pipe
         * sleep in the kernel for good.
         */
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket pair");
        ours = pair[0];
        theirs = pair[1];
        pid = fork();
        if (pid < 0)
                return error_errno(err, errno, "cannot start a process in the session");
        if (pid == 0) {
                struct report report = { .step = run(child, theirs), .number = errno };

                (void)send(theirs, &report, sizeof(report), MSG_NOSIGNAL);
                _exit(127);
        }
        *ret_pid = pid;
        *ret_report = TAKE_FD(ours);
        return 0;
}

int init_child_read_report(int report_fd, const struct init_config *config, struct error *err)
{
        static const char *const texts[] = {
#define STEP_TEXT(name, text) text,
                CHILD_STEPS(STEP_TEXT)
#undef STEP_TEXT
        };
        struct report report;
        ssize_t got = recv(report_fd, &report, sizeof(report), MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
                return 1;
        if (got <= 0)
                return 0;
        if (got != (ssize_t)sizeof(report) || report.step >= STEPS || report.number <= 0 || report.number > 4095)
                return error_text(err, EPROTO, "cannot start a channel");
        return error_errno(err, report.number, "%s%s", texts[report.step],
                           report.step == STEP_EXECUTE ? config->shell : "");
}
