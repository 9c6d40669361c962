/* sshd_config.c - what sshd must be told for agents. Pure. */
#include "admin/sshd_config.h"

#include "admin/accounts.h"
#include "common/paths.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#define CHECK     "sshd"
#define SNIPPET   "/etc/ssh/sshd_config.d/50-agentsh.conf"
#define VALUE_MAX 512

/* DisableForwarding has missed single kinds of forwarding in several releases: each is named. */
static const struct {
        const char *keyword, *wanted;
        enum severity severity;
        bool global; /* not allowed inside Match */
        const char *why;
} RULES[] = {
        { "UsePAM", "yes", FINDING_BAD, true, "without PAM no session is opened and every login is refused" },
        { "StrictModes", "yes", FINDING_WARNING, true, "files that others can write would be trusted" },
        { "PermitUserEnvironment", "no", FINDING_BAD, true, "a key could set variables of programs on the host" },
        { "DisableForwarding", "yes", FINDING_BAD, false, "forwarding reaches the host's network" },
        { "AllowTcpForwarding", "no", FINDING_BAD, false, "ssh -L, -R, -D and -W reach the host's network" },
        { "AllowStreamLocalForwarding", "no", FINDING_BAD, false, "ssh -L and -R reach sockets of the host" },
        { "AllowAgentForwarding", "no", FINDING_BAD, false, "ssh -A makes a socket in the host's /tmp" },
        { "X11Forwarding", "no", FINDING_BAD, false, "ssh -X runs xauth on the host as the agent" },
        { "PermitTunnel", "no", FINDING_BAD, false, "ssh -w makes a network interface on the host" },
        { "GatewayPorts", "no", FINDING_WARNING, false, "a forwarded port would listen on every interface" },
        { "PermitOpen", "none", FINDING_BAD, false, "names destinations that may be forwarded to" },
        { "PermitListen", "none", FINDING_BAD, false, "names ports that may be listened on" },
        { "PermitUserRC", "no", FINDING_BAD, false, "sshd runs ~/.ssh/rc" },
        { "ExposeAuthInfo", "no", FINDING_WARNING, false, "writes a file for the agent on the host" },
        { "ChrootDirectory", "none", FINDING_BAD, false, "the login shell would not be found or not be ours" },
        { "AuthorizedKeysFile", AGENTSH_CONFIG_DIR "/keys/%u", FINDING_BAD, false,
          "keys must come from a file that only root can write" },
        { "AuthorizedKeysCommand", "none", FINDING_WARNING, false, "keys would come from elsewhere too" },
        { "AuthenticationMethods", "publickey", FINDING_WARNING, false, "a password would do for ssh" },
};

bool sshd_config_get(const char *text, const char *keyword, size_t index, char *ret, size_t size)
{
        size_t length = strlen(keyword);

        for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
                const char *value = line + length;

                if (strncasecmp(line, keyword, length) != 0 || (*value != ' ' && *value != '\n' && *value != '\0'))
                        continue;
                if (index-- > 0)
                        continue;
                value += strspn(value, " ");
                (void)snprintf(ret, size, "%.*s", (int)strcspn(value, "\r\n"), value);
                return true;
        }
        return false;
}

static void check_rule(const char *text, const char *who, size_t rule, struct findings *findings)
{
        char value[VALUE_MAX];
        bool there = sshd_config_get(text, RULES[rule].keyword, 0, value, sizeof(value));

        if (there && strcasecmp(value, RULES[rule].wanted) == 0)
                return;
        finding_add(findings, RULES[rule].severity, CHECK, "%s: %s is %s and must be %s: %s", who, RULES[rule].keyword,
                    there ? value : "not known to this sshd", RULES[rule].wanted, RULES[rule].why);
        finding_remedy(findings, "put \"%s %s\" %s, then reload sshd", RULES[rule].keyword, RULES[rule].wanted,
                       RULES[rule].global ? "before the first Match of /etc/ssh/sshd_config"
                                          : "below \"Match Group " AGENTS_GROUP "\" in " SNIPPET);
}

static void check_sftp(const char *text, const char *who, struct findings *findings)
{
        char value[VALUE_MAX], forced[VALUE_MAX];
        bool is_forced = sshd_config_get(text, "forcecommand", 0, forced, sizeof(forced)) &&
                         strcmp(forced, "none") != 0;

        for (size_t i = 0; sshd_config_get(text, "subsystem", i, value, sizeof(value)); i++) {
                if (strstr(value, "internal-sftp") == NULL || is_forced)
                        continue;
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s: Subsystem is \"%s\": sshd itself serves the host's "
                            "files, outside of the isolation",
                            who, value);
                finding_remedy(findings, "put \"Subsystem sftp /usr/lib/openssh/sftp-server\" (as your distribution "
                                         "has it) into /etc/ssh/sshd_config, then reload sshd");
        }
        if (is_forced && strcmp(forced, "agentsh-session") != 0) {
                finding_add(findings, FINDING_WARNING, CHECK,
                            "%s: ForceCommand is \"%s\": sftp, scp and commands will "
                            "not work as asked for",
                            who, forced);
                finding_remedy(findings, "put \"ForceCommand agentsh-session\" or \"ForceCommand none\" below \"Match "
                                         "Group " AGENTS_GROUP "\" in " SNIPPET ", then reload sshd");
        }
}

static void check_environment(const char *text, const char *who, struct findings *findings)
{
        static const char *const NEVER[] = { "LD_PRELOAD", AGENTSH_SOCKET_VARIABLE };
        char pattern[VALUE_MAX];

        for (size_t i = 0; sshd_config_get(text, "acceptenv", i, pattern, sizeof(pattern)); i++) {
                for (size_t j = 0; j < sizeof(NEVER) / sizeof(NEVER[0]); j++) {
                        if (fnmatch(pattern, NEVER[j], 0) != 0)
                                continue;
                        finding_add(findings, FINDING_BAD, CHECK,
                                    "%s: AcceptEnv %s lets the client set %s for "
                                    "programs on the host",
                                    who, pattern, NEVER[j]);
                        finding_remedy(findings, "put \"AcceptEnv LANG LC_*\" below \"Match Group " AGENTS_GROUP
                                                 "\" in " SNIPPET ", then reload sshd");
                        break;
                }
        }
}

size_t sshd_config_check(const char *text, const char *who, struct findings *findings)
{
        size_t before = findings->count;

        for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
                check_rule(text, who, i, findings);
        check_sftp(text, who, findings);
        check_environment(text, who, findings);
        return findings->count - before;
}
