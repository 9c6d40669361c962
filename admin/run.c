/* run.c - fork and exec of system programs for root. Nothing of the caller's environment reaches them. */
#include "admin/run.h"

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define EXIT_NOT_STARTED 127

static const char *const DIRECTORIES[] = { "/usr/sbin", "/usr/bin", "/sbin", "/bin" };

static int find_program(const char *name, char *ret, size_t size, struct error *err)
{
        if (name[0] == '/') {
                if (access(name, X_OK) < 0)
                        return error_errno(err, errno, "cannot run %s", name);
                (void)snprintf(ret, size, "%s", name);
                return 0;
        }
        for (size_t i = 0; i < sizeof(DIRECTORIES) / sizeof(DIRECTORIES[0]); i++) {
                (void)snprintf(ret, size, "%s/%s", DIRECTORIES[i], name);
                if (access(ret, X_OK) == 0)
                        return 0;
        }
        return error_text(err, ENOENT, "cannot run %s: it is not installed in /usr/sbin, /usr/bin, /sbin or /bin",
                          name);
}

static int memory_file(const char *content, struct error *err)
{
        cleanup_close int fd = memfd_create("agentshctl", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return error_errno(err, errno, "cannot make a file in memory");
        r = fd_write_all(fd, content, strlen(content), "a file in memory", err);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return error_errno(err, errno, "cannot rewind a file in memory");
        return TAKE_FD(fd);
}

static _Noreturn void become(const char *path, const char *const argv[], int input, int output)
{
        static char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
        char *environment[] = { search, locale, NULL };

        (void)umask(022);
        if (process_reset_signals(NULL) == 0 && chdir("/") == 0 && dup2(input, 0) == 0 && dup2(output, 1) == 1 &&
            dup2(output, 2) == 2 && fd_close_others(3, NULL, 0, NULL) == 0) {
                /* execve takes char *const[] for history's sake only: it changes nothing. */
                union {
                        const char *const *fixed;
                        char *const *plain;
                } arguments = { .fixed = argv };

                (void)execve(path, arguments.plain, environment);
        }
        _exit(EXIT_NOT_STARTED);
}

static int wait_for(pid_t child, int pidfd, int timeout_seconds, const char *path, int *ret_status, struct error *err)
{
        struct pollfd ready = { .fd = pidfd, .events = POLLIN };
        uint64_t deadline = process_monotonic_ms() + (uint64_t)timeout_seconds * 1000;
        int status = 0, polled;

        do {
                uint64_t now = process_monotonic_ms();

                polled = poll(&ready, 1, now < deadline ? (int)(deadline - now) : 0);
        } while (polled < 0 && errno == EINTR);
        if (polled <= 0)
                (void)kill(child, SIGKILL);
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return error_errno(err, errno, "cannot wait for %s", path);
        if (polled <= 0)
                return error_text(err, ETIMEDOUT, "%s did not end within %d seconds and was killed", path,
                                  timeout_seconds);
        *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return 0;
}

static int read_output(int fd, char **ret_text, size_t *ret_size, struct error *err)
{
        struct stat st;

        if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return error_errno(err, errno, "cannot read what a program printed");
        if (st.st_size > RUN_OUTPUT_MAX && ftruncate(fd, RUN_OUTPUT_MAX) < 0)
                return error_errno(err, errno, "cannot cut what a program printed");
        return fd_read_all(fd, RUN_OUTPUT_MAX, ret_text, ret_size, err);
}

/* SIGCHLD may come ignored from our caller: then the exit status would be lost. */
static int default_sigchld(struct error *err)
{
        struct sigaction action = { .sa_handler = SIG_DFL };

        if (sigaction(SIGCHLD, &action, NULL) < 0)
                return error_errno(err, errno, "cannot reset SIGCHLD");
        return 0;
}

int run_program(const char *const argv[], const char *input, int timeout_seconds, struct run_result *ret,
                struct error *err)
{
        cleanup_close int in = -EBADF, out = -EBADF, pidfd = -EBADF;
        char path[256];
        pid_t child;
        int r, status = 0;

        r = find_program(argv[0], path, sizeof(path), err);
        if (r < 0)
                return r;
        r = default_sigchld(err);
        if (r < 0)
                return r;
        in = memory_file(input != NULL ? input : "", err);
        if (in < 0)
                return in;
        out = memory_file("", err);
        if (out < 0)
                return out;
        child = fork();
        if (child < 0)
                return error_errno(err, errno, "cannot start %s", path);
        if (child == 0)
                become(path, argv, in, out);
        pidfd = process_open_pidfd(child, err);
        r = wait_for(child, pidfd, pidfd < 0 ? 0 : timeout_seconds, path, &status, err);
        if (r < 0)
                return r;
        if (status == EXIT_NOT_STARTED)
                return error_text(err, ENOEXEC, "cannot start %s", path);
        r = read_output(out, &ret->output, &ret->size, err);
        if (r < 0)
                return r;
        ret->status = status;
        return 0;
}

int run_checked(const char *const argv[], const char *what, struct error *err)
{
        cleanup_run_result struct run_result result = { 0 };
        char reason[256];
        int r;

        r = run_program(argv, NULL, 60, &result, err);
        if (r < 0)
                return error_prefix(err, "cannot %s", what);
        if (result.status == 0)
                return 0;
        run_last_line(&result, reason, sizeof(reason));
        return error_text(err, ECHILD, "cannot %s: %s ended with status %d: %s", what, argv[0], result.status,
                          reason[0] != '\0' ? reason : "it gave no reason");
}

void run_last_line(const struct run_result *result, char *ret, size_t size)
{
        char line[256] = "";
        const char *at = result->output;

        while (at != NULL && *at != '\0') {
                size_t length = strcspn(at, "\n");

                if (strspn(at, " \t\r") < length)
                        (void)snprintf(line, sizeof(line), "%.*s", (int)(length < 255 ? length : 255), at);
                at += length + (at[length] == '\n');
        }
        line[strcspn(line, "\r")] = '\0';
        escape_text(ret, size, line);
}

void run_result_done(struct run_result *result)
{
        free(result->output);
        *result = (struct run_result){ 0 };
}
