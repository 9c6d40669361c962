/*
 * hostile_guest - in the place of agentsh-guest as process 1 of a machine: behaves until its template is frozen, and then
 * does to the relay, as root of the guest, what the session's [limits] tmp says: one mode for each MiB. Static. No part
 * of the product.
 */
#include "shell/guest_machine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

enum mode {
        GARBAGE = 1,
        HUGE_SIZE,
        UNKNOWN_TYPE,
        INWARD_TYPE,
        FLOOD_UNREADY,
        OVER_CREDIT,
        CHANNELS,
        HALT,
        PANIC,
        SPIN,
        EAT
};

static struct transport port;
static struct frame_reader reader;

static void pause_ms(long ms)
{
        (void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static void put(const void *data, size_t size)
{
        const char *at = data;

        while (size > 0) {
                ssize_t done = port.ops->write(port.fd, at, size);

                if (done <= 0) {
                        pause_ms(1);
                        continue;
                }
                at += done;
                size -= (size_t)done;
        }
}

static void put_frame(uint32_t size, uint16_t channel, uint8_t type, uint8_t flags, const void *payload, size_t real)
{
        unsigned char header[FRAME_HEADER_SIZE];

        memcpy(header, &size, 4);
        memcpy(header + 4, &channel, 2);
        header[6] = type;
        header[7] = flags;
        put(header, sizeof(header));
        put(payload, real);
}

static void say_hello(void)
{
        const struct frame_hello hello = { FRAME_MAGIC, FRAME_VERSION };

        put_frame(sizeof(hello), 0, FRAME_HELLO, 0, &hello, sizeof(hello));
}

static void next(struct frame *ret)
{
        for (;;) {
                struct error err = ERROR_INIT;
                uint8_t *to;
                size_t room;
                ssize_t got;

                if (frame_reader_next(&reader, FRAME_INWARDS, ret, &err) > 0)
                        return;
                room = frame_reader_room(&reader, &to);
                got = port.ops->read(port.fd, to, room);
                if (got > 0)
                        frame_reader_filled(&reader, (size_t)got);
                else
                        pause_ms(5);
        }
}

/* Until a client has asked for a channel. */
static uint16_t wait_for_channel(void)
{
        struct frame frame;

        say_hello();
        put_frame(0, 0, FRAME_READY, 0, NULL, 0);
        do
                next(&frame);
        while (frame.type != FRAME_OPEN || (frame.flags & FRAME_MORE) != 0);
        return frame.channel;
}

static void eat_memory(void)
{
        const size_t size = 1 << 20;

        for (;;) {
                char *more = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

                if (more != MAP_FAILED)
                        memset(more, 1, size);
        }
}

static void misbehave(enum mode mode)
{
        static unsigned char bytes[FRAME_PAYLOAD_MAX];
        uint16_t channel = 0;

        memset(bytes, 0xa5, sizeof(bytes));
        switch (mode) {
        case GARBAGE:
                put(bytes, sizeof(bytes));
                break;
        case HUGE_SIZE:
                say_hello();
                put_frame(UINT32_MAX, 1, FRAME_DATA, FRAME_STDOUT, bytes, sizeof(bytes));
                break;
        case UNKNOWN_TYPE:
                say_hello();
                put_frame(0, 0, 200, 0, NULL, 0);
                break;
        case INWARD_TYPE:
                put_frame(sizeof(struct frame_setup), 0, FRAME_SETUP, 0, bytes, sizeof(struct frame_setup));
                break;
        case FLOOD_UNREADY:
                for (say_hello();; channel++)
                        put_frame(sizeof(bytes), (uint16_t)(channel % 60 + 1), FRAME_DATA, FRAME_STDOUT, bytes,
                                  sizeof(bytes));
        case OVER_CREDIT:
                for (channel = wait_for_channel();;)
                        put_frame(sizeof(bytes), channel, FRAME_DATA, FRAME_STDOUT, bytes, sizeof(bytes));
        case CHANNELS:
                for (channel = wait_for_channel();; channel++)
                        put_frame(0, channel, FRAME_CLOSE, 0, NULL, 0);
        case HALT:
                (void)reboot(RB_POWER_OFF);
                break;
        case PANIC:
                _exit(1);
        case SPIN:
                for (volatile int forever = 1; forever;)
                        ;
                break;
        case EAT:
                eat_memory();
        }
        for (;;)
                (void)pause();
}

int main(void)
{
        struct error err = ERROR_INIT;
        struct frame_setup setup;
        struct frame frame;

        if (guest_machine_boot(&port, &err) < 0)
                return 1;
        for (;;) {
                next(&frame);
                if (frame.type == FRAME_HELLO)
                        say_hello();
                else if (frame.type == FRAME_FREEZE)
                        put_frame(0, 0, FRAME_FROZEN, 0, NULL, 0);
                else if (frame.type == FRAME_SETUP)
                        break;
        }
        memcpy(&setup, frame.payload, sizeof(setup));
        misbehave((enum mode)(setup.root_size >> 20));
}
