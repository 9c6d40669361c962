/* test_control.c - the control socket's messages: one byte wrong anywhere that counts, and they are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct control_request good_request(void)
{
        return (struct control_request){ .magic = CONTROL_MAGIC,
                                         .kind = CONTROL_OPEN,
                                         .user = "agent01",
                                         .service = "sshd",
                                         .tty = "ssh",
                                         .rhost = "192.0.2.7" };
}

static struct control_reply good_reply(void)
{
        return (struct control_reply){ .magic = CONTROL_MAGIC,
                                       .verdict = CONTROL_READY,
                                       .session = "0123456789abcdef",
                                       .socket = "/run/agentsh/sessions/0123456789abcdef/attach" };
}

static int parse_request(const struct control_request *request)
{
        struct error err = ERROR_INIT;
        struct control_request ret, before;
        int r;

        memset(&ret, 0x5a, sizeof(ret));
        before = ret;
        r = control_parse_request(request, sizeof(*request), &ret, &err);
        if (r == 0)
                assert_memory_equal(&ret, request, sizeof(ret));
        else {
                assert_memory_equal(&ret, &before, sizeof(ret));
                assert_int_equal(err.number, -r);
        }
        return r;
}

static int parse_reply(const struct control_reply *reply)
{
        struct control_reply ret, before;
        int r;

        memset(&ret, 0x5a, sizeof(ret));
        before = ret;
        r = control_parse_reply(reply, sizeof(*reply), &ret, NULL);
        assert_memory_equal(&ret, r == 0 ? reply : &before, sizeof(ret));
        return r;
}

static void test_good(void **state)
{
        struct control_request request = good_request();
        struct control_reply reply = good_reply();

        (void)state;
        assert_int_equal(parse_request(&request), 0);
        request.kind = CONTROL_ACCOUNT;
        assert_int_equal(parse_request(&request), 0);
        assert_int_equal(parse_reply(&reply), 0);
        reply.verdict = CONTROL_REFUSED;
        assert_int_equal(parse_reply(&reply), 0);
}

static void test_close_needs_no_names(void **state)
{
        struct control_request request = { .magic = CONTROL_MAGIC, .kind = CONTROL_CLOSE };

        (void)state;
        assert_int_equal(parse_request(&request), 0);
        request.kind = CONTROL_OPEN;
        assert_int_equal(parse_request(&request), -EINVAL);
}

static void test_sizes(void **state)
{
        struct control_request request = good_request();
        struct control_reply reply = good_reply();
        struct control_request ret_request;
        struct control_reply ret_reply;
        char bytes[sizeof(struct control_request) + 300] = { 0 };

        (void)state;
        memcpy(bytes, &request, sizeof(request));
        for (size_t size = 0; size < sizeof(bytes); size++)
                assert_int_equal(control_parse_request(bytes, size, &ret_request, NULL),
                                 size == sizeof(request) ? 0 : -EBADMSG);
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, &reply, sizeof(reply));
        for (size_t size = 0; size < sizeof(bytes); size++)
                assert_int_equal(control_parse_reply(bytes, size, &ret_reply, NULL),
                                 size == sizeof(reply) ? 0 : -EBADMSG);
}

static void test_unaligned(void **state)
{
        struct control_request request = good_request(), ret;
        char *bytes = malloc(sizeof(request) + 1);

        (void)state;
        assert_non_null(bytes);
        memcpy(bytes + 1, &request, sizeof(request));
        assert_int_equal(control_parse_request(bytes + 1, sizeof(request), &ret, NULL), 0);
        free(bytes);
}

static void test_magic_and_kind(void **state)
{
        static const uint32_t kinds[] = { 0, 4, 255, UINT32_MAX };
        struct control_request request = good_request();
        struct control_reply reply = good_reply();

        (void)state;
        request.magic++;
        assert_int_equal(parse_request(&request), -EPROTO);
        reply.magic = 0;
        assert_int_equal(parse_reply(&reply), -EPROTO);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                request = good_request();
                request.kind = kinds[i];
                assert_int_equal(parse_request(&request), -EBADMSG);
                reply = good_reply();
                reply.verdict = kinds[i] == 4 ? 5 : kinds[i];
                assert_int_equal(parse_reply(&reply), -EBADMSG);
        }
}

static void refuse_request_field(size_t offset, size_t size)
{
        struct control_request request = good_request();

        memset((char *)&request + offset, 'a', size);
        assert_true(parse_request(&request) < 0);
        request = good_request();
        memcpy((char *)&request + offset, "a\nb", 4);
        assert_true(parse_request(&request) < 0);
        request = good_request();
        memcpy((char *)&request + offset, "a\x1b", 3);
        assert_true(parse_request(&request) < 0);
        request = good_request();
        memcpy((char *)&request + offset, "a\x7f", 3);
        assert_true(parse_request(&request) < 0);
}

#define FIELD(type, name) offsetof(struct type, name), sizeof(((struct type *)0)->name)

static void test_request_strings(void **state)
{
        struct control_request request;

        (void)state;
        refuse_request_field(FIELD(control_request, user));
        refuse_request_field(FIELD(control_request, service));
        refuse_request_field(FIELD(control_request, tty));
        refuse_request_field(FIELD(control_request, rhost));
        refuse_request_field(FIELD(control_request, ruser));
        refuse_request_field(FIELD(control_request, auth));
        request = good_request();
        strcpy(request.user, "../root");
        assert_int_equal(parse_request(&request), -EINVAL);
        request = good_request();
        request.service[0] = '\0';
        assert_int_equal(parse_request(&request), -EBADMSG);
}

static void refuse_reply_field(size_t offset, size_t size)
{
        struct control_reply reply = good_reply();

        reply.verdict = CONTROL_REFUSED;
        memset((char *)&reply + offset, 'a', size);
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        memset((char *)&reply + offset, 0, size);
        memcpy((char *)&reply + offset, "\x1b]0;", 4);
        assert_int_equal(parse_reply(&reply), -EBADMSG);
}

static void test_reply_strings(void **state)
{
        struct control_reply reply;

        (void)state;
        refuse_reply_field(FIELD(control_reply, session));
        refuse_reply_field(FIELD(control_reply, socket));
        refuse_reply_field(FIELD(control_reply, reason));
        reply = good_reply();
        reply.session[3] = 'X';
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        reply = good_reply();
        reply.socket[0] = '\0';
        assert_int_equal(parse_reply(&reply), -EBADMSG);
        reply = good_reply();
        memset(reply.session, 0, sizeof(reply.session));
        assert_int_equal(parse_reply(&reply), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),           cmocka_unit_test(test_close_needs_no_names),
                cmocka_unit_test(test_sizes),          cmocka_unit_test(test_unaligned),
                cmocka_unit_test(test_magic_and_kind), cmocka_unit_test(test_request_strings),
                cmocka_unit_test(test_reply_strings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
