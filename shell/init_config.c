/* init_config.c - takes the session's settings from the monitor. */
#include "shell/init_config.h"

#include "common/seqpacket.h"

#include <errno.h>
#include <string.h>

#define CONFIG_WAIT_MS 60000

static int check_path(const char *path, size_t size, const char *what, struct error *err)
{
        if (path[0] != '/' || strnlen(path, size) == size)
                return error_text(err, EBADMSG, "the monitor's settings have no %s", what);
        return 0;
}

int init_config_check(const struct init_config *config, size_t size, struct error *err)
{
        int r;

        if (size != sizeof(*config) || config->magic != STATUS_MAGIC)
                return error_text(err, EPROTO, "agentsh-monitor and agentsh-init are of different versions");
        if (strnlen(config->user, sizeof(config->user)) == sizeof(config->user))
                return error_text(err, EBADMSG, "the monitor's settings have no user");
        r = check_path(config->home, sizeof(config->home), "home", err);
        if (r < 0)
                return r;
        r = check_path(config->shell, sizeof(config->shell), "shell", err);
        if (r < 0)
                return r;
        if (config->environment_size > sizeof(config->environment) ||
            (config->environment_size > 0 && config->environment[config->environment_size - 1] != '\0'))
                return error_text(err, EBADMSG, "the environment in the monitor's settings is malformed");
        for (size_t at = 0; at < config->environment_size; at += strlen(config->environment + at) + 1)
                if (strchr(config->environment + at, '=') == NULL)
                        return error_text(err, EBADMSG, "the environment in the monitor's settings is malformed");
        return 0;
}

int init_config_receive(int status_fd, struct init_config *ret, struct error *err)
{
        size_t fds_count;
        ssize_t got = seqpacket_receive(status_fd, ret, sizeof(*ret), NULL, 0, &fds_count, CONFIG_WAIT_MS, err);

        if (got < 0)
                return error_prefix(err, "no settings from the monitor");
        return init_config_check(ret, (size_t)got, err);
}
