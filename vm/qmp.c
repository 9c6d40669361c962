/* qmp.c - see qmp.h. No privilege. */
#include "vm/qmp.h"

#include "common/process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define POLL_NS 2000000

static int wait_readable(const struct qmp *qmp, struct error *err)
{
        struct pollfd item = { .fd = qmp->fd, .events = POLLIN };
        int r;

        do {
                uint64_t now = process_monotonic_ms();

                r = poll(&item, 1, now < qmp->deadline_ms ? (int)(qmp->deadline_ms - now) : 0);
        } while (r < 0 && errno == EINTR);
        if (r == 0)
                return error_text(err, ETIMEDOUT, "QEMU did not answer in time");
        return r < 0 ? error_errno(err, errno, "cannot wait for QEMU") : 0;
}

/* The next line, without its end, to qmp->line. */
static int read_line(struct qmp *qmp, struct error *err)
{
        for (;;) {
                char *end = memchr(qmp->buffer, '\n', qmp->buffered);
                ssize_t got;
                int r;

                if (end != NULL) {
                        size_t size = (size_t)(end - qmp->buffer);

                        memcpy(qmp->line, qmp->buffer, size);
                        qmp->line[size > 0 && qmp->line[size - 1] == '\r' ? size - 1 : size] = '\0';
                        qmp->buffered -= size + 1;
                        memmove(qmp->buffer, end + 1, qmp->buffered);
                        return 0;
                }
                if (qmp->buffered == sizeof(qmp->buffer))
                        return error_text(err, EMSGSIZE, "QEMU's answer is too long");
                r = wait_readable(qmp, err);
                if (r < 0)
                        return r;
                got = read(qmp->fd, qmp->buffer + qmp->buffered, sizeof(qmp->buffer) - qmp->buffered);
                if (got <= 0)
                        return error_text(err, EPIPE, "QEMU has ended");
                qmp->buffered += (size_t)got;
        }
}

static int send_line(const struct qmp *qmp, const char *json, int pass_fd, struct error *err)
{
        char newline = '\n';
        struct iovec parts[] = { { (void *)(uintptr_t)json, strlen(json) }, { &newline, 1 } };
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

        if (pass_fd >= 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof(pass_fd));
        }
        /* A command fits into an empty socket buffer. */
        if (sendmsg(qmp->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)(parts[0].iov_len + 1))
                return error_errno(err, errno, "cannot send a command to QEMU");
        return 0;
}

static bool starts(const char *line, const char *word)
{
        return strncmp(line, word, strlen(word)) == 0;
}

static int report(const char *line, struct error *err)
{
        const char *text = strstr(line, "\"desc\": \"");
        char clean[256];

        text = text == NULL ? line : text + strlen("\"desc\": \"");
        escape_text(clean, sizeof(clean), text);
        return error_text(err, EPROTO, "QEMU says: %.*s", (int)strcspn(clean, "\""), clean);
}

int qmp_command(struct qmp *qmp, const char *json, int pass_fd, struct error *err)
{
        int r = send_line(qmp, json, pass_fd, err);

        while (r >= 0) {
                r = read_line(qmp, err);
                if (r >= 0 && starts(qmp->line, "{\"return\""))
                        return 0;
                if (r >= 0 && starts(qmp->line, "{\"error\""))
                        return report(qmp->line, err);
        }
        return r;
}

int qmp_start(struct qmp *qmp, int fd, uint64_t deadline_ms, struct error *err)
{
        int r;

        qmp->fd = fd;
        qmp->deadline_ms = deadline_ms;
        qmp->buffered = 0;
        r = read_line(qmp, err);
        if (r >= 0 && !starts(qmp->line, "{\"QMP\""))
                return error_text(err, EPROTO, "QEMU does not greet");
        return r < 0 ? r : qmp_command(qmp, "{\"execute\": \"qmp_capabilities\"}", -1, err);
}

int qmp_wait_migration(struct qmp *qmp, struct error *err)
{
        static const struct timespec pause = { .tv_nsec = POLL_NS };

        for (;;) {
                int r = qmp_command(qmp, "{\"execute\": \"query-migrate\"}", -1, err);

                if (r < 0)
                        return r;
                if (strstr(qmp->line, "\"status\": \"completed\"") != NULL)
                        return 0;
                if (strstr(qmp->line, "\"status\": \"failed\"") != NULL ||
                    strstr(qmp->line, "\"status\": \"cancelled\"") != NULL)
                        return report(qmp->line, err);
                (void)nanosleep(&pause, NULL);
        }
}
