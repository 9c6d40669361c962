/* fuzz_attach.c - the attach protocol's three parsers. What they accept must hold what attach.h promises. */
#include "common/attach.h"
#include "common/status.h"

#include "tests/fuzz/mutate.h"

#include <sys/wait.h>

static const uint64_t magics[] = { ATTACH_MAGIC, 0, ATTACH_MAGIC + 1 };
static const uint64_t kinds[] = { 0, ATTACH_REQUEST, ATTACH_STARTED, ATTACH_FAILED, ATTACH_SIGNAL, ATTACH_EXITED,
                                  6, UINT32_MAX };
static const uint64_t numbers[] = { 0, 1, 2, 3, 7, 8, 9, 15, 18, 19, 20, 31, 32, 256, 0x137f, 0xffff, UINT32_MAX };
static const uint64_t sizes[] = { 0, 1, 2, 5, 6, 16, 4096, ATTACH_MESSAGE_MAX, INT32_MAX, UINT32_MAX };
static const char *const texts[] = { "true", "A=1", "A=", "=1", "A", "\x1b[2J", "\n", "", "no such file", "a-b=c" };
static const char *const strings[] = { "A=1", "LC_ALL=C.UTF-8", "=", "A=", "0=1", "echo hello", "" };

#define NUMBER(type, field, values)                                                                \
        {                                                                                          \
                offsetof(struct type, field), sizeof(uint32_t), values, NULL, MUTATE_COUNT(values) \
        }

static const struct mutate_field request_fields[] = {
        NUMBER(attach_request, magic, magics),       NUMBER(attach_request, kind, kinds),
        NUMBER(attach_request, passed, numbers),     NUMBER(attach_request, login, numbers),
        NUMBER(attach_request, command_size, sizes), NUMBER(attach_request, environment_size, sizes),
};
static const struct mutate_field reply_fields[] = {
        NUMBER(attach_reply, magic, magics),
        NUMBER(attach_reply, kind, kinds),
        NUMBER(attach_reply, wait_status, numbers),
        NUMBER(attach_reply, hit, numbers),
        NUMBER(attach_reply, ending, numbers),
        { offsetof(struct attach_reply, text), sizeof(((struct attach_reply *)NULL)->text), NULL, texts,
          MUTATE_COUNT(texts) },
};
static const struct mutate_field signal_fields[] = {
        NUMBER(attach_signal, magic, magics),
        NUMBER(attach_signal, kind, kinds),
        NUMBER(attach_signal, number, numbers),
};

/* One more string at the end of a request, and the sizes in its header made to agree with it. */
static size_t add_string(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        const char *string = strings[seed % MUTATE_COUNT(strings)];
        size_t length = strlen(string) + 1;
        struct attach_request header;

        if (size < sizeof(header) || size + length > max)
                return mutate_struct(data, size, max, seed, sizeof(header), request_fields,
                                     MUTATE_COUNT(request_fields));
        memcpy(&header, data, sizeof(header));
        memcpy(data + size, string, length);
        size += length;
        if (header.environment_size == 0 && seed % 3 == 0)
                header.command_size = (uint32_t)(size - sizeof(header));
        else if (header.command_size <= size - sizeof(header))
                header.environment_size = (uint32_t)(size - sizeof(header)) - header.command_size;
        memcpy(data, &header, sizeof(header));
        return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        switch (seed % 8) {
        case 0:
                return mutate_struct(data, size, max, seed / 8, sizeof(struct attach_reply), reply_fields,
                                     MUTATE_COUNT(reply_fields));
        case 1:
                return mutate_struct(data, size, max, seed / 8, sizeof(struct attach_signal), signal_fields,
                                     MUTATE_COUNT(signal_fields));
        case 2:
        case 3:
                return LLVMFuzzerMutate(data, size, max);
        case 4:
        case 5:
                return mutate_struct(data, size, max, seed / 8, sizeof(struct attach_request), request_fields,
                                     MUTATE_COUNT(request_fields));
        default:
                return add_string(data, size, max, seed / 8);
        }
}

/* Touches every byte that the parts claim, so that the sanitizer sees a claim that is too large. */
static void require_parts(const struct attach_parts *parts)
{
        size_t count = 0, end = parts->header.environment_size;

        require((parts->command != NULL) == (parts->header.command_size > 0));
        if (parts->command != NULL)
                require(strlen(parts->command) + 1 == parts->header.command_size);
        require(parts->command != NULL || parts->header.login == 1);
        require((parts->environment != NULL) == (end > 0));
        for (size_t at = 0; at < end; at += strlen(parts->environment + at) + 1, count++)
                require(strchr(parts->environment + at, '=') > parts->environment + at);
        require(count < ATTACH_STRINGS_MAX);
}

static void try_request(const uint8_t *data, size_t size)
{
        for (size_t fds = 0; fds <= 4; fds++) {
                struct error err = ERROR_INIT;
                struct attach_parts parts;
                int r = attach_parse_request(data, size, fds, &parts, &err);

                require(r <= 0 && r == -err.number);
                if (r < 0)
                        continue;
                require((size_t)__builtin_popcount(parts.header.passed) == fds && fds <= 3);
                require_parts(&parts);
        }
}

static void try_reply(const uint8_t *data, size_t size)
{
        struct attach_reply reply;

        if (attach_parse_reply(data, size, &reply, NULL) < 0)
                return;
        require(strnlen(reply.text, sizeof(reply.text)) < sizeof(reply.text));
        require(reply.hit < 1U << LIMIT_BITS && reply.ending < ENDINGS);
        if (reply.kind == ATTACH_EXITED)
                require(WIFEXITED(reply.wait_status) || WIFSIGNALED(reply.wait_status));
}

static void try_signal(const uint8_t *data, size_t size)
{
        struct attach_signal message;

        if (attach_parse_signal(data, size, &message, NULL) == 0)
                require(message.number > 0 && message.number < 32 && message.number != 9 && message.number != 19);
}

/* A second try with the magic, the kind and the sizes put right, which the fuzzer seldom finds by itself. */
static void try_repaired(const uint8_t *data, size_t size)
{
        struct attach_request header;
        uint8_t *copy;

        if (size < sizeof(header) || size > ATTACH_MESSAGE_MAX)
                return;
        copy = malloc(size);
        if (copy == NULL)
                return;
        memcpy(copy, data, size);
        memcpy(&header, data, sizeof(header));
        header.magic = ATTACH_MAGIC;
        header.kind = ATTACH_REQUEST;
        header.passed &= ATTACH_PASSED_ALL;
        header.login &= 1;
        header.command_size = (uint32_t)(header.command_size % (size - sizeof(header) + 1));
        header.environment_size = (uint32_t)(size - sizeof(header)) - header.command_size;
        memcpy(copy, &header, sizeof(header));
        try_request(copy, size);
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct attach_reply reply = { .magic = 0 };
        uint32_t magic = ATTACH_MAGIC;

        try_request(data, size);
        try_reply(data, size);
        try_signal(data, size);
        try_repaired(data, size);
        memcpy(&reply, data, size < sizeof(reply) ? size : sizeof(reply));
        memcpy(&reply, &magic, sizeof(magic));
        try_reply((const uint8_t *)&reply, sizeof(reply));
        return 0;
}
