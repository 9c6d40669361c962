/* init_environment.c - puts a channel's environment together. Pure. */
#include "shell/init_environment.h"

#include <stdbool.h>
#include <string.h>

static bool has_name(const char *assignment, const char *name, size_t length)
{
        return strncmp(assignment, name, length) == 0 && assignment[length] == '=';
}

static bool is_set(const char *const *variables, size_t count, const char *name, size_t length)
{
        for (size_t i = 0; i < count; i++)
                if (has_name(variables[i], name, length))
                        return true;
        return false;
}

void init_environment(const struct init_config *config, const struct attach_parts *parts, const char *ssh_tty,
                      const char **ret)
{
        const char *text = config->environment;
        size_t count = 0;

        for (size_t at = 0; at < config->environment_size; at += strlen(text + at) + 1)
                ret[count++] = text + at;
        text = parts->environment;
        for (size_t at = 0; at < parts->header.environment_size; at += strlen(text + at) + 1) {
                size_t length = strcspn(text + at, "=");

                if (!has_name(text + at, "SSH_TTY", strlen("SSH_TTY")) && !is_set(ret, count, text + at, length))
                        ret[count++] = text + at;
        }
        if (ssh_tty != NULL && is_set(ret, count, "SSH_CONNECTION", strlen("SSH_CONNECTION")))
                ret[count++] = ssh_tty;
        ret[count] = NULL;
}
