/*
 * init_config.h - what the monitor tells init before anything else. Agent uid, inside.
 */
#ifndef AGENTSH_SHELL_INIT_CONFIG_H
#define AGENTSH_SHELL_INIT_CONFIG_H

#include "common/error.h"
#include "common/status.h"

#include <stddef.h>

/*
 * Check a received configuration: exact size, magic, strings terminated, absolute paths, an environment of terminated
 * NAME=VALUE strings. The monitor is trusted; this is for what a mistake would do. Pure.
 */
must_check int init_config_check(const struct init_config *config, size_t size, struct error *err);

/* Wait for it at STATUS_FD. */
must_check int init_config_receive(int status_fd, struct init_config *ret, struct error *err);

#endif
