/* attach.c - checks the messages of the attach protocol. Pure: no system call, no allocation. */
#include "common/attach.h"

#include "common/status.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

static bool is_name_char(char c, bool first)
{
        return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

static bool is_assignment(const char *text)
{
        size_t length = 0;

        while (is_name_char(text[length], length == 0))
                length++;
        return length > 0 && text[length] == '=';
}

static int check_header(const struct attach_request *header, size_t size, size_t fds_count, struct error *err)
{
        if (header->magic != ATTACH_MAGIC)
                return error_text(err, EPROTO, "agentsh and agentsh-init are of different versions");
        if (header->kind != ATTACH_REQUEST)
                return error_text(err, EBADMSG, "an attach request is of an unknown kind");
        if (header->passed > (ATTACH_PASSED_ALL | ATTACH_TERMINAL_PASSED) ||
            (size_t)__builtin_popcount(header->passed) != fds_count)
                return error_text(err, EBADMSG, "an attach request came with the wrong number of fds");
        if ((header->passed & ATTACH_TERMINAL_PASSED) != 0 && (header->passed & ATTACH_PASSED_ALL) == ATTACH_PASSED_ALL)
                return error_text(err, EBADMSG, "an attach request has a terminal that stands for nothing");
        if (header->login > 1 || (header->login == 0 && header->command_size == 0))
                return error_text(err, EBADMSG, "an attach request has neither login nor command");
        /* Each size alone is below the whole, so that their sum cannot overflow. */
        if (header->command_size > size || header->environment_size > size ||
            sizeof(*header) + header->command_size + header->environment_size != size)
                return error_text(err, EBADMSG, "the sizes in an attach request do not add up");
        return 0;
}

/* A command is one string: no NUL but the last byte. */
static int check_command(const char *command, size_t size, struct error *err)
{
        if (size > 0 && strnlen(command, size) != size - 1)
                return error_text(err, EBADMSG, "the command of an attach request is malformed");
        return 0;
}

static int check_environment(const char *environment, size_t size, struct error *err)
{
        size_t count = 0;

        if (size > 0 && environment[size - 1] != '\0')
                return error_text(err, EBADMSG, "the environment of an attach request is not terminated");
        for (size_t at = 0; at < size; at += strlen(environment + at) + 1) {
                if (++count > ATTACH_STRINGS_MAX - 1)
                        return error_text(err, E2BIG, "an attach request has more than %d strings", ATTACH_STRINGS_MAX);
                if (!is_assignment(environment + at))
                        return error_text(err, EBADMSG, "the environment of an attach request is malformed");
        }
        return 0;
}

int attach_parse_request(const void *data, size_t size, size_t fds_count, struct attach_parts *ret, struct error *err)
{
        struct attach_parts parts = { .command = NULL };
        const char *strings = (const char *)data + sizeof(parts.header);
        int r;

        if (size < sizeof(parts.header) || size > ATTACH_MESSAGE_MAX)
                return error_text(err, EBADMSG, "an attach request has the wrong size");
        memcpy(&parts.header, data, sizeof(parts.header));
        r = check_header(&parts.header, size, fds_count, err);
        if (r < 0)
                return r;
        r = check_command(strings, parts.header.command_size, err);
        if (r < 0)
                return r;
        r = check_environment(strings + parts.header.command_size, parts.header.environment_size, err);
        if (r < 0)
                return r;
        if (parts.header.command_size > 0)
                parts.command = strings;
        if (parts.header.environment_size > 0)
                parts.environment = strings + parts.header.command_size;
        *ret = parts;
        return 0;
}

static bool is_printable(const char *text, size_t size)
{
        size_t length = strnlen(text, size);

        for (size_t i = 0; i < length; i++)
                if (text[i] < 0x20 || text[i] > 0x7e)
                        return false;
        return length < size;
}

static bool is_final_status(int status)
{
        if (WIFEXITED(status))
                return (status & ~0xff00) == 0;
        return WIFSIGNALED(status) && (status & ~0xff) == 0 && WTERMSIG(status) <= SIGRTMAX;
}

int attach_parse_reply(const void *data, size_t size, struct attach_reply *ret, struct error *err)
{
        struct attach_reply reply;

        if (size != sizeof(reply))
                return error_text(err, EBADMSG, "an attach reply has the wrong size");
        memcpy(&reply, data, sizeof(reply));
        if (reply.magic != ATTACH_MAGIC)
                return error_text(err, EPROTO, "agentsh and agentsh-init are of different versions");
        if (reply.kind != ATTACH_STARTED && reply.kind != ATTACH_FAILED && reply.kind != ATTACH_EXITED)
                return error_text(err, EBADMSG, "an attach reply is of an unknown kind");
        if (!is_printable(reply.text, sizeof(reply.text)))
                return error_text(err, EBADMSG, "the text of an attach reply is malformed");
        if (reply.hit >= 1U << LIMIT_BITS || reply.ending >= ENDINGS)
                return error_text(err, EBADMSG, "an attach reply names an unknown limit or ending");
        if (reply.kind == ATTACH_EXITED && !is_final_status(reply.wait_status))
                return error_text(err, EBADMSG, "an attach reply has an impossible exit status");
        *ret = reply;
        return 0;
}

int attach_parse_signal(const void *data, size_t size, struct attach_signal *ret, struct error *err)
{
        static const int allowed[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT, SIGTSTP };
        struct attach_signal message;

        if (size != sizeof(message))
                return error_text(err, EBADMSG, "an attach signal has the wrong size");
        memcpy(&message, data, sizeof(message));
        if (message.magic != ATTACH_MAGIC || message.kind != ATTACH_SIGNAL)
                return error_text(err, EBADMSG, "an attach message is of an unknown kind");
        for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
                if (message.number == (uint32_t)allowed[i]) {
                        *ret = message;
                        return 0;
                }
        }
        return error_text(err, EBADMSG, "signal %u may not be forwarded", (unsigned)message.number);
}

int attach_parse_window(const void *data, size_t size, struct attach_window *ret, struct error *err)
{
        struct attach_window message;

        if (size != sizeof(message))
                return error_text(err, EBADMSG, "an attach window has the wrong size");
        memcpy(&message, data, sizeof(message));
        if (message.magic != ATTACH_MAGIC || message.kind != ATTACH_WINDOW)
                return error_text(err, EBADMSG, "an attach message is of an unknown kind");
        *ret = message;
        return 0;
}
