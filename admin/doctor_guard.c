/* doctor_guard.c - whether the egress guard is there and refuses. Root; reads, and tries it on loopback. */
#include "admin/doctor.h"
#include "admin/guard.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include <fcntl.h>
#include <unistd.h>

#define CHECK   "guard"
#define SERVICE "agentsh-guard.service"

static void report_off(struct findings *findings)
{
        finding_add(
                findings, FINDING_WARNING, CHECK,
                "the egress guard is off: where sshd's configuration forgets a switch, or a program is started with "
                "an agent's uid outside of an isolation, the agent has the host's network");
        finding_remedy(findings, access("/run/systemd/system", F_OK) == 0
                                         ? "systemctl enable --now " SERVICE " (needs the package nftables)"
                                         : "agentshctl guard on (needs the package nftables), at every boot");
}

static void check_boot(struct findings *findings)
{
        static const char *const WANTED_BY[] = { "/etc/systemd/system/sysinit.target.wants/" SERVICE,
                                                 "/etc/systemd/system/multi-user.target.wants/" SERVICE };

        if (access("/run/systemd/system", F_OK) < 0)
                return;
        for (size_t i = 0; i < sizeof(WANTED_BY) / sizeof(WANTED_BY[0]); i++)
                if (faccessat(AT_FDCWD, WANTED_BY[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                        return;
        finding_add(findings, FINDING_WARNING, CHECK, "the egress guard is on, but will not be after the next boot");
        finding_remedy(findings, "systemctl enable " SERVICE);
}

static void check_set(struct findings *findings)
{
        cleanup_guard_ranges struct guard_ranges wanted = { 0 }, present = { 0 };
        struct error err = ERROR_INIT;

        if (guard_wanted(NULL, &wanted, &err) < 0 || guard_read_uids(&present, &err) < 0) {
                finding_add(findings, FINDING_BAD, CHECK, "%s", err.text);
                finding_remedy(findings, "agentshctl guard on");
        } else if (!guard_ranges_equal(&wanted, &present)) {
                finding_add(findings, FINDING_WARNING, CHECK,
                            "the egress guard's uids are not those of the agents' accounts: it refuses somebody who is "
                            "no agent, or lets an agent through");
                finding_remedy(findings, "agentshctl guard sync");
        }
}

/* What the rules are is nothing: whether they refuse is what counts, whoever changed them. */
static void check_tries(struct findings *findings, const struct account_list *agents)
{
        size_t refused = 0;

        for (size_t i = 0; i < agents->count; i++) {
                const struct account *agent = &agents->account[i];
                struct error err = ERROR_INIT;
                const char *open = NULL;

                if (agent->uid == 0)
                        continue;
                if (guard_try(agent->uid, &open, &err) < 0) {
                        finding_add(findings, FINDING_WARNING, CHECK, "%s", err.text);
                        return;
                }
                refused += open == NULL;
                if (open == NULL)
                        continue;
                finding_add(findings, FINDING_BAD, CHECK,
                            "%s (uid %u) gets through the egress guard by %s, when tried on the loopback interface",
                            agent->name, (unsigned)agent->uid, open);
                finding_remedy(findings, "%s", guard_remedy(open));
                findings_give(findings, findings->count - 1, agent->name);
        }
        if (refused == agents->count)
                finding_add(findings, FINDING_OK, CHECK,
                            "the egress guard is on; tried with every agent's uid: refused");
}

/* Cookies for every connection: then no answer of a listener shows whose it is (guard_table.c). */
static void check_cookies(struct findings *findings)
{
        cleanup_close int dir = open("/proc/sys/net/ipv4", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char value[8];

        if (dir < 0 || fd_read_file_at(dir, "tcp_syncookies", value, sizeof(value), NULL) < 0 || value[0] != '2')
                return;
        finding_add(findings, FINDING_WARNING, CHECK,
                    "net.ipv4.tcp_syncookies is 2: the egress guard does not keep a listener of an agent's uid from "
                    "receiving, only from answering");
        finding_remedy(findings, "sysctl -w net.ipv4.tcp_syncookies=1, and the same in /etc/sysctl.d");
}

void doctor_guard(struct findings *findings, const struct account_list *agents)
{
        struct error err = ERROR_INIT;
        bool loaded = false;

        if (guard_is_loaded(&loaded, &err) < 0) {
                finding_add(findings, FINDING_WARNING, CHECK, "%s", err.text);
                return;
        }
        if (!loaded) {
                report_off(findings);
                return;
        }
        check_boot(findings);
        check_set(findings);
        check_cookies(findings);
        check_tries(findings, agents);
}
