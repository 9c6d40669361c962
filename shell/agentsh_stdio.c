/* agentsh_stdio.c - the standard streams of the login shell. Runs as the agent. */
#include "shell/agentsh_stdio.h"

#include "common/attach.h"
#include "common/cleanup.h"
#include "shell/stdio_type.h"

#include <fcntl.h>

_Static_assert(ATTACH_STDIN_PASSED == 1U << 0 && ATTACH_STDOUT_PASSED == 1U << 1 && ATTACH_STDERR_PASSED == 1U << 2,
               "bit n stands for fd n");

int stdio_inspect(struct stdio *ret, struct error *err)
{
        static const char *const names[] = { "standard input", "standard output", "standard error" };
        struct stdio stdio = { .in = -1, .out = -1 };

        for (int fd = 0; fd <= 2; fd++) {
                struct error cause = ERROR_INIT;
                enum stdio_type type;
                int r = stdio_type(fd, &type, &cause);

                if (r < 0)
                        return error_text(err, -r, "%s %s", names[fd], cause.text);
                if (type == STDIO_PASSED) {
                        stdio.passed |= 1U << fd;
                        stdio.fds[stdio.fds_count++] = fd;
                        continue;
                }
                if (fd == 0)
                        stdio.in = fd;
                else if (stdio.out < 0)
                        stdio.out = fd;
        }
        /* The keys' terminal is mostly open for writing too. */
        if (stdio.out < 0)
                stdio.out = stdio.in;
        *ret = stdio;
        return 0;
}

int stdio_release(const struct stdio *stdio, struct error *err)
{
        cleanup_close int null = -EBADF;

        if ((stdio->passed & (ATTACH_STDIN_PASSED | ATTACH_STDOUT_PASSED)) == 0)
                return 0;
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null < 0)
                return error_errno(err, errno, "cannot open /dev/null");
        for (int fd = 0; fd <= 1; fd++)
                if ((stdio->passed & (1U << fd)) != 0 && dup2(null, fd) < 0)
                        return error_errno(err, errno, "cannot put /dev/null in place of a stream");
        return 0;
}
