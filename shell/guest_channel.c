/* guest_channel.c - between frames and agentsh-init. */
#include "shell/guest_channel.h"

#include "common/cleanup.h"
#include "common/seqpacket.h"
#include "shell/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void say(struct guest_channel *channel, struct mux *mux, struct attach_reply *message)
{
        message->magic = ATTACH_MAGIC;
        mux_send(mux, FRAME_REPLY, channel->number, 0, message, sizeof(*message));
}

static void fail(struct guest_channel *channel, struct mux *mux, const char *text)
{
        struct attach_reply message = { .kind = ATTACH_FAILED };

        (void)strncat(message.text, text, sizeof(message.text) - 1);
        for (size_t i = 0; i < MUX_STREAMS; i++)
                mux_stream_end(&mux->channels[channel->number].streams[i]);
        cleanup_close_fd(&channel->init);
        cleanup_close_fd(&channel->master);
        channel->state = GUEST_OVER;
        say(channel, mux, &message);
}

/* The stream's end here is ours; the other one, the account's, is what the process gets. */
static int add_pipe(struct mux_channel *channel, uint16_t number, uint8_t stream, uid_t uid, int *ret_theirs,
                    struct error *err)
{
        cleanup_close int ours = -EBADF, theirs = -EBADF;
        struct endpoint endpoint;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_errno(err, errno, "cannot make a pipe");
        ours = ends[stream == FRAME_STDIN ? 1 : 0];
        theirs = ends[stream == FRAME_STDIN ? 0 : 1];
        /* So that it can open /dev/stdin and its like by name. */
        if (fchown(theirs, uid, (gid_t)-1) < 0)
                return error_errno(err, errno, "cannot hand a pipe over");
        r = endpoint_own(&endpoint, ours, ENDPOINT_OWN, err);
        if (r < 0)
                return r;
        if (stream == FRAME_STDIN)
                r = mux_stream_sink(&channel->streams[stream], endpoint, number, stream, err);
        else
                mux_stream_source(&channel->streams[stream], endpoint, number, stream);
        if (r < 0)
                return r;
        ours = -EBADF;
        *ret_theirs = TAKE_FD(theirs);
        return 0;
}

static int send_request(struct guest_channel *channel, const void *data, size_t size, const int *fds, size_t count,
                        struct error *err)
{
        int r = seqpacket_send(channel->init, data, size, fds, count, 1000, err);

        return r < 0 ? error_prefix(err, "agentsh-init takes no request") : 0;
}

static int open_channel(struct guest_channel *channel, struct mux *mux, const struct guest_init *init, const void *data,
                        size_t size, int fds[static 3], size_t *count, struct error *err)
{
        struct attach_request header;
        struct attach_parts parts;
        int r;

        if (size < sizeof(header))
                return error_text(err, EBADMSG, "an attach request has the wrong size");
        memcpy(&header, data, sizeof(header));
        r = attach_parse_request(data, size, (size_t)__builtin_popcount(header.passed), &parts, err);
        if (r < 0)
                return r;
        channel->passed = header.passed & ATTACH_PASSED_ALL;
        for (uint8_t stream = 0; stream <= 2; stream++) {
                if ((channel->passed & (1U << stream)) == 0)
                        continue;
                r = add_pipe(&mux->channels[channel->number], channel->number, stream, init->uid, &fds[*count], err);
                if (r < 0)
                        return r;
                ++*count;
        }
        r = guest_init_connect(init, &channel->init, err);
        if (r < 0)
                return r;
        return send_request(channel, data, size, fds, *count, err);
}

void guest_channel_open(struct guest_channel *channel, struct mux *mux, const struct guest_init *init, const void *data,
                        size_t size)
{
        struct error err = ERROR_INIT;
        int fds[3], r;
        size_t count = 0;

        *channel = (struct guest_channel){
                .state = GUEST_STARTING, .number = channel->number, .init = -EBADF, .master = -EBADF
        };
        mux_open(mux, channel->number);
        r = open_channel(channel, mux, init, data, size, fds, &count, &err);
        for (size_t i = 0; i < count; i++)
                cleanup_close_fd(&fds[i]);
        if (r < 0)
                fail(channel, mux, err.text);
}

/* One descriptor for each direction, since each ends by itself, and one for size and settings. */
static int add_terminal(struct guest_channel *channel, struct mux *mux, int master, struct error *err)
{
        struct mux_channel *streams = &mux->channels[channel->number];
        struct endpoint endpoint;
        int r;

        channel->master = master;
        for (int i = (channel->passed & ATTACH_STDIN_PASSED) != 0 ? 1 : 0; i < 2; i++) {
                cleanup_close int copy = fcntl(master, F_DUPFD_CLOEXEC, 3);

                if (copy < 0)
                        return error_errno(err, errno, "cannot make a channel");
                r = endpoint_own(&endpoint, copy, ENDPOINT_PTY, err);
                if (r < 0)
                        return r;
                if (i == 0)
                        r = mux_stream_sink(&streams->streams[FRAME_STDIN], endpoint, channel->number, FRAME_STDIN,
                                            err);
                else
                        mux_stream_source(&streams->streams[FRAME_TERMINAL], endpoint, channel->number, FRAME_TERMINAL);
                if (r < 0)
                        return r;
                copy = -EBADF;
        }
        return 0;
}

static void started(struct guest_channel *channel, struct mux *mux, int *fds, size_t count)
{
        struct attach_reply message = { .kind = ATTACH_STARTED };
        struct error err = ERROR_INIT;
        int r = 0;

        if ((channel->passed != ATTACH_PASSED_ALL) != (count == 1))
                r = error_text(&err, EPROTO, "agentsh-init answered with %zu descriptors", count);
        if (r == 0 && count == 1) {
                r = add_terminal(channel, mux, fds[0], &err);
                fds[0] = -EBADF;
        }
        if (r < 0) {
                fail(channel, mux, err.text);
                return;
        }
        channel->state = GUEST_RUNNING;
        say(channel, mux, &message);
}

/* A pty is hung up by the end of its last master. */
static void end_terminal(struct guest_channel *channel, struct mux *mux)
{
        struct mux_channel *streams = &mux->channels[channel->number];

        if (channel->master < 0)
                return;
        cleanup_close_fd(&channel->master);
        if (!streams->streams[FRAME_TERMINAL].over) {
                streams->streams[FRAME_TERMINAL].eof_due = true;
                mux_stream_end(&streams->streams[FRAME_TERMINAL]);
        }
        if ((channel->passed & ATTACH_STDIN_PASSED) == 0 && !streams->streams[FRAME_STDIN].over) {
                streams->streams[FRAME_STDIN].stop_due = true;
                mux_stream_end(&streams->streams[FRAME_STDIN]);
        }
}

static void exited(struct guest_channel *channel, struct mux *mux, const struct attach_reply *message, uint64_t now)
{
        channel->last = *message;
        channel->last.hit = channel->last.ending = 0; /* the monitor's to say */
        channel->state = GUEST_EXITED;
        cleanup_close_fd(&channel->init);
        for (size_t i = 0; i < MUX_STREAMS; i++)
                mux_stream_drain(&mux->channels[channel->number].streams[i], now);
}

/* init has gone, or talks nonsense: the session is about to end. */
static void lost(struct guest_channel *channel, struct mux *mux, uint64_t now)
{
        const struct attach_reply killed = { .kind = ATTACH_EXITED, .wait_status = SIGKILL };

        if (channel->state == GUEST_STARTING)
                fail(channel, mux, "the session ended before the command could start");
        else
                exited(channel, mux, &killed, now);
}

void guest_channel_take_answer(struct guest_channel *channel, struct mux *mux, uint64_t now)
{
        struct attach_reply message;
        int fds[1] = { -EBADF };
        size_t count = 0;
        ssize_t got = seqpacket_receive(channel->init, &message, sizeof(message), fds, 1, &count, 0, NULL);

        if (got == -ETIMEDOUT)
                return;
        if (got <= 0 || attach_parse_reply(&message, (size_t)got, &message, NULL) < 0)
                message.kind = 0;
        if (message.kind == ATTACH_STARTED && channel->state == GUEST_STARTING)
                started(channel, mux, fds, count);
        else if (message.kind == ATTACH_FAILED && channel->state == GUEST_STARTING)
                fail(channel, mux, message.text);
        else if (message.kind == ATTACH_EXITED && channel->state == GUEST_RUNNING)
                exited(channel, mux, &message, now);
        else
                lost(channel, mux, now);
        for (size_t i = 0; i < count; i++)
                cleanup_close_fd(&fds[i]);
}

static int set_window(const struct guest_channel *channel, const struct frame *frame, struct error *err)
{
        struct attach_window message;
        int r = attach_parse_window(frame->payload, frame->size, &message, err);
        const struct winsize size = { .ws_row = message.rows,
                                      .ws_col = message.columns,
                                      .ws_xpixel = message.xpixel,
                                      .ws_ypixel = message.ypixel };

        if (r < 0 || channel->master < 0)
                return r;
        if (message.termios.cflag != 0 && terminal_apply(channel->master, &message.termios, NULL) < 0)
                return 0; /* hung up */
        (void)ioctl(channel->master, TIOCSWINSZ, &size);
        return 0;
}

static int forward_signal(const struct guest_channel *channel, const struct frame *frame, struct error *err)
{
        struct attach_signal message;
        int r = attach_parse_signal(frame->payload, frame->size, &message, err);

        /* Too many for it to take are no more than enough. */
        if (r == 0 && channel->init >= 0)
                (void)send(channel->init, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
        return r;
}

int guest_channel_take_frame(struct guest_channel *channel, struct mux *mux, const struct frame *frame,
                             struct error *err)
{
        switch ((int)frame->type) {
        case FRAME_SIGNAL:
                return forward_signal(channel, frame, err);
        case FRAME_WINDOW:
                return set_window(channel, frame, err);
        case FRAME_HANGUP:
                cleanup_close_fd(&channel->init); /* which hangs up what has no terminal */
                end_terminal(channel, mux);
                channel->state = GUEST_OVER;
                return 0;
        case FRAME_CLOSE:
                guest_channel_done(channel, mux);
                mux_send(mux, FRAME_CLOSE, channel->number, 0, NULL, 0);
                return 0;
        default:
                return error_text(err, EPROTO, "a frame of type %d out of turn", (int)frame->type);
        }
}

void guest_channel_advance(struct guest_channel *channel, struct mux *mux)
{
        if (channel->state != GUEST_EXITED)
                return;
        for (size_t i = 0; i < MUX_STREAMS; i++)
                if (!mux_stream_is_drained(&mux->channels[channel->number].streams[i]))
                        return;
        end_terminal(channel, mux);
        say(channel, mux, &channel->last);
        channel->state = GUEST_OVER;
}

void guest_channel_done(struct guest_channel *channel, struct mux *mux)
{
        cleanup_close_fd(&channel->init);
        cleanup_close_fd(&channel->master);
        mux_close(mux, channel->number);
        channel->state = GUEST_FREE;
}
