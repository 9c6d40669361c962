/* init_serve.c - one poll for all: nothing in it waits for one client. */
#include "shell/init_serve.h"

#include "common/cleanup.h"
#include "common/fault.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "shell/init_channel.h"
#include "shell/init_config.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CHANNELS_MAX    STATUS_CHANNELS_MAX
#define REAP_MAX        256 /* zombies in one go: a fork bomb must not keep the rest waiting */
#define ACCEPT_PAUSE_MS 100 /* after accept failed for want of memory or fds */

enum { ITEM_STATUS, ITEM_LISTEN, ITEM_SIGNALS, ITEM_CHANNELS };

struct init {
        int status, listener, signals;
        uint32_t hit;    /* as last heard of */
        uint32_t ending; /* enum ending; not NONE: no more channels */
        bool monitor_gone;
        bool more_zombies;
        uint64_t accept_after; /* monotonic milliseconds */
        struct channel channels[CHANNELS_MAX];
        struct init_config config;
        char message[ATTACH_MESSAGE_MAX];
};

static void report(struct init *init, uint32_t kind, int wait_status)
{
        struct status_report message = { .magic = STATUS_MAGIC, .kind = kind, .wait_status = wait_status };
        int r;

        for (size_t i = 0; i < CHANNELS_MAX; i++)
                if (init->channels[i].state == CHANNEL_STARTING || init->channels[i].state == CHANNEL_RUNNING)
                        message.channels++;
        r = seqpacket_send(init->status, &message, sizeof(message), NULL, 0, 0, NULL);
        /* One that the monitor is too busy to take is lost: the next brings the count up to date. */
        if (r < 0 && r != -ETIMEDOUT)
                init->monitor_gone = true;
}

static void take_channel_exit(struct init *init, struct channel *channel, int wait_status)
{
        /* Its report was written before it ended. */
        if (channel->state == CHANNEL_STARTING && channel_take_report(channel, &init->config))
                report(init, STATUS_OPENED, 0);
        if (channel->state != CHANNEL_RUNNING)
                return;
        channel_exited(channel, wait_status, process_monotonic_ms());
        report(init, STATUS_CLOSED, wait_status);
}

/* As process 1 we are the parent of every orphan in the isolation. */
static void reap(struct init *init)
{
        init->more_zombies = true;
        for (size_t n = 0; n < REAP_MAX; n++) {
                int wait_status;
                pid_t pid = waitpid(-1, &wait_status, WNOHANG);

                if (pid <= 0) {
                        init->more_zombies = false;
                        return;
                }
                for (size_t i = 0; i < CHANNELS_MAX; i++) {
                        struct channel *channel = &init->channels[i];

                        if (channel->pid == pid &&
                            (channel->state == CHANNEL_STARTING || channel->state == CHANNEL_RUNNING))
                                take_channel_exit(init, channel, wait_status);
                }
        }
}

static void take_signals(struct init *init)
{
        struct signalfd_siginfo info;

        while (read(init->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                continue;
        reap(init);
}

/* Answers come in the order of the reports. */
static struct channel *oldest_closing(struct init *init)
{
        struct channel *oldest = NULL;

        for (size_t i = 0; i < CHANNELS_MAX; i++) {
                struct channel *channel = &init->channels[i];

                if (channel->state == CHANNEL_CLOSING && (oldest == NULL || channel->deadline < oldest->deadline))
                        oldest = channel;
        }
        return oldest;
}

static void take_notice(struct init *init)
{
        struct status_notice notice;
        struct channel *channel;
        char buffer[sizeof(notice)];
        size_t count;
        ssize_t got = seqpacket_receive(init->status, buffer, sizeof(buffer), NULL, 0, &count, 0, NULL);

        if (got == -ETIMEDOUT)
                return;
        if (got <= 0 || status_parse_notice(buffer, (size_t)got, &notice, NULL) < 0) {
                init->monitor_gone = true;
                return;
        }
        init->hit |= notice.hit;
        if (notice.ending != ENDING_NONE) {
                init->ending = notice.ending;
                for (size_t i = 0; i < CHANNELS_MAX; i++)
                        channel_end(&init->channels[i], init->hit, init->ending);
                return;
        }
        channel = oldest_closing(init);
        if (channel != NULL)
                channel_finish(channel, init->hit);
}

static struct channel *free_channel(struct init *init)
{
        for (size_t i = 0; i < CHANNELS_MAX; i++)
                if (init->channels[i].state == CHANNEL_FREE)
                        return &init->channels[i];
        return NULL;
}

static void accept_client(struct init *init)
{
        cleanup_close int client = accept4(init->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct channel *channel = free_channel(init), refused;
        uint64_t now = process_monotonic_ms();
        uid_t uid;

        if (client < 0) {
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        init->accept_after = now + ACCEPT_PAUSE_MS;
                return;
        }
        if (seqpacket_peer_uid(client, &uid, NULL) < 0 || (uid != init->config.uid && !OMIT_POINT("peer of init")))
                return;
        channel_open(channel != NULL ? channel : &refused, TAKE_FD(client), now);
        if (channel == NULL)
                channel_refuse(&refused, "the session has too many channels");
        else if (init->ending != ENDING_NONE)
                channel_refuse(channel, "the session is being ended");
}

static void take_channel_event(struct init *init, struct channel *channel)
{
        if (channel->state == CHANNEL_WAITING)
                channel_take_request(channel, &init->config, init->message);
        else if (channel->state == CHANNEL_STARTING && channel_take_report(channel, &init->config))
                report(init, STATUS_OPENED, 0);
        else if (channel->state == CHANNEL_RUNNING && channel->client >= 0)
                channel_take_message(channel);
}

static void expire(struct init *init, uint64_t now)
{
        for (size_t i = 0; i < CHANNELS_MAX; i++) {
                struct channel *channel = &init->channels[i];

                if (channel->deadline > now)
                        continue;
                if (channel->state == CHANNEL_WAITING)
                        channel_refuse(channel, "no request came in time");
                else if (channel->state == CHANNEL_CLOSING)
                        channel_finish(channel, init->hit);
        }
}

static int wait_time(const struct init *init, uint64_t now)
{
        uint64_t until = UINT64_MAX;

        if (init->more_zombies)
                return 0;
        if (init->accept_after > now)
                until = init->accept_after;
        for (size_t i = 0; i < CHANNELS_MAX; i++) {
                const struct channel *channel = &init->channels[i];

                if ((channel->state == CHANNEL_WAITING || channel->state == CHANNEL_CLOSING) &&
                    channel->deadline < until)
                        until = channel->deadline;
        }
        if (until == UINT64_MAX)
                return -1;
        return until <= now ? 0 : (int)(until - now);
}

static int channel_fd(const struct channel *channel)
{
        switch (channel->state) {
        case CHANNEL_WAITING:
        case CHANNEL_RUNNING:
                return channel->client;
        case CHANNEL_STARTING:
                return channel->report;
        case CHANNEL_FREE:
        case CHANNEL_CLOSING:
                break;
        }
        return -1;
}

static void step(struct init *init)
{
        struct pollfd items[ITEM_CHANNELS + CHANNELS_MAX];
        struct channel *polled[CHANNELS_MAX];
        uint64_t now = process_monotonic_ms();
        nfds_t count = ITEM_CHANNELS;

        items[ITEM_STATUS] = (struct pollfd){ .fd = init->status, .events = POLLIN };
        items[ITEM_LISTEN] = (struct pollfd){ .fd = init->accept_after > now ? -1 : init->listener, .events = POLLIN };
        items[ITEM_SIGNALS] = (struct pollfd){ .fd = init->signals, .events = POLLIN };
        /* Only those that have one: poll refuses more entries than the policy's open_files. */
        for (size_t i = 0; i < CHANNELS_MAX; i++) {
                int fd = channel_fd(&init->channels[i]);

                if (fd < 0)
                        continue;
                polled[count - ITEM_CHANNELS] = &init->channels[i];
                items[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
        }
        if (poll(items, count, wait_time(init, now)) < 0)
                return;
        if (items[ITEM_STATUS].revents != 0)
                take_notice(init);
        for (nfds_t i = ITEM_CHANNELS; i < count; i++)
                if (items[i].revents != 0)
                        take_channel_event(init, polled[i - ITEM_CHANNELS]);
        if (items[ITEM_SIGNALS].revents != 0 || init->more_zombies)
                take_signals(init);
        if (items[ITEM_LISTEN].revents != 0)
                accept_client(init);
        expire(init, process_monotonic_ms());
}

static int set_up(struct init *init, struct error *err)
{
        sigset_t child;
        int r = init_config_receive(init->status, &init->config, err);

        if (r < 0)
                return r;
        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        init->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
        if (init->signals < 0 || fcntl(init->listener, F_SETFL, O_NONBLOCK) < 0)
                return error_errno(err, errno, "cannot set up process 1");
        return 0;
}

int init_serve(int status_fd, int listen_fd, struct error *err)
{
        /* From the heap, so that of the large buffer only what is used is ever touched. */
        cleanup_free struct init *init = calloc(1, sizeof(*init));
        cleanup_close int signals = -EBADF;
        int r;

        if (init == NULL)
                return error_errno(err, ENOMEM, "cannot set up process 1");
        init->status = status_fd;
        init->listener = listen_fd;
        r = set_up(init, err);
        if (r < 0)
                return r;
        signals = init->signals;
        report(init, STATUS_UP, 0);
        while (!init->monitor_gone)
                step(init);
        for (size_t i = 0; i < CHANNELS_MAX; i++)
                channel_kill(&init->channels[i]);
        return 0;
}
