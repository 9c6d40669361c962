/* test_attach.c - the attach protocol's messages: sizes, counts and characters at and beyond their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/attach.h"
#include "common/status.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A request with `command` and `environment` (sizes as given, NULs and all) in a heap block of exactly its size. */
struct packet {
        struct attach_request header;
        size_t size;
        char *data;
};

static struct packet make(const char *command, size_t command_size, const char *environment, size_t environment_size)
{
        struct packet packet = {
                .header = { .magic = ATTACH_MAGIC,
                            .kind = ATTACH_REQUEST,
                            .passed = ATTACH_PASSED_ALL,
                            .command_size = (uint32_t)command_size,
                            .environment_size = (uint32_t)environment_size },
                .size = sizeof(struct attach_request) + command_size + environment_size,
        };

        packet.data = malloc(packet.size);
        assert_non_null(packet.data);
        if (command_size > 0)
                memcpy(packet.data + sizeof(packet.header), command, command_size);
        if (environment_size > 0)
                memcpy(packet.data + sizeof(packet.header) + command_size, environment, environment_size);
        return packet;
}

static int parse(struct packet *packet, size_t fds_count, struct attach_parts *ret)
{
        struct error err = ERROR_INIT;
        int r;

        memcpy(packet->data, &packet->header, sizeof(packet->header));
        r = attach_parse_request(packet->data, packet->size, fds_count, ret, &err);
        assert_int_equal(r, -err.number);
        assert_true(r == 0 || err.text[0] != '\0');
        return r;
}

static int parse_once(struct packet packet, size_t fds_count)
{
        struct attach_parts parts;
        int r = parse(&packet, fds_count, &parts);

        free(packet.data);
        return r;
}

#define TEXT(text) (text), sizeof(text)

static void good_request(void **state)
{
        struct packet packet = make(TEXT("exit 7"), TEXT("A=1\0B_2=\0TERM=xterm"));
        struct attach_parts parts;

        (void)state;
        assert_int_equal(parse(&packet, 3, &parts), 0);
        assert_string_equal(parts.command, "exit 7");
        assert_memory_equal(parts.environment, "A=1\0B_2=\0TERM=xterm", parts.header.environment_size);
        free(packet.data);
}

static void login_and_empty_command(void **state)
{
        struct packet packet = make(NULL, 0, NULL, 0);
        struct attach_parts parts;

        (void)state;
        packet.header.login = 1;
        assert_int_equal(parse(&packet, 3, &parts), 0);
        assert_null(parts.command);
        assert_null(parts.environment);
        packet.header.login = 0;
        assert_int_equal(parse(&packet, 3, &parts), -EBADMSG);
        free(packet.data);
        assert_int_equal(parse_once(make(TEXT(""), NULL, 0), 3), 0);
}

static void fds_must_fit(void **state)
{
        (void)state;
        for (uint32_t passed = 0; passed <= ATTACH_PASSED_ALL; passed++) {
                for (size_t count = 0; count <= 4; count++) {
                        struct packet packet = make(TEXT("true"), NULL, 0);

                        packet.header.passed = passed;
                        assert_int_equal(parse_once(packet, count),
                                         count == (size_t)__builtin_popcount(passed) ? 0 : -EBADMSG);
                }
        }
        for (uint32_t bit = 16; bit != 0; bit <<= 1) {
                struct packet packet = make(TEXT("true"), NULL, 0);

                packet.header.passed = bit;
                assert_int_equal(parse_once(packet, 1), -EBADMSG);
        }
}

/* One that stands for the terminal, where there is one. */
static void terminal_that_is_passed(void **state)
{
        (void)state;
        for (uint32_t passed = 0; passed <= ATTACH_PASSED_ALL; passed++) {
                struct packet packet = make(TEXT("true"), NULL, 0);

                packet.header.passed = passed | ATTACH_TERMINAL_PASSED;
                assert_int_equal(parse_once(packet, 1 + (size_t)__builtin_popcount(passed)),
                                 passed == ATTACH_PASSED_ALL ? -EBADMSG : 0);
        }
}

static void windows(void **state)
{
        const struct attach_window good = { .magic = ATTACH_MAGIC, .kind = ATTACH_WINDOW, .rows = 40, .columns = 111 };
        struct attach_window message = good, taken;

        (void)state;
        assert_int_equal(attach_parse_window(&message, sizeof(message), &taken, NULL), 0);
        assert_int_equal(taken.columns, 111);
        assert_int_equal(attach_parse_window(&message, sizeof(message) - 1, &taken, NULL), -EBADMSG);
        message.kind = ATTACH_SIGNAL;
        assert_int_equal(attach_parse_window(&message, sizeof(message), &taken, NULL), -EBADMSG);
        message = good;
        message.magic++;
        assert_int_equal(attach_parse_window(&message, sizeof(message), &taken, NULL), -EBADMSG);
}

static void wrong_headers(void **state)
{
        struct packet packet = make(TEXT("true"), NULL, 0);
        struct attach_request good = packet.header;
        struct attach_parts parts;

        (void)state;
        packet.header.magic++;
        assert_int_equal(parse(&packet, 3, &parts), -EPROTO);
        packet.header = good;
        packet.header.kind = ATTACH_SIGNAL;
        assert_int_equal(parse(&packet, 3, &parts), -EBADMSG);
        packet.header = good;
        packet.header.login = 2;
        assert_int_equal(parse(&packet, 3, &parts), -EBADMSG);
        free(packet.data);
}

static void sizes_must_add_up(void **state)
{
        static const uint32_t wrong[][2] = {
                { 4, 0 },
                { 6, 0 },
                { 5, 1 },
                { 0, 5 },
                { UINT32_MAX, 6 },
                { 6, UINT32_MAX },
                { 0x80000000U, 0x80000005U },
                { UINT32_MAX, UINT32_MAX },
                { 5U, UINT32_MAX - 59 },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                struct packet packet = make(TEXT("true"), NULL, 0);

                packet.header.command_size = wrong[i][0];
                packet.header.environment_size = wrong[i][1];
                assert_int_equal(parse_once(packet, 3), -EBADMSG);
        }
        for (size_t size = 0; size < sizeof(struct attach_request); size++) {
                struct attach_parts parts;
                char *data = calloc(1, size + 1);

                assert_int_equal(attach_parse_request(data, size, 0, &parts, NULL), -EBADMSG);
                free(data);
        }
}

static void largest_request(void **state)
{
        size_t size = ATTACH_MESSAGE_MAX - sizeof(struct attach_request);
        char *command = malloc(size + 1);

        (void)state;
        memset(command, 'x', size + 1);
        command[size - 1] = '\0';
        assert_int_equal(parse_once(make(command, size, NULL, 0), 3), 0);
        command[size - 1] = 'x';
        command[size] = '\0';
        assert_int_equal(parse_once(make(command, size + 1, NULL, 0), 3), -EBADMSG);
        free(command);
}

static void strings_must_be_well_formed(void **state)
{
        (void)state;
        assert_int_equal(parse_once(make("true", 4, NULL, 0), 3), -EBADMSG);
        assert_int_equal(parse_once(make("tr\0ue", 6, NULL, 0), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), "A=1", 3), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("A")), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("=x")), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("")), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("1A=x")), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("A B=x")), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("BASH_FUNC_x%%=() { :; }")), 3), -EBADMSG);
        assert_int_equal(parse_once(make(TEXT("x"), TEXT("A=\n=\x80")), 3), 0);
}

static void number_of_strings(void **state)
{
        char *environment = malloc((size_t)3 * ATTACH_STRINGS_MAX);

        (void)state;
        for (size_t i = 0; i < ATTACH_STRINGS_MAX; i++)
                memcpy(environment + 3 * i, "A=", 3);
        assert_int_equal(parse_once(make(TEXT("x"), environment, (size_t)3 * (ATTACH_STRINGS_MAX - 1)), 3), 0);
        assert_int_equal(parse_once(make(TEXT("x"), environment, (size_t)3 * ATTACH_STRINGS_MAX), 3), -E2BIG);
        free(environment);
}

static int parse_reply(const struct attach_reply *reply)
{
        struct attach_reply ret;

        return attach_parse_reply(reply, sizeof(*reply), &ret, NULL);
}

static void replies(void **state)
{
        struct attach_reply reply = { .magic = ATTACH_MAGIC, .kind = ATTACH_FAILED, .text = "why not" }, ret;

        (void)state;
        assert_int_equal(attach_parse_reply(&reply, sizeof(reply), &ret, NULL), 0);
        assert_string_equal(ret.text, "why not");
        assert_int_equal(attach_parse_reply(&reply, sizeof(reply) - 1, &ret, NULL), -EBADMSG);
        reply.text[2] = '\033';
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        reply.text[2] = '\x80';
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        reply.text[2] = '\n';
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        memset(reply.text, 'x', sizeof(reply.text));
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        reply.text[255] = '\0';
        assert_int_equal(parse_reply(&reply), 0);
        for (uint32_t kind = 0; kind < 8; kind++) {
                reply.kind = kind;
                assert_int_equal(parse_reply(&reply),
                                 kind == ATTACH_STARTED || kind == ATTACH_FAILED || kind == ATTACH_EXITED ? 0
                                                                                                          : -EBADMSG);
        }
        reply.magic = 0;
        assert_int_equal(parse_reply(&reply), -EPROTO);
}

static void exit_statuses(void **state)
{
        static const int good[] = { 0, 1 << 8, 255 << 8, SIGKILL, SIGTERM, SIGSEGV | 0x80, 64 };
        static const int bad[] = { 0x7f, 0x137f, 0xffff, -1, 1 << 16, 0x10007, 65, SIGKILL | 1 << 8 };
        struct attach_reply reply = { .magic = ATTACH_MAGIC, .kind = ATTACH_EXITED };

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                reply.wait_status = good[i];
                assert_int_equal(parse_reply(&reply), 0);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                reply.wait_status = bad[i];
                assert_int_equal(parse_reply(&reply), -EBADMSG);
        }
}

static void limits_and_endings(void **state)
{
        struct attach_reply reply = { .magic = ATTACH_MAGIC, .kind = ATTACH_EXITED };

        (void)state;
        reply.hit = (1U << LIMIT_BITS) - 1;
        assert_int_equal(parse_reply(&reply), 0);
        reply.hit = 1U << LIMIT_BITS;
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        reply.hit = 0;
        reply.ending = ENDINGS - 1;
        assert_int_equal(parse_reply(&reply), 0);
        reply.ending = ENDINGS;
        assert_int_equal(parse_reply(&reply), -EBADMSG);
}

static void signals(void **state)
{
        struct attach_signal message = { .magic = ATTACH_MAGIC, .kind = ATTACH_SIGNAL }, ret;
        unsigned accepted = 0;

        (void)state;
        for (uint32_t number = 0; number < 200; number++) {
                message.number = number;
                accepted += attach_parse_signal(&message, sizeof(message), &ret, NULL) == 0;
        }
        assert_int_equal(accepted, 8);
        message.number = SIGKILL;
        assert_int_equal(attach_parse_signal(&message, sizeof(message), &ret, NULL), -EBADMSG);
        message.number = SIGTERM;
        assert_int_equal(attach_parse_signal(&message, sizeof(message) - 1, &ret, NULL), -EBADMSG);
        message.number = (uint32_t)-SIGTERM;
        assert_int_equal(attach_parse_signal(&message, sizeof(message), &ret, NULL), -EBADMSG);
        message.number = SIGTERM;
        message.kind = ATTACH_REQUEST;
        assert_int_equal(attach_parse_signal(&message, sizeof(message), &ret, NULL), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_request),
                cmocka_unit_test(login_and_empty_command),
                cmocka_unit_test(fds_must_fit),
                cmocka_unit_test(terminal_that_is_passed),
                cmocka_unit_test(windows),
                cmocka_unit_test(wrong_headers),
                cmocka_unit_test(sizes_must_add_up),
                cmocka_unit_test(largest_request),
                cmocka_unit_test(strings_must_be_well_formed),
                cmocka_unit_test(number_of_strings),
                cmocka_unit_test(replies),
                cmocka_unit_test(exit_statuses),
                cmocka_unit_test(limits_and_endings),
                cmocka_unit_test(signals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
