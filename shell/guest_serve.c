/* guest_serve.c - one poll for all. The relay is trusted; what it sends is checked for mistakes. */
#include "shell/guest_serve.h"

#include "common/cleanup.h"
#include "common/process.h"
#include "shell/guest_machine.h"
#include "shell/init_config.h"

#include <string.h>
#include <sys/wait.h>

#define REAP_MS 1000 /* as process 1, orphans are looked for this often at least */

enum { ITEM_INIT, ITEM_CHANNELS };

static void greet(struct guest *guest)
{
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };

        mux_send(&guest->mux, FRAME_HELLO, 0, 0, &hello, sizeof(hello));
}

static int set_up(struct guest *guest, const struct frame *frame, struct error *err)
{
        const char *root = NULL;
        int r;

        if (guest->init.pid != 0)
                return error_text(err, EPROTO, "a second set-up");
        r = frame_check_setup(frame, &guest->setup, err);
        if (r < 0)
                return r;
        r = init_config_check(&guest->setup.config, sizeof(guest->setup.config), err);
        if (r == 0 && guest->machine)
                r = guest_machine_set_up(&guest->setup, &root, err);
        explicit_bzero(guest->setup.seed, sizeof(guest->setup.seed));
        if (r < 0)
                return r;
        return guest_init_start(&guest->init, guest->program, root, &guest->setup.config, guest->setup.gid, err);
}

static void take_setup(struct guest *guest, const struct frame *frame)
{
        struct error err = ERROR_INIT;

        if (set_up(guest, frame, &err) == 0)
                mux_send(&guest->mux, FRAME_READY, 0, 0, NULL, 0);
        else
                mux_send(&guest->mux, FRAME_FAILED, 0, 0, err.text, strlen(err.text));
}

/* A request comes in pieces, and those of one channel are not mixed with another's. */
static int take_open(struct guest *guest, const struct frame *frame, struct error *err)
{
        struct guest_channel *channel = &guest->channels[frame->channel];

        if (guest->init.pid == 0 || channel->state != GUEST_FREE ||
            (guest->assembling != 0 && guest->assembling != frame->channel))
                return error_text(err, EPROTO, "a channel opened out of turn");
        if (frame->size > sizeof(guest->message) - guest->assembled)
                return error_text(err, EPROTO, "a request that is too long");
        memcpy(guest->message + guest->assembled, frame->payload, frame->size);
        guest->assembled += frame->size;
        guest->assembling = frame->channel;
        if ((frame->flags & FRAME_MORE) != 0)
                return 0;
        guest_channel_open(channel, &guest->mux, &guest->init, guest->message, guest->assembled);
        guest->assembling = 0;
        guest->assembled = 0;
        return 0;
}

static int take_frame(void *owner, const struct frame *frame, struct error *err)
{
        struct guest *guest = owner;
        int r;

        switch ((int)frame->type) {
        case FRAME_HELLO:
                r = frame_check_hello(frame, err);
                if (r == 0)
                        greet(guest);
                return r;
        case FRAME_SETUP:
                take_setup(guest, frame);
                return 0;
        case FRAME_FREEZE:
                guest->freezing = true;
                return 0;
        case FRAME_POWEROFF:
                guest->powering_off = true;
                return 0;
        case FRAME_OPEN:
                return take_open(guest, frame, err);
        default:
                if (frame->channel == 0)
                        return error_text(err, EPROTO, "a frame of type %d out of turn", (int)frame->type);
                return guest_channel_take_frame(&guest->channels[frame->channel], &guest->mux, frame, err);
        }
}

static int wait_time(const struct guest *guest, uint64_t now)
{
        uint64_t until = mux_wake(&guest->mux);

        if (guest->machine && now + REAP_MS < until)
                until = now + REAP_MS;
        if (until == UINT64_MAX)
                return -1;
        return until <= now ? 0 : (int)(until - now);
}

/* agentsh-init's end is seen at its status line. */
static void reap(const struct guest *guest)
{
        while (guest->machine && waitpid(-1, NULL, WNOHANG) > 0)
                continue;
}

static void advance(struct guest *guest)
{
        bool quiet = guest->init.pid == 0;

        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                if (mux_has_room(&guest->mux))
                        guest_channel_advance(&guest->channels[i], &guest->mux);
        /* Before a session, nothing is under way but what waits to be sent. */
        if (guest->freezing && quiet) {
                guest->freezing = false;
                mux_send(&guest->mux, FRAME_FROZEN, 0, 0, NULL, 0);
        }
}

static int step(struct guest *guest, struct error *err)
{
        struct pollfd items[ITEM_CHANNELS + MUX_CHANNELS + MUX_POLL_MAX];
        struct guest_channel *channels[MUX_CHANNELS];
        uint64_t now = process_monotonic_ms();
        size_t count = ITEM_CHANNELS, streams;
        int r;

        items[ITEM_INIT] = (struct pollfd){ .fd = guest->init.status, .events = POLLIN };
        for (size_t i = 1; i <= MUX_CHANNELS && mux_has_room(&guest->mux); i++) {
                if (guest->channels[i].state == GUEST_FREE || guest->channels[i].init < 0)
                        continue;
                channels[count - ITEM_CHANNELS] = &guest->channels[i];
                items[count++] = (struct pollfd){ .fd = guest->channels[i].init, .events = POLLIN };
        }
        mux_fill_poll(&guest->mux, &guest->polled, now);
        streams = count;
        memcpy(items + count, guest->polled.items, guest->polled.count * sizeof(items[0]));
        if (poll(items, count + guest->polled.count, wait_time(guest, now)) < 0)
                return 0;
        now = process_monotonic_ms();
        memcpy(guest->polled.items, items + streams, guest->polled.count * sizeof(items[0]));
        r = mux_step(&guest->mux, &guest->polled, now, err);
        if (r < 0)
                return r;
        for (size_t i = ITEM_CHANNELS; i < count; i++)
                if (items[i].revents != 0 && channels[i - ITEM_CHANNELS]->init == items[i].fd)
                        guest_channel_take_answer(channels[i - ITEM_CHANNELS], &guest->mux, now);
        if (items[ITEM_INIT].revents != 0)
                r = guest_init_take_report(&guest->init, err);
        if (r < 0)
                return r;
        advance(guest);
        reap(guest);
        return mux_flush(&guest->mux, err);
}

int guest_serve(struct guest *guest, struct transport transport, struct error *err)
{
        int r = 0;

        guest->init = (struct guest_init)GUEST_INIT_NONE;
        for (uint16_t i = 1; i <= MUX_CHANNELS; i++)
                guest->channels[i] = (struct guest_channel){ .number = i, .init = -EBADF, .master = -EBADF };
        guest->mux.transport = transport;
        guest->mux.incoming = FRAME_INWARDS;
        guest->mux.take = take_frame;
        guest->mux.owner = guest;
        while (r == 0 && !guest->powering_off)
                r = step(guest, err);
        guest_init_done(&guest->init);
        for (size_t i = 1; i <= MUX_CHANNELS; i++)
                guest_channel_done(&guest->channels[i], &guest->mux);
        mux_done(&guest->mux);
        return r;
}
