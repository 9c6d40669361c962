/* relay_channel.c - the life of a channel in agentsh-relay. What the guest says is checked before it has any effect. */
#include "shell/relay_channel.h"

#include "common/cleanup.h"
#include "common/seqpacket.h"
#include "shell/stdio_type.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define FDS_MAX 4

struct request {
        struct attach_parts parts;
        int fds[FDS_MAX];
        size_t count;
};

static int reply(const struct relay_channel *channel, struct attach_reply *message)
{
        message->magic = ATTACH_MAGIC;
        return seqpacket_send(channel->client, message, sizeof(*message), NULL, 0, 0, NULL);
}

static void say_failed(struct relay_channel *channel, const char *text)
{
        struct attach_reply message = { .kind = ATTACH_FAILED };

        (void)strncat(message.text, text, sizeof(message.text) - 1);
        if (channel->client >= 0 && reply(channel, &message) < 0)
                channel->deadline = 0; /* it has gone: nothing else to do for it */
        cleanup_close_fd(&channel->client);
}

static void say_exited(struct relay_channel *channel, int wait_status, uint32_t hit, uint32_t ending)
{
        struct attach_reply message = {
                .kind = ATTACH_EXITED, .wait_status = wait_status, .hit = hit, .ending = ending
        };

        if (channel->client >= 0 && reply(channel, &message) < 0)
                channel->deadline = 0;
        cleanup_close_fd(&channel->client);
}

void relay_channel_accept(struct relay_channel *channel, int client, uint64_t now)
{
        *channel = (struct relay_channel){
                .state = RELAY_WAITING,
                .number = channel->number,
                .client = client,
                .deadline = now + RELAY_REQUEST_MS,
        };
}

void relay_channel_refuse(struct relay_channel *channel, const char *text)
{
        say_failed(channel, text);
        channel->state = RELAY_FREE;
}

/* The login shell has checked them too, but whoever has its uid can connect. */
static int check_streams(const struct request *request, struct error *err)
{
        size_t streams = request->count;
        int terminal;

        if ((request->parts.header.passed & ATTACH_TERMINAL_PASSED) != 0)
                streams--;
        else if (request->parts.header.passed != ATTACH_PASSED_ALL)
                return error_text(err, EINVAL, "a terminal of this session is a socket, and none came");
        for (size_t i = 0; i < request->count; i++) {
                struct error cause = ERROR_INIT;
                enum stdio_type type;
                int r = stdio_type(request->fds[i], &type, &cause);

                if (r < 0)
                        return error_text(err, EINVAL, "a passed stream %s", cause.text);
                if (type != STDIO_PASSED)
                        return error_text(err, EINVAL, "a terminal may not be passed into the session");
        }
        terminal = streams < request->count ? request->fds[streams] : -1;
        if (terminal >= 0 && getsockopt(terminal, SOL_SOCKET, SO_TYPE, &(int){ 0 }, &(socklen_t){ sizeof(int) }) < 0)
                return error_text(err, EINVAL, "what stands for the terminal is not a socket");
        return 0;
}

static int add_stream(struct mux_channel *channel, uint16_t number, uint8_t stream, struct endpoint *endpoint,
                      struct error *err)
{
        int r = 0;

        if (stream == FRAME_STDIN)
                mux_stream_source(&channel->streams[stream], *endpoint, number, stream);
        else
                r = mux_stream_sink(&channel->streams[stream], *endpoint, number, stream, err);
        if (r < 0)
                endpoint_close(endpoint);
        return r;
}

static int add_shared(struct mux_channel *channel, uint16_t number, uint8_t stream, int *fd, struct error *err)
{
        struct endpoint endpoint;
        int r = endpoint_share(&endpoint, *fd, err);

        if (r < 0)
                return r;
        *fd = -EBADF;
        return add_stream(channel, number, stream, &endpoint, err);
}

/* One descriptor for each direction, since each ends by itself. */
static int add_terminal(struct mux_channel *channel, uint16_t number, bool keys, int fd, struct error *err)
{
        for (int i = keys ? 0 : 1; i < 2; i++) {
                cleanup_close int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                struct endpoint endpoint;
                int r;

                if (copy < 0)
                        return error_errno(err, errno, "cannot make a channel");
                r = endpoint_own(&endpoint, copy, ENDPOINT_TERMINAL, err);
                if (r < 0)
                        return r;
                copy = -EBADF;
                r = add_stream(channel, number, i == 0 ? FRAME_STDIN : FRAME_TERMINAL, &endpoint, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_streams(struct mux_channel *channel, uint16_t number, struct request *request, struct error *err)
{
        uint32_t passed = request->parts.header.passed;
        size_t next = 0;
        int r = 0;

        for (uint8_t stream = 0; stream <= 2 && r == 0; stream++)
                if ((passed & (1U << stream)) != 0)
                        r = add_shared(channel, number, stream, &request->fds[next++], err);
        if (r == 0 && (passed & ATTACH_TERMINAL_PASSED) != 0)
                r = add_terminal(channel, number, (passed & ATTACH_STDIN_PASSED) == 0, request->fds[next], err);
        return r;
}

/* The guest's init makes a pty of its own for what was not passed: to it the request is as any other. */
static void send_open(const struct relay_channel *channel, struct mux *mux, void *data, size_t size)
{
        const uint8_t *at = data;
        struct attach_request header;

        memcpy(&header, data, sizeof(header));
        header.passed &= ATTACH_PASSED_ALL;
        memcpy(data, &header, sizeof(header));
        while (size > 0) {
                size_t piece = size < FRAME_PAYLOAD_MAX ? size : FRAME_PAYLOAD_MAX;

                mux_send(mux, FRAME_OPEN, channel->number, size > piece ? FRAME_MORE : 0, at, piece);
                at += piece;
                size -= piece;
        }
}

static int open_channel(struct relay_channel *channel, struct mux *mux, struct request *request, void *data,
                        size_t size, struct error *err)
{
        int r = attach_parse_request(data, size, request->count, &request->parts, err);

        if (r < 0)
                return r;
        r = check_streams(request, err);
        if (r < 0)
                return r;
        mux_open(mux, channel->number);
        r = add_streams(&mux->channels[channel->number], channel->number, request, err);
        if (r < 0) {
                mux_close(mux, channel->number);
                return r;
        }
        send_open(channel, mux, data, size);
        channel->state = RELAY_OPENING;
        return 0;
}

static bool has_hung_up(int client)
{
        struct pollfd item = { .fd = client, .events = 0 };

        return poll(&item, 1, 0) > 0;
}

void relay_channel_take_request(struct relay_channel *channel, struct mux *mux, void *buffer)
{
        struct request request = { .count = 0 };
        struct error err = ERROR_INIT;
        ssize_t got = seqpacket_receive(channel->client, buffer, ATTACH_MESSAGE_MAX, request.fds, FDS_MAX,
                                        &request.count, 0, &err);
        int r = got < 0 ? (int)got : 0;

        if (got == -ETIMEDOUT)
                return;
        /* A login that was given up while the machine was being made has left its request behind. */
        if (got == 0 || has_hung_up(channel->client)) {
                cleanup_close_fd(&channel->client);
                channel->state = RELAY_FREE;
        } else {
                if (r == 0)
                        r = open_channel(channel, mux, &request, buffer, (size_t)got, &err);
                if (r < 0)
                        relay_channel_refuse(channel, err.text);
        }
        for (size_t i = 0; i < request.count; i++)
                cleanup_close_fd(&request.fds[i]);
}

static enum relay_news hang_up(struct relay_channel *channel, struct mux *mux)
{
        enum relay_news news = channel->state == RELAY_RUNNING ? RELAY_CLOSED : RELAY_NOTHING;

        mux_send(mux, FRAME_HANGUP, channel->number, 0, NULL, 0);
        cleanup_close_fd(&channel->client);
        channel->wait_status = SIGHUP;
        channel->state = RELAY_LEAVING;
        return news;
}

enum relay_news relay_channel_take_message(struct relay_channel *channel, struct mux *mux)
{
        union {
                struct attach_signal signal;
                struct attach_window window;
        } message;
        size_t count;
        ssize_t got = seqpacket_receive(channel->client, &message, sizeof(message), NULL, 0, &count, 0, NULL);

        if (got == -ETIMEDOUT)
                return RELAY_NOTHING;
        if (got > 0 && attach_parse_signal(&message, (size_t)got, &message.signal, NULL) == 0)
                mux_send(mux, FRAME_SIGNAL, channel->number, 0, &message.signal, sizeof(message.signal));
        else if (got > 0 && attach_parse_window(&message, (size_t)got, &message.window, NULL) == 0)
                mux_send(mux, FRAME_WINDOW, channel->number, 0, &message.window, sizeof(message.window));
        else
                return hang_up(channel, mux);
        return RELAY_NOTHING;
}

static int out_of_turn(struct error *err)
{
        return error_text(err, EPROTO, "the guest speaks out of turn");
}

static int take_reply(struct relay_channel *channel, const struct attach_reply *message, struct mux *mux,
                      enum relay_news *ret_news, struct error *err)
{
        struct attach_reply started = { .kind = ATTACH_STARTED };

        if (channel->state == RELAY_LEAVING || channel->state == RELAY_CLOSING)
                return 0; /* it could not know yet */
        if (message->kind == ATTACH_STARTED && channel->state == RELAY_OPENING) {
                channel->state = RELAY_RUNNING;
                *ret_news = RELAY_OPENED;
                if (reply(channel, &started) < 0)
                        channel->deadline = 0; /* poll will say so */
                return 0;
        }
        if (message->kind == ATTACH_FAILED && channel->state == RELAY_OPENING) {
                say_failed(channel, message->text);
                for (size_t i = 0; i < MUX_STREAMS; i++)
                        mux_stream_end(&mux->channels[channel->number].streams[i]);
                channel->state = RELAY_LEAVING;
                return 0;
        }
        if (message->kind != ATTACH_EXITED || channel->state != RELAY_RUNNING || channel->exited)
                return out_of_turn(err);
        channel->exited = true;
        channel->wait_status = message->wait_status;
        for (size_t i = 0; i < MUX_STREAMS; i++)
                channel->marks[i] = mux->channels[channel->number].streams[i].taken;
        return 0;
}

int relay_channel_take_frame(struct relay_channel *channel, struct mux *mux, const struct frame *frame,
                             enum relay_news *ret_news, struct error *err)
{
        struct attach_reply message;
        int r;

        *ret_news = RELAY_NOTHING;
        if (frame->type == FRAME_CLOSE) {
                if (channel->state != RELAY_CLOSING)
                        return out_of_turn(err);
                mux_close(mux, channel->number);
                channel->state = RELAY_FREE;
                return 0;
        }
        if (frame->type != FRAME_REPLY)
                return out_of_turn(err);
        r = attach_parse_reply(frame->payload, frame->size, &message, err);
        if (r < 0)
                return r;
        return take_reply(channel, &message, mux, ret_news, err);
}

static bool is_delivered(const struct relay_channel *channel, const struct mux *mux)
{
        for (size_t i = 0; i < MUX_STREAMS; i++) {
                const struct mux_stream *stream = &mux->channels[channel->number].streams[i];

                if (stream->sink && !stream->over && stream->written < channel->marks[i])
                        return false;
        }
        return true;
}

enum relay_news relay_channel_advance(struct relay_channel *channel, struct mux *mux, uint64_t now)
{
        if (channel->state == RELAY_RUNNING && channel->exited && is_delivered(channel, mux)) {
                channel->state = RELAY_NOTICE;
                channel->deadline = now + RELAY_NOTICE_MS;
                return RELAY_CLOSED;
        }
        if (channel->state == RELAY_LEAVING && mux_is_over(mux, channel->number)) {
                mux_send(mux, FRAME_CLOSE, channel->number, 0, NULL, 0);
                channel->state = RELAY_CLOSING;
        }
        return RELAY_NOTHING;
}

void relay_channel_finish(struct relay_channel *channel, uint32_t hit)
{
        say_exited(channel, channel->wait_status, hit, 0);
        channel->state = RELAY_LEAVING;
}

void relay_channel_end(struct relay_channel *channel, uint32_t hit, uint32_t ending)
{
        switch (channel->state) {
        case RELAY_FREE:
        case RELAY_LEAVING:
        case RELAY_CLOSING:
                break;
        case RELAY_WAITING:
                relay_channel_refuse(channel, "the session is being ended");
                break;
        case RELAY_OPENING:
                say_failed(channel, "the session is being ended");
                channel->state = RELAY_LEAVING;
                break;
        case RELAY_RUNNING:
        case RELAY_NOTICE:
                say_exited(channel, channel->exited ? channel->wait_status : SIGKILL, hit, ending);
                channel->state = RELAY_LEAVING;
                break;
        }
}

void relay_channel_drop(struct relay_channel *channel)
{
        cleanup_close_fd(&channel->client);
        if (channel->state == RELAY_WAITING)
                channel->state = RELAY_FREE;
        else if (channel->state != RELAY_FREE && channel->state != RELAY_CLOSING)
                channel->state = RELAY_LEAVING;
}
