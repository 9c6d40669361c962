/*
 * timer.c - the clock of the benchmarks.
 *
 *   timer pam SERVICE USER PROGRAM ARGV0 [ARGUMENT...]      a PAM session as su makes it, the program in it
 *   timer exec UID [FD=PATH] PROGRAM ARGV0 [ARGUMENT...]    the program alone, as that uid
 *   timer hold COUNT SERVICE USER PROGRAM ARGV0 [ARGUMENT...]  COUNT sessions, kept until stdin ends
 *
 * Prints microseconds, all from the start: session opened, first byte of output, end of the program, session closed.
 * `exec` starts its clock before the fork, `pam` before pam_open_session. `hold` prints a line a session when its
 * program has written a byte, and one for the closing of all.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct times {
        double opened, first, ended, closed;
};

struct job {
        const char *user;
        uid_t uid;
        gid_t gid;
        int as_fd;        /* -1: none */
        const char *path; /* opened as as_fd */
        const char *program;
        char **argv;
        char **environment; /* NULL: inherited */
        bool silent;        /* stderr goes where stdout does */
};

static double now(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

__attribute__((noreturn)) static void fail(const char *what)
{
        (void)fprintf(stderr, "timer: %s: %s\n", what, strerror(errno));
        exit(2);
}

static int silent(int count, const struct pam_message **messages, struct pam_response **ret, void *data)
{
        (void)data;
        for (int i = 0; i < count; i++)
                (void)fprintf(stderr, "pam: %s\n", messages[i]->msg);
        *ret = calloc((size_t)count, sizeof(**ret));
        return *ret == NULL ? PAM_BUF_ERR : PAM_SUCCESS;
}

__attribute__((noreturn)) static void run_child(const struct job *job, int input, int output)
{
        if (job->as_fd >= 0) {
                int fd = open(job->path, O_RDONLY);

                if (fd < 0)
                        fail(job->path);
                if (fd != job->as_fd && (dup2(fd, job->as_fd) < 0 || close(fd) < 0))
                        fail("dup2");
        }
        if (setsid() < 0 || dup2(input, 0) < 0 || dup2(output, 1) < 0 || (job->silent && dup2(output, 2) < 0))
                fail("stdio");
        if (job->user != NULL ? initgroups(job->user, job->gid) < 0 : setgroups(0, NULL) < 0)
                fail("groups");
        if (setresgid(job->gid, job->gid, job->gid) < 0 || setresuid(job->uid, job->uid, job->uid) < 0)
                fail("setuid");
        if (job->environment != NULL)
                execve(job->program, job->argv, job->environment);
        else
                execv(job->program, job->argv);
        fail(job->program);
}

/* The pid; the read end of its stdout. */
static pid_t start(const struct job *job, int input, int *ret_output)
{
        int output[2];
        pid_t pid;

        if (pipe2(output, O_CLOEXEC) < 0)
                fail("pipe");
        pid = fork();
        if (pid < 0)
                fail("fork");
        if (pid == 0)
                run_child(job, input, output[1]);
        (void)close(output[1]);
        *ret_output = output[0];
        return pid;
}

static void read_byte(int fd)
{
        char byte;

        if (read(fd, &byte, 1) != 1) {
                (void)fprintf(stderr, "timer: the program wrote nothing\n");
                exit(3);
        }
}

static void run_job(const struct job *job, double began, struct times *times)
{
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC), output, status;
        char rest[256];
        pid_t pid;

        if (null < 0)
                fail("/dev/null");
        pid = start(job, null, &output);
        read_byte(output);
        times->first = now() - began;
        while (read(output, rest, sizeof(rest)) > 0)
                continue;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        fail("wait");
        times->ended = now() - began;
        (void)close(output);
        (void)close(null);
        if (status != 0) {
                (void)fprintf(stderr, "timer: the program ended with status %x\n", (unsigned)status);
                exit(3);
        }
}

static void check(pam_handle_t *pam, int r, const char *what)
{
        if (r == PAM_SUCCESS)
                return;
        (void)fprintf(stderr, "timer: %s: %s\n", what, pam_strerror(pam, r));
        exit(4);
}

static pam_handle_t *begin_pam(const char *service, const char *user)
{
        static const struct pam_conv conversation = { .conv = silent };
        pam_handle_t *pam = NULL;

        check(NULL, pam_start(service, user, &conversation, &pam), "pam_start");
        check(pam, pam_acct_mgmt(pam, 0), "account");
        check(pam, pam_setcred(pam, PAM_ESTABLISH_CRED), "credentials");
        return pam;
}

static void end_pam(pam_handle_t *pam)
{
        check(pam, pam_close_session(pam, 0), "close_session");
        (void)pam_setcred(pam, PAM_DELETE_CRED);
        (void)pam_end(pam, PAM_SUCCESS);
}

static void fill_job(struct job *job, const char *user, char **command)
{
        const struct passwd *pw = getpwnam(user);

        if (pw == NULL)
                fail(user);
        *job = (struct job){ .user = user, .uid = pw->pw_uid, .gid = pw->pw_gid, .as_fd = -1 };
        job->program = command[0];
        job->argv = command + 1;
}

static char **make_environment(pam_handle_t *pam)
{
        char **environment;

        (void)pam_putenv(pam, "PATH=/usr/local/bin:/usr/bin:/bin");
        (void)pam_putenv(pam, "LANG=C");
        environment = pam_getenvlist(pam);
        if (environment == NULL)
                fail("environment");
        return environment;
}

static int time_pam(char **argv)
{
        struct times times = { 0 };
        pam_handle_t *pam = begin_pam(argv[0], argv[1]);
        struct job job;
        double began;

        fill_job(&job, argv[1], argv + 2);
        began = now();
        check(pam, pam_open_session(pam, 0), "open_session");
        times.opened = now() - began;
        job.environment = make_environment(pam);
        run_job(&job, began, &times);
        check(pam, pam_close_session(pam, 0), "close_session");
        times.closed = now() - began;
        (void)pam_end(pam, PAM_SUCCESS);
        (void)printf("%.1f %.1f %.1f %.1f\n", times.opened, times.first, times.ended, times.closed);
        return 0;
}

static int time_exec(char **argv)
{
        struct job job = { .uid = (uid_t)strtoul(argv[0], NULL, 10), .as_fd = -1 };
        struct times times = { 0 };
        char *equal;

        job.gid = job.uid;
        argv++;
        equal = strchr(argv[0], '=');
        if (equal != NULL) {
                job.as_fd = atoi(argv[0]);
                job.path = equal + 1;
                argv++;
        }
        job.program = argv[0];
        job.argv = argv + 1;
        run_job(&job, now(), &times);
        (void)printf("0 %.1f %.1f %.1f\n", times.first, times.ended, times.ended);
        return 0;
}

struct held {
        pam_handle_t *pam;
        pid_t pid;
        int output;
};

/* PAM has no handle for many sessions, so each has its own, as in sshd each has its own process. */
static void hold_one(struct held *held, char **argv, int input)
{
        double began;
        struct job job;

        held->pam = begin_pam(argv[0], argv[1]);
        fill_job(&job, argv[1], argv + 2);
        job.silent = true;
        began = now();
        check(held->pam, pam_open_session(held->pam, 0), "open_session");
        job.environment = make_environment(held->pam);
        held->pid = start(&job, input, &held->output);
        read_byte(held->output);
        (void)printf("%.1f\n", now() - began);
        (void)fflush(stdout);
}

static int hold(char **argv)
{
        size_t count = strtoul(argv[0], NULL, 10);
        struct held *held = calloc(count, sizeof(*held));
        int input[2];
        double began;
        char byte;

        if (held == NULL || pipe2(input, O_CLOEXEC) < 0)
                fail("hold");
        for (size_t i = 0; i < count; i++)
                hold_one(&held[i], argv + 1, input[0]);
        (void)printf("held\n");
        (void)fflush(stdout);
        while (read(0, &byte, 1) > 0)
                continue;
        began = now();
        for (size_t i = 0; i < count; i++)
                end_pam(held[i].pam);
        for (size_t i = 0; i < count; i++)
                (void)waitpid(held[i].pid, NULL, 0);
        (void)printf("%.1f\n", now() - began);
        free(held);
        return 0;
}

int main(int argc, char **argv)
{
        (void)signal(SIGPIPE, SIG_DFL);
        if (argc >= 6 && strcmp(argv[1], "pam") == 0)
                return time_pam(argv + 2);
        if (argc >= 5 && strcmp(argv[1], "exec") == 0)
                return time_exec(argv + 2);
        if (argc >= 7 && strcmp(argv[1], "hold") == 0)
                return hold(argv + 2);
        (void)fprintf(stderr, "usage: see the head of tests/bench/timer.c\n");
        return 2;
}
