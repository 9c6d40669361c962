/* fuzz_attach.c - the attach protocol's three parsers. What they accept must hold what attach.h promises. */
#include "common/attach.h"
#include "common/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
        if (!holds)
                abort();
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
