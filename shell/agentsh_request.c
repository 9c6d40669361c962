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
#include <sys/socket.h>

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

/* Ours never blocks; theirs is theirs to set. */
static int make_terminal(struct inside *inside, int *ret_theirs, struct error *err)
{
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return error_errno(err, errno, "cannot make a socket pair");
        inside->stream = pair[0];
        *ret_theirs = pair[1];
        if (fcntl(inside->stream, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return error_errno(err, errno, "cannot set up a socket pair");
        return 0;
}

/* The message with the streams that are passed and, in a remote session, what stands for the terminal. */
static int send_message(struct inside *inside, struct attach_request *request, void *message, size_t size,
                        const struct stdio *stdio, struct error *err)
{
        cleanup_close int theirs = -EBADF;
        int fds[4], r;
        size_t count = stdio->fds_count;

        memcpy(fds, stdio->fds, sizeof(stdio->fds));
        if (inside->remote && stdio_wants_pty(stdio)) {
                r = make_terminal(inside, &theirs, err);
                if (r < 0)
                        return r;
                request->passed |= ATTACH_TERMINAL_PASSED;
                fds[count++] = theirs;
        }
        memcpy(message, request, sizeof(*request));
        r = seqpacket_send(inside->socket, message, size, fds, count, REQUEST_WAIT_MS, err);
        /* Refused without being read: the answer, which is there, says why. */
        if (r == -EPIPE || r == -ECONNRESET)
                return 0;
        return r < 0 ? error_prefix(err, "cannot ask the session for a channel") : 0;
}

int request_send(struct inside *inside, const struct invocation *invocation, const struct stdio *stdio,
                 const struct tty *tty, const char *patterns, char *const *environment, struct error *err)
{
        struct attach_request request = {
                .magic = ATTACH_MAGIC,
                .kind = ATTACH_REQUEST,
                .passed = stdio->passed,
                .login = invocation->login,
        };
        size_t prefix = strlen(invocation->prefix), size = 0;
        cleanup_free char *message = NULL;

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
        return send_message(inside, &request, message, sizeof(request) + size + request.environment_size, stdio, err);
}

static int take_master(struct inside *inside, const int *fds, size_t count, bool wanted, struct error *err)
{
        cleanup_close int master = count == 1 ? fds[0] : -EBADF;

        if (count != (wanted ? 1 : 0))
                return error_text(err, EPROTO, "the session answered with %zu descriptors instead of %d", count,
                                  wanted ? 1 : 0);
        if (!wanted)
                return 0;
        if (!terminal_is_master(master))
                return error_text(err, EPROTO, "the session answered with something that is not a terminal");
        if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
                return error_errno(err, errno, "cannot set up the session's terminal");
        inside->stream = TAKE_FD(master);
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

int request_wait(struct inside *inside, const struct stdio *stdio, int timeout_ms, struct error *err)
{
        struct attach_reply reply;
        int fds[1] = { -EBADF };
        size_t count = 0;
        ssize_t got = receive_reply(inside->socket, &reply, fds, &count, timeout_ms, err);
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
        return take_master(inside, fds, count, !inside->remote && stdio_wants_pty(stdio), err);
}
