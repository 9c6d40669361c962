/*
 * init_environment.h - the environment of a channel: the session's, then what the client brought. Pure.
 */
#ifndef AGENTSH_SHELL_INIT_ENVIRONMENT_H
#define AGENTSH_SHELL_INIT_ENVIRONMENT_H

#include "common/attach.h"
#include "common/status.h"

#include <stddef.h>

/* The session's variables, the client's, SSH_TTY, and the NULL behind them. */
#define INIT_VARIABLES_MAX (INIT_ENVIRONMENT_MAX / 2 + ATTACH_STRINGS_MAX + 2)

/*
 * Fill ret[0..INIT_VARIABLES_MAX) with pointers into `config` and `parts`, NULL behind the last. A variable that the
 * session sets (the later of two, so that the policy's wins over the default) wins over the client's of the same name;
 * of the client's own, the first wins. The client's SSH_TTY names
 * a terminal outside and is left out; `ssh_tty` ("SSH_TTY=/dev/pts/0", or NULL) takes its place when there is an
 * SSH_CONNECTION and the session sets no SSH_TTY of its own.
 */
void init_environment(const struct init_config *config, const struct attach_parts *parts, const char *ssh_tty,
                      const char **ret);

#endif
