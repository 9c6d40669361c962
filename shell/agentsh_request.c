/* agentsh_request.c - asks init for a channel and takes its answer. Runs as the agent. */
#include "shell/agentsh_request.h"

#include "common/attach.h"
#include "common/cleanup.h"
#include "common/seqpacket.h"
#include "shell/agentsh_environment.h"
#include "shell/terminal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

/* Room is kept for the whole environment, so that no command pushes TERM out. */
#define COMMAND_MAX (ATTACH_MESSAGE_MAX - sizeof(struct attach_request) - ENVIRONMENT_TOTAL_MAX)

static void fill_terminal(const struct tty *tty, struct attach_request *request)
{
        struct winsize size;

        request->termios = tty->saved;
        if (tty->shared)
                terminal_pass_output(&request->termios);
        if (ioctl(tty->in >= 0 ? tty->in : tty->out, TIOCGWINSZ, &size) < 0)
                return;
        request->rows = size.ws_row;
        request->columns = size.ws_col;
        request->xpixel = size.ws_xpixel;
        request->ypixel = size.ws_ypixel;
}

int request_send(int socket, const struct invocation *invocation, const struct stdio *stdio, const struct tty *tty,
                 const char *patterns, char *const *environment, struct error *err)
{
        struct attach_request request = {
                .magic = ATTACH_MAGIC,
                .kind = ATTACH_REQUEST,
                .passed = stdio->passed,
                .login = invocation->login,
        };
        size_t prefix = strlen(invocation->prefix), size = 0;
        cleanup_free char *message = NULL;
        int r;

        if (invocation->command != NULL)
                size = prefix + strlen(invocation->command) + 1;
        if (size > COMMAND_MAX)
                return error_text(err, E2BIG, "the command has %zu bytes; at most %zu are possible", size - 1,
                                  COMMAND_MAX - 1);
        if (stdio_wants_pty(stdio))
                fill_terminal(tty, &request);
        message = malloc(sizeof(request) + size + ENVIRONMENT_TOTAL_MAX);
        if (message == NULL)
                return error_errno(err, ENOMEM, "cannot make a request");
        if (size > 0) {
                memcpy(message + sizeof(request), invocation->prefix, prefix);
                memcpy(message + sizeof(request) + prefix, invocation->command, size - prefix);
        }
        request.command_size = (uint32_t)size;
        request.environment_size = (uint32_t)environment_filter(patterns, environment, message + sizeof(request) + size,
                                                                ENVIRONMENT_TOTAL_MAX);
        memcpy(message, &request, sizeof(request));
        r = seqpacket_send(socket, message, sizeof(request) + size + request.environment_size, stdio->fds,
                           stdio->fds_count, REQUEST_WAIT_MS, err);
        /* Refused without being read: the answer, which is there, says why. */
        if (r == -EPIPE || r == -ECONNRESET)
                return 0;
        return r < 0 ? error_prefix(err, "cannot ask the session for a channel") : 0;
}

static int take_master(int *fds, size_t count, bool wanted, int *ret_master, struct error *err)
{
        cleanup_close int master = count == 1 ? fds[0] : -EBADF;

        if (count != (wanted ? 1 : 0))
                return error_text(err, EPROTO, "the session answered with %zu descriptors instead of %d", count,
                                  wanted ? 1 : 0);
        if (!wanted) {
                *ret_master = -1;
                return 0;
        }
        if (!terminal_is_master(master))
                return error_text(err, EPROTO, "the session answered with something that is not a terminal");
        if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return error_errno(err, errno, "cannot set up the session's terminal");
        *ret_master = TAKE_FD(master);
        return 0;
}

/* A peer that closed with our request unread leaves an ECONNRESET in front of its answer. */
static ssize_t receive_reply(int socket, struct attach_reply *reply, int *fds, size_t *count, int timeout_ms,
                             struct error *err)
{
        ssize_t got = seqpacket_receive(socket, reply, sizeof(*reply), fds, 1, count, timeout_ms, err);

        if (got == -ECONNRESET)
                got = seqpacket_receive(socket, reply, sizeof(*reply), fds, 1, count, timeout_ms, err);
        if (got == 0)
                return error_text(err, ECONNRESET, "the session ended before the command could start");
        return got < 0 ? error_prefix(err, "cannot start in the session") : got;
}

int request_wait(int socket, const struct stdio *stdio, int timeout_ms, int *ret_master, struct error *err)
{
        struct attach_reply reply;
        int fds[1] = { -EBADF };
        size_t count = 0;
        ssize_t got = receive_reply(socket, &reply, fds, &count, timeout_ms, err);
        cleanup_close int first = count == 1 ? fds[0] : -EBADF;
        int r;

        if (got < 0)
                return (int)got;
        r = attach_parse_reply(&reply, (size_t)got, &reply, err);
        if (r < 0)
                return r;
        if (reply.kind == ATTACH_FAILED)
                return error_text(err, ECONNREFUSED, "%s", reply.text);
        if (reply.kind != ATTACH_STARTED)
                return error_text(err, EPROTO, "the session answered out of turn");
        fds[0] = TAKE_FD(first);
        return take_master(fds, count, stdio_wants_pty(stdio), ret_master, err);
}
