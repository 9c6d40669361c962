/*
 * fuzz_relay.c - agentsh-relay's state machine between login shells and a hostile guest. The input is a list of what
 * these do, two bytes and more each: frames of any type with sizes that fit or lie, raw bytes, attaches with pipes or
 * a terminal, messages and ends of clients, reading and not reading. Checked after each: what waits is bounded, the
 * numbers of bytes add up, a client never hears of an end that was not.
 */
#include "common/attach.h"
#include "common/process.h"
#include "common/seqpacket.h"
#include "shell/relay_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CLIENTS 4

struct client {
        int socket, stream; /* stream: the far end of its stdout, or of its terminal */
        int in;             /* the far end of its stdin; -1: none */
        bool started;
};

struct world {
        struct relay *relay;
        struct frame_writer *writer;
        int guest, monitor;
        struct client clients[CLIENTS];
        const uint8_t *data;
        size_t size;
};

static void require(bool holds)
{
        if (!holds)
                abort();
}

static uint8_t take_byte(struct world *world)
{
        if (world->size == 0)
                return 0;
        world->size--;
        return *world->data++;
}

static size_t take_bytes(struct world *world, void *to, size_t most)
{
        size_t size = world->size < most ? world->size : most;

        memcpy(to, world->data, size);
        world->data += size;
        world->size -= size;
        return size;
}

static void close_fd(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

/* -- the guest */

/* A payload of the right size for its type, most of the time, filled with what the fuzzer has. */
static size_t make_payload(struct world *world, uint8_t type, uint8_t shape, uint8_t *to)
{
        struct attach_reply reply = { .magic = ATTACH_MAGIC, .kind = shape & 1 ? ATTACH_STARTED : ATTACH_EXITED };
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };
        uint32_t credit = (uint32_t)shape << (shape & 7);

        memset(to, 0, FRAME_PAYLOAD_MAX);
        switch (type) {
        case FRAME_HELLO:
                memcpy(to, &hello, sizeof(hello));
                return sizeof(hello);
        case FRAME_REPLY:
                if (shape & 2)
                        reply.kind = ATTACH_FAILED;
                reply.wait_status = shape & 4 ? 0x700 : shape;
                memcpy(to, &reply, sizeof(reply));
                if (shape & 128)
                        (void)take_bytes(world, to, sizeof(reply));
                return sizeof(reply);
        case FRAME_DATA:
                (void)take_bytes(world, to, 8);
                return shape & 128 ? FRAME_PAYLOAD_MAX : 1 + shape * 16U;
        case FRAME_CREDIT_MORE:
                memcpy(to, &credit, sizeof(credit));
                return sizeof(credit);
        case FRAME_FAILED:
                return 1 + take_bytes(world, to, 20);
        default:
                return shape & 128 ? take_bytes(world, to, shape) : 0;
        }
}

static void put_frame(struct world *world)
{
        uint8_t type = take_byte(world) % (FRAME_TYPES + 1), shape = take_byte(world), where = take_byte(world);
        uint8_t payload[FRAME_PAYLOAD_MAX];
        size_t size = make_payload(world, type, shape, payload);

        (void)frame_writer_put(world->writer, type, where & 7, (where >> 3) & 3, payload, size);
}

static void put_raw(struct world *world)
{
        uint8_t raw[64];
        size_t size = take_bytes(world, raw, take_byte(world) % sizeof(raw));

        if (frame_writer_pending(world->writer) == 0)
                (void)!send(world->guest, raw, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void flush(struct world *world)
{
        struct frame_writer *writer = world->writer;
        ssize_t put = send(world->guest, writer->data + writer->start, frame_writer_pending(writer),
                           MSG_DONTWAIT | MSG_NOSIGNAL);

        if (put > 0)
                frame_writer_written(writer, (size_t)put);
}

static void listen_as_guest(struct world *world)
{
        uint8_t data[65536];

        (void)!recv(world->guest, data, sizeof(data), MSG_DONTWAIT);
}

/* -- clients */

static void attach(struct world *world, struct client *client, uint8_t shape)
{
        struct attach_request header = { .magic = ATTACH_MAGIC, .kind = ATTACH_REQUEST, .login = 1 };
        struct relay_channel *channel = NULL;
        int line[2], out[2], in[2], fds[3];

        for (size_t i = 1; i <= MUX_CHANNELS && channel == NULL; i++)
                if (world->relay->channels[i].state == RELAY_FREE)
                        channel = &world->relay->channels[i];
        if (client->socket >= 0 || channel == NULL)
                return;
        require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, line) == 0);
        if (shape & 1)
                require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out) == 0);
        else
                require(pipe2(out, O_CLOEXEC) == 0 && pipe2(in, O_CLOEXEC) == 0);
        fds[0] = shape & 1 ? out[1] : in[0];
        fds[1] = fds[2] = out[1];
        header.passed = shape & 1 ? ATTACH_TERMINAL_PASSED : ATTACH_PASSED_ALL;
        require(seqpacket_send(line[1], &header, sizeof(header), fds, shape & 1 ? 1 : 3, 0, NULL) == 0);
        if (!(shape & 1))
                (void)close(in[0]);
        (void)close(out[1]);
        *client = (struct client){ .socket = line[1], .stream = out[0], .in = shape & 1 ? -1 : in[1] };
        require(fcntl(client->stream, F_SETFL, O_NONBLOCK) == 0);
        require(client->in < 0 || fcntl(client->in, F_SETFL, O_NONBLOCK) == 0);
        relay_channel_accept(channel, line[0], process_monotonic_ms());
}

static void speak(struct world *world, struct client *client, uint8_t shape)
{
        const struct attach_signal signal = { ATTACH_MAGIC, ATTACH_SIGNAL, SIGTERM };
        const struct attach_window window = { .magic = ATTACH_MAGIC, .kind = ATTACH_WINDOW, .rows = shape };
        uint8_t raw[40];

        if (client->socket < 0)
                return;
        if (shape & 1)
                (void)!send(client->socket, &signal, sizeof(signal), MSG_DONTWAIT | MSG_NOSIGNAL);
        else if (shape & 2)
                (void)!send(client->socket, &window, sizeof(window), MSG_DONTWAIT | MSG_NOSIGNAL);
        else
                (void)!send(client->socket, raw, take_bytes(world, raw, shape % sizeof(raw)),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void type(const struct client *client, uint8_t shape)
{
        static const uint8_t data[16384];

        if (client->in >= 0)
                (void)!write(client->in, data, shape * 64U);
        else if (client->stream >= 0)
                (void)!send(client->stream, data, shape * 64U, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void listen_as_client(struct client *client)
{
        struct attach_reply reply;
        uint8_t data[65536];
        ssize_t got = client->socket >= 0 ? recv(client->socket, &reply, sizeof(reply), MSG_DONTWAIT) : -1;

        if (client->stream >= 0)
                (void)!read(client->stream, data, sizeof(data));
        if (got <= 0)
                return;
        require(attach_parse_reply(&reply, (size_t)got, &reply, NULL) == 0);
        require(reply.kind != ATTACH_STARTED || !client->started);
        require(reply.kind != ATTACH_EXITED || client->started);
        require(reply.hit == 0);
        client->started = true;
}

static void leave(struct client *client, uint8_t shape)
{
        if (shape & 1)
                close_fd(&client->socket);
        if (shape & 2)
                close_fd(&client->stream);
        if (shape & 4)
                close_fd(&client->in);
        if (client->socket < 0)
                client->started = false;
        if (client->socket < 0) {
                close_fd(&client->stream);
                close_fd(&client->in);
        }
}

/* -- what must hold */

static void check(const struct relay *relay)
{
        const struct mux *mux = &relay->mux;

        require(frame_writer_pending(&mux->writer) <= sizeof(mux->writer.data));
        for (size_t i = 1; i <= MUX_CHANNELS; i++) {
                const struct relay_channel *channel = &relay->channels[i];

                require(channel->state <= RELAY_WAITING || mux->channels[i].open);
                require(channel->state != RELAY_FREE || (channel->client < 0 && !mux->channels[i].open));
                for (size_t n = 0; mux->channels[i].open && n < MUX_STREAMS; n++) {
                        const struct mux_stream *stream = &mux->channels[i].streams[n];

                        require(stream->window <= FRAME_CREDIT);
                        require(!stream->over || (stream->ring == NULL && stream->endpoint.fd < 0));
                        if (!stream->sink || stream->over)
                                continue;
                        require(stream->count + stream->endpoint.held + stream->written == stream->taken);
                        require(stream->window + stream->owed + stream->count + stream->endpoint.held == FRAME_CREDIT);
                }
        }
}

static void act(struct world *world)
{
        uint8_t what = take_byte(world), shape = take_byte(world);
        struct client *client = &world->clients[(what >> 4) % CLIENTS];
        struct status_notice notice = { .magic = STATUS_MAGIC, .ending = shape % ENDINGS };

        switch (what & 15) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
                put_frame(world);
                break;
        case 6:
                put_raw(world);
                break;
        case 7:
        case 8:
                attach(world, client, shape);
                break;
        case 9:
                speak(world, client, shape);
                break;
        case 10:
                type(client, shape);
                break;
        case 11:
                leave(client, shape);
                break;
        case 12:
                listen_as_client(client);
                break;
        case 13:
                listen_as_guest(world);
                break;
        case 14:
                (void)!send(world->monitor, &notice, sizeof(notice), MSG_DONTWAIT | MSG_NOSIGNAL);
                break;
        default:
                for (size_t i = 1; i <= MUX_CHANNELS; i++)
                        world->relay->channels[i].deadline = 0;
                break;
        }
}

static void begin(struct world *world)
{
        int stream[2], status[2];

        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, stream) == 0);
        require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, status) == 0);
        world->guest = stream[1];
        world->monitor = status[1];
        for (size_t i = 0; i < CLIENTS; i++)
                world->clients[i] = (struct client){ .socket = -1, .stream = -1, .in = -1 };
        relay_begin(world->relay, status[0], -1, (struct transport){ &transport_inherited, stream[0] },
                    process_monotonic_ms());
        world->relay->deadline = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct relay relay; /* large: made once */
        static struct frame_writer writer;
        struct world world = { .relay = &relay, .writer = &writer, .data = data, .size = size };
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };

        (void)signal(SIGPIPE, SIG_IGN);
        memset(&relay, 0, sizeof(relay));
        writer.start = writer.end = 0;
        begin(&world);
        /* Mostly past the greeting. */
        if (take_byte(&world) != 0) {
                (void)frame_writer_put(world.writer, FRAME_HELLO, 0, 0, &hello, sizeof(hello));
                (void)frame_writer_put(world.writer, FRAME_READY, 0, 0, NULL, 0);
        }
        while (world.size > 0) {
                act(&world);
                flush(&world);
                if (relay_step(world.relay, 0, NULL) < 0)
                        break;
                check(world.relay);
        }
        for (size_t i = 0; i < CLIENTS; i++)
                leave(&world.clients[i], 7);
        (void)close(world.relay->status);
        relay_done(world.relay);
        (void)close(world.guest);
        (void)close(world.monitor);
        return 0;
}
