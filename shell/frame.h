/*
 * frame.h - the frames on the one byte stream between agentsh-relay (outside) and agentsh-guest (in the machine of its
 * own that a session has). Pure: no system call, no allocation; the buffers have a fixed size. Fuzzed.
 *
 *   header    u32 size of the payload, u16 channel, u8 type, u8 flags; little-endian
 *   payload   at most FRAME_PAYLOAD_MAX bytes
 *
 * agentsh-relay trusts nothing that comes out. Sizes and flags are checked for the type before anything else sees a
 * frame, and a frame that only the other direction may carry is an error. The numbers of channels are the relay's:
 * the guest opens none, and what it sends for one that is not open is dropped.
 *
 *   relay                         guest
 *   HELLO                    ->         both say their version first; also when the machine comes from a template,
 *                            <-  HELLO  in which the guest's part was said long ago to somebody else
 *   FREEZE                   ->         instead of a session: be quiet for a snapshot
 *                            <-  FROZEN
 *   SETUP                    ->         struct frame_setup: clock, entropy, names, disks, settings of the channels
 *                            <-  READY, or FAILED with a reason
 *   OPEN (MORE) ...          ->         a channel: an attach request, in pieces
 *                            <-  REPLY  a struct attach_reply: STARTED, FAILED or EXITED
 *   SIGNAL, WINDOW, HANGUP   ->         as in attach.h; HANGUP: the client has gone
 *   DATA, EOF               <->         of one stream: stdin inwards, the others outwards
 *   CREDIT, STOP            <->         against a stream's direction: so many more bytes; no more, nobody reads it
 *   CLOSE                    ->         the relay has done with the channel; nothing of it may follow
 *                            <-  CLOSE  nor from here: the number is free
 *   POWEROFF                 ->
 *
 * At first, and between DATA and CREDIT, at most FRAME_CREDIT bytes of a stream may be on their way: so the other
 * end can always take them, and no reader that is slow keeps another stream waiting.
 */
#ifndef AGENTSH_SHELL_FRAME_H
#define AGENTSH_SHELL_FRAME_H

#include "common/attach.h"
#include "common/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION     1
#define FRAME_MAGIC       0x41475347U
#define FRAME_HEADER_SIZE 8
#define FRAME_PAYLOAD_MAX (32 * 1024)
/* Its fuzzer sets a smaller one: windows are full, and rings come round, after fewer bytes. */
#ifndef FRAME_CREDIT
#define FRAME_CREDIT (256 * 1024)
#endif

#define FRAME_STREAM_MASK 3U   /* DATA, EOF, CREDIT, STOP: one of these */
#define FRAME_MORE        128U /* OPEN: the request goes on in the next one */

enum frame_stream {
        FRAME_STDIN,  /* inwards; also the keys of a terminal */
        FRAME_STDOUT, /* outwards, like those behind it */
        FRAME_STDERR,
        FRAME_TERMINAL, /* what the pty says */
        FRAME_STREAMS,
};

enum frame_type {
        FRAME_HELLO = 1,
        FRAME_SETUP,
        FRAME_READY,
        FRAME_FAILED,
        FRAME_FREEZE,
        FRAME_FROZEN,
        FRAME_POWEROFF,
        FRAME_OPEN,
        FRAME_REPLY,
        FRAME_SIGNAL,
        FRAME_WINDOW,
        FRAME_HANGUP,
        FRAME_CLOSE,
        FRAME_DATA,
        FRAME_EOF,
        FRAME_CREDIT_MORE,
        FRAME_STOP,
        FRAME_TYPES,
};

enum frame_direction { FRAME_INWARDS, FRAME_OUTWARDS };

struct frame_hello {
        uint32_t magic, version;
};

/* A disk of the machine: the serial number of its virtio device and its file system; empty: there is none. */
struct frame_disk {
        char serial[24];
        char type[16];
};

#define FRAME_SEED 64

struct frame_setup {
        int64_t seconds; /* CLOCK_REALTIME */
        uint32_t nanoseconds;
        uint32_t gid;             /* the agent's; its uid is config.uid */
        uint8_t seed[FRAME_SEED]; /* fresh entropy */
        char host_name[64];       /* empty: leave it */
        char machine_id[33];      /* empty: leave it */
        struct frame_disk
                root; /* read-only, under a file system in memory of root_size bytes; none: the root that is */
        struct frame_disk home; /* at config.home */
        uint64_t root_size;
        struct init_config config; /* of the channels */
};

struct frame {
        enum frame_type type;
        uint8_t flags;
        uint16_t channel;
        uint32_t size;
        const uint8_t *payload; /* in the reader, until it is filled again */
};

/* Two frames' room: one can always be completed. */
#define FRAME_READER_SIZE (2 * (FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX))

struct frame_reader {
        size_t start, end;
        uint8_t data[FRAME_READER_SIZE];
};

/* Where to read to, and how much; never 0 after frame_reader_next said 0. Invalidates the payloads given so far. */
size_t frame_reader_room(struct frame_reader *reader, uint8_t **ret);

/* So many bytes were put there. */
void frame_reader_filled(struct frame_reader *reader, size_t size);

/* 1: the next frame, checked for a `direction`. 0: it is not complete yet. -EPROTO: the other end breaks the rules. */
must_check int frame_reader_next(struct frame_reader *reader, enum frame_direction direction, struct frame *ret,
                                 struct error *err);

/* A whole attach request in pieces, and some data and answers beside it. */
#define FRAME_WRITER_SIZE (512 * 1024)

struct frame_writer {
        size_t start, end; /* of what has still to be written */
        uint8_t data[FRAME_WRITER_SIZE];
};

static inline size_t frame_writer_pending(const struct frame_writer *writer)
{
        return writer->end - writer->start;
}

/* Bytes of frames that still fit, headers included. */
size_t frame_writer_room(const struct frame_writer *writer);

/* The caller has made sure of the room: without it nothing is put, and false is returned. */
bool frame_writer_put(struct frame_writer *writer, enum frame_type type, uint16_t channel, uint8_t flags,
                      const void *payload, size_t size);

/* For a payload that is read straight into its frame: where to, at most FRAME_PAYLOAD_MAX bytes; NULL: no room. */
uint8_t *frame_writer_begin(struct frame_writer *writer, size_t size);

/* `size` bytes, at most what was asked for, were put there. */
void frame_writer_commit(struct frame_writer *writer, enum frame_type type, uint16_t channel, uint8_t flags,
                         size_t size);

/* So many bytes have been written. */
void frame_writer_written(struct frame_writer *writer, size_t size);

/* Whether a received hello is of our version. */
must_check int frame_check_hello(const struct frame *frame, struct error *err);

/*
 * Whether all texts of a setup are terminated and the host name is one. `config` is init_config_check's to judge. The
 * relay is trusted; this is for mistakes.
 */
must_check int frame_check_setup(const struct frame *frame, struct frame_setup *ret, struct error *err);

#endif
