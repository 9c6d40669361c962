/* spawn.c - see spawn.h. As privileged as its caller. */
#include "vm/spawn.h"

#include "common/cleanup.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_NOT_FOUND 127

__attribute__((noreturn)) static void become(const char *const argv[], int in_fd, int out_fd)
{
        static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || chdir("/") < 0 || process_reset_signals(NULL) < 0 ||
            dup2(in_fd >= 0 ? in_fd : null, 0) < 0 || dup2(out_fd >= 0 ? out_fd : null, 1) < 0 || dup2(null, 2) < 0)
                _exit(STATUS_NOT_FOUND - 1);
        (void)execvpe(argv[0], (char *const *)(const void *)argv, (char *const *)(const void *)environment);
        _exit(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_FOUND - 1);
}

static int wait_for(pid_t pid, int pidfd, int timeout_seconds, int *ret_status)
{
        struct pollfd item = { .fd = pidfd, .events = POLLIN };
        int r;

        do
                r = poll(&item, 1, timeout_seconds * 1000);
        while (r < 0 && errno == EINTR);
        if (r <= 0)
                (void)kill(pid, SIGKILL);
        while (waitpid(pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return r > 0 ? 0 : -ETIMEDOUT;
}

int spawn_program(const char *const argv[], int in_fd, int out_fd, int timeout_seconds, const char *what,
                  struct error *err)
{
        cleanup_close int pidfd = -EBADF;
        pid_t pid = fork();
        int status = 0, r;

        if (pid < 0)
                return error_errno(err, errno, "%s: cannot start %s", what, argv[0]);
        if (pid == 0)
                become(argv, in_fd, out_fd);
        pidfd = process_open_pidfd(pid, err);
        if (pidfd < 0) {
                int saved = errno;

                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                return -saved;
        }
        r = wait_for(pid, pidfd, timeout_seconds, &status);
        if (r == -ETIMEDOUT)
                return error_text(err, ETIMEDOUT, "%s: %s did not end within %d seconds", what, argv[0],
                                  timeout_seconds);
        if (r < 0)
                return error_errno(err, -r, "%s: cannot wait for %s", what, argv[0]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_FOUND)
                return error_text(err, ENOENT, "%s: %s is not installed", what, argv[0]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_text(err, EIO, "%s: %s failed (status 0x%x)", what, argv[0], (unsigned)status);
        return 0;
}
