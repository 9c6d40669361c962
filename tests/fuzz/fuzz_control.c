/* fuzz_control.c - the control socket's two parsers. What they accept must hold what control.h promises. */
#include "common/control.h"

#include "tests/fuzz/mutate.h"

static const uint64_t magics[] = { CONTROL_MAGIC, 0, CONTROL_MAGIC + 1 };
static const uint64_t kinds[] = { 0, CONTROL_ACCOUNT, CONTROL_OPEN, CONTROL_CLOSE, 4, 5, UINT32_MAX };
static const char *const names[] = { "agent01",
                                     "a",
                                     "",
                                     ".",
                                     "..",
                                     "a/b",
                                     "-a",
                                     "a.",
                                     "Agent",
                                     "\n",
                                     "\x7f",
                                     "sshd",
                                     "su-l",
                                     "pts/0",
                                     "::1",
                                     "0123456789abcdef",
                                     "/run/agentsh/sessions/0123456789abcdef/attach",
                                     "abcdefghijklmnopqrstuvwxyzabcdef",
                                     "\xc3\xa4" };

#define NUMBER(type, field, values)                                                                \
        {                                                                                          \
                offsetof(struct type, field), sizeof(uint32_t), values, NULL, MUTATE_COUNT(values) \
        }
#define TEXT(type, field)                                                                                            \
        {                                                                                                            \
                offsetof(struct type, field), sizeof(((struct type *)NULL)->field), NULL, names, MUTATE_COUNT(names) \
        }

static const struct mutate_field request_fields[] = {
        NUMBER(control_request, magic, magics), NUMBER(control_request, kind, kinds), TEXT(control_request, user),
        TEXT(control_request, service),         TEXT(control_request, tty),           TEXT(control_request, rhost),
        TEXT(control_request, ruser),
};
static const struct mutate_field reply_fields[] = {
        NUMBER(control_reply, magic, magics), NUMBER(control_reply, verdict, kinds), TEXT(control_reply, session),
        TEXT(control_reply, socket),          TEXT(control_reply, reason),
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        if (seed % 2 == 0)
                return mutate_struct(data, size, max, seed / 2, sizeof(struct control_request), request_fields,
                                     MUTATE_COUNT(request_fields));
        return mutate_struct(data, size, max, seed / 2, sizeof(struct control_reply), reply_fields,
                             MUTATE_COUNT(reply_fields));
}

static void require_clean(const char *text, size_t size)
{
        size_t length = strnlen(text, size);

        require(length < size);
        for (size_t i = 0; i < length; i++)
                require((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void try_request(const uint8_t *data, size_t size)
{
        struct error err = ERROR_INIT;
        struct control_request request;
        int r = control_parse_request(data, size, &request, &err);

        require(r <= 0 && (r == 0 || err.number == -r));
        require_clean(err.text, sizeof(err.text));
        if (r < 0)
                return;
        require(request.magic == CONTROL_MAGIC && request.kind >= CONTROL_ACCOUNT && request.kind <= CONTROL_CLOSE);
        require_clean(request.user, sizeof(request.user));
        require_clean(request.service, sizeof(request.service));
        require_clean(request.tty, sizeof(request.tty));
        require_clean(request.rhost, sizeof(request.rhost));
        require_clean(request.ruser, sizeof(request.ruser));
        require_clean(request.auth, sizeof(request.auth));
        if (request.kind != CONTROL_CLOSE)
                require(strchr(request.user, '/') == NULL && request.user[0] != '\0' && request.user[0] != '.' &&
                        request.service[0] != '\0');
}

static void try_reply(const uint8_t *data, size_t size)
{
        struct error err = ERROR_INIT;
        struct control_reply reply;
        int r = control_parse_reply(data, size, &reply, &err);

        require(r <= 0 && (r == 0 || err.number == -r));
        require_clean(err.text, sizeof(err.text));
        if (r < 0)
                return;
        require(reply.magic == CONTROL_MAGIC && reply.verdict >= CONTROL_ALLOWED && reply.verdict <= CONTROL_GONE);
        require_clean(reply.session, sizeof(reply.session));
        require_clean(reply.socket, sizeof(reply.socket));
        require_clean(reply.reason, sizeof(reply.reason));
        if (reply.verdict == CONTROL_READY)
                require(strlen(reply.session) == SESSION_ID_LENGTH && reply.socket[0] == '/');
}

/* The fuzzer seldom finds a magic number and an exact size by itself: a second try with both put right. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        uint8_t request[sizeof(struct control_request)] = { 0 }, reply[sizeof(struct control_reply)] = { 0 };
        uint32_t magic = CONTROL_MAGIC;

        try_request(data, size);
        try_reply(data, size);
        memcpy(request, data, size < sizeof(request) ? size : sizeof(request));
        memcpy(request, &magic, sizeof(magic));
        try_request(request, sizeof(request));
        memcpy(reply, data, size < sizeof(reply) ? size : sizeof(reply));
        memcpy(reply, &magic, sizeof(magic));
        try_reply(reply, sizeof(reply));
        return 0;
}
