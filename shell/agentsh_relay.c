/* agentsh_relay.c - the relay of the login shell. Runs as the agent in a seccomp filter: no open, no allocation. */
#include "shell/agentsh_relay.h"

#include "shell/agentsh_flow.h"
#include "shell/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TICK_US       100000       /* a blocked read or write is interrupted after at most this long */
#define QUIET_MS      100          /* silence of the pty that ends it once the channel has ended */
#define DRAIN_MAX     (256 * 1024) /* more than a pty can hold: what comes then was written afterwards */
#define LOOK_AGAIN_MS 250          /* for what cannot be polled: the foreground, a pty without slaves */

struct relay {
        const struct inside *inside;
        int signals;
        struct tty *tty;
        struct attach_reply *reply;
        struct flow inwards, outwards;
        size_t drained; /* bytes read from the pty since the channel ended */
        bool exited;    /* the reply is there */
        bool input_ended;
        bool slave_gone;    /* nobody has the pty open at the moment */
        bool ticking, busy; /* the interval timer runs; a read or write was tried since its last tick */
        bool ended;
        enum relay_end end;
};

enum { ITEM_SOCKET, ITEM_SIGNALS, ITEM_MASTER, ITEM_IN, ITEM_OUT, ITEM_COUNT };

static void set_ticking(struct relay *relay, bool on)
{
        struct itimerval timer = { .it_interval.tv_usec = on ? TICK_US : 0, .it_value.tv_usec = on ? TICK_US : 0 };

        if (relay->ticking == on)
                return;
        relay->ticking = on;
        (void)setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * The terminal outside is shared with other programs, so it must stay in blocking mode; and a hostile init can put the
 * pty back into it. Hence the timer around each read and write.
 */
static void will_block(struct relay *relay)
{
        relay->busy = true;
        set_ticking(relay, true);
}

static void finish(struct relay *relay, enum relay_end end)
{
        if (relay->ended)
                return;
        relay->ended = true;
        relay->end = end;
}

static void flush_outwards(struct relay *relay)
{
        int r;

        will_block(relay);
        r = flow_write(&relay->outwards, relay->tty->out);
        /* A terminal that is open for reading only shows nothing, but is no reason to end. */
        if (r < 0)
                flow_clear(&relay->outwards);
        if (r == -EIO)
                finish(relay, RELAY_HANGUP);
}

static void flush_inwards(struct relay *relay)
{
        will_block(relay);
        if (flow_write(&relay->inwards, relay->inside->stream) < 0)
                flow_clear(&relay->inwards);
}

/* The pty gives 4 KiB at a time: gather before writing. */
static void read_master(struct relay *relay)
{
        struct flow *flow = &relay->outwards;

        relay->slave_gone = false;
        while (flow->end < sizeof(flow->data)) {
                ssize_t got;

                will_block(relay);
                got = read(relay->inside->stream, flow->data + flow->end, sizeof(flow->data) - flow->end);
                if (got > 0) {
                        flow->end += (size_t)got;
                        relay->drained += relay->exited ? (size_t)got : 0;
                        continue;
                }
                if (got == 0 || (errno != EAGAIN && errno != EINTR))
                        relay->slave_gone = true;
                break;
        }
        flush_outwards(relay);
}

static void read_input(struct relay *relay)
{
        struct flow *flow = &relay->inwards;
        ssize_t got;

        will_block(relay);
        got = read(relay->tty->in, flow->data, sizeof(flow->data));
        if (got > 0) {
                flow->start = 0;
                flow->end = (size_t)got;
        } else if (got == 0 && !tty_is_gone(relay->tty)) {
                relay->input_ended = true;
                flow->end = terminal_eof_character(&relay->tty->saved, flow->data) ? 1 : 0;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                finish(relay, RELAY_HANGUP);
        }
        flush_inwards(relay);
}

/* recv, not recvmsg: fds that a hostile init attaches are dropped by the kernel. */
static void read_socket(struct relay *relay)
{
        char data[sizeof(struct attach_reply) + 1];
        ssize_t got = recv(relay->inside->socket, data, sizeof(data), MSG_DONTWAIT);

        /* A reset comes once, from a peer that closed without having read all of ours: its last word is behind it. */
        if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET))
                return;
        if (got <= 0 || attach_parse_reply(data, (size_t)got, relay->reply, NULL) < 0 ||
            relay->reply->kind != ATTACH_EXITED) {
                finish(relay, RELAY_LOST);
                return;
        }
        relay->exited = true;
        if (relay->slave_gone)
                read_master(relay);
}

static void forward_signal(struct relay *relay, uint32_t number)
{
        struct attach_signal message = { .magic = ATTACH_MAGIC, .kind = ATTACH_SIGNAL, .number = number };

        /* Nobody is left to take it: what we still wait for is the terminal outside. */
        if (relay->exited) {
                finish(relay, RELAY_EXITED);
                return;
        }
        (void)send(relay->inside->socket, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Stops as any program does: the kernel ignores it where nobody could continue us. */
static void stop(struct relay *relay)
{
        sigset_t set;

        tty_restore(relay->tty);
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        (void)kill(getpid(), SIGTSTP);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        tty_resume(relay->tty, relay->inside);
}

static void read_signals(struct relay *relay)
{
        struct signalfd_siginfo info;

        while (!relay->ended && read(relay->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                if (info.ssi_signo == SIGWINCH && relay->inside->stream >= 0)
                        tty_copy_size(relay->tty, relay->inside);
                else if (info.ssi_signo == SIGTSTP)
                        stop(relay);
                else if (info.ssi_signo == SIGCONT)
                        tty_resume(relay->tty, relay->inside);
                else if (info.ssi_signo == SIGHUP && relay->inside->stream >= 0 && tty_is_gone(relay->tty))
                        finish(relay, RELAY_HANGUP); /* which hangs the pty up */
                else if (info.ssi_signo != SIGWINCH)
                        forward_signal(relay, info.ssi_signo);
        }
}

static bool has_keys(const struct relay *relay)
{
        return relay->inside->stream >= 0 && relay->tty->in >= 0 && !relay->input_ended;
}

static void fill_poll(const struct relay *relay, struct pollfd items[static ITEM_COUNT])
{
        bool room = relay->outwards.end < sizeof(relay->outwards.data) && relay->drained <= DRAIN_MAX;

        for (size_t i = 0; i < ITEM_COUNT; i++)
                items[i] = (struct pollfd){ .fd = -1 };
        items[ITEM_SIGNALS] = (struct pollfd){ .fd = relay->signals, .events = POLLIN };
        if (!relay->exited)
                items[ITEM_SOCKET] = (struct pollfd){ .fd = relay->inside->socket, .events = POLLIN };
        if (relay->inside->stream < 0)
                return;
        if (!relay->slave_gone && (room || !flow_is_empty(&relay->inwards)))
                items[ITEM_MASTER] = (struct pollfd){
                        .fd = relay->inside->stream,
                        .events = (short)((room ? POLLIN : 0) | (flow_is_empty(&relay->inwards) ? 0 : POLLOUT)),
                };
        if (has_keys(relay) && relay->tty->raw && flow_is_empty(&relay->inwards))
                items[ITEM_IN] = (struct pollfd){ .fd = relay->tty->in, .events = POLLIN };
        if (!flow_is_empty(&relay->outwards))
                items[ITEM_OUT] = (struct pollfd){ .fd = relay->tty->out, .events = POLLOUT };
}

static int wait_time(const struct relay *relay)
{
        if (relay->exited && flow_is_empty(&relay->outwards))
                return QUIET_MS;
        return relay->slave_gone || (has_keys(relay) && !relay->tty->raw) ? LOOK_AGAIN_MS : -1;
}

static void dispatch(struct relay *relay, const struct pollfd items[static ITEM_COUNT])
{
        if (items[ITEM_SIGNALS].revents != 0)
                read_signals(relay);
        if (items[ITEM_OUT].revents != 0)
                flush_outwards(relay);
        if ((items[ITEM_MASTER].revents & POLLOUT) != 0)
                flush_inwards(relay);
        /* The pty before the socket, so that the last bytes are there when the end is announced. */
        if ((items[ITEM_MASTER].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
                read_master(relay);
        if (items[ITEM_IN].revents != 0)
                read_input(relay);
        if (items[ITEM_SOCKET].revents != 0)
                read_socket(relay);
}

/* Nothing happened in time. */
static void look_again(struct relay *relay)
{
        if (relay->exited && flow_is_empty(&relay->outwards))
                finish(relay, RELAY_EXITED);
        else if (relay->slave_gone)
                read_master(relay);
}

/* A tick with nothing read or written since the one before: we are idle. */
static void take_tick(struct relay *relay)
{
        if (relay->ticking && !relay->busy) {
                set_ticking(relay, false);
                look_again(relay);
        }
        relay->busy = false;
}

static void step(struct relay *relay)
{
        struct pollfd items[ITEM_COUNT];
        int r;

        if (has_keys(relay) && !relay->tty->raw)
                (void)tty_enter_raw(relay->tty, relay->inside);
        fill_poll(relay, items);
        r = poll(items, ITEM_COUNT, wait_time(relay));
        if (r < 0)
                take_tick(relay);
        else if (r == 0)
                look_again(relay);
        else
                dispatch(relay, items);
        if (relay->exited && flow_is_empty(&relay->outwards) &&
            (relay->inside->stream < 0 || relay->slave_gone || relay->drained > DRAIN_MAX))
                finish(relay, RELAY_EXITED);
}

enum relay_end relay_run(const struct inside *inside, int signals, struct tty *tty, struct attach_reply *ret_reply)
{
        struct relay relay __attribute__((uninitialized)); /* an idle one need not touch its buffers */

        relay.inside = inside;
        relay.signals = signals;
        relay.tty = tty;
        relay.reply = ret_reply;
        flow_clear(&relay.inwards);
        flow_clear(&relay.outwards);
        relay.drained = 0;
        relay.exited = relay.input_ended = relay.slave_gone = relay.ticking = relay.busy = relay.ended = false;
        relay.end = RELAY_LOST;
        /* It may have changed since the request. */
        if (inside->stream >= 0)
                tty_copy_size(tty, inside);
        while (!relay.ended)
                step(&relay);
        set_ticking(&relay, false);
        tty_restore(tty);
        return relay.end;
}
