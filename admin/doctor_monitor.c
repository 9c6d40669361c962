/* doctor_monitor.c - the monitor's own view of the host, and its control socket. Root. */
#include "admin/doctor.h"
#include "admin/run.h"
#include "common/cleanup.h"
#include "common/control.h"
#include "common/fd.h"
#include "common/paths.h"
#include "common/seqpacket.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define CHECK      "monitor"
#define MONITOR    AGENTSH_LIBEXEC_DIR "/agentsh-monitor"
#define TIMEOUT_MS 5000

static enum severity severity_of(const char *verdict)
{
        if (strcmp(verdict, "ok") == 0)
                return FINDING_OK;
        return strcmp(verdict, "note") == 0 ? FINDING_NOTE : FINDING_BAD;
}

/* Whether the policy names the limit that the check "cgroup NAME" is about. memory, swap and tasks always hold. */
static bool needs_limit(const struct policy *policy, const char *check)
{
        if (strcmp(check, "cgroup io_read") == 0)
                return policy->io_read != 0;
        if (strcmp(check, "cgroup io_write") == 0)
                return policy->io_write != 0;
        if (strcmp(check, "cgroup cpus") == 0)
                return policy->cpus != 0;
        return strncmp(check, "cgroup ", 7) == 0;
}

/* What this host cannot do, by the accounts that need it: their logins are refused. */
static void tell_accounts(struct findings *findings, const struct account_list *agents, const char *check,
                          const char *text)
{
        for (size_t i = 0; i < agents->count; i++) {
                const char *name = agents->account[i].name;
                struct policy policy;

                if (!doctor_load_policy(name, &policy) || !needs_limit(&policy, check))
                        continue;
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s: every login is refused, since its policy needs what this host cannot do: %s: %s", name,
                            check, text);
                finding_remedy(findings, "make it possible, or: leave the limit out of " AGENTSH_ACCOUNTS_DIR "/%s.ini",
                               name);
                findings_give(findings, findings->count - 1, name);
        }
}

/* "ok|note|fail<TAB>check<TAB>text"; cuts the line. */
static void take_probe_line(struct findings *findings, const struct account_list *agents, char *line)
{
        char *name = strchr(line, '\t');
        char *text = name != NULL ? strchr(name + 1, '\t') : NULL;

        if (text == NULL) {
                finding_add(findings, FINDING_WARNING, CHECK, "--probe said: %s", line);
                return;
        }
        *name++ = '\0';
        *text++ = '\0';
        finding_add(findings, severity_of(line), CHECK, "%s: %s", name, text);
        if (strcmp(line, "ok") != 0)
                tell_accounts(findings, agents, name, text);
}

/* False: there is no monitor that could be asked. */
static bool check_probe(struct findings *findings, const struct account_list *agents)
{
        static const char *const ARGV[] = { MONITOR, "--probe", NULL };
        cleanup_run_result struct run_result result = { 0 };
        struct error err = ERROR_INIT;
        char *rest;

        if (run_program(ARGV, NULL, 30, &result, &err) < 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s", err.text);
                finding_remedy(findings, "install agentsh again: make install");
                return false;
        }
        rest = result.output;
        for (char *line; (line = strsep(&rest, "\n")) != NULL;)
                if (line[0] != '\0')
                        take_probe_line(findings, agents, line);
        if (result.size == 0)
                finding_add(findings, FINDING_BAD, CHECK, MONITOR " --probe said nothing and ended with status %d",
                            result.status);
        return result.size > 0;
}

static bool has_systemd(void)
{
        return access("/run/systemd/system", F_OK) == 0;
}

static bool check_socket_file(struct findings *findings)
{
        struct stat st, dir;

        if (lstat(AGENTSH_CONTROL_SOCKET, &st) < 0 || lstat(AGENTSH_RUNTIME_DIR, &dir) < 0) {
                finding_add(findings, FINDING_BAD, CHECK,
                            "there is no control socket " AGENTSH_CONTROL_SOCKET ": %s; "
                            "every login of an agent is refused",
                            strerror(errno));
                finding_remedy(findings, "%s",
                               has_systemd() ? "systemctl enable --now agentsh.socket" : "/etc/init.d/agentsh start");
                return false;
        }
        if (!S_ISSOCK(st.st_mode) || st.st_uid != 0 || (st.st_mode & 0777) != 0600) {
                finding_add(findings, FINDING_BAD, CHECK,
                            AGENTSH_CONTROL_SOCKET " is not root's socket of mode 0600 "
                                                   "(uid %u, mode %04o)",
                            (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777));
                finding_remedy(findings,
                               "chown root:root " AGENTSH_CONTROL_SOCKET " && chmod 0600 " AGENTSH_CONTROL_SOCKET);
                return false;
        }
        if (!S_ISDIR(dir.st_mode) || dir.st_uid != 0 || (dir.st_mode & 022) != 0) {
                finding_add(findings, FINDING_BAD, CHECK, AGENTSH_RUNTIME_DIR " can be written by others than root");
                finding_remedy(findings, "chown root:root " AGENTSH_RUNTIME_DIR " && chmod 0711 " AGENTSH_RUNTIME_DIR);
                return false;
        }
        return true;
}

/* Any well-formed answer will do: root is never an agent, so that the question starts nothing. */
static int ask_monitor(struct error *err)
{
        cleanup_close int fd = seqpacket_connect(AGENTSH_CONTROL_SOCKET, TIMEOUT_MS, err);
        struct control_request request = {
                .magic = CONTROL_MAGIC, .kind = CONTROL_ACCOUNT, .user = "root", .service = "agentshctl"
        };
        struct control_reply reply;
        size_t fds = 0;
        ssize_t got;
        int r;

        if (fd < 0)
                return fd;
        r = seqpacket_send(fd, &request, sizeof(request), NULL, 0, TIMEOUT_MS, err);
        if (r < 0)
                return r;
        got = seqpacket_receive(fd, &reply, sizeof(reply), NULL, 0, &fds, TIMEOUT_MS, err);
        if (got < 0)
                return (int)got;
        if (got == 0)
                return error_text(err, ECONNRESET, "it closed the connection without an answer");
        return control_parse_reply(&reply, (size_t)got, &reply, err);
}

static void check_answer(struct findings *findings)
{
        struct error err = ERROR_INIT;

        if (ask_monitor(&err) >= 0) {
                finding_add(findings, FINDING_OK, CHECK, "the control socket answers");
                return;
        }
        finding_add(findings, FINDING_BAD, CHECK,
                    "the control socket does not answer (%s): every login of an agent is "
                    "refused",
                    err.text);
        finding_remedy(findings, "%s, then see the log",
                       has_systemd() ? "systemctl restart agentsh.socket" : "/etc/init.d/agentsh restart");
}

void doctor_monitor(struct findings *findings, const struct account_list *agents)
{
        if (check_probe(findings, agents))
                doctor_tier(findings, agents);
        if (check_socket_file(findings))
                check_answer(findings);
}
