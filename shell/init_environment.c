/* init_environment.c - puts a channel's environment together. Pure. */
#include "shell/init_environment.h"

#include <stdbool.h>
#include <string.h>

static bool has_name(const char *assignment, const char *name, size_t length)
{
        return strncmp(assignment, name, length) == 0 && assignment[length] == '=';
}

/* The index of the variable with this name; `count` when there is none. */
static size_t find(const char *const *variables, size_t count, const char *name, size_t length)
{
        for (size_t i = 0; i < count; i++)
                if (has_name(variables[i], name, length))
                        return i;
        return count;
}

void init_environment(const struct init_config *config, const struct attach_parts *parts, const char *ssh_tty,
                      const char **ret)
{
        const char *text = config->environment;
        size_t count = 0;

        for (size_t at = 0; at < config->environment_size; at += strlen(text + at) + 1) {
                size_t place = find(ret, count, text + at, strcspn(text + at, "="));

                ret[place] = text + at;
                count += place == count;
        }
        text = parts->environment;
        for (size_t at = 0; at < parts->header.environment_size; at += strlen(text + at) + 1) {
                size_t length = strcspn(text + at, "=");

                if (!has_name(text + at, "SSH_TTY", strlen("SSH_TTY")) && find(ret, count, text + at, length) == count)
                        ret[count++] = text + at;
        }
        if (ssh_tty != NULL && find(ret, count, "SSH_CONNECTION", strlen("SSH_CONNECTION")) < count &&
            find(ret, count, "SSH_TTY", strlen("SSH_TTY")) == count)
                ret[count++] = ssh_tty;
        ret[count] = NULL;
}
