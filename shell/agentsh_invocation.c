/* agentsh_invocation.c - reads the command line. Pure. */
#include "shell/agentsh_invocation.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define INTERNAL_SFTP "internal-sftp"

/*
 * sshd's built-in server would run outside; the client gets the one of the isolation. The arguments follow as they
 * came: whoever could send them may run any command inside anyway.
 */
#define SFTP_SERVER                                                        \
        "for s in /usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh; do " \
        "[ -x \"$s/sftp-server\" ] && break; done; exec \"$s/sftp-server\""

static void map_forced_command(const char *original, struct invocation *invocation)
{
        size_t length = strlen(INTERNAL_SFTP);

        invocation->command = original;
        if (original == NULL || original[0] == '\0') {
                invocation->command = NULL;
                invocation->login = true;
                return;
        }
        if (strncmp(original, INTERNAL_SFTP, length) == 0 &&
            (original[length] == '\0' || original[length] == ' ' || original[length] == '\t')) {
                invocation->prefix = SFTP_SERVER;
                invocation->command = original + length;
        }
}

int invocation_parse(int argc, char *const *argv, const char *original_command, struct invocation *ret,
                     struct error *err)
{
        struct invocation invocation = { .kind = INVOCATION_RUN, .prefix = "" };

        /* execve with an empty argv: newer kernels make it {""}. */
        if (argc < 1 || argv[0] == NULL || argv[0][0] == '\0')
                return error_text(err, EINVAL, "started without a name");
        invocation.login = argc == 1 || argv[0][0] == '-';
        if (argc == 3 && strcmp(argv[1], "-c") == 0) {
                invocation.command = argv[2];
                if (strcmp(argv[2], FORCED_COMMAND) == 0)
                        map_forced_command(original_command, &invocation);
        } else if (argc == 2 && strcmp(argv[1], "--help") == 0) {
                invocation.kind = INVOCATION_HELP;
        } else if (argc == 2 && strcmp(argv[1], "--version") == 0) {
                invocation.kind = INVOCATION_VERSION;
        } else if (argc == 2 && strcmp(argv[1], "-c") == 0) {
                return error_text(err, EINVAL, "-c needs a command");
        } else if (argc > 3 && strcmp(argv[1], "-c") == 0) {
                return error_text(err, EINVAL, "more than one argument behind -c");
        } else if (argc > 1) {
                return error_text(err, EINVAL, "unknown argument \"%.64s\"", argv[1]);
        }
        *ret = invocation;
        return 0;
}
