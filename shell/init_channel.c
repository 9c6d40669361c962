/* init_channel.c - the life of a channel in init. Every descriptor here is non-blocking. */
#include "shell/init_channel.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/fd.h"
#include "common/seqpacket.h"
#include "shell/init_child.h"
#include "shell/init_pty.h"
#include "shell/stdio_type.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STREAMS_MAX 3

static void release(struct channel *channel)
{
        cleanup_close_fd(&channel->client);
        cleanup_close_fd(&channel->report);
        cleanup_close_fd(&channel->master);
        channel->state = CHANNEL_FREE;
}

static int reply(const struct channel *channel, struct attach_reply *message, const int *fds, size_t fds_count)
{
        message->magic = ATTACH_MAGIC;
        return seqpacket_send(channel->client, message, sizeof(*message), fds, fds_count, 0, NULL);
}

void channel_open(struct channel *channel, int client, uint64_t now)
{
        *channel = (struct channel){
                .state = CHANNEL_WAITING,
                .client = client,
                .report = -EBADF,
                .master = -EBADF,
                .deadline = now + CHANNEL_REQUEST_MS,
        };
}

void channel_refuse(struct channel *channel, const char *text)
{
        struct attach_reply message = { .kind = ATTACH_FAILED };

        (void)strncat(message.text, text, sizeof(message.text) - 1);
        if (reply(channel, &message, NULL, 0) < 0)
                channel->deadline = 0; /* it has gone: nothing else to do for it */
        release(channel);
}

/* The login shell has checked them too, but whoever has its uid can connect. */
static int check_streams(const int *fds, size_t count, struct error *err)
{
        for (size_t i = 0; i < count; i++) {
                struct error cause = ERROR_INIT;
                enum stdio_type type;
                int r = stdio_type(fds[i], &type, &cause);

                if (r < 0)
                        return error_text(err, EINVAL, "a passed stream %s", cause.text);
                if (type != STDIO_PASSED && !OMIT_POINT("terminals outside"))
                        return error_text(err, EINVAL, "a terminal may not be passed into the session");
        }
        return 0;
}

static int start(struct channel *channel, const struct init_config *config, const struct attach_parts *parts,
                 const int *fds, size_t count, struct error *err)
{
        struct init_pty pty = INIT_PTY_NONE;
        const struct init_child child = { .config = config, .parts = parts, .fds = fds, .pty = &pty };
        int r;

        if ((parts->header.passed & ATTACH_TERMINAL_PASSED) != 0)
                return error_text(err, EINVAL, "terminals of this session are its own");
        r = check_streams(fds, count, err);
        if (r < 0)
                return r;
        if (parts->header.passed != ATTACH_PASSED_ALL) {
                r = init_pty_open(&parts->header, &pty, err);
                if (r < 0)
                        return r;
        }
        r = init_child_start(&child, &channel->pid, &channel->report, err);
        channel->pty = pty.master >= 0;
        if (r == 0) {
                channel->master = TAKE_FD(pty.master);
                channel->state = CHANNEL_STARTING;
        }
        init_pty_done(&pty);
        return r;
}

static bool has_hung_up(int client)
{
        struct pollfd item = { .fd = client, .events = 0 };

        return poll(&item, 1, 0) > 0;
}

void channel_take_request(struct channel *channel, const struct init_config *config, void *buffer)
{
        struct error err = ERROR_INIT;
        struct attach_parts parts;
        int fds[STREAMS_MAX];
        size_t count = 0;
        ssize_t got = seqpacket_receive(channel->client, buffer, ATTACH_MESSAGE_MAX, fds, STREAMS_MAX, &count, 0, &err);
        int r;

        if (got == -ETIMEDOUT)
                return;
        /* A login that was given up while the isolation was being built has left its request behind. */
        if (got == 0 || has_hung_up(channel->client)) {
                release(channel);
        } else {
                r = got < 0 ? (int)got : attach_parse_request(buffer, (size_t)got, count, &parts, &err);
                if (r == 0)
                        r = start(channel, config, &parts, fds, count, &err);
                if (r < 0)
                        channel_refuse(channel, err.text);
        }
        for (size_t i = 0; i < count; i++)
                cleanup_close_fd(&fds[i]);
}

static pid_t foreground_group(pid_t leader)
{
        char name[32], text[512], *at;

        (void)snprintf(name, sizeof(name), "/proc/%d/stat", (int)leader);
        if (fd_read_file_at(AT_FDCWD, name, text, sizeof(text), NULL) < 0)
                return -1;
        /* Field 8, counted behind the name, which may hold anything. */
        at = strrchr(text, ')');
        for (int field = 2; at != NULL && field < 8; field++)
                at = strchr(at + 1, ' ');
        return at != NULL ? (pid_t)strtol(at + 1, NULL, 10) : -1;
}

/* The client holds the pty's master, so that its end hangs the pty up; the foreground is asked of the kernel. */
static void signal_groups(const struct channel *channel, int number)
{
        pid_t group = channel->pty ? foreground_group(channel->pid) : -1;

        if (group > 1 && group != channel->pid)
                (void)kill(-group, number);
        (void)kill(-channel->pid, number);
}

/* A pty is hung up by its master's end, the client's or ours: a second SIGHUP would hit what handles the first. */
static void hang_up(struct channel *channel)
{
        cleanup_close_fd(&channel->client);
        cleanup_close_fd(&channel->master);
        if (channel->pty)
                return;
        signal_groups(channel, SIGHUP);
        signal_groups(channel, SIGCONT);
}

bool channel_take_report(struct channel *channel, const struct init_config *config)
{
        struct attach_reply message = { .kind = ATTACH_STARTED };
        struct error err = ERROR_INIT;
        int r = init_child_read_report(channel->report, config, &err);

        if (r > 0)
                return false;
        if (r < 0) {
                channel_refuse(channel, err.text);
                return false;
        }
        cleanup_close_fd(&channel->report);
        channel->state = CHANNEL_RUNNING;
        if (reply(channel, &message, &channel->master, channel->pty ? 1 : 0) < 0)
                hang_up(channel);
        cleanup_close_fd(&channel->master);
        return true;
}

void channel_take_message(struct channel *channel)
{
        struct attach_signal message;
        size_t count;
        ssize_t got = seqpacket_receive(channel->client, &message, sizeof(message), NULL, 0, &count, 0, NULL);

        if (got == -ETIMEDOUT)
                return;
        if (got <= 0 || attach_parse_signal(&message, (size_t)got, &message, NULL) < 0)
                hang_up(channel);
        else
                signal_groups(channel, (int)message.number);
}

void channel_exited(struct channel *channel, int wait_status, uint64_t now)
{
        channel->state = CHANNEL_CLOSING;
        channel->wait_status = wait_status;
        channel->deadline = now + CHANNEL_NOTICE_MS;
}

static void say_exited(struct channel *channel, int wait_status, uint32_t hit, uint32_t ending)
{
        struct attach_reply message = {
                .kind = ATTACH_EXITED,
                .wait_status = wait_status,
                .hit = hit,
                .ending = ending,
        };

        if (channel->client >= 0 && reply(channel, &message, NULL, 0) < 0)
                cleanup_close_fd(&channel->client);
}

void channel_finish(struct channel *channel, uint32_t hit)
{
        say_exited(channel, channel->wait_status, hit, ENDING_NONE);
        release(channel);
}

void channel_end(struct channel *channel, uint32_t hit, uint32_t ending)
{
        switch (channel->state) {
        case CHANNEL_FREE:
                break;
        case CHANNEL_WAITING:
        case CHANNEL_STARTING:
                channel_refuse(channel, "the session is being ended");
                break;
        case CHANNEL_RUNNING:
                say_exited(channel, SIGKILL, hit, ending);
                cleanup_close_fd(&channel->client);
                break;
        case CHANNEL_CLOSING:
                say_exited(channel, channel->wait_status, hit, ending);
                release(channel);
                break;
        }
}

void channel_kill(const struct channel *channel)
{
        if (channel->state == CHANNEL_STARTING || channel->state == CHANNEL_RUNNING)
                (void)kill(-channel->pid, SIGKILL);
}
