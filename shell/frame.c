/* frame.c - takes frames from a byte stream and puts them into one. Pure. */
#include "shell/frame.h"

#include <errno.h>
#include <string.h>

#define INWARDS  (1U << FRAME_INWARDS)
#define OUTWARDS (1U << FRAME_OUTWARDS)
#define BOTH     (INWARDS | OUTWARDS)

enum flags_rule { FLAGS_NONE, FLAGS_MORE, FLAGS_ALONG, FLAGS_AGAINST };

struct rule {
        uint8_t directions;
        bool on_channel;
        enum flags_rule flags;
        uint32_t min, max;
};

static const struct rule rules[FRAME_TYPES] = {
        [FRAME_HELLO] = { BOTH, false, FLAGS_NONE, sizeof(struct frame_hello), sizeof(struct frame_hello) },
        [FRAME_SETUP] = { INWARDS, false, FLAGS_NONE, sizeof(struct frame_setup), sizeof(struct frame_setup) },
        [FRAME_READY] = { OUTWARDS, false, FLAGS_NONE, 0, 0 },
        [FRAME_FAILED] = { OUTWARDS, false, FLAGS_NONE, 1, ERROR_TEXT_MAX },
        [FRAME_FREEZE] = { INWARDS, false, FLAGS_NONE, 0, 0 },
        [FRAME_FROZEN] = { OUTWARDS, false, FLAGS_NONE, 0, 0 },
        [FRAME_POWEROFF] = { INWARDS, false, FLAGS_NONE, 0, 0 },
        [FRAME_OPEN] = { INWARDS, true, FLAGS_MORE, 1, FRAME_PAYLOAD_MAX },
        [FRAME_REPLY] = { OUTWARDS, true, FLAGS_NONE, sizeof(struct attach_reply), sizeof(struct attach_reply) },
        [FRAME_SIGNAL] = { INWARDS, true, FLAGS_NONE, sizeof(struct attach_signal), sizeof(struct attach_signal) },
        [FRAME_WINDOW] = { INWARDS, true, FLAGS_NONE, sizeof(struct attach_window), sizeof(struct attach_window) },
        [FRAME_HANGUP] = { INWARDS, true, FLAGS_NONE, 0, 0 },
        [FRAME_CLOSE] = { BOTH, true, FLAGS_NONE, 0, 0 },
        [FRAME_DATA] = { BOTH, true, FLAGS_ALONG, 1, FRAME_PAYLOAD_MAX },
        [FRAME_EOF] = { BOTH, true, FLAGS_ALONG, 0, 0 },
        [FRAME_CREDIT_MORE] = { BOTH, true, FLAGS_AGAINST, sizeof(uint32_t), sizeof(uint32_t) },
        [FRAME_STOP] = { BOTH, true, FLAGS_AGAINST, 0, 0 },
};

static uint32_t get_u32(const uint8_t *at)
{
        return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_header(uint8_t *at, uint32_t size, uint16_t channel, enum frame_type type, uint8_t flags)
{
        for (unsigned i = 0; i < 4; i++)
                at[i] = (uint8_t)(size >> (8 * i));
        at[4] = (uint8_t)channel;
        at[5] = (uint8_t)(channel >> 8);
        at[6] = (uint8_t)type;
        at[7] = flags;
}

static bool stream_goes(uint8_t flags, enum frame_direction direction)
{
        return flags < FRAME_STREAMS && (flags == FRAME_STDIN) == (direction == FRAME_INWARDS);
}

static bool flags_fit(const struct rule *rule, uint8_t flags, enum frame_direction direction)
{
        switch (rule->flags) {
        case FLAGS_NONE:
                return flags == 0;
        case FLAGS_MORE:
                return (flags & ~FRAME_MORE) == 0;
        case FLAGS_ALONG:
                return stream_goes(flags, direction);
        case FLAGS_AGAINST:
                return stream_goes(flags, direction == FRAME_INWARDS ? FRAME_OUTWARDS : FRAME_INWARDS);
        }
        return false;
}

static int check(const struct frame *frame, unsigned type, enum frame_direction direction, struct error *err)
{
        const struct rule *rule;

        if (type == 0 || type >= FRAME_TYPES)
                return error_text(err, EPROTO, "a frame of the unknown type %u", type);
        rule = &rules[type];
        if ((rule->directions & (1U << direction)) == 0)
                return error_text(err, EPROTO, "a frame of type %u from the wrong end", type);
        if (frame->size < rule->min || frame->size > rule->max)
                return error_text(err, EPROTO, "a frame of type %u with %u bytes", type, frame->size);
        if ((frame->channel != 0) != rule->on_channel)
                return error_text(err, EPROTO, "a frame of type %u for channel %u", type, frame->channel);
        if (!flags_fit(rule, frame->flags, direction))
                return error_text(err, EPROTO, "a frame of type %u with flags 0x%x", type, frame->flags);
        return 0;
}

size_t frame_reader_room(struct frame_reader *reader, uint8_t **ret)
{
        if (reader->start == reader->end) {
                reader->start = reader->end = 0;
        } else if (FRAME_READER_SIZE - reader->end < FRAME_HEADER_SIZE + FRAME_PAYLOAD_MAX) {
                memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
                reader->end -= reader->start;
                reader->start = 0;
        }
        *ret = reader->data + reader->end;
        return FRAME_READER_SIZE - reader->end;
}

void frame_reader_filled(struct frame_reader *reader, size_t size)
{
        reader->end += size;
}

int frame_reader_next(struct frame_reader *reader, enum frame_direction direction, struct frame *ret, struct error *err)
{
        const uint8_t *at = reader->data + reader->start;
        size_t there = reader->end - reader->start;
        struct frame frame;
        int r;

        if (there < FRAME_HEADER_SIZE)
                return 0;
        frame = (struct frame){
                .type = (enum frame_type)at[6],
                .flags = at[7],
                .channel = (uint16_t)(at[4] | at[5] << 8),
                .size = get_u32(at),
                .payload = at + FRAME_HEADER_SIZE,
        };
        /* Before the payload is waited for: a size that lies must not be. */
        r = check(&frame, at[6], direction, err);
        if (r < 0)
                return r;
        if (there - FRAME_HEADER_SIZE < frame.size)
                return 0;
        reader->start += FRAME_HEADER_SIZE + frame.size;
        *ret = frame;
        return 1;
}

size_t frame_writer_room(const struct frame_writer *writer)
{
        return FRAME_WRITER_SIZE - frame_writer_pending(writer);
}

uint8_t *frame_writer_begin(struct frame_writer *writer, size_t size)
{
        if (size > FRAME_PAYLOAD_MAX || frame_writer_room(writer) < FRAME_HEADER_SIZE + size)
                return NULL;
        if (writer->start == writer->end) {
                writer->start = writer->end = 0;
        } else if (FRAME_WRITER_SIZE - writer->end < FRAME_HEADER_SIZE + size) {
                memmove(writer->data, writer->data + writer->start, frame_writer_pending(writer));
                writer->end -= writer->start;
                writer->start = 0;
        }
        return writer->data + writer->end + FRAME_HEADER_SIZE;
}

void frame_writer_commit(struct frame_writer *writer, enum frame_type type, uint16_t channel, uint8_t flags,
                         size_t size)
{
        put_header(writer->data + writer->end, (uint32_t)size, channel, type, flags);
        writer->end += FRAME_HEADER_SIZE + size;
}

bool frame_writer_put(struct frame_writer *writer, enum frame_type type, uint16_t channel, uint8_t flags,
                      const void *payload, size_t size)
{
        uint8_t *to = frame_writer_begin(writer, size);

        if (to == NULL)
                return false;
        if (size > 0)
                memcpy(to, payload, size);
        frame_writer_commit(writer, type, channel, flags, size);
        return true;
}

void frame_writer_written(struct frame_writer *writer, size_t size)
{
        writer->start += size;
}

int frame_check_hello(const struct frame *frame, struct error *err)
{
        struct frame_hello hello;

        memcpy(&hello, frame->payload, sizeof(hello));
        if (hello.magic != FRAME_MAGIC || hello.version != FRAME_VERSION)
                return error_text(err, EPROTO, "agentsh-relay and agentsh-guest are of different versions");
        return 0;
}

static bool is_terminated(const char *text, size_t size)
{
        return strnlen(text, size) < size;
}

static bool is_host_name(const char *name)
{
        for (; *name != '\0'; name++)
                if (!((*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '-' ||
                      *name == '_' || *name == '.' || (*name >= 'A' && *name <= 'Z')))
                        return false;
        return true;
}

int frame_check_setup(const struct frame *frame, struct frame_setup *ret, struct error *err)
{
        memcpy(ret, frame->payload, sizeof(*ret));
        if (!is_terminated(ret->host_name, sizeof(ret->host_name)) || !is_host_name(ret->host_name) ||
            !is_terminated(ret->machine_id, sizeof(ret->machine_id)) ||
            !is_terminated(ret->root.serial, sizeof(ret->root.serial)) ||
            !is_terminated(ret->root.type, sizeof(ret->root.type)) ||
            !is_terminated(ret->home.serial, sizeof(ret->home.serial)) ||
            !is_terminated(ret->home.type, sizeof(ret->home.type)) || ret->nanoseconds >= 1000000000U)
                return error_text(err, EPROTO, "the settings of the machine are malformed");
        return 0;
}
