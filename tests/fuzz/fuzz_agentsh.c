/*
 * fuzz_agentsh.c - from the command line and the environment of a login shell to what init takes out of the request:
 * nothing is lost, nothing is added, and no variable passes that the keep list does not name.
 */
#include "common/attach.h"
#include "common/paths.h"
#include "shell/agentsh_environment.h"
#include "shell/agentsh_invocation.h"
#include "shell/agentsh_request.h"
#include "tests/fuzz/mutate.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define STRINGS_MAX 64

/* One string a line: the keep list's patterns up to a line "--", then SSH_ORIGINAL_COMMAND and argv up to another, then
 * the environment. */
static const char *const words[] = {
        "--\n",
        "TERM\n",
        "LC_*\n",
        "*\n",
        "A*\n",
        "SSH_ORIGINAL_COMMAND\n",
        "agentsh\n",
        "-agentsh\n",
        "-c\n",
        "-c",
        "--help\n",
        "--version\n",
        "agentsh-session\n",
        "agentsh-session",
        "internal-sftp\n",
        "internal-sftp -l INFO\n",
        "internal-sftpx\n",
        "scp -t .\n",
        "echo 'a b'; exit 3\n",
        "-",
        "--",
        "TERM=xterm\n",
        "LC_ALL=C\n",
        "=x\n",
        "A\n",
        "A=\n",
        "1A=2\n",
        "AGENTSH_SOCKET=/run/x\n",
        "LD_PRELOAD=/x.so\n",
        "A_b9=\x01\xff\n",
        "=",
        "*",
        "\n",
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
        return mutate_text(data, size, max, seed, words, MUTATE_COUNT(words));
}

struct input {
        char *patterns;
        char *arguments[STRINGS_MAX + 1], *environment[STRINGS_MAX + 1];
        size_t argument_count, environment_count;
};

/* Cuts `text` up in place. */
static void take_input(char *text, struct input *ret)
{
        static char nothing[] = "";
        char *rest = text, *line, *behind = NULL;
        size_t part = 0;

        *ret = (struct input){ .patterns = nothing };
        if (strncmp(text, "--\n", 3) != 0) {
                behind = strstr(text, "\n--\n");
                ret->patterns = text;
                rest = behind != NULL ? behind + 4 : nothing;
                if (behind != NULL)
                        behind[1] = '\0';
        } else {
                rest = text + 3;
        }
        while ((line = strsep(&rest, "\n")) != NULL) {
                if (strcmp(line, "--") == 0)
                        part++;
                else if (part == 0 && ret->argument_count < STRINGS_MAX)
                        ret->arguments[ret->argument_count++] = line;
                else if (part == 1 && ret->environment_count < STRINGS_MAX)
                        ret->environment[ret->environment_count++] = line;
        }
}

static bool came_from(const struct input *input, const char *variable)
{
        for (size_t i = 0; i < input->environment_count; i++)
                if (strcmp(input->environment[i], variable) == 0)
                        return true;
        return false;
}

static void require_same(const struct input *input, const struct invocation *invocation,
                         const struct attach_parts *parts)
{
        require((parts->command != NULL) == (invocation->command != NULL));
        if (parts->command != NULL) {
                size_t prefix = strlen(invocation->prefix);

                require(strncmp(parts->command, invocation->prefix, prefix) == 0);
                require(strcmp(parts->command + prefix, invocation->command) == 0);
        }
        require(parts->header.login == (uint32_t)invocation->login);
        for (size_t at = 0; at < parts->header.environment_size; at += strlen(parts->environment + at) + 1) {
                const char *variable = parts->environment + at;
                size_t name = strcspn(variable, "=");

                require(came_from(input, variable));
                require(environment_matches(input->patterns, variable, name));
                require(strncmp(variable, AGENTSH_SOCKET_VARIABLE "=", sizeof(AGENTSH_SOCKET_VARIABLE)) != 0);
        }
}

static void send_and_take(const struct input *input, const struct invocation *invocation)
{
        static char buffer[ATTACH_MESSAGE_MAX + 1];
        const struct stdio stdio = { .passed = ATTACH_PASSED_ALL, .fds = { 0, 1, 2 }, .fds_count = 3, -1, -1 };
        const struct tty tty = { .in = -1, .out = -1, .parent_stat = -1 };
        struct inside inside = INSIDE_INIT;
        struct error err = ERROR_INIT;
        struct attach_parts parts;
        int pair[2], large = 1 << 20;
        ssize_t size;

        require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large));
        inside.socket = pair[0];
        require(request_send(&inside, invocation, &stdio, &tty, input->patterns, input->environment, &err) == 0);
        size = recv(pair[1], buffer, sizeof(buffer), MSG_DONTWAIT);
        require(size > 0);
        if (invocation->command == NULL || strlen(invocation->command) + strlen(invocation->prefix) > 0) {
                require(attach_parse_request(buffer, (size_t)size, 3, &parts, &err) == 0);
                require_same(input, invocation, &parts);
        }
        (void)close(pair[0]);
        (void)close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = mutate_string(data, size);
        struct invocation invocation;
        struct error err = ERROR_INIT;
        struct input input;
        const char *original;
        char *const *argv;
        int argc, r;

        take_input(text, &input);
        original = input.argument_count > 0 ? input.arguments[0] : NULL;
        argc = input.argument_count > 0 ? (int)input.argument_count - 1 : 0;
        argv = input.arguments + (input.argument_count > 0);
        r = invocation_parse(argc, argv, original, &invocation, &err);
        require(r == -err.number && (r == 0 || r == -EINVAL));
        if (r == 0 && invocation.kind == INVOCATION_RUN) {
                require(invocation.command != NULL || invocation.login);
                send_and_take(&input, &invocation);
        }
        free(text);
        return 0;
}
