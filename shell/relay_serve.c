/* relay_serve.c - one poll for all: nothing in it waits for one client. */
#include "shell/relay_serve.h"

#include "common/cleanup.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "common/status.h"
#include "shell/init_config.h"

#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define ACCEPT_PAUSE_MS 100 /* after accept failed for want of memory or fds */

enum { ITEM_STATUS, ITEM_LISTEN, ITEM_PAUSE, ITEM_CLIENTS };

static void report(struct relay *relay, uint32_t kind, int wait_status)
{
        struct status_report message = { .magic = STATUS_MAGIC, .kind = kind, .wait_status = wait_status };
        int r;

        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                if (relay->channels[i].state == RELAY_OPENING || relay->channels[i].state == RELAY_RUNNING)
                        message.channels++;
        r = seqpacket_send(relay->status, &message, sizeof(message), NULL, 0, 0, NULL);
        /* One that the monitor is too busy to take is lost: the next brings the count up to date. */
        if (r < 0 && r != -ETIMEDOUT)
                relay->monitor_gone = true;
}

static void tell_news(struct relay *relay, const struct relay_channel *channel, enum relay_news news)
{
        if (news == RELAY_OPENED)
                report(relay, STATUS_OPENED, 0);
        else if (news == RELAY_CLOSED)
                report(relay, STATUS_CLOSED, channel->wait_status);
}

/* -- the guest */

static void send_setup(struct relay *relay)
{
        struct frame_setup *setup = &relay->setup;
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        setup->seconds = now.tv_sec;
        setup->nanoseconds = (uint32_t)now.tv_nsec;
        mux_send(&relay->mux, FRAME_SETUP, 0, 0, setup, sizeof(*setup));
        explicit_bzero(setup->seed, sizeof(setup->seed));
}

static int take_greeting(struct relay *relay, const struct frame *frame, struct error *err)
{
        int r = frame_check_hello(frame, err);

        relay->greeted = true;
        return r;
}

static int take_failure(const struct frame *frame, struct error *err)
{
        char text[ERROR_TEXT_MAX] = "", shown[ERROR_TEXT_MAX];

        memcpy(text, frame->payload, frame->size < sizeof(text) ? frame->size : sizeof(text) - 1);
        escape_text(shown, sizeof(shown), text);
        return error_text(err, EIO, "the machine cannot be set up: %.400s", shown);
}

static int take_frame(void *owner, const struct frame *frame, struct error *err)
{
        struct relay *relay = owner;
        enum relay_news news;
        int r;

        if (frame->channel != 0) {
                r = relay_channel_take_frame(&relay->channels[frame->channel], &relay->mux, frame, &news, err);
                tell_news(relay, &relay->channels[frame->channel], news);
                return r;
        }
        /* A template has said hello before, perhaps, to whoever made it. */
        if (frame->type == FRAME_HELLO && !relay->ready)
                return take_greeting(relay, frame, err);
        if (frame->type == FRAME_FAILED && !relay->ready)
                return take_failure(frame, err);
        if (frame->type != (relay->freezing ? FRAME_FROZEN : FRAME_READY) || !relay->greeted || relay->ready)
                return error_text(err, EPROTO, "the guest speaks out of turn");
        relay->ready = true;
        return 0;
}

/* -- the monitor */

/* Answers come in the order of the reports. */
static struct relay_channel *oldest_waiting(struct relay *relay)
{
        struct relay_channel *oldest = NULL;

        for (size_t i = 1; i <= MUX_CHANNELS; i++) {
                struct relay_channel *channel = &relay->channels[i];

                if (channel->state == RELAY_NOTICE && (oldest == NULL || channel->deadline < oldest->deadline))
                        oldest = channel;
        }
        return oldest;
}

static void take_notice(struct relay *relay)
{
        struct status_notice notice;
        struct relay_channel *channel;
        size_t count;
        ssize_t got = seqpacket_receive(relay->status, &notice, sizeof(notice), NULL, 0, &count, 0, NULL);

        if (got == -ETIMEDOUT)
                return;
        if (got != (ssize_t)sizeof(notice) || notice.magic != STATUS_MAGIC || notice.ending >= ENDINGS) {
                relay->monitor_gone = true;
                return;
        }
        relay->hit |= notice.hit & ((1U << LIMIT_BITS) - 1);
        if (notice.ending != ENDING_NONE) {
                relay->ending = notice.ending;
                for (size_t i = 1; i <= MUX_CHANNELS; i++)
                        relay_channel_end(&relay->channels[i], relay->hit, relay->ending);
                return;
        }
        channel = oldest_waiting(relay);
        if (channel != NULL)
                relay_channel_finish(channel, relay->hit);
}

/* -- clients */

static struct relay_channel *free_channel(struct relay *relay)
{
        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                if (relay->channels[i].state == RELAY_FREE)
                        return &relay->channels[i];
        return NULL;
}

static void accept_client(struct relay *relay)
{
        cleanup_close int client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct relay_channel *channel = free_channel(relay), refused = { .number = 0 };
        uint64_t now = process_monotonic_ms();
        uid_t uid;

        if (client < 0) {
                if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                        relay->accept_after = now + ACCEPT_PAUSE_MS;
                return;
        }
        if (seqpacket_peer_uid(client, &uid, NULL) < 0)
                return;
        if (uid == RELAY_PAUSE_UID && uid != relay->setup.config.uid)
                relay_pause_begin(&relay->pause, TAKE_FD(client), now);
        if (client < 0 || uid != relay->setup.config.uid)
                return;
        relay_channel_accept(channel != NULL ? channel : &refused, TAKE_FD(client), now);
        if (channel == NULL)
                relay_channel_refuse(&refused, "the session has too many channels");
        else if (relay->ending != ENDING_NONE)
                relay_channel_refuse(channel, "the session is being ended");
}

static bool listens(const struct relay_channel *channel)
{
        return channel->state == RELAY_WAITING || channel->state == RELAY_OPENING || channel->state == RELAY_RUNNING;
}

static void take_client_event(struct relay *relay, struct relay_channel *channel)
{
        if (!mux_has_room(&relay->mux))
                return;
        if (channel->state == RELAY_WAITING)
                relay_channel_take_request(channel, &relay->mux, relay->message);
        else if (listens(channel) && channel->client >= 0)
                tell_news(relay, channel, relay_channel_take_message(channel, &relay->mux));
}

static void advance(struct relay *relay, uint64_t now)
{
        for (size_t i = 1; i <= MUX_CHANNELS; i++) {
                struct relay_channel *channel = &relay->channels[i];

                if (mux_has_room(&relay->mux))
                        tell_news(relay, channel, relay_channel_advance(channel, &relay->mux, now));
                if (channel->state == RELAY_WAITING && channel->deadline <= now)
                        relay_channel_refuse(channel, "no request came in time");
                else if (channel->state == RELAY_NOTICE && channel->deadline <= now)
                        relay_channel_finish(channel, relay->hit);
        }
}

/* -- the loop */

static int wait_time(const struct relay *relay, int most_ms, uint64_t now)
{
        uint64_t until = mux_wake(&relay->mux), pause = relay_pause_wake(&relay->pause, now);

        if (pause < until)
                until = pause;
        if (most_ms >= 0 && now + (uint64_t)most_ms < until)
                until = now + (uint64_t)most_ms;
        if (relay->deadline > 0 && relay->deadline < until)
                until = relay->deadline;
        if (relay->accept_after > now && relay->accept_after < until)
                until = relay->accept_after;
        for (size_t i = 1; i <= MUX_CHANNELS; i++) {
                const struct relay_channel *channel = &relay->channels[i];

                if ((channel->state == RELAY_WAITING || channel->state == RELAY_NOTICE) && channel->deadline < until)
                        until = channel->deadline;
        }
        if (until == UINT64_MAX)
                return -1;
        return until <= now ? 0 : (int)(until - now);
}

static bool may_accept(const struct relay *relay, uint64_t now)
{
        return relay->ready && relay->listener >= 0 && relay->accept_after <= now;
}

int relay_step(struct relay *relay, int most_ms, struct error *err)
{
        struct pollfd items[ITEM_CLIENTS + MUX_CHANNELS + MUX_POLL_MAX];
        struct relay_channel *clients[MUX_CHANNELS];
        uint64_t now = process_monotonic_ms();
        size_t count = ITEM_CLIENTS, streams;
        int r;

        items[ITEM_STATUS] = (struct pollfd){ .fd = relay->status, .events = POLLIN };
        items[ITEM_LISTEN] = (struct pollfd){ .fd = may_accept(relay, now) ? relay->listener : -1, .events = POLLIN };
        items[ITEM_PAUSE] = (struct pollfd){ .fd = relay->pause.client, .events = POLLIN };
        for (size_t i = 1; i <= MUX_CHANNELS && mux_has_room(&relay->mux); i++) {
                if (!listens(&relay->channels[i]) || relay->channels[i].client < 0)
                        continue;
                clients[count - ITEM_CLIENTS] = &relay->channels[i];
                items[count++] = (struct pollfd){ .fd = relay->channels[i].client, .events = POLLIN };
        }
        mux_fill_poll(&relay->mux, &relay->polled, now);
        streams = count;
        memcpy(items + count, relay->polled.items, relay->polled.count * sizeof(items[0]));
        if (poll(items, count + relay->polled.count, wait_time(relay, most_ms, now)) < 0)
                return 0;
        now = process_monotonic_ms();
        memcpy(relay->polled.items, items + streams, relay->polled.count * sizeof(items[0]));
        r = mux_step(&relay->mux, &relay->polled, now, err);
        if (r < 0)
                return r;
        if (items[ITEM_STATUS].revents != 0)
                take_notice(relay);
        relay_pause_step(&relay->pause, items[ITEM_PAUSE].revents != 0, now);
        for (size_t i = ITEM_CLIENTS; i < count; i++)
                if (items[i].revents != 0)
                        take_client_event(relay, clients[i - ITEM_CLIENTS]);
        if (items[ITEM_LISTEN].revents != 0)
                accept_client(relay);
        advance(relay, now);
        return mux_flush(&relay->mux, err);
}

void relay_begin(struct relay *relay, int status, int listener, struct transport transport, uint64_t now)
{
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };

        relay->status = status;
        relay->listener = listener;
        relay->deadline = now + RELAY_READY_MS;
        relay->pause.client = -EBADF;
        for (uint16_t i = 1; i <= MUX_CHANNELS; i++)
                relay->channels[i] = (struct relay_channel){ .number = i, .client = -EBADF };
        relay->mux.transport = transport;
        relay->mux.incoming = FRAME_OUTWARDS;
        relay->mux.take = take_frame;
        relay->mux.owner = relay;
        mux_send(&relay->mux, FRAME_HELLO, 0, 0, &hello, sizeof(hello));
}

void relay_done(struct relay *relay)
{
        relay_pause_end(&relay->pause);
        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                cleanup_close_fd(&relay->channels[i].client);
        mux_done(&relay->mux);
}

static int wait_ready(struct relay *relay, struct error *err)
{
        while (!relay->ready && !relay->monitor_gone) {
                int r = relay_step(relay, -1, err);

                if (r < 0)
                        return r;
                if (!relay->ready && relay->deadline <= process_monotonic_ms())
                        return error_text(err, ETIMEDOUT, "the machine did not come up within %d s",
                                          RELAY_READY_MS / 1000);
        }
        relay->deadline = 0;
        return 0;
}

/* Its home is written back then; the monitor bounds the wait as well. */
static void power_off(struct relay *relay)
{
        uint64_t until = process_monotonic_ms() + RELAY_POWEROFF_MS;

        relay_pause_end(&relay->pause);
        mux_send(&relay->mux, FRAME_POWEROFF, 0, 0, NULL, 0);
        relay->deadline = until;
        relay->status = relay->listener = -1;
        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                relay_channel_drop(&relay->channels[i]);
        while (process_monotonic_ms() < until)
                if (relay_step(relay, -1, NULL) < 0)
                        return;
}

int relay_serve(struct relay *relay, struct error *err)
{
        int r = init_config_receive(relay->status, &relay->setup.config, err);

        if (r < 0)
                return r;
        if (getrandom(relay->setup.seed, sizeof(relay->setup.seed), 0) != (ssize_t)sizeof(relay->setup.seed))
                return error_errno(err, errno, "cannot get entropy for the machine");
        send_setup(relay);
        r = wait_ready(relay, err);
        if (r < 0)
                return r;
        report(relay, STATUS_UP, 0);
        while (!relay->monitor_gone) {
                r = relay_step(relay, -1, err);
                if (r < 0)
                        return r;
        }
        power_off(relay);
        return 0;
}

int relay_freeze(struct relay *relay, struct error *err)
{
        relay->freezing = true;
        mux_send(&relay->mux, FRAME_FREEZE, 0, 0, NULL, 0);
        return wait_ready(relay, err);
}
