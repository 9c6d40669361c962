/* control.c - checks the fixed-size messages of the control socket. Pure. */
#include "common/control.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_clean_string(const char *text, size_t size)
{
        size_t length = strnlen(text, size);

        if (length == size)
                return false;
        for (size_t i = 0; i < length; i++)
                if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
                        return false;
        return true;
}

int control_parse_request(const void *data, size_t size, struct control_request *ret, struct error *err)
{
        struct control_request request;
        int r;

        if (size != sizeof(request))
                return error_text(err, EBADMSG, "a control request has the wrong size");
        memcpy(&request, data, sizeof(request));
        if (request.magic != CONTROL_MAGIC)
                return error_text(err, EPROTO, "the PAM module and the monitor are of different versions");
        if (request.kind < CONTROL_ACCOUNT || request.kind > CONTROL_CLOSE)
                return error_text(err, EBADMSG, "a control request is of an unknown kind");
        if (!is_clean_string(request.user, sizeof(request.user)) ||
            !is_clean_string(request.service, sizeof(request.service)) ||
            !is_clean_string(request.tty, sizeof(request.tty)) ||
            !is_clean_string(request.rhost, sizeof(request.rhost)) ||
            !is_clean_string(request.ruser, sizeof(request.ruser)) ||
            !is_clean_string(request.auth, sizeof(request.auth)))
                return error_text(err, EBADMSG, "a control request has a malformed string");
        if (request.kind != CONTROL_CLOSE) {
                r = parse_account_name(request.user, err);
                if (r < 0)
                        return r;
                if (request.service[0] == '\0')
                        return error_text(err, EBADMSG, "a control request names no service");
        }
        *ret = request;
        return 0;
}

int control_parse_reply(const void *data, size_t size, struct control_reply *ret, struct error *err)
{
        struct control_reply reply;

        if (size != sizeof(reply))
                return error_text(err, EBADMSG, "a control reply has the wrong size");
        memcpy(&reply, data, sizeof(reply));
        if (reply.magic != CONTROL_MAGIC)
                return error_text(err, EPROTO, "the PAM module and the monitor are of different versions");
        if (reply.verdict < CONTROL_ALLOWED || reply.verdict > CONTROL_GONE)
                return error_text(err, EBADMSG, "a control reply is of an unknown kind");
        if (!is_clean_string(reply.session, sizeof(reply.session)) ||
            !is_clean_string(reply.socket, sizeof(reply.socket)) ||
            !is_clean_string(reply.reason, sizeof(reply.reason)))
                return error_text(err, EBADMSG, "a control reply has a malformed string");
        if (reply.verdict == CONTROL_READY && (!parse_is_session_id(reply.session) || reply.socket[0] != '/'))
                return error_text(err, EBADMSG, "a control reply names no session");
        *ret = reply;
        return 0;
}
