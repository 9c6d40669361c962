/* options.c - strict: each option once, each value checked. No privilege, no allocation. */
#include "pam_module/options.h"

#include "common/parse.h"
#include "common/paths.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

/* The value behind "name=" in word, or NULL. */
static const char *value_of(const char *word, const char *name)
{
        size_t length = strlen(name);

        return strncmp(word, name, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

static int set_path(const char **ret, const char *value, size_t max, struct error *err)
{
        int r;

        if (*ret != NULL)
                return error_text(err, EINVAL, "it is given twice");
        r = parse_path(value, err);
        if (r < 0)
                return r;
        if (strlen(value) > max)
                return error_text(err, ENAMETOOLONG, "the path is longer than %zu bytes", max);
        *ret = value;
        return 0;
}

static int set_timeout(int *ret, const char *value, struct error *err)
{
        uint64_t seconds;
        int r;

        if (*ret != 0)
                return error_text(err, EINVAL, "it is given twice");
        r = parse_number(value, 1, OPTIONS_TIMEOUT_MAX, &seconds, err);
        if (r < 0)
                return r;
        *ret = (int)seconds * 1000;
        return 0;
}

static int set_option(struct options *options, const char *word, struct error *err)
{
        const char *value;

        value = value_of(word, "socket");
        if (value != NULL)
                return set_path(&options->socket, value, sizeof(((struct sockaddr_un *)0)->sun_path) - 1, err);
        value = value_of(word, "shell");
        if (value != NULL)
                return set_path(&options->shell, value, 4095, err);
        value = value_of(word, "timeout");
        if (value != NULL)
                return set_timeout(&options->timeout_ms, value, err);
        if (strcmp(word, "debug") == 0) {
                if (options->debug)
                        return error_text(err, EINVAL, "it is given twice");
                options->debug = true;
                return 0;
        }
        return error_text(err, EINVAL, "there are socket=PATH, shell=PATH, timeout=SECONDS and debug");
}

void options_parse(int argc, const char **argv, struct options *ret)
{
        *ret = (struct options){ .wrong = ERROR_INIT };
        for (int i = 0; i < argc; i++) {
                struct error err = ERROR_INIT;

                if (set_option(ret, argv[i], &err) == 0 || ret->wrong.number != 0)
                        continue;
                (void)error_prefix(&err, "the option \"%s\" of pam_agentsh.so is wrong", argv[i]);
                ret->wrong = err;
        }
        if (ret->socket == NULL)
                ret->socket = AGENTSH_CONTROL_SOCKET;
        if (ret->shell == NULL)
                ret->shell = AGENTSH_SHELL_PATH;
        if (ret->timeout_ms == 0)
                ret->timeout_ms = OPTIONS_TIMEOUT_DEFAULT * 1000;
}
