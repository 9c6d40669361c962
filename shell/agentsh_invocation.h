/*
 * agentsh_invocation.h - what the login shell was started for. Pure.
 */
#ifndef AGENTSH_SHELL_AGENTSH_INVOCATION_H
#define AGENTSH_SHELL_AGENTSH_INVOCATION_H

#include "common/error.h"

#include <stdbool.h>

/* What sshd's ForceCommand names: the client's own wish then stands in SSH_ORIGINAL_COMMAND. */
#define FORCED_COMMAND   "agentsh-session"
#define ORIGINAL_COMMAND "SSH_ORIGINAL_COMMAND"

enum invocation_kind {
        INVOCATION_RUN,
        INVOCATION_HELP,
        INVOCATION_VERSION,
};

struct invocation {
        enum invocation_kind kind;
        bool login;          /* as a login shell */
        const char *prefix;  /* shell text in front of the command; "" mostly */
        const char *command; /* NULL: an interactive login; points into argv or the environment */
};

/*
 * argv[0] "-agentsh", or no argument: a login. "-c CMD": a command. "--help", "--version". `original_command` is the
 * value of SSH_ORIGINAL_COMMAND or NULL, used for "-c agentsh-session" only. Anything else, an empty argv included, is
 * -EINVAL: a usage error.
 */
must_check int invocation_parse(int argc, char *const *argv, const char *original_command, struct invocation *ret,
                                struct error *err);

#endif
