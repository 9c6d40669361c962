/* log.c - syslog and a file. Holds the one fd of the log as program state. */
#include "monitor/log.h"

#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

static int log_fd = -EBADF;

int log_open(const char *path, struct error *err)
{
        openlog("agentsh-monitor", LOG_PID | LOG_NDELAY, LOG_AUTHPRIV);
        if (path == NULL)
                return 0;
        log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (log_fd < 0)
                return error_errno(err, errno, "cannot open the log %s", path);
        return 0;
}

void log_line(int priority, const char *fmt, ...)
{
        char raw[1024], clean[1024], line[1200];
        va_list ap;
        int length;

        va_start(ap, fmt);
        length = vsnprintf(raw, sizeof(raw), fmt, ap);
        va_end(ap);
        if (length < 0)
                return;
        escape_text(clean, sizeof(clean), raw);
        syslog(priority, "%s", clean);
        if (log_fd < 0)
                return;
        length = snprintf(line, sizeof(line), "%lld agentsh-monitor[%d] %s\n", (long long)process_realtime(),
                          (int)getpid(), clean);
        if (length > 0)
                (void)!write(log_fd, line, (size_t)length);
}
